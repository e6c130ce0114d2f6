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
  readonly about: About | null;
}

/** Kinds of actions of a person: the next of a kind takes the errors of the last away. */
export type About = "select" | "paint" | "save" | "open";

export interface Attempt {
  readonly about?: About;
  /** What a click may do about an error. */
  readonly remedy?: (error: unknown) => Remedy | null;
}

/** Milliseconds that a notice is shown. */
const SHOWN = { info: 6000, error: 20_000 } as const;

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

/** Take away the errors of a kind of action. */
export function settle(about: About): void {
  notices.value = notices.value.filter((one) => one.about !== about);
}

/** Take a notice away after a while, but not from under the pointer or the focus. */
function dismissLater(id: number, after: number): void {
  setTimeout(() => (document.querySelector(".notice:is(:hover, :focus-within)") ? dismissLater(id, SHOWN.info) : dismiss(id)), after);
}

/** Show a notice. It goes by itself, but stays where a click can do something about it. */
export function notify(kind: Notice["kind"], text: string, hint: string | null = null, remedy: Remedy | null = null, about: About | null = null): void {
  if (notices.value.some((one) => one.text === sentence(text) && one.hint === (hint && sentence(hint)))) return;
  const id = next++;
  notices.value = [...notices.value.slice(-3), { id, kind, text: sentence(text), hint: hint && sentence(hint), remedy, about }];
  if (!remedy) dismissLater(id, SHOWN[kind]);
}

/** Say something to screen readers. */
export function say(text: string): void {
  spoken.value = spoken.value === text ? `${text}\u00a0` : text;
}

/** Show why something failed, in the server's words and with its hint. */
export function report(error: unknown, remedy: Remedy | null = null, about: About | null = null): void {
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
    notify("error", changed ? texts.value.errors.changed : error.message, changed ? null : error.hint, remedy, about);
    return;
  }
  notify("error", error instanceof Error ? error.message : String(error), null, remedy, about);
}

/** Run an action of a person; what fails is shown until the next action of its kind, or for a while. */
export async function attempt<T>(action: () => Promise<T>, { about, remedy }: Attempt = {}): Promise<T | null> {
  if (about) settle(about);
  try {
    return await action();
  } catch (error) {
    report(error, remedy?.(error), about);
    return null;
  }
}
