import type { Clustering, Lineage } from "lookalike-client";

import { useResource } from "../state/resource.ts";
import { clusterings, collection } from "../state/service.ts";
import { enter, go } from "../state/route.ts";
import { Button, IconButton, Select } from "../ui/controls.tsx";
import { Empty, Problem, Skeleton } from "../ui/feedback.tsx";
import page from "../ui/room.module.css";
import css from "./clusters.module.css";
import { FlowDiagram } from "./FlowDiagram.tsx";
import { agreementInWords } from "./words.ts";

/** Two clusterings of the same images: which cluster became what, and how much they agree. */
export function Compared({ run, other }: { run: Clustering; other: string }) {
  const lineage = useResource((signal) => collection.value?.lineage(run.name, other, { signal }), [run.run, other, clusterings.value]);
  const names = (clusterings.value ?? []).map((one) => one.name);
  const options = (not: string) => names.filter((name) => name !== not).map((name) => [name, name] as const);
  return (
    <>
      <header class={page.head}>
        <div>
          <h1>Two clusterings side by side</h1>
          {lineage.value ? <p>{summary(lineage.value)}</p> : <Skeleton width="360px" />}
        </div>
        <Button icon="arrowLeft" onClick={() => go({ vs: undefined })}>
          Back to {run.name}
        </Button>
      </header>
      <div class={css.sides}>
        <Select aria-label="First clustering" value={run.name} options={options(other)} onChange={(name) => go({ run: name })} />
        <IconButton icon="retry" label="Swap the two" onClick={() => go({ run: other, vs: run.name })} />
        <Select aria-label="Second clustering" value={other} options={options(run.name)} onChange={(name) => go({ vs: name })} />
      </div>
      {lineage.error !== undefined && <Problem error={lineage.error} onRetry={() => lineage.reload()} />}
      {!lineage.value && lineage.loading && <Skeleton height="420px" />}
      {lineage.value && <Result lineage={lineage.value} />}
    </>
  );
}

function Result({ lineage }: { lineage: Lineage }) {
  const { figures, points, only, only_later: onlyLater } = lineage;
  const rand = figures["adjusted_rand"] ?? 0;
  if (points === 0) return <Empty icon="compare" title="They have no image in common" />;
  return (
    <>
      <FlowDiagram
        lineage={lineage}
        onOpen={(name, label) => label >= 0 && enter("clusters", { run: name, cluster: String(label) })}
      />
      <p class={page.footnote}>
        Of {points.toLocaleString()} images in both{only + onlyLater > 0 && `; ${only.toLocaleString()} are in the first alone, ${onlyLater.toLocaleString()} in the second alone`}.
        Adjusted Rand index {rand.toFixed(3)} (0 is chance, 1 the same), normalised mutual information{" "}
        {(figures["normalized_mutual_information"] ?? 0).toFixed(3)}.
      </p>
      <section class={page.section}>
        <h2>What became of each cluster</h2>
        <ul class={css.fates}>
          {lineage.fates.map((fate) => (
            <li key={fate.label}>
              <strong>{nameIn(lineage.run, fate.label)}</strong>
              <span>{story(lineage, fate)}</span>
            </li>
          ))}
          {lineage.new.map((label) => (
            <li key={`new ${label}`}>
              <strong>{nameIn(lineage.later, label)}</strong>
              <span>is new in {lineage.later.name}</span>
            </li>
          ))}
        </ul>
      </section>
    </>
  );
}

function summary({ run, later, figures }: Lineage): string {
  return `${run.name} and ${later.name} have ${agreementInWords(figures["adjusted_rand"] ?? 0)}.`;
}

function nameIn(run: Lineage["run"], label: number): string {
  if (label === -1) return "noise";
  return run.clusters.find((one) => one.label === label)?.name ?? `cluster ${label}`;
}

function story(lineage: Lineage, { event, into }: Lineage["fates"][number]): string {
  const names = into.map((label) => nameIn(lineage.later, label)).join(", ");
  switch (event) {
    case "kept":
      return `is ${names}, nearly unchanged`;
    case "moved":
      return `is mostly in ${names}, which has others too or lacks some`;
    case "merged":
      return `was merged with others into ${names}`;
    case "split":
      return `was split into ${names}`;
    case "dissolved":
      return "is scattered over many, or noise now";
    case "absent":
      return "has no image in the second";
  }
}
