import { signal } from "@preact/signals";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";

import { BlobCache } from "../src/api/blob-cache.ts";
import { Resource } from "../src/state/resource.ts";

const blob = () => Promise.resolve(new Blob(["x"]));
const turn = () => new Promise((resolve) => setTimeout(resolve));

describe("pictures", () => {
  let alive: Set<string>;

  beforeEach(() => {
    alive = new Set();
    let made = 0;
    vi.spyOn(URL, "createObjectURL").mockImplementation(() => {
      const url = `blob:${made++}`;
      alive.add(url);
      return url;
    });
    vi.spyOn(URL, "revokeObjectURL").mockImplementation((url) => void alive.delete(url));
  });
  afterEach(() => vi.restoreAllMocks());

  test("are fetched once, however often they are asked for", async () => {
    const cache = new BlobCache(10, 2);
    const load = vi.fn(blob);
    const urls = await Promise.all([cache.acquire("a", load), cache.acquire("a", load)]);
    expect(new Set(urls).size).toBe(1);
    expect(load).toHaveBeenCalledTimes(1);
  });

  test("no more are fetched at a time than is allowed, and all of them in the end", async () => {
    const cache = new BlobCache(100, 3);
    let [now, most] = [0, 0];
    const load = async () => {
      most = Math.max(most, ++now);
      await turn();
      now--;
      return new Blob();
    };
    const all = await Promise.all(Array.from({ length: 20 }, (_, i) => cache.get(String(i), load)));
    expect([all.length, most]).toEqual([20, 3]);
  });

  test("that are shown keep their address while others come and go", async () => {
    const cache = new BlobCache(3, 2);
    const shown = await cache.acquire("shown", blob);
    for (let i = 0; i < 20; i++) {
      await cache.acquire(String(i), blob);
      cache.release(String(i));
    }
    expect(alive.has(shown)).toBe(true);
    expect(alive.size).toBeLessThanOrEqual(3);
    cache.clear();
    expect(alive.size).toBe(0);
  });

  test("that failed are tried again by the next one to ask", async () => {
    const cache = new BlobCache(3, 1);
    await expect(cache.acquire("a", () => Promise.reject(new Error("gone")))).rejects.toThrow("gone");
    await expect(cache.acquire("a", blob)).resolves.toMatch("blob:");
  });
});

describe("a resource", () => {
  test("is fetched again when what it read changes; the answer before is shown meanwhile, and a late one is not", async () => {
    const id = signal("a");
    const answers: Record<string, (value: string) => void> = {};
    const aborted: string[] = [];
    const resource = new Resource((stop) => {
      const asked = id.value;
      stop.addEventListener("abort", () => aborted.push(asked));
      return new Promise<string>((resolve) => (answers[asked] = resolve));
    });
    answers["a"]!("A");
    await turn();
    expect([resource.value, resource.loading]).toEqual(["A", false]);
    id.value = "b";
    id.value = "c";
    expect([resource.value, resource.loading, aborted]).toEqual(["A", true, ["a", "b"]]);
    answers["c"]!("C");
    await turn();
    answers["b"]!("B");
    await turn();
    expect(resource.value).toBe("C");
    resource.dispose();
  });

  test("that fails says why, and is fetched again when told to", async () => {
    let works = false;
    const resource = new Resource(() => (works ? Promise.resolve(1) : Promise.reject(new Error("no"))));
    await turn();
    expect(resource.error).toEqual(new Error("no"));
    works = true;
    resource.reload();
    await turn();
    expect([resource.value, resource.error]).toEqual([1, undefined]);
    resource.dispose();
  });

  test("of nothing is not loading", () => {
    expect(new Resource(() => undefined).loading).toBe(false);
  });
});
