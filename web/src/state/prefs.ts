// What a person chose for the editor itself. It is kept in the browser.
import { effect, signal } from "@preact/signals";

import { language, LANGUAGES, type Language } from "../text";

export type Theme = "auto" | "light" | "dark";
export type PanelName = "results" | "layers" | "masks" | "guides" | "queue";

/** A value of the browser's storage; null where there is none, or it can't be read. */
export function kept<T>(name: string): T | null {
  try {
    const text = localStorage.getItem(`overpaint.${name}`);
    return text === null ? null : (JSON.parse(text) as T);
  } catch {
    return null;
  }
}

/** Keep a value; storage that is full or forbidden costs only the memory. */
export function keep(name: string, value: unknown): void {
  try {
    localStorage.setItem(`overpaint.${name}`, JSON.stringify(value));
  } catch {
    /* private windows may forbid it */
  }
}

export const theme = signal<Theme>("auto");
export const panel = signal<PanelName>("results");
export const panelOpen = signal(true);

/** Read what was kept, and keep what changes from now on. */
export function startPrefs(): void {
  const found = kept<{ theme?: Theme; language?: Language; panelOpen?: boolean }>("prefs") ?? {};
  if (found.theme === "light" || found.theme === "dark") theme.value = found.theme;
  if (found.language && found.language in LANGUAGES) language.value = found.language;
  panelOpen.value = window.innerWidth >= 1000 && found.panelOpen !== false;
  effect(() => {
    document.documentElement.dataset.theme = theme.value;
    document.documentElement.lang = language.value;
    keep("prefs", { theme: theme.value, language: language.value, panelOpen: panelOpen.value });
  });
}
