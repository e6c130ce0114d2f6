// The canvas engine and the session in step: pictures, one line of undo, drafts, what masks there are.
import { computed, effect, signal } from "@preact/signals";

import { api, type SessionStatus } from "../api/client";
import type { BrushSettings, BrushTool, Combine, HistoryState, MaskInfo, Outline, PaintCanvas, Rgba, ToolName, View } from "../canvas";
import { filled, texts } from "../text";
import { draftOf, keepDraft } from "./drafts";
import { attempt, report } from "./notices";
import { panel, panelOpen } from "./prefs";
import { clings, selectAlong, selectBox, selectPoint, wire } from "./select";
import { adopt, inOrder, onChanged, session } from "./session";
import { movedBy, originalTiles, presentTiles } from "./tiles";
import { guides, margins, PART, readWish, wish, type Guide } from "./wish";

export const canvas = signal<PaintCanvas | null>(null);
export const tool = signal<ToolName>("brush");
export const combine = signal<Combine>("add");
export const brush = signal<BrushSettings | null>(null);
export const masks = signal<readonly MaskInfo[]>([]);
export const activeMask = signal("");
/** Grows with each change of a mask, the sketch or a frame. */
export const drawn = signal(0);
/** A stroke or a polygon is under way: undo takes that back first. */
export const underway = signal(false);
export const past = signal<HistoryState>({ undo: null, redo: null, bytes: 0 });
export const view = signal<View | null>(null);
export const compareMode = signal<"off" | "original" | "split">("off");
export const busy = signal(false);
/** Of the sketch; the picker takes another. */
export const colour = signal<Rgba>({ red: 208, green: 74, blue: 58, alpha: 255 });
export const outlines = signal<readonly Outline[]>([]);
/** The step whose mask strokes of the brush change; null: strokes mark what is asked for. */
export const restoring = signal<{ step: number; show: boolean } | null>(null);

/** How wide brushes are on a new picture, as shares of its shorter side, and so of what is shown. */
const WIDTHS: Readonly<Record<BrushTool, number>> = { brush: 0.06, eraser: 0.06, sketch: 0.03, sketchEraser: 0.05, lines: 0.006, linesEraser: 0.04 };
/** Of a line, in pixels of the screen: who zooms in draws finer ones. */
const LINE = 4;
const THINNEST = 2;

export const brushTool = (name: ToolName): BrushTool | null => (name in WIDTHS ? (name as BrushTool) : null);

let replaying = 0;
/** As it follows the view. */
let lineWidth = 0;
let restored = "";

