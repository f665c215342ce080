import { filter } from "../filter/state.ts";
import { useResource } from "../state/resource.ts";
import { address, key } from "../state/service.ts";
import { CopyText } from "../ui/CopyText.tsx";
import { Dialog } from "../ui/Dialog.tsx";
import { Problem, Skeleton } from "../ui/feedback.tsx";
import { curl } from "./curl.ts";
import type { Query } from "./query.ts";
import { request, uploaded } from "./run.ts";
import { place } from "./state.ts";

/** The search as a command line, to be copied. */
export function CurlDialog({ query, onClose }: { query: Query; onClose: () => void }) {
  const text = useResource(async (signal) => {
    const where = place.peek()!;
    const search = await request(where, query, filter.peek(), signal);
    const picture = query.source.kind === "upload" ? (await uploaded(query.source.token)).name : "";
    return curl(address, where.collection.name, search, { keyed: key.peek() !== undefined, picture });
  }, []);
  return (
    <Dialog title="This search as a command" wide onClose={onClose}>
      <p class="muted">The same answer, from a terminal. Every room works by calls like this one.</p>
      {text.error ? <Problem error={text.error} /> : null}
      {text.value === undefined ? <Skeleton height="120px" /> : <CopyText label="Command" text={text.value} />}
    </Dialog>
  );
}
