// Selecting by meaning: what the server's selectors find becomes a part of the active mask, one step of undo each.
import { signal } from "@preact/signals";

import { api, bytes, type HintKind, type SelectorInfo } from "../api/client";
import type { Box, Combine, PaintCanvas, Point } from "../canvas";
import { texts } from "../text";
import { selectors } from "./catalogue";
import { attempt, notify, say } from "./notices";
import { session } from "./session";

/** How many selections are under way. */
export const selecting = signal(0);
/** The selector that was chosen for a kind of hint. */
export const preferred = signal<Partial<Record<HintKind, string>>>({});
/** Options of selectors that were given, by selector. */
export const selectorOptions = signal<Readonly<Record<string, Readonly<Record<string, unknown>>>>>({});

/** Whether the lasso clings to edges. */
export const clings = signal(false);

/** A live wire goes through points in their order: one click is none. */
const ORDERED = ["edges"];

/** Screen pixels between two places of a line drawn by hand that the live wire goes through, and how far each may move. */
const STEP = 36;
const SNAP = 12;
const MOST_PLACES = 120;

/** The live wire, where the server has one. */
export function wire(): SelectorInfo | null {
  return selectors.value.find((one) => one.name === "edges") ?? null;
}

/** Selectors that act on a kind of hint: first those that begin from it, and of these the ones for whole things, which take
 * more kinds, and tell things apart. */
export function takers(kind: HintKind): SelectorInfo[] {
  const all = selectors.value.filter((one) => one.takes.includes(kind) && !(kind === "points" && ORDERED.includes(one.name)));
  const rank = (one: SelectorInfo): number => (one.needs.includes(kind) ? 10 : 0) + one.takes.length + (one.several ? 0.5 : 0);
  return all.sort((a, b) => rank(b) - rank(a));
}

/** Selectors that need no hint: the subject, faces. */
export function unaided(): SelectorInfo[] {
  return selectors.value.filter((one) => one.needs.length === 0);
}

/** The selector for a kind of hint: the chosen one, else the first; null where the server has none. */
export function takerOf(kind: HintKind): SelectorInfo | null {
  const all = takers(kind);
  return all.find((one) => one.name === preferred.value[kind]) ?? all[0] ?? null;
}

export function setSelectorOption(selector: string, name: string, value: unknown): void {
  const { [name]: _, ...rest } = selectorOptions.value[selector] ?? {};
  selectorOptions.value = { ...selectorOptions.value, [selector]: value === undefined ? rest : { ...rest, [name]: value } };
}

interface Hints {
  readonly points?: [number, number][];
  readonly boxes?: [number, number, number, number][];
  readonly text?: string;
  /** In place of those that were set for the selector. */
  readonly options?: Readonly<Record<string, unknown>>;
}

/** Options of a selector as they are sent: the ones at hand, else those that were set; none where there are none. */
function given(selector: string, options = selectorOptions.value[selector]): { options?: never } {
  return options && Object.keys(options).length ? { options: options as never } : {};
}

/** What the hints mean joins the active mask. */
export async function select(made: PaintCanvas, selector: string, hints: Hints, combine: Combine): Promise<void> {
  const now = session.value;
  if (!now) return;
  const mask = made.activeMask;
  selecting.value++;
  try {
    await attempt(async () => {
      const found = (await api.select(now.id, { selector, ...hints, ...given(selector, hints.options) })).filter((one) => !one.alternative);
      const whole = found.length === 1 && found[0] ? found[0].id : await api.joined(found.map((one) => one.id));
      await lay(made, mask, whole, combine);
      say(texts.value.select.done);
      for (const note of new Set(found.flatMap((one) => one.notes))) notify("info", note);
    }, { about: "select" });
  } finally {
    selecting.value--;
  }
}

/** What a line along edges encloses, near a closed line that was drawn by hand, joins the active mask.
 *
 * @param scale Screen pixels of a pixel of the picture, as it was drawn.
 */
export async function selectAlong(made: PaintCanvas, line: readonly Point[], combine: Combine, scale: number): Promise<void> {
  const size = made.size;
  const found = wire();
  if (!size || !found) return;
  const within = line.map(({ x, y }) => ({ x: Math.min(Math.max(x, 0), size.width), y: Math.min(Math.max(y, 0), size.height) }));
  const points = spaced([...within, within[0]!], STEP / scale);
  if (points.length < 3) return;
  const snap = Math.min(100, Math.max(1, Math.round(SNAP / scale)));
  await select(made, found.name, { points: points.map(({ x, y }) => [x, y]), options: { snap } }, combine);
}

/** Places of a line, this far apart or farther where it is long. The line's end, which is its beginning, is none. */
export function spaced(line: readonly Point[], step: number): Point[] {
  const lengths = line.slice(1).map((to, at) => Math.hypot(to.x - line[at]!.x, to.y - line[at]!.y));
  const whole = lengths.reduce((sum, one) => sum + one, 0);
  const count = Math.min(MOST_PLACES, Math.max(6, Math.round(whole / step)));
  const places: Point[] = [];
  let passed = 0;
  for (const [at, length] of lengths.entries()) {
    const [from, to] = [line[at]!, line[at + 1]!];
    while (places.length < count && length > 0 && (places.length * whole) / count <= passed + length) {
      const share = ((places.length * whole) / count - passed) / length;
      places.push({ x: from.x + (to.x - from.x) * share, y: from.y + (to.y - from.y) * share });
    }
    passed += length;
  }
  return places;
}

/** Let a selector improve the active mask. */
export async function refineBySelector(made: PaintCanvas, selector: string): Promise<void> {
  const now = session.value;
  if (!now || made.isEmpty()) return;
  const mask = made.activeMask;
  selecting.value++;
  try {
    await attempt(async () => {
      const rough = await api.upload(new Blob([await made.exportMask(mask)]));
      const found = (await api.select(now.id, { selector, mask: rough.id, ...given(selector) })).filter((one) => !one.alternative);
      await lay(made, mask, found.length === 1 && found[0] ? found[0].id : await api.joined(found.map((one) => one.id)), "replace");
    }, { about: "select" });
  } finally {
    selecting.value--;
  }
}

/** A stored mask becomes a part of a mask, unless that is gone meanwhile. */
async function lay(made: PaintCanvas, mask: string, stored: string, combine: Combine): Promise<void> {
  const data = await (await bytes(`/pictures/${stored}/file`)).blob();
  if (made.masks.some((one) => one.id === mask)) await made.importMask(data, { id: mask, combine, label: "Select" });
}

/** The other way round: what was not meant. */
export function joinedBy(combine: Combine, add: boolean): Combine {
  if (add) return combine;
  return combine === "subtract" ? "add" : "subtract";
}

export function selectPoint(made: PaintCanvas, at: { readonly x: number; readonly y: number }, add: boolean): void {
  const found = takerOf("points");
  if (found) void select(made, found.name, { points: [[at.x, at.y]] }, joinedBy(made.combine, add));
}

export function selectBox(made: PaintCanvas, box: Box, add: boolean): void {
  const found = takerOf("boxes");
  const size = made.size;
  if (!found || !size) return;
  const edges: [number, number, number, number] = [
    Math.max(0, Math.floor(box.left)),
    Math.max(0, Math.floor(box.top)),
    Math.min(size.width, Math.ceil(box.right)),
    Math.min(size.height, Math.ceil(box.bottom)),
  ];
  if (edges[0] < edges[2] && edges[1] < edges[3]) void select(made, found.name, { boxes: [edges] }, joinedBy(made.combine, add));
}
