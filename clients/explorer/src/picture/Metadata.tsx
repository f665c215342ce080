import type { IndexedImage } from "lookalike-client";
import { useState } from "preact/hooks";

import { setFilter } from "../filter/state.ts";
import { refusal } from "../state/access.ts";
import { changed, collection, described } from "../state/service.ts";
import { Button, IconButton, TextInput } from "../ui/controls.tsx";
import { toastError } from "../ui/feedback.tsx";
import css from "./picture.module.css";
import { patch, type Row, shown } from "./values.ts";

/** What its owner says of an image: a value of an indexed field filters by it, and all can be edited. */
export function Metadata({ image, onChange }: { image: IndexedImage; onChange: (image: IndexedImage) => void }) {
  const [editing, setEditing] = useState(false);
  const entries = Object.entries(image.metadata);
  if (editing) return <Editor image={image} onChange={onChange} onClose={() => setEditing(false)} />;
  return (
    <section>
      <div class={css.sectionTitle}>
        <h3>Metadata</h3>
        <IconButton icon="edit" label="Edit the metadata" refused={refusal("write")} onClick={() => setEditing(true)} />
      </div>
      {entries.length === 0 && <p class="muted small">None.</p>}
      <dl class={css.rows}>
        {entries.map(([name, value]) => (
          <div key={name}>
            <dt>{name}</dt>
            <dd>
              <Value field={`metadata.${name}`} value={value} />
            </dd>
          </div>
        ))}
      </dl>
    </section>
  );
}

function Value({ field, value }: { field: string; value: unknown }) {
  const plain = typeof value === "string" || typeof value === "boolean" || Number.isInteger(value);
  if (!plain || !(field in (described.value?.indexes ?? {}))) return <>{shown(value)}</>;
  return (
    <button
      type="button"
      class={css.value}
      title="Show only images with this value"
      onClick={() => setFilter({ must: [{ key: field, match: { value } }] })}
    >
      {shown(value)}
    </button>
  );
}

function Editor({
  image,
  onChange,
  onClose,
}: {
  image: IndexedImage;
  onChange: (image: IndexedImage) => void;
  onClose: () => void;
}) {
  const [rows, setRows] = useState<Row[]>([
    ...Object.entries(image.metadata).map(([key, value]) => ({ key, text: shown(value) })),
    { key: "", text: "" },
  ]);
  const edit = (i: number, change: Partial<Row>) => {
    const next = rows.with(i, { ...rows[i]!, ...change });
    setRows(next.at(-1)!.key === "" ? next : [...next, { key: "", text: "" }]);
  };
  const save = async () => {
    try {
      const changes = patch(image.metadata, rows);
      if (Object.keys(changes).length > 0) {
        onChange(await collection.peek()!.update(image.id, changes));
        changed();
      }
      onClose();
    } catch (error) {
      toastError(error);
    }
  };
  return (
    <form
      class={css.editor}
      onSubmit={(event) => {
        event.preventDefault();
        void save();
      }}
    >
      <h3>Metadata</h3>
      {rows.map((row, i) => (
        <div key={i}>
          <TextInput
            aria-label="Name of the field"
            placeholder="field"
            value={row.key}
            onInput={(event) => edit(i, { key: event.currentTarget.value })}
          />
          <TextInput
            aria-label={`Value of ${row.key || "the new field"}`}
            placeholder="value"
            value={row.text}
            onInput={(event) => edit(i, { text: event.currentTarget.value })}
          />
          <IconButton
            icon="close"
            label={`Remove ${row.key || "this row"}`}
            onClick={() => setRows(rows.length > 1 ? rows.toSpliced(i, 1) : rows)}
          />
        </div>
      ))}
      <div class={css.editorEnd}>
        <Button look="quiet" onClick={onClose}>
          Cancel
        </Button>
        <button type="submit" class="hidden" tabIndex={-1}>
          Save
        </button>
        <Button look="primary" onClick={() => void save()}>
          Save
        </Button>
      </div>
    </form>
  );
}
