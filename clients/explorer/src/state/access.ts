// What the key at hand allows.

import { computed } from "@preact/signals";
import type { Info } from "lookalike-client";

import { info } from "./service.ts";

export type Role = Info["access"]["role"];

const RANK: Record<Role, number> = { read: 0, write: 1, admin: 2 };

/** The role of the key; until it is known all is allowed, and refused by the service itself. */
export const role = computed<Role>(() => info.value?.access.role ?? "admin");

/** Why something is not possible with this key; undefined if it is. */
export function refusal(needed: Role): string | undefined {
  if (RANK[role.value] >= RANK[needed]) return undefined;
  return `Your key may only ${role.value}; this needs a key with the role "${needed}".`;
}
