import type { Clustering } from "lookalike-client";
import { useState } from "preact/hooks";

import { Segmented } from "../ui/controls.tsx";
import css from "./clusters.module.css";
import { curve, CRITERIA, type Criterion } from "./sweep.ts";

type SweepData = NonNullable<Clustering["sweep"]>;

const [WIDTH, HEIGHT, LEFT, BOTTOM, TOP] = [720, 220, 44, 28, 12];

/** What speaks for each number of clusters: a curve for each criterion, and what it would choose. */
export function Sweep({ sweep }: { sweep: SweepData }) {
  const [shown, setShown] = useState<Criterion>(sweep.criterion);
  const criterion = CRITERIA[shown];
  const choice = sweep.choices[shown];
  return (
    <div class={css.sweep}>
      <Segmented
        label="Criterion"
        options={(Object.keys(CRITERIA) as Criterion[]).map((name) => [name, CRITERIA[name].name] as const)}
        value={shown}
        onChange={setShown}
      />
      <p class="muted small">
        {criterion.means}{" "}
        {choice == null ? "It is undefined for these numbers." : `It would choose ${choice}.`}
        {shown === sweep.criterion ? " This clustering went by it." : ` This clustering went by ${CRITERIA[sweep.criterion].name.toLowerCase()} and has ${sweep.k}.`}
      </p>
      <Plot sweep={sweep} criterion={shown} />
    </div>
  );
}

function Plot({ sweep, criterion }: { sweep: SweepData; criterion: Criterion }) {
  const { points, low, high } = curve(sweep.candidates, criterion);
  if (points.length === 0) return null;
  const ks = points.map((one) => one.k);
  const [first, last] = [Math.min(...ks), Math.max(...ks)];
  const x = (k: number) => LEFT + ((k - first) / Math.max(1, last - first)) * (WIDTH - LEFT - 16);
  const y = (value: number) => TOP + (1 - (value - low) / (high - low || 1)) * (HEIGHT - TOP - BOTTOM);
  const line = points.map((one) => `${x(one.k)},${y(one.value)}`).join(" ");
  const band = points.every((one) => one.low !== undefined)
    ? [...points.map((one) => `${x(one.k)},${y(one.high!)}`), ...points.toReversed().map((one) => `${x(one.k)},${y(one.low!)}`)].join(" ")
    : undefined;
  const step = Math.ceil(points.length / 12);
  const choice = sweep.choices[criterion];
  const said = points.map((one) => `${one.k}: ${one.value.toPrecision(3)}`).join(", ");
  return (
    <div class={css.plot}>
      <svg viewBox={`0 0 ${WIDTH} ${HEIGHT}`} role="img" aria-label={`${CRITERIA[criterion].name} by number of clusters. ${said}`}>
        {[low, (low + high) / 2, high].map((value) => (
          <g key={value} class={css.axis}>
            <line x1={LEFT} x2={WIDTH - 16} y1={y(value)} y2={y(value)} />
            <text x={LEFT - 8} y={y(value) + 4} text-anchor="end">
              {short(value)}
            </text>
          </g>
        ))}
        {band && <polygon class={css.band} points={band} />}
        {choice != null && <line class={css.choice} x1={x(choice)} x2={x(choice)} y1={TOP} y2={HEIGHT - BOTTOM} />}
        <polyline class={css.curve} points={line} />
        {points.map((one, i) => (
          <g key={one.k}>
            <circle class={one.k === choice ? css.chosen : css.point} cx={x(one.k)} cy={y(one.value)} r={one.k === choice ? 6 : 3}>
              <title>{`${one.k} clusters: ${one.value.toPrecision(4)}`}</title>
            </circle>
            {(i % step === 0 || one.k === choice) && (
              <text class={one.k === choice ? css.chosenTick : css.tick} x={x(one.k)} y={HEIGHT - 8} text-anchor="middle">
                {one.k}
              </text>
            )}
          </g>
        ))}
      </svg>
    </div>
  );
}

function short(value: number): string {
  return Math.abs(value) >= 100 ? Math.round(value).toLocaleString() : value.toPrecision(2);
}
