import { useRef } from "preact/hooks";

import { refusal } from "../state/access.ts";
import { Button } from "../ui/controls.tsx";
import { Icon } from "../ui/Icon.tsx";
import css from "./indexing.module.css";
import { chosen, type Found } from "./picked.ts";

/** Where pictures are dropped, or chosen. */
export function Choose({
  over,
  reading,
  take,
}: {
  over: boolean;
  reading: boolean;
  take: (files: Promise<Found>) => void;
}) {
  const refused = refusal("write");
  return (
    <section class={`${css.drop} ${over ? css.over : ""}`} aria-busy={reading}>
      <span class={css.icon}>
        <Icon name="index" size={32} />
      </span>
      <h1>{reading ? "Looking at what is in there …" : over ? "Let go" : "Drop a folder of pictures"}</h1>
      <p class="muted">
        {refused ?? "Or a zip archive, or single pictures. Folders within become labels, if you like."}
      </p>
      <div class={css.choices}>
        <Pick label="Choose a folder" look="primary" refused={refused} folder take={take} />
        <Pick label="Choose files or a zip" look="plain" refused={refused} take={take} />
      </div>
      <p class={css.note}>
        JPEG, PNG, WebP, GIF, TIFF and BMP. The pictures go to this service and nowhere else; it keeps a thumbnail and
        the embedding of each, not the picture. For more than some ten thousand,{" "}
        <code class="mono">lookalike index</code> on the command line is faster and can go on after a stop.
      </p>
    </section>
  );
}

function Pick({
  label,
  look,
  refused,
  folder = false,
  take,
}: {
  label: string;
  look: "primary" | "plain";
  refused: string | undefined;
  folder?: boolean;
  take: (files: Promise<Found>) => void;
}) {
  const input = useRef<HTMLInputElement>(null);
  return (
    <>
      <Button look={look} icon={folder ? "index" : "image"} refused={refused} onClick={() => input.current!.click()}>
        {label}
      </Button>
      <input
        ref={input}
        type="file"
        multiple
        hidden
        aria-label={label}
        {...(folder ? { webkitdirectory: true } : { accept: "image/*,.zip" })}
        onChange={(event) => {
          const { files } = event.currentTarget;
          if (files && files.length > 0) take(chosen(files));
        }}
      />
    </>
  );
}
