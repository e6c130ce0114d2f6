/** Arithmetic of boxes and points. */

import type { Box, Point, Size } from "./types";

export const NOTHING: Box = { left: 0, top: 0, right: 0, bottom: 0 };

export const isEmpty = (box: Box): boolean => box.right <= box.left || box.bottom <= box.top;

export const boxOf = (size: Size): Box => ({ left: 0, top: 0, right: size.width, bottom: size.height });

export const widthOf = (box: Box): number => box.right - box.left;

export const heightOf = (box: Box): number => box.bottom - box.top;

export function intersect(one: Box, other: Box): Box {
  const left = Math.max(one.left, other.left);
  const top = Math.max(one.top, other.top);
  const right = Math.min(one.right, other.right);
  const bottom = Math.min(one.bottom, other.bottom);
  return right <= left || bottom <= top ? NOTHING : { left, top, right, bottom };
}

/** The smallest box with both; an empty box adds nothing. */
export function unite(one: Box, other: Box): Box {
  if (isEmpty(one)) return other;
  if (isEmpty(other)) return one;
  return {
    left: Math.min(one.left, other.left),
    top: Math.min(one.top, other.top),
    right: Math.max(one.right, other.right),
    bottom: Math.max(one.bottom, other.bottom),
  };
}

export const pad = (box: Box, by: number): Box => ({
  left: box.left - by,
  top: box.top - by,
  right: box.right + by,
  bottom: box.bottom + by,
});

export const shift = (box: Box, x: number, y: number): Box => ({
  left: box.left + x,
  top: box.top + y,
  right: box.right + x,
  bottom: box.bottom + y,
});

/** The smallest box of whole pixels around it. */
export const outward = (box: Box): Box => ({
  left: Math.floor(box.left),
  top: Math.floor(box.top),
  right: Math.ceil(box.right),
  bottom: Math.ceil(box.bottom),
});

export function around(points: readonly Point[]): Box {
  if (points.length === 0) return NOTHING;
  let [left, top, right, bottom] = [Infinity, Infinity, -Infinity, -Infinity];
  for (const { x, y } of points) {
    left = Math.min(left, x);
    top = Math.min(top, y);
    right = Math.max(right, x);
    bottom = Math.max(bottom, y);
  }
  return { left, top, right, bottom };
}

export const cornersOf = (box: Box): Point[] => [
  { x: box.left, y: box.top },
  { x: box.right, y: box.top },
  { x: box.right, y: box.bottom },
  { x: box.left, y: box.bottom },
];

export const clamp = (value: number, low: number, high: number): number => Math.min(high, Math.max(low, value));

export const sameSize = (one: Size | null, other: Size | null): boolean =>
  one !== null && other !== null && one.width === other.width && one.height === other.height;
