import type { Algorithm } from "lookalike-client";
import { useState } from "preact/hooks";

import { filter } from "../filter/state.ts";
import { start } from "../jobs/state.ts";
import { useResource } from "../state/resource.ts";
import { client, clusterings, collection, described } from "../state/service.ts";
import { go } from "../state/route.ts";
import { Button, Check, Field, Segmented, Select, TextInput } from "../ui/controls.tsx";
import { Dialog } from "../ui/Dialog.tsx";
import { Problem, Skeleton } from "../ui/feedback.tsx";
import page from "../ui/room.module.css";
import css from "./clusters.module.css";
import { blank, fault, type Form, type Parameter, REDUCTION_MEANS, REDUCTIONS, request, wrong, wrongRange } from "./form.ts";
import { CRITERIA, type Criterion } from "./sweep.ts";

type Change = (changes: Partial<Form>) => void;

/** How to cluster anew: the algorithm, its parameters with what they mean, and what comes before. */
export function NewClustering({ onClose }: { onClose: () => void }) {
  const algorithms = useResource((signal) => client.value.algorithms({ signal }), []);
  const [form, setForm] = useState(() => blank(described.peek()?.points ?? 0));
  const [failed, setFailed] = useState<unknown>();
  const algorithm = algorithms.value?.find((one) => one.name === form.algorithm);
  const change: Change = (changes) => {
    setFailed(undefined);
    setForm({ ...form, ...changes });
  };
  const reason = algorithm ? fault(form, algorithm) : "The algorithms are being asked for.";
  const begin = async () => {
    if (!algorithm || reason) return;
    try {
      await start(() => collection.peek()!.cluster(request(form, algorithm, filter.peek())));
      onClose();
      go({ run: form.name || form.algorithm, cluster: undefined, vs: undefined });
    } catch (error) {
      setFailed(error);
    }
  };
  return (
    <Dialog
      title="New clustering"
      wide
      onClose={onClose}
      footer={
        <>
          <Button onClick={onClose}>Cancel</Button>
          <Button look="primary" refused={reason} onClick={() => void begin()}>
            Start
          </Button>
        </>
      }
    >
      {algorithms.error !== undefined && <Problem error={algorithms.error} onRetry={() => algorithms.reload()} />}
      {!algorithms.value && algorithms.loading && <Skeleton height="320px" />}
      {algorithms.value && algorithm && (
        <div class={page.form}>
          <Algorithms all={algorithms.value} algorithm={algorithm} change={change} />
          <Parameters algorithm={algorithm} form={form} change={change} />
          <Field label="Fewer dimensions first" hint={REDUCTION_MEANS[form.reduction]}>
            {(id, described) => (
              <Select
                id={id}
                aria-describedby={described}
                options={REDUCTIONS}
                value={form.reduction}
                onChange={(reduction) => change({ reduction })}
              />
            )}
          </Field>
          <Rest form={form} change={change} />
          {failed !== undefined && <Problem error={failed} />}
        </div>
      )}
    </Dialog>
  );
}

/** In the order in which one would try them. */
const ORDER = ["kmeans", "hdbscan", "leiden", "spherical_kmeans", "gaussian_mixture", "agglomerative", "kmedoids"];

function Algorithms({ all, algorithm, change }: { all: readonly Algorithm[]; algorithm: Algorithm; change: Change }) {
  const place = (name: string) => (ORDER.includes(name) ? ORDER.indexOf(name) : ORDER.length);
  const points = described.value?.points ?? 0;
  const drawn =
    algorithm.most_points != null && points > algorithm.most_points
      ? ` Found on ${algorithm.most_points.toLocaleString()} of the images, the others are assigned.`
      : "";
  return (
    <Field label="Algorithm" hint={`${algorithm.meaning}${drawn}`}>
      {(id, described) => (
        <Select
          id={id}
          aria-describedby={described}
          options={all.toSorted((a, b) => place(a.name) - place(b.name)).map(({ name }) => [name, name.replaceAll("_", " ")] as const)}
          value={algorithm.name}
          onChange={(name) => change({ algorithm: name, values: {} })}
        />
      )}
    </Field>
  );
}

