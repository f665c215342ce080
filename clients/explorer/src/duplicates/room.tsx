import type { Duplicates } from "lookalike-client";
import { useEffect, useState } from "preact/hooks";

import { succeeded } from "../jobs/state.ts";
import { JobNotices } from "../jobs/JobRow.tsx";
import { useKeys } from "../keys/registry.ts";
import { refusal } from "../state/access.ts";
import { useResource } from "../state/resource.ts";
import { collection } from "../state/service.ts";
import { go, route } from "../state/route.ts";
import { Button, Segmented, Select } from "../ui/controls.tsx";
import { Empty, Problem, Skeleton } from "../ui/feedback.tsx";
import page from "../ui/room.module.css";
import css from "./duplicates.module.css";
import { takeUp } from "./decisions.ts";
import { Leakage } from "./Leakage.tsx";
import { NewSearch } from "./NewSearch.tsx";
import { Plan } from "./Plan.tsx";
import { Walk } from "./Walk.tsx";

type View = "walk" | "leakage" | "plan";

/** The Duplicates room: groups of one picture to decide on, what leaks between sets, and deleting as planned. */
export default function DuplicatesRoom() {
  const [asking, setAsking] = useState(false);
  const ask = () => setAsking(true);
  useKeys("Duplicates", [{ keys: "n", does: "Look for duplicates", run: ask }]);
  const runs = useResource((signal) => {
    void succeeded.value;
    return collection.value?.duplicateRuns({ signal });
  }, []);
  const wanted = route.value.params["run"];
  const run = runs.value?.find((one) => one.name === wanted) ?? runs.value?.toSorted((a, b) => b.created_at.localeCompare(a.created_at))[0];
  const name = collection.value?.name ?? "";
  useEffect(() => {
    if (run) takeUp(name, run.name, run.created_at);
  }, [name, run?.name, run?.created_at]);
  return (
    <div class={page.page}>
      <JobNotices kind="duplicates" />
      {runs.error !== undefined && <Problem error={runs.error} onRetry={() => runs.reload()} />}
      {!runs.value && runs.loading && <Skeleton height="360px" />}
      {runs.value && !run && <Nothing ask={ask} />}
      {run && <Found run={run} runs={runs.value!} ask={ask} />}
      {asking && <NewSearch last={run} onClose={() => setAsking(false)} />}
    </div>
  );
}

function Nothing({ ask }: { ask: () => void }) {
  return (
    <Empty
      icon="duplicates"
      title="Duplicates were not looked for yet"
      action={
        <Button look="primary" icon="duplicates" refused={refusal("write")} onClick={ask}>
          Look for duplicates
        </Button>
      }
    >
      Copies, pictures saved anew or scaled, and mirrored ones are found by their bytes, a perceptual hash and the
      embedding. Nothing is deleted by looking.
    </Empty>
  );
}

function Found({ run, runs, ask }: { run: Duplicates; runs: readonly Duplicates[]; ask: () => void }) {
  const view = (["leakage", "plan"].includes(route.value.params["view"] ?? "") ? route.value.params["view"] : "walk") as View;
  const copies = run.exact + run.near_duplicates + run.variants;
  return (
    <>
      <header class={page.head}>
        <div>
          <h1>{run.groups === 0 ? "No duplicates" : `${run.groups.toLocaleString()} ${run.groups === 1 ? "picture is" : "pictures are"} there more than once`}</h1>
          <p class="numbers">
            {copies.toLocaleString()} of {run.points.toLocaleString()} images are duplicates of another:{" "}
            {run.exact.toLocaleString()} exact, {run.near_duplicates.toLocaleString()} near, {run.variants.toLocaleString()} variants.
          </p>
        </div>
        <div class={page.actions}>
          {runs.length > 1 && (
            <Select
              aria-label="Search"
              class={css.runs}
              value={run.name}
              options={runs.map((one) => [one.name, one.name] as const)}
              onChange={(name) => go({ run: name, group: undefined })}
            />
          )}
          <Button icon="retry" refused={refusal("write")} onClick={ask}>
            Look again
          </Button>
        </div>
      </header>
      {run.groups > 0 && (
        <>
          <div class={css.views}>
            <Segmented<View>
              label="View"
              options={[
                ["walk", "Group by group"],
                ["leakage", "Between splits"],
                ["plan", "All at once"],
              ]}
              value={view}
              onChange={(next) => go({ view: next === "walk" ? undefined : next })}
            />
          </div>
          {view === "walk" && <Walk run={run} />}
          {view === "leakage" && <Leakage run={run} />}
          {view === "plan" && <Plan run={run} />}
        </>
      )}
    </>
  );
}
