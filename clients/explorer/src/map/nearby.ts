// What lies near a place on the map.

import KDBush from "kdbush";

/** The places by where they are; `kdbush` numbers them by row. Rejects with the signal's reason. */
export function nearbyOf(places: Float32Array, signal: AbortSignal): Promise<KDBush> {
  if (places.length === 0) return Promise.resolve(new KDBush(0, 64, Float32Array).finish());
  const worker = new Worker(new URL("./nearby.worker.ts", import.meta.url), { type: "module" });
  return new Promise<KDBush>((resolve, reject) => {
    signal.addEventListener("abort", () => reject(signal.reason as Error));
    worker.onmessage = ({ data }: MessageEvent<ArrayBuffer>) => resolve(KDBush.from(data));
    worker.onerror = (event) => reject(new Error(event.message || "The map's worker did not start."));
    worker.postMessage(places);
  }).finally(() => worker.terminate());
}

/** The row nearest to a place, at most so far away; undefined where there is none. */
export function nearest(nearby: KDBush, places: Float32Array, x: number, y: number, far: number): number | undefined {
  let found: number | undefined;
  let least = Infinity;
  for (const row of nearby.within(x, y, far)) {
    const away = (places[2 * row]! - x) ** 2 + (places[2 * row + 1]! - y) ** 2;
    if (away < least) [found, least] = [row, away];
  }
  return found;
}
