// What is asked for next: the intent, the prompt and the settings. What is left open follows from the intent.
import { computed, effect, signal } from "@preact/signals";

import type { EditRequest } from "../api/client";
import { keep, kept } from "./prefs";

export const INTENTS = ["remove", "replace", "add", "recolor", "background", "refine", "expand"] as const;
export type Intent = (typeof INTENTS)[number] | "custom";

export interface Wish {
  readonly intent: Intent;
  readonly prompt: string;
  readonly count: number;
  /** Of the request, by name. */
  readonly settings: Readonly<Record<string, unknown>>;
}

export interface Preset {
  readonly name: string;
  readonly wish: Wish;
}

/** Settings that have a place of their own in the editor, or none in it. */
export const PLACED = ["schema", "intent", "image", "mask", "avoid", "sketch", "insert", "controls", "margins", "prompt", "regional_prompts", "engine", "model", "options", "seed"];

/** The role of a mask that marks where the prompt that is its name holds. */
export const PART = "prompt";
/** The role of the mask that the tool of lines draws on. */
export const LINES = "lines";

export const GROUPS: Readonly<Record<"where" | "how" | "finish" | "faces", readonly string[]>> = {
  where: ["grow", "feather", "strict", "reach_limit", "padding", "area", "size", "follow_effects", "mask_blur", "working_size"],
  how: ["strength", "negative_prompt", "preset", "steps", "guidance_scale", "guidance_rescale", "guidance_interval", "sampler", "scheduler", "clip_skip", "masked_content", "dialect"],
  finish: ["detail", "colour_match", "seam", "alpha", "exact"],
  faces: ["restore_faces", "face_weight", "face_fidelity"],
};

const FRESH: Wish = { intent: "remove", prompt: "", count: 1, settings: {} };

export const wish = signal<Wish>(FRESH);
export const insert = signal<{ id: string; name: string } | null>(null);
export const presets = signal<readonly Preset[]>([]);
/** What guides an engine that takes controls, beside the prompt. */
export interface Guide {
  /** The lines that are drawn here, a map made from the picture, or an image that was given. */
  readonly from: "lines" | "picture" | "image";
  /** Of control; null: what the server has a network for. */
  readonly kind: string | null;
  readonly on: boolean;
  readonly weight: number;
  readonly start: number;
  readonly end: number;
  readonly mode: "balanced" | "prompt" | "control";
  /** The network that reads it; null: the one that fits. */
  readonly model: string | null;
  readonly image?: { readonly id: string; readonly name: string; readonly width: number; readonly height: number };
  /** Whether the map is made from the image. */
  readonly preprocess?: boolean;
}

/** Of the open session. The one for lines is always the first. */
export const guides = signal<readonly Guide[]>([]);

/** Drawn by dragging the picture's edges: left, top, right, bottom. */
export const margins = signal<readonly [number, number, number, number]>([0, 0, 0, 0]);

/** Prompts by intent, so that going to and fro between intents loses none. */
const prompts: Record<string, string> = {};

/** Intents whose prompts name the same: a thing. A background's or a colour would be a surprise elsewhere. */
const THINGS: readonly Intent[] = ["replace", "add"];

export function setIntent(intent: Intent): void {
  const before = wish.value;
  prompts[before.intent] = before.prompt;
  const carried = THINGS.includes(before.intent) && THINGS.includes(intent) ? before.prompt : "";
  wish.value = { ...before, intent, prompt: prompts[intent] || carried };
}

export function setSetting(name: string, value: unknown): void {
  const { [name]: _, ...rest } = wish.value.settings;
  const empty = value === undefined || value === null || value === "";
  wish.value = { ...wish.value, settings: empty ? rest : { ...rest, [name]: value } };
}

export function setOption(name: string, value: unknown): void {
  const options = { ...((wish.value.settings.options as Record<string, unknown> | undefined) ?? {}) };
  if (value === undefined || value === null || value === "") delete options[name];
  else options[name] = value;
  setSetting("options", Object.keys(options).length ? options : undefined);
}

/** The number of settings behind the fold that are given. */
export const given = computed(() => Object.keys(wish.value.settings).length);

/** The settings of a background that is one colour, or none, where the prompt names just that; null for a scene. */
export function plainBackground(prompt: string): Readonly<Record<string, unknown>> | null {
  const name = prompt.trim().toLowerCase().replace(/\s+/g, "");
  if (name === "transparent") return { transparent: true };
  if (!name || !CSS.supports("color", name)) return null;
  const context = document.createElement("canvas").getContext("2d");
  if (!context) return null;
  context.fillStyle = name;
  return context.fillStyle.startsWith("#") ? { colour: context.fillStyle } : null;
}

/** Intents that a picture can be put into. */
export const takesPicture = (intent: Wish["intent"]): boolean => ["add", "background", "recolor"].includes(intent);

/** The request as the server takes it. */
export function requestOf(asked: Wish): EditRequest {
  const { engine, model, options } = asked.settings;
  const plain = asked.intent === "background" && !engine && !model && !insert.value ? plainBackground(asked.prompt) : null;
  if (plain) {
    const all = { ...(options as Record<string, unknown> | undefined), ...plain };
    return { ...asked.settings, intent: asked.intent, options: all } as EditRequest;
  }
  const found: Record<string, unknown> = { ...asked.settings, intent: asked.intent };
  if (asked.prompt.trim()) found.prompt = asked.prompt.trim();
  if (asked.intent === "expand") found.margins = [...margins.value];
  return found as EditRequest;
}

/** A wish from the settings of a result; rasters and what names them stay behind. */
export function wishOf(request: Readonly<Record<string, unknown>>, seed: number | null): Wish {
  const left = ["schema", "intent", "image", "mask", "avoid", "sketch", "insert", "controls", "margins", "prompt", "regional_prompts"];
  const settings = Object.fromEntries(
    Object.entries(request).filter(([name, value]) => !left.includes(name) && value !== null && value !== undefined),
  );
  if (seed !== null) settings.seed = seed;
  return {
    intent: (request.intent as Intent | undefined) ?? "custom",
    prompt: String(request.prompt ?? ""),
    count: 1,
    settings,
  };
}

export function savePreset(name: string): void {
  presets.value = [...presets.value.filter((one) => one.name !== name), { name, wish: wish.value }];
}

export function removePreset(name: string): void {
  presets.value = presets.value.filter((one) => one.name !== name);
}

/** What was kept by an older editor may have another form: it is dropped, and breaks nothing. */
export function readWish(value: unknown): Wish | null {
  if (typeof value !== "object" || value === null) return null;
  const found = value as Partial<Wish>;
  const known = [...INTENTS, "custom"] as readonly unknown[];
  if (!known.includes(found.intent) || typeof found.prompt !== "string") return null;
  const count = typeof found.count === "number" && found.count >= 1 && found.count <= 8 ? Math.round(found.count) : 1;
  const settings = typeof found.settings === "object" && found.settings !== null ? found.settings : {};
  return { intent: found.intent as Intent, prompt: found.prompt, count, settings };
}

export function startWish(): void {
  wish.value = readWish(kept("wish")) ?? FRESH;
  const all = kept<unknown>("presets");
  presets.value = (Array.isArray(all) ? all : []).flatMap((one: { name?: unknown; wish?: unknown }) => {
    const found = readWish(one?.wish);
    return found && typeof one.name === "string" ? [{ name: one.name, wish: found }] : [];
  });
  effect(() => keep("wish", wish.value));
  effect(() => keep("presets", presets.value));
}
