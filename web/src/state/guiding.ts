// What guides an engine beside the prompt: the lines that are drawn, maps of the picture, images of one's own; and what
// of it the server has networks for.
import { effect, signal } from "@preact/signals";

import { api, ServerError, type EditRequest, type Schemas } from "../api/client";
import type { PaintCanvas } from "../canvas";
import { guiding, uploadedMask } from "./actions";
import { canvas, drawn } from "./canvas";
import { attempt } from "./notices";
import { session } from "./session";
import { guides, LINES, requestOf, wish, type Guide } from "./wish";

export type ControlAnswer = Schemas["ControlAnswer"];
export type ControlFacts = Schemas["ControlFacts"];

/** Kinds of control whose map is a drawing: what drawn lines can be, the likeliest first. */
export const DRAWN = ["lineart", "scribble", "softedge", "canny"] as const;
/** Kinds whose maps are made from the picture by a button each. */
export const MADE = ["canny", "depth", "openpose", "tile"] as const;
/** Of these, the ones that no network makes: their maps can be looked at. */
export const SHOWN: readonly string[] = ["canny", "tile"];
/** Kinds whose image is a picture of its own, of any proportions. */
export const PICTURES: readonly string[] = ["reference"];

export const NEW = { on: true, weight: 1, start: 0, end: 1, mode: "balanced", model: null } as const;
const MODES: readonly unknown[] = ["balanced", "prompt", "control"];
const PAUSE = 400;
const PROPORTION = 0.02;

/** What could guide the edit that is asked for now; null while that is not known. */
export const answer = signal<ControlAnswer | null>(null);
/** Why nothing would paint it, in the server's words. */
export const refusal = signal<string | null>(null);

/** The mask of the lines that are drawn; null where there are none. */
export function drawnLines(made: PaintCanvas): string | null {
  const found = made.masks.find((one) => one.role === LINES);
  return found && !made.isEmpty(found.id) ? found.id : null;
}

/** The guide for lines, which is always there, and the others. */
export function allGuides(): readonly Guide[] {
  const all = readGuides(guides.value);
  return all.some((one) => one.from === "lines") ? all : [{ ...NEW, from: "lines", kind: null }, ...all];
}

/** Of these, the ones that go with the next edit. */
export function activeGuides(): readonly Guide[] {
  drawn.value;
  const made = canvas.value;
  const lines = made && drawnLines(made);
  return allGuides().filter((one) => one.on && (one.from !== "lines" || lines));
}

export function changeGuide(at: number, what: Partial<Guide>): void {
  guides.value = allGuides().map((one, index) => (index === at ? { ...one, ...what } : one));
}

export function removeGuide(at: number): void {
  guides.value = allGuides().filter((_, index) => index !== at);
}

/** Have a map of the picture guide. */
export function addMade(kind: string): void {
  guides.value = [...allGuides(), { ...NEW, from: "picture", kind }];
}

/** Have an image of one's own guide. */
export async function addImage(file: File): Promise<void> {
  await attempt(async () => {
    const { id, width, height } = await api.upload(file);
    guides.value = [...allGuides(), { ...NEW, from: "image", kind: "lineart", image: { id, name: file.name, width, height } }];
  });
}

export function factsOf(kind: string): ControlFacts | null {
  return answer.value?.kinds.find((one) => one.kind === kind) ?? null;
}

/** The kind of a guide: its own, or of lines the first that the server has a network for. */
export function kindOf(guide: Guide): string {
  return guide.kind ?? DRAWN.find((one) => factsOf(one)?.network) ?? DRAWN[0];
}

/** Whether an image has other proportions than the picture, and so can't be a map of it. */
export function misshapen({ image, kind }: Guide): boolean {
  const now = session.value;
  if (!now || !image || PICTURES.includes(kind ?? "")) return false;
  return Math.abs((image.width * now.height) / (image.height * now.width) - 1) > PROPORTION;
}

/** The request, as far as it says what paints: beside a model or an engine, words are of no consequence. */
function question(): EditRequest {
  const { intent, engine, model, options, ...rest } = requestOf(wish.value);
  return engine || model ? { intent, engine, model, options } : { intent, options, ...rest };
}

/** The question that was asked last. */
let asked = "";

/** Ask the server what could guide the edit that is asked for now, unless that is known. */
async function learn(): Promise<void> {
  const task = question();
  const now = JSON.stringify(task);
  if (now === asked && answer.value) return;
  asked = now;
  try {
    const found = await api.controls(task);
    if (asked !== now) return;
    answer.value = found;
    refusal.value = null;
  } catch (error) {
    if (asked !== now) return;
    answer.value = null;
    refusal.value = error instanceof ServerError ? [error.message, error.hint].filter(Boolean).join("; ") : null;
  }
}

/** Keep what is known in step with the wish, until the function that is returned is called. */
export function followWish(): () => void {
  let timer: ReturnType<typeof setTimeout> | undefined;
  answer.value = null; // another network may be there by now
  const stop = effect(() => {
    const now = JSON.stringify(question());
    clearTimeout(timer);
    timer = setTimeout(() => void learn(), now === asked || !asked ? 0 : PAUSE);
  });
  return () => {
    clearTimeout(timer);
    stop();
  };
}

/** The guides as the server takes them, with what they name uploaded. */
async function controlsOf(made: PaintCanvas): Promise<Schemas["TaskControl"][]> {
  const lines = drawnLines(made);
  const found: Schemas["TaskControl"][] = [];
  for (const guide of activeGuides()) {
    if (guide.kind === null) await learn();
    const { weight, start, end, mode, model, image, preprocess } = guide;
    const own = guide.from === "lines" && lines !== null ? await uploadedMask(lines) : image?.id;
    found.push({
      kind: kindOf(guide),
      weight,
      start,
      end,
      mode,
      ...(model ? { model } : {}),
      ...(own ? { image: own } : {}),
      ...(own && preprocess ? { preprocess } : {}),
    });
  }
  return found;
}

guiding.controlsOf = controlsOf;

/** Guides as a browser kept them; what has another form is dropped, and breaks nothing. */
export function readGuides(kept: unknown): Guide[] {
  if (!Array.isArray(kept)) return [];
  const share = (value: unknown, most: number): value is number => typeof value === "number" && value >= 0 && value <= most;
  return kept.filter((one: Partial<Guide> | null): one is Guide => {
    if (!one || !share(one.weight, 4) || !share(one.start, 1) || !share(one.end, 1) || !MODES.includes(one.mode)) return false;
    if (one.from === "lines") return true;
    return typeof one.kind === "string" && (one.from === "picture" || (one.from === "image" && typeof one.image?.id === "string"));
  });
}
