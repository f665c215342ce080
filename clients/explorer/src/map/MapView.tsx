import { useEffect, useMemo, useRef, useState } from "preact/hooks";

import { filter } from "../filter/state.ts";
import { openImage } from "../picture/PicturePanel.tsx";
import { useResource } from "../state/resource.ts";
import { clusterings } from "../state/service.ts";
import { go, route } from "../state/route.ts";
import { selection, toggle } from "../state/selection.ts";
import { Problem } from "../ui/feedback.tsx";
import { format, parse } from "./camera.ts";
import { Canvas } from "./Canvas.tsx";
import { Chooser } from "./Chooser.tsx";
import { selectedRows, selectRows } from "./chosen.ts";
import { type Colouring, type Entry } from "./colours.ts";
import { HoverCard } from "./HoverCard.tsx";
import { Legend, rgb } from "./Legend.tsx";
import { useLooked } from "./looked.ts";
import css from "./map.module.css";
import { Overlay } from "./Overlay.tsx";
import type { Axes, Points } from "./points.ts";
import { colouring as coloured, loadMatching, type Shown } from "./shown.ts";
import type { Events, Stage } from "./stage.ts";
import { axes, colours, only, pointed, thumbnails } from "./state.ts";
import { Thumbs } from "./Thumbs.tsx";
import { Tools } from "./Tools.tsx";
import { Tray } from "./Tray.tsx";
import { summary } from "./words.ts";

const IDS_AT_ONCE = 10_000;
const DIM = 0.08; // alpha of groups that are not lit up

/** The map with its tools, legend and what is selected. */
export function MapView({ shown, busy, onNew }: { shown: Shown; busy: boolean; onNew: () => void }) {
  const [stage, setStage] = useState<Stage>();
  const { points, projection } = shown;
  const names = clusterings.value; // clusters may be renamed
  const colouring = useMemo(() => coloured(shown), [shown, names]);
  const title = colours.value.find(([value]) => value === shown.colour)?.[1] ?? shown.colour;
  const matching = useResource(loadMatching, []);
  const states = useMemo(() => statesOf(points, filter.value ? matching.value : undefined), [points, matching.value, filter.value]);
  const lit = colouring.entries.find((one) => one.label === only.value)?.code;
  const allowed = useMemo(
    () => (row: number) => states[row] === 0 && (lit === undefined || colouring.codes[row] === lit),
    [states, lit, colouring],
  );
  const looked = useLooked(stage, points);

  usePlaces(stage, shown);
  useEffect(() => learnAll(points), [points]);
  useEffect(() => stage?.setCodes(colouring.codes), [stage, colouring]);
  useEffect(() => stage?.setStates(states), [stage, states]);
  useEffect(() => stage?.setPalette(palette(colouring, pointed.value ?? lit)), [stage, colouring, pointed.value, lit]);
  useEffect(() => stage?.setChosen(selectedRows(points, selection.value)), [stage, points, selection.value]);

  const image = route.value.params["image"];
  const open = useMemo(() => (image === undefined ? undefined : points.row(image)), [image, points]);
  const openMiddle = () => {
    const { width, height } = stage!.size.peek();
    const row = stage!.at(width / 2, height / 2, Math.max(width, height) / 2);
    if (row !== undefined) openImage(points.id(row));
  };
  const group = (row: number) => {
    const entry = colouring.entries.find((one) => one.code === colouring.codes[row]);
    return entry && { label: entry.label, colour: rgb(colouring.colours[entry.code]!) };
  };
  const ready = stage?.nearby.value && stage.places.length === 2 * points.count ? stage : undefined;
  return (
    <div class={css.room} data-tool={stage?.tool.value ?? "move"} aria-busy={busy}>
      <Canvas
        projection={projection.name}
        label={summary(projection, points.count, colouring, title)}
        events={eventsOf(points, allowed, () => stage)}
        onStage={setStage}
      />
      <p id="map-keys" class="hidden">
        Arrows move the map, plus and minus zoom, O opens the image in the middle. The legend lists the groups.
      </p>
      {ready && thumbnails.value && (
        <Thumbs stage={ready} points={points} allowed={allowed} colourOf={(row) => rgb(colouring.colours[colouring.codes[row]!]!)} />
      )}
      {ready && <Overlay stage={ready} neighbours={looked.neighbours} open={open} />}
      <div class={css.top}>
        <Chooser onNew={onNew} count={points.count} matching={filter.value ? matching.value?.count : undefined} />
        {matching.error !== undefined && filter.value && <Problem error={matching.error} onRetry={() => matching.reload()} />}
      </div>
      <Legend colouring={colouring} title={title} onSelect={(entry) => selectRows(points, rowsOf(entry, colouring, states), false)} />
      {stage && <Tools stage={stage} onMake={onNew} onOpenMiddle={openMiddle} />}
      {ready && <HoverCard stage={ready} points={points} group={group} record={looked.record} near={looked.neighbours.length} />}
      <Tray />
    </div>
  );
}

