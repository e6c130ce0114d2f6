// What may change and what the engine sees, as outlines that follow the mask and the settings.
import { effect, signal } from "@preact/signals";

import { api, type Schemas } from "../api/client";
import type { Outline } from "../canvas";
import { texts } from "../text";
import { missing, task } from "./actions";
import { drawn, outlines, restoring } from "./canvas";
import { session } from "./session";
import { margins, wish } from "./wish";

export const showReach = signal(true);
export const showFrame = signal(false);

const PAUSE = 350;

let turn = 0;

/** The outlines of the regions that a request would paint. */
export function outlinesOf(found: Schemas["FrameFacts"][], reach: boolean, frame: boolean): Outline[] {
  return found.flatMap((one, index) => {
    const [left = 0, top = 0, right = 0, bottom = 0] = one.frame;
    const shapes = one.reach.map((line) => line.map(([x = 0, y = 0]) => ({ x, y })));
    const seen: Outline = { id: `frame-${index}`, kind: "frame", shapes: [{ left, top, right, bottom }], dashed: true, label: `${one.working[0]} × ${one.working[1]}` };
    const changes: Outline = { id: `reach-${index}`, kind: "reach", shapes };
    return [...(reach && shapes.length ? [changes] : []), ...(frame ? [seen] : [])];
  });
}

async function update(): Promise<void> {
  const now = session.value;
  const mine = ++turn;
  if (!now || missing() !== null || restoring.value || !(showReach.value || showFrame.value)) {
    outlines.value = [];
    return;
  }
  try {
    const asked = await task();
    const found = await api.frames(now.id, asked);
    if (mine === turn) outlines.value = outlinesOf(found, showReach.value, showFrame.value);
  } catch {
    if (mine === turn) outlines.value = []; // what is wrong is said when the edit is asked for
  }
}

/** Keep the outlines in step with what they follow from. */
export function startFrames(): void {
  let timer: ReturnType<typeof setTimeout> | null = null;
  effect(() => {
    void [drawn.value, wish.value, session.value?.picture, margins.value, showReach.value, showFrame.value, restoring.value, texts.value];
    if (timer !== null) clearTimeout(timer);
    timer = setTimeout(() => void update(), PAUSE);
  });
}
