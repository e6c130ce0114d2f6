/** The canvas engine: picture, masks, sketch and view on one host element, without any framework. */

import { Engine } from "./engine";
import type { CanvasOptions, PaintCanvas } from "./types";

export type * from "./types";

/** Fills `host` with a canvas. `destroy()` takes everything away again. */
export function createCanvas(host: HTMLElement, options: CanvasOptions = {}): PaintCanvas {
  return new Engine(host, options);
}
