/** A brush stroke from pointer down to pointer up: one step of undo. */

import { intersect, unite, NOTHING, isEmpty } from "./boxes";
import { curve, eraseInk, paintInk, paintSegment, sketchInk, type Ink, type Sample } from "./brush";
import { pictureBox, type Board } from "./board";
import type { Mask } from "./masks";
import type { TileRaster } from "./tiles";
import type { Box, BrushSettings, BrushTool, Point } from "./types";

/** What a pointer does from down to up. */
export interface Gesture {
  /** Samples since the last call, in picture coordinates, the newest last. */
  move(samples: readonly PointerSample[]): void;
  end(): void;
  cancel(): void;
}

export interface PointerSample extends Point {
  /** 0 to 1 of a pen; null for mouse and touch. */
  readonly pressure: number | null;
  readonly shift: boolean;
}

export class Stroke implements Gesture {
  readonly #settings: BrushSettings;
  readonly #ink: Ink;
  readonly #raster: TileRaster;
  readonly #mask: Mask | null;
  #earlier: Sample | null = null;
  #last: Sample;
  #skipped: Sample | null = null;

  /** `from`: a straight line from there first (Shift-click). */
  constructor(
    readonly board: Board,
    readonly tool: BrushTool,
    start: PointerSample,
    from: Point | null,
  ) {
    this.#settings = board.brushes[tool];
    const sketching = tool === "sketch" || tool === "sketchEraser";
    const lines = tool === "lines" || tool === "linesEraser";
    this.#mask = sketching ? null : lines ? board.masks.lines : board.masks.active;
    this.#raster = this.#mask?.raster ?? board.sketch.raster;
    this.#raster.begin();
    if (sketching) this.#ink = sketchInk(this.#raster, tool === "sketch" ? board.colour : null);
    else this.#ink = tool === "brush" || tool === "lines" ? paintInk : eraseInk;
    const first = this.#sample(start);
    this.#last = from ? { ...first, x: from.x, y: from.y } : first;
    this.#show(this.#paint(this.#last, first));
    this.#last = first;
  }

  move(samples: readonly PointerSample[]): void {
    let box = NOTHING;
    samples.forEach((one, index) => {
      const next = this.#sample(one);
      // A step much smaller than the brush is joined with the next one, but never kept from the screen.
      const step = Math.hypot(next.x - this.#last.x, next.y - this.#last.y);
      const small = step < Math.min(8, next.radius * 0.1) && Math.abs(next.radius - this.#last.radius) < 0.5;
      if (small && index < samples.length - 1) {
        this.#skipped = next;
        return;
      }
      box = unite(box, this.#go(next));
    });
    this.#show(box);
  }

  end(): void {
    if (this.#skipped) this.#show(this.#go(this.#skipped));
    this.board.lastPoint = { x: this.#last.x, y: this.#last.y };
    const label = { brush: "Paint", eraser: "Erase", sketch: "Sketch", sketchEraser: "Erase sketch", lines: "Lines", linesEraser: "Erase lines" }[this.tool];
    if (this.#mask) this.board.masks.close(this.#mask, label);
    else this.board.sketch.close(label);
  }

  cancel(): void {
    if (this.#mask) this.board.masks.cancel(this.#mask);
    else this.board.sketch.cancel();
  }

  #go(next: Sample): Box {
    this.#skipped = null;
    let box = NOTHING;
    let from = this.#last;
    for (const point of curve(this.#earlier, this.#last, next)) {
      box = unite(box, this.#paint(from, point));
      from = point;
    }
    if (next.x !== this.#last.x || next.y !== this.#last.y) this.#earlier = this.#last;
    this.#last = next;
    return box;
  }

  #paint(from: Sample, to: Sample): Box {
    return paintSegment(this.#raster, from, to, this.#settings.hardness, pictureBox(this.board), this.#ink);
  }

  #sample({ x, y, pressure }: PointerSample): Sample {
    const { size, opacity, pressure: by } = this.#settings;
    const force = pressure ?? 1;
    const wide = by === "size" || by === "both" ? force : 1;
    const strong = by === "opacity" || by === "both" ? force : 1;
    return { x, y, radius: Math.max(0.5, (size / 2) * wide), peak: opacity * strong };
  }

  #show(box: Box): void {
    const seen = intersect(box, pictureBox(this.board));
    if (isEmpty(seen)) return;
    if (this.#mask) this.#mask.contour.forget(this.#raster.dirty);
    this.board.redraw.overlay(seen);
    if (this.#mask) this.board.events.emit("mask", { id: this.#mask.info.id, box: seen, final: false });
    else this.board.events.emit("sketch", { box: seen, final: false });
  }
}
