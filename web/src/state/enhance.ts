// The picture enlarged, and with its faces restored, as it is exported: jobs of the server on the flattened picture.
import { signal } from "@preact/signals";

import { bytes, type JobStatus, type Schemas, ServerError } from "../api/client";
import { follow } from "../api/events";
import { download } from "./files";
import { attempt, notify } from "./notices";
import { session } from "./session";

export type EnhancerInfo = Schemas["EnhancerInfo"];

/** What is done to the picture before it is saved. */
export interface Enhancement {
  /** How many times as wide, or null for none; where `width` is set that counts. */
  readonly scale: number | null;
  readonly width: number | null;
  /** A network; null: filters that the picture teaches. */
  readonly upscaler: string | null;
  /** The network that restores faces; null: they stay. */
  readonly faces: string | null;
}

export interface Saving {
  readonly format: string;
  readonly quality: number | null;
  readonly record: boolean;
}

/** The networks of the server; null until they are known. */
export const enhancers = signal<readonly EnhancerInfo[] | null>(null);
/** How much of the job that is waited for is done, 0 to 1; null while there is none. */
export const progress = signal<number | null>(null);

export async function loadEnhancers(): Promise<void> {
  await attempt(async () => (enhancers.value = (await (await bytes("/enhancers")).json()) as EnhancerInfo[]));
}

const json = async <T>(path: string, method: string, body?: unknown): Promise<T> => {
  const headers = { "content-type": "application/json" };
  return (await bytes(path, { method, headers, body: body === undefined ? null : JSON.stringify(body) })).json() as Promise<T>;
};

let stop: AbortController | null = null;

/** Give up what is waited for. */
export function stopEnhancing(): void {
  stop?.abort();
}

/** The id of the picture that a job makes. */
async function made(path: string, task: unknown, signal: AbortSignal): Promise<{ picture: string; notes: string[] }> {
  const { id } = await json<JobStatus>(path, "POST", task);
  const leave = () => void bytes(`/edits/${id}/cancel`, { method: "POST" }).catch(() => undefined);
  signal.addEventListener("abort", leave, { once: true });
  progress.value = 0;
  await follow({
    path: `/edits/${id}/events`,
    final: ["done", "failed", "cancelled"],
    signal,
    onEvent: (kind, data) => {
      if (kind === "progress") progress.value = Number(data.step) / Math.max(1, Number(data.steps));
    },
  });
  signal.throwIfAborted();
  signal.removeEventListener("abort", leave);
  const job = await json<JobStatus>(`/edits/${id}`, "GET");
  const [result] = job.results as Schemas["EditResult"][];
  if (!result) {
    const error = (job.error ?? {}) as { code?: string; message?: string; hint?: string | null };
    throw new ServerError(0, error.code ?? "unknown", error.message ?? job.state, null, error.hint ?? null);
  }
  void bytes(`/edits/${id}`, { method: "DELETE" }).catch(() => undefined);
  return result;
}

/** Save the picture enhanced; false where that failed or was given up. */
export async function exportEnhanced(what: Enhancement, how: Saving): Promise<boolean> {
  const now = session.value;
  if (!now || progress.value !== null) return false;
  const controller = (stop = new AbortController());
  const { signal } = controller;
  const temporary: string[] = [];
  const last = { format: how.format, quality: how.quality ?? undefined, record: how.record ? "embed" : "none" };
  progress.value = 0;
  const work = async (): Promise<boolean> => {
    const flat = await json<{ id: string }>(`/sessions/${now.id}/flatten`, "POST", { format: "tiff" });
    let [picture, notes] = [flat.id, [] as string[]];
    if (now.steps.some((one) => one.visible)) temporary.push(picture); // else it may be the file that was opened
    const run = async (path: string, task: object, final: boolean) => {
      const output = final ? last : { format: "tiff" };
      const result = await made(path, { picture, ...task, ...output }, signal);
      picture = result.picture;
      temporary.push(picture);
      notes = [...notes, ...result.notes];
    };
    if (what.scale !== null || what.width !== null) {
      const size = what.width === null ? { scale: what.scale } : { width: what.width };
      await run("/enlargements", { ...size, model: what.upscaler ?? undefined }, what.faces === null);
    }
    if (what.faces !== null) await run("/restorations", { model: what.faces }, true);
    const reply = await bytes(`/pictures/${picture}/file`, { signal });
    const ending = how.format === "jpeg" ? "jpg" : how.format;
    download(await reply.blob(), `${now.name || "picture"}.${ending}`);
    if (notes.length) notify("info", [...new Set(notes)].join("; "));
    return true;
  };
  try {
    return (await attempt(() => work().catch((error: unknown) => {
      if (!signal.aborted) throw error;
      return false;
    }), { about: "save" })) ?? false;
  } finally {
    progress.value = null;
    for (const id of temporary) void bytes(`/pictures/${id}`, { method: "DELETE" }).catch(() => undefined);
  }
}
