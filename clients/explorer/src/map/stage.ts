// The canvas with the points: the view, what the pointer and the fingers do to it, and when to draw.

import { signal } from "@preact/signals";
import type KDBush from "kdbush";

import { between, FIT, fitted, format, panned, type Size, toMap, toScreen, type View, zoomed } from "./camera.ts";
import { Crowd, THUMB } from "./declutter.ts";
import { inside, type Path, rectangle } from "./lasso.ts";
import { nearbyOf, nearest } from "./nearby.ts";
import { bounds } from "./points.ts";
import { Renderer } from "./renderer.ts";

export type Tool = "move" | "lasso" | "box";

/** What the stage tells of. */
export interface Events {
  /** An image was clicked, or nothing; `more`: with Shift or Control. */
  pick: (row: number | undefined, more: boolean) => void;
  /** Something was drawn around images; `more`: with Shift, to have them beside those that are selected. */
  surround: (rows: number[], more: boolean) => void;
  /** The view has come to rest where somebody moved it. */
  rest: (view: View) => void;
}

const TRANSITION_MS = 700;
const FLIGHT_MS = 320;
const REST_MS = 140;
const CLICK_PX = 5; // further is a drag
const REACH_PX = 14; // of the pointer
const FINGER_PX = 24;
// What the legend, the tools and on phones the choices cover.
const WIDE = { left: 0, right: 240, top: 0, bottom: 40 };
const NARROW = { left: 0, right: 0, top: 112, bottom: 204 };

/** The pixels of a path that is being drawn. */
type Stroke = { points: [number, number][]; box: boolean; more: boolean };

/** Points on a canvas that can be moved, magnified, picked and surrounded. Throws NoWebGL. */
export class Stage {
  readonly view = signal<View>(FIT);
  readonly size = signal<Size>({ width: 1, height: 1 });
  /** Counts up when the view has come to rest. */
  readonly rested = signal(0);
  readonly hovered = signal<number | undefined>(undefined);
  readonly tool = signal<Tool>("move");
  readonly stroke = signal<Stroke | undefined>(undefined);
  /** Changes when the places do, and when what lies near what is known. */
  readonly nearby = signal<KDBush | undefined>(undefined);
  /** Rows that show their thumbnail, which can be clicked. */
  thumbs: readonly number[] = [];

  places: Float32Array = new Float32Array();
  crowd = new Crowd(this.places);
  readonly #canvas: HTMLCanvasElement;
  readonly #renderer: Renderer;
  readonly #events: Events;
  readonly #ended = new AbortController();
  readonly #watch: ResizeObserver;
  readonly #pointers = new Map<number, { x: number; y: number }>();
  #indexing = new AbortController();
  #scheduled = 0;
  #changed = true;
  #placed = false;
  #began = -Infinity; // of the transition
  #flight: { from: View; to: View; began: number } | undefined;
  #resting: ReturnType<typeof setTimeout> | undefined;
  #pointer: { x: number; y: number } | undefined; // of a mouse that no button is pressed on
  #pressed: { x: number; y: number; moved: boolean } | undefined;