/** Take a canvas into use; the function that is returned ends that. */
export function attach(made: PaintCanvas): () => void {
  canvas.value = made;
  made.setColour(colour.value);
  tool.value = made.tool;
  const [first] = made.masks;
  if (first) made.setMaskLook(first.id, { name: filled(texts.value.masks.numbered, { number: 1 }) });
  masks.value = made.masks;
  activeMask.value = made.activeMask;
  const name = brushTool(made.tool);
  if (name) brush.value = made.brush(name);
  const offs = [
    made.on("tool", (now) => {
      tool.value = now.tool;
      combine.value = now.combine;
      const found = brushTool(now.tool);
      if (found) brush.value = made.brush(found);
    }),
    made.on("brush", (now) => {
      if (now.tool === made.tool) brush.value = now.settings;
    }),
    made.on("masks", (now) => {
      masks.value = now.masks;
      activeMask.value = now.active;
      showMarks();
      changedDraft();
    }),
    made.on("mask", (now) => {
      changes.set(now.id, (changes.get(now.id) ?? 0) + 1);
      showMarks();
      if (now.final) changedDraft();
    }),
    made.on("sketch", (now) => {
      if (now.final) changedDraft();
    }),
    made.on("strokeBegin", () => {
      underway.value = made.painting;
      showMarks();
    }),
    made.on("polygon", () => (underway.value = made.painting)),
    made.on("strokeEnd", (now) => {
      underway.value = made.painting;
      if (!now.cancelled) void attempt(strokeRestores);
    }),
    made.on("history", (now) => (past.value = now)),
    made.on("view", (now) => {
      view.value = now;
      if (made.brush("lines").size !== lineWidth) return; // a person has set another
      lineWidth = Math.max(THINNEST, Math.round((LINE * devicePixelRatio) / now.zoom));
      made.setBrush("lines", { size: lineWidth });
    }),
    made.on("compare", (now) => (compareMode.value = now.mode)),
    made.on("busy", (now) => (busy.value = now.busy)),
    made.on("margins", (now) => {
      const { left, top, right, bottom } = now.margins;
      margins.value = [left, top, right, bottom].map(Math.round) as [number, number, number, number];
    }),
    made.on("point", (now) => selectPoint(made, now.at, now.add)),
    made.on("box", (now) => selectBox(made, now.box, now.add)),
    made.on("lasso", (now) => void selectAlong(made, now.points, now.combine, now.scale)),
    effect(() => made.setClings(clings.value && wire() !== null)),
    made.on("colour", (now) => (colour.value = now)),
    made.on("error", (now) => report(now.error)),
    onChanged(sessionChanged),
    effect(() => made.setOutlines(outlines.value)),
    effect(() => made.setMarksShown(!resultAlone.value || (panelOpen.value && ["masks", "guides"].includes(panel.value)))),
    effect(() => {
      void [wish.value, guides.value];
      changedDraft();
    }),
  ];
  let shown = session.value;
  offs.push(onChanged((now) => (shown = now.id === shown?.id ? now : shown)));
  document.addEventListener("visibilitychange", keepHidden);
  if (session.value) sessionChanged(session.value, null);
  return () => {
    for (const off of offs) off();
    document.removeEventListener("visibilitychange", keepHidden);
    if (timer !== null && shown) keepNow(made, shown);
    canvas.value = null;
    underway.value = false;
    restored = "";
    void saving.then(() => made.destroy()); // what is being kept needs its worker
  };
}

function sessionChanged(now: SessionStatus, before: SessionStatus | null): void {
  const made = canvas.value;
  if (!made) return;
  const size = { width: now.width, height: now.height };
  if (!before) {
    restored = "";
    guides.value = [];
    for (const [name, share] of Object.entries(WIDTHS)) made.setBrush(name as BrushTool, { size: Math.max(THINNEST, Math.round(share * Math.min(size.width, size.height))) });
    lineWidth = made.brush("lines").size;
    made.setPicture(presentTiles(() => session.value, size), { keepView: false });
    made.setOriginal(originalTiles(now));
    made.clearHistory();
    void restoreDraft(now);
    return;
  }
  const added = now.steps.length > before.steps.length;
  const alone = added && unmarked;
  const moved = movedBy(before, now);
  if (moved) {
    made.setPicture(presentTiles(() => session.value, size), { oldAt: moved, keepView: false });
    made.setOriginal(originalTiles(now));
    made.setMargins({ left: 0, top: 0, right: 0, bottom: 0 });
    margins.value = [0, 0, 0, 0];
  } else if (now.picture !== before.picture) {
    made.refreshPicture();
  }
  if (replaying > 0 || now.undo.count <= before.undo.count) return;
  void (added ? clearAsked(made) : Promise.resolve()).catch(report).then(() => {
    unmarked = resultAlone.value = alone;
    for (let depth = before.undo.count + 1; depth <= now.undo.count; depth++) pushStep(now, depth);
  });
}

/** A new result is seen without the parts and lines that were asked with, until something is marked again. */
const resultAlone = signal(false);
/** Nothing was marked since an edit was asked for. */
let unmarked = false;

/** Show what is marked over the result again. */
export function showMarks(): void {
  unmarked = resultAlone.value = false;
}

/** The mask that was asked with, and how often it had been changed by then. */
let asked: { mask: string; changes: number } | null = null;

