/** The outline of a mask at half its range, as paths for each tile, along the edges of pixels (or of their blocks when zoomed out). */

import { intersect, isEmpty, outward } from "./boxes";
import { levelFor, placed, under, type Placement } from "./picture";
import { reduced } from "./overlay";
import { columnOf, keyOf, rowOf, SIDE, type Tile, type TileRaster } from "./tiles";
import type { Box } from "./types";

/** Lines within a tile, each its corners (x, y, x, y ...) in blocks: the joined edges, so that dashes run on along them. */
type Lines = readonly Int16Array[];

export class ContourView {
  readonly #lines = new Map<number, { level: number; found: Lines }>();
  readonly #blocks = new Map<number, { level: number; tile: Tile; found: Uint8Array }>();

  constructor(readonly raster: TileRaster) {}

  /** Values changed there: the tiles and their neighbours right and below, whose left and upper edges depend on them. */
  forget(keys: Iterable<number>): void {
    for (const key of keys) {
      this.#blocks.delete(key);
      const [column, row] = [columnOf(key), rowOf(key)];
      for (const near of [key, keyOf(column + 1, row), keyOf(column, row + 1)]) this.#lines.delete(near);
    }
  }

  forgetAll(): void {
    this.#lines.clear();
    this.#blocks.clear();
  }

  /** Adds the outline within `device` to the context's path. */
  trace(context: CanvasRenderingContext2D, placement: Placement, device: Box): void {
    const level = levelFor(placement.zoom, 4);
    const seen = outward(under(placement, device));
    const block = (1 << level) * placement.zoom;
    for (const key of this.#keys()) {
      const box = this.raster.boxOf(key);
      if (isEmpty(intersect(box, seen))) continue;
      const to = placed(placement, box);
      const found = this.#of(key, level);
      for (const line of found) {
        for (let i = 0; i < line.length; i += 2) {
          const x = Math.round(to.left + line[i]! * block);
          const y = Math.round(to.top + line[i + 1]! * block);
          if (i) context.lineTo(x, y);
          else context.moveTo(x, y);
        }
      }
    }
  }

  /** Tiles with values, and those right and below of them. */
  #keys(): Set<number> {
    const found = new Set<number>();
    for (const key of this.raster.tiles.keys()) {
      const [column, row] = [columnOf(key), rowOf(key)];
      found.add(key).add(keyOf(column + 1, row)).add(keyOf(column, row + 1));
    }
    return found;
  }

  #values(key: number, level: number): Uint8Array | null {
    const tile = this.raster.tiles.get(key);
    if (!tile || level === 0) return tile ?? null;
    const kept = this.#blocks.get(key);
    if (kept && kept.level === level && kept.tile === tile) return kept.found;
    const found = reduced(tile, level);
    this.#blocks.set(key, { level, tile, found });
    return found;
  }

  #of(key: number, level: number): Lines {
    const kept = this.#lines.get(key);
    if (kept && kept.level === level) return kept.found;
    const side = SIDE >> level;
    const [column, row] = [columnOf(key), rowOf(key)];
    const own = this.#values(key, level);
    const left = this.#values(keyOf(column - 1, row), level);
    const above = this.#values(keyOf(column, row - 1), level);
    const inside = (values: Uint8Array | null, at: number): boolean => values !== null && values[at]! >= 128;
    const found: number[] = [];
    for (let y = 0; y < side; y++) {
      let start = -1;
      for (let x = 0; x <= side; x++) {
        const edge = x < side && inside(own, y * side + x) !== (y ? inside(own, (y - 1) * side + x) : inside(above, (side - 1) * side + x));
        if (edge && start < 0) start = x;
        if (edge || start < 0) continue;
        found.push(start, y, x, y);
        start = -1;
      }
    }
    for (let x = 0; x < side; x++) {
      let start = -1;
      for (let y = 0; y <= side; y++) {
        const edge = y < side && inside(own, y * side + x) !== (x ? inside(own, y * side + x - 1) : inside(left, y * side + side - 1));
        if (edge && start < 0) start = y;
        if (edge || start < 0) continue;
        found.push(x, start, x, y);
        start = -1;
      }
    }
    const made = joinEdges(found, side + 1);
    this.#lines.set(key, { level, found: made });
    return made;
  }
}

/** Joins edges (x, y, x, y each) that meet into lines. `stride` is more than the largest x. */
export function joinEdges(edges: readonly number[], stride: number): Int16Array[] {
  const ends = new Map<number, number[]>();
  const put = (x: number, y: number, edge: number): void => {
    const at = ends.get(y * stride + x);
    if (at) at.push(edge);
    else ends.set(y * stride + x, [edge]);
  };
  for (let edge = 0; edge < edges.length; edge += 4) {
    put(edges[edge]!, edges[edge + 1]!, edge);
    put(edges[edge + 2]!, edges[edge + 3]!, edge);
  }
  const used = new Uint8Array(edges.length / 4);
  const lines: Int16Array[] = [];
  const walk = (x: number, y: number): number[] => {
    const corners: number[] = [];
    for (;;) {
      const edge = ends.get(y * stride + x)!.find((other) => !used[other / 4]);
      if (edge === undefined) return corners;
      used[edge / 4] = 1;
      const ahead = edges[edge] === x && edges[edge + 1] === y;
      [x, y] = ahead ? [edges[edge + 2]!, edges[edge + 3]!] : [edges[edge]!, edges[edge + 1]!];
      corners.push(x, y);
    }
  };
  for (let edge = 0; edge < edges.length; edge += 4) {
    if (used[edge / 4]) continue;
    const [x, y] = [edges[edge]!, edges[edge + 1]!];
    const forth = walk(x, y);
    const back = walk(x, y);
    const line = [];
    for (let i = back.length - 2; i >= 0; i -= 2) line.push(back[i]!, back[i + 1]!);
    lines.push(Int16Array.from([...line, x, y, ...forth]));
  }
  return lines;
}
