/** Keys of the canvas, and the keyboard's own brush. */

import { clamp } from "./boxes";
import { isBrush, setBrush, setTool, type Board } from "./board";
import type { PolygonTool } from "./gestures";
import { cursorFor, swap, type Held, type Pointers } from "./pointer";
import type { Point } from "./types";

const ARROWS: Record<string, Point> = {
  ArrowLeft: { x: -1, y: 0 },
  ArrowRight: { x: 1, y: 0 },
  ArrowUp: { x: 0, y: -1 },
  ArrowDown: { x: 0, y: 1 },
};

export interface KeyActions {
  undo(): void;
  redo(): void;
  fit(): void;
  zoomTo(zoom: number): void;
  zoomBy(factor: number): void;
  viewed(): void;
}

const SIZES = 1.2;

export class Keys {
  /** Arrow keys move a cursor, Space (held) and Enter (down, then up) paint. */
  keyboardBrush = false;
  #latched = false;
  readonly #stop = new AbortController();

  constructor(
    readonly board: Board,
    readonly root: HTMLElement,
    readonly held: Held,
    readonly pointers: Pointers,
    readonly polygon: PolygonTool,
    readonly actions: KeyActions,
    readonly undoKeys: boolean,
  ) {
    const { signal } = this.#stop;
    // Held keys are followed everywhere: they are let go where the focus is then.
    window.addEventListener("keydown", (event) => void (event.key === "Control" && (held.control = true)), { signal, capture: true });
    window.addEventListener("keyup", (event) => this.#released(event), { signal, capture: true });
    window.addEventListener("blur", () => this.#letGo(), { signal });
  }

  listen(target: EventTarget): void {
    const heard = (event: Event): void => void (this.handle(event as KeyboardEvent) && event.preventDefault());
    target.addEventListener("keydown", heard, { signal: this.#stop.signal });
  }

  destroy(): void {
    this.#stop.abort();
  }

  /** True where the key was for the canvas. Keys that go up are followed by the window's own listener. */
  handle(event: KeyboardEvent): boolean {
    if (event.type !== "keydown" || event.defaultPrevented || event.isComposing || isTyping(event.target)) return false;
    if (event.ctrlKey || event.metaKey) return this.#command(event);
    if (event.altKey) return false;
    return this.#plain(event);
  }

  #command(event: KeyboardEvent): boolean {
    const key = event.key.toLowerCase();
    const { actions } = this;
    if (key === "0") actions.fit();
    else if (key === "1") actions.zoomTo(1);
    else if (key === "+" || key === "=") actions.zoomBy(1.25);
    else if (key === "-") actions.zoomBy(0.8);
    else if (this.undoKeys && key === "z" && event.shiftKey) actions.redo();
    else if (this.undoKeys && key === "z") actions.undo();
    else if (this.undoKeys && key === "y") actions.redo();
    else return false;
    return true;
  }

  #plain(event: KeyboardEvent): boolean {
    const { board, root } = this;
    const own = event.target === root;
    switch (event.key) {
      case " ":
        // A button or link that has the focus keeps its key.
        if (!own && isControl(event.target)) return false;
        if (this.keyboardBrush && own) {
          if (!event.repeat) this.#press(event);
          return true;
        }
        this.held.space = true;
        root.style.cursor = "grab";
        return true;
      case "[":
      case "{":
      case "]":
      case "}":
        return this.#resize(event.key);
      case "b":
      case "B":
        setTool(board, "brush");
        return true;
      case "e":
      case "E":
        setTool(board, "eraser");
        return true;
      case "x":
      case "X":
        swap(board);
        return true;
      case "Escape":
        return this.#escape();
      case "Enter":
        if (!own && isControl(event.target)) return false;
        if (this.polygon.open && !this.keyboardBrush) {
          this.polygon.finish();
          return true;
        }
        return own && this.keyboardBrush && this.#enter(event);
      case "Backspace":
        if (!this.polygon.open) return false;
        this.polygon.removeLast();
        return true;
      case "Shift":
        board.lineHint = isBrush(board.tool) && !this.pointers.painting;
        board.redraw.top();
        return false;
    }
    const arrow = ARROWS[event.key];
    return arrow !== undefined && own && this.#arrow(arrow, event);
  }

  #resize(key: string): boolean {
    const { board } = this;
    if (!isBrush(board.tool)) return false;
    const { size, hardness } = board.brushes[board.tool];
    if (key === "[") setBrush(board, board.tool, { size: Math.min(size - 1, Math.round(size / SIZES)) });
    else if (key === "]") setBrush(board, board.tool, { size: Math.max(size + 1, Math.round(size * SIZES)) });
    else setBrush(board, board.tool, { hardness: Math.round((hardness + (key === "{" ? -0.1 : 0.1)) * 100) / 100 });
    return true;
  }

  #escape(): boolean {
    this.#latched = false;
    if (this.pointers.cancel()) return true;
    if (!this.polygon.open) return false;
    this.polygon.cancel();
    return true;
  }

