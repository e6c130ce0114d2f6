import fc from "fast-check";
import { describe, expect, test } from "vitest";

import { Viewport } from "../../src/canvas/view";

const number = (min: number, max: number): fc.Arbitrary<number> => fc.double({ min, max, noNaN: true });

function viewport(zoom: number, ratio: number): Viewport {
  const found = new Viewport();
  found.picture = { width: 4000, height: 3000 };
  found.resize({ width: 1000, height: 700 }, ratio);
  found.zoomTo(zoom);
  return found;
}

describe("the view", () => {
  test("to the screen and back is the same place, at every zoom and density", () => {
    fc.assert(
      fc.property(number(0.1, 8), fc.constantFrom(1, 1.25, 1.5, 2, 3), number(0, 1000), number(0, 700), (zoom, ratio, x, y) => {
        const one = viewport(zoom, ratio);
        const back = one.toScreen(one.toPicture({ x, y }));
        expect(back.x).toBeCloseTo(x, 6);
        expect(back.y).toBeCloseTo(y, 6);
      }),
    );
  });

  test("zooming keeps the point under the pointer, to a device pixel", () => {
    fc.assert(
      fc.property(number(0.2, 8), number(0.2, 8), number(200, 800), number(150, 550), (from, to, x, y) => {
        const one = viewport(from, 2);
        const under = one.toPicture({ x, y });
        fc.pre(under.x > 0 && under.y > 0 && under.x < 4000 && under.y < 3000);
        const centre = { ...one.centre };
        one.zoomTo(to, { x, y });
        const inside = one.centre.x > 0 && one.centre.x < 4000 && one.centre.y > 0 && one.centre.y < 3000;
        fc.pre(inside && centre.x > 0);
        const now = one.toScreen(under);
        expect(Math.abs(now.x - x)).toBeLessThanOrEqual(1.01);
        expect(Math.abs(now.y - y)).toBeLessThanOrEqual(1.01);
      }),
    );
  });

  test("100 % is one picture pixel on one pixel of the screen, on whole pixels", () => {
    for (const ratio of [1, 1.5, 2]) {
      const one = viewport(1, ratio);
      expect(one.toDevice({ left: 100, top: 50, right: 101, bottom: 51 })).toMatchObject({ right: one.toDevice({ left: 100, top: 50, right: 101, bottom: 51 }).left + 1 });
      expect(one.scale).toBeCloseTo(1 / ratio);
    }
  });

  test("zoom keeps to 0.1 and 8; a fitted picture shows whole, and again after a resize", () => {
    const one = viewport(100, 1);
    expect(one.zoom).toBe(8);
    one.zoomTo(0.0001);
    expect(one.zoom).toBe(0.1);
    one.fit();
    one.resize({ width: 300, height: 900 }, 2);
    expect(one.fitted).toBe(true);
    expect(one.toScreen({ x: 0, y: 0 }).x).toBeGreaterThanOrEqual(0);
    expect(one.toScreen({ x: 4000, y: 0 }).x).toBeLessThanOrEqual(300);
  });

  test("a resize keeps the middle and the size on the screen; another density too", () => {
    const one = viewport(1.3, 1);
    const { centre } = one;
    one.resize({ width: 640, height: 480 }, 2);
    expect(one.centre).toEqual(centre);
    expect(one.scale).toBeCloseTo(1.3);
  });
});
