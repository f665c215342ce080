import { fieldName } from "../filter/conditions.ts";
import { useResource } from "../state/resource.ts";
import { go } from "../state/route.ts";
import { clusterings, collection, described } from "../state/service.ts";
import { Field, Select, Slider } from "../ui/controls.tsx";
import type { Query } from "./query.ts";
import css from "./search.module.css";
import { calibrated } from "./state.ts";

/** How hits are chosen from what is near. */
export function Options({ query }: { query: Query }) {
  const fields = Object.keys(described.value?.indexes ?? {}).sort();
  const groups = [
    ["", "no groups"] as const,
    ...fields.map((field) => [field, fieldName(field)] as const),
    ...(clusterings.value ?? []).map((run) => [`clusters.${run.name}`, `cluster of ${run.name}`] as const),
  ];
  return (
    <details class={css.options} open={matchMedia("(min-width: 701px)").matches}>
      <summary>Options</summary>
      <Field label="Best of each">
        {(id, hint) => (
          <Select
            id={id}
            aria-describedby={hint}
            options={groups}
            value={query.groupBy ?? ""}
            onChange={(group) => go({ group: group || undefined })}
          />
        )}
      </Field>
      {!query.groupBy && (
        <Slider
          label="Diversity"
          text={query.diversity === 0 ? "off" : query.diversity.toFixed(1)}
          value={query.diversity}
          min={0}
          max={1}
          step={0.1}
          onInput={(value) => go({ diversity: value === 0 ? undefined : value.toFixed(1) }, { replace: true })}
        />
      )}
      <LowestScore query={query} />
    </details>
  );
}

/** Only hits from a verdict on, where the collection is calibrated; else from a score on. */
function LowestScore({ query }: { query: Query }) {
  const known = calibrated.value;
  const calibration = useResource((signal) => (known ? collection.value?.calibration({ signal }) : undefined), [known]);
  const { similar, near_duplicate: copies } = calibration.value ?? {};
  if (similar === undefined) {
    return (
      <Slider
        label="Lowest score"
        text={query.threshold === undefined ? "any" : query.threshold.toFixed(2)}
        value={query.threshold ?? 0}
        min={0}
        max={1}
        step={0.05}
        onInput={(value) => go({ min: value === 0 ? undefined : value.toFixed(2) }, { replace: true })}
      />
    );
  }
  const rounded = (score: number) => score.toFixed(4);
  const choices = [
    ["", "everything"] as const,
    [rounded(similar), `similar: ${similar.toFixed(2)} and more`] as const,
    ...(copies ? [[rounded(copies), `near duplicates: ${copies.toFixed(2)} and more`] as const] : []),
  ];
  const now = query.threshold === undefined ? "" : rounded(query.threshold);
  const other = choices.some(([value]) => value === now) ? [] : [[now, `${now} and more`] as const];
  return (
    <Field label="Show">
      {(id, hint) => (
        <Select
          id={id}
          aria-describedby={hint}
          options={[...choices, ...other]}
          value={now}
          onChange={(min) => go({ min: min || undefined })}
        />
      )}
    </Field>
  );
}
