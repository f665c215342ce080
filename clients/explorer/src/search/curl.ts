// The search as a command line.

import type { ImageSearch, SearchRequest } from "lookalike-client";

/** What to type for the same answer; a picture is called by its name. */
export function curl(
  url: string,
  collection: string,
  search: ImageSearch | SearchRequest,
  { keyed, picture }: { keyed: boolean; picture: string },
): string {
  const path = `${url}/v1/collections/${encodeURIComponent(collection)}/search`;
  const key = keyed ? ` \\\n  -H "Authorization: Bearer $LOOKALIKE_API_KEY"` : "";
  if (!("image" in search)) {
    const body = quoted(JSON.stringify(search));
    return `curl ${quoted(path)}${key} \\\n  -H 'Content-Type: application/json' \\\n  -d ${body}`;
  }
  const { image: _, filter, region, ...rest } = search;
  const query = new URLSearchParams(Object.entries(rest).map(([name, value]) => [name, String(value)]));
  if (filter) query.set("filter", JSON.stringify(filter));
  if (region) query.set("region", [region.left, region.top, region.width, region.height].join(","));
  return `curl ${quoted(`${path}?${query}`)}${key} \\\n  -F ${quoted(`image=@${picture}`)}`;
}

/** In single quotes for a shell. */
function quoted(text: string): string {
  return `'${text.replaceAll("'", `'\\''`)}'`;
}
