import { useState } from "preact/hooks";

import { type Condition, read, type Value, write } from "../filter/conditions.ts";
import { filter, setFilter } from "../filter/state.ts";
import { go } from "../state/route.ts";
import { Button, IconButton } from "../ui/controls.tsx";
import type { Rgb } from "../ui/palette.ts";
import { type Colouring, type Entry, onScale } from "./colours.ts";
import css from "./map.module.css";
import { field, only, pointed } from "./state.ts";
import { number } from "./words.ts";

const SHOWN = 12;

/** What the colours mean: pointing at a group lights it up, a click keeps it lit. */
export function Legend({ colouring, title, onSelect }: { colouring: Colouring; title: string; onSelect: (entry: Entry) => void }) {
  const [all, setAll] = useState(false);
  const { entries, colours, scale } = colouring;
  if (entries.length === 0 && !scale) return null;
  const shown = entries.filter((entry, i) => all || i < SHOWN || entry.label === only.value);
  return (
    <section class={css.legend} aria-label="Legend" onPointerLeave={() => (pointed.value = undefined)}>
      <h2>{title}</h2>
      {scale && (
        <div class={css.scale}>
          <i style={{ background: `linear-gradient(to right, ${[0, 0.25, 0.5, 0.75, 1].map((part) => rgb(onScale(part))).join(", ")})` }} />
          <span class="numbers">{number(scale.least)}</span>
          <span class="numbers">{number(scale.most)}</span>
          {scale.says !== title && <p>{scale.says}</p>}
        </div>
      )}
      <ul>
        {shown.map((entry) => (
          <Row key={entry.code} entry={entry} colour={rgb(colours[entry.code]!)} onSelect={() => onSelect(entry)} />
        ))}
      </ul>
      {entries.length > SHOWN && (
        <Button look="quiet" onClick={() => setAll(!all)}>
          {all ? "Show fewer" : `Show all ${entries.length}`}
        </Button>
      )}
    </section>
  );
}

function Row({ entry, colour, onSelect }: { entry: Entry; colour: string; onSelect: () => void }) {
  const lit = only.value === entry.label;
  const point = () => (pointed.value = entry.code);
  return (
    <li class={css.entry} onPointerEnter={point}>
      <button
        type="button"
        class={css.entryBody}
        aria-pressed={lit}
        title={lit ? "Show all groups again" : "Light up this group alone"}
        onFocus={point}
        onBlur={() => (pointed.value = undefined)}
        onClick={() => go({ only: lit ? undefined : entry.label })}
      >
        <i class={css.swatch} style={{ background: colour }} />
        <span class={css.entryName}>{entry.label}</span>
        <span class={`${css.entryCount} numbers`}>{entry.images.toLocaleString()}</span>
      </button>
      <span class={css.entryActions}>
        <IconButton icon="select" label={`Select ${entry.label}`} onClick={onSelect} />
        {entry.value !== undefined && field.value !== undefined && (
          <IconButton icon="filter" label={`Filter to ${entry.label}`} onClick={() => filterTo(field.value!, entry.value!)} />
        )}
      </span>
    </li>
  );
}

function filterTo(name: string, value: Value): void {
  const condition: Condition = { kind: "any", field: name, values: [value], not: false };
  const before = read(filter.peek());
  const others = before?.filter((one) => one.kind !== "any" || one.field !== name || one.not);
  if (others) setFilter(write([...others, condition]));
  else setFilter({ must: [filter.peek()!, write([condition])!] });
}

export function rgb(colour: Rgb): string {
  return `rgb(${colour.join(" ")})`;
}
