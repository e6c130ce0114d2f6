import type { Texts } from "./en";

/** The texts of the editor in German. */
export const de: Texts = {
  title: "Overpaint",
};
