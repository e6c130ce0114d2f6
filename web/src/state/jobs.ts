// The session's jobs: what waits, runs, and ended, with progress and previews of the one that runs.
import { computed, signal } from "@preact/signals";

import { api, ServerError, type JobStatus, type SessionResult } from "../api/client";
import { follow } from "../api/events";
import { filled, texts } from "../text";
import { notify, report, say, settle } from "./notices";

export const jobs = signal<readonly JobStatus[]>([]);
/** The latest preview of each job that forms, as a data URL. */
export const previews = signal<Readonly<Record<string, string>>>({});
/** What a job does just now, where that is worth saying: a model that is loaded. */
export const doing = signal<Readonly<Record<string, string>>>({});

const ENDED = ["done", "failed", "cancelled"];

export const isActive = (job: JobStatus): boolean => !ENDED.includes(job.state);
export const active = computed(() => jobs.value.filter(isActive));

let of: string | null = null;
let following: { job: string; controller: AbortController } | null = null;

export function resetJobs(): void {
  of = null;
  following?.controller.abort();
  following = null;
  jobs.value = [];
  previews.value = {};
  doing.value = {};
}

export async function loadJobs(session: string): Promise<void> {
  of = session;
  const found = await api.jobs(session);
  if (of !== session) return;
  for (const one of found) noteEnd(one);
  jobs.value = found;
  followFirst();
}

/** Something happened to a job of the session: see how it is. */
export function jobChanged(id: string): void {
  void api.job(id).then(put, (error: unknown) => {
    // A job that was refused as it came, or removed meanwhile, is none of the list's.
    if (!(error instanceof ServerError && error.status === 404)) return report(error);
    jobs.value = jobs.value.filter((one) => one.id !== id);
    followFirst();
  });
}

/** Take a job's status. */
export function put(job: JobStatus): void {
  if (job.session !== of) return;
  noteEnd(job);
  const others = jobs.value.filter((one) => one.id !== job.id);
  jobs.value = [job, ...others].sort((a, b) => b.created - a.created);
  followFirst();
}

function noteEnd(job: JobStatus): void {
  const before = jobs.value.find((one) => one.id === job.id);
  if (!before || !isActive(before) || isActive(job)) return;
  if (job.state === "failed") {
    const error = (job.error ?? {}) as { message?: string; hint?: string | null };
    notify("error", error.message ?? texts.value.jobs.failed, error.hint ?? null, null, "paint");
    say(texts.value.jobs.failed);
  } else if (job.state === "done") {
    settle("paint");
    say(filled(texts.value.jobs.ready, { count: job.results.length }));
  } else {
    say(texts.value.jobs.cancelled);
  }
}

/** Follow the job that runs, or is the next: one connection for all of them. */
function followFirst(): void {
  const waiting = active.value;
  const first = waiting.find((one) => one.state === "running") ?? waiting[waiting.length - 1];
  if (following?.job === first?.id) return;
  following?.controller.abort();
  following = null;
  if (!first) return;
  const { id } = first;
  const controller = new AbortController();
  following = { job: id, controller };
  void follow({
    path: `/edits/${id}/events`,
    final: ENDED,
    signal: controller.signal,
    onEvent: (kind, data) => {
      if (kind === "progress") update(id, { state: "running", step: Number(data.step), steps: Number(data.steps) });
      else if (kind === "queued") update(id, { place: Number(data.place) });
      else if (kind === "started") update(id, { state: "running" });
      else if (kind === "preview") previews.value = { ...previews.value, [id]: String(data.image) };
      else if (kind === "loading") doing.value = { ...doing.value, [id]: filled(texts.value.jobs.loading, { model: String(data.model) }) };
      else if (kind === "stage") doing.value = { ...doing.value, [id]: String(data.text) };
      if (ENDED.includes(kind)) jobChanged(id);
    },
    onEnd: () => {
      if (following?.job === id) following = null;
    },
  });
}

function update(id: string, change: Partial<JobStatus>): void {
  const before = jobs.value.find((one) => one.id === id);
  if (!before || !isActive(before)) return;
  if (change.steps && change.step !== before.step) announceProgress(change.step ?? 0, change.steps);
  jobs.value = jobs.value.map((one) => (one.id === id ? { ...one, ...change } : one));
  if (doing.value[id] && change.steps) doing.value = Object.fromEntries(Object.entries(doing.value).filter(([job]) => job !== id));
}

/** Quarters only: a screen reader that says each step says nothing else. */
function announceProgress(step: number, of: number): void {
  const quarter = Math.floor((4 * step) / of);
  if (quarter > 0 && quarter < 4 && quarter !== Math.floor((4 * (step - 1)) / of)) {
    say(filled(texts.value.jobs.progress, { percent: quarter * 25 }));
  }
}

/** The job that made a take, where the server still knows it, and its result. */
export function madeBy(step: number, take: number): { job: JobStatus; result: SessionResult } | null {
  for (const job of jobs.value) {
    const result = (job.results as SessionResult[]).find((one) => one.step === step && one.take === take);
    if (result) return { job, result };
  }
  return null;
}
