import type { Duplicates } from "lookalike-client";
import { useEffect, useRef, useState } from "preact/hooks";

import { fieldName } from "../filter/conditions.ts";
import { csv } from "../indexing/csv.ts";
import { useKeys } from "../keys/registry.ts";
import { refusal } from "../state/access.ts";
import { useResource } from "../state/resource.ts";
import { collection, described } from "../state/service.ts";
import { go, route } from "../state/route.ts";
import { Button, IconButton, Kbd, Segmented, Select } from "../ui/controls.tsx";
import { Empty, Problem, Skeleton } from "../ui/feedback.tsx";
import { save } from "../ui/save.ts";
import { Thumb } from "../ui/Thumb.tsx";
import page from "../ui/room.module.css";
import { canUndo, decided, flip, type Group, keepAll, keepOnly, marked, members, undo } from "./decisions.ts";
import { DeleteMarked } from "./DeleteMarked.tsx";
import css from "./duplicates.module.css";
import { GroupView } from "./GroupView.tsx";
import { type Kind, KINDS } from "./words.ts";

const PAGE = 50;

/** The groups one after the other: keep one of each, or all, by keys or clicks. */
export function Walk({ run }: { run: Duplicates }) {
  const { kind, across } = route.value.params;
  const only = kind !== undefined && kind in KINDS ? (kind as Kind) : undefined;
  const at = Math.max(0, Number(route.value.params["group"] ?? 1) - 1 || 0);
  const offset = Math.floor(at / PAGE) * PAGE;
  const [deleting, setDeleting] = useState(false);
  const groups = useResource(
    (signal) =>
      collection.value?.duplicateGroups(
        run.name,
        { limit: PAGE, offset, ...(only ? { kind: only } : {}), ...(across ? { across } : {}) },
        { signal },
      ),
    [run.name, run.created_at, only, across, offset],
  );
  const list = groups.value?.groups ?? [];
  const i = Math.min(at - offset, list.length - 1);
  const group = list[i];
  const listed = groups.value?.total ?? 0;
  // Groups of which one image is left are counted by the service until the next search, but not given.
  const total = listed - (Math.min(PAGE, Math.max(0, listed - offset)) - list.length);
  const move = (to: number) => go({ group: String(to + 1) }, { replace: true });
  const next = () => (i + 1 < list.length ? move(offset + i + 1) : offset + PAGE < listed && move(offset + PAGE));
  const before = () => (i > 0 ? move(offset + i - 1) : offset > 0 && move(offset - 1));
  const withGroup = (act: (group: Group) => void) => () => {
    if (!group) return false;
    act(group);
    return undefined;
  };
  useKeys("Groups of duplicates", [
    { keys: "ArrowRight", does: "Next group", run: () => void next() },
    { keys: "ArrowLeft", does: "Group before", run: () => void before() },
    ...Array.from({ length: 9 }, (_, place) => ({
      keys: String(place + 1),
      does: place === 0 ? "Keep only the first (2 … 9: that one)" : `Keep only number ${place + 1}`,
      run: withGroup((now) => {
        const id = members(now)[place];
        if (id !== undefined) keepOnly(now, id);
      }),
    })),
    { keys: "a", does: "Keep all of the group", run: withGroup(keepAll) },
    { keys: "u", does: "Undo", run: () => (canUndo.peek() ? undo() : false) },
    { keys: "d", does: "Delete what is marked", run: () => (marked.peek().length > 0 ? setDeleting(true) : false) },
  ]);
  return (
    <>
      <Tools only={only} across={across} />
      {groups.error !== undefined && <Problem error={groups.error} onRetry={() => groups.reload()} />}
      {!groups.value && groups.loading && <Skeleton height="420px" />}
      {groups.value && !group && (
        <Empty
          icon="duplicates"
          title="No group of this sort is left"
          action={offset + PAGE < listed && <Button onClick={() => move(offset + PAGE)}>Go on with the next</Button>}
        >
          {offset + PAGE < listed ? "Those of this page are decided." : only || across ? "Choose another kind above." : "All were decided. Look again to see whether any are left."}
        </Empty>
      )}
      {group && (
        <>
          <div class={css.groupHead}>
            <IconButton icon="arrowLeft" label="Group before (←)" onClick={() => before()} />
            <h2 class="numbers" aria-live="polite">
              Group {offset + i + 1} of {total.toLocaleString()}
            </h2>
            <IconButton icon="arrowRight" label="Next group (→)" onClick={() => next()} />
            <span class={`${css.keys} muted small`}>
              <Kbd>1</Kbd>…<Kbd>9</Kbd> keep only that one <Kbd>a</Kbd> keep all <Kbd>u</Kbd> undo
            </span>
          </div>
          <GroupView key={group.representative} group={group} onFlip={(id) => flip(group, id)} onKeepOnly={(id) => keepOnly(group, id)} />
          <Filmstrip groups={list} at={i} onGo={(to) => move(offset + to)} />
        </>
      )}
      <Marked total={run.groups} onDelete={() => setDeleting(true)} />
      {deleting && <DeleteMarked onClose={() => setDeleting(false)} onDone={() => groups.reload()} />}
    </>
  );
}

