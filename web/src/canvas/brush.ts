/**
 * Brush strokes as capsules: the values follow from the exact distance to the segment between two samples, so that no dabs show however
 * fast the pointer moved, and a segment costs one pass over its box.
 */

import { intersect, isEmpty, outward } from "./boxes";
import { SIDE, type Tile, type TileRaster } from "./tiles";
import type { Box, Rgba } from "./types";

/** A sample of a stroke: a place in picture coordinates, radius in picture pixels, peak 0 to 1. */
export interface Sample {
  readonly x: number;
  readonly y: number;
  readonly radius: number;
  readonly peak: number;
}

/** Lays a row of coverage (0 to 255), `count` values, on a tile at value offset `at` (in pixels). */
export type Ink = (coverage: Uint8Array, count: number, tile: Tile, key: number, at: number) => void;

const STEPS = 1024;
/** Coverage between the hard middle (0) and the edge (STEPS): smoothstep, so that soft edges have no visible rings. */
const FALLOFF = Float32Array.from({ length: STEPS + 1 }, (_, i) => {
  const t = i / STEPS;
  return 1 - t * t * (3 - 2 * t);
});
const row = new Uint8Array(SIDE);

/** Picture pixels that a segment may change. */
export function segmentBox(from: Sample, to: Sample): Box {
  const reach = Math.max(from.radius, to.radius) + 1;
  return outward({
    left: Math.min(from.x, to.x) - reach,
    top: Math.min(from.y, to.y) - reach,
    right: Math.max(from.x, to.x) + reach,
    bottom: Math.max(from.y, to.y) + reach,
  });
}

/**
 * Paints a segment onto the raster, within `clip`. A single dab is a segment of length 0. Coverage is 1 up to `hardness` times the
 * radius (less half a pixel) and 0 from the radius (plus half a pixel) on. Returns the box that was looked at.
 */
export function paintSegment(raster: TileRaster, from: Sample, to: Sample, hardness: number, clip: Box, ink: Ink): Box {
  const box = intersect(segmentBox(from, to), clip);
  if (isEmpty(box)) return box;
  const dx = to.x - from.x;
  const dy = to.y - from.y;
  const length2 = dx * dx + dy * dy;
  const widest = Math.max(from.radius, to.radius) + 0.5;
  const narrowest = Math.min(from.radius, to.radius);
  const peak = 255 * Math.max(from.peak, to.peak);
  const growth = to.radius - from.radius;
  const solid = growth === 0 ? Math.max(0, narrowest * hardness - 0.5) : 0;
  const full = Math.round(peak);
  const shape: Shape = { from, dx, dy, share: length2 > 0 ? 1 / length2 : 0, growth, hardness, peak };
  for (const part of raster.parts(box)) {
    let tile: Tile | null = null;
    for (let ty = part.top; ty < part.bottom; ty++) {
      const y = part.y + ty + 0.5;
      const outer = spanOf(from, dx, dy, length2, widest, y);
      if (!outer) continue;
      const first = Math.max(part.left, Math.ceil(outer.low - part.x - 0.5));
      const last = Math.min(part.right - 1, Math.floor(outer.high - part.x - 0.5));
      if (last < first) continue;
      let [solidFirst, solidLast] = [last + 1, last];
      const inner = solid > 0 ? spanOf(from, dx, dy, length2, solid, y) : null;
      if (inner) {
        solidFirst = Math.max(first, Math.ceil(inner.low - part.x - 0.5));
        solidLast = Math.min(last, Math.floor(inner.high - part.x - 0.5));
        if (solidLast < solidFirst) [solidFirst, solidLast] = [last + 1, last];
      }
      if (solidFirst > first) ramp(shape, part.x + first + 0.5, y, 0, Math.min(solidFirst, last + 1) - first);
      if (solidFirst <= last) {
        row.fill(full, solidFirst - first, solidLast - first + 1);
        if (solidLast < last) ramp(shape, part.x + first + 0.5, y, solidLast - first + 1, last - first + 1);
      }
      tile ??= raster.writable(part.key);
      ink(row, last - first + 1, tile, part.key, ty * SIDE + first);
    }
  }
  return box;
}

interface Shape {
  readonly from: Sample;
  readonly dx: number;
  readonly dy: number;
  /** 1 / length²; 0 for a dab. */
  readonly share: number;
  readonly growth: number;
  readonly hardness: number;
  /** 0 to 255. */
  readonly peak: number;
}

/** Coverage of pixels `first` to `end` of the row, whose pixel 0 has its middle at (x0, y). */
function ramp({ from, dx, dy, share, growth, hardness, peak }: Shape, x0: number, y: number, first: number, end: number): void {
  const ry = y - from.y;
  const along = ry * dy;
  let edge = from.radius + 0.5;
  let middle = Math.max(0, from.radius * hardness - 0.5);
  let steps = STEPS / (edge - middle);
  for (let i = first; i < end; i++) {
    const rx = x0 + i - from.x;
    let u = (rx * dx + along) * share;
    u = u < 0 ? 0 : u > 1 ? 1 : u;
    const ex = rx - u * dx;
    const ey = ry - u * dy;
    if (growth !== 0) {
      const radius = from.radius + u * growth;
      edge = radius + 0.5;
      middle = Math.max(0, radius * hardness - 0.5);
      steps = STEPS / (edge - middle);
    }
    const t = (Math.sqrt(ex * ex + ey * ey) - middle) * steps;
    row[i] = t <= 0 ? peak + 0.5 : t >= STEPS ? 0 : peak * FALLOFF[t | 0]! + 0.5;
  }
}