  /** Enter goes down and, the next time, up; on an open polygon with nothing new it closes. */
  #enter(event: KeyboardEvent): boolean {
    if (event.repeat) return true;
    if (this.polygon.open) this.polygon.finish();
    else if (this.#latched) {
      this.#latched = false;
      this.pointers.release();
    } else {
      this.#latched = true;
      this.#press(event);
    }
    return true;
  }

  #press(event: KeyboardEvent): void {
    this.pointers.press({ ...this.#cursor(), pressure: null, shift: event.shiftKey }, { alt: false, control: false, shift: event.shiftKey, other: false });
  }

  #cursor(): Point {
    const { board } = this;
    if (!board.cursor) {
      board.cursor = board.viewport.toPicture({ x: board.viewport.host.width / 2, y: board.viewport.host.height / 2 });
    }
    board.keyboardCursor = true;
    board.redraw.top();
    return board.cursor;
  }

  #arrow({ x, y }: Point, event: KeyboardEvent): boolean {
    const { board } = this;
    if (!board.size) return false;
    if (!this.keyboardBrush) {
      board.viewport.panBy({ x: -x * 64, y: -y * 64 });
      this.actions.viewed();
      return true;
    }
    // 8 pixels of the screen, 40 with Shift; whole pixels of the picture.
    const step = Math.max(1, Math.round((event.shiftKey ? 40 : 8) / board.viewport.scale));
    const from = this.#cursor();
    const to = { x: clamp(from.x + x * step, 0, board.size.width), y: clamp(from.y + y * step, 0, board.size.height) };
    board.cursor = to;
    board.events.emit("pointer", to);
    this.pointers.drag({ ...to, pressure: null, shift: false });
    this.#follow(to);
    board.redraw.top();
    return true;
  }

  /** The view goes with a cursor that leaves it. */
  #follow(to: Point): void {
    const { viewport } = this.board;
    const { x, y } = viewport.toScreen(to);
    const { width, height } = viewport.host;
    const room = Math.min(40, width / 4, height / 4);
    const over = (value: number, most: number): number => (value < room ? room - value : value > most - room ? most - room - value : 0);
    const [dx, dy] = [over(x, width), over(y, height)];
    if (!dx && !dy) return;
    viewport.panBy({ x: dx, y: dy });
    this.actions.viewed();
  }

  #released(event: KeyboardEvent): void {
    if (event.key === "Control") this.held.control = false;
    if (event.key === "Shift") {
      this.board.lineHint = false;
      this.board.redraw.top();
    }
    if (event.key !== " ") return;
    // Space pressed here must not press a button that has the focus now.
    if (this.held.space) event.preventDefault();
    this.held.space = false;
    if (this.keyboardBrush && !this.#latched) this.pointers.release();
    this.root.style.cursor = this.board.cursor ? cursorFor(this.board, this.board.cursor, false) : "";
  }

  /** The window lost the focus: no key is held any more as far as can be known. */
  #letGo(): void {
    this.held.space = false;
    this.held.control = false;
    this.#latched = false;
    this.board.lineHint = false;
  }
}

function isTyping(target: EventTarget | null): boolean {
  if (!(target instanceof HTMLElement)) return false;
  if (target.isContentEditable || target instanceof HTMLTextAreaElement || target instanceof HTMLSelectElement) return true;
  const buttons = ["button", "checkbox", "color", "file", "image", "radio", "range", "reset", "submit"];
  return target instanceof HTMLInputElement && !buttons.includes(target.type);
}

const isControl = (target: EventTarget | null): boolean =>
  target instanceof Element && target.closest("button, a[href], input, summary, [role=button], [role=tab], [role=option], [role=menuitem], [role=slider]") !== null;
