/** Pointers: which gesture a button, a finger or a pen begins, and that no stroke is lost. */

import { clamp } from "./boxes";
import { isBrush, isEraser, setBrush, setTool, type Board } from "./board";
import { expandGesture, fillGesture, handleAt, lassoGesture, pickGesture, pointGesture, resizeGesture, shapeGesture, type PolygonTool } from "./gestures";
import { Stroke, type Gesture, type PointerSample } from "./strokes";
import type { BrushTool, Combine, Point } from "./types";

/** What of the keyboard pointers need to know. */
export interface Held {
  space: boolean;
  /** Control itself: a pinch on a touchpad says ctrlKey too, without the key. */
  control: boolean;
}

const HANDLE = 12;
/** A second finger this soon after the first one means to move the view, not to paint. */
const SECOND_FINGER_MS = 250;

interface Active {
  readonly id: number;
  readonly type: string;
  readonly gesture: Gesture;
  readonly begun: number;
  readonly paints: boolean;
  last: Point;
}

export class Pointers {
  #active: Active | null = null;
  #penSeen = false;
  readonly #fingers = new Map<number, Point>();
  readonly #stop = new AbortController();

  constructor(
    readonly board: Board,
    readonly root: HTMLElement,
    readonly held: Held,
    readonly polygon: PolygonTool,
  ) {
    const { signal } = this.#stop;
    const on = <K extends keyof HTMLElementEventMap>(name: K, heard: (event: HTMLElementEventMap[K]) => void): void =>
      root.addEventListener(name, heard, { signal, passive: false });
    on("pointerdown", (event) => this.#down(event));
    on("pointermove", (event) => this.#move(event));
    on("pointerup", (event) => this.#up(event));
    // A cancelled pointer (a system gesture, a lost tablet) keeps what it painted.
    on("pointercancel", (event) => this.#up(event));
    on("lostpointercapture", (event) => this.#up(event));
    on("pointerleave", () => this.#leave());
    on("wheel", (event) => this.#wheel(event));
    on("contextmenu", (event) => event.preventDefault());
    on("auxclick", (event) => event.preventDefault());
    window.addEventListener("blur", () => this.finish(), { signal });
    document.addEventListener("visibilitychange", () => document.hidden && this.finish(), { signal });
  }

  get painting(): boolean {
    return this.#active?.paints ?? false;
  }

  destroy(): void {
    this.finish();
    this.#stop.abort();
  }

  /** Ends the gesture with what it has. */
  finish(): void {
    const active = this.#active;
    this.#active = null;
    this.#fingers.clear();
    if (!active) return;
    active.gesture.end();
    if (active.paints) this.board.events.emit("strokeEnd", { tool: this.board.tool, cancelled: false });
  }

  /** Takes the gesture back. False where there is none. */
  cancel(): boolean {
    const active = this.#active;
    if (!active) return false;
    this.#active = null;
    active.gesture.cancel();
    if (active.paints) this.board.events.emit("strokeEnd", { tool: this.board.tool, cancelled: true });
    return true;
  }

  /** The keyboard's pointer: goes down at the cursor. */
  press(sample: PointerSample, keys: Modifiers): void {
    if (this.#active) return;
    this.#begin(-1, "keyboard", this.#gesture(sample, keys), { x: 0, y: 0 });
  }

  drag(sample: PointerSample): void {
    if (this.#active?.id === -1) this.#active.gesture.move([sample]);
  }

  release(): void {
    if (this.#active?.id === -1) this.finish();
  }

  #screen(event: MouseEvent): Point {
    const box = this.root.getBoundingClientRect();
    return { x: event.clientX - box.left, y: event.clientY - box.top };
  }

  #sample(event: PointerEvent): PointerSample {
    const { x, y } = this.board.viewport.toPicture(this.#screen(event));
    return { x, y, pressure: event.pointerType === "pen" ? event.pressure : null, shift: event.shiftKey };
  }

  #down(event: PointerEvent): void {
    const { board } = this;
    if (event.pointerType !== "touch" || !this.#penSeen) this.root.focus({ preventScroll: true });
    event.preventDefault();
    if (event.pointerType === "pen") this.#penSeen = true;
    if (event.pointerType === "touch" && this.#touchDown(event)) return;
    if (this.#active || !board.size) return;
    try {
      this.root.setPointerCapture(event.pointerId);
    } catch {
      // The pointer went up already.
    }
    const screen = this.#screen(event);
    const middle = event.button === 1;
    if (middle || this.held.space || board.tool === "pan") return this.#begin(event.pointerId, event.pointerType, this.#pan(screen), screen);
    if (board.compare.mode === "split" && Math.abs(board.compare.at * board.viewport.host.width - screen.x) < 2 * HANDLE) {
      return this.#begin(event.pointerId, event.pointerType, this.#splitter(), screen);
    }
    // 2: right button; 5: a pen's eraser end.
    const other = event.button === 2 || event.button === 5 || (event.buttons & 34) !== 0;
    const { altKey, ctrlKey, metaKey, shiftKey } = event;
    const gesture = this.#gesture(this.#sample(event), { alt: altKey, control: ctrlKey || metaKey, shift: shiftKey, other });
    this.#begin(event.pointerId, event.pointerType, gesture, screen);
  }

  #begin(id: number, type: string, made: Made | null, last: Point): void {
    if (!made) return;
    this.#active = { id, type, gesture: made.gesture, paints: made.paints, begun: performance.now(), last };
    if (made.paints) this.board.events.emit("strokeBegin", { tool: this.board.tool });
  }

  #gesture(start: PointerSample, keys: Modifiers): Made | null {
    const { board } = this;
    const { tool } = board;
    const combine = combined(board.combine, keys);
    const quiet = (gesture: Gesture): Made => ({ gesture, paints: false });
    const paint = (gesture: Gesture): Made => ({ gesture, paints: true });
    if (isBrush(tool)) {
      if (keys.alt && tool.startsWith("sketch")) return quiet(pickGesture(board, start));
      if (keys.alt) return quiet(resizeGesture(board, start, tool));
      const from = keys.shift ? board.lastPoint : null;
      return paint(new Stroke(board, keys.other ? erasing(tool) : tool, start, from));
    }
    switch (tool) {
      case "rectangle":
      case "ellipse":
        return paint(shapeGesture(board, start, tool, combine));
      case "box":
        return quiet(shapeGesture(board, start, "box", keys.alt || keys.control || keys.other ? "subtract" : "add"));
      case "lasso":
        return (board.clings ? quiet : paint)(lassoGesture(board, start, combine));
      case "polygon":
        return quiet(this.polygon.click(start, combine));
      case "fill":
        return quiet(fillGesture(board, start, combine));
      case "picker":
        return quiet(pickGesture(board, start));
      case "point":
        return quiet(pointGesture(board, start, !(keys.alt || keys.control || keys.other)));
      case "expand": {
        const handle = handleAt(board, start, HANDLE / board.viewport.scale);
        return handle && quiet(expandGesture(board, start, handle));
      }
      case "pan":
        return null;
    }
  }

  #move(event: PointerEvent): void {
    const { board } = this;
    if (event.pointerType === "touch" && this.#touchMove(event)) return;
    const sample = this.#sample(event);
    if (event.pointerType !== "touch" || !this.#penSeen) {
      board.cursor = sample;
      board.lineHint = event.shiftKey && !this.#active;
      board.keyboardCursor = false;
      board.events.emit("pointer", { x: sample.x, y: sample.y });
      board.redraw.top();
      this.#showCursor(sample);
    }
    const active = this.#active;
    if (!active || active.id !== event.pointerId) return;
    const screen = this.#screen(event);
    if (this.held.space && active.paints) {
      // The view moves under the stroke, which goes on from where the pointer is.
      board.viewport.panBy({ x: screen.x - active.last.x, y: screen.y - active.last.y });
      this.#viewed();
    } else {
      const all = active.paints ? event.getCoalescedEvents() : [];
      active.gesture.move((all.length ? all : [event]).map((one) => this.#sample(one)));
    }
    active.last = screen;
  }

  #up(event: PointerEvent): void {
    this.#fingers.delete(event.pointerId);
    const active = this.#active;
    if (!active || active.id !== event.pointerId) return;
    this.finish();
  }

  #leave(): void {
    if (this.#active) return;
    this.board.cursor = null;
    this.board.events.emit("pointer", null);
    this.board.redraw.top();
  }

  /** True where the finger does not paint: a palm beside a pen, or one of two that move the view. */
  #touchDown(event: PointerEvent): boolean {
    this.#fingers.set(event.pointerId, this.#screen(event));
    if (this.#active?.type === "pen") return true;
    if (this.#fingers.size === 1) return this.#penSeen;
    const active = this.#active;
    if (active?.type === "touch") {
      // Late fingers beside a stroke are ignored, so that it is not lost.
      if (active.paints && performance.now() - active.begun > SECOND_FINGER_MS) return true;
      this.cancel();
    }
    return true;
  }

  #touchMove(event: PointerEvent): boolean {
    const before = this.#fingers.get(event.pointerId);
    if (!before) return true;
    const now = this.#screen(event);
    this.#fingers.set(event.pointerId, now);
    if (this.#active) return this.#active.id !== event.pointerId;
    if (this.#fingers.size !== 2) return true;
    const other = [...this.#fingers].find(([id]) => id !== event.pointerId)![1];
    const apart = (from: Point): number => Math.max(1, Math.hypot(from.x - other.x, from.y - other.y));
    const { viewport } = this.board;
    const middle = (from: Point): Point => ({ x: (from.x + other.x) / 2, y: (from.y + other.y) / 2 });
    viewport.panBy({ x: middle(now).x - middle(before).x, y: middle(now).y - middle(before).y });
    viewport.zoomTo((viewport.zoom * apart(now)) / apart(before), middle(now));
    this.#viewed();
    return true;
  }

  #pan(start: Point): Made {
    const { board, root } = this;
    let last = start;
    root.style.cursor = "grabbing";
    const end = (): void => void (root.style.cursor = "");
    return {
      paints: false,
      gesture: {
        move: (samples) => {
          const now = board.viewport.toScreen(samples.at(-1)!);
          board.viewport.panBy({ x: now.x - last.x, y: now.y - last.y });
          last = now;
          this.#viewed();
        },
        end,
        cancel: end,
      },
    };
  }

  #splitter(): Made {
    const { board } = this;
    return {
      paints: false,
      gesture: {
        move: (samples) => {
          const { x } = board.viewport.toScreen(samples.at(-1)!);
          board.compare = { mode: "split", at: clamp(x / board.viewport.host.width, 0, 1) };
          board.events.emit("compare", board.compare);
          board.redraw.all();
        },
        end: () => undefined,
        cancel: () => undefined,
      },
    };
  }

  #wheel(event: WheelEvent): void {
    event.preventDefault();
    const { board } = this;
    if (!board.size) return;
    const unit = event.deltaMode === 1 ? 30 : event.deltaMode === 2 ? 300 : 1;
    const [x, y] = [event.deltaX * unit, event.deltaY * unit];
    if (event.ctrlKey && this.held.control && isBrush(board.tool)) {
      const { size } = board.brushes[board.tool];
      const next = size * Math.exp((-(y || x) / 100) * 0.12);
      return setBrush(board, board.tool, { size: Math.round(next) === size ? size + Math.sign(next - size) : Math.round(next) });
    }
    if (event.shiftKey || (x !== 0 && !event.ctrlKey)) board.viewport.panBy(event.shiftKey && !x ? { x: -y, y: 0 } : { x: -x, y: -y });
    // A pinch on a touchpad comes in small steps.
    else board.viewport.zoomTo(board.viewport.zoom * Math.exp(-y * (event.ctrlKey ? 0.01 : 0.0016)), this.#screen(event));
    board.cursor = board.viewport.toPicture(this.#screen(event));
    this.#viewed();
  }

  #viewed(): void {
    this.board.events.emit("view", this.board.viewport.view);
    this.board.redraw.all();
  }

  #showCursor(at: Point): void {
    const { board, root } = this;
    if (this.#active && root.style.cursor === "grabbing") return;
    root.style.cursor = cursorFor(board, at, this.held.space);
  }
}

interface Made {
  readonly gesture: Gesture;
  readonly paints: boolean;
}

export interface Modifiers {
  readonly alt: boolean;
  readonly control: boolean;
  readonly shift: boolean;
  /** The right button or a pen's eraser. */
  readonly other: boolean;
}

export function combined(combine: Combine, { alt, control, shift, other }: Modifiers): Combine {
  if (alt && shift) return "intersect";
  const opposite = alt || control || other;
  if (!opposite) return combine;
  return combine === "subtract" ? "add" : "subtract";
}

const OPPOSITES = { brush: "eraser", eraser: "brush", sketch: "sketchEraser", sketchEraser: "sketch", lines: "linesEraser", linesEraser: "lines" } as const;

/** Right button and eraser end erase, also with the eraser chosen. */
const erasing = (tool: BrushTool): BrushTool => (isEraser(tool) ? tool : OPPOSITES[tool]);

/** X: from painting to erasing and back. */
export function swap(board: Board): void {
  setTool(board, isBrush(board.tool) ? OPPOSITES[board.tool] : "brush");
}

export function cursorFor(board: Board, at: Point, space: boolean): string {
  if (space || board.tool === "pan") return "grab";
  if (board.compare.mode === "split" && Math.abs(board.compare.at * board.viewport.host.width - board.viewport.toScreen(at).x) < HANDLE) return "ew-resize";
  if (isBrush(board.tool)) return "none";
  if (board.tool !== "expand") return "crosshair";
  const handle = board.size && handleAt(board, at, HANDLE / board.viewport.scale);
  if (!handle) return "default";
  if (!handle.y) return "ew-resize";
  if (!handle.x) return "ns-resize";
  return handle.x === handle.y ? "nwse-resize" : "nesw-resize";
}
