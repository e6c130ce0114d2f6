/** The top layer: outlines, drafts, the frame of Expand, the compare handle, the brush's cursor, the loupe. */

import { boxOf, cornersOf, intersect, isEmpty } from "./boxes";
import { isBrush, isEraser, NO_MARGINS, pictureBox, type Board } from "./board";
import { expanded } from "./gestures";
import { placed } from "./picture";
import type { Scene } from "./scene";
import type { Box, Outline, Point, Rgba } from "./types";

const LOUPE = 96;
const DARK = "rgb(0 0 0 / 0.75)";
const LIGHT = "#fff";
const css = ({ red, green, blue, alpha }: Rgba): string => `rgb(${red} ${green} ${blue} / ${alpha / 255})`;
const KINDS: Record<Outline["kind"], Rgba> = {
  reach: { red: 255, green: 214, blue: 74, alpha: 255 },
  frame: { red: 120, green: 220, blue: 255, alpha: 255 },
  other: { red: 255, green: 255, blue: 255, alpha: 255 },
};

export function drawTop(board: Board, scene: Scene, antPhase: number): void {
  const { context, canvas } = scene.layers.top;
  context.setTransform(1, 0, 0, 1, 0, 0);
  context.clearRect(0, 0, canvas.width, canvas.height);
  if (!board.size) return;
  const pen = new Pen(board, context);
  if (board.compare.mode === "off") {
    if (board.marksShown) drawContours(board, scene, context, antPhase);
    for (const outline of board.outlines) pen.outline(outline);
    if (board.draft) {
      const { points, closed, subtract } = board.draft;
      pen.line(points, closed, subtract ? "#ff8a8a" : LIGHT, [5, 4]);
      if (!closed) for (const point of points) pen.dot(point);
    }
    drawExpansion(board, pen);
  }
  if (board.compare.mode === "split") drawSplit(board.compare.at, canvas, context, pen.ratio);
  drawCursor(board, pen);
  if (board.loupe && board.cursor) drawLoupe(board, scene, context);
  else scene.now?.leave("loupe");
}

/** Draws in device pixels from picture coordinates: each line light on dark, so that it is seen on any picture. */
class Pen {
  readonly ratio: number;

  constructor(
    readonly board: Board,
    readonly context: CanvasRenderingContext2D,
  ) {
    this.ratio = board.viewport.ratio;
  }

  at(point: Point): Point {
    const { x, y } = this.board.viewport.toScreen(point);
    return { x: x * this.ratio, y: y * this.ratio };
  }

  path(points: readonly Point[], closed: boolean): void {
    const { context } = this;
    context.beginPath();
    points.forEach((point, index) => {
      const { x, y } = this.at(point);
      if (index) context.lineTo(x, y);
      else context.moveTo(x, y);
    });
    if (closed) context.closePath();
  }

  stroke(colour: string, dash: readonly number[] = []): void {
    const { context, ratio } = this;
    context.setLineDash([]);
    context.lineWidth = 3 * ratio;
    context.strokeStyle = DARK;
    context.stroke();
    context.setLineDash(dash.map((length) => length * ratio));
    context.lineWidth = 1.25 * ratio;
    context.strokeStyle = colour;
    context.stroke();
    context.setLineDash([]);
  }

  line(points: readonly Point[], closed: boolean, colour: string, dash: readonly number[] = []): void {
    if (points.length < 2) return;
    this.path(points, closed);
    this.stroke(colour, dash);
  }

  dot(point: Point, radius = 4): void {
    const { x, y } = this.at(point);
    this.context.beginPath();
    this.context.arc(x, y, radius * this.ratio, 0, 2 * Math.PI);
    this.context.fillStyle = LIGHT;
    this.context.fill();
    this.stroke(DARK);
  }

