import { useRef, useState } from "preact/hooks";

import { read } from "../picture/values.ts";
import { changed, collection, described } from "../state/service.ts";
import { selected, selection } from "../state/selection.ts";
import { fieldName } from "../filter/conditions.ts";
import { Button, Field, TextInput } from "../ui/controls.tsx";
import { Dialog } from "../ui/Dialog.tsx";
import { Problem, toast } from "../ui/feedback.tsx";
import page from "../ui/room.module.css";

const AT_ONCE = 4;

/** Write a value into the metadata of all selected images. */
export function TagDialog({ onClose }: { onClose: () => void }) {
  const [name, setName] = useState("tag");
  const [text, setText] = useState("");
  const [done, setDone] = useState<number>();
  const [failed, setFailed] = useState<unknown>();
  const ended = useRef(new AbortController());
  const count = selected.value;
  const close = () => {
    ended.current.abort(new DOMException("closed", "AbortError"));
    onClose();
  };
  const begin = async () => {
    setFailed(undefined);
    setDone(0);
    try {
      await tagAll([...selection.peek()], { [name.trim()]: read(text.trim()) }, ended.current.signal, setDone);
      toast(`${count.toLocaleString()} images have ${name.trim()} ${text.trim()} now.`);
      onClose();
    } catch (error) {
      if (!ended.current.signal.aborted) setFailed(error);
      setDone(undefined);
    } finally {
      changed(); // also those that were written before one failed
    }
  };
  const missing = name.trim() === "" ? "Name the field." : text.trim() === "" ? "Say which value." : undefined;
  return (
    <Dialog
      title={`Tag ${count.toLocaleString()} images`}
      onClose={close}
      footer={
        <>
          <Button onClick={close}>{done === undefined ? "Cancel" : "Stop"}</Button>
          <Button look="primary" refused={done === undefined ? missing : "It is under way."} onClick={() => void begin()}>
            {done === undefined ? "Tag them" : `${done.toLocaleString()} of ${count.toLocaleString()}`}
          </Button>
        </>
      }
    >
      <div class={page.form}>
        <Field label="Field" hint="Of the metadata; what was in it is replaced.">
          {(id, by) => (
            <TextInput id={id} aria-describedby={by} list="tag-fields" value={name} onInput={(event) => setName(event.currentTarget.value)} />
          )}
        </Field>
        <datalist id="tag-fields">
          {Object.keys(described.value?.fields ?? {}).map((field) => (
            <option key={field} value={fieldName(field)} />
          ))}
        </datalist>
        <Field label="Value" hint="Words, a number, or true and false.">
          {(id, by) => <TextInput id={id} aria-describedby={by} value={text} onInput={(event) => setText(event.currentTarget.value)} />}
        </Field>
        {failed !== undefined && <Problem error={failed} />}
      </div>
    </Dialog>
  );
}

async function tagAll(
  ids: readonly string[],
  metadata: Record<string, unknown>,
  signal: AbortSignal,
  onDone: (count: number) => void,
): Promise<void> {
  const images = collection.peek()!;
  let next = 0;
  let done = 0;
  const work = async () => {
    while (next < ids.length) {
      signal.throwIfAborted();
      await images.update(ids[next++]!, metadata, { signal });
      onDone(++done);
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, work));
}
