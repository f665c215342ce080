// Answers for a client without a service.

/** One answer, or a failure of the connection. */
export type Answer = () => Response | Error;

export function json(body: unknown, status = 200, headers: Record<string, string> = {}): Answer {
  return () => Response.json(body, { status, headers });
}

export function problem(code: string, status: number, headers: Record<string, string> = {}): Answer {
  return json({ type: "about:blank", title: code, status, code, detail: "what was wrong" }, status, headers);
}

export function refused(): Answer {
  const cause = Object.assign(new Error("refused"), { code: "ECONNREFUSED" });
  return () => new TypeError("fetch failed", { cause });
}

export function broken(): Answer {
  return () => new TypeError("fetch failed", { cause: new Error("other side closed") });
}

/** A `fetch` that gives the answers in turn, the last one for ever, and notes the requests. */
export function fakeFetch(...answers: [Answer, ...Answer[]]): {
  fetch: typeof globalThis.fetch;
  requests: Request[];
} {
  const requests: Request[] = [];
  const fetch = async (input: RequestInfo | URL, init?: RequestInit): Promise<Response> => {
    requests.push(new Request(input, init));
    const answer = answers[Math.min(requests.length, answers.length) - 1]!();
    if (answer instanceof Error) throw answer;
    return answer;
  };
  return { fetch, requests };
}

/** A `fetch` that never answers, but heeds its signal. */
export const silent: typeof globalThis.fetch = (input, init) =>
  new Promise((_, reject) => {
    const signal = init?.signal ?? (input as Request).signal;
    if (signal.aborted) return reject(signal.reason as Error);
    const open = setInterval(() => undefined, 1000); // as a socket, it keeps Node from ending
    signal.addEventListener("abort", () => {
      clearInterval(open);
      reject(signal.reason as Error);
    });
  });