/** Remember what was asked with, so that it can go once its result is there. */
export function noteAsked(mask: string | null): void {
  asked = mask === null ? null : { mask, changes: changes.get(mask) ?? 0 };
  unmarked = true;
}

/** How often each mask was changed. */
export const changes = new Map<string, number>();

/** Empty the mask whose result is there now, so that one sees it and can mark the next place. One that was painted on
 * meanwhile stays. Undo of the edit comes first, and then the mask's. */
async function clearAsked(made: PaintCanvas): Promise<void> {
  const found = asked;
  asked = null;
  if (!found || made.painting || (changes.get(found.mask) ?? 0) !== found.changes || made.isEmpty(found.mask)) return;
  await made.refineMask({ kind: "clear" }, found.mask);
}

/** A change of the session as a step of the one history. Another page may have undone it already: then nothing is done. */
function pushStep(status: SessionStatus, depth: number): void {
  const { id } = status;
  canvas.value?.pushHistory({
    label: sessionLabel(status.undo) ?? "",
    undo: async () => {
      const count = (session.value?.undo.count ?? 0) - depth + 1;
      if (session.value?.id === id && count > 0) await replay(() => api.undo(id, count));
    },
    redo: async () => {
      const now = session.value;
      if (now?.id === id && now.undo.count === depth - 1 && now.redo.count > 0) await replay(() => api.redo(id, 1));
    },
  });
}

async function replay(act: () => Promise<SessionStatus>): Promise<void> {
  showMarks();
  await inOrder(async () => {
    replaying++;
    try {
      adopt(await act());
    } finally {
      replaying--;
    }
  });
}

/** Undo the stroke or the polygon's corner that is under way, else the last stroke or edit; beyond what this page did, the session's own history. */
export async function undo(): Promise<void> {
  const made = canvas.value;
  const now = session.value;
  if (!made || !now) return;
  if (made.painting || past.value.undo !== null) await attempt(() => made.undo());
  else if (now.undo.count > 0) await attempt(() => replay(() => api.undo(now.id, 1)));
}

export async function redo(): Promise<void> {
  const made = canvas.value;
  const now = session.value;
  if (!made || !now) return;
  if (past.value.redo !== null) await attempt(() => made.redo());
  else if (now.redo.count > 0) await attempt(() => replay(() => api.redo(now.id, 1)));
}

/** An action of the session among the steps of undo: its kind and its step; null for none. */
const sessionLabel = (end: SessionStatus["undo"] | undefined): string | null => (end?.count ? `${end.do}:${end.step ?? ""}` : null);

/** What undo and redo would do, as `historyWords` reads it; null for nothing. */
export function undoText(): string | null {
  if (underway.value) return texts.value.top.underway;
  return past.value.undo ?? sessionLabel(session.value?.undo);
}

export function redoText(): string | null {
  return past.value.redo ?? sessionLabel(session.value?.redo);
}

/** Where a stroke paints a layer's mask: send it, and take the stroke itself away again. */
async function strokeRestores(): Promise<void> {
  const made = canvas.value;
  const now = session.value;
  const target = restoring.value;
  if (!made || !now || !target || made.tool === "pan" || made.isEmpty(activeMask.value)) return;
  // Both begin at once: a stroke that follows quickly is neither sent along nor taken back.
  const saved = made.exportMask(activeMask.value);
  const undone = made.undo();
  const png = await saved;
  await undone;
  const mask = await api.upload(new Blob([png]));
  await inOrder(async () => adopt(await api.paintBack(now.id, target.step, mask.id, target.show)));
}

/** The place, from 1, of the part that strokes mark; 0 where they mark something else. */
export const markedPart = computed(() => 1 + masks.value.filter((one) => one.role === PART).findIndex((one) => one.id === activeMask.value));

