/** Grow, shrink and feather of 8-bit rasters. Beyond the border the outermost values go on, so that nothing shrinks from it. */

import type { GreyRaster, MaskChange, Size } from "./types";

const DIRECT = 16;

/** The largest value within a disc: offsets with dx² + dy² <= radius². Exact. */
export function grow(mask: GreyRaster, radius: number): Uint8Array<ArrayBuffer> {
  const values = new Uint8Array(mask.values);
  if (radius < 1) return values;
  let soft = 0;
  for (const value of values) if (value > 0 && value < 255) soft++;
  const solid = reachOf(mask, radius);
  // Each soft pixel stamps its disc, unless sliding the disc's rows over all pixels is less work.
  if (soft === 0) return solid;
  const disc = discRows(radius);
  const area = disc.reduce((sum, half) => sum + 2 * half + 1, 0);
  return soft * area < mask.width * mask.height * disc.length * 3 ? stamp(mask, solid, disc) : slide(mask, disc);
}

/** The smallest value within a disc. Exact. */
export function shrink(mask: GreyRaster, radius: number): Uint8Array<ArrayBuffer> {
  return inverse(grow({ ...mask, values: inverse(mask.values) }, radius));
}

export function inverse(values: Uint8Array): Uint8Array<ArrayBuffer> {
  const found = new Uint8Array(values.length);
  for (let i = 0; i < found.length; i++) found[i] = 255 - values[i]!;
  return found;
}

/** Half-widths of a disc's rows, from the top one down. */
function discRows(radius: number): number[] {
  const reach = Math.floor(radius);
  return Array.from({ length: 2 * reach + 1 }, (_, i) => Math.floor(Math.sqrt(radius * radius - (i - reach) ** 2)));
}

/**
 * 255 where a pixel of 255 is within the radius, else 0: exact squared Euclidean distances, the distance within the
 * column first, then along rows (the two passes of Saito and Toriwaki, 1994; one radius needs no minimum over all columns).
 */
function reachOf({ width, height, values }: GreyRaster, radius: number): Uint8Array<ArrayBuffer> {
  const far = Math.ceil(radius) + 1;
  const down = new Uint16Array(width * height);
  for (let x = 0; x < width; x++) {
    let steps = far;
    for (let at = x; at < values.length; at += width) {
      steps = values[at] === 255 ? 0 : Math.min(far, steps + 1);
      down[at] = steps;
    }
    steps = far;
    for (let at = x + width * (height - 1); at >= 0; at -= width) {
      steps = Math.min(down[at]!, steps + 1);
      down[at] = steps;
    }
  }
  const found = new Uint8Array(width * height);
  const limit = radius * radius;
  const halves = Int32Array.from({ length: far }, (_, d) => (d * d > limit ? -1 : Math.floor(Math.sqrt(limit - d * d))));
  for (let y = 0; y < height; y++) {
    // A pixel whose column distance is d covers sqrt(radius² - d²) to both sides: what the runs seen so far reach, from left and right.
    const at = y * width;
    let right = -1;
    for (let x = 0; x < width; x++) {
      const d = down[at + x]!;
      if (d < far && halves[d]! >= 0) right = Math.max(right, x + halves[d]!);
      if (right >= x) found[at + x] = 255;
    }
    let left = width;
    for (let x = width - 1; x >= 0; x--) {
      const d = down[at + x]!;
      if (d < far && halves[d]! >= 0) left = Math.min(left, x - halves[d]!);
      if (left <= x) found[at + x] = 255;
    }
  }
  return found;
}

function stamp(mask: GreyRaster, solid: Uint8Array<ArrayBuffer>, disc: readonly number[]): Uint8Array<ArrayBuffer> {
  const { width, height, values } = mask;
  const found = solid;
  const reach = (disc.length - 1) / 2;
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      const value = values[y * width + x]!;
      if (value === 0 || value === 255) continue;
      for (let r = Math.max(-reach, -y); r <= Math.min(reach, height - 1 - y); r++) {
        const half = disc[r + reach]!;
        const at = (y + r) * width;
        const last = at + Math.min(width - 1, x + half);
        for (let i = at + Math.max(0, x - half); i <= last; i++) if (found[i]! < value) found[i] = value;
      }
    }
  }
  return found;
}

/** Row by row of the disc: the running maximum of each source row over the row's width (van Herk 1992), laid on the target row. */
function slide({ width, height, values }: GreyRaster, disc: readonly number[]): Uint8Array<ArrayBuffer> {
  const found = new Uint8Array(width * height);
  const reach = (disc.length - 1) / 2;
  const widths = [...new Set(disc)];
  const most = new Uint8Array(width);
  for (let y = 0; y < height; y++) {
    const source = values.subarray(y * width, (y + 1) * width);
    if (!source.some((value) => value > 0)) continue;
    for (const half of widths) {
      runningMax(source, half, most);
      for (let i = 0; i < disc.length; i++) {
        const row = y + i - reach;
        if (disc[i] !== half || row < 0 || row >= height) continue;
        const at = row * width;
        for (let x = 0; x < width; x++) if (most[x]! > found[at + x]!) found[at + x] = most[x]!;
      }
    }
  }
  return found;
}