  outline({ kind, shapes, colour, dashed, label }: Outline): void {
    const shown = css(colour ?? KINDS[kind]);
    for (const shape of shapes) {
      const points = "left" in shape ? cornersOf(shape) : shape;
      this.line(points, true, shown, (dashed ?? kind === "frame") ? [6, 4] : []);
    }
    const first = shapes[0];
    if (!label || !first) return;
    const corners = "left" in first ? cornersOf(first) : first;
    const corner = { x: Math.min(...corners.map(({ x }) => x)), y: Math.min(...corners.map(({ y }) => y)) };
    this.text(label, this.at(corner), shown);
  }

  text(words: string, { x, y }: Point, colour: string): void {
    const { context, ratio } = this;
    context.font = `${11 * ratio}px system-ui, sans-serif`;
    context.textBaseline = "bottom";
    const width = context.measureText(words).width;
    context.fillStyle = DARK;
    context.fillRect(x, y - 18 * ratio, width + 10 * ratio, 16 * ratio);
    context.fillStyle = colour;
    context.fillText(words, x + 5 * ratio, y - 4 * ratio);
  }
}

function drawContours(board: Board, scene: Scene, context: CanvasRenderingContext2D, phase: number): void {
  const ratio = board.viewport.ratio;
  const area = intersect(boxOf(context.canvas), placed(scene.placement, pictureBox(board)));
  if (isEmpty(area)) return;
  for (const { info, contour } of board.masks.all) {
    if (info.style !== "ants" && info.style !== "outline") continue;
    context.beginPath();
    contour.trace(context, scene.placement, area);
    context.lineWidth = Math.max(1, Math.round(1.5 * ratio));
    context.strokeStyle = info.style === "outline" ? css(info.colour) : "#000";
    context.stroke();
    if (info.style === "outline") continue;
    context.setLineDash([4 * ratio, 4 * ratio]);
    context.lineDashOffset = -phase * ratio;
    context.strokeStyle = LIGHT;
    context.stroke();
    context.setLineDash([]);
    context.lineDashOffset = 0;
  }
}

function drawExpansion(board: Board, pen: Pen): void {
  if (board.tool !== "expand" && Object.values(board.margins).every((value) => value === 0)) return;
  const box = expanded(board);
  const { context } = pen;
  const inner = pen.at({ x: 0, y: 0 });
  const far = pen.at({ x: board.size!.width, y: board.size!.height });
  // The new area, lightly filled.
  pen.path(cornersOf(box), true);
  context.moveTo(inner.x, inner.y);
  context.lineTo(inner.x, far.y);
  context.lineTo(far.x, far.y);
  context.lineTo(far.x, inner.y);
  context.closePath();
  context.fillStyle = "rgb(120 220 255 / 0.18)";
  context.fill("evenodd");
  pen.line(cornersOf(box), true, LIGHT, [8, 5]);
  if (board.tool !== "expand") return;
  const [x, y] = [(box.left + box.right) / 2, (box.top + box.bottom) / 2];
  const handles = [...cornersOf(box), { x, y: box.top }, { x, y: box.bottom }, { x: box.left, y }, { x: box.right, y }];
  for (const handle of handles) {
    const at = pen.at(handle);
    const side = 10 * pen.ratio;
    context.beginPath();
    context.rect(at.x - side / 2, at.y - side / 2, side, side);
    context.fillStyle = LIGHT;
    context.fill();
    pen.stroke(DARK);
  }
  const { left, top, right, bottom } = { ...NO_MARGINS, ...board.margins };
  if (left || top || right || bottom) {
    pen.text(`${box.right - box.left} × ${box.bottom - box.top}`, pen.at({ x: box.left, y: box.top }), LIGHT);
  }
}

function drawSplit(at: number, canvas: HTMLCanvasElement, context: CanvasRenderingContext2D, ratio: number): void {
  const x = Math.round(at * canvas.width);
  const y = canvas.height / 2;
  context.fillStyle = DARK;
  context.fillRect(x - 1.5 * ratio, 0, 3 * ratio, canvas.height);
  context.fillStyle = LIGHT;
  context.fillRect(x - 0.5 * ratio, 0, ratio, canvas.height);
  context.beginPath();
  context.arc(x, y, 14 * ratio, 0, 2 * Math.PI);
  context.fill();
  context.strokeStyle = DARK;
  context.lineWidth = 1.5 * ratio;
  context.stroke();
  context.fillStyle = "#222";
  for (const way of [-1, 1]) {
    context.beginPath();
    context.moveTo(x + way * 9 * ratio, y);
    context.lineTo(x + way * 3.5 * ratio, y - 5 * ratio);
    context.lineTo(x + way * 3.5 * ratio, y + 5 * ratio);
    context.fill();
  }
}

