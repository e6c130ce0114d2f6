/** The other tools' gestures: areas, picker, points and boxes, expanding, the compare handle, brush size by dragging. */

import { around, clamp, cornersOf, outward, intersect, isEmpty } from "./boxes";
import { pictureBox, setBrush, type Board } from "./board";
import { ellipse } from "./shapes";
import type { Gesture, PointerSample } from "./strokes";
import type { Box, BrushTool, Combine, Margins, Point } from "./types";

const nothing = (): void => undefined;

/** The box between two points; `square` makes both sides as long as the longer one. */
export function span(from: Point, to: Point, square: boolean): Box {
  let [dx, dy] = [to.x - from.x, to.y - from.y];
  if (square) {
    const side = Math.max(Math.abs(dx), Math.abs(dy));
    dx = dx < 0 ? -side : side;
    dy = dy < 0 ? -side : side;
  }
  return around([from, { x: from.x + dx, y: from.y + dy }]);
}

/** Whole pixels: a rectangle's edges are sharp. */
const whole = (box: Box): Box => ({
  left: Math.round(box.left),
  top: Math.round(box.top),
  right: Math.round(box.right),
  bottom: Math.round(box.bottom),
});

export function shapeGesture(board: Board, start: PointerSample, kind: "rectangle" | "ellipse" | "box", combine: Combine): Gesture {
  let box = span(start, start, false);
  const outline = (): Point[] => (kind === "ellipse" ? ellipse(box) : cornersOf(box));
  return {
    move(samples) {
      const last = samples.at(-1)!;
      box = span(start, last, last.shift);
      if (kind !== "ellipse") box = whole(box);
      board.draft = { points: outline(), closed: true, subtract: combine === "subtract" };
      board.redraw.top();
    },
    end() {
      board.draft = null;
      board.redraw.top();
      if (kind === "box") {
        const found = intersect(outward(box), pictureBox(board));
        if (!isEmpty(found)) board.events.emit("box", { box: found, add: combine !== "subtract" });
      } else if (!isEmpty(box)) board.masks.area(outline(), combine, kind === "ellipse" ? "Ellipse" : "Rectangle");
    },
    cancel() {
      board.draft = null;
      board.redraw.top();
    },
  };
}

export function lassoGesture(board: Board, start: PointerSample, combine: Combine): Gesture {
  const points: Point[] = [start];
  return {
    move(samples) {
      for (const { x, y } of samples) points.push({ x, y });
      board.draft = { points, closed: true, subtract: combine === "subtract" };
      board.redraw.top();
    },
    end() {
      board.draft = null;
      board.redraw.top();
      if (points.length < 3) return;
      if (board.clings) board.events.emit("lasso", { points, combine, scale: board.viewport.scale });
      else board.masks.area(points, combine, "Lasso");
    },
    cancel() {
      board.draft = null;
      board.redraw.top();
    },
  };
}

/** The polygon tool: each click a corner; a click on the first corner, a double click or Enter closes it. */
export class PolygonTool {
  #corners: Point[] = [];
  #combine: Combine = "add";
  #lastClick = { time: 0, at: { x: 0, y: 0 } };

  constructor(readonly board: Board) {}

  get open(): boolean {
    return this.#corners.length > 0;
  }

