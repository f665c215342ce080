import type { Comparison } from "lookalike-client";

import page from "../ui/room.module.css";
import css from "./compare.module.css";
import { type Figure, figuresOf } from "./words.ts";

/** The figures with their bounds of 95 % confidence, each on its scale. */
export function Figures({ comparison }: { comparison: Comparison }) {
  const [a, b] = comparison.figures.sampled;
  return (
    <section class={page.section}>
      <h2>How different they are</h2>
      <ul class={css.figures}>
        {figuresOf(comparison).map((figure) => (
          <li key={figure.name}>
            <div>
              <strong>{figure.name}</strong>
              <span class={`${css.value} numbers`}>{short(figure.estimate.value)}</span>
            </div>
            <Scale figure={figure} />
            <p>{figure.means}</p>
          </li>
        ))}
      </ul>
      <p class={page.footnote}>
        Bars are bounds of 95 % confidence by bootstrap; the line is where the figure would be without a difference. Of{" "}
        {a?.toLocaleString()} and {b?.toLocaleString()} images. The classifier was judged on{" "}
        {comparison.figures.separability.held_out.toLocaleString()} it had not seen.
      </p>
    </section>
  );
}

function Scale({ figure }: { figure: Figure }) {
  const { estimate, from, to, none } = figure;
  const at = (value: number) => Math.min(100, Math.max(0, (100 * (value - from)) / (to - from || 1)));
  const [low, high] = [at(estimate.low), at(estimate.high)];
  return (
    <div
      class={css.scale}
      role="img"
      aria-label={`${figure.name} ${short(estimate.value)}, with 95 % confidence from ${short(estimate.low)} to ${short(estimate.high)}; without a difference ${short(none)}`}
      title={`${short(estimate.low)} to ${short(estimate.high)}`}
    >
      <i class={css.none} style={{ left: `${at(none)}%` }} />
      <i class={css.range} style={{ left: `${low}%`, width: `${Math.max(0.5, high - low)}%` }} />
      <i class={css.point} style={{ left: `${at(estimate.value)}%` }} />
    </div>
  );
}

function short(value: number): string {
  const size = Math.abs(value);
  if (size === 0 || size >= 0.1) return value.toFixed(2);
  return size >= 0.0001 ? value.toPrecision(2) : value.toExponential(1);
}