function eventsOf(points: Points, allowed: (row: number) => boolean, stage: () => Stage | undefined): Events {
  return {
    pick: (row, more) => {
      if (row === undefined) return;
      if (more) toggle(points.id(row));
      else openImage(points.id(row));
    },
    surround: (rows, more) => {
      selectRows(points, rows.filter(allowed), more);
      stage()!.tool.value = "move";
    },
    rest: (view) => {
      const at = format(view) === format(stage()!.whole) ? undefined : format(view);
      if (at !== route.peek().params["at"]) go({ at }, { replace: true });
    },
  };
}

/** What was shown last, and where. */
interface Placed {
  stage: Stage;
  points: Points;
  places: Float32Array;
  map: string;
  axes: Axes;
}

/** Put the images of what is shown in their places: from those of the map before, if there was one. */
function usePlaces(stage: Stage | undefined, { points, projection }: Shown): void {
  const before = useRef<Placed | undefined>(undefined);
  const shownAxes = axes.value;
  useEffect(() => {
    if (!stage) return;
    const map = `${projection.name} ${projection.created_at}`;
    const places = points.places(shownAxes);
    const old = before.current?.stage === stage ? before.current : undefined;
    before.current = { stage, points, places, map, axes: shownAxes };
    const elsewhere = old && (old.map !== map || old.axes !== shownAxes);
    stage.setPlaces(places, elsewhere ? from(old, points, places) : undefined);
    const asked = parse(route.peek().params["at"]);
    if (!old) stage.jump(asked ?? stage.whole);
    else if (elsewhere) stage.fly(asked ?? stage.whole);
  }, [stage, points, shownAxes]);
  const at = route.value.params["at"];
  useEffect(() => {
    // Back and Forward change the address alone.
    const asked = parse(at);
    if (stage && asked && at !== format(stage.view.peek())) stage.fly(asked);
  }, [stage, at]);
}

/** Where the images come from: their old places, or for those that had none the new ones. */
function from(old: { points: Points; places: Float32Array }, points: Points, places: Float32Array): Float32Array {
  const begun = places.slice();
  const rows = points.rowsIn(old.points);
  rows.forEach((its, row) => {
    if (its >= 0) begun.set(old.places.subarray(2 * its, 2 * its + 2), 2 * row);
  });
  return begun;
}

/** Get to know all ids, a little at a time beside what else goes on; answers how to stop. */
function learnAll(points: Points): () => void {
  let timer: ReturnType<typeof setTimeout>;
  const some = () => {
    if (!points.learn(IDS_AT_ONCE)) timer = setTimeout(some, 30);
  };
  timer = setTimeout(some, 500);
  return () => clearTimeout(timer);
}

/** 1 for images that the filter does not match. */
function statesOf(points: Points, matching: Points | undefined): Uint8Array {
  const states = new Uint8Array(points.count);
  if (!matching) return states;
  states.fill(1);
  for (const row of matching.rowsIn(points)) if (row >= 0) states[row] = 0;
  return states;
}

function palette({ colours }: Colouring, lit: number | undefined): Uint8Array {
  const rgba = new Uint8Array(4 * colours.length);
  colours.forEach((colour, code) => rgba.set([...colour, 255 * (lit === undefined || lit === code ? 1 : DIM)], 4 * code));
  return rgba;
}

function rowsOf({ code }: Entry, { codes }: Colouring, states: Uint8Array): number[] {
  const rows: number[] = [];
  codes.forEach((one, row) => {
    if (one === code && states[row] === 0) rows.push(row);
  });
  return rows;
}
