// What the editor says: to eyes as notices, to screen readers through a live region.
import { signal } from "@preact/signals";

import { LostError, ServerError } from "../api/client";
import { texts } from "../text";

export interface Notice {
  readonly id: number;
  readonly kind: "error" | "info";
  readonly text: string;
  /** What to do about it. */
  readonly hint: string | null;
  /** What one click does about it. */
  readonly remedy: Remedy | null;
}

export interface Remedy {
  readonly text: string;
  act(): void;
}

export const notices = signal<readonly Notice[]>([]);
export const spoken = signal("");
export const connected = signal(true);
/** The server asks for a key. */
export const locked = signal(false);

let next = 1;

/** The server's words as a sentence that stands alone. */
export function sentence(text: string): string {
  return text.slice(0, 1).toUpperCase() + text.slice(1);
}

export function dismiss(id: number): void {
  notices.value = notices.value.filter((one) => one.id !== id);
}

/** Show a notice; information goes by itself, an error stays until it is read. */
export function notify(kind: Notice["kind"], text: string, hint: string | null = null, remedy: Remedy | null = null): void {
  if (notices.value.some((one) => one.text === sentence(text) && one.hint === (hint && sentence(hint)))) return;
  const id = next++;
  notices.value = [...notices.value.slice(-3), { id, kind, text: sentence(text), hint: hint && sentence(hint), remedy }];
  if (kind === "info") setTimeout(() => dismiss(id), 6000);
}

/** Say something to screen readers. */
export function say(text: string): void {
  spoken.value = spoken.value === text ? `${text}\u00a0` : text;
}

/** Show why something failed, in the server's words and with its hint. */
export function report(error: unknown, remedy: Remedy | null = null): void {
  if (error instanceof DOMException && error.name === "AbortError") return;
  if (error instanceof LostError) {
    connected.value = false;
    return;
  }
  if (error instanceof ServerError && error.status === 401) {
    locked.value = true;
    return;
  }
  if (error instanceof ServerError) {
    const changed = error.code === "session-changed" || error.status === 412;
    notify("error", changed ? texts.value.errors.changed : error.message, changed ? null : error.hint, remedy);
    return;
  }
  notify("error", error instanceof Error ? error.message : String(error));
}

/** Run an action of a person; what fails is shown, with what a click may do about it. */
export async function attempt<T>(action: () => Promise<T>, remedy: (error: unknown) => Remedy | null = () => null): Promise<T | null> {
  try {
    return await action();
  } catch (error) {
    report(error, remedy(error));
    return null;
  }
}
