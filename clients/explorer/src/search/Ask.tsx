import { useRef, useState } from "preact/hooks";

import { described, embedsText } from "../state/service.ts";
import { Button, TextInput } from "../ui/controls.tsx";
import css from "./search.module.css";
import { searchByPicture, searchByText } from "./taking.ts";

/** The ways to ask: choose a picture, take one, or say it in words. */
export function Ask({ large = false }: { large?: boolean }) {
  return (
    <div class={large ? css.askLarge : css.ask}>
      <Words />
      <div class={css.choose}>
        <ChoosePicture look={large ? "primary" : "plain"} label="Choose a picture" icon="image" />
        <span class={css.camera}>
          <ChoosePicture look="plain" label="Take a photo" icon="camera" camera />
        </span>
      </div>
    </div>
  );
}

function ChoosePicture({
  label,
  icon,
  look,
  camera = false,
}: {
  label: string;
  icon: "image" | "camera";
  look: "primary" | "plain";
  camera?: boolean;
}) {
  const input = useRef<HTMLInputElement>(null);
  return (
    <>
      <Button look={look} icon={icon} onClick={() => input.current!.click()}>
        {label}
      </Button>
      <input
        ref={input}
        type="file"
        accept="image/*"
        hidden
        {...(camera ? { capture: "environment" } : {})}
        onChange={(event) => {
          const [file] = event.currentTarget.files ?? [];
          event.currentTarget.value = "";
          if (file) void searchByPicture(file);
        }}
      />
    </>
  );
}

function Words() {
  const [text, setText] = useState("");
  if (!embedsText.value) return null;
  return (
    <form
      role="search"
      onSubmit={(event) => {
        event.preventDefault();
        searchByText(text);
      }}
    >
      <TextInput
        type="search"
        data-words
        aria-label="Search by words"
        placeholder="Describe it in words"
        value={text}
        onInput={(event) => setText(event.currentTarget.value)}
      />
    </form>
  );
}

/** Why there is no field for words, where there is none. */
export function NoWords() {
  if (embedsText.value !== false || !described.value) return null;
  return (
    <p class="muted small">
      Words cannot be searched for here: <span class="mono">{described.value.model}</span> sees pictures only. A
      collection made with a CLIP model can.
    </p>
  );
}