function Tools({ only, across }: { only: Kind | undefined; across: string | undefined }) {
  const fields = Object.keys(described.value?.fields ?? {}).sort();
  return (
    <div class={css.tools}>
      <Segmented<Kind | "all">
        label="Kind"
        options={[["all", "All"], ...(Object.keys(KINDS) as Kind[]).map((kind) => [kind, KINDS[kind].name] as const)]}
        value={only ?? "all"}
        onChange={(kind) => go({ kind: kind === "all" ? undefined : kind, group: undefined })}
      />
      {fields.length > 0 && (
        <label class={css.inline}>
          <span>Groups</span>
          <Select
            value={across ?? ""}
            options={[["", "all"] as const, ...fields.map((name) => [name, `across several values of ${fieldName(name)}`] as const)]}
            onChange={(name) => go({ across: name || undefined, group: undefined })}
          />
        </label>
      )}
    </div>
  );
}

/** The groups of this page, small: what was decided is ticked. */
function Filmstrip({ groups, at, onGo }: { groups: readonly Group[]; at: number; onGo: (i: number) => void }) {
  const name = route.value.collection!;
  const film = useRef<HTMLUListElement>(null);
  useEffect(() => {
    const [box, current] = [film.current!, film.current!.children[at]];
    if (current instanceof HTMLElement) box.scrollLeft = current.offsetLeft - box.offsetLeft - box.clientWidth / 2;
  }, [at]);
  return (
    <ul ref={film} class={css.film} aria-label="Groups">
      {groups.map((group, i) => (
        <li key={group.representative}>
          <button
            type="button"
            aria-label={`Group of ${group.representative}${decided.value.has(group.representative) ? ", decided" : ""}`}
            aria-current={i === at ? "true" : undefined}
            onClick={() => onGo(i)}
          >
            <Thumb collection={name} id={group.representative} />
            {decided.value.has(group.representative) && <i aria-hidden="true">✓</i>}
          </button>
        </li>
      ))}
    </ul>
  );
}

function Marked({ total, onDelete }: { total: number; onDelete: () => void }) {
  const [count, groups] = [marked.value.length, decided.value.size];
  if (groups === 0) return null;
  const list = () =>
    csv([["id", "kept"], ...[...decided.value].flatMap(([group, ids]) => [...ids].map((id) => [id, keptOf(group, ids)]))]);
  return (
    <div class={css.marked} role="status">
      <span class="numbers">
        <strong>{count.toLocaleString()}</strong> {count === 1 ? "image" : "images"} marked to be deleted, {groups.toLocaleString()} of{" "}
        {total.toLocaleString()} groups decided
      </span>
      <div class={page.actions}>
        <Button look="quiet" icon="retry" refused={canUndo.value ? undefined : "Nothing to undo."} onClick={undo}>
          Undo
        </Button>
        <Button icon="download" onClick={() => save("to-delete.csv", "text/csv", list())}>
          Save the list
        </Button>
        <Button look="danger" icon="trash" refused={refusal("write") ?? (count === 0 ? "Nothing is marked." : undefined)} onClick={onDelete}>
          Delete marked …
        </Button>
      </div>
    </div>
  );
}

/** What stays of a group: its representative, unless that goes too. */
function keptOf(representative: string, gone: ReadonlySet<string>): string {
  return gone.has(representative) ? "" : representative;
}
