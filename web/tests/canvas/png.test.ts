import fc from "fast-check";
import { describe, expect, test } from "vitest";

import { decodePng, encodePng, PngError, toGrey, toRgba } from "../../src/canvas/png";

const values = (channels: 1 | 4): fc.Arbitrary<{ width: number; height: number; values: Uint8Array }> =>
  fc
    .record({ width: fc.integer({ min: 1, max: 30 }), height: fc.integer({ min: 1, max: 20 }) })
    .chain((size) =>
      fc
        .uint8Array({ minLength: size.width * size.height * channels, maxLength: size.width * size.height * channels })
        .map((found) => ({ ...size, values: new Uint8Array(found) })),
    );

/** A file of other kinds; `rows` begin with their filters. Checksums are left at 0: they are not looked at. */
async function file(width: number, height: number, depth: number, type: number, rows: number[], extra: [string, number[]][] = []): Promise<Uint8Array> {
  const number = (value: number): number[] => [value >>> 24, (value >>> 16) & 255, (value >>> 8) & 255, value & 255];
  const chunk = (name: string, data: number[]): number[] => [...number(data.length), ...[...name].map((c) => c.charCodeAt(0)), ...data, 0, 0, 0, 0];
  const packed = new Blob([Uint8Array.from(rows)]).stream().pipeThrough(new CompressionStream("deflate"));
  return Uint8Array.from([
    ...[137, 80, 78, 71, 13, 10, 26, 10],
    ...chunk("IHDR", [...number(width), ...number(height), depth, type, 0, 0, 0]),
    ...extra.flatMap(([name, data]) => chunk(name, data)),
    ...chunk("IDAT", [...new Uint8Array(await new Response(packed).arrayBuffer())]),
    ...chunk("IEND", []),
  ]);
}

describe("PNG", () => {
  test("grey values come back exactly", async () => {
    await fc.assert(
      fc.asyncProperty(values(1), async (one) => {
        const found = await decodePng(await encodePng(one, 1, one.values));
        expect(found).toEqual({ ...one, channels: 1 });
      }),
      { numRuns: 40 },
    );
  });

  test("colours under little alpha come back exactly", async () => {
    await fc.assert(
      fc.asyncProperty(values(4), async (one) => {
        const found = await decodePng(await encodePng(one, 4, one.values));
        expect(found).toEqual({ ...one, channels: 4 });
      }),
      { numRuns: 40 },
    );
  });

  test("all filters of rows, by hand", async () => {
    // prettier-ignore
    const rows = [
      0, 10, 20, 30,
      1, 5, 5, 5,      // left: 5 10 15
      2, 1, 1, 1,      // up: 6 11 16
      3, 10, 10, 10,   // average: 13 22 29
      4, 1, 2, 3,      // Paeth: 14 24 32
    ];
    const found = await decodePng(await file(3, 5, 8, 0, rows));
    expect([...found.values]).toEqual([10, 20, 30, 5, 10, 15, 6, 11, 16, 13, 22, 29, 14, 24, 32]);
  });

  test("1 bit, 16 bits and palettes", async () => {
    expect([...(await decodePng(await file(4, 1, 1, 0, [0, 0b10110000]))).values]).toEqual([255, 0, 255, 255]);
    expect([...(await decodePng(await file(2, 1, 16, 0, [0, 200, 7, 3, 255]))).values]).toEqual([200, 3]);
    const palette: [string, number[]] = ["PLTE", [1, 2, 3, 40, 50, 60]];
    const found = await decodePng(await file(2, 1, 2, 3, [0, 0b01000000], [palette, ["tRNS", [9]]]));
    expect([...found.values]).toEqual([40, 50, 60, 255, 1, 2, 3, 9]);
  });

  test("a mask kept as alpha, and one in colour", () => {
    const raster = { width: 2, height: 1 } as const;
    expect([...toGrey({ ...raster, channels: 4, values: Uint8Array.of(0, 0, 0, 7, 0, 0, 0, 200) }).values]).toEqual([7, 200]);
    expect([...toGrey({ ...raster, channels: 3, values: Uint8Array.of(90, 90, 90, 255, 255, 255) }).values]).toEqual([90, 255]);
    expect([...toRgba({ ...raster, channels: 1, values: Uint8Array.of(5, 6) })]).toEqual([5, 5, 5, 255, 6, 6, 6, 255]);
  });

  test("a broken file is refused in words", async () => {
    const good = await encodePng({ width: 9, height: 9 }, 1, new Uint8Array(81));
    await expect(decodePng(good.subarray(0, 60))).rejects.toThrow(PngError);
    await expect(decodePng(Uint8Array.of(1, 2, 3))).rejects.toThrow("not a PNG");
    await expect(encodePng({ width: 2, height: 2 }, 1, new Uint8Array(3))).rejects.toThrow("do not make");
  });
});
