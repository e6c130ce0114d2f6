import fc from "fast-check";
import { describe, expect, test } from "vitest";

import { feather, grow, shrink } from "../../src/canvas/morphology";
import type { GreyRaster } from "../../src/canvas/types";

/** Hard, antialiased and soft masks. */
const mask = fc
  .record({ width: fc.integer({ min: 1, max: 40 }), height: fc.integer({ min: 1, max: 30 }), kind: fc.constantFrom("hard", "mixed", "soft") })
  .chain(({ width, height, kind }) => {
    const value =
      kind === "soft"
        ? fc.nat(255)
        : fc.oneof(
            { weight: 30, arbitrary: fc.constant(0) },
            { weight: 3, arbitrary: fc.constant(255) },
            { weight: kind === "hard" ? 0 : 1, arbitrary: fc.nat(255) },
          );
    return fc.array(value, { minLength: width * height, maxLength: width * height }).map(
      (values): GreyRaster => ({ width, height, values: Uint8Array.from(values) }),
    );
  });

function byDefinition({ width, height, values }: GreyRaster, radius: number, pick: (a: number, b: number) => number): Uint8Array {
  const reach = Math.ceil(radius);
  return values.map((own, i) => {
    const [x, y] = [i % width, Math.floor(i / width)];
    let found = own;
    for (let dy = -reach; dy <= reach; dy++) {
      for (let dx = -reach; dx <= reach; dx++) {
        if (dx * dx + dy * dy > radius * radius || x + dx < 0 || x + dx >= width || y + dy < 0 || y + dy >= height) continue;
        found = pick(found, values[(y + dy) * width + x + dx]!);
      }
    }
    return found;
  });
}

const radius = fc.oneof(fc.integer({ min: 1, max: 9 }), fc.double({ min: 0.5, max: 9, noNaN: true }));

describe("grow and shrink", () => {
  test("grow is the largest value within the disc", () => {
    fc.assert(fc.property(mask, radius, (one, r) => void expect(grow(one, r)).toEqual(byDefinition(one, r, Math.max))), { numRuns: 60 });
  });

  test("shrink is the smallest value within the disc, and nothing shrinks from the picture's edge", () => {
    fc.assert(fc.property(mask, radius, (one, r) => void expect(shrink(one, r)).toEqual(byDefinition(one, r, Math.min))), { numRuns: 60 });
    const full = { width: 8, height: 5, values: new Uint8Array(40).fill(255) };
    expect(shrink(full, 3)).toEqual(full.values);
  });
});

function gaussian({ width, height, values }: GreyRaster, sigma: number): Float64Array {
  const reach = Math.ceil(5 * sigma);
  const weights = Array.from({ length: 2 * reach + 1 }, (_, i) => Math.exp(-((i - reach) ** 2) / (2 * sigma ** 2)));
  const total = weights.reduce((a, b) => a + b, 0);
  const along = (source: ArrayLike<number>, step: (x: number, y: number, d: number) => number): Float64Array =>
    Float64Array.from({ length: width * height }, (_, i) =>
      weights.reduce((sum, weight, k) => sum + weight * source[step(i % width, Math.floor(i / width), k - reach)]!, 0) / total,
    );
  const hold = (v: number, most: number): number => Math.min(most, Math.max(0, v));
  const rows = along(values, (x, y, d) => y * width + hold(x + d, width - 1));
  return along(rows, (x, y, d) => hold(y + d, height - 1) * width + x);
}

describe("feather", () => {
  for (const sigma of [0.7, 2, 9, 16, 17, 40]) {
    test(`is a Gaussian of sigma ${sigma}, within 2 of 255`, () => {
      const [width, height] = [120, 90];
      const values = Uint8Array.from({ length: width * height }, (_, i) => {
        const [x, y] = [i % width, Math.floor(i / width)];
        return (x > 30 && x < 80 && y > 20 && y < 50) || (x + y) % 37 === 0 || y < 4 ? 255 : 0;
      });
      const found = feather({ width, height, values }, sigma);
      const wanted = gaussian({ width, height, values }, sigma);
      const off = found.reduce((most, value, i) => Math.max(most, Math.abs(value - wanted[i]!)), 0);
      expect(off).toBeLessThanOrEqual(sigma <= 16 ? 0.6 : 2);
    });
  }

  test("what is 0 or 255 all over stays so", () => {
    for (const value of [0, 255]) {
      const flat = { width: 31, height: 17, values: new Uint8Array(31 * 17).fill(value) };
      expect(feather(flat, 12)).toEqual(flat.values);
    }
  });
});
