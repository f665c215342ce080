import { useSignalEffect } from "@preact/signals";
import { useRef } from "preact/hooks";

import { toScreen } from "./camera.ts";
import css from "./map.module.css";
import type { Stage } from "./stage.ts";

/** What is drawn above the points: rings around the image pointed at, lines to its neighbours, the lasso. */
export function Overlay({ stage, neighbours, open }: { stage: Stage; neighbours: readonly number[]; open: number | undefined }) {
  const view = stage.view.value;
  const size = stage.size.value;
  const hovered = stage.hovered.value;
  const stroke = stage.stroke.value;
  const place = (row: number) => toScreen(view, size, stage.places[2 * row]!, stage.places[2 * row + 1]!);
  const ring = (row: number, kind: string | undefined, radius: number) => {
    const [x, y] = place(row);
    return <circle key={`${kind} ${row}`} cx={x} cy={y} r={radius} class={kind} />;
  };
  const [fromX, fromY] = hovered === undefined ? [0, 0] : place(hovered);
  const first = stroke?.points[0];
  const last = stroke?.points.at(-1);
  return (
    <svg class={css.overlay} width={size.width} height={size.height} aria-hidden="true">
      {hovered !== undefined &&
        neighbours.map((row) => {
          const [x, y] = place(row);
          return <line key={row} x1={fromX} y1={fromY} x2={x} y2={y} class={css.tie} />;
        })}
      {hovered !== undefined && neighbours.map((row) => ring(row, css.neighbour, 7))}
      {open !== undefined && ring(open, css.openRing, 10)}
      {hovered !== undefined && ring(hovered, css.ring, 8)}
      {stroke && first && last && stroke.box && (
        <rect
          class={css.stroke}
          x={Math.min(first[0], last[0])}
          y={Math.min(first[1], last[1])}
          width={Math.abs(first[0] - last[0])}
          height={Math.abs(first[1] - last[1])}
        />
      )}
      {stroke && !stroke.box && <polygon class={css.stroke} points={stroke.points.map((point) => point.join(",")).join(" ")} />}
    </svg>
  );
}

/** Something that stays at an image's place while the map moves; its style is set without drawing the page anew. */
export function usePinned(stage: Stage, row: number) {
  const box = useRef<HTMLDivElement>(null);
  useSignalEffect(() => {
    const [x, y] = toScreen(stage.view.value, stage.size.value, stage.places[2 * row]!, stage.places[2 * row + 1]!);
    if (box.current) box.current.style.transform = `translate(${x}px, ${y}px)`;
  });
  return box;
}
