import fc from "fast-check";
import { expect, test } from "vitest";

import { joinEdges } from "../../src/canvas/contour";
import { reduced } from "../../src/canvas/overlay";
import { SIDE } from "../../src/canvas/tiles";

test("a reduced tile is the mean of its blocks, rounded", () => {
  const tile = new Uint8Array(SIDE * SIDE);
  for (let i = 0; i < tile.length; i++) tile[i] = (i * 2654435761) >>> 24;
  tile.fill(255, 0, 20 * SIDE);
  for (const level of [1, 2, 3, 4]) {
    const [by, side] = [1 << level, SIDE >> level];
    const found = reduced(tile, level);
    for (let k = 0; k < 400; k++) {
      const [x, y] = [(k * 37) % side, (k * 11) % side];
      let sum = 0;
      for (let i = 0; i < by * by; i++) sum += tile[(y * by + Math.floor(i / by)) * SIDE + x * by + (i % by)]!;
      expect(found[y * side + x]).toBe(Math.floor(sum / (by * by) + 0.5));
    }
  }
});

test("edges that meet become lines, and none is lost or used twice", () => {
  const edge = fc.record({ x: fc.nat(6), y: fc.nat(6), upright: fc.boolean() });
  fc.assert(
    fc.property(fc.uniqueArray(edge, { selector: ({ x, y, upright }) => `${x} ${y} ${upright}` }), (edges) => {
      const name = (a: number, b: number, c: number, d: number): string => [`${a},${b}`, `${c},${d}`].sort().join("-");
      const given = edges.map(({ x, y, upright }) => [x, y, upright ? x : x + 1, upright ? y + 1 : y] as const);
      const found: string[] = [];
      for (const line of joinEdges(given.flat(), 8)) {
        for (let i = 0; i + 3 < line.length; i += 2) found.push(name(line[i]!, line[i + 1]!, line[i + 2]!, line[i + 3]!));
      }
      expect(found.sort()).toEqual(given.map((one) => name(...one)).sort());
    }),
  );
  expect(joinEdges([0, 0, 1, 0, 1, 0, 1, 1, 0, 1, 1, 1, 0, 0, 0, 1], 8)).toHaveLength(1);
});
