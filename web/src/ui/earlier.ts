// Parts and guides of an earlier edit, in the place of those that are there.
import { bytes, type StepEdit } from "../api/client";
import { uploadedMask } from "../state/actions";
import { canvas } from "../state/canvas";
import { drawnLines, NEW } from "../state/guiding";
import { attempt } from "../state/notices";
import { session } from "../state/session";
import { guides, PART, type Guide } from "../state/wish";
import { COLOURS } from "./Parts";
import { toRgba } from "./ToolOptions";

/** Have parts and guides as an edit had them. Parts that go come back by undo. */
export async function bringBack(task: StepEdit): Promise<void> {
  await attempt(async () => {
    const parts = [];
    for (const { prompt, marks, ...extra } of task.regional_prompts ?? []) {
      const file = marks.mask?.[0];
      if (file) parts.push({ name: prompt, extra, area: await (await bytes(`/pictures/${file}/file`)).blob() });
    }
    const made = canvas.value;
    const all = await guidesOf(task);
    if (!made || !all) return;
    guides.value = all;
    for (const one of made.masks) if (one.role === PART) made.removeMask(one.id);
    for (const [at, { name, extra, area }] of parts.entries()) {
      const id = made.addMask({ name, role: PART, colour: toRgba(COLOURS[at]!), extra });
      await made.importMask(area, { id, undoable: false });
    }
  });
}

/** The guides of an edit. Its lines are the lines that are drawn, where these have not changed, else an image. */
async function guidesOf(task: StepEdit): Promise<Guide[] | null> {
  const [made, now] = [canvas.value, session.value];
  if (!made || !now) return null;
  const mask = drawnLines(made);
  const drawn = mask && (await uploadedMask(mask));
  let lines: Guide = { ...NEW, from: "lines", kind: null, on: mask === null };
  const others: Guide[] = [];
  for (const { kind, weight, start, end, mode, model, image, preprocess } of task.controls ?? []) {
    const guide = { ...NEW, kind, weight: weight ?? 1, start: start ?? 0, end: end ?? 1, mode: mode ?? "balanced", model: model ?? null };
    const { width, height } = now;
    if (image && image === drawn && !preprocess) lines = { ...guide, from: "lines" };
    else if (image) others.push({ ...guide, from: "image", preprocess: preprocess === true, image: { id: image, name: kind, width, height } });
    else others.push({ ...guide, from: "picture" });
  }
  return [lines, ...others];
}
