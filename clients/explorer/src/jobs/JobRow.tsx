import type { JobStatus } from "lookalike-client";
import { useEffect, useState } from "preact/hooks";

import { refusal } from "../state/access.ts";
import { Button, IconButton } from "../ui/controls.tsx";
import { Icon } from "../ui/Icon.tsx";
import css from "./jobs.module.css";
import { cancel, dismiss, failure, isActive, type Kind, needsAdmin, open, ROOM_OF, running, title } from "./state.ts";

/** A job: what it is, where it stands, and a way to stop it or to look at what it made. */
export function JobRow({ job, refused }: { job: JobStatus; refused?: string | undefined }) {
  const kept = needsAdmin(job) ? 'Only a key with the role "admin" can stop this.' : refused;
  return (
    <div class={css.row}>
      <div class={css.what}>
        <strong>{title(job)}</strong>
        <span class="muted small">
          {job.collection} · {state(job)}
        </span>
        {isActive(job) && <ProgressBar job={job} />}
        {job.error && <p class={css.error}>{job.error.detail}</p>}
      </div>
      {isActive(job) ? (
        <IconButton icon="close" label={`Stop: ${title(job)}`} refused={kept} onClick={() => void cancel(job.id)} />
      ) : (
        job.state === "succeeded" &&
        ROOM_OF[job.kind] && <IconButton icon="arrowRight" label={`Look at it: ${title(job)}`} onClick={() => open(job)} />
      )}
    </div>
  );
}

/** What runs of a kind in this collection, and what failed, in the room that it is for. */
export function JobNotices({ kind }: { kind: Kind }) {
  const failed = failure(kind);
  return (
    <>
      {running(kind).map((job) => (
        <div key={job.id} class={css.notice} role="status">
          <div class={css.what}>
            <span class={css.line}>
              <strong>{title(job)}</strong>
              <span class="muted small numbers">{state(job)}</span>
            </span>
            <ProgressBar job={job} />
          </div>
          <Button refused={refusal("write")} onClick={() => void cancel(job.id)}>
            Stop
          </Button>
        </div>
      ))}
      {failed && (
        <div class={`${css.notice} ${css.failed}`} role="alert">
          <Icon name="warning" />
          <div class={css.what}>
            <strong>{title(failed)} failed</strong>
            <span>{failed.error?.detail ?? "It does not say why; the service's log has more."}</span>
          </div>
          <IconButton icon="close" label="Dismiss" onClick={() => dismiss(failed.id)} />
        </div>
      )}
    </>
  );
}

/** How far it is; without an end in sight it only moves. */
export function ProgressBar({ job }: { job: JobStatus }) {
  const { done, total } = job.progress;
  const share = total ? Math.min(1, done / total) : undefined;
  return (
    <div
      class={css.bar}
      role="progressbar"
      aria-label={title(job)}
      aria-valuemin={0}
      aria-valuemax={100}
      aria-valuenow={share === undefined ? undefined : Math.round(share * 100)}
    >
      <i class={share === undefined ? css.unknown : ""} style={share === undefined ? {} : { width: `${share * 100}%` }} />
    </div>
  );
}

function state(job: JobStatus): string {
  const now = useNow(isActive(job));
  const { stage, done, total } = job.progress;
  switch (job.state) {
    case "queued":
      return "waits for its turn";
    case "running": {
      const counted = total ? ` ${done.toLocaleString()} of ${total.toLocaleString()}` : "";
      return `${stage}${counted}${job.started_at ? ` · ${seconds(now - Date.parse(job.started_at))}` : ""}`;
    }
    case "succeeded":
      return `done ${ago(now - Date.parse(job.finished_at ?? job.created_at))}`;
    case "failed":
      return "failed";
    case "cancelled":
      return "stopped";
  }
}

function useNow(ticking: boolean): number {
  const [now, setNow] = useState(Date.now());
  useEffect(() => {
    if (!ticking) return undefined;
    const timer = setInterval(() => setNow(Date.now()), 1000);
    return () => clearInterval(timer);
  }, [ticking]);
  return now;
}

function seconds(ms: number): string {
  const all = Math.max(0, Math.round(ms / 1000));
  return all < 60 ? `${all} s` : `${Math.floor(all / 60)} min ${all % 60} s`;
}

function ago(ms: number): string {
  const minutes = Math.round(ms / 60_000);
  if (minutes < 1) return "just now";
  if (minutes < 60) return `${minutes} min ago`;
  const hours = Math.round(minutes / 60);
  return hours < 48 ? `${hours} h ago` : `${Math.round(hours / 24)} days ago`;
}
