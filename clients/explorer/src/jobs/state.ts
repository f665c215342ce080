// The jobs of the service: what runs, what has ended, and telling rooms when something is there to be read anew.

import { computed, effect, signal } from "@preact/signals";
import { type Job, JobNotFinished, type JobStatus } from "lookalike-client";

import { isAbort } from "../api/advice.ts";
import { role } from "../state/access.ts";
import { changed, client } from "../state/service.ts";
import { enter, openCollection, type RoomId, route } from "../state/route.ts";
import { toast, toastError } from "../ui/feedback.tsx";

export type Kind = JobStatus["kind"];

const SHOWN = 40;
const BUSY_MS = 3_000; // between two looks at the list while something runs
const IDLE_MS = 20_000;
const WATCHED = 2; // at once: a browser opens six connections to a host, and pictures need them

const known = signal<ReadonlyMap<string, JobStatus>>(new Map());
const watched = new Map<string, AbortController>();

/** All that is known of, the newest first. */
export const jobs = computed(() =>
  [...known.value.values()].sort((a, b) => b.created_at.localeCompare(a.created_at)).slice(0, SHOWN),
);
export const active = computed(() => jobs.value.filter(isActive));

/** How many jobs ended well since the page was opened: who reads it in a loader is fetched again then. */
export const succeeded = signal(0);

/** Why the list cannot be had; undefined where it can. */
export const listError = signal<unknown>(undefined);

export function isActive({ state }: JobStatus): boolean {
  return state === "queued" || state === "running";
}

/** Jobs of this kind that run on the collection that is looked at. */
export function running(kind: Kind): JobStatus[] {
  return active.value.filter((job) => job.kind === kind && job.collection === route.value.collection);
}

/** Failures that were started here and not been read yet, by id. */
export const unread = signal<ReadonlySet<string>>(new Set());
const mine = new Set<string>();

/** The last failure of this kind that was started here, until it is dismissed. */
export function failure(kind: Kind): JobStatus | undefined {
  return jobs.value.find(
    (job) => unread.value.has(job.id) && job.kind === kind && job.collection === route.value.collection,
  );
}

export function dismiss(id: string): void {
  unread.value = new Set([...unread.peek()].filter((one) => one !== id));
}

/** Start a job and follow it. Rejects as the call does. */
export async function start(begin: () => Promise<Job>): Promise<JobStatus> {
  const job = await begin();
  mine.add(job.id);
  learn([job.status]);
  return job.status;
}

/** Stop a job. */
export async function cancel(id: string): Promise<void> {
  try {
    const job = await client.peek().job(id);
    await job.cancel();
    learn([job.status]);
  } catch (error) {
    if (!(error instanceof JobNotFinished)) toastError(error);
  }
}

/** Take in what the service said, and tell of what has ended meanwhile. */
function learn(statuses: readonly JobStatus[]): void {
  const before = known.peek();
  const next = new Map(before);
  for (const status of statuses) next.set(status.id, status);
  known.value = next;
  for (const status of statuses) {
    const old = before.get(status.id);
    if (!isActive(status) && (old ? isActive(old) : mine.has(status.id))) tell(status);
  }
  watchSome();
}

function tell(job: JobStatus): void {
  const here = job.collection === route.peek().collection;
  if (job.state === "succeeded") {
    succeeded.value = succeeded.peek() + 1;
    if (here) changed();
    const room = ROOM_OF[job.kind];
    if (room === undefined || (here && room === route.peek().room)) return;
    toast(`${title(job)} is ready.`, { action: { label: "Look at it", run: () => open(job) } });
  } else if (job.state === "failed") {
    if (mine.has(job.id)) unread.value = new Set([...unread.peek(), job.id]);
    if (!here || ROOM_OF[job.kind] !== route.peek().room) {
      toast(`${title(job)} failed: ${job.error?.detail ?? "it does not say why."}`, { tone: "bad" });
    }
  }
}

/** Where what a job made is looked at. */
export const ROOM_OF: Partial<Record<Kind, RoomId>> = {
  clustering: "clusters",
  comparison: "compare",
  duplicates: "duplicates",
  projection: "map",
};

export function open(job: JobStatus): void {
  const room = ROOM_OF[job.kind];
  if (room === undefined) return;
  const { name } = job.parameters as { name?: string };
  if (job.collection !== route.peek().collection) openCollection(job.collection, room);
  enter(room, room === "map" ? { ...(name ? { projection: name } : {}) } : { ...(name ? { run: name } : {}) });
}

const NAMES: Record<Kind, string> = {
  calibration: "Calibration",
  clustering: "Clustering",
  comparison: "Comparison",
  duplicates: "Search for duplicates",
  migration: "Migration",
  projection: "Map",
  training: "Training",
};

/** What a job is, in words. */
export function title({ kind, parameters }: JobStatus): string {
  const { name } = parameters as { name?: string };
  return name === undefined || name === kind ? NAMES[kind] : `${NAMES[kind]} “${name}”`;
}

/** Why it cannot be cancelled with this key. */
export function needsAdmin({ kind }: JobStatus): boolean {
  return (kind === "migration" || kind === "training") && role.value !== "admin";
}

function watchSome(): void {
  for (const job of active.peek()) {
    if (watched.size >= WATCHED) return;
    if (!watched.has(job.id)) void watch(job.id);
  }
}

async function watch(id: string): Promise<void> {
  const ended = new AbortController();
  watched.set(id, ended);
  try {
    const job = await client.peek().job(id, { signal: ended.signal });
    for await (const status of job.watch({ signal: ended.signal })) learn([status]);
  } catch (error) {
    if (!isAbort(error)) listError.value = error; // the list, which is asked for regularly, says the rest
  } finally {
    watched.delete(id);
  }
}

async function look(): Promise<void> {
  try {
    const found = await client.peek().jobs({ limit: SHOWN });
    listError.value = undefined;
    learn(found);
  } catch (error) {
    listError.value = error;
  }
}

let timer: ReturnType<typeof setTimeout> | undefined;

async function lookAgain(): Promise<void> {
  clearTimeout(timer);
  if (!document.hidden) await look();
  clearTimeout(timer);
  timer = setTimeout(lookAgain, active.peek().length > 0 ? BUSY_MS : IDLE_MS);
}

/** Begin to follow the jobs; the tray does, once. */
export function follow(): void {
  document.addEventListener("visibilitychange", () => void (document.hidden || lookAgain()));
  effect(() => {
    void client.value; // another key sees other jobs
    for (const ended of watched.values()) ended.abort(new DOMException("another key", "AbortError"));
    watched.clear();
    known.value = new Map();
    void lookAgain();
  });
}
