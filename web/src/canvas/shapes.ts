/** Areas with exact antialiasing: polygons (also those of lasso, rectangle and ellipse) into tiles of coverage, and how they join a mask. */

import { around, boxOf, intersect, isEmpty, outward, widthOf } from "./boxes";
import { SIDE, type Part, type Tile, type TileRaster } from "./tiles";
import type { Box, Combine, GreyRaster, Point } from "./types";

/** Coverage for each tile that it meets; "full": 255 all over. Missing: none. */
export type Coverage = Map<number, Tile | "full">;

/** Closed curves of an ellipse within a box, finely enough that no point is farther than 0.02 px off. */
export function ellipse(box: Box): Point[] {
  const [rx, ry] = [(box.right - box.left) / 2, (box.bottom - box.top) / 2];
  const count = Math.max(16, Math.min(2048, Math.ceil(Math.PI / Math.acos(1 - Math.min(0.9, 0.02 / Math.max(rx, ry, 0.02))))));
  return Array.from({ length: count }, (_, i) => {
    const angle = (2 * Math.PI * i) / count;
    return { x: box.left + rx * (1 + Math.cos(angle)), y: box.top + ry * (1 + Math.sin(angle)) };
  });
}

/**
 * The covered area of each pixel, times 255, under the non-zero rule (an area inside of two loops counts once).
 *
 * Each edge adds the signed area to its right in the pixels that it crosses; a running sum along the row gives the coverage (the
 * method of font rasterisers: Raph Levien, font-rs, 2016). Rows go band by band, and tiles that no edge meets are all or nothing.
 */
export function coverPolygon(raster: TileRaster, points: readonly Point[], clip: Box): Coverage {
  const found: Coverage = new Map();
  const box = intersect(outward(around(points)), clip);
  if (points.length < 3 || isEmpty(box)) return found;
  const width = widthOf(box);
  const rows: { y: number; parts: Part[] }[] = [];
  for (const part of raster.parts(box)) {
    const last = rows.at(-1);
    if (last && last.y === part.y) last.parts.push(part);
    else rows.push({ y: part.y, parts: [part] });
  }
  const sums = new Float32Array((width + 2) * SIDE);
  for (const { y, parts } of rows) {
    const top = y + parts[0]!.top;
    const bottom = y + parts[0]!.bottom;
    sums.fill(0);
    const touched = new Uint8Array(parts.length);
    const touch = (from: number, to: number): void => {
      parts.forEach((part, index) => {
        if (to >= part.x + part.left && from < part.x + part.right) touched[index] = 1;
      });
    };
    for (let i = 0; i < points.length; i++) {
      addEdge(sums, width + 2, points[i]!, points[(i + 1) % points.length]!, box, top, bottom, touch);
    }
    const height = bottom - top;
    const running = new Float32Array(height);
    parts.forEach((part, index) => {
      const from = part.x + part.left - box.left;
      const count = part.right - part.left;
      if (!touched[index]) {
        const value = toByte(running[0]!);
        if (value === 0) return;
        const whole = count === SIDE && height === SIDE && value === 255;
        found.set(part.key, whole ? "full" : constant(part.left, part.top, count, height, value));
        return;
      }
      const tile: Tile = new Uint8Array(SIDE * SIDE);
      for (let r = 0; r < height; r++) {
        let sum = running[r]!;
        const at = r * (width + 2) + from;
        const to = (part.top + r) * SIDE + part.left;
        for (let x = 0; x < count; x++) {
          sum += sums[at + x]!;
          tile[to + x] = toByte(sum);
        }
        running[r] = sum;
      }
      found.set(part.key, tile);
    });
  }
  return found;
}

// Sums of many small areas drift by some millionths; 1/512 at the ends is beyond what 8 bits hold.
function toByte(sum: number): number {
  const cover = Math.abs(sum);
  return cover >= 1 ? 255 : (cover * 255 + 0.5) | 0;
}

function constant(left: number, top: number, width: number, height: number, value: number): Tile {
  const tile: Tile = new Uint8Array(SIDE * SIDE);
  for (let y = top; y < top + height; y++) tile.fill(value, y * SIDE + left, y * SIDE + left + width);
  return tile;
}

