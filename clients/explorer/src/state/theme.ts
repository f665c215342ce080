// Light or dark: as the system is set, until it is chosen here.

import { effect, signal } from "@preact/signals";

export type Theme = "system" | "light" | "dark";

const STORED = "lookalike.theme";
const stored = localStorage.getItem(STORED);

export const theme = signal<Theme>(stored === "light" || stored === "dark" ? stored : "system");

const systemIsDark = matchMedia("(prefers-color-scheme: dark)");
const system = signal(systemIsDark.matches);
systemIsDark.addEventListener("change", () => (system.value = systemIsDark.matches));

/** Whether the page is dark now, for what is drawn rather than styled. */
export function isDark(): boolean {
  return theme.value === "system" ? system.value : theme.value === "dark";
}

/** The next of system, light, dark. */
export function nextTheme(): void {
  theme.value = theme.value === "system" ? "light" : theme.value === "light" ? "dark" : "system";
}

effect(() => {
  if (theme.value === "system") {
    localStorage.removeItem(STORED);
    delete document.documentElement.dataset["theme"];
  } else {
    localStorage.setItem(STORED, theme.value);
    document.documentElement.dataset["theme"] = theme.value;
  }
});
