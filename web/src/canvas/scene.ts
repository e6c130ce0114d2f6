/** Draws the board, a layer at a time and only what changed, once a frame at most. */

import { boxOf, intersect, isEmpty, outward, pad, unite, NOTHING } from "./boxes";
import type { Board, Redraw } from "./board";
import type { Layers } from "./layers";
import type { Mask } from "./masks";
import { placed, type Placement, type TiledPicture } from "./picture";
import { drawTop } from "./top";
import type { Box } from "./types";

const ANT_MS = 120;

export class Scene implements Redraw {
  now: TiledPicture | null = null;
  /** What was shown until the new picture is there: no flash between two results. */
  before: TiledPicture | null = null;
  original: TiledPicture | null = null;
  #picture = true;
  #overlay: Box | "all" | null = "all";
  #top = true;
  #frame = 0;
  #ants = 0;
  #antPhase = 0;
  #scratch: OffscreenCanvas | null = null;
  #hatch: CanvasPattern | null = null;
  #checks: CanvasPattern | null = null;
  #waiting: (() => void)[] = [];

  constructor(
    readonly board: Board,
    readonly layers: Layers,
  ) {}

  picture(): void {
    this.#picture = true;
    this.#ask();
  }

  overlay(box: Box | null): void {
    if (!box) this.#overlay = "all";
    else if (this.#overlay !== "all") this.#overlay = unite(this.#overlay ?? NOTHING, box);
    this.#ask();
  }

  top(): void {
    this.#top = true;
    this.#ask();
  }

  all(): void {
    this.#picture = true;
    this.#overlay = "all";
    this.#top = true;
    this.#ask();
  }

  settled(): Promise<void> {
    this.#ask();
    return new Promise((resolve) => this.#waiting.push(resolve));
  }

  destroy(): void {
    cancelAnimationFrame(this.#frame);
    clearInterval(this.#ants);
    for (const picture of [this.now, this.before, this.original]) picture?.close();
  }

  get placement(): Placement {
    return { corner: this.board.viewport.corner, zoom: this.board.viewport.zoom };
  }

  #ask(): void {
    this.#frame ||= requestAnimationFrame(() => this.#draw());
  }

  #draw(): void {
    this.#frame = 0;
    const overlay = this.#overlay;
    if (this.#picture) this.#drawPicture();
    if (overlay) this.#drawOverlay(overlay === "all" ? null : overlay);
    const lines = overlay !== null && this.board.masks.all.some(({ info }) => info.style === "ants" || info.style === "outline");
    if (this.#top || lines || (this.#picture && this.board.loupe)) drawTop(this.board, this, this.#antPhase);
    this.#picture = false;
    this.#overlay = null;
    this.#top = false;
    this.#march();
    if (this.#waiting.length && !this.before && [this.now, this.original].every((picture) => !picture || picture.complete)) {
      const waiting = this.#waiting;
      this.#waiting = [];
      for (const done of waiting) done();
    }
  }

  #drawPicture(): void {
    const { context, canvas } = this.layers.picture;
    const { board, placement } = this;
    const whole = boxOf(canvas);
    context.clearRect(0, 0, canvas.width, canvas.height);
    if (!board.size || !this.now) return;
    const to = placed(placement, boxOf(board.size));
    const area = intersect(to, whole);
    context.fillStyle = this.#checkered(context);
    context.fillRect(area.left, area.top, area.right - area.left, area.bottom - area.top);
    const { compare } = board;
    const original = this.original ?? this.now;
    if (compare.mode === "original") original.draw(context, placement, area, "main");
    else this.#drawNow(context, area);
    if (compare.mode === "split") {
      const x = Math.round(compare.at * canvas.width);
      const left = intersect(area, { ...whole, right: x });
      context.save();
      context.beginPath();
      context.rect(left.left, left.top, left.right - left.left, left.bottom - left.top);
      context.clip();
      context.fillRect(left.left, left.top, left.right - left.left, left.bottom - left.top);
      if (!isEmpty(left)) original.draw(context, placement, left, "main");
      context.restore();
    } else if (compare.mode === "off") this.original?.leave("main");
  }

  #drawNow(context: CanvasRenderingContext2D, area: Box): void {
    this.before?.draw(context, this.placement, area, "main");
    this.now!.draw(context, this.placement, area, "main");
    if (this.before && this.now!.complete) {
      this.before.close();
      this.before = null;
      // What the old one showed through transparent parts goes.
      this.picture();
    }
    const { preview } = this.board;
    if (!preview) return;
    const to = placed(this.placement, preview.box);
    context.imageSmoothingEnabled = this.board.viewport.zoom < 2;
    context.drawImage(preview.bitmap, to.left, to.top, to.right - to.left, to.bottom - to.top);
  }

  #drawOverlay(box: Box | null): void {
    const { context, canvas } = this.layers.overlay;
    const { board, placement } = this;
    const whole = boxOf(canvas);
    // One device pixel more: smoothing reaches over a tile's pixel.
    const device = box ? intersect(pad(placed(placement, box), 2 + Math.ceil(placement.zoom)), whole) : whole;
    if (isEmpty(device) || !board.size) {
      if (!board.size) context.clearRect(0, 0, canvas.width, canvas.height);
      return;
    }
    const [width, height] = [device.right - device.left, device.bottom - device.top];
    context.clearRect(device.left, device.top, width, height);
    if (board.compare.mode !== "off") return;
    const area = intersect(outward(device), placed(placement, boxOf(board.size)));
    if (isEmpty(area)) return;
    context.save();
    context.beginPath();
    context.rect(area.left, area.top, area.right - area.left, area.bottom - area.top);
    context.clip();
    board.sketch.view.draw(context, placement, area);
    if (board.marksShown) for (const mask of board.masks.all) this.#drawMask(context, mask, area);
    context.restore();
  }

  #drawMask(context: CanvasRenderingContext2D, mask: Mask, area: Box): void {
    const { style, opacity } = mask.info;
    if (style !== "fill" && style !== "hatch") return mask.raster.dirty.clear();
    context.globalAlpha = opacity;
    if (style === "fill") mask.view.draw(context, this.placement, area);
    else {
      const [width, height] = [area.right - area.left, area.bottom - area.top];
      if (!this.#scratch || this.#scratch.width < width || this.#scratch.height < height) {
        this.#scratch = new OffscreenCanvas(Math.max(width, this.#scratch?.width ?? 0), Math.max(height, this.#scratch?.height ?? 0));
      }
      const scratch = this.#scratch.getContext("2d")!;
      scratch.globalCompositeOperation = "source-over";
      scratch.setTransform(1, 0, 0, 1, 0, 0);
      scratch.clearRect(0, 0, width, height);
      scratch.setTransform(1, 0, 0, 1, -area.left, -area.top);
      mask.view.draw(scratch, this.placement, area);
      scratch.globalCompositeOperation = "destination-in";
      scratch.fillStyle = this.#hatched(scratch);
      scratch.fillRect(area.left, area.top, width, height);
      context.drawImage(this.#scratch, 0, 0, width, height, area.left, area.top, width, height);
    }
    context.globalAlpha = 1;
  }

  #hatched(context: OffscreenCanvasRenderingContext2D): CanvasPattern {
    if (this.#hatch) return this.#hatch;
    const side = Math.round(10 * this.board.viewport.ratio);
    this.#hatch = context.createPattern(stripes(side, "#000", "rgb(0 0 0 / 0.25)"), "repeat")!;
    return this.#hatch;
  }

  #checkered(context: CanvasRenderingContext2D): CanvasPattern {
    if (this.#checks) return this.#checks;
    const tile = new OffscreenCanvas(16, 16);
    const paint = tile.getContext("2d")!;
    paint.fillStyle = "#8b8b8b";
    paint.fillRect(0, 0, 16, 16);
    paint.fillStyle = "#747474";
    paint.fillRect(0, 0, 8, 8);
    paint.fillRect(8, 8, 8, 8);
    this.#checks = context.createPattern(tile, "repeat")!;
    return this.#checks;
  }

  /** Ants move only while there are some, and while the page is seen. */
  #march(): void {
    const { board } = this;
    const wanted = !board.reducedMotion && board.marksShown && board.compare.mode === "off" && board.masks.all.some(({ info, raster }) => info.style === "ants" && raster.tiles.size > 0);
    if (wanted && !this.#ants) {
      this.#ants = window.setInterval(() => {
        if (document.hidden) return;
        this.#antPhase = (this.#antPhase + 1) % 8;
        this.top();
      }, ANT_MS);
    } else if (!wanted && this.#ants) {
      clearInterval(this.#ants);
      this.#ants = 0;
    }
  }
}

/** Diagonal lines over a square that repeats. */
function stripes(side: number, line: string, between: string): OffscreenCanvas {
  const tile = new OffscreenCanvas(side, side);
  const paint = tile.getContext("2d")!;
  paint.fillStyle = between;
  paint.fillRect(0, 0, side, side);
  paint.fillStyle = line;
  for (const offset of [-side, 0, side]) {
    paint.beginPath();
    paint.moveTo(offset, side);
    paint.lineTo(offset + side / 2, side);
    paint.lineTo(offset + side * 1.5, 0);
    paint.lineTo(offset + side, 0);
    paint.fill();
  }
  return tile;
}
