// What is shown while, instead of or after something: skeletons, empty states, problems, toasts.

import { signal } from "@preact/signals";
import type { ComponentChildren } from "preact";

import { advice, isAbort } from "../api/advice.ts";
import { keyWanted } from "../state/service.ts";
import { Button, IconButton } from "./controls.tsx";
import css from "./feedback.module.css";
import { Icon, type IconName } from "./Icon.tsx";

/** A grey shape in the place of what is loading. */
export function Skeleton({ width = "100%", height = "1em" }: { width?: string; height?: string }) {
  return <span class={css.skeleton} style={{ width, height }} aria-hidden="true" />;
}

/** Nothing is here: why, and what to do next. */
export function Empty({
  icon,
  title,
  children,
  action,
}: {
  icon: IconName;
  title: string;
  children?: ComponentChildren;
  action?: ComponentChildren;
}) {
  return (
    <div class={css.empty}>
      <span class={css.emptyIcon}>
        <Icon name={icon} size={28} />
      </span>
      <h2>{title}</h2>
      {children && <div class={css.emptyText}>{children}</div>}
      {action && <div class={css.emptyAction}>{action}</div>}
    </div>
  );
}

/** An error in the place of what it kept from coming: its detail, and what to do. */
export function Problem({ error, onRetry }: { error: unknown; onRetry?: () => void }) {
  if (isAbort(error)) return null;
  const { title, detail, todo } = advice(error);
  const status = (error as { status?: number }).status;
  return (
    <div class={css.problem} role="alert">
      <Icon name="warning" />
      <div>
        <strong>{title}</strong>
        <p>{detail}</p>
        {todo && <p class="muted">{todo}</p>}
        <div class={css.problemActions}>
          {status === 401 && (
            <Button icon="key" onClick={() => (keyWanted.value = true)}>
              Enter a key
            </Button>
          )}
          {onRetry && status !== 401 && (
            <Button icon="retry" onClick={onRetry}>
              Try again
            </Button>
          )}
        </div>
      </div>
    </div>
  );
}

interface Toast {
  id: number;
  text: string;
  tone: "plain" | "bad";
  action?: { label: string; run: () => void };
}

const toasts = signal<readonly Toast[]>([]);
let lastToast = 0;
const TOAST_MS = 6000;

/** Say something for a few seconds; errors stay until they are closed. */
export function toast(text: string, more: Partial<Pick<Toast, "tone" | "action">> = {}): void {
  const id = ++lastToast;
  toasts.value = [...toasts.value.slice(-2), { id, text, tone: "plain", ...more }];
  if (more.tone !== "bad") setTimeout(() => closeToast(id), TOAST_MS);
}

/** Say that something failed. */
export function toastError(error: unknown): void {
  if (isAbort(error)) return;
  const { title, detail } = advice(error);
  toast(`${title}: ${detail}`, { tone: "bad" });
}

function closeToast(id: number): void {
  toasts.value = toasts.value.filter((toast) => toast.id !== id);
}

/** Where toasts appear; the shell has it. */
export function Toasts() {
  return (
    <div class={css.toasts} role="status" aria-live="polite">
      {toasts.value.map(({ id, text, tone, action }) => (
        <div key={id} class={`${css.toast} ${tone === "bad" ? css.toastBad : ""}`}>
          <span>{text}</span>
          {action && (
            <Button
              look="quiet"
              onClick={() => {
                closeToast(id);
                action.run();
              }}
            >
              {action.label}
            </Button>
          )}
          <IconButton icon="close" label="Close" onClick={() => closeToast(id)} />
        </div>
      ))}
    </div>
  );
}
