import type { Clustering } from "lookalike-client";

import { Icon } from "../ui/Icon.tsx";
import css from "./clusters.module.css";
import { Sweep } from "./Sweep.tsx";
import { tell } from "./words.ts";

/** What the figures of a clustering say, and how its number of clusters was chosen. */
export function Diagnostics({ run }: { run: Clustering }) {
  return (
    <section class={css.diagnostics} aria-label="How good the clustering is">
      <dl class={css.figures}>
        {tell(run).map((one) => (
          <div key={one.title} class={one.tone ? css[one.tone] : undefined}>
            <dt>{one.title}</dt>
            <dd>
              <strong class="numbers">{one.value}</strong>
              <span>{one.means}</span>
            </dd>
          </div>
        ))}
      </dl>
      {run.sweep && (
        <details class={css.more} open={run.sweep.candidates.length > 1 && run.sweep.k !== run.clusters.length}>
          <summary>
            <Icon name="chevronRight" size={16} /> Why {run.sweep.k} clusters?
          </summary>
          <Sweep sweep={run.sweep} />
        </details>
      )}
      <details class={css.more}>
        <summary>
          <Icon name="chevronRight" size={16} /> All figures and settings
        </summary>
        <Settings run={run} />
      </details>
    </section>
  );
}

function Settings({ run }: { run: Clustering }) {
  const rows: [string, string][] = [
    ["algorithm", run.algorithm],
    ...Object.entries(run.parameters).map(([name, value]): [string, string] => [name, JSON.stringify(value)]),
    ["reduction", run.reduction ?? "none"],
    ["filter", run.filter ? JSON.stringify(run.filter) : "none"],
    ["seed", String(run.seed)],
    ...Object.entries(run.diagnostics).map(([name, value]): [string, string] => [name, value === null ? "–" : figure(value)]),
  ];
  return (
    <dl class={css.settings}>
      {rows.map(([name, value]) => (
        <div key={name}>
          <dt>{name.replaceAll("_", " ")}</dt>
          <dd class="mono">{value}</dd>
        </div>
      ))}
    </dl>
  );
}

function figure(value: number): string {
  return Number.isInteger(value) ? value.toLocaleString() : value.toPrecision(4);
}
