// What to say about an error, and what one can do.

import { LookalikeError } from "lookalike-client";

/** An error, told. */
export interface Advice {
  title: string;
  detail: string;
  /** What to do next; the service's own words often say it already. */
  todo?: string;
}

/** Whether a call was only given up because nobody waits for it any more. */
export function isAbort(error: unknown): boolean {
  return error instanceof DOMException && error.name === "AbortError";
}

/** Put an error into words. */
export function advice(error: unknown): Advice {
  if (!(error instanceof LookalikeError)) {
    return {
      title: "Something went wrong in this page",
      detail: error instanceof Error ? error.message : String(error),
      todo: "Reload the page. If it happens again, it is a fault of the page worth reporting.",
    };
  }
  const { code, status, detail, retryAfter } = error;
  if (code === "connection_failed") {
    return { title: "The service does not answer", detail, todo: "Check that it is running, then try again." };
  }
  if (code === "timed_out") return { title: "No answer in time", detail, todo: "Try again in a moment." };
  if (status === 401) return { title: "An API key is needed", detail, todo: "Enter a key that this service knows." };
  if (status === 403) return { title: "Your key does not allow this", detail };
  if (status === 429 || status === 503) {
    const wait = retryAfter === undefined ? "in a moment" : `in ${Math.ceil(retryAfter)} s`;
    return { title: "The service is busy", detail, todo: `It was tried several times already; try again ${wait}.` };
  }
  if (status === 404) return { title: "Not found", detail };
  if (status !== undefined && status >= 500) {
    return { title: "The service failed", detail, todo: "Its log has the details." };
  }
  return { title: "That did not work", detail };
}
