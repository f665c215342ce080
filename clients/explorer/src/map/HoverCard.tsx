import type { IndexedImage } from "lookalike-client";

import { toScreen } from "./camera.ts";
import { route } from "../state/route.ts";
import { Chip } from "../ui/controls.tsx";
import { Thumb } from "../ui/Thumb.tsx";
import css from "./map.module.css";
import type { Points } from "./points.ts";
import type { Stage } from "./stage.ts";
import { number } from "./words.ts";

const WIDTH = 232;
const HEIGHT = 316;
const AWAY = 18;

/** What is known of the image pointed at, beside it. */
export function HoverCard({
  stage,
  points,
  group,
  record,
  near,
}: {
  stage: Stage;
  points: Points;
  /** Of an image, what the legend calls its colour. */
  group: (row: number) => { label: string; colour: string } | undefined;
  record: IndexedImage | undefined;
  /** How many of its nearest images are ringed. */
  near: number;
}) {
  const row = stage.hovered.value;
  if (row === undefined || row >= points.count || stage.stroke.value) return null;
  const { width, height } = stage.size.value;
  const [x, y] = toScreen(stage.view.value, stage.size.value, stage.places[2 * row]!, stage.places[2 * row + 1]!);
  const left = x + AWAY + WIDTH > width ? x - AWAY - WIDTH : x + AWAY;
  const top = Math.max(8, Math.min(height - HEIGHT - 8, y - 60));
  const id = points.id(row);
  const distortion = points.distortion[row]!;
  const its = group(row);
  return (
    <div class={css.card} style={{ transform: `translate(${Math.max(8, left)}px, ${top}px)` }} aria-hidden="true">
      <div class={css.cardPicture}>
        <Thumb key={id} collection={route.value.collection!} id={id} fit="contain" />
      </div>
      <strong class={css.cardTitle}>{id}</strong>
      {its && (
        <div>
          <Chip color={its.colour}>{its.label}</Chip>
        </div>
      )}
      <dl class={css.facts}>
        {Object.entries(record?.metadata ?? {})
          .slice(0, 3)
          .map(([name, value]) => (
            <div key={name}>
              <dt>{name}</dt>
              <dd>{typeof value === "string" ? value : JSON.stringify(value)}</dd>
            </div>
          ))}
        {!Number.isNaN(distortion) && (
          <div>
            <dt>distortion</dt>
            <dd class="numbers">{number(Math.round(distortion * 100))} %</dd>
          </div>
        )}
        {points.later[row] === 1 && (
          <div>
            <dt>added</dt>
            <dd>after the map was made</dd>
          </div>
        )}
      </dl>
      {near > 0 && <p class={css.cardNote}>Rings: the {near} images most like it.</p>}
    </div>
  );
}