  constructor(canvas: HTMLCanvasElement, events: Events) {
    this.#canvas = canvas;
    this.#renderer = new Renderer(canvas);
    this.#events = events;
    this.#watch = new ResizeObserver(([entry]) => this.#resize(entry!.contentRect));
    this.#watch.observe(canvas);
    this.#resize(canvas.getBoundingClientRect());
    const on = <K extends keyof HTMLElementEventMap>(name: K, run: (event: HTMLElementEventMap[K]) => void) =>
      canvas.addEventListener(name, run, { signal: this.#ended.signal, passive: false });
    on("wheel", (event) => this.#wheel(event));
    on("pointerdown", (event) => this.#down(event));
    on("pointermove", (event) => this.#move(event));
    on("pointerup", (event) => this.#up(event));
    on("pointercancel", (event) => this.#cancel(event));
    on("pointerleave", () => {
      this.#pointer = undefined;
      this.#hover();
    });
    on("dblclick", (event) => this.fly(this.#zoomedTo(event.offsetX, event.offsetY, 2.5)));
  }

  /** Show places, coming from where they were; without `from` at once. */
  setPlaces(places: Float32Array, from?: Float32Array): void {
    this.#placed = true;
    this.places = places;
    this.crowd = new Crowd(places);
    this.hovered.value = undefined;
    this.nearby.value = undefined;
    this.#renderer.setPlaces(from ?? places, places);
    this.#began = from && !still() ? performance.now() : -Infinity;
    this.#canvas.dataset["images"] = String(places.length / 2);
    this.redraw();
    this.#indexing.abort(new DOMException("other places", "AbortError"));
    this.#indexing = new AbortController();
    nearbyOf(places, this.#indexing.signal).then(
      (nearby) => {
        this.nearby.value = nearby;
        this.#hover();
      },
      (error: unknown) => {
        if (!(error instanceof DOMException && error.name === "AbortError")) throw error;
      },
    );
  }

  setCodes(codes: Uint16Array): void {
    this.#renderer.setCodes(codes);
    this.redraw();
  }

  setPalette(rgba: Uint8Array): void {
    this.#renderer.setPalette(rgba);
    this.redraw();
  }

  setStates(states: Uint8Array): void {
    this.#renderer.setStates(states);
    this.redraw();
  }

  setChosen(rows: readonly number[]): void {
    this.#renderer.setChosen(rows);
    this.redraw();
  }

  /** Look from elsewhere at once. */
  jump(view: View): void {
    this.#flight = undefined;
    this.#look(view);
  }

  /** Go there in a moment; at once where no motion is wanted. */
  fly(to: View): void {
    if (still()) return this.jump(to);
    this.#flight = { from: this.view.peek(), to, began: performance.now() };
    this.#schedule();
  }

  /** From where all of it is in sight, beside the legend and the tools. */
  get whole(): View {
    const size = this.size.peek();
    return fitted(bounds(this.places), size, size.width > 640 ? WIDE : NARROW);
  }

  /** Look at all of it. */
  fit(): void {
    this.fly(this.whole);
  }

  pan(dx: number, dy: number): void {
    this.fly(panned(this.#goal, this.size.peek(), dx, dy));
  }

  zoom(factor: number): void {
    const { width, height } = this.size.peek();
    this.fly(this.#zoomedTo(width / 2, height / 2, factor));
  }

  /** The image nearest to a pixel; a thumbnail counts as its image. */
  at(px: number, py: number, reach: number): number | undefined {
    const [view, size] = [this.view.peek(), this.size.peek()];
    const onThumb = this.thumbs.findLast((row) => {
      const [x, y] = this.#pixel(row);
      return Math.abs(x - px) <= THUMB / 2 && Math.abs(y - py) <= THUMB / 2;
    });
    if (onThumb !== undefined) return onThumb;
    const nearby = this.nearby.peek();
    if (!nearby) return undefined;
    const [x, y] = toMap(view, size, px, py);
    const [edge] = toMap(view, size, px + reach, py);
    return nearest(nearby, this.places, x, y, edge - x);
  }

  redraw(): void {
    this.#changed = true;
    this.#schedule();
  }

  dispose(): void {
    this.#ended.abort();
    this.#indexing.abort(new DOMException("the map was left", "AbortError"));
    this.#watch.disconnect();
    cancelAnimationFrame(this.#scheduled);
    clearTimeout(this.#resting);
    this.#renderer.dispose();
  }

  get #goal(): View {
    return this.#flight?.to ?? this.view.peek();
  }

  #zoomedTo(px: number, py: number, factor: number): View {
    return zoomed(this.#goal, this.size.peek(), factor, px, py);
  }

  #pixel(row: number): [number, number] {
    return toScreen(this.view.peek(), this.size.peek(), this.places[2 * row]!, this.places[2 * row + 1]!);
  }

  #look(view: View): void {
    this.view.value = view;
    clearTimeout(this.#resting);
    this.#resting = setTimeout(() => {
      this.rested.value++;
      this.#hover(); // another image is under the pointer now
      this.#events.rest(this.view.peek());
    }, REST_MS);
    this.redraw();
  }

  #resize({ width, height }: { width: number; height: number }): void {
    if (width === 0 || height === 0) return;
    const whole = format(this.#goal) === format(this.whole);
    this.size.value = { width, height };
    this.rested.value++;
    if (whole) this.fly(this.whole); // what was all in sight stays so when a panel opens
    this.redraw();
  }

  /** Know which image the pointer is on. */
  #hover(): void {
    const { x, y } = this.#pointer ?? { x: 0, y: 0 };
    this.hovered.value = this.#pointer && this.#pointers.size === 0 ? this.at(x, y, REACH_PX) : undefined;
  }

  #schedule(): void {
    if (this.#scheduled === 0) this.#scheduled = requestAnimationFrame((now) => this.#frame(now));
  }

  #frame(now: number): void {
    this.#scheduled = 0;
    const part = Math.min(1, Math.max(0, (now - this.#began) / TRANSITION_MS));
    if (this.#flight) this.#fly(this.#flight, now);
    const size = this.size.peek();
    const look = { view: this.view.peek(), size, density: devicePixelRatio, part: ease(part), ...this.#point(size) };
    const changed = this.#changed;
    this.#changed = part < 1;
    const done = this.#renderer.draw(look, changed, now);
    const all = done && part === 1 && !this.#flight && this.#placed;
    this.#canvas.dataset["drawn"] = all ? "all" : "some";
    if (!done || part < 1 || this.#flight) this.#schedule();
  }

  #fly({ from, to, began }: { from: View; to: View; began: number }, now: number): void {
    const part = Math.min(1, Math.max(0, (now - began) / FLIGHT_MS));
    if (part === 1) this.#flight = undefined;
    this.#look(part === 1 ? to : between(from, to, ease(part)));
  }

  /** Points are larger where there are few of them in sight, and thinner where there are many. */
  #point({ width, height }: Size): { point: number; alpha: number } {
    const count = Math.max(1, this.places.length / 2);
    const room = Math.sqrt((width * height) / count);
    const point = Math.min(9, Math.max(2.2, 0.3 * room * this.view.peek().zoom ** 0.35));
    return { point, alpha: count > 200_000 ? 0.6 : count > 20_000 ? 0.75 : 0.9 };
  }

  #wheel(event: WheelEvent): void {
    event.preventDefault();
    const lines = event.deltaMode === WheelEvent.DOM_DELTA_LINE ? 20 : 1;
    const speed = event.ctrlKey ? 0.012 : 0.0022; // a pinch on a touchpad comes as Control and small steps
    const factor = Math.exp(-Math.max(-200, Math.min(200, event.deltaY * lines)) * speed);
    this.jump(this.#zoomedTo(event.offsetX, event.offsetY, factor));
  }

  #down(event: PointerEvent): void {
    if (event.button !== 0) return;
    const at = { x: event.offsetX, y: event.offsetY };
    this.#canvas.setPointerCapture(event.pointerId);
    this.#pointers.set(event.pointerId, at);
    this.#flight = undefined;
    if (this.#pointers.size > 1) {
      this.stroke.value = undefined; // two fingers magnify, whatever the tool
      this.#pressed = undefined;
      return;
    }
    this.#pressed = { ...at, moved: false };
    const tool = this.tool.peek();
    if (tool === "move" && !event.shiftKey) return;
    this.stroke.value = { points: [[at.x, at.y]], box: tool === "box", more: event.shiftKey };
  }

  #move(event: PointerEvent): void {
    const [x, y] = [event.offsetX, event.offsetY];
    const before = this.#pointers.get(event.pointerId);
    if (!before) {
      this.#pointer = event.pointerType === "touch" ? undefined : { x, y };
      this.#hover();
      return;
    }
    if (this.#pointers.size === 2) this.#pinch(event.pointerId, before, { x, y });
    else if (this.#pressed) this.#drag(this.#pressed, before, { x, y });
    this.#pointers.set(event.pointerId, { x, y });
  }

  #drag(pressed: { x: number; y: number; moved: boolean }, before: { x: number; y: number }, { x, y }: { x: number; y: number }): void {
    if (!pressed.moved && Math.hypot(x - pressed.x, y - pressed.y) < CLICK_PX) return;
    this.hovered.value = undefined;
    const stroke = this.stroke.peek();
    if (stroke) this.stroke.value = { ...stroke, points: [...stroke.points, [x, y]] };
    else {
      const from = pressed.moved ? before : pressed;
      this.jump(panned(this.view.peek(), this.size.peek(), x - from.x, y - from.y));
    }
    pressed.moved = true;
  }

  #pinch(id: number, before: { x: number; y: number }, now: { x: number; y: number }): void {
    const other = [...this.#pointers].find(([one]) => one !== id)![1];
    const apart = (one: { x: number; y: number }) => Math.max(1, Math.hypot(one.x - other.x, one.y - other.y));
    const size = this.size.peek();
    const middle = (one: { x: number; y: number }) => [(one.x + other.x) / 2, (one.y + other.y) / 2] as const;
    const [fromX, fromY] = middle(before);
    const [toX, toY] = middle(now);
    this.jump(panned(zoomed(this.view.peek(), size, apart(now) / apart(before), fromX, fromY), size, toX - fromX, toY - fromY));
  }

  #up(event: PointerEvent): void {
    this.#pointers.delete(event.pointerId);
    const pressed = this.#pressed;
    const stroke = this.stroke.peek();
    this.#pressed = undefined;
    this.stroke.value = undefined;
    if (!pressed) return;
    if (!pressed.moved) {
      const row = this.at(event.offsetX, event.offsetY, event.pointerType === "touch" ? FINGER_PX : REACH_PX);
      this.#events.pick(row, event.shiftKey || event.ctrlKey || event.metaKey);
    } else if (stroke) this.#events.surround(this.#surrounded(stroke), stroke.more);
  }

  #cancel(event: PointerEvent): void {
    this.#pointers.delete(event.pointerId);
    this.#pressed = undefined;
    this.stroke.value = undefined;
  }

  #surrounded({ points, box }: Stroke): number[] {
    const nearby = this.nearby.peek();
    if (!nearby) return [];
    const path: Path = points.map(([x, y]) => toMap(this.view.peek(), this.size.peek(), x, y));
    return inside(box ? rectangle(path[0]!, path.at(-1)!) : path, this.places, nearby);
  }
}

function ease(part: number): number {
  return part < 0.5 ? 4 * part ** 3 : 1 - (-2 * part + 2) ** 3 / 2;
}

/** Whether no motion is wanted. */
function still(): boolean {
  return matchMedia("(prefers-reduced-motion: reduce)").matches;
}
