import type { Region } from "lookalike-client";
import type { ComponentChildren } from "preact";
import { useRef, useState } from "preact/hooks";

import { dragged, type Grip, type Point, settled, type Size } from "./crop.ts";
import css from "./cropper.module.css";

const GRIPS = ["nw", "n", "ne", "e", "se", "s", "sw", "w"] as const;
const KEY_STEPS = 50; // that an arrow key takes to cross the picture

/** A picture on which a part can be chosen: drag to draw it, its edges to change it, its inside to move it. */
export function Cropper({
  size,
  least,
  region,
  onChange,
  children,
}: {
  /** Of the original; the part is in its pixels. */
  size: Size;
  /** The smallest side of a part. */
  least: number;
  region: Region | undefined;
  onChange: (region: Region | undefined) => void;
  /** The picture, which fills its parent. */
  children: ComponentChildren;
}) {
  const box = useRef<HTMLDivElement>(null);
  const drag = useRef<{ grip: Grip; from: Point; start: Region } | undefined>(undefined);
  const [draft, setDraft] = useState<Region>();
  const shown = draft ?? region;

  const at = (event: PointerEvent): Point => {
    const { left, top, width, height } = box.current!.getBoundingClientRect();
    return { x: ((event.clientX - left) / width) * size.width, y: ((event.clientY - top) / height) * size.height };
  };
  const begin = (event: PointerEvent) => {
    if (event.button !== 0) return;
    const grip = ((event.target as HTMLElement).dataset["grip"] ?? "new") as Grip;
    const from = at(event);
    drag.current = { grip, from, start: shown ?? { left: from.x, top: from.y, width: 0, height: 0 } };
    box.current!.setPointerCapture(event.pointerId);
  };
  const move = (event: PointerEvent) => {
    const { grip, start, from } = drag.current ?? {};
    if (grip && start && from) setDraft(dragged(grip, start, from, at(event), size));
  };
  const end = () => {
    const began = drag.current;
    drag.current = undefined;
    setDraft(undefined);
    if (!began || !draft) return;
    const next = settled(draft, size, least);
    if (next) onChange(next);
  };
  const byKey = (event: KeyboardEvent) => {
    if (event.key === "Escape" || event.key === "Delete") onChange(undefined);
    const [x, y] = ARROWS[event.key] ?? [];
    if (x !== undefined && y !== undefined && shown) {
      const to = { x: (x * size.width) / KEY_STEPS, y: (y * size.height) / KEY_STEPS };
      const next = settled(dragged(event.shiftKey ? "se" : "move", shown, { x: 0, y: 0 }, to, size), size, least);
      if (next) onChange(next);
    } else if (event.key !== "Escape" && event.key !== "Delete") return;
    event.preventDefault();
  };

  return (
    <div
      ref={box}
      class={css.cropper}
      style={{
        aspectRatio: `${size.width} / ${size.height}`,
        width: `min(100%, calc(var(--most-high) * ${size.width / size.height}))`,
      }}
      onPointerDown={begin}
      onPointerMove={move}
      onPointerUp={end}
      onPointerCancel={end}
    >
      {children}
      {shown && shown.width > 0 && (
        <div
          class={css.part}
          data-grip="move"
          role="group"
          tabIndex={0}
          aria-label={`The part that is searched by, ${Math.round(shown.width)} by ${Math.round(shown.height)} pixels. Arrow keys move it, with Shift they resize it, Delete takes it away.`}
          style={{
            left: `${(100 * shown.left) / size.width}%`,
            top: `${(100 * shown.top) / size.height}%`,
            width: `${(100 * shown.width) / size.width}%`,
            height: `${(100 * shown.height) / size.height}%`,
          }}
          onKeyDown={byKey}
        >
          {GRIPS.map((grip) => (
            <i key={grip} data-grip={grip} class={`${css.grip} ${css[grip]}`} />
          ))}
        </div>
      )}
    </div>
  );
}

const ARROWS: Record<string, readonly [number, number]> = {
  ArrowLeft: [-1, 0],
  ArrowRight: [1, 0],
  ArrowUp: [0, -1],
  ArrowDown: [0, 1],
};
