// The shared selection as rows of the map.

import { select, selection } from "../state/selection.ts";
import type { Points } from "./points.ts";

let last: { ids: ReadonlySet<string>; points: Points; rows: readonly number[] } | undefined;

/** Select rows; with `more` beside those that are selected. */
export function selectRows(points: Points, rows: readonly number[], more: boolean): void {
  const ids = rows.map((row) => points.id(row));
  select(more ? [...selection.peek(), ...ids] : ids);
  if (!more) last = { ids: selection.peek(), points, rows };
}

/** The rows of the selected images; those that were surrounded here are not looked up by their ids. */
export function selectedRows(points: Points, ids: ReadonlySet<string>): readonly number[] {
  if (ids.size === 0) return [];
  if (last?.ids === ids && last.points === points) return last.rows;
  return [...ids].map((id) => points.row(id)).filter((row) => row !== undefined);
}
