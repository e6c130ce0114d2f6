import fc from "fast-check";
import { describe, expect, test } from "vitest";

import { eraseInk, paintInk, paintSegment, sketchInk, type Sample } from "../../src/canvas/brush";
import { History } from "../../src/canvas/history";
import { join, coverPolygon } from "../../src/canvas/shapes";
import { TileRaster, type TileDiff } from "../../src/canvas/tiles";
import type { Box } from "../../src/canvas/types";
import { firstDifference } from "./same";

const PICTURE: Box = { left: 0, top: 0, right: 600, bottom: 500 };
const sample = fc.record({
  x: fc.double({ min: -50, max: 650, noNaN: true }),
  y: fc.double({ min: -50, max: 550, noNaN: true }),
  radius: fc.double({ min: 0.5, max: 80, noNaN: true }),
  peak: fc.double({ min: 0, max: 1, noNaN: true }),
});
const stroke = fc.record({
  from: sample,
  to: sample,
  hardness: fc.double({ min: 0, max: 1, noNaN: true }),
  what: fc.constantFrom("paint", "erase", "area"),
});

function change(raster: TileRaster, { from, to, hardness, what }: { from: Sample; to: Sample; hardness: number; what: string }): TileDiff | null {
  raster.begin();
  if (what === "area") {
    const corners = [from, { x: to.x, y: from.y }, to];
    join(raster, coverPolygon(raster, corners, PICTURE), hardness > 0.5 ? "add" : "intersect");
  } else paintSegment(raster, from, to, hardness, PICTURE, what === "paint" ? paintInk : eraseInk);
  return raster.commit();
}

describe("a raster in tiles", () => {
  test("undo gives exactly what was there before each stroke, redo what was there after", () => {
    fc.assert(
      fc.property(fc.array(stroke, { minLength: 1, maxLength: 6 }), fc.integer({ min: -700, max: 700 }), (strokes, origin) => {
        const raster = new TileRaster(1);
        raster.origin = { x: origin, y: -origin };
        const states = [raster.read(PICTURE)];
        const diffs = strokes.map((one) => {
          const diff = change(raster, one);
          states.push(raster.read(PICTURE));
          return diff;
        });
        for (let i = diffs.length - 1; i >= 0; i--) {
          if (diffs[i]) raster.show(diffs[i]!, "before");
          expect(firstDifference(raster.read(PICTURE), states[i]!)).toBe(-1);
        }
        diffs.forEach((diff, i) => {
          if (diff) raster.show(diff, "after");
          expect(firstDifference(raster.read(PICTURE), states[i + 1]!)).toBe(-1);
        });
      }),
      { numRuns: 25 },
    );
  });

  test("writing what was read changes nothing and keeps no memory", () => {
    const raster = new TileRaster(1);
    change(raster, { from: { x: 30, y: 40, radius: 60, peak: 1 }, to: { x: 400, y: 300, radius: 20, peak: 0.5 }, hardness: 0.3, what: "paint" });
    const bytes = raster.bytes;
    raster.begin();
    raster.write(PICTURE, raster.read(PICTURE));
    expect(raster.commit()).toBeNull();
    expect(raster.bytes).toBe(bytes);
  });

  test("a cancelled change leaves everything as it was", () => {
    const raster = new TileRaster(1);
    change(raster, { from: { x: 30, y: 40, radius: 60, peak: 1 }, to: { x: 400, y: 300, radius: 60, peak: 1 }, hardness: 1, what: "paint" });
    const before = raster.read(PICTURE);
    raster.begin();
    paintSegment(raster, { x: 100, y: 100, radius: 90, peak: 1 }, { x: 500, y: 100, radius: 90, peak: 1 }, 0.5, PICTURE, eraseInk);
    raster.rollback();
    expect(firstDifference(raster.read(PICTURE), before)).toBe(-1);
  });

  test("full and empty tiles cost nothing", () => {
    const raster = new TileRaster(1);
    raster.begin();
    raster.write({ left: 0, top: 0, right: 512, bottom: 512 }, new Uint8Array(512 * 512).fill(255));
    raster.commit();
    expect(raster.bytes).toBe(0);
    expect(raster.read({ left: 511, top: 511, right: 513, bottom: 512 })).toEqual(Uint8Array.of(255, 0));
  });

  test("bounds are those of a search over all values", () => {
    fc.assert(
      fc.property(fc.array(stroke, { minLength: 1, maxLength: 3 }), (strokes) => {
        const raster = new TileRaster(1);
        for (const one of strokes) change(raster, one);
        const values = raster.read(PICTURE);
        const [xs, ys] = [new Set<number>(), new Set<number>()];
        values.forEach((value, i) => {
          if (value) xs.add(i % 600).size, ys.add(Math.floor(i / 600));
        });
        const found = raster.bounds(PICTURE);
        if (xs.size === 0) expect(found.right).toBe(found.left);
        else expect(found).toEqual({ left: Math.min(...xs), top: Math.min(...ys), right: Math.max(...xs) + 1, bottom: Math.max(...ys) + 1 });
      }),
      { numRuns: 15 },
    );
  });

  test("a picture that grows at its left keeps each value in its place", () => {
    const raster = new TileRaster(1);
    change(raster, { from: { x: 10, y: 12, radius: 9, peak: 1 }, to: { x: 80, y: 60, radius: 9, peak: 1 }, hardness: 1, what: "paint" });
    const before = raster.read({ left: 0, top: 0, right: 100, bottom: 100 });
    raster.origin = { x: -37, y: -11 };
    expect(raster.read({ left: 37, top: 11, right: 137, bottom: 111 })).toEqual(before);
  });
});

