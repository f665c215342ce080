import { useState } from "preact/hooks";

import { fieldName } from "../filter/conditions.ts";
import { FilterBuilder } from "../filter/FilterBuilder.tsx";
import { filter, valueName } from "../filter/state.ts";
import { start } from "../jobs/state.ts";
import { refusal } from "../state/access.ts";
import { useResource } from "../state/resource.ts";
import { clusterings, collection, collections, described } from "../state/service.ts";
import { go } from "../state/route.ts";
import { Button, Field, Select, TextInput } from "../ui/controls.tsx";
import { Problem, Skeleton } from "../ui/feedback.tsx";
import page from "../ui/room.module.css";
import css from "./compare.module.css";
import { BLANK, fault, type Form, having, request, REST, type Side } from "./form.ts";

const VALUES = 60;
const OTHERS = "";

/** Two sets are put together: by two values of a field with two clicks, or by any filters. */
export function NewComparison({ known }: { known: readonly string[] }) {
  const [form, setForm] = useState<Form>(() => ({ ...BLANK, first: { title: "", filter: filter.peek() } }));
  const [failed, setFailed] = useState<unknown>();
  const change = (changes: Partial<Form>) => {
    setFailed(undefined);
    setForm({ ...form, ...changes });
  };
  const reason = refusal("write") ?? fault(form);
  const body = request(form);
  const begin = async () => {
    try {
      await start(() => collection.peek()!.compare(body));
      go({ make: undefined, run: body.name });
    } catch (error) {
      setFailed(error);
    }
  };
  return (
    <>
      <header class={page.head}>
        <div>
          <h1>Compare two sets</h1>
          <p>The first is the reference, such as the real pictures; the second is what is compared with it.</p>
        </div>
        <Button icon="arrowLeft" onClick={() => go({ make: undefined })}>
          Back
        </Button>
      </header>
      <Presets change={change} />
      <div class={css.sets}>
        <SetCard heading="First: the reference" side={form.first} onChange={(first) => change({ first })}>
          {!form.first.filter && <p class="muted small">All images. Add a filter, or choose values above.</p>}
        </SetCard>
        <SetCard
          heading="Second"
          side={form.second}
          onChange={(second) => change({ second })}
          filtered={form.elsewhere === ""}
        >
          <Elsewhere form={form} change={change} />
          {form.elsewhere === "" && !form.second.filter && <p class="muted small">All images that are not in the first set.</p>}
        </SetCard>
      </div>
      <div class={css.below}>
        <Field label="Look for the difference in" hint="Which groups of images hold it is told for each cluster.">
          {(id, described) => (
            <Select
              id={id}
              aria-describedby={described}
              value={form.clustering}
              onChange={(clustering) => change({ clustering })}
              options={[
                ["", "clusters found in both sets together"] as const,
                ...(clusterings.value ?? []).map((one) => [one.name, `the clusters of ${one.name}`] as const),
              ]}
            />
          )}
        </Field>
        <Button look="primary" icon="compare" refused={reason} onClick={() => void begin()}>
          Compare
        </Button>
      </div>
      <p class={page.footnote} aria-live="polite">
        {reason ?? `Kept as “${body.name}”${known.includes(body.name) ? ", in place of the comparison of that name" : ""}. Each set needs 20 images.`}
      </p>
      {failed !== undefined && <Problem error={failed} />}
    </>
  );
}

function Presets({ change }: { change: (changes: Partial<Form>) => void }) {
  const fields = [
    ...Object.entries(described.value?.indexes ?? {}).flatMap(([name, type]) => (type === "float" ? [] : [name])),
    ...(clusterings.value ?? []).map((one) => `clusters.${one.name}`),
  ];
  const [picked, setPicked] = useState<string>();
  const [first, setFirst] = useState<string>();
  const [second, setSecond] = useState(OTHERS);
  const field = picked ?? fields[0];
  const facets = useResource(
    (signal) => (field === undefined ? undefined : collection.value?.facets(field, { limit: VALUES }, { signal })),
    [field],
  );
  if (field === undefined) return null;
  const values = facets.value?.values ?? [];
  const sideOf = (key: string): Side => {
    const found = values.find((one) => String(one.value) === key);
    return found ? having(field, found.value, valueName(field, found.value)) : REST;
  };
  const choose = (one: string, other: string) => {
    setFirst(one);
    setSecond(other);
    change({ first: sideOf(one), second: other === OTHERS ? REST : sideOf(other), elsewhere: "" });
  };
  const options = values.map((one) => [String(one.value), `${valueName(field, one.value)} (${one.count.toLocaleString()})`] as const);
  return (
    <section class={css.presets} aria-label="By the values of a field">
      <Field label="By">
        {(id) => (
          <Select
            id={id}
            value={field}
            options={fields.map((name) => [name, fieldName(name)] as const)}
            onChange={(name) => {
              setPicked(name);
              setFirst(undefined);
              setSecond(OTHERS);
            }}
          />
        )}
      </Field>
      {!facets.value && facets.loading ? (
        <Skeleton height="56px" />
      ) : (
        <>
          <Field label="First">
            {(id) => (
              <Select
                id={id}
                value={first ?? ""}
                options={[...(first === undefined ? [["", "choose …"] as const] : []), ...options]}
                onChange={(one) => choose(one, second === one ? OTHERS : second)}
              />
            )}
          </Field>
          <span class={css.against}>against</span>
          <Field label="Second">
            {(id) => (
              <Select
                id={id}
                value={second}
                options={[[OTHERS, "all others"] as const, ...options.filter(([key]) => key !== first)]}
                onChange={(other) => (first === undefined ? setSecond(other) : choose(first, other))}
              />
            )}
          </Field>
        </>
      )}
      {facets.error !== undefined && <Problem error={facets.error} onRetry={() => facets.reload()} />}
    </section>
  );
}

function SetCard({
  heading,
  side,
  onChange,
  filtered = true,
  children,
}: {
  heading: string;
  side: Side;
  onChange: (side: Side) => void;
  filtered?: boolean;
  children: preact.ComponentChildren;
}) {
  return (
    <section class={`${page.card} ${page.form}`} aria-label={heading}>
      <h2>{heading}</h2>
      <Field label="Called">
        {(id) => (
          <TextInput id={id} maxLength={100} value={side.title} onInput={(event) => onChange({ ...side, title: event.currentTarget.value })} />
        )}
      </Field>
      {filtered && (
        <FilterBuilder label={`Images of the ${heading.startsWith("First") ? "first" : "second"} set`} value={side.filter} onChange={(filter) => onChange({ ...side, filter })} />
      )}
      {children}
    </section>
  );
}

function Elsewhere({ form, change }: { form: Form; change: (changes: Partial<Form>) => void }) {
  const alike = (collections.value ?? []).filter((one) => one.space === described.value?.space && one.name !== described.value?.name);
  if (alike.length === 0) return null;
  return (
    <Field label="Of the collection">
      {(id) => (
        <Select
          id={id}
          value={form.elsewhere}
          options={[["", "this one"] as const, ...alike.map((one) => [one.name, `${one.name}, all ${one.points.toLocaleString()} images`] as const)]}
          onChange={(elsewhere) => change({ elsewhere, second: { title: elsewhere, filter: undefined } })}
        />
      )}
    </Field>
  );
}
