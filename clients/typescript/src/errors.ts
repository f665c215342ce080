// The base of all errors, and those of this side; the service's are in service-errors.ts.

/** What an error carries beside its message. */
export interface ErrorDetails {
  code: string;
  status?: number | undefined;
  index?: number | undefined;
  retryAfter?: number | undefined;
  cause?: unknown;
}

/** Base of all errors. One with a code that this client does not know is of this class itself. */
export class LookalikeError extends Error {
  override readonly name: string = "LookalikeError";
  /** The stable name, such as `unknown_collection`. */
  readonly code: string;
  /** The HTTP status; undefined for what went wrong on this side. */
  readonly status: number | undefined;
  /** What was wrong, and what is allowed. */
  readonly detail: string;
  /** Position of the image at fault in its request. */
  readonly index: number | undefined;
  /** Seconds the service asked to wait. */
  readonly retryAfter: number | undefined;

  constructor(detail: string, details: ErrorDetails) {
    super(`${details.code}: ${detail}`, { cause: details.cause });
    this.code = details.code;
    this.status = details.status;
    this.detail = detail;
    this.index = details.index;
    this.retryAfter = details.retryAfter;
  }
}

/** What went wrong on this side. */
export class ClientError extends LookalikeError {
  override readonly name: string = "ClientError";
}

/** An argument cannot be sent. */
export class InvalidInput extends ClientError {
  override readonly name: string = "InvalidInput";

  constructor(detail: string) {
    super(detail, { code: "invalid_input" });
  }
}

/** An image could not be fetched from its URL. */
export class DownloadFailed extends ClientError {
  override readonly name: string = "DownloadFailed";

  constructor(detail: string, cause?: unknown) {
    super(detail, { code: "download_failed", cause });
  }
}

/** Nothing answers at the URL, or the connection broke. */
export class ConnectionFailed extends ClientError {
  override readonly name: string = "ConnectionFailed";

  constructor(detail: string, cause?: unknown) {
    super(detail, { code: "connection_failed", cause });
  }
}

/** No answer in time; or a job has not finished in time, and goes on. */
export class TimedOut extends ClientError {
  override readonly name: string = "TimedOut";

  constructor(detail: string) {
    super(detail, { code: "timed_out" });
  }
}

/** An answer that is not the service's. */
export class UnexpectedAnswer extends ClientError {
  override readonly name: string = "UnexpectedAnswer";

  constructor(detail: string, cause?: unknown) {
    super(detail, { code: "unexpected_answer", cause });
  }
}

/** The job that was waited for was cancelled. */
export class JobCancelled extends ClientError {
  override readonly name: string = "JobCancelled";

  constructor(detail: string) {
    super(detail, { code: "job_cancelled" });
  }
}
