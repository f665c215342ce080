// What a comparison's figures say, in words, and where they lie on a scale.

import type { Comparison } from "lookalike-client";

export interface Estimate {
  value: number;
  low: number;
  high: number;
}

/** A figure with its bounds, its scale, and what it means. */
export interface Figure {
  name: string;
  estimate: Estimate;
  /** The ends of its scale. */
  from: number;
  to: number;
  /** Where it would lie without a difference. */
  none: number;
  means: string;
}

const SURE = 0.05;

/** The chance of such figures without a difference, by the better of two tests, their number allowed for. */
export function chance({ figures }: Pick<Comparison, "figures">): number {
  return Math.min(1, 2 * Math.min(figures.mmd_p, figures.separability.p));
}

/** Whether the sets differ, and how much, in a sentence. */
export function verdict(comparison: Pick<Comparison, "figures">): { title: string; text: string; differ: boolean } {
  const p = chance(comparison);
  const auc = comparison.figures.separability.auc.value;
  if (p >= SURE) {
    return {
      title: "No difference is shown",
      text: `Sets as different as these come about by chance in ${percent(p)} of cases. What follows may be of chance alone.`,
      differ: false,
    };
  }
  const [title, how] =
    auc >= 0.95 ? ["The sets differ clearly", "They are told apart nearly always"]
    : auc >= 0.8 ? ["The sets differ clearly", "They are mostly told apart"]
    : auc >= 0.65 ? ["The sets differ", "They overlap, but are told apart more often than not"]
    : ["The sets differ a little", "They are hardly told apart, or differ in how they are spread"];
  return { title, text: `${how}. By chance alone this would be rare (${pInWords(p)}).`, differ: true };
}

export function pInWords(p: number): string {
  return p < 0.001 ? "p < 0.001" : `p = ${p.toFixed(3)}`;
}

/** The figures in the order in which one would read them. */
export function figuresOf({ figures, first, second }: Comparison): Figure[] {
  const [a, b] = [first.title || "the first", second.title || "the second"];
  const { frechet, separability } = figures;
  const farthest = 1.15 * Math.max(frechet.distance.high, frechet.no_difference);
  const share = (name: string, estimate: Estimate, means: string): Figure => ({
    name,
    estimate,
    from: 0,
    to: Math.max(1, estimate.high),
    none: 1,
    means,
  });
  const discrepancy = (name: string, estimate: Estimate, means: string): Figure => {
    const edge = 1.15 * Math.max(Math.abs(estimate.low), Math.abs(estimate.high), 1e-9);
    return { name, estimate, from: Math.min(0, -edge / 4, estimate.low), to: edge, none: 0, means };
  };
  return [
    {
      name: "Told apart (AUC)",
      estimate: separability.auc,
      from: Math.min(0.4, separability.auc.low),
      to: 1,
      none: 0.5,
      means: `How often a classifier finds an image of ${b} to be more like ${b} than one of ${a}. 0.5 is a coin's throw, 1 is always.`,
    },
    {
      name: "Fréchet distance",
      estimate: frechet.distance,
      from: 0,
      to: farthest,
      none: frechet.no_difference,
      means: `How far the sets are apart as a whole. With so few images it would be ${frechet.no_difference.toPrecision(2)} without any difference.`,
    },
    discrepancy("MMD²", figures.mmd, `Whether they are spread alike, in any way; around 0 if so. ${pInWords(figures.mmd_p)} by 1,000 permutations.`),
    discrepancy("KID", figures.kid, "The same with the kernel that is usual for generated images."),
    share("Precision", figures.precision, `How much of ${b} is of a sort that ${a} has too. Low: ${b} has things of its own.`),
    share("Recall", figures.recall, `How much of ${a} is of a sort that ${b} has too. Low: ${b} leaves things out.`),
    share("Density", figures.density, `How thickly ${a} lies where ${b} is. As precision, less moved by outliers.`),
    share("Coverage", figures.coverage, `How much of ${a} has one of ${b} near. As recall, less moved by outliers.`),
  ];
}

export function percent(share: number): string {
  return `${(100 * share).toFixed(share !== 0 && Math.abs(share) < 0.1 ? 1 : 0)} %`;
}
