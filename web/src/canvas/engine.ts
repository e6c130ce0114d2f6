/** The engine itself; until it is whole, this class holds only the shape of its interface. */

import type { CanvasOptions, PaintCanvas } from "./types";

export interface Engine extends PaintCanvas {}

// eslint-disable-next-line @typescript-eslint/no-unsafe-declaration-merging
export class Engine {
  constructor(
    readonly host: HTMLElement,
    readonly options: CanvasOptions,
  ) {}
}
