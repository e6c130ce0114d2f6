// What buttons and keys do.
import { signal } from "@preact/signals";

import { api, bytes, LostError, ServerError, type Schemas, type StepEdit } from "../api/client";
import { pause } from "../api/events";
import type { PaintCanvas } from "../canvas";
import { filled, texts } from "../text";
import { canvas, changes, compareMode, endMarking, markedPart, noteAsked } from "./canvas";
import { engineOf, engines, intents } from "./catalogue";
import { jobs, put } from "./jobs";
import { attempt, notify, report, say, settle, type Remedy } from "./notices";
import { panel } from "./prefs";
import { changeStep, chosenStep, session, shownStep } from "./session";
import { boxOf, takePath } from "./tiles";
import { guides, insert, LINES, margins, PART, requestOf, setSetting, takesPicture, wish } from "./wish";

export const asking = signal(false);
/** The take that is looked at, and not applied. */
export const previewed = signal<{ step: number; take: number } | null>(null);

/** What was uploaded of each mask, and how often that had been changed by then: it is sent once. */
const sent = new Map<string, { changes: number; session: string; id: string }>();

export async function uploadedMask(mask: string): Promise<string> {
  const made = canvas.value;
  const [now, at] = [session.value?.id ?? "", changes.get(mask) ?? 0];
  const known = sent.get(mask);
  if (!made || (known?.changes === at && known.session === now)) return known?.id ?? "";
  const { id } = await api.upload(new Blob([await made.exportMask(mask)]));
  sent.set(mask, { changes: at, session: now, id });
  return id;
}

/** The result of a call that is made again, some times, where no reply came: with one key it is the same job. */
async function persistently<T>(call: (key: string) => Promise<T>): Promise<T> {
  const key = crypto.randomUUID();
  for (let turn = 0; ; turn++) {
    try {
      return await call(key);
    } catch (error) {
      if (!(error instanceof LostError) || turn === 8) throw error;
      report(error);
      await new Promise((resolve) => setTimeout(resolve, pause(turn)));
    }
  }
}

/** Masks of a role that mark something, as stored pictures. */
async function uploaded(role: string): Promise<string[]> {
  const made = canvas.value;
  if (!made) return [];
  const ids: string[] = [];
  for (const mask of made.masks) {
    const counts = role === "repaint" ? mask.id === askedMask() : mask.role === role;
    if (!counts || made.isEmpty(mask.id)) continue;
    ids.push(await uploadedMask(mask.id));
  }
  return ids;
}

/** The mask that says where to repaint: the active one, or the first of that role where the active one has another. */
export function askedMask(): string | null {
  const made = canvas.value;
  if (!made) return null;
  const active = made.masks.find((one) => one.id === made.activeMask);
  return (active?.role === "repaint" ? active : made.masks.find((one) => one.role === "repaint"))?.id ?? null;
}

/** Why nothing can be asked for just now, in words; null where it can. */
export function missing(): string | null {
  const made = canvas.value;
  const words = texts.value.wish;
  if (!made || !session.value) return words.noPicture;
  const { intent, prompt, settings } = wish.value;
  const id = askedMask();
  if (intent === "expand") return margins.value.some((one) => one > 0) ? null : words.noMargins;
  if (intent !== "custom" && (id === null || made.isEmpty(id))) return markedPart.value ? filled(words.marksPart, { number: markedPart.value }) : intent === "background" ? words.noSubject : words.noMask;
  const options = (settings.options as Record<string, unknown> | undefined) ?? {};
  const source = prompt.trim() || insert.value || Object.keys(options).length > 0;
  if (["replace", "add", "recolor", "background"].includes(intent) && !source) return words.noPrompt;
  return null;
}

/** Variations that are asked for: one where the engine that follows uses no seed, as they would be equal. */
export function variations(count = wish.value.count): number {
  const { intent, settings } = wish.value;
  const request = requestOf(wish.value);
  const own = intents.value.find((one) => one.name === intent)?.engine;
  const implied = intent === "recolor" || (takesPicture(intent) && !request.prompt) ? own : null;
  const engine = engineOf(settings) ?? engines.value.find((one) => one.name === implied);
  return engine && !engine.accepts.includes("seed") ? 1 : count;
}

