import fc from "fast-check";
import { describe, expect, test } from "vitest";

import { fillColour, fillMask, flood } from "../../src/canvas/fill";
import { coverPolygon, ellipse, join } from "../../src/canvas/shapes";
import { SIDE, TileRaster } from "../../src/canvas/tiles";
import type { Combine, Point } from "../../src/canvas/types";
import { firstDifference } from "./same";

const CLIP = { left: 0, top: 0, right: 330, bottom: 290 };

function draw(points: readonly Point[], combine: Combine = "add", raster = new TileRaster(1)): TileRaster {
  raster.begin();
  join(raster, coverPolygon(raster, points, CLIP), combine);
  raster.commit();
  return raster;
}

const rectangle = (left: number, top: number, right: number, bottom: number): Point[] => [
  { x: left, y: top },
  { x: right, y: top },
  { x: right, y: bottom },
  { x: left, y: bottom },
];

/** Non-zero winding at a point. */
function winding(points: readonly Point[], x: number, y: number): number {
  let count = 0;
  points.forEach((a, i) => {
    const b = points[(i + 1) % points.length]!;
    if (a.y <= y === b.y <= y) return;
    if (a.x + ((y - a.y) / (b.y - a.y)) * (b.x - a.x) > x) count += a.y < b.y ? 1 : -1;
  });
  return count;
}

describe("areas", () => {
  test("a rectangle on whole pixels is exact", () => {
    fc.assert(
      fc.property(fc.nat(320), fc.nat(280), fc.integer({ min: 1, max: 330 }), fc.integer({ min: 1, max: 290 }), (left, top, width, height) => {
        const values = draw(rectangle(left, top, left + width, top + height)).read(CLIP);
        for (let i = 0; i < values.length; i++) {
          const [x, y] = [i % 330, Math.floor(i / 330)];
          const inside = x >= left && x < left + width && y >= top && y < top + height;
          if (values[i] !== (inside ? 255 : 0)) expect.fail(`${x}, ${y}: ${values[i]}`);
        }
      }),
      { numRuns: 20 },
    );
  });

  test("a triangle covers each pixel by its area (against 16 x 16 samples)", () => {
    const point = fc.record({ x: fc.double({ min: -40, max: 370, noNaN: true }), y: fc.double({ min: -40, max: 330, noNaN: true }) });
    fc.assert(
      fc.property(point, point, point, (a, b, c) => {
        const values = draw([a, b, c]).read(CLIP);
        for (let k = 0; k < 150; k++) {
          const [px, py] = [(k * 97) % 330, (k * 61) % 290];
          let hits = 0;
          for (let s = 0; s < 256; s++) if (winding([a, b, c], px + ((s % 16) + 0.5) / 16, py + (Math.floor(s / 16) + 0.5) / 16)) hits++;
          expect(Math.abs(values[py * 330 + px]! - (hits * 255) / 256)).toBeLessThan(20);
        }
      }),
      { numRuns: 20 },
    );
  });

  test("a lasso that crosses itself keeps both of its loops", () => {
    const values = draw([{ x: 10, y: 10 }, { x: 200, y: 200 }, { x: 200, y: 10 }, { x: 10, y: 200 }]).read(CLIP);
    expect(values[100 * 330 + 30]).toBe(255);
    expect(values[100 * 330 + 180]).toBe(255);
    expect(values[30 * 330 + 105]).toBe(0);
  });

  test("an ellipse has its area", () => {
    const values = draw(ellipse({ left: 10, top: 20, right: 310, bottom: 220 })).read(CLIP);
    const area = values.reduce((sum, value) => sum + value, 0) / 255;
    expect(Math.abs(area - Math.PI * 150 * 100)).toBeLessThan(15);
  });

  test("tiles inside of a large area cost no memory", () => {
    expect(draw(rectangle(0, 0, 256, 256)).bytes).toBe(0);
    expect(draw(rectangle(0, 0, 330, 290)).bytes).toBe(3 * SIDE * SIDE);
  });

  test("add, subtract, intersect and replace are the maximum, the rest, the minimum, the area alone", () => {
    const [one, two] = [rectangle(10.5, 10, 280, 200), rectangle(100, 50.25, 320, 270)];
    const [a, b] = [draw(one).read(CLIP), draw(two).read(CLIP)];
    const wanted: Record<Combine, (x: number, y: number) => number> = {
      add: Math.max,
      subtract: (x, y) => Math.min(x, 255 - y),
      intersect: Math.min,
      replace: (_, y) => y,
    };
    for (const combine of ["add", "subtract", "intersect", "replace"] as const) {
      const found = draw(two, combine, draw(one)).read(CLIP);
      expect(firstDifference(found, a.map((x, i) => wanted[combine](x, b[i]!)))).toBe(-1);
    }
  });
});

describe("fills", () => {
  const size = { width: 23, height: 17 };

  test("a flood reaches exactly the pixels that a search by sides reaches", () => {
    fc.assert(
      fc.property(fc.array(fc.boolean(), { minLength: 391, maxLength: 391 }), fc.nat(390), (open, seed) => {
        const at = { x: seed % 23, y: Math.floor(seed / 23) };
        const found = flood(size, at, (i) => open[i]!);
        const wanted = new Uint8Array(391);
        const stack = open[seed] ? [seed] : [];
        while (stack.length) {
          const i = stack.pop()!;
          if (wanted[i]) continue;
          wanted[i] = 255;
          for (const next of [i % 23 ? i - 1 : -1, i % 23 < 22 ? i + 1 : -1, i - 23, i + 23]) if (open[next]) stack.push(next);
        }
        expect(found).toEqual(wanted);
      }),
    );
  });

  test("a fill up to a soft border leaves no ring, and does not leak", () => {
    const ramp = [0, 30, 90, 150, 220, 255, 255, 220, 150, 90, 30, 0];
    const values = Uint8Array.from({ length: 12 * 3 }, (_, i) => ramp[i % 12]!);
    const found = fillMask({ width: 12, height: 3, values }, { x: 0, y: 1 });
    expect([...found.subarray(12, 24)]).toEqual([255, 255, 255, 255, 255, 255, 0, 0, 0, 0, 0, 0]);
  });

  test("like colours: joined ones only, or all", () => {
    const pixels = new Uint8ClampedArray([10, 10, 10, 255, 14, 10, 10, 255, 200, 10, 10, 255, 12, 10, 10, 255]);
    const row = { width: 4, height: 1 };
    expect([...fillColour(pixels, row, { x: 0, y: 0 }, 4, true)]).toEqual([255, 255, 0, 0]);
    expect([...fillColour(pixels, row, { x: 0, y: 0 }, 4, false)]).toEqual([255, 255, 0, 255]);
    expect([...fillColour(pixels, row, { x: 0, y: 0 }, 3, false)]).toEqual([255, 0, 0, 255]);
  });
});
