// The rooms of the page; each is fetched when it is first entered.

import type { ComponentType } from "preact";

import type { RoomId } from "./state/route.ts";
import type { IconName } from "./ui/Icon.tsx";

/** A room: its name, its icon, the key after `g` that enters it, and its code. */
export interface Room {
  id: RoomId;
  name: string;
  icon: IconName;
  key: string;
  load: () => Promise<{ default: ComponentType }>;
}

export const rooms: readonly Room[] = [
  { id: "search", name: "Search", icon: "search", key: "s", load: () => import("./search/room.tsx") },
  { id: "map", name: "Map", icon: "map", key: "m", load: () => import("./map/room.tsx") },
  { id: "clusters", name: "Clusters", icon: "clusters", key: "c", load: () => import("./clusters/room.tsx") },
  { id: "compare", name: "Compare", icon: "compare", key: "p", load: () => import("./compare/room.tsx") },
  { id: "duplicates", name: "Duplicates", icon: "duplicates", key: "d", load: () => import("./duplicates/room.tsx") },
  { id: "index", name: "Index", icon: "index", key: "i", load: () => import("./indexing/room.tsx") },
];
