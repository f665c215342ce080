import type { Filter } from "lookalike-client";
import { useState } from "preact/hooks";

import { Button, Chip } from "../ui/controls.tsx";
import { MenuItem, Popover } from "../ui/Popover.tsx";
import { clusterings, described } from "../state/service.ts";
import { type Condition, describe, fieldName, read, write } from "./conditions.ts";
import { FieldValues } from "./FieldValues.tsx";
import css from "./filter.module.css";
import { valueName } from "./state.ts";

/** Chips of a filter's conditions, and a menu to add one: fields first, then their values with counts. */
export function FilterBuilder({
  value,
  onChange,
  label = "Filter",
  oneLine = false,
}: {
  value: Filter | undefined;
  onChange: (filter: Filter | undefined) => void;
  label?: string;
  /** Chips that find no room are scrolled to. */
  oneLine?: boolean;
}) {
  const conditions = read(value);
  if (conditions === undefined) {
    return (
      <Chip tone="accent" title={JSON.stringify(value)} onRemove={() => onChange(undefined)} removeLabel="Remove the filter">
        custom filter
      </Chip>
    );
  }
  return (
    <div class={css.builder} role="group" aria-label={label}>
      <div class={oneLine ? css.scrolled : css.chips}>
        {conditions.map((one, i) => {
          const text = describe(one, valueName);
          return (
            <Chip
              key={text}
              tone="accent"
              title={text}
              onRemove={() => onChange(write(conditions.toSpliced(i, 1)))}
              removeLabel={`Remove: ${text}`}
            >
              {text}
            </Chip>
          );
        })}
      </div>
      <Popover
        label="Add a filter"
        trigger={(props) => (
          <Button look="quiet" icon="filter" {...props} data-filter>
            {conditions.length === 0 ? label : <span class="hidden">Add a filter</span>}
          </Button>
        )}
      >
        {(close) => <AddCondition conditions={conditions} onChange={(next) => onChange(write(next))} close={close} />}
      </Popover>
    </div>
  );
}

/** The fields that can be filtered by, then the values of the one that is chosen. */
function AddCondition({
  conditions,
  onChange,
  close,
}: {
  conditions: readonly Condition[];
  onChange: (conditions: readonly Condition[]) => void;
  close: () => void;
}) {
  const [field, setField] = useState<string>();
  if (field !== undefined) {
    return (
      <FieldValues
        field={field}
        type={described.value?.indexes[field]}
        conditions={conditions}
        onChange={onChange}
        onBack={() => setField(undefined)}
        close={close}
      />
    );
  }
  const indexed = Object.entries(described.value?.indexes ?? {}).sort();
  const others = Object.keys(described.value?.fields ?? {}).filter((name) => !(name in (described.value?.indexes ?? {})));
  const runs = clusterings.value ?? [];
  return (
    <>
      {indexed.map(([name, type]) => (
        <MenuItem key={name} detail={type} onClick={() => setField(name)}>
          {fieldName(name)}
        </MenuItem>
      ))}
      {runs.map((run) => (
        <MenuItem key={run.name} detail={`${run.clusters.length} clusters`} onClick={() => setField(`clusters.${run.name}`)}>
          {run.name}
        </MenuItem>
      ))}
      {indexed.length + runs.length === 0 && (
        <p class={css.note}>Nothing to filter by yet: images have no metadata, and there is no clustering.</p>
      )}
      {others.length > 0 && (
        <p class={css.note}>
          Without an index, so not to be filtered by: {others.slice(0, 5).map(fieldName).join(", ")}
          {others.length > 5 ? ` and ${others.length - 5} more` : ""}.
        </p>
      )}
    </>
  );
}
