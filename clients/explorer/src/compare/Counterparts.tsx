import type { Comparison } from "lookalike-client";
import { useState } from "preact/hooks";

import { openImage } from "../picture/PicturePanel.tsx";
import { useResource } from "../state/resource.ts";
import { collection } from "../state/service.ts";
import { route } from "../state/route.ts";
import { Button, Segmented } from "../ui/controls.tsx";
import { Problem, Skeleton } from "../ui/feedback.tsx";
import { Thumb } from "../ui/Thumb.tsx";
import page from "../ui/room.module.css";
import css from "./compare.module.css";

const STEP = 12;

/** Each image with the nearest of the other set: what the other has nothing like, or most like, first. */
export function Counterparts({ comparison }: { comparison: Comparison }) {
  const [side, setSide] = useState<"first" | "second">("second");
  const [order, setOrder] = useState<"farthest" | "nearest">("farthest");
  const [limit, setLimit] = useState(STEP);
  const pairs = useResource(
    (signal) => collection.value?.counterparts(comparison.name, { side, order, limit }, { signal }),
    [comparison.created_at, side, order, limit],
  );
  const [own, other] = side === "first" ? [comparison.first, comparison.second] : [comparison.second, comparison.first];
  return (
    <section class={page.section}>
      <h2>Each with its counterpart</h2>
      <p class={page.lead}>
        Images of {own.title}, each with the one of {other.title} that is most like it;{" "}
        {order === "farthest" ? `first those that ${other.title} has nothing like` : `first those that ${other.title} has the like of`}.
      </p>
      <div class={css.tools}>
        <Segmented
          label="Of which set"
          options={[
            ["second", `Of ${comparison.second.title}`],
            ["first", `Of ${comparison.first.title}`],
          ]}
          value={side}
          onChange={setSide}
        />
        <Segmented
          label="Order"
          options={[
            ["farthest", "Without the like"],
            ["nearest", "Most alike"],
          ]}
          value={order}
          onChange={setOrder}
        />
      </div>
      {pairs.error !== undefined && <Problem error={pairs.error} onRetry={() => pairs.reload()} />}
      {!pairs.value && pairs.loading && <Skeleton height="200px" />}
      <ul class={css.pairs} aria-label="Counterparts">
        {pairs.value?.counterparts.map((pair) => (
          <li key={pair.id}>
            <Picture id={pair.id} from={own.collection} />
            <Picture id={pair.counterpart} from={other.collection} />
            <span class="muted small numbers">cosine {pair.cosine.toFixed(3)}</span>
          </li>
        ))}
      </ul>
      {pairs.value && pairs.value.counterparts.length < pairs.value.total && (
        <p class={css.more}>
          <Button onClick={() => setLimit(limit + STEP)}>Show more</Button>
        </p>
      )}
    </section>
  );
}

function Picture({ id, from }: { id: string; from: string }) {
  const here = from === route.value.collection;
  const inside = <Thumb collection={from} id={id} alt={here ? "" : id} />;
  if (!here) {
    return (
      <span class={css.picture} title={id}>
        {inside}
      </span>
    );
  }
  return (
    <button type="button" class={css.picture} aria-label={id} title={id} onClick={() => openImage(id)}>
      {inside}
    </button>
  );
}
