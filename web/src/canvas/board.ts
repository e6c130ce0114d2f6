/** What all parts of the engine share: the state of one canvas, and how a part says that something changed. */

import { boxOf } from "./boxes";
import type { Emitter } from "./emitter";
import type { History } from "./history";
import type { Masks } from "./masks";
import type { Sketch } from "./sketch";
import type {
  Box,
  BrushSettings,
  BrushTool,
  CanvasEvents,
  Combine,
  Compare,
  FillSettings,
  Margins,
  Outline,
  PatchPreview,
  Point,
  Rgba,
  Size,
  ToolName,
} from "./types";
import type { Viewport } from "./view";
import type { Workshop } from "./workshop";

export const NO_MARGINS: Margins = { left: 0, top: 0, right: 0, bottom: 0 };

export const BRUSH_TOOLS: readonly string[] = ["brush", "eraser", "sketch", "sketchEraser", "lines", "linesEraser"] satisfies BrushTool[];

export const isBrush = (tool: ToolName): tool is BrushTool => BRUSH_TOOLS.includes(tool);

export const isEraser = (tool: BrushTool): tool is "eraser" | "sketchEraser" | "linesEraser" => /eraser$/i.test(tool);

const BRUSH: BrushSettings = { size: 60, hardness: 0.85, opacity: 1, pressure: "size" };
const LINE: BrushSettings = { ...BRUSH, hardness: 0.9 };

/** What brushes are to begin with. */
export const BRUSHES: Readonly<Record<BrushTool, BrushSettings>> = {
  brush: BRUSH,
  eraser: BRUSH,
  sketch: { ...LINE, size: 24 },
  sketchEraser: { ...BRUSH, size: 40 },
  lines: { ...LINE, size: 4 },
  linesEraser: { ...LINE, size: 24 },
};

/** A shape while it is drawn, in picture coordinates. */
export interface Draft {
  readonly points: readonly Point[];
  readonly closed: boolean;
  readonly subtract: boolean;
}

/** The parts that a change makes draw again. */
export interface Redraw {
  picture(): void;
  /** A box in picture coordinates; null for all. */
  overlay(box: Box | null): void;
  top(): void;
  all(): void;
}

export interface Board {
  readonly host: HTMLElement;
  readonly events: Emitter<CanvasEvents>;
  readonly history: History;
  readonly viewport: Viewport;
  readonly masks: Masks;
  readonly sketch: Sketch;
  readonly redraw: Redraw;
  /** For long jobs on masks; pictures have their own. */
  readonly workshop: Workshop;
  size: Size | null;
  tool: ToolName;
  combine: Combine;
  /** The lasso only reports its line, for a selector of the server that follows edges. */
  clings: boolean;
  readonly brushes: Record<BrushTool, BrushSettings>;
  fill: FillSettings;
  colour: Rgba;
  compare: Compare;
  loupe: boolean;
  margins: Margins;
  outlines: readonly Outline[];
  /** Masks are shown over the picture. */
  marksShown: boolean;
  preview: PatchPreview | null;
  /** The pointer (or the keyboard's cursor) in picture coordinates. */
  cursor: Point | null;
  /** The keyboard moves the cursor: it is shown with every tool. */
  keyboardCursor: boolean;
  draft: Draft | null;
  reducedMotion: boolean;
  /** Where the last stroke ended: Shift-click goes on from there. */
  lastPoint: Point | null;
  /** Shift is held: the line that Shift-click would paint is shown. */
  lineHint: boolean;
  /** The colour that is seen at a place of the picture, or null. */
  colourAt(point: Point): Rgba | null;
  /** Pixels that a colour fill at a place marks. */
  likeColours(point: Point): Promise<Uint8Array | null>;
}

export const pictureBox = (board: Board): Box => (board.size ? boxOf(board.size) : { left: 0, top: 0, right: 0, bottom: 0 });

export const setBrush = (board: Board, tool: BrushTool, settings: Partial<BrushSettings>): void => {
  const now = { ...board.brushes[tool], ...settings };
  const hold = (value: number, least: number, most: number): number => Math.min(most, Math.max(least, value));
  board.brushes[tool] = {
    size: hold(now.size, 1, 2000),
    hardness: hold(now.hardness, 0, 1),
    opacity: hold(now.opacity, 0, 1),
    pressure: now.pressure,
  };
  board.events.emit("brush", { tool, settings: board.brushes[tool] });
  board.redraw.top();
};

export const setTool = (board: Board, tool: ToolName): void => {
  if (tool === board.tool) return;
  board.tool = tool;
  board.draft = null;
  board.events.emit("tool", { tool, combine: board.combine });
  board.redraw.top();
};