/** Let strokes mark again what is repainted, where they marked a part or a layer's mask. */
export function endMarking(): void {
  const made = canvas.value;
  if (!made || !(restoring.value || markedPart.value)) return;
  restoring.value = null;
  made.setActiveMask(made.masks.find((one) => one.role === "repaint")?.id ?? made.activeMask);
}

/** Let strokes paint what is below a step back, on an empty mask of its own. */
export function restore(step: number, show = false): void {
  const made = canvas.value;
  if (!made) return;
  const own = made.masks.find((one) => one.role === "restore");
  const id = own?.id ?? made.addMask({ name: texts.value.layers.restoreMask, role: "restore", colour: { red: 80, green: 190, blue: 120, alpha: 255 } });
  made.setActiveMask(id);
  if (brushTool(made.tool) !== "brush") made.setTool("brush");
  restoring.value = { step, show };
}

/** Milliseconds from one time that drafts are kept to the next. */
const PAUSE = 400;

let timer: ReturnType<typeof setTimeout> | null = null;
let saving: Promise<void> = Promise.resolve();
let begun = -PAUSE;

/** What is drawn after a pause is kept at once, so that a reload right after it loses nothing; what follows soon, once
 * the pause is over and what is being kept is there. */
function changedDraft(): void {
  drawn.value = drawn.peek() + 1;
  if (timer !== null) return;
  const own = setTimeout(
    () => void saving.then(() => timer === own && keepNow(canvas.value, session.value)),
    Math.max(0, begun + PAUSE - performance.now()),
  );
  timer = own;
}

/** Keep what is drawn, after what is being kept already. What could not be kept is kept with the next change. */
function keepNow(made: PaintCanvas | null, now: SessionStatus | null): void {
  if (timer !== null) clearTimeout(timer);
  timer = null;
  if (!made || !now || restored !== now.id) return;
  begun = performance.now();
  saving = saving.then(() => saveDraft(made, now)).catch(() => undefined);
}

/** A page that is hidden may never be seen again: keep at once what was just drawn. */
function keepHidden(): void {
  if (document.hidden && timer !== null) keepNow(canvas.value, session.value);
}

/** Keep masks, sketch and wish of a session in the browser. */
async function saveDraft(made: PaintCanvas, now: SessionStatus): Promise<void> {
  const kept = [];
  for (const mask of made.masks) {
    if (mask.role === "restore") continue;
    const png = made.isEmpty(mask.id) ? new Blob() : new Blob([await made.exportMask(mask.id)]);
    kept.push({ name: mask.name, role: mask.role, png, look: { colour: mask.colour, opacity: mask.opacity, style: mask.style, ...(mask.extra ? { extra: mask.extra } : {}) } });
  }
  const sketch = made.sketchEmpty ? null : new Blob([await made.exportSketch()]);
  const { id, left, top, width, height } = now;
  await keepDraft({ session: id, saved: Date.now(), left, top, width, height, masks: kept, sketch, wish: wish.value, guides: guides.value });
}

async function restoreDraft(now: SessionStatus): Promise<void> {
  await saving;
  const found = await draftOf(now.id);
  const made = canvas.value;
  if (!made || session.value?.id !== now.id) return;
  try {
    if (found && found.width === now.width && found.height === now.height) {
      const [first] = made.masks;
      for (const [index, draft] of found.masks.entries()) {
        const look = { name: draft.name, role: draft.role, ...draft.look };
        const id = index === 0 && first ? first.id : made.addMask(look);
        made.setMaskLook(id, look);
        if (draft.png.size) await made.importMask(draft.png, { id, combine: "replace", undoable: false });
      }
      const marks = made.masks.find((one) => one.role === "repaint") ?? first;
      if (marks) made.setActiveMask(marks.id);
      if (found.sketch) await made.importSketch(found.sketch, { undoable: false });
      made.clearHistory();
    }
    guides.value = (found?.guides ?? []) as readonly Guide[];
    const asked = readWish(found?.wish);
    if (asked) wish.value = asked;
  } catch (error) {
    report(error);
  } finally {
    restored = now.id;
  }
}
