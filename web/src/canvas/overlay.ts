/** Shows rasters: each tile as a small canvas at the size that the zoom asks for, remade only when its values change. */

import { intersect, isEmpty, outward } from "./boxes";
import { levelFor, placed, under, type Placement } from "./picture";
import { SIDE, type Tile, type TileRaster } from "./tiles";
import type { Box, Rgba } from "./types";

const KEPT = 320;
const LEVELS = 4;

interface Shown {
  readonly canvas: OffscreenCanvas;
  level: number;
  used: number;
}

/** Draws one raster. Grey values become the colour's alpha; RGBA is drawn as it is. */
export class RasterView {
  readonly #shown = new Map<number, Shown>();
  #colours = new Uint32Array(256);
  #css = "";
  #clock = 0;

  constructor(readonly raster: TileRaster) {}

  /** Also empties what was drawn in another colour. */
  setColour({ red, green, blue }: Rgba): void {
    const css = `rgb(${red} ${green} ${blue})`;
    if (css === this.#css) return;
    this.#css = css;
    this.#colours = Uint32Array.from({ length: 256 }, (_, value) => ((value << 24) | (blue << 16) | (green << 8) | red) >>> 0);
    this.#shown.clear();
  }

  draw(context: CanvasRenderingContext2D | OffscreenCanvasRenderingContext2D, placement: Placement, device: Box): void {
    this.#clock++;
    for (const key of this.raster.dirty) this.#forget(key);
    this.raster.dirty.clear();
    const seen = outward(under(placement, device));
    const level = levelFor(placement.zoom, LEVELS);
    context.imageSmoothingEnabled = placement.zoom < 2;
    // Full tiles side by side are one rectangle: an inverted mask has a thousand of them.
    const runs: Box[] = [];
    for (const [key, tile] of this.#tilesIn(seen)) {
      const to = placed(placement, this.raster.boxOf(key));
      if (this.raster.channels === 1 && this.raster.isFull(tile)) {
        const last = runs.at(-1);
        if (last && last.right === to.left && last.top === to.top) runs[runs.length - 1] = { ...last, right: to.right };
        else runs.push(to);
      } else context.drawImage(this.#image(key, tile, level), to.left, to.top, to.right - to.left, to.bottom - to.top);
    }
    context.fillStyle = this.#css;
    for (const run of runs) context.fillRect(run.left, run.top, run.right - run.left, run.bottom - run.top);
    if (this.#shown.size > KEPT) for (const [key, { used }] of this.#shown) if (used < this.#clock) this.#shown.delete(key);
  }

  *#tilesIn(seen: Box): Generator<[number, Tile]> {
    if (this.raster.tiles.size < 64) {
      for (const entry of this.raster.tiles) if (!isEmpty(intersect(this.raster.boxOf(entry[0]), seen))) yield entry;
      return;
    }
    for (const { key } of this.raster.parts(seen)) {
      const tile = this.raster.tiles.get(key);
      if (tile) yield [key, tile];
    }
  }

  #forget(key: number): void {
    const shown = this.#shown.get(key);
    if (shown) shown.level = -1;
  }

  #image(key: number, tile: Tile, level: number): OffscreenCanvas {
    const side = SIDE >> level;
    let shown = this.#shown.get(key);
    if (!shown || shown.canvas.width !== side) {
      shown = { canvas: new OffscreenCanvas(side, side), level: -1, used: 0 };
      this.#shown.set(key, shown);
    }
    shown.used = this.#clock;
    if (shown.level === level) return shown.canvas;
    shown.level = level;
    const image = new ImageData(side, side);
    if (this.raster.channels === 1) {
      const pixels = new Uint32Array(image.data.buffer);
      const values = level ? reduced(tile, level) : tile;
      for (let i = 0; i < pixels.length; i++) pixels[i] = this.#colours[values[i]!]!;
    } else if (level === 0) image.data.set(tile);
    else reduceColours(tile, level, image.data);
    shown.canvas.getContext("2d")!.putImageData(image, 0, 0);
    return shown.canvas;
  }
}

/**
 * Means of blocks of 2 to the power `level` (at least 1) values, rounded to the nearest.
 *
 * Four values are read at once: a 32-bit word's even and odd bytes give the sums of its two pairs in its two halves, which hold the sums
 * of up to 128 rows. (All platforms of browsers are little-endian; only the order within a pair of blocks depends on it.)
 */
export function reduced(tile: Tile, level: number): Uint8Array {
  const by = 1 << level;
  const side = SIDE >> level;
  const words = new Uint32Array(tile.buffer, tile.byteOffset, tile.length >> 2);
  const across = SIDE >> 2;
  const pairs = new Uint32Array(across);
  const found = new Uint8Array(side * side);
  const half = (by * by) >> 1;
  for (let y = 0; y < side; y++) {
    pairs.fill(0);
    for (let r = 0; r < by; r++) {
      const at = (y * by + r) * across;
      for (let i = 0; i < across; i++) {
        const word = words[at + i]!;
        pairs[i] = pairs[i]! + (word & 0x00ff00ff) + ((word >>> 8) & 0x00ff00ff);
      }
    }
    const to = y * side;
    if (level === 1) {
      for (let i = 0; i < across; i++) {
        found[to + 2 * i] = ((pairs[i]! & 0xffff) + half) >> 2;
        found[to + 2 * i + 1] = ((pairs[i]! >>> 16) + half) >> 2;
      }
      continue;
    }
    const group = by >> 2;
    for (let x = 0, i = 0; x < side; x++) {
      let sum = half;
      for (let c = 0; c < group; c++, i++) sum += (pairs[i]! & 0xffff) + (pairs[i]! >>> 16);
      found[to + x] = sum >> (2 * level);
    }
  }
  return found;
}

/** For the screen only: colours weighted by their alpha. */
function reduceColours(tile: Tile, level: number, target: Uint8ClampedArray): void {
  const by = 1 << level;
  const side = SIDE >> level;
  for (let y = 0; y < side; y++) {
    for (let x = 0; x < side; x++) {
      let [red, green, blue, alpha] = [0, 0, 0, 0];
      for (let r = 0; r < by; r++) {
        for (let c = 0; c < by; c++) {
          const at = ((y * by + r) * SIDE + x * by + c) * 4;
          const a = tile[at + 3]!;
          red += tile[at]! * a;
          green += tile[at + 1]! * a;
          blue += tile[at + 2]! * a;
          alpha += a;
        }
      }
      if (!alpha) continue;
      target.set([red / alpha, green / alpha, blue / alpha, alpha / (by * by)], (y * side + x) * 4);
    }
  }
}