interface Span {
  low: number;
  high: number;
}
const span: Span = { low: 0, high: 0 };

/** Where the line at height y meets the capsule of this radius (convex: one interval), or null. The value is reused. */
function spanOf(from: Sample, dx: number, dy: number, length2: number, radius: number, y: number): Span | null {
  span.low = Infinity;
  span.high = -Infinity;
  const ry = y - from.y;
  cap(from.x, ry, radius);
  cap(from.x + dx, ry - dy, radius);
  if (length2 > 0) {
    // The rectangle between the caps: |cross| <= radius * length and 0 <= dot <= length², each a slab in x.
    const reach = radius * Math.sqrt(length2);
    let [low, high] = [-Infinity, Infinity];
    const slab = (factor: number, offset: number, least: number, most: number): void => {
      if (factor === 0) {
        if (offset < least || offset > most) high = -Infinity;
        return;
      }
      const [one, two] = [(least - offset) / factor, (most - offset) / factor];
      low = Math.max(low, Math.min(one, two));
      high = Math.min(high, Math.max(one, two));
    };
    slab(dy, -ry * dx, -reach, reach);
    slab(dx, ry * dy, 0, length2);
    if (low <= high) {
      span.low = Math.min(span.low, from.x + low);
      span.high = Math.max(span.high, from.x + high);
    }
  }
  return span.low <= span.high ? span : null;
}

function cap(x: number, ry: number, radius: number): void {
  const rest = radius * radius - ry * ry;
  if (rest < 0) return;
  const half = Math.sqrt(rest);
  span.low = Math.min(span.low, x - half);
  span.high = Math.max(span.high, x + half);
}

/** Mask paint: the larger value wins, so that crossing strokes leave no darker spots. */
export const paintInk: Ink = (coverage, count, tile, _key, at) => {
  for (let i = 0; i < count; i++) if (coverage[i]! > tile[at + i]!) tile[at + i] = coverage[i]!;
};

/** Mask eraser: nothing above 255 - coverage stays. */
export const eraseInk: Ink = (coverage, count, tile, _key, at) => {
  for (let i = 0; i < count; i++) {
    const most = 255 - coverage[i]!;
    if (tile[at + i]! > most) tile[at + i] = most;
  }
};

/**
 * Colour on an RGBA raster. One stroke keeps its own coverage, laid over what was there before the stroke: it does not darken where it
 * crosses itself. `colour` null erases.
 */
export function sketchInk(raster: TileRaster, colour: Rgba | null): Ink {
  const strokes = new Map<number, Uint8Array>();
  return (coverage, count, tile, key, at) => {
    let stroke = strokes.get(key);
    if (!stroke) strokes.set(key, (stroke = new Uint8Array(SIDE * SIDE)));
    const old = raster.before(key);
    for (let i = 0; i < count; i++) {
      if (coverage[i]! <= stroke[at + i]!) continue;
      stroke[at + i] = coverage[i]!;
      lay(tile, old, (at + i) * 4, coverage[i]! / 255, colour);
    }
  };
}

/** Porter and Duff's "over" (or "out" for the eraser) on values that are not premultiplied. */
function lay(tile: Tile, old: Tile | undefined, at: number, cover: number, colour: Rgba | null): void {
  const below = old ? old[at + 3]! / 255 : 0;
  if (!colour) {
    tile[at + 3] = Math.round(below * (1 - cover) * 255);
    if (tile[at + 3] === 0) tile.fill(0, at, at + 3);
    else for (let c = 0; c < 3; c++) tile[at + c] = old![at + c]!;
    return;
  }
  const above = (cover * colour.alpha) / 255;
  const alpha = above + below * (1 - above);
  if (alpha * 255 < 0.5) return;
  const share = above / alpha;
  const rest = 1 - share;
  tile[at] = Math.round(colour.red * share + (old ? old[at]! : 0) * rest);
  tile[at + 1] = Math.round(colour.green * share + (old ? old[at + 1]! : 0) * rest);
  tile[at + 2] = Math.round(colour.blue * share + (old ? old[at + 2]! : 0) * rest);
  tile[at + 3] = Math.round(alpha * 255);
}

/**
 * The way from `from` to `to`, as points to join by lines: Hermite's curve that also knows the sample before, so that quick strokes are
 * round without waiting for the next sample. Sharp turns stay corners.
 */
export function curve(earlier: Sample | null, from: Sample, to: Sample): Sample[] {
  const dx = to.x - from.x;
  const dy = to.y - from.y;
  const length = Math.hypot(dx, dy);
  const count = Math.min(16, Math.ceil(length / Math.max(3, from.radius / 3)));
  if (!earlier || count < 2) return [to];
  const px = from.x - earlier.x;
  const py = from.y - earlier.y;
  const past = Math.hypot(px, py);
  if (past === 0 || dx * px + dy * py <= 0.3 * length * past) return [to];
  const [sx, sy] = [(px / past + dx / length) / 2, (py / past + dy / length) / 2];
  const points: Sample[] = [];
  for (let i = 1; i < count; i++) {
    const t = i / count;
    const [h00, h10] = [2 * t ** 3 - 3 * t * t + 1, t ** 3 - 2 * t * t + t];
    const [h01, h11] = [3 * t * t - 2 * t ** 3, t ** 3 - t * t];
    points.push({
      x: h00 * from.x + h10 * length * sx + h01 * to.x + h11 * dx,
      y: h00 * from.y + h10 * length * sy + h01 * to.y + h11 * dy,
      radius: from.radius + t * (to.radius - from.radius),
      peak: from.peak + t * (to.peak - from.peak),
    });
  }
  points.push(to);
  return points;
}
