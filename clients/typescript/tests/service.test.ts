// The client against a running service, at LOOKALIKE_TEST_URL.

import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { after, before, describe, test } from "node:test";
import { createContext, runInContext } from "node:vm";

import { Lookalike, UnknownCollection, UnknownImage, type Collection } from "../src/index.js";
import { imageFile } from "../src/node.js";
import { bmp } from "./pictures.js";

const url = process.env["LOOKALIKE_TEST_URL"] ?? "";
const skip = url === "" ? "LOOKALIKE_TEST_URL names no service" : false;

describe("a running service", { skip }, () => {
  const client = new Lookalike(url ? { url } : {});
  const name = `typescript-${process.pid}`;
  const ids = Array.from({ length: 8 }, (_, i) => `a/${i}`);
  let pictures: Collection;

  before(async () => {
    pictures = await client.createCollection(name, { indexes: { "metadata.even": "bool" } });
    const metadata = ids.map((_, i) => ({ even: i % 2 === 0 }));
    const added = await pictures.add(ids.map((_, i) => bmp(i)), { ids, metadata });
    assert.deepEqual([added.created, added.failed], [8, 0]);
  });
  after(() => client.deleteCollection(name));

  test("says what it is", async () => {
    const info = await client.info();
    assert.ok((await client.models()).some((model) => model.model === info.model && model.served));
    assert.equal((await client.ready()).ready, true);
  });

  test("finds the picture that is sent, and not the one that is named", async () => {
    const sent = await pictures.search({ image: bmp(3), limit: 2 });
    assert.equal(sent.hits[0]!.id, "a/3");
    assert.ok(sent.hits[0]!.score > 0.999);
    const named = await pictures.search({ id: "a/3", limit: 20 });
    assert.deepEqual(new Set(named.hits.map((hit) => hit.id)), new Set(ids.filter((id) => id !== "a/3")));
  });

  test("filters, groups and counts", async () => {
    const filter = { must: [{ key: "metadata.even", match: { value: true } }] };
    const hits = (await pictures.search({ image: bmp(3), filter })).hits;
    assert.deepEqual(hits.map((hit) => hit.metadata["even"]), [true, true, true, true]);
    const facets = await pictures.facets("metadata.even");
    assert.deepEqual(facets.values.map((value) => value.count), [4, 4]);
    const batch = await pictures.searchBatch([{ id: "a/1", limit: 1 }, { id: "gone" }]);
    assert.equal(batch.items[0]!.hits?.length, 1);
    assert.equal(batch.items[1]!.error?.code, "unknown_image");
  });

  test("reports a broken picture as an item, alone and among others", async () => {
    const broken = new Blob(["no picture"]);
    const alone = await client.embed([broken]);
    assert.equal(alone.items[0]!.error?.code, "unsupported_image");
    const among = await client.embed([bmp(0), broken, bmp(1)]);
    const codes = among.items.map((item) => item.error?.code);
    assert.deepEqual(codes, [undefined, "unsupported_image", undefined]);
    assert.equal(among.items[0]!.embedding?.length, among.dim);
    assert.equal((await pictures.add([broken])).failed, 1);
  });

  test("explains a picture as numbers and as a picture", async () => {
    const explanation = await client.explain(bmp(1), { reference: bmp(1), faithfulness: false });
    assert.equal(explanation.target, "similarity");
    assert.ok(explanation.similarity! > 0.999);
    const png = new Uint8Array(await (await client.explainImage(bmp(1))).arrayBuffer());
    assert.deepEqual([...png.slice(1, 4)], [..."PNG"].map((letter) => letter.charCodeAt(0)));
  });

  test("clusters, draws a map and places a new picture on it", async () => {
    const seen: string[] = [];
    const job = await pictures.cluster({ algorithm: "kmeans", parameters: { k: 2 } });
    const status = await job.wait({ onProgress: ({ state }) => seen.push(state), timeout: 120 });
    assert.equal(status.state, "succeeded");
    assert.equal(seen.at(-1), "succeeded");
    const run = await pictures.clustering("kmeans");
    assert.equal(run.clusters.reduce((sum, cluster) => sum + cluster.size, 0), 8);
    assert.equal((await pictures.clusterCard("kmeans", 0, { exemplars: 1 })).exemplars.length, 1);
    await (await pictures.project({ method: "pca" })).wait({ timeout: 120 });
    const map = await pictures.projection("pca");
    const placed = await pictures.place("pca", [bmp(5)]);
    const there = map.coordinates[map.ids.indexOf("a/5")]!;
    placed.items[0]!.coordinates!.forEach((value, i) => assert.ok(Math.abs(value - there[i]!) < 1e-3));
    assert.equal((await pictures.projectionImage("pca", { color: "clusters.kmeans" })).type, "image/png");
    assert.ok((await client.jobs({ collection: name })).length >= 2);
  });

  test("browses, edits and deletes", async () => {
    const file = await imageFile(new URL("../../tests/picture.png", import.meta.url).pathname);
    await pictures.add([file], { ids: ["extra"] });
    assert.equal((await pictures.image("extra")).source, file.name);
    assert.deepEqual((await pictures.update("extra", { tag: "x" })).metadata, { tag: "x" });
    assert.equal((await pictures.thumbnail("extra")).type, "image/jpeg");
    const found: string[] = [];
    for await (const image of pictures.images()) found.push(image.id);
    assert.equal(found.length, 9);
    assert.equal(await pictures.delete({ ids: ["extra", "gone"] }), 1);
    await assert.rejects(pictures.image("extra"), UnknownImage);
    assert.equal((await pictures.describe()).points, 8);
    await assert.rejects(client.collection("nowhere").describe(), UnknownCollection);
  });

  test("is reached from where there is nothing of Node, by the bundle for browsers", async () => {
    const bundle = await readFile(new URL("../lookalike.js", import.meta.url), "utf8");
    const web = { AbortSignal, Blob, DOMException, FormData, Headers, Request, Response, URL, URLSearchParams,
      clearTimeout, fetch, performance, setTimeout, url, name, picture: bmp(4) };
    const page = createContext(web);
    const query = `
      typeof process + typeof require + typeof Buffer + " " +
      (await new lookalike.Lookalike({ url }).collection(name).search({ image: picture })).hits[0].id`;
    const answer = await (runInContext(`${bundle}; (async () => ${query})()`, page) as Promise<string>);
    assert.equal(answer, "undefinedundefinedundefined a/4");
  });
});
