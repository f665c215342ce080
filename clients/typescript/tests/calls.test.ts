// What is sent, what is tried again, and what becomes of the answers; no service needed.

import assert from "node:assert/strict";
import { mkdtemp, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { beforeEach, mock, test } from "node:test";

import * as sdk from "../src/index.js";
import { imageFile } from "../src/node.js";
import { type Answer, broken, fakeFetch, json, problem, refused, silent } from "./fakes.js";

const JOB = {
  id: "j", kind: "clustering", collection: "c", state: "queued", parameters: {}, created_at: "now",
  progress: { stage: "waiting", done: 0 },
};

function client(...answers: [Answer, ...Answer[]]) {
  const { fetch, requests } = fakeFetch(...answers);
  return { client: new sdk.Lookalike({ url: "http://x:3000/", apiKey: "key", fetch }), requests };
}

beforeEach(() => {
  mock.restoreAll();
  mock.method(Math, "random", () => 0.01); // short pauses
});

for (const [what, answer] of Object.entries({
  "a busy service": problem("overloaded", 429, { "retry-after": "0" }),
  "a service that is not ready": problem("not_ready", 503),
  "a refused connection": refused(),
})) {
  test(`${what} is asked again, also to start a job`, async () => {
    const { client: c, requests } = client(answer, answer, json(JOB, 202));
    assert.equal((await c.collection("c").cluster()).id, "j");
    assert.equal(requests.length, 3);
  });
}

test("urgency is said with every call, and nothing unless asked", async () => {
  const { fetch, requests } = fakeFetch(json({ models: [] }));
  const options = { url: "http://x:3000/", fetch };
  await new sdk.Lookalike({ ...options, priority: "bulk", deadline: 2.5 }).models();
  await new sdk.Lookalike(options).models();
  const said = requests.map(({ headers }) => ["x-priority", "x-deadline-seconds"].map((name) => headers.get(name)));
  assert.deepEqual(said, [["bulk", "2.5"], [null, null]]);
});

test("a connection that breaks is tried again where repeating is safe, and only there", async () => {
  const safe = client(broken(), json({ collections: [] }));
  assert.deepEqual(await safe.client.collections(), []);
  const unsafe = client(broken(), json(JOB));
  await assert.rejects(unsafe.client.collection("c").cluster(), sdk.ConnectionFailed);
  assert.equal(unsafe.requests.length, 1);
});

test("an upload that is tried again sends its body again", async () => {
  const { client: c, requests } = client(problem("overloaded", 429), json({ items: [], created: 1 }));
  await c.collection("c").add([new Blob(["abc"])], { ids: ["a"], metadata: [{ n: 1 }] });
  const sent = await Promise.all(requests.map((request) => request.formData()));
  for (const form of sent) {
    assert.equal(await (form.get("images") as File).text(), "abc");
    assert.deepEqual([form.get("ids"), form.get("metadata"), form.get("sources")],
      ['["a"]', '[{"n":1}]', "[null]"]);
  }
  assert.equal(sent.length, 2);
});

test("an error of the service is not tried again and is of its class", async () => {
  const { client: c, requests } = client(problem("unknown_collection", 404));
  await assert.rejects(c.collection("c").describe(), (error) => {
    assert.ok(error instanceof sdk.UnknownCollection && error instanceof sdk.NotFound);
    assert.deepEqual([error.name, error.code, error.status], ["UnknownCollection", "unknown_collection", 404]);
    return true;
  });
  assert.equal(requests.length, 1);
});

test("retries end, and what Retry-After asks beyond a minute is not waited for", async () => {
  const always = client(problem("not_ready", 503));
  await assert.rejects(always.client.info(), sdk.NotReady);
  assert.equal(always.requests.length, 5);
  const long = client(problem("overloaded", 429, { "retry-after": "3600" }));
  await assert.rejects(long.client.info(), (error) => (error as sdk.Overloaded).retryAfter === 3600);
  assert.equal(long.requests.length, 1);
});

test("readiness is asked for once", async () => {
  const { client: c, requests } = client(problem("not_ready", 503));
  await assert.rejects(c.ready(), sdk.NotReady);
  assert.equal(requests.length, 1);
});

test("a code of a newer service is the base class, whatever its name", async () => {
  for (const code of ["brand_new", "constructor", "__proto__"]) {
    await assert.rejects(client(problem(code, 409)).client.info(), (error) => {
      assert.ok(error instanceof sdk.LookalikeError);
      assert.deepEqual([error.name, error.code], ["LookalikeError", code]);
      return true;
    });
  }
});

test("another server at the URL is told from the service", async () => {
  const page = () => new Response("<html>nginx</html>", { status: 502 });
  await assert.rejects(client(page).client.info(), /http_502: .*another server.*nginx/);
  await assert.rejects(client(() => new Response("<html>")).client.info(), sdk.UnexpectedAnswer);
});

test("a signal ends a call, and a pause before the next attempt, with its own reason", async () => {
  const silentClient = new sdk.Lookalike({ fetch: silent });
  const stop = new AbortController();
  const call = silentClient.info({ signal: stop.signal });
  stop.abort(new Error("enough"));
  await assert.rejects(call, /^Error: enough$/);
  const pausing = new AbortController();
  const { client: c } = client(() => {
    setImmediate(() => pausing.abort(new Error("left")));
    return problem("overloaded", 429, { "retry-after": "50" })();
  });
  await assert.rejects(c.info({ signal: pausing.signal }), /^Error: left$/);
});

test("no answer in time is an error, of the service and of an image's server", async () => {
  const c = new sdk.Lookalike({ fetch: silent, timeout: 0.01 });
  await assert.rejects(c.info(), sdk.TimedOut);
  await assert.rejects(c.embed(["https://pictures.test/a.jpg"]), sdk.DownloadFailed);
  const stopped = { signal: AbortSignal.abort(new Error("enough")) };
  await assert.rejects(c.embed(["https://pictures.test/a.jpg"], {}, stopped), /^Error: enough$/);
});

test("the address, the key, names and ids are sent as they are", async () => {
  const { client: c, requests } = client(json({}));
  await c.collection("a/b ä").image("x?/%2F#.jpg");
  assert.equal(requests[0]!.url, "http://x:3000/v1/collections/a%2Fb%20%C3%A4/images/x%3F%2F%252F%23.jpg");
  assert.equal(requests[0]!.headers.get("authorization"), "Bearer key");
});

test("what no URL can hold is refused before it is sent", async () => {
  const { client: c, requests } = client(json({}));
  for (const id of ["", ".", "..", "\ud800"]) {
    await assert.rejects(c.collection("c").image(id), sdk.InvalidInput, JSON.stringify(id));
  }
  assert.throws(() => new sdk.Lookalike({ url: "localhost:3000" }), sdk.InvalidInput);
  assert.equal(requests.length, 0);
});

test("an image that is sent takes filter and region as text", async () => {
  const { client: c, requests } = client(json({ model: "m", hits: [] }));
  const filter = { must: [{ key: "metadata.n", match: { value: 1 } }] };
  const region = { left: 1, top: 2, width: 3, height: 4.5 };
  await c.collection("c").search({ image: new Uint8Array([1, 2]), filter, region, limit: 3 });
  const query = new URL(requests[0]!.url).searchParams;
  assert.deepEqual(JSON.parse(query.get("filter")!), filter);
  assert.deepEqual([query.get("region"), query.get("limit")], ["1,2,3,4.5", "3"]);
  const sent = (await requests[0]!.formData()).get("image") as File;
  assert.deepEqual(new Uint8Array(await sent.arrayBuffer()), new Uint8Array([1, 2]));
});

test("every form of an image is sent as its bytes, with its source where there is one", async () => {
  const folder = await mkdtemp(join(tmpdir(), "lookalike-"));
  const path = join(folder, "a.jpg");
  await writeFile(path, "pixels");
  const { fetch, requests } = fakeFetch(
    () => new Response("pixels"), () => new Response("pixels"), json({ items: [] }));
  const c = new sdk.Lookalike({ fetch });
  const bytes = Buffer.from("pixels");
  await c.collection("c").add([
    new Blob([bytes]), new File([bytes], "b.jpg"), bytes, new Uint8Array(bytes).buffer, await imageFile(path),
    "https://pictures.test/c.jpg", new URL("data:image/jpeg;base64,cGl4ZWxz"),
  ]);
  const form = await requests.at(-1)!.formData();
  const texts = await Promise.all(form.getAll("images").map((file) => (file as File).text()));
  assert.deepEqual(texts, Array(7).fill("pixels"));
  assert.deepEqual(JSON.parse(form.get("sources") as string),
    [null, "b.jpg", null, null, path, "https://pictures.test/c.jpg", null]);
  assert.equal(requests[0]!.headers.get("authorization"), null);
});

test("what is no image is refused with what is allowed", async () => {
  const { client: c } = client(() => new Response(null, { status: 404 }));
  await assert.rejects(c.embed(["cat.jpg"]), /imageFile/);
  await assert.rejects(c.embed(["file:///etc/passwd"]), sdk.InvalidInput);
  await assert.rejects(c.embed([42 as unknown as string]), sdk.InvalidInput);
  await assert.rejects(c.embed([]), /at least one/);
  await assert.rejects(c.embed(["https://pictures.test/gone.jpg"]), /download_failed: .* 404/);
});

test("a job is waited for with its progress, and fails with its own error", async () => {
  const running = { ...JOB, state: "running", progress: { stage: "k-means", done: 1, total: 2 } };
  const { client: c } = client(json(JOB, 202), json(running), json({ ...JOB, state: "succeeded", result: {} }));
  const seen: string[] = [];
  const status = await (await c.collection("c").cluster()).wait({ onProgress: (s) => seen.push(s.state) });
  assert.deepEqual(seen, ["queued", "running", "succeeded"]);
  assert.deepEqual(status.result, {});
  const error = { code: "invalid_parameters", detail: "k is too large" };
  const failed = client(json(JOB, 202), json({ ...JOB, state: "failed", error }));
  await assert.rejects((await failed.client.collection("c").cluster()).wait(), sdk.InvalidParameters);
  const cancelled = client(json({ ...JOB, state: "cancelled" }, 202));
  await assert.rejects((await cancelled.client.collection("c").cluster()).wait(), sdk.JobCancelled);
});

test("a job that takes too long is given up, by time or by signal", async () => {
  const job = await client(json(JOB, 202), json(JOB)).client.collection("c").cluster();
  await assert.rejects(job.wait({ timeout: 0.05 }), /still queued/);
  await assert.rejects(job.wait({ signal: AbortSignal.abort(new Error("enough")) }), /^Error: enough$/);
});

/** Events as the service writes them, in pieces that respect nothing; `breaks` at the end. */
function events(states: string[], breaks = false): Answer {
  const text = states.map((state) => `event: job\ndata: ${JSON.stringify({ ...JOB, state })}\n\n`).join("");
  const bytes = new TextEncoder().encode(breaks ? text.slice(0, -9) : text);
  const body = new ReadableStream<Uint8Array>({
    start(controller) {
      for (let at = 0; at < bytes.length; at += 7) controller.enqueue(bytes.slice(at, at + 7));
      if (breaks) controller.error(new TypeError("terminated"));
      else controller.close();
    },
  });
  return () => new Response(body, { headers: { "content-type": "text/event-stream" } });
}

test("a job is watched to its end, over a stream that breaks off", async () => {
  const { client: c, requests } = client(
    json(JOB), events(["queued", "running"], true), events(["running", "failed"]),
  );
  const job = await c.job("j");
  const states: string[] = [];
  for await (const { state } of job.watch()) states.push(state);
  assert.equal(states.at(-1), "failed");
  assert.deepEqual(states.slice(-2), ["running", "failed"]);
  assert.equal(job.status.state, "failed");
  assert.deepEqual(requests.slice(1).map(({ url }) => new URL(url).pathname), Array(2).fill("/v1/jobs/j/events"));
  assert.equal(requests[1]!.headers.get("authorization"), "Bearer key");
});

test("watching an unknown job fails at once, and ends with its signal", async () => {
  const { client: c } = client(json(JOB), problem("unknown_job", 404));
  const job = await c.job("j");
  await assert.rejects(job.watch().next(), sdk.UnknownJob);
  const stopped = { signal: AbortSignal.abort(new Error("enough")) };
  await assert.rejects(job.watch(stopped).next(), /^Error: enough$/);
});
