import type { Comparison } from "lookalike-client";
import { useState } from "preact/hooks";

import { Strip } from "../picture/Strip.tsx";
import { clusterName } from "../state/service.ts";
import { enter } from "../state/route.ts";
import { Button, Chip } from "../ui/controls.tsx";
import page from "../ui/room.module.css";
import css from "./compare.module.css";
import { percent, pInWords } from "./words.ts";

type Share = Comparison["clusters"][number];

const SURE = 0.05;
const SHOWN = 6;
const EXAMPLES = 4;

/** Which clusters hold the difference: the share of each set, those that differ most first. */
export function Clusters({ comparison }: { comparison: Comparison }) {
  const [all, setAll] = useState(false);
  const { clusters, clustering } = comparison;
  const most = Math.max(...clusters.flatMap((one) => shares(comparison, one)), 0.01);
  const held = clusters.filter((one) => one.p < SURE).length;
  return (
    <section class={page.section}>
      <h2>Where they differ</h2>
      <p class={page.lead}>
        {held === 0
          ? "No cluster holds surely more of one set than of the other."
          : `${held} of ${clusters.length} clusters hold surely more of one set than of the other.`}{" "}
        {clustering ? `The clusters are those of ${clustering}.` : "The clusters were found in both sets together."}
      </p>
      <ul class={css.clusters}>
        {(all ? clusters : clusters.slice(0, SHOWN)).map((one) => (
          <Row key={one.label} comparison={comparison} one={one} most={most} />
        ))}
      </ul>
      {clusters.length > SHOWN && !all && (
        <p class={css.more}>
          <Button onClick={() => setAll(true)}>Show all {clusters.length}</Button>
        </p>
      )}
    </section>
  );
}

function shares({ first, second }: Comparison, one: Share): [number, number] {
  return [one.first / Math.max(1, first.points), one.second / Math.max(1, second.points)];
}

function Row({ comparison, one, most }: { comparison: Comparison; one: Share; most: number }) {
  const { first, second, clustering } = comparison;
  const [a, b] = shares(comparison, one);
  const name =
    one.label === -1 ? "noise"
    : one.label === -2 ? "in no cluster yet"
    : clustering ? clusterName(clustering, one.label)
    : `group ${one.label + 1}`;
  const { value, low, high } = one.difference;
  const bar = (title: string, share: number, count: number, tone: string | undefined) => (
    <div class={css.bar}>
      <span>{title}</span>
      <i class={tone} style={{ width: `${(100 * share) / most}%` }} />
      <span class="numbers">
        {percent(share)} · {count.toLocaleString()}
      </span>
    </div>
  );
  return (
    <li class={page.card}>
      <div class={css.rowHead}>
        {clustering && one.label >= 0 ? (
          <Button look="quiet" onClick={() => enter("clusters", { run: clustering, cluster: String(one.label) })}>
            {name}
          </Button>
        ) : (
          <strong>{name}</strong>
        )}
        {one.p < SURE ? (
          <Chip tone="accent" title={pInWords(one.p)}>
            {value > 0 ? `more of ${second.title}` : `more of ${first.title}`}
          </Chip>
        ) : (
          <Chip title={pInWords(one.p)}>may be chance</Chip>
        )}
      </div>
      {bar(first.title, a, one.first, css.first)}
      {bar(second.title, b, one.second, css.second)}
      <p class="muted small numbers">
        {signed(value)} (95 % from {signed(low)} to {signed(high)})
      </p>
      <div class={css.examples}>
        <Examples of={first} ids={one.examples["first"]} cluster={name} />
        <Examples of={second} ids={one.examples["second"]} cluster={name} />
      </div>
    </li>
  );
}

function Examples({ of, ids = [], cluster }: { of: Comparison["first"]; ids: string[] | undefined; cluster: string }) {
  if (ids.length === 0) return <p class="muted small">None of {of.title}</p>;
  return <Strip label={`${cluster}, of ${of.title}`} ids={ids.slice(0, EXAMPLES)} collection={of.collection} />;
}

function signed(share: number): string {
  return `${share >= 0 ? "+" : "−"}${percent(Math.abs(share))}`;
}
