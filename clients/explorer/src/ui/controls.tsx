// Buttons, fields and other small controls.

import type { ComponentChildren, JSX } from "preact";
import { useId } from "preact/hooks";

import css from "./controls.module.css";
import { Icon, type IconName } from "./Icon.tsx";

type ButtonProps = Omit<JSX.IntrinsicElements["button"], "type" | "icon"> & {
  /** `primary`: the one thing to do here; `danger`: it cannot be undone; `quiet`: beside others. */
  look?: "primary" | "plain" | "quiet" | "danger";
  icon?: IconName | undefined;
  /** Why it cannot be used now; it stays focusable, so that everybody can read it. */
  refused?: string | undefined;
  children?: ComponentChildren;
};

/** A button with words. */
export function Button({ look = "plain", icon, refused, children, class: more, onClick, ...rest }: ButtonProps) {
  return (
    <button
      {...rest}
      type="button"
      class={`${css.button} ${css[look]} ${more ?? ""}`}
      aria-disabled={refused ? true : undefined}
      title={refused ?? rest.title}
      onClick={refused ? undefined : onClick}
    >
      {icon && <Icon name={icon} size={18} />}
      {children}
    </button>
  );
}

/** A button that is only an icon; `label` is its name and its tip. */
export function IconButton({
  icon,
  label,
  pressed,
  refused,
  class: more,
  onClick,
  ...rest
}: Omit<ButtonProps, "look" | "children" | "label"> & { icon: IconName; label: string; pressed?: boolean }) {
  return (
    <button
      {...rest}
      type="button"
      class={`${css.iconButton} ${more ?? ""}`}
      aria-label={label}
      aria-pressed={pressed}
      aria-disabled={refused ? true : undefined}
      title={refused ?? label}
      onClick={refused ? undefined : onClick}
    >
      <Icon name={icon} />
    </button>
  );
}

/** A field with its label above and what it means below. */
export function Field({
  label,
  hint,
  error,
  children,
}: {
  label: string;
  hint?: ComponentChildren;
  error?: string | undefined;
  children: (id: string, described: string) => ComponentChildren;
}) {
  const id = useId();
  return (
    <div class={css.field}>
      <label for={id}>{label}</label>
      {children(id, `${id}-hint`)}
      <div id={`${id}-hint`} class={error ? css.fieldError : css.hint} role={error ? "alert" : undefined}>
        {error ?? hint}
      </div>
    </div>
  );
}

/** A line of text. */
export function TextInput({ class: more, ...rest }: JSX.IntrinsicElements["input"]) {
  return <input type="text" autocomplete="off" spellcheck={false} {...rest} class={`${css.input} ${more ?? ""}`} />;
}

/** One of a list. */
export function Select({
  options,
  value,
  onChange,
  class: more,
  ...rest
}: Omit<JSX.IntrinsicElements["select"], "onChange" | "value" | "role"> & {
  options: readonly (readonly [value: string, label: string])[];
  value: string;
  onChange: (value: string) => void;
}) {
  return (
    <select
      {...rest}
      class={`${css.input} ${css.select} ${more ?? ""}`}
      value={value}
      onChange={(event) => onChange(event.currentTarget.value)}
    >
      {options.map(([key, label]) => (
        <option key={key} value={key} selected={key === value}>
          {label}
        </option>
      ))}
    </select>
  );
}

/** One of a few, all to be seen. */
export function Segmented<T extends string>({
  label,
  options,
  value,
  onChange,
}: {
  label: string;
  options: readonly (readonly [value: T, label: string])[];
  value: T;
  onChange: (value: T) => void;
}) {
  const name = useId();
  return (
    <fieldset class={css.segmented}>
      <legend class="hidden">{label}</legend>
      {options.map(([key, text]) => (
        <label key={key}>
          <input type="radio" name={name} value={key} checked={key === value} onChange={() => onChange(key)} />
          <span>{text}</span>
        </label>
      ))}
    </fieldset>
  );
}

/** A number on a scale; `text` is its value in words. */
export function Slider({
  label,
  text,
  value,
  min,
  max,
  step,
  onInput,
}: {
  label: string;
  text: string;
  value: number;
  min: number;
  max: number;
  step: number;
  onInput: (value: number) => void;
}) {
  const id = useId();
  return (
    <div class={css.slider}>
      <label for={id}>{label}</label>
      <output for={id} class="numbers">
        {text}
      </output>
      <input
        id={id}
        type="range"
        min={min}
        max={max}
        step={step}
        value={value}
        aria-valuetext={text}
        onInput={(event) => onInput(event.currentTarget.valueAsNumber)}
      />
    </div>
  );
}

/** Something on or off. */
export function Check({
  label,
  checked,
  onChange,
}: {
  label: ComponentChildren;
  checked: boolean;
  onChange: (checked: boolean) => void;
}) {
  return (
    <label class={css.check}>
      <input type="checkbox" checked={checked} onChange={(event) => onChange(event.currentTarget.checked)} />
      <span>{label}</span>
    </label>
  );
}

/** A key of the keyboard. */
export function Kbd({ children }: { children: ComponentChildren }) {
  return <kbd class={css.kbd}>{children}</kbd>;
}

/** A small fact; with `onRemove` it can be taken away, with `onClick` it does something. */
export function Chip({
  children,
  color,
  tone,
  title,
  onClick,
  onRemove,
  removeLabel,
}: {
  children: ComponentChildren;
  /** A dot before it, such as a cluster's colour. */
  color?: string | undefined;
  tone?: "good" | "warn" | "bad" | "accent" | undefined;
  title?: string | undefined;
  onClick?: (() => void) | undefined;
  onRemove?: (() => void) | undefined;
  removeLabel?: string;
}) {
  const inside = (
    <>
      {color && <i class={css.dot} style={{ background: color }} />}
      <span class={css.chipText}>{children}</span>
    </>
  );
  return (
    <span class={`${css.chip} ${tone ? css[tone] : ""}`} title={title}>
      {onClick ? (
        <button type="button" class={css.chipBody} onClick={onClick}>
          {inside}
        </button>
      ) : (
        <span class={css.chipBody}>{inside}</span>
      )}
      {onRemove && (
        <button type="button" class={css.chipRemove} aria-label={removeLabel ?? "Remove"} onClick={onRemove}>
          <Icon name="close" size={14} />
        </button>
      )}
    </span>
  );
}
