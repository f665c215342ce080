import type { IndexedImage } from "lookalike-client";

import { useResource } from "../state/resource.ts";
import { collection } from "../state/service.ts";
import { route } from "../state/route.ts";
import { openImage } from "../picture/PicturePanel.tsx";
import { Button, Chip, IconButton } from "../ui/controls.tsx";
import { Problem } from "../ui/feedback.tsx";
import { Thumb } from "../ui/Thumb.tsx";
import { decided, type Group, members } from "./decisions.ts";
import css from "./duplicates.module.css";
import { compareFacts, type Facts, type Line, why } from "./words.ts";

const SHOWN = 24;

/** The images of a group side by side: what differs, which is kept, which goes. */
export function GroupView({
  group,
  onFlip,
  onKeepOnly,
}: {
  group: Group;
  onFlip: (id: string) => void;
  onKeepOnly: (id: string) => void;
}) {
  const ids = members(group).slice(0, SHOWN);
  const records = useResource(async (signal) => recordsOf(ids, signal), [group.representative, ids.length]);
  const gone = decided.value.get(group.representative);
  const facts = ids.map((id): Facts => {
    const own = id === group.representative ? group : group.duplicates.find((one) => one.id === id)!;
    const record = records.value?.get(id);
    return { ...own, indexedAt: record?.indexed_at, metadata: record?.metadata };
  });
  const lines = compareFacts(facts);
  return (
    <>
      {records.error !== undefined && <Problem error={records.error} onRetry={() => records.reload()} />}
      <ul class={css.cards} aria-label="Images of the group">
        {ids.map((id, i) => (
          <Card
            key={id}
            id={id}
            number={i + 1}
            fate={gone === undefined ? undefined : gone.has(id) ? "goes" : "stays"}
            reason={id === group.representative ? "Proposed to be kept" : why(group.duplicates.find((one) => one.id === id)!)}
            lines={lines[i]!}
            onFlip={() => onFlip(id)}
            onKeepOnly={() => onKeepOnly(id)}
          />
        ))}
      </ul>
      {group.size > SHOWN && <p class="muted small">And {group.size - SHOWN} more in this group.</p>}
    </>
  );
}

async function recordsOf(ids: readonly string[], signal: AbortSignal): Promise<ReadonlyMap<string, IndexedImage>> {
  const found = new Map<string, IndexedImage>();
  for await (const image of collection.value!.images({ must: [{ has_id: ids }] }, { signal })) found.set(image.id, image);
  return found;
}

function Card({
  id,
  number,
  fate,
  reason,
  lines,
  onFlip,
  onKeepOnly,
}: {
  id: string;
  number: number;
  fate: "goes" | "stays" | undefined;
  reason: string;
  lines: readonly Line[];
  onFlip: () => void;
  onKeepOnly: () => void;
}) {
  return (
    <li class={`${css.card} ${fate ? css[fate] : ""}`}>
      <button
        type="button"
        class={css.picture}
        aria-pressed={fate === "goes"}
        aria-label={`${id}: ${fate === "goes" ? "marked to be deleted; keep it" : "mark it to be deleted"}`}
        onClick={onFlip}
      >
        <Thumb collection={route.value.collection!} id={id} fit="contain" />
        {number < 10 && <span class={css.number}>{number}</span>}
        {fate === "goes" && <span class={css.cross}>Goes</span>}
      </button>
      <div class={css.about}>
        <strong title={id}>{id}</strong>
        <p class={css.reason}>
          {fate === "stays" ? <Chip tone="good">kept</Chip> : fate === "goes" ? <Chip tone="bad">to be deleted</Chip> : null} {reason}
        </p>
        <dl>
          {lines.map((line) => (
            <div key={line.name} class={line.differs ? css.differs : undefined}>
              <dt>{line.name}</dt>
              <dd class={line.best ? css.best : undefined} title={line.text}>
                {line.text}
              </dd>
            </div>
          ))}
        </dl>
        <div class={css.cardActions}>
          <Button look="quiet" onClick={onKeepOnly}>
            Keep only this
          </Button>
          <IconButton icon="image" label={`Details of ${id}`} onClick={() => openImage(id)} />
        </div>
      </div>
    </li>
  );
}
