/** Flood fills, by scan lines. */

import type { GreyRaster, Point, Size } from "./types";

/**
 * Marks with 255 every pixel that `passes` and that is joined to the seed by sides.
 * Each run is filled whole, then the rows above and below it are searched (Smith, "Tint fill", 1979).
 */
export function flood(size: Size, seed: Point, passes: (at: number) => boolean): Uint8Array<ArrayBuffer> {
  const { width, height } = size;
  const found = new Uint8Array(width * height);
  const [sx, sy] = [Math.floor(seed.x), Math.floor(seed.y)];
  if (sx < 0 || sy < 0 || sx >= width || sy >= height || !passes(sy * width + sx)) return found;
  const stack = [sx, sy];
  while (stack.length) {
    const y = stack.pop()!;
    const x = stack.pop()!;
    const start = y * width;
    if (found[start + x]) continue;
    let left = x;
    while (left > 0 && !found[start + left - 1] && passes(start + left - 1)) left--;
    let right = x + 1;
    while (right < width && !found[start + right] && passes(start + right)) right++;
    found.fill(255, start + left, start + right);
    for (const next of [y - 1, y + 1]) {
      if (next < 0 || next >= height) continue;
      let inside = false;
      for (let i = left; i < right; i++) {
        const at = next * width + i;
        const open = !found[at] && passes(at);
        if (open && !inside) stack.push(i, next);
        inside = open;
      }
    }
  }
  return found;
}

/**
 * The area up to painted borders: pixels below 128 around the seed, and from there uphill to the ridge of the border, so that no ring of
 * half values stays between fill and a soft border.
 */
export function fillMask(mask: GreyRaster, seed: Point): Uint8Array<ArrayBuffer> {
  const { width, height, values } = mask;
  const found = flood(mask, seed, (at) => values[at]! < 128);
  const front: number[] = [];
  const climb = (from: number, at: number): void => {
    if (found[at] || values[at]! < 128 || values[at]! < values[from]! || (values[from] === values[at] && values[from]! >= 128)) return;
    found[at] = 255;
    if (values[at]! < 255) front.push(at);
  };
  const around = (at: number): void => {
    const x = at % width;
    if (x > 0) climb(at, at - 1);
    if (x < width - 1) climb(at, at + 1);
    if (at >= width) climb(at, at - width);
    if (at < width * (height - 1)) climb(at, at + width);
  };
  for (let at = 0; at < found.length; at++) if (found[at] && values[at]! < 128) around(at);
  while (front.length) around(front.pop()!);
  return found;
}

/** Pixels whose red, green and blue differ from the seed's by at most `tolerance`; `pixels` is RGBA. */
export function fillColour(pixels: Uint8ClampedArray | Uint8Array, size: Size, seed: Point, tolerance: number, connected: boolean): Uint8Array<ArrayBuffer> {
  const at = (Math.floor(seed.y) * size.width + Math.floor(seed.x)) * 4;
  const [red, green, blue] = [pixels[at] ?? 0, pixels[at + 1] ?? 0, pixels[at + 2] ?? 0];
  const like = (index: number): boolean => {
    const i = index * 4;
    return (
      Math.abs(pixels[i]! - red) <= tolerance &&
      Math.abs(pixels[i + 1]! - green) <= tolerance &&
      Math.abs(pixels[i + 2]! - blue) <= tolerance
    );
  };
  if (connected) return flood(size, seed, like);
  const found = new Uint8Array(size.width * size.height);
  for (let i = 0; i < found.length; i++) if (like(i)) found[i] = 255;
  return found;
}
