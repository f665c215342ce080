import { useState } from "preact/hooks";

import { key, keyWanted } from "../state/service.ts";
import { Button, Field, TextInput } from "../ui/controls.tsx";
import { Dialog } from "../ui/Dialog.tsx";

/** Asks for the API key; it is kept in this tab until that is closed. */
export function KeyDialog() {
  const [text, setText] = useState("");
  const close = () => (keyWanted.value = false);
  const save = () => {
    if (text.trim() === "") return;
    keyWanted.value = false;
    key.value = text.trim();
  };
  return (
    <Dialog
      title="API key"
      onClose={close}
      footer={
        <>
          {key.value !== undefined && (
            <Button
              look="quiet"
              onClick={() => {
                close();
                key.value = undefined;
              }}
            >
              Forget the key
            </Button>
          )}
          <Button look="primary" refused={text.trim() === "" ? "Enter a key first." : undefined} onClick={save}>
            Use this key
          </Button>
        </>
      }
    >
      <p class="muted">
        {key.value === undefined
          ? "This service asks for a key. Whoever runs it can give you one."
          : "Enter another key; the one before was refused, or you want to change it."}
      </p>
      <form
        onSubmit={(event) => {
          event.preventDefault();
          save();
        }}
      >
        <Field label="Key" hint="Kept in this tab only, and sent to this service only.">
          {(id, described) => (
            <TextInput
              id={id}
              aria-describedby={described}
              type="password"
              value={text}
              autofocus
              onInput={(event) => setText(event.currentTarget.value)}
            />
          )}
        </Field>
      </form>
    </Dialog>
  );
}
