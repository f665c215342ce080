import type { DeletionPlan, Duplicates } from "lookalike-client";
import { useState } from "preact/hooks";

import { Strip } from "../picture/Strip.tsx";
import { refusal } from "../state/access.ts";
import { useResource } from "../state/resource.ts";
import { changed, collection } from "../state/service.ts";
import { Button, Check } from "../ui/controls.tsx";
import { Dialog } from "../ui/Dialog.tsx";
import { Problem, Skeleton, toast, toastError } from "../ui/feedback.tsx";
import { save } from "../ui/save.ts";
import page from "../ui/room.module.css";
import css from "./duplicates.module.css";
import { type Kind, KINDS } from "./words.ts";

const SHOWN = 24;

/** Deleting all duplicates of some kinds at once: what would go, as a list, and after a question for good. */
export function Plan({ run }: { run: Duplicates }) {
  const [kinds, setKinds] = useState<readonly Kind[]>(["exact", "near"]);
  const [asking, setAsking] = useState(false);
  const plan = useResource(
    (signal) => (kinds.length === 0 ? undefined : collection.value?.deletionPlan(run.name, { kinds: [...kinds], limit: SHOWN }, { signal })),
    [run.name, run.created_at, kinds],
  );
  const counts: Record<Kind, number> = { exact: run.exact, near: run.near_duplicates, variant: run.variants };
  const download = async () => {
    try {
      const text = await collection.peek()!.deletionList(run.name, { kinds: [...kinds] });
      save(`${collection.peek()!.name}-plan.csv`, "text/csv", text);
    } catch (error) {
      toastError(error);
    }
  };
  return (
    <div class={css.plan}>
      <div class={`${page.card} ${page.form}`}>
        <h2>Of each group, keep the best image and delete</h2>
        {(Object.keys(KINDS) as Kind[]).map((kind) => (
          <Check
            key={kind}
            label={
              <>
                <strong>{KINDS[kind].name}</strong> <span class="numbers muted">{counts[kind].toLocaleString()}</span>
                <br />
                <span class="muted small">{KINDS[kind].means}</span>
              </>
            }
            checked={kinds.includes(kind)}
            onChange={(on) => setKinds(on ? [...kinds, kind] : kinds.filter((one) => one !== kind))}
          />
        ))}
        <p class="muted small">Kept is the image with the most pixels, then without lossy compression, then indexed first.</p>
      </div>
      <div class={`${page.card} ${page.form}`}>
        {plan.error !== undefined && <Problem error={plan.error} onRetry={() => plan.reload()} />}
        {kinds.length === 0 && <p class="muted">Choose what to delete.</p>}
        {kinds.length > 0 && !plan.value && plan.loading && <Skeleton height="160px" />}
        {kinds.length > 0 && plan.value && (
          <Outcome plan={plan.value} onDownload={() => void download()} onDelete={() => setAsking(true)} />
        )}
      </div>
      {asking && plan.value && (
        <Apply run={run} plan={plan.value} onClose={() => setAsking(false)} onDone={() => plan.reload()} />
      )}
    </div>
  );
}

function Outcome({ plan, onDownload, onDelete }: { plan: DeletionPlan; onDownload: () => void; onDelete: () => void }) {
  return (
    <>
      <p class={`${css.big} numbers`}>
        <strong>{plan.delete.toLocaleString()}</strong> would go, <strong>{plan.keep.toLocaleString()}</strong> stay
      </p>
      {plan.gone > 0 && (
        <p class="muted small">
          {plan.gone.toLocaleString()} that were planned are gone or replaced since, or what was to be kept for them is:
          those are spared.
        </p>
      )}
      <Strip label="Images that would go" ids={plan.ids} />
      <div class={page.actions}>
        <Button icon="download" onClick={onDownload}>
          Save the plan as CSV
        </Button>
        <Button look="danger" icon="trash" refused={refusal("write") ?? (plan.delete === 0 ? "There is nothing to delete." : undefined)} onClick={onDelete}>
          Delete {plan.delete.toLocaleString()} …
        </Button>
      </div>
    </>
  );
}

function Apply({ run, plan, onClose, onDone }: { run: Duplicates; plan: DeletionPlan; onClose: () => void; onDone: () => void }) {
  const [sure, setSure] = useState(false);
  const [failed, setFailed] = useState<unknown>();
  const apply = async () => {
    try {
      const deleted = await collection.peek()!.deleteDuplicates({ token: plan.token, kinds: plan.kinds }, run.name);
      changed();
      toast(`${deleted.toLocaleString()} ${deleted === 1 ? "image" : "images"} deleted.`);
      onClose();
      onDone();
    } catch (error) {
      setFailed(error);
    }
  };
  return (
    <Dialog
      title={`Delete ${plan.delete.toLocaleString()} images?`}
      onClose={onClose}
      footer={
        <>
          <Button onClick={onClose}>Keep them</Button>
          <Button look="danger" icon="trash" refused={sure ? undefined : "Tick the box first."} onClick={() => void apply()}>
            Delete {plan.delete.toLocaleString()}
          </Button>
        </>
      }
    >
      <div class={page.form}>
        <p>
          They leave the collection with their thumbnails and metadata; this cannot be undone. Files are not touched. What
          was replaced since the search is spared.
        </p>
        <Check label="I have looked at some groups, and want these deleted." checked={sure} onChange={setSure} />
        {failed !== undefined && <Problem error={failed} />}
      </div>
    </Dialog>
  );
}
