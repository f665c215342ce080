import type { IndexedImage } from "lookalike-client";

import { setFilter, valueName } from "../filter/state.ts";
import { Chip } from "../ui/controls.tsx";
import { categoricalCss } from "../ui/palette.ts";
import css from "./picture.module.css";

/** Which cluster of each clustering it is in; a click shows the cluster alone. */
export function ClusterChips({ image }: { image: IndexedImage }) {
  const runs = Object.entries(image.clusters);
  if (runs.length === 0) return null;
  return (
    <section>
      <h3>Clusters</h3>
      <ul class={css.chips}>
        {runs.map(([run, label]) => {
          const field = `clusters.${run}`;
          const sure = image.confidences?.[run];
          return (
            <li key={run}>
              <Chip
                color={categoricalCss(label)}
                title={`Show only this cluster of ${run}${sure === undefined ? "" : `; assigned with confidence ${sure.toFixed(2)}`}`}
                onClick={() => setFilter({ must: [{ key: field, match: { value: label } }] })}
              >
                {run}: {valueName(field, label)}
              </Chip>
            </li>
          );
        })}
      </ul>
    </section>
  );
}
