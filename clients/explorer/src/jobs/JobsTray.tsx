import { useEffect } from "preact/hooks";

import { upload, uploading } from "../indexing/upload.ts";
import { refusal } from "../state/access.ts";
import { enter } from "../state/route.ts";
import { IconButton } from "../ui/controls.tsx";
import { Problem } from "../ui/feedback.tsx";
import { Popover } from "../ui/Popover.tsx";
import { JobRow } from "./JobRow.tsx";
import css from "./jobs.module.css";
import { active, follow, jobs, listError } from "./state.ts";

let followed = false;

/** The jobs of the service, in the bar: how many run, and with a click all of them. */
export function JobsTray() {
  useEffect(() => {
    if (!followed) follow();
    followed = true;
  }, []);
  const sending = uploading.value ? upload.value : undefined;
  const count = active.value.length + (sending ? 1 : 0);
  const label = count === 0 ? "Jobs" : `Jobs: ${count} running`;
  return (
    <Popover
      label="Jobs"
      align="end"
      trigger={(props) => (
        <span class={css.trigger}>
          <IconButton icon="jobs" label={label} {...props} />
          {count > 0 && (
            <span class={css.badge} aria-hidden="true">
              {count}
            </span>
          )}
        </span>
      )}
    >
      {() => (
        <div class={css.tray}>
          <h2>Jobs</h2>
          {sending && (
            <div class={css.row}>
              <div class={css.what}>
                <strong>Indexing into {sending.collection.name}</strong>
                <span class="muted small numbers">
                  {sending.phase.value} · {sending.done.value.toLocaleString()} of {sending.total.toLocaleString()}
                </span>
              </div>
              <IconButton icon="arrowRight" label="Look at it: indexing" onClick={() => enter("index")} />
            </div>
          )}
          {listError.value !== undefined && <Problem error={listError.value} />}
          {jobs.value.length === 0 && listError.value === undefined && (
            <p class="muted small">Nothing has run yet. Clusterings, maps, comparisons and searches for duplicates appear here.</p>
          )}
          <ul>
            {jobs.value.map((job) => (
              <li key={job.id}>
                <JobRow job={job} refused={refusal("write")} />
              </li>
            ))}
          </ul>
        </div>
      )}
    </Popover>
  );
}