describe("history", () => {
  test("holds its budget, but never loses the newest step", () => {
    const history = new History(100, () => undefined);
    const nothing = (): void => undefined;
    for (let i = 0; i < 5; i++) history.push({ label: `step ${i}`, undo: nothing, redo: nothing, bytes: 40 });
    expect(history.state).toEqual({ undo: "step 4", redo: null, bytes: 80 });
    history.push({ label: "large", undo: nothing, redo: nothing, bytes: 1000 });
    expect(history.state.undo).toBe("large");
  });

  test("a step that fails stays, and is tried again", async () => {
    const history = new History(100, () => undefined);
    let fails = true;
    const undo = (): void => {
      if (fails) throw new Error("no connection");
    };
    history.push({ label: "edit", undo, redo: () => undefined });
    await expect(history.undo()).rejects.toThrow("no connection");
    expect(history.state.undo).toBe("edit");
    fails = false;
    expect(await history.undo()).toBe(true);
    expect(history.state).toEqual({ undo: null, redo: "edit", bytes: 0 });
    expect(await history.undo()).toBe(false);
  });
});

describe("the sketch's ink", () => {
  const box = { left: 0, top: 0, right: 64, bottom: 64 };
  const dab = { x: 32, y: 32, radius: 20, peak: 0.5 };
  const red = { red: 200, green: 10, blue: 30, alpha: 255 };

  test("a stroke that crosses itself is no darker there", () => {
    const raster = new TileRaster(4);
    raster.begin();
    const ink = sketchInk(raster, red);
    paintSegment(raster, dab, dab, 1, box, ink);
    paintSegment(raster, dab, dab, 1, box, ink);
    raster.commit();
    expect([...raster.read({ left: 32, top: 32, right: 33, bottom: 33 })]).toEqual([200, 10, 30, 128]);
  });

  test("a second stroke covers more, and the eraser takes it all", () => {
    const raster = new TileRaster(4);
    for (let i = 0; i < 2; i++) {
      raster.begin();
      paintSegment(raster, dab, dab, 1, box, sketchInk(raster, red));
      raster.commit();
    }
    expect(raster.read({ left: 32, top: 32, right: 33, bottom: 33 })[3]).toBe(192);
    raster.begin();
    paintSegment(raster, { ...dab, radius: 60, peak: 1 }, { ...dab, radius: 60, peak: 1 }, 1, box, sketchInk(raster, null));
    raster.commit();
    expect(raster.tiles.size).toBe(0);
  });
});

describe("history beside steps that take time", () => {
  const slow = (): { step: { label: string; undo(): Promise<void>; redo(): Promise<void> }; go(): void } => {
    let go: () => void = () => undefined;
    const wait = (): Promise<void> => new Promise((resolve) => void (go = resolve));
    return { step: { label: "edit", undo: wait, redo: wait }, go: () => go() };
  };
  const stroke = { label: "stroke", undo: (): void => undefined, redo: (): void => undefined };

  test("a stroke painted while an edit is undone is the newest step, and the edit is not undone twice", async () => {
    const history = new History(100, () => undefined);
    const { step, go } = slow();
    history.push(step);
    const undone = history.undo();
    await Promise.resolve();
    history.push(stroke);
    go();
    await undone;
    expect(history.state).toEqual({ undo: "stroke", redo: null, bytes: 0 });
    await history.undo();
    expect(history.state).toEqual({ undo: null, redo: "stroke", bytes: 0 });
  });

  test("a stroke painted while an edit is redone comes after the edit", async () => {
    const history = new History(100, () => undefined);
    const { step, go } = slow();
    history.push(step);
    const undone = history.undo();
    await Promise.resolve();
    go();
    await undone;
    const redone = history.redo();
    await Promise.resolve();
    history.push(stroke);
    go();
    await redone;
    expect(history.state.undo).toBe("stroke");
    await history.undo();
    expect(history.state.undo).toBe("edit");
  });
});
