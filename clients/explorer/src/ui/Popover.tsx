import type { ComponentChildren } from "preact";
import { useEffect, useRef, useState } from "preact/hooks";

import css from "./Popover.module.css";

/** A button's content that opens below it; Escape or a click elsewhere close it. */
export function Popover({
  trigger,
  align = "start",
  label,
  children,
}: {
  /** Draws the button; it must set these attributes. */
  trigger: (props: { "aria-expanded": boolean; onClick: () => void }) => ComponentChildren;
  align?: "start" | "end";
  label: string;
  children: (close: () => void) => ComponentChildren;
}) {
  const [open, setOpen] = useState(false);
  const place = useRef<HTMLDivElement>(null);
  const panel = useRef<HTMLDivElement>(null);
  const close = () => {
    setOpen(false);
    place.current?.querySelector<HTMLElement>("[aria-expanded]")?.focus();
  };
  useEffect(() => {
    if (!open) return undefined;
    const field = panel.current?.querySelector<HTMLElement>("input, button, select, a[href]");
    (field ?? panel.current)?.focus();
    const outside = (event: PointerEvent) => {
      if (!place.current?.contains(event.target as Node)) setOpen(false);
    };
    addEventListener("pointerdown", outside, true);
    return () => removeEventListener("pointerdown", outside, true);
  }, [open]);
  return (
    <div
      ref={place}
      class={css.place}
      onKeyDown={(event) => {
        if (open && event.key === "Escape") {
          event.preventDefault();
          close();
        }
      }}
    >
      {trigger({ "aria-expanded": open, onClick: () => setOpen(!open) })}
      {open && (
        <div ref={panel} role="dialog" aria-label={label} tabIndex={-1} class={`${css.panel} ${css[align]}`}>
          {children(close)}
        </div>
      )}
    </div>
  );
}

/** Rows of a popover that is a menu: things to do or to choose from. */
export function MenuItem({
  children,
  detail,
  checked,
  onClick,
}: {
  children: ComponentChildren;
  detail?: ComponentChildren;
  checked?: boolean;
  onClick: () => void;
}) {
  return (
    <button type="button" class={css.item} aria-current={checked ? "true" : undefined} onClick={onClick}>
      <span>{children}</span>
      {detail !== undefined && <span class={css.detail}>{detail}</span>}
    </button>
  );
}
