// Where one looks at the map. The map lies in a square from -1 to 1, y upwards; the window is in CSS pixels.

/** The middle of the window in map coordinates, and how much is magnified: at 1 the square fits. */
export interface View {
  x: number;
  y: number;
  zoom: number;
}

export interface Size {
  width: number;
  height: number;
}

/** All of the square. */
export const FIT: View = { x: 0, y: 0, zoom: 1 };

/** What is to be in sight. */
export interface Box {
  minX: number;
  minY: number;
  maxX: number;
  maxY: number;
}

/** Pixels at the edges of the window that are covered. */
export interface Inset {
  left: number;
  right: number;
  top: number;
  bottom: number;
}

const NONE: Inset = { left: 0, right: 0, top: 0, bottom: 0 };
const MARGIN = 0.88; // of the window that the map takes when it fits
const ZOOMS = [0.4, 4_000] as const; // beyond that float32 coordinates jitter

/** CSS pixels for one unit of the map. */
export function scale({ zoom }: View, { width, height }: Size): number {
  return (zoom * MARGIN * Math.min(width, height)) / 2;
}

export function toScreen(view: View, size: Size, x: number, y: number): [number, number] {
  const s = scale(view, size);
  return [size.width / 2 + (x - view.x) * s, size.height / 2 - (y - view.y) * s];
}

export function toMap(view: View, size: Size, px: number, py: number): [number, number] {
  const s = scale(view, size);
  return [view.x + (px - size.width / 2) / s, view.y - (py - size.height / 2) / s];
}

/** The part of the map that is in the window, and as many pixels around it. */
export function inSight(view: View, size: Size, around = 0): Box {
  const [minX, maxY] = toMap(view, size, -around, -around);
  const [maxX, minY] = toMap(view, size, size.width + around, size.height + around);
  return { minX, minY, maxX, maxY };
}

/** Magnified by a factor, with what is under this pixel staying there. */
export function zoomed(view: View, size: Size, factor: number, px: number, py: number): View {
  const zoom = clamp(view.zoom * factor, ...ZOOMS);
  const [x, y] = toMap(view, size, px, py);
  const kept = view.zoom / zoom;
  return bounded({ zoom, x: x + (view.x - x) * kept, y: y + (view.y - y) * kept });
}

/** Moved with the pointer by so many pixels. */
export function panned(view: View, size: Size, dx: number, dy: number): View {
  const s = scale(view, size);
  return bounded({ ...view, x: view.x - dx / s, y: view.y + dy / s });
}

/** From where a box fills the part of the window that is not covered. */
export function fitted({ minX, minY, maxX, maxY }: Box, size: Size, covered: Inset = NONE): View {
  const unit = scale({ x: 0, y: 0, zoom: 1 }, size);
  const width = Math.max(40, size.width - covered.left - covered.right);
  const height = Math.max(40, size.height - covered.top - covered.bottom);
  const across = (MARGIN * width) / Math.max(maxX - minX, 1e-6);
  const down = (MARGIN * height) / Math.max(maxY - minY, 1e-6);
  const zoom = clamp(Math.min(across, down) / unit, ...ZOOMS);
  const s = unit * zoom;
  return bounded({
    x: (minX + maxX) / 2 + (covered.right - covered.left) / 2 / s,
    y: (minY + maxY) / 2 + (covered.top - covered.bottom) / 2 / s,
    zoom,
  });
}

/** Between two views: the share of the way from one to the other, in even steps of magnification. */
export function between(from: View, to: View, part: number): View {
  const zoom = from.zoom * (to.zoom / from.zoom) ** part;
  // What is looked at moves evenly on the screen, not on the map.
  const moved = Math.abs(to.zoom - from.zoom) < 1e-9 ? part : (1 / from.zoom - 1 / zoom) / (1 / from.zoom - 1 / to.zoom);
  return { x: from.x + (to.x - from.x) * moved, y: from.y + (to.y - from.y) * moved, zoom };
}

/** As it stands in the address. */
export function format({ x, y, zoom }: View): string {
  return [x.toFixed(4), y.toFixed(4), zoom.toPrecision(4)].map(Number).join(",");
}

/** A view out of an address; undefined where there is none. */
export function parse(text: string | undefined): View | undefined {
  const numbers = text?.split(",").map(Number);
  if (numbers?.length !== 3 || !numbers.every(Number.isFinite)) return undefined;
  const [x, y, zoom] = numbers as [number, number, number];
  return zoom > 0 ? bounded({ x, y, zoom: clamp(zoom, ...ZOOMS) }) : undefined;
}

function bounded({ x, y, zoom }: View): View {
  return { x: clamp(x, -2, 2), y: clamp(y, -2, 2), zoom };
}

function clamp(value: number, least: number, most: number): number {
  return Math.min(most, Math.max(least, value));
}