/** The task as the server takes it, with everything uploaded that it names. */
export async function task(): Promise<StepEdit> {
  const found: StepEdit = { request: requestOf(wish.value), count: variations() };
  if (wish.value.intent !== "expand") {
    const marks = await uploaded("repaint");
    if (marks.length) found.marks = { mask: marks, channel: "luminance" };
  }
  const avoid = await uploaded("avoid");
  if (avoid.length) found.avoid = { mask: avoid, channel: "luminance" };
  const made = canvas.value;
  const parts: NonNullable<StepEdit["regional_prompts"]> = [];
  for (const { id, name, role, extra } of made?.masks ?? [])
    if (role === PART && name.trim() && !made?.isEmpty(id)) parts.push({ ...extra, prompt: name.trim(), marks: { mask: [await uploadedMask(id)], channel: "luminance" } });
  if (parts.length) found.regional_prompts = parts;
  if (made && !made.sketchEmpty) found.sketch = (await api.upload(new Blob([await made.exportSketch()]))).id;
  if (insert.value && takesPicture(wish.value.intent)) found.insert = insert.value.id;
  return found;
}

/** What makes controls of the guides. It comes with the panels. */
export const guiding: { controlsOf?: (made: PaintCanvas) => Promise<NonNullable<StepEdit["controls"]>> } = {};

/** The task with what guides the engine. */
async function guided(): Promise<StepEdit> {
  const made = canvas.value;
  const found = await task();
  if (!made || (!guides.value.length && !made.masks.some((one) => one.role === LINES))) return found;
  if (!guiding.controlsOf) throw new LostError("the panels");
  const controls = await guiding.controlsOf(made);
  return controls.length ? { ...found, controls } : found;
}

/** What to do where the prompt names what the embedded model does not know: a person may try it, by a click. */
function beyondModel(error: unknown): Remedy | null {
  if (!(error instanceof ServerError) || error.code !== "prompt-beyond-model") return null;
  const act = () => {
    setSetting("model", "pocket");
    void ask();
  };
  return { text: texts.value.wish.tryAnyway, act };
}

/** Ask for what the wish says. Sent again after a lost connection it is the same job. */
export async function ask(): Promise<void> {
  const now = session.value;
  if (!now || asking.value) return;
  endMarking();
  const why = missing();
  if (why) {
    notify("info", why);
    say(why);
    return;
  }
  asking.value = true;
  settle("select"); // what is marked now is painted
  try {
    await attempt(async () => {
      unpreview();
      noteAsked(wish.value.intent === "expand" ? null : askedMask());
      put(await persistently(async (key) => api.edit(now.id, await guided(), key)));
      chosenStep.value = null;
      panel.value = "results";
      say(texts.value.jobs.asked);
    }, { about: "paint", remedy: beyondModel });
  } finally {
    asking.value = false;
  }
}

/** Paint a step again with new seeds: its takes stay, and new ones come. */
export async function moreLikeThis(step: number): Promise<void> {
  const now = session.value;
  if (!now) return;
  chosenStep.value = step;
  const task: Schemas["StepRerun"] = { request: { seed: -1 }, count: Math.max(2, wish.value.count) };
  await attempt(async () => put(await persistently((key) => api.rerun(now.id, step, task, key))), { about: "paint" });
}

export async function rerun(step: number): Promise<void> {
  const now = session.value;
  if (now) await attempt(async () => put(await persistently((key) => api.rerun(now.id, step, {}, key))), { about: "paint" });
}

export async function rerunStale(): Promise<void> {
  const now = session.value;
  if (now) await attempt(async () => put(await api.rerunStale(now.id)), { about: "paint" });
}

/** Change a step, after the changes before it; where another page changed that step meanwhile, nothing is done and it is
 * said. */
export async function change(step: number, what: Schemas["StepChange"]): Promise<boolean> {
  return (await attempt(async () => (await changeStep(step, what), true))) ?? false;
}

let latest = 0;