  click(start: PointerSample, combine: Combine): Gesture {
    const { board } = this;
    const near = 8 / board.viewport.scale;
    const close = (to: Point): boolean => Math.hypot(start.x - to.x, start.y - to.y) < near;
    const now = performance.now();
    const double = now - this.#lastClick.time < 400 && close(this.#lastClick.at);
    this.#lastClick = { time: now, at: start };
    if (!this.open) this.#combine = combine;
    if ((this.#corners.length > 2 && close(this.#corners[0]!)) || (double && this.#corners.length > 2)) {
      this.finish();
      return { move: nothing, end: nothing, cancel: nothing };
    }
    if (!double) this.#corners.push({ x: start.x, y: start.y });
    this.#show();
    return {
      move: (samples) => {
        const { x, y } = samples.at(-1)!;
        this.#corners[this.#corners.length - 1] = { x, y };
        this.#show();
      },
      end: nothing,
      cancel: () => this.removeLast(),
    };
  }

  finish(): void {
    const corners = this.#corners;
    this.cancel();
    if (corners.length > 2) this.board.masks.area(corners, this.#combine, "Polygon");
  }

  removeLast(): void {
    this.#corners.pop();
    this.#show();
  }

  cancel(): void {
    this.#corners = [];
    this.#show();
  }

  #show(): void {
    const points = [...this.#corners];
    this.board.draft = points.length ? { points, closed: false, subtract: this.#combine === "subtract" } : null;
    this.board.redraw.top();
    this.board.events.emit("polygon", { corners: points.length });
  }
}

export function pickGesture(board: Board, start: PointerSample): Gesture {
  const pick = (at: Point): void => {
    const colour = board.colourAt(at);
    if (!colour) return;
    board.colour = colour;
    board.events.emit("colour", colour);
  };
  pick(start);
  return { move: (samples) => pick(samples.at(-1)!), end: nothing, cancel: nothing };
}

export function pointGesture(board: Board, start: PointerSample, add: boolean): Gesture {
  let at: Point = start;
  return {
    move: (samples) => void (at = samples.at(-1)!),
    end() {
      const { right, bottom } = pictureBox(board);
      if (at.x >= 0 && at.y >= 0 && at.x < right && at.y < bottom) board.events.emit("point", { at: { x: at.x, y: at.y }, add });
    },
    cancel: nothing,
  };
}

export function fillGesture(board: Board, start: PointerSample, combine: Combine): Gesture {
  return {
    move: nothing,
    end: () => void board.masks.fill(start, combine).catch((error: unknown) => board.events.emit("error", { what: "fill", error })),
    cancel: nothing,
  };
}

/** Alt-drag: to the right larger, down softer. */
export function resizeGesture(board: Board, start: PointerSample, tool: BrushTool): Gesture {
  const { size, hardness } = board.brushes[tool];
  return {
    move(samples) {
      const last = samples.at(-1)!;
      const scale = board.viewport.scale;
      setBrush(board, tool, {
        size: Math.round(size + 2 * (last.x - start.x)),
        hardness: clamp(hardness - ((last.y - start.y) * scale) / 200, 0, 1),
      });
    },
    end: nothing,
    cancel: () => setBrush(board, tool, { size, hardness }),
  };
}

/** -1, 0 or 1 for each axis: which edges a drag moves. */
export interface Handle {
  readonly x: number;
  readonly y: number;
}

/** The frame that Expand shows: the picture with its margins. */
export function expanded(board: Board): Box {
  const { right, bottom } = pictureBox(board);
  const { margins } = board;
  return { left: -margins.left, top: -margins.top, right: right + margins.right, bottom: bottom + margins.bottom };
}

/** The edge or corner within `near` picture pixels of a place, or null. */
export function handleAt(board: Board, at: Point, near: number): Handle | null {
  const box = expanded(board);
  if (at.x < box.left - near || at.x > box.right + near || at.y < box.top - near || at.y > box.bottom + near) return null;
  const x = Math.abs(at.x - box.left) <= near ? -1 : Math.abs(at.x - box.right) <= near ? 1 : 0;
  const y = Math.abs(at.y - box.top) <= near ? -1 : Math.abs(at.y - box.bottom) <= near ? 1 : 0;
  return x || y ? { x, y } : null;
}

export function expandGesture(board: Board, start: PointerSample, handle: Handle): Gesture {
  const first = board.margins;
  const emit = (final: boolean): void => board.events.emit("margins", { margins: board.margins, final });
  const set = (margins: Margins): void => {
    board.margins = margins;
    board.redraw.top();
  };
  return {
    move(samples) {
      const last = samples.at(-1)!;
      const [dx, dy] = [Math.round(last.x - start.x), Math.round(last.y - start.y)];
      const hold = (value: number): number => clamp(value, 0, 32768);
      set({
        left: handle.x < 0 ? hold(first.left - dx) : first.left,
        right: handle.x > 0 ? hold(first.right + dx) : first.right,
        top: handle.y < 0 ? hold(first.top - dy) : first.top,
        bottom: handle.y > 0 ? hold(first.bottom + dy) : first.bottom,
      });
      emit(false);
    },
    end: () => emit(true),
    cancel() {
      set(first);
      emit(true);
    },
  };
}
