import type { Clustering } from "lookalike-client";
import { useEffect, useRef, useState } from "preact/hooks";

import { refusal } from "../state/access.ts";
import { clusterings, collection } from "../state/service.ts";
import { IconButton, TextInput } from "../ui/controls.tsx";
import { toastError } from "../ui/feedback.tsx";
import { categoricalCss } from "../ui/palette.ts";
import css from "./clusters.module.css";
import { type Cluster, nameOf } from "./state.ts";

/** A cluster's name, which can be changed in its place. */
export function Name({ run, cluster, large = false }: { run: Clustering; cluster: Cluster; large?: boolean }) {
  const [draft, setDraft] = useState<string>();
  const field = useRef<HTMLInputElement>(null);
  const button = useRef<HTMLSpanElement>(null);
  const editing = draft !== undefined;
  useEffect(() => {
    if (editing) field.current?.select();
  }, [editing]);
  const ended = useRef(false); // a field that goes away loses the focus too
  const close = () => {
    ended.current = true;
    setDraft(undefined);
    requestAnimationFrame(() => button.current?.querySelector("button")?.focus());
  };
  const save = async () => {
    if (ended.current) return;
    const name = (draft ?? "").trim();
    close();
    if (name === (cluster.name ?? "")) return;
    try {
      const clusters = { [cluster.label]: { name: name === "" ? null : name } };
      const next = await collection.peek()!.describeClusters(run.name, { clusters });
      clusterings.set((clusterings.value ?? []).map((one) => (one.name === next.name ? next : one)));
    } catch (error) {
      toastError(error);
    }
  };
  if (editing) {
    return (
      <form
        class={css.naming}
        onSubmit={(event) => {
          event.preventDefault();
          void save();
        }}
      >
        <TextInput
          ref={field}
          aria-label={`New name of ${nameOf(cluster)}`}
          value={draft}
          maxLength={100}
          placeholder={`cluster ${cluster.label}`}
          onInput={(event) => setDraft(event.currentTarget.value)}
          onBlur={() => void save()}
          onKeyDown={(event) => {
            if (event.key !== "Escape") return;
            event.preventDefault();
            close();
          }}
        />
      </form>
    );
  }
  const Heading = large ? "h1" : "h2";
  return (
    <span ref={button} class={css.name}>
      <i style={{ background: categoricalCss(cluster.label) }} />
      <Heading>{nameOf(cluster)}</Heading>
      <IconButton
        icon="edit"
        label={`Rename ${nameOf(cluster)}`}
        refused={refusal("write")}
        onClick={() => {
          ended.current = false;
          setDraft(cluster.name ?? "");
        }}
      />
    </span>
  );
}
