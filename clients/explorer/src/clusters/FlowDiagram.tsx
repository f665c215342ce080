import type { Lineage } from "lookalike-client";
import { useMemo, useState } from "preact/hooks";

import { categoricalCss } from "../ui/palette.ts";
import css from "./clusters.module.css";
import { type Band, type Box, layout } from "./flow.ts";
import { percent } from "./words.ts";

const BOX = 12;
const [WIDE, NARROW] = [{ width: 960, label: 172, letters: 20 }, { width: 400, label: 108, letters: 10 }];

/** The clusters of two runs with bands between them as wide as they have images; what is pointed at stands out. */
export function FlowDiagram({ lineage, onOpen }: { lineage: Lineage; onOpen: (run: string, label: number) => void }) {
  const flow = useMemo(() => layout(lineage), [lineage]);
  const [lit, setLit] = useState<{ side: "from" | "to"; label: number }>();
  const { width, label, letters } = matchMedia("(max-width: 700px)").matches ? NARROW : WIDE;
  const [x0, x1] = [label + BOX, width - label - BOX];
  const dim = (band: Band) => lit !== undefined && band[lit.side] !== lit.label;
  const side = (boxes: readonly Box[], which: "from" | "to") =>
    boxes.map((box) => {
      const right = which === "to";
      const run = right ? lineage.later.name : lineage.run.name;
      return (
        <g
          key={box.label}
          class={css.box}
          role="link"
          tabIndex={0}
          aria-label={`${run}: ${box.name}, ${box.size.toLocaleString()} images`}
          onPointerEnter={() => setLit({ side: which, label: box.label })}
          onPointerLeave={() => setLit(undefined)}
          onFocus={() => setLit({ side: which, label: box.label })}
          onBlur={() => setLit(undefined)}
          onClick={() => onOpen(run, box.label)}
          onKeyDown={(event) => event.key === "Enter" && onOpen(run, box.label)}
        >
          <rect class={css.hit} x={right ? x1 : 0} y={box.y} width={label + BOX} height={Math.max(box.height, 14)} />
          <rect x={right ? x1 : label} y={box.y} width={BOX} height={Math.max(box.height, 1)} rx="3" fill={categoricalCss(box.label)} />
          <text
            x={right ? x1 + BOX + 8 : label - 8}
            y={box.y + Math.max(box.height, 14) / 2 + 4}
            text-anchor={right ? "start" : "end"}
          >
            {shortened(box.name, letters)} <tspan class={css.count}>{box.size.toLocaleString()}</tspan>
          </text>
        </g>
      );
    });
  const middle = (x0 + x1) / 2;
  const names = new Map(flow.right.map((box) => [box.label, box.name]));
  return (
    <div class={css.flow}>
      <svg viewBox={`0 -4 ${width} ${flow.height + 8}`} role="group" aria-label={`From ${lineage.run.name} to ${lineage.later.name}`}>
        {flow.bands.map((band) => (
          <path
            key={`${band.from} ${band.to}`}
            class={dim(band) ? css.faint : css.flowBand}
            d={`M${x0} ${band.y0}C${middle} ${band.y0} ${middle} ${band.y1} ${x1} ${band.y1}v${band.height}C${middle} ${band.y1 + band.height} ${middle} ${band.y0 + band.height} ${x0} ${band.y0 + band.height}z`}
            fill={categoricalCss(band.from)}
          >
            <title>
              {`${band.images.toLocaleString()} images, ${percent(band.share)} of it, are in ${names.get(band.to)}`}
            </title>
          </path>
        ))}
        {side(flow.left, "from")}
        {side(flow.right, "to")}
      </svg>
    </div>
  );
}

function shortened(name: string, letters: number): string {
  return name.length > letters ? `${name.slice(0, letters - 1)}…` : name;
}