function runningMax(source: Uint8Array, half: number, most: Uint8Array): void {
  const n = source.length;
  const window = 2 * half + 1;
  const size = n + 2 * half;
  const at = (i: number): number => (i < half || i >= n + half ? 0 : source[i - half]!);
  const left = new Uint8Array(size);
  const right = new Uint8Array(size);
  for (let i = 0; i < size; i++) left[i] = i % window === 0 ? at(i) : Math.max(left[i - 1]!, at(i));
  for (let i = size - 1; i >= 0; i--) right[i] = i === size - 1 || (i + 1) % window === 0 ? at(i) : Math.max(right[i + 1]!, at(i));
  for (let x = 0; x < n; x++) most[x] = Math.max(right[x]!, left[x + window - 1]!);
}

/**
 * A Gaussian. Up to sigma 16 its own samples to 4 sigma; above, twelve passes of the extended box filter, which has exactly this
 * variance (Gwosdek et al., "Theoretical foundations of Gaussian convolution by extended box filtering", 2011): within 2 of 255.
 */
export function feather(mask: GreyRaster, sigma: number): Uint8Array<ArrayBuffer> {
  const { width, height } = mask;
  if (!(sigma > 0)) return new Uint8Array(mask.values);
  let field = Float32Array.from(mask.values);
  const pass = sigma <= DIRECT ? gaussianLine(sigma) : boxLine(sigma, 12);
  const line = new Float32Array(Math.max(width, height));
  for (let y = 0; y < height; y++) {
    const row = field.subarray(y * width, (y + 1) * width);
    pass(row, line);
    row.set(line.subarray(0, width));
  }
  // Turned by 90°, so that columns lie in memory as rows do.
  field = transpose(field, { width, height });
  for (let x = 0; x < width; x++) {
    const column = field.subarray(x * height, (x + 1) * height);
    pass(column, line);
    column.set(line.subarray(0, height));
  }
  field = transpose(field, { width: height, height: width });
  const found = new Uint8Array(width * height);
  for (let i = 0; i < found.length; i++) found[i] = Math.min(255, Math.max(0, Math.round(field[i]!)));
  return found;
}

function transpose(field: Float32Array, { width, height }: Size): Float32Array<ArrayBuffer> {
  const found = new Float32Array(field.length);
  const block = 32;
  for (let by = 0; by < height; by += block) {
    for (let bx = 0; bx < width; bx += block) {
      for (let y = by; y < Math.min(height, by + block); y++) {
        for (let x = bx; x < Math.min(width, bx + block); x++) found[x * height + y] = field[y * width + x]!;
      }
    }
  }
  return found;
}

type LinePass = (source: Float32Array, target: Float32Array) => void;

function gaussianLine(sigma: number): LinePass {
  const reach = Math.ceil(4 * sigma);
  const kernel = Float64Array.from({ length: 2 * reach + 1 }, (_, i) => Math.exp(-((i - reach) ** 2) / (2 * sigma * sigma)));
  const total = kernel.reduce((sum, value) => sum + value, 0);
  return (source, target) => {
    const n = source.length;
    const padded = padLine(source, reach);
    for (let x = 0; x < n; x++) {
      let sum = 0;
      for (let i = 0; i < kernel.length; i++) sum += kernel[i]! * padded[x + i]!;
      target[x] = sum / total;
    }
  };
}

function boxLine(sigma: number, passes: number): LinePass {
  const variance = (sigma * sigma) / passes;
  const reach = Math.floor((Math.sqrt(1 + 12 * variance) - 1) / 2);
  const span = 2 * reach + 1;
  // The outermost two samples weigh `edge`, so that the variance is met exactly.
  const edge = (span * (reach * (reach + 1) - 3 * variance)) / (6 * (variance - (reach + 1) ** 2));
  const weight = 1 / (span + 2 * edge);
  return (source, target) => {
    const n = source.length;
    const margin = (reach + 1) * passes;
    let now = padLine(source, margin);
    for (let pass = 0; pass < passes; pass++) {
      const next = new Float64Array(now.length - 2 * (reach + 1));
      let sum = 0;
      for (let i = 1; i <= span; i++) sum += now[i]!;
      for (let x = 0; x < next.length; x++) {
        next[x] = weight * (sum + edge * (now[x]! + now[x + span + 1]!));
        sum += now[x + span + 1]! - now[x + 1]!;
      }
      now = next;
    }
    for (let x = 0; x < n; x++) target[x] = now[x]!;
  };
}

function padLine(source: Float32Array, by: number): Float64Array {
  const n = source.length;
  const padded = new Float64Array(n + 2 * by);
  padded.fill(source[0]!, 0, by);
  padded.set(source, by);
  padded.fill(source[n - 1]!, n + by);
  return padded;
}

/** How far beyond the mask's support a change can write. */
export function reachOfChange(change: MaskChange): number {
  if (change.kind === "grow") return Math.ceil(change.radius) + 1;
  if (change.kind === "feather") return Math.ceil(change.sigma * (change.sigma <= DIRECT ? 4 : 6.2)) + 12;
  return 0;
}

export function applyChange(mask: GreyRaster, change: MaskChange): Uint8Array<ArrayBuffer> {
  switch (change.kind) {
    case "clear":
      return new Uint8Array(mask.values.length);
    case "all":
      return new Uint8Array(mask.values.length).fill(255);
    case "invert":
      return inverse(mask.values);
    case "grow":
      return grow(mask, change.radius);
    case "shrink":
      return shrink(mask, change.radius);
    case "feather":
      return feather(mask, change.sigma);
    case "threshold":
      return mask.values.map((value) => (value >= change.at ? 255 : 0));
  }
}
