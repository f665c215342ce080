import type { Comparison } from "lookalike-client";

import { Strip } from "../picture/Strip.tsx";
import { useResource } from "../state/resource.ts";
import { collection } from "../state/service.ts";
import { Problem, Skeleton } from "../ui/feedback.tsx";
import page from "../ui/room.module.css";
import css from "./compare.module.css";

const EACH = 4;

/** What in the pictures makes the difference. */
export function Maps({ comparison, differ }: { comparison: Comparison; differ: boolean }) {
  const maps = useResource((signal) => collection.value?.comparisonMaps(comparison.name, { limit: EACH }, { signal }), [comparison.created_at]);
  const { mean_term: mean, distance } = comparison.figures.frechet;
  const share = Math.max(0, Math.min(1, mean / (distance.value || 1)));
  return (
    <section class={page.section}>
      <h2>What in the pictures makes the difference</h2>
      <p class={page.lead}>
        The pictures that are least like the other set; bright is what makes them so. This is{" "}
        {Math.round(100 * share)} % of the distance; the rest is in how the sets are spread.
        {!differ && " Where no difference is shown, these maps are of chance, however convincing they look."}
      </p>
      {maps.error !== undefined && <Problem error={maps.error} onRetry={() => maps.reload()} />}
      {!maps.value && maps.loading && <Skeleton height="220px" />}
      {maps.value && (
        <div class={css.sets}>
          {(["first", "second"] as const).map((side) => {
            const images = maps.value!.images.filter((one) => one.side === side);
            const found = (id: string) => images.find((one) => one.id === id);
            return (
              <div key={side}>
                <h3>{comparison[side].title}</h3>
                <Strip
                  label={`Maps of ${comparison[side].title}`}
                  ids={images.map(({ id }) => id)}
                  map={(id) => found(id)?.map}
                  caption={(id) => found(id)?.error?.detail}
                  collection={comparison[side].collection}
                />
              </div>
            );
          })}
        </div>
      )}
    </section>
  );
}
