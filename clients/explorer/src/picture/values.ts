// Metadata as text that can be edited, and back.

type Json = Record<string, unknown>;

/** A row of the editor. */
export interface Row {
  key: string;
  text: string;
}

/** A value as one types it: words as they are, everything else as JSON. */
export function shown(value: unknown): string {
  return typeof value === "string" && read(value) === value ? value : JSON.stringify(value);
}

/** What was typed: JSON if it is some, else words. */
export function read(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}

/** What to send so that metadata become what the rows say; null takes a key away. */
export function patch(before: Json, rows: readonly Row[]): Json {
  const after = new Map(rows.filter(({ key }) => key.trim() !== "").map(({ key, text }) => [key.trim(), read(text)]));
  const gone = Object.keys(before).filter((key) => !after.has(key));
  const changed = [...after].filter(([key, value]) => JSON.stringify(before[key]) !== JSON.stringify(value));
  return Object.fromEntries([...gone.map((key) => [key, null] as const), ...changed]);
}
