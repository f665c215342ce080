import type { Clustering } from "lookalike-client";

import { write } from "../filter/conditions.ts";
import { Strip } from "../picture/Strip.tsx";
import { useBrowse } from "../picture/browse.ts";
import { refusal } from "../state/access.ts";
import { useResource } from "../state/resource.ts";
import { clusterings, collection } from "../state/service.ts";
import { enter, go, route } from "../state/route.ts";
import { Button, Select } from "../ui/controls.tsx";
import { Problem } from "../ui/feedback.tsx";
import { fieldName } from "../filter/conditions.ts";
import page from "../ui/room.module.css";
import css from "./clusters.module.css";
import { ClusterTile } from "./ClusterTile.tsx";
import { Diagnostics } from "./Diagnostics.tsx";
import { Menu } from "./Menu.tsx";
import { composition, field, fields, type Sort, SORTS, sorted, within } from "./state.ts";

/** All clusters of a clustering, and what its figures say. */
export function Overview({ run, make }: { run: Clustering; make: () => void }) {
  const by = field.value;
  const agreement = useResource(
    (signal) => (by === undefined ? undefined : collection.value?.agreement(run.name, { field: by }, { signal })),
    [run.run, by],
  );
  const parts = (label: number) => composition(agreement.value, label);
  const sort = (SORTS.find(([name]) => name === route.value.params["sort"])?.[0] ?? "size") as Sort;
  const others = (clusterings.value ?? []).filter((one) => one.name !== run.name);
  return (
    <>
      <header class={page.head}>
        <div>
          <div class={css.title}>
            <h1>
              {run.clusters.length} {run.clusters.length === 1 ? "cluster" : "clusters"}
            </h1>
            <Select
              aria-label="Clustering"
              class={css.runs}
              value={run.name}
              options={(clusterings.value ?? []).map((one) => [one.name, `${one.name} · ${one.clusters.length} clusters`] as const)}
              onChange={(name) => go({ run: name, cluster: undefined })}
            />
          </div>
          <p>{summary(run)}</p>
          {run.description && <p>{run.description}</p>}
        </div>
        <div class={page.actions}>
          <Menu run={run} />
          {others.length > 0 && (
            <Button icon="compare" onClick={() => go({ run: run.name, vs: others[0]!.name })}>
              Compare
            </Button>
          )}
          <Button look="primary" icon="add" refused={refusal("write")} onClick={make}>
            New clustering
          </Button>
        </div>
      </header>
      <Diagnostics run={run} />
      <div class={css.tools}>
        <label class={css.inline}>
          <span>Sort</span>
          <Select value={sort} options={SORTS} onChange={(name) => go({ sort: name === "size" ? undefined : name })} />
        </label>
        {by !== undefined && (
          <label class={css.inline}>
            <span>Made of</span>
            <Select
              value={by}
              options={fields.value.map((name) => [name, fieldName(name)] as const)}
              onChange={(name) => go({ by: name })}
            />
          </label>
        )}
      </div>
      {agreement.error !== undefined && <Problem error={agreement.error} onRetry={() => agreement.reload()} />}
      <ul class={css.tiles} aria-label="Clusters">
        {sorted(run.clusters, sort, (label) => parts(label)?.[0]?.share ?? 0).map((cluster) => (
          <ClusterTile key={cluster.label} run={run} cluster={cluster} parts={parts(cluster.label)} by={by} />
        ))}
      </ul>
      {run.noise > 0 && <Noise run={run} />}
    </>
  );
}

function summary(run: Clustering): string {
  const made = new Date(run.created_at).toLocaleDateString(undefined, { day: "numeric", month: "short", year: "numeric" });
  const first = run.reduction ? `, after ${run.reduction}` : "";
  const noise = run.noise > 0 ? `, ${run.noise.toLocaleString()} in none` : "";
  return `${run.points.toLocaleString()} images${noise} · ${run.algorithm}${first} · made ${made} in ${run.seconds.toFixed(1)} s`;
}

const SHOWN = 12;

function Noise({ run }: { run: Clustering }) {
  const only = write([{ kind: "any", field: `clusters.${run.name}`, values: [-1], not: false }]);
  const browse = useBrowse(only);
  return (
    <section class={page.section}>
      <h2>In no cluster</h2>
      <p class={page.lead}>
        {run.noise.toLocaleString()} {run.noise === 1 ? "image is" : "images are"} unlike any group. Here are the odd ones
        out, and sometimes the interesting ones.
      </p>
      {browse.error !== undefined && <Problem error={browse.error} />}
      <Strip label="Images in no cluster" ids={browse.images.slice(0, SHOWN).map(({ id }) => id)} />
      {run.noise > SHOWN && (
        <p class={page.footnote}>
          <Button onClick={() => enter("search", { filter: JSON.stringify(within(run.name, -1)) })}>
            Show all {run.noise.toLocaleString()}
          </Button>
        </p>
      )}
    </section>
  );
}
