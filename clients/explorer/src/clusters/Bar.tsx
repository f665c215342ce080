import { categoricalCss } from "../ui/palette.ts";
import css from "./clusters.module.css";
import type { Share } from "./state.ts";
import { percent } from "./words.ts";

/** What a cluster is made of, as one bar. */
export function Bar({ parts, label }: { parts: readonly Share[]; label: string }) {
  const words = parts.slice(0, 5).map((one) => `${one.value} ${percent(one.share)}`).join(", ");
  return (
    <div class={css.bar} role="img" aria-label={`${label}: ${words}`}>
      {parts.map((one) => (
        <i
          key={one.value}
          title={`${one.value}: ${one.images.toLocaleString()} (${percent(one.share)})`}
          style={{ flexGrow: one.images, background: categoricalCss(one.index) }}
        />
      ))}
    </div>
  );
}

/** The same with a line for each value. */
export function Bars({ parts }: { parts: readonly Share[] }) {
  return (
    <ul class={css.bars}>
      {parts.map((one) => (
        <li key={one.value}>
          <span>{one.value}</span>
          <i style={{ width: `${100 * one.share}%`, background: categoricalCss(one.index) }} />
          <span class="numbers muted">
            {one.images.toLocaleString()} · {percent(one.share)}
          </span>
        </li>
      ))}
    </ul>
  );
}