function Parameters({ algorithm, form, change }: { algorithm: Algorithm; form: Form; change: Change }) {
  const set = (name: string, value: string) => change({ values: { ...form.values, [name]: value } });
  const others = algorithm.parameters.filter((one) => one.name !== "k");
  const number = algorithm.parameters.find((one) => one.name === "k");
  return (
    <>
      {number && <NumberOfClusters parameter={number} form={form} change={change} />}
      <div class={page.two}>
        {others.map((one) => (
          <Field key={one.name} label={one.name.replaceAll("_", " ")} hint={hint(one)} error={wrong(one, form.values[one.name] ?? "")}>
            {(id, described) =>
              one.type === "text" ? (
                <Select
                  id={id}
                  aria-describedby={described}
                  options={(one.choices ?? []).map((choice) => [choice, choice] as const)}
                  value={form.values[one.name] ?? String(one.default)}
                  onChange={(value) => set(one.name, value)}
                />
              ) : (
                <TextInput
                  id={id}
                  aria-describedby={described}
                  inputMode="decimal"
                  placeholder={one.default === null ? "chosen for you" : String(one.default)}
                  value={form.values[one.name] ?? ""}
                  onInput={(event) => set(one.name, event.currentTarget.value)}
                />
              )
            }
          </Field>
        ))}
      </div>
    </>
  );
}

function hint({ meaning, default: usual }: Parameter): string {
  return usual === null ? meaning : `${meaning} Usually ${usual}.`;
}

function NumberOfClusters({ parameter, form, change }: { parameter: Parameter; form: Form; change: Change }) {
  const text = (value: string, label: string, set: (value: string) => void) => (
    <TextInput aria-label={label} inputMode="numeric" value={value} onInput={(event) => set(event.currentTarget.value)} />
  );
  const error = form.ranged ? wrongRange(form) : wrong(parameter, form.values["k"] ?? "");
  return (
    <div class={css.number}>
      <div class={css.numberHead}>
        <strong class="small">How many clusters</strong>
        <Segmented
          label="How many clusters"
          options={[
            ["best", "Find the best number"],
            ["exact", "I know the number"],
          ]}
          value={form.ranged ? "best" : "exact"}
          onChange={(value) => change({ ranged: value === "best" })}
        />
      </div>
      {form.ranged ? (
        <div class={css.range}>
          <span>from</span>
          {text(form.from, "Fewest clusters", (from) => change({ from }))}
          <span>to</span>
          {text(form.to, "Most clusters", (to) => change({ to }))}
          <span>by</span>
          <Select
            aria-label="Criterion"
            options={(Object.keys(CRITERIA) as Criterion[]).map((name) => [name, CRITERIA[name].name] as const)}
            value={form.criterion}
            onChange={(criterion) => change({ criterion: criterion as Criterion })}
          />
        </div>
      ) : (
        <div class={css.range}>
          {text(form.values["k"] ?? String(parameter.default), "Number of clusters", (k) => change({ values: { ...form.values, k } }))}
          <span>clusters</span>
        </div>
      )}
      <p class={error ? css.wrong : "muted small"} role={error ? "alert" : undefined}>
        {error ?? (form.ranged ? `${CRITERIA[form.criterion].means} All criteria are measured and drawn.` : parameter.meaning)}
      </p>
    </div>
  );
}

function Rest({ form, change }: { form: Form; change: Change }) {
  const name = form.name || form.algorithm;
  const replaces = clusterings.value?.some((one) => one.name === name);
  return (
    <>
      <Field
        label="Name"
        hint={replaces ? `Replaces the clustering “${name}” there is, names of clusters included.` : "Several clusterings can live side by side."}
      >
        {(id, described) => (
          <TextInput
            id={id}
            aria-describedby={described}
            placeholder={form.algorithm}
            value={form.name}
            onInput={(event) => change({ name: event.currentTarget.value })}
          />
        )}
      </Field>
      <div class={css.checks}>
        <Check
          label="Measure how stable the clusters are, too (ten more clusterings of samples)"
          checked={form.stability}
          onChange={(stability) => change({ stability })}
        />
        {filter.value && (
          <Check
            label="Only the images that match the filter above"
            checked={form.onlyFilter}
            onChange={(onlyFilter) => change({ onlyFilter })}
          />
        )}
      </div>
    </>
  );
}
