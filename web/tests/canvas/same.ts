/** The first place where two rasters differ, or -1: comparing large arrays value by value in words takes seconds. */
export function firstDifference(one: Uint8Array, other: Uint8Array): number {
  if (one.length !== other.length) return Math.min(one.length, other.length);
  for (let i = 0; i < one.length; i++) if (one[i] !== other[i]) return i;
  return -1;
}
