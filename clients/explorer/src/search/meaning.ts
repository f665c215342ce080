// What a score means, in words (docs/search.md).

import type { Hit } from "lookalike-client";

type Verdict = NonNullable<Hit["verdict"]>;

/** A verdict's name, colour, and what it says. */
export const VERDICTS: Record<Verdict, { name: string; tone: "accent" | "good" | undefined; says: string }> = {
  near_duplicate: {
    name: "near duplicate",
    tone: "accent",
    says: "As alike as a picture is to itself saved anew, scaled or trimmed.",
  },
  similar: { name: "similar", tone: "good", says: "Fewer than 1 in 100 unrelated pairs are as alike." },
  // As a judgement of a hit the API's name would mislead where a collection is of few kinds.
  no_good_match: { name: "common here", tone: undefined, says: "Unrelated images of this collection are often as alike." },
};

/** How a hit compares with chance; undefined without a calibration. */
export function meaning(hit: Pick<Hit, "chance" | "expected" | "verdict">): string | undefined {
  if (hit.chance === null || hit.chance === undefined) return undefined;
  const expected = hit.expected ?? 0;
  const found = expected < 0.1 ? "fewer than 1 in 10 searches would find one" : `about ${rounded(expected)} would be found by chance`;
  return `${odds(hit.chance)} of unrelated images score as high: in a collection of this size ${found}.`;
}

/** A share as odds: "1 in 250". */
export function odds(share: number): string {
  if (share <= 0) return "None";
  if (share >= 0.5) return `${Math.round(share * 100)} in 100`;
  return `1 in ${rounded(1 / share)}`;
}

/** Two significant digits. */
function rounded(value: number): string {
  return Number(value.toPrecision(value >= 10 ? 2 : 1)).toLocaleString("en");
}
