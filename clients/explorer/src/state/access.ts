// What the key at hand allows.

import { computed } from "@preact/signals";

import { info } from "./service.ts";

export type Role = "read" | "write" | "admin";

const RANK: Record<Role, number> = { read: 0, write: 1, admin: 2 };

/** The role of the key; all is allowed where the service has no keys. */
export const role = computed<Role>(() => {
  const access = (info.value as { access?: { keys: boolean; role: Role | null } } | undefined)?.access;
  return access?.keys ? (access.role ?? "read") : "admin";
});

/** Why something is not possible with this key; undefined if it is. */
export function refusal(needed: Role): string | undefined {
  if (RANK[role.value] >= RANK[needed]) return undefined;
  return `Your key may only ${role.value}; this needs a key with the role "${needed}".`;
}
