import { useEffect, useState } from "preact/hooks";

import { fieldName } from "../filter/conditions.ts";
import { filter } from "../filter/state.ts";
import { useKeys } from "../keys/registry.ts";
import { GridSkeleton } from "../picture/Grid.tsx";
import { useResource } from "../state/resource.ts";
import { enter, go } from "../state/route.ts";
import { Button, IconButton } from "../ui/controls.tsx";
import { Empty, Problem } from "../ui/feedback.tsx";
import { CalibrationHint } from "./CalibrationHint.tsx";
import { CurlDialog } from "./CurlDialog.tsx";
import { Hits } from "./Hits.tsx";
import { PAGE, type Query } from "./query.ts";
import { QueryColumn } from "./QueryColumn.tsx";
import { search } from "./run.ts";
import css from "./search.module.css";
import { Start } from "./Start.tsx";
import { calibrated, hits, place, query } from "./state.ts";

/** The Search room. */
export default function SearchRoom() {
  useKeys("Search", [
    { keys: "/", does: "Search by words", run: toWords },
    { keys: "n", does: "New search", run: () => enter("search", {}) },
  ]);
  return query.value ? <Search query={query.value} /> : <Start />;
}

/** Put the focus into the field for words; where there is none the key stays the browser's. */
function toWords(): void | false {
  const field = document.querySelector<HTMLElement>("[data-words]");
  if (!field) return false;
  field.focus();
  return undefined;
}

function Search({ query: now }: { query: Query }) {
  const [curl, setCurl] = useState(false);
  const result = useResource(
    (signal) => {
      const [where, asked, only] = [place.value, query.value, filter.value];
      return where && asked && search(where, asked, only, signal);
    },
    [],
  );
  const found = result.value;
  useEffect(() => {
    hits.value = new Map(found?.hits.map((hit) => [hit.id, hit]));
    if (found) calibrated.value = Boolean(found.calibration);
    return () => (hits.value = new Map());
  }, [found]);
  const looked = JSON.stringify(now.source);
  useEffect(() => document.getElementById("room")?.scrollTo(0, 0), [looked]);
  return (
    <div class={css.room}>
      <QueryColumn query={now} />
      <section class={css.results} aria-busy={result.loading}>
        <header class={css.resultsTitle}>
          <h1 aria-live="polite">{title(found?.hits.length, now)}</h1>
          {found && <CalibrationHint calibration={found.calibration ?? undefined} onDone={() => result.reload()} />}
          <IconButton icon="copy" label="Show as a command (curl)" onClick={() => setCurl(true)} />
        </header>
        {result.error ? <Problem error={result.error} onRetry={() => result.reload()} /> : null}
        {!found && result.loading && <GridSkeleton />}
        {found && found.hits.length === 0 && <NoHits query={now} />}
        {found && found.hits.length > 0 && (
          <div class={result.loading ? css.stale : ""}>
            <Hits result={found} query={now} />
            {found.hits.length === now.limit && now.limit < 1000 && (
              <div class={css.more}>
                <Button onClick={() => go({ n: String(now.limit + PAGE) }, { replace: true })}>Show more</Button>
              </div>
            )}
          </div>
        )}
      </section>
      {curl && <CurlDialog query={now} onClose={() => setCurl(false)} />}
    </div>
  );
}

function title(count: number | undefined, { groupBy }: Query): string {
  if (count === undefined) return "Searching …";
  if (count === 0) return "Nothing found";
  if (groupBy === undefined) return `${count} most similar`;
  return `The best of each ${groupBy.startsWith("clusters.") ? "cluster of " : ""}${fieldName(groupBy)}`;
}

function NoHits({ query: now }: { query: Query }) {
  const narrowed = filter.value !== undefined || now.threshold !== undefined || now.groupBy !== undefined;
  return (
    <Empty
      icon="search"
      title="Nothing found"
      action={
        narrowed && (
          <Button onClick={() => go({ filter: undefined, min: undefined, group: undefined })}>
            Search everything
          </Button>
        )
      }
    >
      {narrowed
        ? "No image passes the filter and the options of this search."
        : "There is no other image in this collection."}
    </Empty>
  );
}
