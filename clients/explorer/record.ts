// What a build was made of: the hash of every source, so that a test can tell whether the packed page is theirs,
// and the licences of the packages in it.

import { createHash } from "node:crypto";
import { existsSync, readFileSync, readdirSync, writeFileSync } from "node:fs";
import { dirname, join, relative, sep } from "node:path";
import { fileURLToPath } from "node:url";

import type { Plugin } from "vite";

const ROOT = dirname(fileURLToPath(import.meta.url));
const CLIENTS = dirname(ROOT);
const ALWAYS = ["index.html", "package-lock.json", "package.json", "record.ts", "tsconfig.json", "vite.config.ts"];

/** Writes build.json, with the SHA-256 of sources and of built files, and assets/licenses.txt. */
export function record(): Plugin {
  let graph: string[] = [];
  return {
    name: "record",
    apply: "build",
    generateBundle() {
      graph = [...this.getModuleIds()].map((id) => id.replace(/[?].*$/, "")).filter((id) => existsSync(id));
      this.emitFile({ type: "asset", fileName: "assets/licenses.txt", source: licenses(graph) });
    },
    writeBundle({ dir }, bundle) {
      const sources = hashes(CLIENTS, [...ALWAYS.map((name) => join(ROOT, name)), ...graph.filter(isOurs), ...published()]);
      const files = hashes(dir!, Object.keys(bundle).map((name) => join(dir!, name)));
      writeFileSync(join(dir!, "build.json"), `${JSON.stringify({ sources, files }, null, 1)}\n`);
    },
  };
}

function isOurs(id: string): boolean {
  return id.startsWith(CLIENTS + sep) && !id.includes("node_modules");
}

function published(): string[] {
  const folder = join(ROOT, "public");
  return existsSync(folder) ? readdirSync(folder).map((name) => join(folder, name)) : [];
}

/** The SHA-256 of each file, by its path below a folder, in order. */
function hashes(folder: string, paths: string[]): Record<string, string> {
  const named = paths.map((path) => [relative(folder, path).split(sep).join("/"), hash(path)] as const);
  return Object.fromEntries(named.sort(([a], [b]) => (a < b ? -1 : 1)));
}

function hash(path: string): string {
  return createHash("sha256").update(readFileSync(path)).digest("hex");
}

/** The licence of every package that a module of the page comes from. */
function licenses(ids: string[]): string {
  const folders = new Set(ids.flatMap((id) => id.match(/^.*\/node_modules\/(?:@[^/]+\/)?[^/]+/)?.[0] ?? []));
  const notices = [...folders].map((folder) => {
    const { name, version, license } = JSON.parse(readFileSync(join(folder, "package.json"), "utf8"));
    const file = readdirSync(folder).find((entry) => /^licen[cs]e/i.test(entry));
    if (!file) throw new Error(`${name} has no licence file; its text must go with the page.`);
    return `${name} ${version} (${license})\n\n${readFileSync(join(folder, file), "utf8").trim()}\n`;
  });
  return `The packages that are part of this page, and their licences.\n\n${notices.sort().join(`\n${"-".repeat(72)}\n\n`)}`;
}