function addEdge(
  sums: Float32Array,
  stride: number,
  one: Point,
  other: Point,
  box: Box,
  top: number,
  bottom: number,
  touch: (from: number, to: number) => void,
): void {
  if (one.y === other.y) return;
  const sign = one.y < other.y ? 1 : -1;
  const [upper, lower] = sign > 0 ? [one, other] : [other, one];
  const slope = (lower.x - upper.x) / (lower.y - upper.y);
  const first = Math.max(upper.y, top);
  const last = Math.min(lower.y, bottom);
  if (first >= last) return;
  const most = box.right - box.left;
  const xAt = (y: number): number => Math.min(most, Math.max(0, upper.x + (y - upper.y) * slope - box.left));
  const [a, b] = [xAt(first), xAt(last)];
  touch(box.left + Math.floor(Math.min(a, b)), box.left + Math.floor(Math.max(a, b)) + 1);
  for (let row = Math.floor(first); row < last; row++) {
    const y0 = Math.max(first, row);
    const y1 = Math.min(last, row + 1);
    // Clipped at the box's sides the edge may bend within a row: by less than a pixel beyond what is seen.
    spread(sums, (row - top) * stride, xAt(y0), xAt(y1), (y1 - y0) * sign);
  }
}

/** Adds one row's piece of an edge: the share of `height` that lies right of it, pixel by pixel, as differences. */
function spread(sums: Float32Array, at: number, from: number, to: number, height: number): void {
  const [low, high] = from < to ? [from, to] : [to, from];
  const first = Math.floor(low);
  const last = Math.ceil(high);
  if (last <= first + 1) {
    const share = height * (1 - ((low + high) / 2 - first));
    sums[at + first] = sums[at + first]! + share;
    sums[at + first + 1] = sums[at + first + 1]! + height - share;
    return;
  }
  const slope = 1 / (high - low);
  const start = 1 - (low - first);
  const a0 = 0.5 * slope * start * start;
  const end = high - last + 1;
  const am = 0.5 * slope * end * end;
  sums[at + first] = sums[at + first]! + height * a0;
  if (last === first + 2) {
    sums[at + first + 1] = sums[at + first + 1]! + height * (1 - a0 - am);
  } else {
    const a1 = slope * (1.5 - (low - first));
    sums[at + first + 1] = sums[at + first + 1]! + height * (a1 - a0);
    for (let x = first + 2; x < last - 1; x++) sums[at + x] = sums[at + x]! + height * slope;
    const a2 = a1 + (last - first - 3) * slope;
    sums[at + last - 1] = sums[at + last - 1]! + height * (1 - a2 - am);
  }
  sums[at + last] = sums[at + last]! + height * am;
}

/** Coverage from values that lie at `box` of the picture. */
export function coverRaster(raster: TileRaster, values: GreyRaster, at: Point, clip: Box): Coverage {
  const found: Coverage = new Map();
  const own = boxOf(values);
  const box = intersect({ left: at.x, top: at.y, right: at.x + own.right, bottom: at.y + own.bottom }, clip);
  for (const part of raster.parts(box)) {
    const tile: Tile = new Uint8Array(SIDE * SIDE);
    for (let y = part.top; y < part.bottom; y++) {
      const from = (part.y + y - at.y) * values.width + part.x + part.left - at.x;
      tile.set(values.values.subarray(from, from + part.right - part.left), y * SIDE + part.left);
    }
    found.set(part.key, tile);
  }
  return found;
}

/**
 * Joins coverage c with the mask m, within an open change: add max(m, c); subtract min(m, 255 - c); intersect min(m, c);
 * replace c. Returns the box of the tiles that it looked at.
 */
export function join(raster: TileRaster, coverage: Coverage, combine: Combine): void {
  if (combine === "intersect" || combine === "replace") {
    for (const key of [...raster.tiles.keys()]) if (!coverage.has(key)) raster.put(key, undefined);
  }
  for (const [key, cover] of coverage) {
    const now = raster.tiles.get(key);
    if (cover === "full") {
      if (combine === "add" || combine === "replace") {
        if (!raster.isFull(now)) raster.putFull(key);
      } else if (combine === "subtract" && now) raster.put(key, undefined);
      continue;
    }
    if (combine === "add" && raster.isFull(now)) continue;
    if ((combine === "subtract" || combine === "intersect") && !now) continue;
    const tile = raster.writable(key);
    if (combine === "add") for (let i = 0; i < tile.length; i++) tile[i] = Math.max(tile[i]!, cover[i]!);
    else if (combine === "subtract") for (let i = 0; i < tile.length; i++) tile[i] = Math.min(tile[i]!, 255 - cover[i]!);
    else if (combine === "intersect") for (let i = 0; i < tile.length; i++) tile[i] = Math.min(tile[i]!, cover[i]!);
    else tile.set(cover);
  }
}
