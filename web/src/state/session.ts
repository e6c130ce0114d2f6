// The open session: how the server says that it is, and what follows from each change of it.
import { computed, effect, signal, untracked } from "@preact/signals";

import { api, onReached, ServerError, type Schemas, type SessionStatus, type StepStatus } from "../api/client";
import { follow } from "../api/events";
import { filled, texts } from "../text";
import { jobChanged, loadJobs, resetJobs } from "./jobs";
import { connected, report, say } from "./notices";

export const session = signal<SessionStatus | null>(null);
export const opening = signal(false);
/** The step whose results are shown; null: the newest. */
export const chosenStep = signal<number | null>(null);

export const steps = computed<readonly StepStatus[]>(() => session.value?.steps ?? []);

export const shownStep = computed<StepStatus | null>(() => {
  const all = steps.value;
  const chosen = all.find((one) => one.number === chosenStep.value);
  if (chosen) return chosen;
  return all.reduce<StepStatus | null>((newest, one) => (newest && newest.number > one.number ? newest : one), null);
});

type Changed = (now: SessionStatus, before: SessionStatus | null) => void;
const listeners = new Set<Changed>();

/** Be called after each change, with how it was before. */
export function onChanged(listener: Changed): () => void {
  listeners.add(listener);
  return () => listeners.delete(listener);
}

let following: AbortController | null = null;

/** Take what the server says. What is older than what is known is left out, as replies may overtake each other. */
export function adopt(now: SessionStatus): void {
  const before = session.value;
  if (before?.id === now.id && now.version < before.version) return;
  session.value = now;
  for (const listener of listeners) listener(now, before?.id === now.id ? before : null);
}

export async function refresh(): Promise<void> {
  const id = session.value?.id;
  if (id === undefined) return;
  const now = await api.session(id);
  if (session.value?.id === id) adopt(now);
}

let changing: Promise<unknown> = Promise.resolve();

/** Let a change of the session wait for the ones before it: each begins from what the one before has made. */
export function inOrder<T>(act: () => Promise<T>): Promise<T> {
  const done = changing.then(act);
  changing = done.catch(() => undefined);
  return done;
}

/** How often a change is sent again that something else has overtaken. */
const AGAIN = 4;

/** Change a step. What else became of the session meanwhile - a job is done, another page renamed it - is no reason
 * against it; that the same step is another one than was seen is. Throws ServerError (412) then. */
export function changeStep(number: number, what: Schemas["StepChange"]): Promise<void> {
  const seen = session.value;
  return inOrder(async () => {
    for (let turn = 0; ; turn++) {
      const now = session.value;
      if (!now || now.id !== seen?.id) return;
      try {
        adopt(await api.change(now.id, number, what, now.version));
        return;
      } catch (error) {
        if (!(error instanceof ServerError) || error.status !== 412 || turn === AGAIN) throw error;
        await refresh();
        if (!sameStep(now, session.value, number)) throw error;
      }
    }
  });
}

/** Whether a step has the same place and the same look in both. */
export function sameStep(before: SessionStatus, now: SessionStatus | null, number: number): boolean {
  const look = (status: SessionStatus | null): string => {
    const step = status?.steps.find((one) => one.number === number);
    return step ? JSON.stringify([step.place, step.paint, step.take, step.visible, step.opacity, step.masked]) : "";
  };
  return look(before) !== "" && look(before) === look(now);
}

/** Open a session of the server. Throws ServerError where it is not there. */
export async function openSession(id: string): Promise<void> {
  opening.value = true;
  try {
    show(await api.session(id));
  } finally {
    opening.value = false;
  }
}

/** Show a session whose status has just come. */
export function show(status: SessionStatus): void {
  closeSession();
  history.replaceState(null, "", `#${status.id}`);
  document.title = `${status.name || texts.value.untitled} – Overpaint`;
  chosenStep.value = null;
  adopt(status);
  void loadJobs(status.id).catch(report);
  listen();
}

export function closeSession(): void {
  following?.abort();
  following = null;
  session.value = null;
  resetJobs();
}

/** Back to the start page. */
export function leaveSession(): void {
  closeSession();
  history.replaceState(null, "", location.pathname);
  document.title = "Overpaint";
}

/** Follow the session while the page is seen: a browser has few connections for all its pages. */
function listen(): void {
  following?.abort();
  const id = session.value?.id;
  if (id === undefined || document.hidden) return;
  const controller = (following = new AbortController());
  void follow({
    path: `/sessions/${id}/events`,
    final: ["deleted"],
    signal: controller.signal,
    onState: (there) => (connected.value = there),
    onEvent: (kind, data) => {
      if (session.value?.id !== id) return;
      if (kind === "changed" && Number(data.version) !== session.value.version) void refresh().catch(report);
      else if (kind === "renamed") void refresh().catch(report);
      else if (kind === "job") jobChanged(String(data.id));
    },
    onEnd: (error) => {
      if (session.value?.id !== id) return;
      leaveSession();
      report(error ?? new Error(texts.value.errors.sessionGone));
    },
  });
}

const PROBE = 3_000;

/** Where a call was lost, look again and again whether the server is back, and then see what became of the session. */
function watchConnection(): void {
  let timer: ReturnType<typeof setInterval> | undefined;
  let lost = false;
  onReached(() => (connected.value = true));
  effect(() => {
    const there = connected.value;
    if (there === !lost) return;
    lost = !there;
    clearInterval(timer);
    if (lost) timer = setInterval(() => void refresh().catch(report), PROBE);
    else {
      say(texts.value.connection.back);
      const id = untracked(() => session.value?.id);
      if (id === undefined) return;
      void loadJobs(id).catch(report);
      void refresh().catch(report);
    }
  });
}

/** Begin to follow again when the page is seen again. */
export function startListening(): void {
  watchConnection();
  document.addEventListener("visibilitychange", () => {
    if (document.hidden) {
      following?.abort();
      return;
    }
    const id = session.value?.id;
    if (id === undefined) return;
    listen();
    void refresh().catch(report);
    void loadJobs(id).catch(report);
  });
}

/** What a step is called. */
export function stepName(step: Pick<StepStatus, "number" | "intent" | "prompt">): string {
  const names = texts.value.intents as Record<string, { name: string }>;
  const name = names[step.intent]?.name ?? step.intent;
  return step.prompt && step.intent !== "remove" ? `${name}: ${step.prompt}` : filled(texts.value.layers.name, { name, number: step.number });
}
