// Texts of the dialogs and the settings: English ones come with these, those of another language with all its texts.
import { computed } from "@preact/signals";

import { texts } from ".";
import type { Texts } from "./en";
import { later, type LaterTexts } from "./en.later";

/** All texts of the chosen language, those that come later among them. */
export const allTexts = computed<Texts & LaterTexts>(() => ({ ...later, ...texts.value }));
