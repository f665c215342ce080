// The keyboard: one listener, and a list of what keys do now, which the help shows.

import { signal } from "@preact/signals";
import { useLayoutEffect, useRef } from "preact/hooks";

/** What a key does. */
export interface Key {
  /** As `KeyboardEvent.key` has it, such as "q", "?", "ArrowLeft"; or two in a row, such as "g m". */
  keys: string;
  /** In words, for the help. */
  does: string;
  /** Answers false to let the browser do what it does with the key. */
  run: () => void | false;
  /** Also while typing in a field; for Escape. */
  typing?: boolean;
}

interface Scope {
  title: string;
  keys: () => Key[];
}

const PAUSE_MS = 1200;

/** The scopes that are on the page, the innermost last. */
export const scopes = signal<readonly Scope[]>([]);

let first: { key: string; at: number } | undefined;

/** Bind keys as long as the component lives; the scope that came last wins. Escape in a dialog is the dialog's. */
export function useKeys(title: string, keys: Key[]): void {
  const current = useRef(keys);
  current.current = keys;
  // In time for a key that follows at once: effects come after the next frame.
  useLayoutEffect(() => {
    const scope: Scope = { title, keys: () => current.current };
    scopes.value = [...scopes.peek(), scope];
    return () => (scopes.value = scopes.peek().filter((one) => one !== scope));
  }, [title]);
}

function onKey(event: KeyboardEvent): void {
  if (event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey) return;
  if (document.querySelector("dialog[open]") || isPressing(event)) return;
  const typing = isTyping(event);
  const both = first && event.timeStamp - first.at < PAUSE_MS ? `${first.key} ${event.key}` : undefined;
  first = undefined;
  const all = scopes.peek().toReversed().flatMap((scope) => scope.keys());
  const usable = all.filter((key) => !typing || key.typing);
  const found = usable.find((key) => key.keys === both) ?? usable.find((key) => key.keys === event.key);
  if (found) {
    if (found.run() !== false) event.preventDefault();
  } else if (usable.some((key) => key.keys.startsWith(`${event.key} `))) {
    first = { key: event.key, at: event.timeStamp };
  }
}

function isTyping({ key, target }: KeyboardEvent): boolean {
  if (!(target instanceof HTMLElement)) return false;
  if (target instanceof HTMLInputElement && target.type === "radio") return key.startsWith("Arrow"); // chooses another
  if (target instanceof HTMLInputElement) return !["checkbox", "button", "file"].includes(target.type);
  return target.isContentEditable || target instanceof HTMLTextAreaElement || target instanceof HTMLSelectElement;
}

/** Enter and space belong to the button or link that has the focus. */
function isPressing({ key, target }: KeyboardEvent): boolean {
  return (key === "Enter" || key === " ") && target instanceof Element && target.matches("button, a, summary, input");
}

globalThis.addEventListener?.("keydown", onKey);
