// When to try a call again: after 429 and 503, and when the connection fails.

import { ConnectionFailed, type LookalikeError } from "./errors.js";

/** Whether a call may be sent again: `unlessReceived` not once the service may have begun the work. */
export type Repeat = "always" | "unlessReceived" | "never";

const FIRST_STEP = 0.25;
const LONGEST_STEP = 30;
const LONGEST_RETRY_AFTER = 60;

/**
 * Seconds to wait before trying again, undefined to give up; `attempt` counts from 0.
 *
 * Exponential back-off with full jitter (Brooker, "Exponential Backoff And Jitter", 2015) on top of what
 * Retry-After asks for.
 */
export function pause(
  repeat: Repeat,
  error: LookalikeError,
  attempt: number,
  retries: number,
): number | undefined {
  if (attempt >= retries || !mayRepeat(repeat, error)) return undefined;
  const jitter = Math.random() * Math.min(FIRST_STEP * 2 ** attempt, LONGEST_STEP);
  const asked = error.retryAfter ?? 0;
  return asked <= LONGEST_RETRY_AFTER ? asked + jitter : undefined;
}

function mayRepeat(repeat: Repeat, error: LookalikeError): boolean {
  if (repeat === "never") return false;
  if (error.status === 429 || error.status === 503) return true; // refused before any work was done
  if (!(error instanceof ConnectionFailed)) return false;
  return repeat === "always" || wasRefused(error.cause);
}

/** Whether nothing was sent, which Node tells and browsers do not. */
function wasRefused(failure: unknown): boolean {
  const cause = failure instanceof Error ? failure.cause : undefined;
  const code = cause instanceof Error && "code" in cause ? cause.code : undefined;
  return code === "ECONNREFUSED" || code === "ENOTFOUND" || code === "EAI_AGAIN";
}

/** Wait; rejects with the signal's reason as soon as it is aborted. */
export function sleep(seconds: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    signal?.throwIfAborted();
    const stop = () => {
      clearTimeout(timer);
      reject(signal?.reason);
    };
    const timer = setTimeout(() => {
      signal?.removeEventListener("abort", stop);
      resolve();
    }, seconds * 1000);
    signal?.addEventListener("abort", stop, { once: true });
  });
}
