// Every text that the editor shows comes from here, in the language of the browser or the one that was chosen.
import { computed, signal } from "@preact/signals";

import { de } from "./de";
import { en, type Texts } from "./en";

export const LANGUAGES = { en: "English", de: "Deutsch" } as const;
export type Language = keyof typeof LANGUAGES;

const TEXTS: Record<Language, Texts> = { en, de };

/** The language of a browser's list that there is, else English. */
export function languageOf(wanted: readonly string[]): Language {
  for (const one of wanted) {
    const short = one.slice(0, 2).toLowerCase();
    if (short in TEXTS) return short as Language;
  }
  return "en";
}

export const language = signal<Language>(languageOf(typeof navigator === "undefined" ? [] : navigator.languages));

/** The texts of the chosen language. */
export const texts = computed(() => TEXTS[language.value]);

/** A text in which {name} stands for a value. */
export function filled(text: string, values: Readonly<Record<string, string | number>>): string {
  return text.replace(/\{(\w+)\}/g, (whole, name: string) => String(values[name] ?? whole));
}
