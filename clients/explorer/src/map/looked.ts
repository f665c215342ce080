// What is asked of the service about the image that the pointer rests on.

import type { IndexedImage } from "lookalike-client";
import { useEffect, useState } from "preact/hooks";

import { collection } from "../state/service.ts";
import type { Points } from "./points.ts";
import type { Stage } from "./stage.ts";

const RECORD_MS = 120;
const NEIGHBOURS_MS = 300;
const NEIGHBOURS = 8;

/** What is known of an image beside its place. */
export interface Looked {
  record?: IndexedImage | undefined;
  /** The rows of the images most like it. */
  neighbours: readonly number[];
}

const NOTHING: Looked = { neighbours: [] };

/** The record and the nearest images of the one pointed at, once the pointer rests on it. */
export function useLooked(stage: Stage | undefined, points: Points | undefined): Looked {
  const row = stage?.hovered.value;
  const [looked, setLooked] = useState(NOTHING);
  useEffect(() => {
    setLooked(NOTHING);
    const images = collection.peek();
    if (row === undefined || !points || !images || row >= points.count) return undefined;
    const id = points.id(row);
    const ended = new AbortController();
    const { signal } = ended;
    // What is shown beside a pointer that moves on is no reason to complain: opening the image says what is wrong.
    const tell = (part: Partial<Looked>) => signal.aborted || setLooked((before) => ({ ...before, ...part }));
    const timers = [
      setTimeout(() => void images.image(id, { signal }).then((record) => tell({ record }), ignore), RECORD_MS),
      setTimeout(() => {
        const search = images.search({ id, limit: NEIGHBOURS }, { signal });
        void search.then(({ hits }) => tell({ neighbours: rowsOf(points, hits.map((hit) => hit.id)) }), ignore);
      }, NEIGHBOURS_MS),
    ];
    return () => {
      timers.forEach(clearTimeout);
      ended.abort(new DOMException("the pointer moved on", "AbortError"));
    };
  }, [row, points]);
  return looked;
}

function rowsOf(points: Points, ids: readonly string[]): number[] {
  return ids.map((id) => points.row(id)).filter((row) => row !== undefined);
}

function ignore(): void {}
