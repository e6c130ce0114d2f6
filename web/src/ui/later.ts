// What the first page does without: dialogs, the settings behind the fold, and panels that are seldom the first to be
// seen. It comes with the first picture.
import { signal } from "@preact/signals";

type Later = typeof import("./panels");

/** These parts; null until they are there. */
export const later = signal<Later | null>(null);

let loading: Promise<void> | null = null;

/** Load them, once; what failed is tried again at the next call. */
export function loadLater(): void {
  loading ??= import("./panels").then(
    (parts) => void (later.value = parts),
    () => void (loading = null),
  );
}