function drawCursor(board: Board, pen: Pen): void {
  const { cursor, tool } = board;
  if (!cursor || board.compare.mode === "original") return;
  const { context } = pen;
  if (!isBrush(tool)) {
    if (!board.keyboardCursor) return;
    return drawCross(pen, cursor, 12);
  }
  if (board.lineHint && board.lastPoint) pen.line([board.lastPoint, cursor], false, LIGHT, [4, 4]);
  const { size, hardness } = board.brushes[tool];
  const at = pen.at(cursor);
  const radius = (size / 2) * board.viewport.zoom;
  if (radius < 3 * pen.ratio) drawCross(pen, cursor, 7);
  context.beginPath();
  context.arc(at.x, at.y, Math.max(1, radius), 0, 2 * Math.PI);
  pen.stroke(isEraser(tool) ? "#ffb3b3" : LIGHT);
  const inner = radius * hardness;
  if (hardness >= 0.95 || inner < 4 * pen.ratio) return;
  context.beginPath();
  context.arc(at.x, at.y, inner, 0, 2 * Math.PI);
  context.lineWidth = pen.ratio;
  context.strokeStyle = "rgb(255 255 255 / 0.45)";
  context.stroke();
}

function drawCross(pen: Pen, at: Point, arm: number): void {
  const { x, y } = pen.at(at);
  const reach = arm * pen.ratio;
  pen.context.beginPath();
  pen.context.moveTo(x - reach, y);
  pen.context.lineTo(x + reach, y);
  pen.context.moveTo(x, y - reach);
  pen.context.lineTo(x, y + reach);
  pen.stroke(LIGHT);
}

/** The place under the pointer at 100 %, beside it. */
function drawLoupe(board: Board, scene: Scene, context: CanvasRenderingContext2D): void {
  const { ratio } = board.viewport;
  const cursor = board.cursor!;
  const screen = board.viewport.toScreen(cursor);
  const radius = LOUPE * ratio;
  const { width, height } = context.canvas;
  // Beside the pointer, on the side where there is room.
  const x = screen.x * ratio + (screen.x * ratio + 2.6 * radius < width ? 1.5 : -1.5) * radius;
  const y = Math.min(height - radius, Math.max(radius, screen.y * ratio - 0.6 * radius));
  const placement = { corner: { x: Math.round(x - cursor.x), y: Math.round(y - cursor.y) }, zoom: 1 };
  const box: Box = { left: Math.floor(x - radius), top: Math.floor(y - radius), right: Math.ceil(x + radius), bottom: Math.ceil(y + radius) };
  context.save();
  context.beginPath();
  context.arc(x, y, radius, 0, 2 * Math.PI);
  context.clip();
  context.fillStyle = "#808080";
  context.fillRect(box.left, box.top, box.right - box.left, box.bottom - box.top);
  const shown = board.compare.mode === "original" ? (scene.original ?? scene.now) : scene.now;
  shown?.draw(context, placement, box, "loupe");
  const { preview } = board;
  if (preview && board.compare.mode === "off") {
    const to = placed(placement, preview.box);
    context.drawImage(preview.bitmap, to.left, to.top, to.right - to.left, to.bottom - to.top);
  }
  context.restore();
  context.beginPath();
  context.arc(x, y, radius, 0, 2 * Math.PI);
  context.lineWidth = 3 * ratio;
  context.strokeStyle = DARK;
  context.stroke();
  context.lineWidth = 1.5 * ratio;
  context.strokeStyle = LIGHT;
  context.stroke();
}
