import { useState } from "preact/hooks";

import { useResource } from "../state/resource.ts";
import { collection } from "../state/service.ts";
import { Button, Check, Field, IconButton, TextInput } from "../ui/controls.tsx";
import { Problem, Skeleton } from "../ui/feedback.tsx";
import { type Condition, fieldName, type Value, write } from "./conditions.ts";
import css from "./filter.module.css";
import { valueName } from "./state.ts";

const SHOWN = 60;

interface Props {
  field: string;
  type: string | undefined;
  conditions: readonly Condition[];
  onChange: (conditions: readonly Condition[]) => void;
  onBack: () => void;
  close: () => void;
}

/** What a field is to be: some of its values, with how many images hold each, or a range. */
export function FieldValues({ field, type, conditions, onChange, onBack, close }: Props) {
  const others = conditions.filter((one) => one.kind === "ids" || one.field !== field);
  return (
    <div class={css.values}>
      <header>
        <IconButton icon="arrowLeft" label="Back to the fields" onClick={onBack} />
        <h3>{fieldName(field)}</h3>
        <Button look="quiet" onClick={close}>
          Done
        </Button>
      </header>
      {type === "float" ? (
        <RangeOf field={field} onChange={(one) => onChange([...others, one])} close={close} />
      ) : (
        <ValuesOf field={field} conditions={conditions} others={others} onChange={onChange} />
      )}
    </div>
  );
}

function ValuesOf({
  field,
  conditions,
  others,
  onChange,
}: Pick<Props, "field" | "conditions" | "onChange"> & { others: readonly Condition[] }) {
  const context = write(others);
  const facets = useResource(
    (signal) => collection.value?.facets(field, { limit: SHOWN, ...(context ? { filter: context } : {}) }, { signal }),
    [field, JSON.stringify(context)],
  );
  const now = conditions.find((one) => one.kind === "any" && one.field === field && !one.not);
  const values = now?.kind === "any" ? now.values : [];
  if (facets.error) return <Problem error={facets.error} onRetry={() => facets.reload()} />;
  if (!facets.value) return <Skeleton height="120px" />;
  const most = Math.max(1, ...facets.value.values.map((one) => one.count));
  const flip = (value: Value) => {
    const next = values.includes(value) ? values.filter((one) => one !== value) : [...values, value];
    const single = typeof value === "boolean" ? next.slice(-1) : next;
    onChange(single.length ? [...others, { kind: "any", field, values: single, not: false }] : others);
  };
  return (
    <ul class={css.facets}>
      {facets.value.values.map(({ value, count }) => (
        <li key={String(value)}>
          <i class={css.bar} style={{ width: `${(100 * count) / most}%` }} />
          <Check label={valueName(field, value)} checked={values.includes(value)} onChange={() => flip(value)} />
          <span class="numbers muted small">{count.toLocaleString()}</span>
        </li>
      ))}
      {facets.value.values.length === 0 && <li class="muted">No image has a value here.</li>}
      {facets.value.values.length === SHOWN && <li class="muted small">The {SHOWN} most frequent values.</li>}
    </ul>
  );
}

function RangeOf({
  field,
  onChange,
  close,
}: {
  field: string;
  onChange: (condition: Condition) => void;
  close: () => void;
}) {
  const [from, setFrom] = useState("");
  const [to, setTo] = useState("");
  const [gte, lte] = [number(from), number(to)];
  const wrong = Number.isNaN(gte) || Number.isNaN(lte) || (gte === undefined && lte === undefined);
  return (
    <form
      class={css.range}
      onSubmit={(event) => {
        event.preventDefault();
        if (wrong) return;
        onChange({ kind: "range", field, gte, lte, not: false });
        close();
      }}
    >
      <Field label="From">
        {(id) => <TextInput id={id} inputMode="decimal" value={from} onInput={(e) => setFrom(e.currentTarget.value)} />}
      </Field>
      <Field label="To">
        {(id) => <TextInput id={id} inputMode="decimal" value={to} onInput={(e) => setTo(e.currentTarget.value)} />}
      </Field>
      <button type="submit" class="hidden">
        Set
      </button>
      <Button
        look="primary"
        refused={wrong ? "Give a number as the lower or the upper bound." : undefined}
        onClick={() => {
          onChange({ kind: "range", field, gte, lte, not: false });
          close();
        }}
      >
        Set
      </Button>
    </form>
  );
}

function number(text: string): number | undefined {
  return text.trim() === "" ? undefined : Number(text);
}