/** Look at a take on the picture without applying it. */
export async function preview(step: number, take: number): Promise<void> {
  const now = session.value;
  const made = canvas.value;
  const found = now?.steps.find((one) => one.number === step);
  if (!now || !made || !found) return;
  const turn = ++latest;
  if (found.take === take && found.visible) {
    unpreview();
    return;
  }
  previewed.value = { step, take };
  await attempt(async () => {
    const box = boxOf(now, found.box);
    const side = Math.min(4096, Math.max(box.right - box.left, box.bottom - box.top, 16));
    const reply = await bytes(takePath(now, step, take, box, side, "png"));
    const bitmap = await createImageBitmap(await reply.blob());
    if (turn === latest) made.setPreview({ bitmap, box });
  });
}

export function unpreview(): void {
  latest++;
  previewed.value = null;
  canvas.value?.setPreview(null);
}

/** Apply a take: it is what the layer shows from now on. */
export async function keepTake(step: number, take: number): Promise<void> {
  const found = session.value?.steps.find((one) => one.number === step);
  if (!found) return;
  if (found.take !== take && !(await change(step, { take }))) return;
  if (!found.visible) await change(step, { visible: true });
  unpreview();
  say(filled(texts.value.results.kept, { number: take }));
}

/** Put a take aside in the session: it stays there, and lists leave it out. Where it is the one that shows, the next one is applied; the last one hides its layer. */
export async function discard(step: number, take: number): Promise<void> {
  const found = session.value?.steps.find((one) => one.number === step);
  if (!found) return;
  const left = takesOf(step).filter((one) => one !== take);
  if (found.take === take) {
    const other = left.find((one) => one > take) ?? left[left.length - 1];
    if (!(await change(step, other === undefined ? { visible: false } : { take: other }))) return;
  }
  if (!(await change(step, { aside: [...found.aside, take] }))) return;
  unpreview();
  say(filled(texts.value.results.discarded, { number: take }));
}

/** Put all takes of a step aside, which hides its layer. */
export async function discardAll(step: number): Promise<void> {
  if (!(await change(step, { visible: false }))) return;
  unpreview();
  say(texts.value.results.allDiscarded);
}

/** Show the takes of a step again that were put aside. */
export async function bringBack(step: number): Promise<void> {
  await change(step, { aside: [] });
}

/** The numbers of a step's takes that were not put aside. */
export function takesOf(step: number): number[] {
  const found = session.value?.steps.find((one) => one.number === step);
  const all = Array.from({ length: found?.takes ?? 0 }, (_, index) => index + 1);
  return all.filter((take) => !found?.aside.includes(take) || take === found.take);
}

/** Look at the next or the previous take. */
export async function stepTake(by: number): Promise<void> {
  const found = shownStep.value;
  if (!found) return;
  const all = takesOf(found.number);
  const at = previewed.value?.step === found.number ? previewed.value.take : found.take;
  const next = all[(all.indexOf(at) + by + all.length) % all.length];
  if (next !== undefined) await preview(found.number, next);
}

export async function cancelJob(id: string): Promise<void> {
  await attempt(async () => put(await api.cancel(id)));
}

/** Cancel the job that runs, else the one that waits longest. */
export async function cancelFirst(): Promise<void> {
  const waiting = jobs.value.filter((one) => one.state === "running" || one.state === "queued");
  const first = waiting.find((one) => one.state === "running") ?? waiting[waiting.length - 1];
  if (first) await cancelJob(first.id);
}

export async function moveJob(id: string, place: number): Promise<void> {
  await attempt(async () => {
    put(await api.move(id, Math.max(0, place)));
    for (const one of jobs.value) if (one.state === "queued" && one.id !== id) put(await api.job(one.id));
  });
}

export async function retryJob(id: string): Promise<void> {
  await attempt(async () => put(await api.retry(id)), { about: "paint" });
}

/** Hold the original up, or take it away. */
export function showOriginal(on: boolean): void {
  canvas.value?.setCompare(on ? { mode: "original" } : { mode: "off" });
}

/** Off, slider, original, and off again. */
export function cycleCompare(): void {
  const next = { off: "split", split: "original", original: "off" } as const;
  const mode = next[compareMode.value];
  canvas.value?.setCompare(mode === "split" ? { mode, at: 0.5 } : { mode });
}
