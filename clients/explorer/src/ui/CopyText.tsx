import { useRef, useState } from "preact/hooks";

import { Button } from "./controls.tsx";
import css from "./CopyText.module.css";

const SAID_MS = 2000;

/** Text to copy. Where the browser forbids that, as on plain HTTP, it is selected for the keyboard. */
export function CopyText({ label, text }: { label: string; text: string }) {
  const box = useRef<HTMLPreElement>(null);
  const [said, setSaid] = useState<string>();
  const copy = async () => {
    try {
      await navigator.clipboard.writeText(text);
      setSaid("Copied");
    } catch {
      getSelection()?.selectAllChildren(box.current!);
      setSaid("Selected: press Ctrl+C");
    }
    setTimeout(() => setSaid(undefined), SAID_MS);
  };
  return (
    <div class={css.copy}>
      <pre ref={box} tabIndex={0} aria-label={label}>
        {text}
      </pre>
      <Button look="primary" icon={said ? "check" : "copy"} onClick={() => void copy()}>
        {said ?? "Copy"}
      </Button>
    </div>
  );
}
