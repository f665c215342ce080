import type { ClusterCard, Clustering } from "lookalike-client";

import { fieldName } from "../filter/conditions.ts";
import { useKeys } from "../keys/registry.ts";
import { useBrowse } from "../picture/browse.ts";
import { Grid, GridSkeleton } from "../picture/Grid.tsx";
import { Strip } from "../picture/Strip.tsx";
import { useResource } from "../state/resource.ts";
import { clusterName, collection } from "../state/service.ts";
import { enter, go, route } from "../state/route.ts";
import { select } from "../state/selection.ts";
import { Button } from "../ui/controls.tsx";
import { Problem, Skeleton } from "../ui/feedback.tsx";
import { Popover } from "../ui/Popover.tsx";
import page from "../ui/room.module.css";
import { Bars } from "./Bar.tsx";
import css from "./clusters.module.css";
import { Exports } from "./Menu.tsx";
import { Name } from "./Name.tsx";
import { type Cluster, composition, field, sorted, within } from "./state.ts";
import { percent, quality } from "./words.ts";

const EXEMPLARS = 6;

/** One cluster: why it is one, what it is made of, and all its images. */
export function Opened({ run, cluster }: { run: Clustering; cluster: Cluster }) {
  const order = sorted(run.clusters, "size", () => 0).map((one) => one.label);
  const step = (by: number) => () => {
    const next = order[order.indexOf(cluster.label) + by];
    return next === undefined ? false : go({ cluster: String(next) });
  };
  useKeys("Cluster", [
    { keys: "]", does: "Next cluster", run: step(1) },
    { keys: "[", does: "Cluster before", run: step(-1) },
    { keys: "u", does: "All clusters", run: () => go({ cluster: undefined }) },
  ]);
  return (
    <>
      <Head run={run} cluster={cluster} />
      <div class={css.opened}>
        <Why run={run} cluster={cluster} />
        <MadeOf run={run} cluster={cluster} />
      </div>
      {(cluster.outliers ?? []).length > 0 && (
        <section class={page.section}>
          <h2>Least typical</h2>
          <p class={page.lead}>The members farthest from its centre. Where these do not belong, ask for more clusters.</p>
          <Strip label="Least typical images" ids={cluster.outliers!} />
        </section>
      )}
      <All run={run} cluster={cluster} />
    </>
  );
}

function Head({ run, cluster }: { run: Clustering; cluster: Cluster }) {
  const only = JSON.stringify(within(run.name, cluster.label));
  const said = quality(cluster);
  const share = percent(cluster.size / Math.max(1, run.points));
  return (
    <header class={page.head}>
      <div>
        <Button look="quiet" icon="arrowLeft" class={css.back} onClick={() => go({ cluster: undefined })}>
          All clusters of {run.name}
        </Button>
        <Name run={run} cluster={cluster} large />
        <p class="numbers">
          {cluster.size.toLocaleString()} images, {share} of all. {said?.why}
        </p>
        {cluster.description && <p>{cluster.description}</p>}
      </div>
      <div class={page.actions}>
        <Button icon="map" onClick={() => enter("map", { filter: only, color: `clusters.${run.name}` })}>
          Show on the map
        </Button>
        <Button
          icon="search"
          onClick={() => enter("search", { filter: only, ...(cluster.medoid === null ? {} : { id: cluster.medoid }) })}
        >
          Search in it
        </Button>
        <Popover
          label="Export the cluster"
          align="end"
          trigger={(props) => (
            <Button icon="download" {...props}>
              Export
            </Button>
          )}
        >
          {(close) => <Exports run={run} label={cluster.label} close={close} />}
        </Popover>
      </div>
    </header>
  );
}

function Why({ run, cluster }: { run: Clustering; cluster: Cluster }) {
  const card = useResource(
    (signal) => collection.value?.clusterCard(run.name, cluster.label, { exemplars: EXEMPLARS }, { signal }),
    [run.run, cluster.label],
  );
  return (
    <section aria-label="Why it is a cluster">
      <h2>Why it is a cluster</h2>
      {card.error !== undefined && <Problem error={card.error} onRetry={() => card.reload()} />}
      {!card.value && card.loading && <Skeleton height="320px" />}
      {card.value && (
        <>
          <p class={css.lead}>{explained(run, card.value)}</p>
          <Strip
            label="Most typical images"
            large
            ids={card.value.exemplars.map(({ id }) => id)}
            map={(id) => card.value!.exemplars.find((one) => one.id === id)?.map}
            caption={(id) => caption(card.value!.exemplars.find((one) => one.id === id)!)}
          />
        </>
      )}
    </section>
  );
}

function explained(run: Clustering, { nearest, similarity }: ClusterCard): string {
  if (nearest === null) return "It is the only cluster; its most typical images:";
  const other = clusterName(run.name, nearest);
  const how = similarity === null ? "" : ` (their centres have a cosine of ${similarity.toFixed(2)})`;
  return `Its most typical images. Bright is what makes them of this cluster rather than of the nearest, ${other}${how}.`;
}

function caption({ score, error }: ClusterCard["exemplars"][number]): string {
  return error ? `No map: ${error.detail}` : `cosine ${score.toFixed(2)} with its centre`;
}

function MadeOf({ run, cluster }: { run: Clustering; cluster: Cluster }) {
  const by = field.value;
  const agreement = useResource(
    (signal) => (by === undefined ? undefined : collection.value?.agreement(run.name, { field: by }, { signal })),
    [run.run, by],
  );
  if (by === undefined) return null;
  const parts = composition(agreement.value, cluster.label);
  return (
    <section aria-label="What it is made of">
      <h2>Made of, by {fieldName(by)}</h2>
      {agreement.error !== undefined && <Problem error={agreement.error} onRetry={() => agreement.reload()} />}
      {!agreement.value && agreement.loading && <Skeleton height="120px" />}
      {agreement.value && !parts && <p class="muted">No image of it has a value here.</p>}
      {parts && <Bars parts={parts.slice(0, 12)} />}
      {parts && parts.length > 12 && <p class={page.footnote}>And {parts.length - 12} more.</p>}
    </section>
  );
}

function All({ run, cluster }: { run: Clustering; cluster: Cluster }) {
  const browse = useBrowse(within(run.name, cluster.label));
  const ids = browse.images.map(({ id }) => id);
  const narrowed = route.value.params["filter"] !== undefined;
  return (
    <section class={page.section} aria-busy={browse.state === "loading"}>
      <div class={css.allHead}>
        <h2>{narrowed ? "Its images that match the filter" : "All its images"}</h2>
        {ids.length > 0 && (
          <Button look="quiet" icon="select" onClick={() => select(ids)}>
            Select these {ids.length.toLocaleString()}
          </Button>
        )}
      </div>
      {browse.error !== undefined && <Problem error={browse.error} />}
      {ids.length === 0 && browse.state === "loading" && <GridSkeleton />}
      {ids.length === 0 && browse.state === "all" && <p class="muted">None match the filter.</p>}
      <Grid label="Images of the cluster" tiles={ids.map((id) => ({ id }))} />
      {browse.state === "more" && (
        <p class={css.moreImages}>
          <Button onClick={() => void browse.more()}>Show more</Button>
        </p>
      )}
    </section>
  );
}
