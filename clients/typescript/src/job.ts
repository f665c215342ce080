import { JobCancelled, LookalikeError, TimedOut } from "./errors.js";
import { readEvents } from "./events.js";
import { errorOf } from "./problems.js";
import { sleep } from "./retrying.js";
import type { CallOptions, Transport } from "./transport.js";
import type { JobStatus } from "./types.js";

/** How to wait for a job. */
export interface WaitOptions extends CallOptions {
  /** Called with each status that is seen, the last one too. */
  onProgress?: (status: JobStatus) => void;
  /** Seconds after which to give up; the job goes on. */
  timeout?: number;
}

const FIRST_DELAY = 0.1;
const LONGEST_DELAY = 2;

/** Work under way, such as a clustering; `status` is what was last heard of it. */
export class Job {
  readonly #transport: Transport;
  status: JobStatus;

  constructor(transport: Transport, status: JobStatus) {
    this.#transport = transport;
    this.status = status;
  }

  get id(): string {
    return this.status.id;
  }

  /** Ask again. */
  async refresh(options: CallOptions = {}): Promise<JobStatus> {
    const params = { path: { id: this.id } };
    this.status = await this.#transport.send("always", options, (http, signal) =>
      http.GET("/v1/jobs/{id}", { params, signal }),
    );
    return this.status;
  }

  /** Cancel it; it stops at its next step. Rejects with JobNotFinished, UnknownJob. */
  async cancel(options: CallOptions = {}): Promise<void> {
    const params = { path: { id: this.id } };
    this.status = await this.#transport.send("always", options, (http, signal) =>
      http.DELETE("/v1/jobs/{id}", { params, signal }),
    );
  }

  /**
   * Each change of its state and progress as it comes, up to the last one; a stream that breaks off is begun
   * anew. It ends without an error also for a job that failed. Rejects with UnknownJob, or the signal's reason.
   */
  async *watch({ signal }: CallOptions = {}): AsyncGenerator<JobStatus, void> {
    for (let fruitless = 0; ; fruitless++) {
      try {
        for await (const status of this.#events(signal)) {
          fruitless = 0;
          this.status = status;
          yield status;
        }
      } catch (error) {
        signal?.throwIfAborted();
        if (error instanceof LookalikeError && error.status !== undefined) throw error;
      }
      if (isFinished(this.status)) return;
      await sleep(Math.min(FIRST_DELAY * 2 ** fruitless, LONGEST_DELAY), signal);
    }
  }

  async *#events(signal: AbortSignal | undefined): AsyncGenerator<JobStatus, void> {
    const params = { path: { id: this.id } };
    const headers = { Accept: "text/event-stream" };
    const options = signal ? { signal } : {};
    const stream = await this.#transport.send("always", options, (http, signal) =>
      http.GET("/v1/jobs/{id}/events", { params, headers, parseAs: "stream", signal }),
    );
    for await (const data of readEvents(stream as ReadableStream<Uint8Array>)) yield JSON.parse(data) as JobStatus;
  }

  /**
   * Wait until it has succeeded. It is asked for its state at growing intervals, which outlives restarts of
   * the service. Rejects with the job's own error, JobCancelled, TimedOut, or the signal's reason.
   */
  async wait({ onProgress, timeout, signal }: WaitOptions = {}): Promise<JobStatus> {
    const options = signal ? { signal } : {};
    const deadline = timeout === undefined ? Infinity : performance.now() + timeout * 1000;
    onProgress?.(this.status);
    for (let delay = FIRST_DELAY; !isFinished(this.status); delay = longer(delay)) {
      if (performance.now() + delay * 1000 > deadline) throw this.#notFinished();
      await sleep(delay, signal);
      const status = await this.refresh(options); // not in the call: its arguments are skipped with it
      onProgress?.(status);
    }
    return outcome(this.status);
  }

  #notFinished(): TimedOut {
    const { state, progress } = this.status;
    return new TimedOut(
      `Job ${this.id} is still ${state} (${progress.stage}); it goes on, and can be waited for again.`,
    );
  }
}

function longer(delay: number): number {
  return Math.min(delay * 1.5, LONGEST_DELAY);
}

function isFinished({ state }: JobStatus): boolean {
  return state === "succeeded" || state === "failed" || state === "cancelled";
}

function outcome(status: JobStatus): JobStatus {
  if (status.state === "cancelled") throw new JobCancelled(`Job ${status.id} was cancelled.`);
  if (status.state === "failed") {
    const unsaid = { code: "internal_error", detail: `Job ${status.id} failed and does not say why.` };
    const { code, detail } = status.error ?? unsaid;
    throw errorOf(detail, { code });
  }
  return status;
}
