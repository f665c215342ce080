// What a new clustering is asked for, as fields of a form, and the request they make.

import type { Algorithm, ClusteringRequest, Filter } from "lookalike-client";

export type Parameter = Algorithm["parameters"][number];

/** The fields as they stand: texts, so that what is half typed can be kept. */
export interface Form {
  algorithm: string;
  /** By parameter; empty for the default. */
  values: Readonly<Record<string, string>>;
  /** Whether k is chosen from a range. */
  ranged: boolean;
  from: string;
  to: string;
  criterion: NonNullable<ClusteringRequest["criterion"]>;
  reduction: string;
  name: string;
  onlyFilter: boolean;
  stability: boolean;
}

export const REDUCTIONS = [
  ["", "None"],
  ["pca:50", "PCA, 50 dimensions"],
  ["pca:0.95", "PCA, 95 % of what differs"],
  ["whiten:50", "PCA of equal variance, 50 dimensions"],
  ["umap:10", "UMAP, 10 dimensions"],
  ["random:64", "Random directions, 64"],
] as const;

export const REDUCTION_MEANS: Record<string, string> = {
  "": "Clusters in all dimensions of the model. Fine for k-means; density is hard to see in so many.",
  "pca:50": "Keeps the directions in which images differ most. A good start for all algorithms.",
  "pca:0.95": "As many directions as hold 95 % of the differences.",
  "whiten:50": "The same, but all directions count alike: small differences come out.",
  "umap:10": "Packs neighbours tightly: best for clusters of odd shapes, and slower.",
  "random:64": "Fast, and keeps distances roughly. For very many images.",
};

const STABILITY_SAMPLES = 10;

/** The fields at first: the number of clusters is looked for, up to what so many images bear. */
export function blank(points: number): Form {
  return {
    algorithm: "kmeans",
    values: {},
    ranged: true,
    from: "2",
    to: String(Math.max(3, Math.min(30, Math.floor(Math.sqrt(points))))),
    criterion: "silhouette",
    reduction: points > 50 ? "pca:50" : "",
    name: "",
    onlyFilter: false,
    stability: false,
  };
}

/** Why a value cannot be one of the parameter; undefined if it can. What is empty stands for the default. */
export function wrong(one: Parameter, text: string): string | undefined {
  if (text.trim() === "") return undefined;
  if (one.type === "text") return one.choices?.includes(text) ? undefined : `One of ${one.choices?.join(", ")}.`;
  const value = Number(text);
  const fits =
    Number.isFinite(value) &&
    (one.type !== "integer" || Number.isInteger(value)) &&
    value >= (one.minimum ?? -Infinity) &&
    value <= (one.maximum ?? Infinity);
  return fits ? undefined : `${allowed(one)}.`;
}

/** The values that a number may have, in words. */
export function allowed({ type, minimum, maximum }: Parameter): string {
  const from = minimum == null ? "" : ` from ${minimum}`;
  const to = maximum == null ? "" : ` to ${maximum.toLocaleString()}`;
  return `${type === "integer" ? "A whole number" : "A number"}${from}${to}`;
}

/** Why the range of k cannot be tried; undefined if it can. */
export function wrongRange({ from, to }: Pick<Form, "from" | "to">): string | undefined {
  const [low, high] = [Number(from), Number(to)];
  if (!Number.isInteger(low) || !Number.isInteger(high) || low < 1) return "Two whole numbers from 1 on.";
  if (high <= low) return "The second must be larger than the first.";
  return high - low >= 50 ? "At most 50 numbers can be tried at once." : undefined;
}

/** What keeps it from being started; undefined if nothing does. */
export function fault(form: Form, algorithm: Algorithm): string | undefined {
  for (const one of algorithm.parameters) {
    if (one.name === "k" && form.ranged) {
      const why = wrongRange(form);
      if (why) return `Numbers of clusters: ${why}`;
    } else {
      const why = wrong(one, form.values[one.name] ?? "");
      if (why) return `${one.name}: ${why}`;
    }
  }
  if (form.name !== "" && !/^[A-Za-z0-9][A-Za-z0-9_.-]{0,62}$/.test(form.name)) {
    return "Name: letters, digits, and _ . - after the first, at most 63.";
  }
  return undefined;
}

/** The request; `filter` is the shared one. */
export function request(form: Form, algorithm: Algorithm, filter: Filter | undefined): ClusteringRequest {
  const values = algorithm.parameters.flatMap((one): [string, unknown][] => {
    if (one.name === "k" && form.ranged) return [["k", [Number(form.from), Number(form.to)]]];
    const text = (form.values[one.name] ?? "").trim();
    return text === "" ? [] : [[one.name, one.type === "text" ? text : Number(text)]];
  });
  return {
    algorithm: form.algorithm,
    parameters: Object.fromEntries(values),
    criterion: form.criterion,
    stability: form.stability ? STABILITY_SAMPLES : 0,
    ...(form.reduction === "" ? {} : { reduction: form.reduction }),
    ...(form.name === "" ? {} : { name: form.name }),
    ...(form.onlyFilter && filter ? { filter } : {}),
  } as ClusteringRequest;
}
