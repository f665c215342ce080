import type { Clustering } from "lookalike-client";

import { fieldName } from "../filter/conditions.ts";
import { enter, roomAddress, route } from "../state/route.ts";
import { Chip } from "../ui/controls.tsx";
import { Thumb } from "../ui/Thumb.tsx";
import { Bar } from "./Bar.tsx";
import css from "./clusters.module.css";
import { Name } from "./Name.tsx";
import { type Cluster, nameOf, type Share } from "./state.ts";
import { percent, quality } from "./words.ts";

const EXAMPLES = 4;

/** A cluster at a glance: its pictures, name and size, and what it is made of. */
export function ClusterTile({
  run,
  cluster,
  parts,
  by,
}: {
  run: Clustering;
  cluster: Cluster;
  parts: Share[] | undefined;
  by: string | undefined;
}) {
  const collection = route.value.collection!;
  const params = { ...route.value.params, run: run.name, cluster: String(cluster.label) };
  const examples = (cluster.exemplars ?? []).filter((id) => id !== cluster.medoid).slice(0, EXAMPLES);
  const said = quality(cluster);
  return (
    <li class={css.tile}>
      <a
        class={css.pictures}
        href={roomAddress("clusters", params)}
        aria-label={`Open ${nameOf(cluster)}, ${cluster.size.toLocaleString()} images`}
        onClick={(event) => {
          if (event.ctrlKey || event.metaKey || event.shiftKey) return;
          event.preventDefault();
          enter("clusters", params);
        }}
      >
        {cluster.medoid !== null && (
          <span class={css.medoid}>
            <Thumb collection={collection} id={cluster.medoid} />
          </span>
        )}
        {examples.map((id) => (
          <span key={id}>
            <Thumb collection={collection} id={id} />
          </span>
        ))}
      </a>
      <div class={css.about}>
        <Name run={run} cluster={cluster} />
        <p class="muted small numbers">
          {cluster.size.toLocaleString()} images · {percent(cluster.size / Math.max(1, run.points))}
          {said && (
            <>
              {" "}
              <Chip tone={said.tone} title={said.why}>
                {said.text}
              </Chip>
            </>
          )}
        </p>
        {parts && by !== undefined && (
          <>
            <Bar parts={parts} label={`What ${nameOf(cluster)} is made of by ${fieldName(by)}`} />
            <p class={css.made}>
              {parts.slice(0, 2).map((one) => `${one.value} ${percent(one.share)}`).join(" · ")}
              {parts.length > 2 && ` · ${parts.length - 2} more`}
            </p>
          </>
        )}
      </div>
    </li>
  );
}
