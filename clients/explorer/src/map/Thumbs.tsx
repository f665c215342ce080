import { useEffect, useState } from "preact/hooks";

import { route } from "../state/route.ts";
import { selection } from "../state/selection.ts";
import { Thumb } from "../ui/Thumb.tsx";
import { declutter } from "./declutter.ts";
import css from "./map.module.css";
import { usePinned } from "./Overlay.tsx";
import type { Points } from "./points.ts";
import type { Stage } from "./stage.ts";

/** The images that show themselves, where there are few enough of them in sight. */
export function Thumbs({
  stage,
  points,
  allowed,
  colourOf,
}: {
  stage: Stage;
  points: Points;
  /** Whether an image is lit up; those that are not stay points. */
  allowed: (row: number) => boolean;
  colourOf: (row: number) => string;
}) {
  const [rows, setRows] = useState<readonly number[]>([]);
  const nearby = stage.nearby.value;
  const rested = stage.rested.value;
  useEffect(() => {
    const shown = nearby
      ? declutter(stage.view.peek(), stage.size.peek(), stage.places, nearby, stage.crowd, allowed)
      : [];
    stage.thumbs = shown;
    setRows(shown);
  }, [stage, nearby, rested, allowed]);
  useEffect(() => () => void (stage.thumbs = []), [stage]);
  return (
    <div class={css.thumbs} aria-hidden="true">
      {rows
        .filter((row) => row < points.count)
        .map((row) => (
          <One key={`${row} ${points.id(row)}`} stage={stage} row={row} id={points.id(row)} colour={colourOf(row)} />
        ))}
    </div>
  );
}

function One({ stage, row, id, colour }: { stage: Stage; row: number; id: string; colour: string }) {
  const box = usePinned(stage, row);
  return (
    <div ref={box} class={css.pin}>
      <div class={`${css.thumb} ${selection.value.has(id) ? css.chosen : ""}`} style={{ borderColor: colour }}>
        <Thumb collection={route.value.collection!} id={id} />
      </div>
    </div>
  );
}
