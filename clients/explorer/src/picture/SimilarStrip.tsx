import { filter } from "../filter/state.ts";
import { useResource } from "../state/resource.ts";
import { route } from "../state/route.ts";
import { collection } from "../state/service.ts";
import { Problem, Skeleton } from "../ui/feedback.tsx";
import { Thumb } from "../ui/Thumb.tsx";
import { openImage } from "./PicturePanel.tsx";
import css from "./picture.module.css";

const COUNT = 8;

/** The images that are most like it. */
export function SimilarStrip({ id }: { id: string }) {
  const similar = useResource((signal) => {
    const only = filter.value;
    return collection.value?.search({ id, limit: COUNT, ...(only ? { filter: only } : {}) } as never, { signal });
  }, [id]);
  const name = route.value.collection!;
  return (
    <section>
      <h3>Most similar</h3>
      {similar.error ? <Problem error={similar.error} onRetry={() => similar.reload()} /> : null}
      {!similar.value && similar.loading && <Skeleton height="152px" />}
      <ul class={css.strip}>
        {similar.value?.hits.map((hit) => (
          <li key={hit.id}>
            <button type="button" title={`${hit.id}: ${hit.score.toFixed(3)}`} onClick={() => openImage(hit.id)}>
              <Thumb collection={name} id={hit.id} alt={`${hit.id}, score ${hit.score.toFixed(3)}`} />
            </button>
          </li>
        ))}
      </ul>
    </section>
  );
}
