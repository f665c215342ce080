// Problem documents (RFC 9457) and the errors of jobs, as errors of their class.

import { type ErrorDetails, LookalikeError } from "./errors.js";
import { errorClasses } from "./service-errors.js";

/** The error of a code; the base class for a code that a newer service may have. */
export function errorOf(detail: string, details: ErrorDetails): LookalikeError {
  const classes: Record<string, typeof LookalikeError | undefined> = errorClasses;
  const known = Object.hasOwn(classes, details.code) ? classes[details.code] : undefined;
  return new (known ?? LookalikeError)(detail, details);
}

/** The error that a response holds; `http_<status>` where its body is no problem document. */
export function errorIn(response: Response, body: unknown): LookalikeError {
  const { status } = response;
  const retryAfter = seconds(response.headers.get("retry-after"));
  if (!isProblem(body)) {
    const said = typeof body === "string" ? body.slice(0, 200).trim() : JSON.stringify(body);
    const detail =
      `${response.url} answered ${status} without a problem document, which Lookalike would ` +
      `send; is another server at this URL? It said: ${said}`;
    return new LookalikeError(detail, { code: `http_${status}`, status, retryAfter });
  }
  return errorOf(body.detail, { code: body.code, status, index: body.index, retryAfter });
}

/** The header's other form, a date, is not read: the service never sends it. */
function seconds(header: string | null): number | undefined {
  return header !== null && /^\d+(\.\d+)?$/.test(header.trim()) ? Number(header) : undefined;
}

function isProblem(body: unknown): body is { code: string; detail: string; index?: number } {
  if (typeof body !== "object" || body === null) return false;
  const { code, detail } = body as Record<string, unknown>;
  return typeof code === "string" && typeof detail === "string";
}
