// Every text that the editor shows comes from here, in the language of the browser or the one that was chosen.
import { computed, effect, signal } from "@preact/signals";

import { en, type Texts } from "./en";

export const LANGUAGES = { en: "English", de: "Deutsch" } as const;
export type Language = keyof typeof LANGUAGES;

/** Languages beside English come when they are wanted. */
const OTHERS: Record<Exclude<Language, "en">, () => Promise<Texts>> = {
  de: () => import("./de").then((found) => found.de),
};

/** The language of a browser's list that there is, else English. */
export function languageOf(wanted: readonly string[]): Language {
  for (const one of wanted) {
    const short = one.slice(0, 2).toLowerCase();
    if (short in LANGUAGES) return short as Language;
  }
  return "en";
}

export const language = signal<Language>(languageOf(typeof navigator === "undefined" ? [] : navigator.languages));

const loaded = signal<Partial<Record<Language, Texts>>>({ en });

/** The texts of the chosen language; English until they are there. */
export const texts = computed<Texts>(() => loaded.value[language.value] ?? en);

effect(() => {
  const wanted = language.value;
  if (wanted === "en" || loaded.peek()[wanted]) return;
  void OTHERS[wanted]().then(
    (found) => (loaded.value = { ...loaded.peek(), [wanted]: found }),
    () => undefined, // English stays
  );
});

/** A text in which {name} stands for a value. */
export function filled(text: string, values: Readonly<Record<string, string | number>>): string {
  return text.replace(/\{(\w+)\}/g, (whole, name: string) => String(values[name] ?? whole));
}
