// What the first page does without: dialogs and the settings behind the fold. It comes with the first picture.
import { signal } from "@preact/signals";

type Later = typeof import("./dialogs") & typeof import("./Settings");

/** These parts; null until they are there. */
export const later = signal<Later | null>(null);

let loading: Promise<void> | null = null;

/** Load them, once; what failed is tried again at the next call. */
export function loadLater(): void {
  loading ??= Promise.all([import("./dialogs"), import("./Settings")]).then(
    ([dialogs, settings]) => void (later.value = { ...dialogs, ...settings }),
    () => void (loading = null),
  );
}
