import fc from "fast-check";
import { describe, expect, test } from "vitest";

import { curve, paintInk, paintSegment, segmentBox, type Sample } from "../../src/canvas/brush";
import { TileRaster } from "../../src/canvas/tiles";

const CLIP = { left: 0, top: 0, right: 300, bottom: 280 };
const number = (min: number, max: number): fc.Arbitrary<number> => fc.double({ min, max, noNaN: true });
const sample = fc.record({ x: number(-20, 320), y: number(-20, 300), radius: number(0.5, 40), peak: fc.constant(1) });

function paint(from: Sample, to: Sample, hardness: number): Uint8Array {
  const raster = new TileRaster(1);
  raster.begin();
  paintSegment(raster, from, to, hardness, CLIP, paintInk);
  raster.commit();
  return raster.read(CLIP);
}

/** The definition, pixel by pixel. */
function slowly(from: Sample, to: Sample, hardness: number): Uint8Array {
  const values = new Uint8Array(300 * 280);
  const [dx, dy] = [to.x - from.x, to.y - from.y];
  const length2 = dx * dx + dy * dy;
  for (let i = 0; i < values.length; i++) {
    const [x, y] = [(i % 300) + 0.5 - from.x, Math.floor(i / 300) + 0.5 - from.y];
    const u = length2 ? Math.min(1, Math.max(0, (x * dx + y * dy) / length2)) : 0;
    const radius = from.radius + u * (to.radius - from.radius);
    const middle = Math.max(0, radius * hardness - 0.5);
    const t = (Math.hypot(x - u * dx, y - u * dy) - middle) / (radius + 0.5 - middle);
    const s = Math.min(1, Math.max(0, t));
    values[i] = Math.round(255 * (1 - s * s * (3 - 2 * s)));
  }
  return values;
}

const largestDifference = (one: Uint8Array, other: Uint8Array): number => one.reduce((most, value, i) => Math.max(most, Math.abs(value - other[i]!)), 0);

describe("a brush's segment", () => {
  test("is its definition on every pixel, whatever sizes, tiles and borders", () => {
    fc.assert(
      fc.property(sample, sample, number(0, 1), fc.boolean(), (from, other, hardness, same) => {
        const to = same ? { ...other, radius: from.radius } : other;
        expect(largestDifference(paint(from, to, hardness), slowly(from, to, hardness))).toBeLessThanOrEqual(2);
      }),
      { numRuns: 30 },
    );
  });

  test("a brush of one pixel on a pixel's middle paints that pixel alone", () => {
    const at = { x: 50.5, y: 60.5, radius: 0.5, peak: 1 };
    const values = paint(at, at, 1);
    expect(values[60 * 300 + 50]).toBe(255);
    expect(values.reduce((sum, value) => sum + value, 0)).toBe(255);
  });

  test("a hard brush is solid inside of its radius and empty outside", () => {
    const at = { x: 100, y: 100, radius: 30, peak: 1 };
    const values = paint(at, at, 1);
    for (let i = 0; i < values.length; i++) {
      const distance = Math.hypot((i % 300) + 0.5 - 100, Math.floor(i / 300) + 0.5 - 100);
      const wrong = (distance <= 29.5 && values[i] !== 255) || (distance >= 30.5 && values[i] !== 0);
      if (wrong) expect.fail(`${values[i]} at ${distance} px from the middle`);
    }
  });

  test("nothing is painted beyond the picture", () => {
    const raster = new TileRaster(1);
    raster.begin();
    const at = { x: 0, y: 0, radius: 50, peak: 1 };
    paintSegment(raster, at, at, 1, CLIP, paintInk);
    raster.commit();
    expect(raster.bounds({ left: -300, top: -300, right: 600, bottom: 600 })).toEqual({ left: 0, top: 0, right: 50, bottom: 50 });
    expect(segmentBox(at, at)).toEqual({ left: -51, top: -51, right: 51, bottom: 51 });
  });
});

describe("the curve through samples", () => {
  const point = (x: number, y: number): Sample => ({ x, y, radius: 5, peak: 1 });

  test("ends at the newest sample at once", () => {
    fc.assert(fc.property(sample, sample, sample, (a, b, c) => void expect(curve(a, b, c).at(-1)).toEqual(c)));
  });

  test("straight motion stays straight, and a sharp turn a corner", () => {
    for (const { y } of curve(point(0, 7), point(50, 7), point(200, 7))) expect(y).toBeCloseTo(7, 9);
    expect(curve(point(0, 0), point(100, 0), point(20, 10))).toHaveLength(1);
  });

  test("a quick circle is rounder than its chords", () => {
    const at = (i: number): Sample => point(100 * Math.cos(i / 2), 100 * Math.sin(i / 2));
    const off = Math.max(...curve(at(0), at(1), at(2)).map(({ x, y }) => Math.abs(Math.hypot(x, y) - 100)));
    expect(off).toBeLessThan(2.2); // The chord's middle is 3.1 off.
  });
});
