/**
 * A raster in tiles with copy-on-write.
 *
 * Tiles are keyed by their place in document coordinates, which never change; `origin` is the document coordinate of the picture's
 * left top corner. So a picture that grows at its left moves the origin and no value, and what undo kept stays valid.
 * A missing tile is all 0. A tile that a closed change left behind is never written again: undo swaps references.
 */

import { intersect, isEmpty, unite, NOTHING } from "./boxes";
import type { Box, Point } from "./types";

export const SIDE = 256;
const HALF = 1 << 15;

/** Uint8Array of SIDE * SIDE * channels values. */
export type Tile = Uint8Array<ArrayBuffer>;

/** What one closed change did: for each tile the one before and the one after. */
export interface TileDiff {
  readonly keys: readonly number[];
  readonly before: readonly (Tile | undefined)[];
  readonly after: readonly (Tile | undefined)[];
  readonly bytes: number;
}

export const keyOf = (column: number, row: number): number => (row + HALF) * (HALF * 2) + column + HALF;
export const columnOf = (key: number): number => (key % (HALF * 2)) - HALF;
export const rowOf = (key: number): number => Math.floor(key / (HALF * 2)) - HALF;

/** Part of a tile: columns [left, right) and rows [top, bottom) within it; (x, y) is its corner in picture coordinates. */
export interface Part {
  readonly key: number;
  readonly x: number;
  readonly y: number;
  readonly left: number;
  readonly top: number;
  readonly right: number;
  readonly bottom: number;
}

export class TileRaster {
  origin: Point = { x: 0, y: 0 };
  readonly tiles = new Map<number, Tile>();
  /** Keys of tiles whose shown image is out of date; the painter of the overlay empties it. */
  readonly dirty = new Set<number>();
  #before: Map<number, Tile | undefined> | null = null;
  readonly #full: Tile;

  constructor(readonly channels: 1 | 4) {
    this.#full = new Uint8Array(SIDE * SIDE * channels).fill(255);
  }

  /** True while a change is open. */
  get changing(): boolean {
    return this.#before !== null;
  }

  get bytes(): number {
    let found = 0;
    for (const tile of this.tiles.values()) if (tile !== this.#full) found += tile.byteLength;
    return found;
  }

  /** The parts of tiles that a box of whole picture pixels meets, missing tiles too. */
  *parts(box: Box): Generator<Part> {
    if (isEmpty(box)) return;
    const { x: ox, y: oy } = this.origin;
    const [left, top, right, bottom] = [box.left + ox, box.top + oy, box.right + ox, box.bottom + oy];
    for (let row = Math.floor(top / SIDE); row * SIDE < bottom; row++) {
      for (let column = Math.floor(left / SIDE); column * SIDE < right; column++) {
        yield {
          key: keyOf(column, row),
          x: column * SIDE - ox,
          y: row * SIDE - oy,
          left: Math.max(0, left - column * SIDE),
          top: Math.max(0, top - row * SIDE),
          right: Math.min(SIDE, right - column * SIDE),
          bottom: Math.min(SIDE, bottom - row * SIDE),
        };
      }
    }
  }

  /** The box of a tile in picture coordinates. */
  boxOf(key: number): Box {
    const left = columnOf(key) * SIDE - this.origin.x;
    const top = rowOf(key) * SIDE - this.origin.y;
    return { left, top, right: left + SIDE, bottom: top + SIDE };
  }

  /** The smallest box around these tiles. */
  boxOfAll(keys: Iterable<number>): Box {
    let box = NOTHING;
    for (const key of keys) box = unite(box, this.boxOf(key));
    return box;
  }

  isFull(tile: Tile | undefined): boolean {
    return tile === this.#full;
  }

  begin(): void {
    if (this.#before) throw new Error("a change of this raster is open already");
    this.#before = new Map();
  }

  /** The tile as it was when the open change began. */
  before(key: number): Tile | undefined {
    return this.#before?.has(key) ? this.#before.get(key) : this.tiles.get(key);
  }

  /** The tile for writing, within an open change. */
  writable(key: number): Tile {
    if (!this.#before) throw new Error("no change of this raster is open");
    this.dirty.add(key);
    const now = this.tiles.get(key);
    if (now && this.#before.has(key)) return now;
    this.#before.set(key, now);
    const copy: Tile = now ? now.slice() : new Uint8Array(SIDE * SIDE * this.channels);
    this.tiles.set(key, copy);
    return copy;
  }

  /** Replaces a tile whole, within an open change. */
  put(key: number, tile: Tile | undefined): void {
    if (!this.#before) throw new Error("no change of this raster is open");
    this.dirty.add(key);
    if (!this.#before.has(key)) this.#before.set(key, this.tiles.get(key));
    if (tile) this.tiles.set(key, tile);
    else this.tiles.delete(key);
  }

  /** All 255 over the tile. */
  putFull(key: number): void {
    this.put(key, this.#full);
  }

  /** Closes the change. Null where no value differs. */
  commit(): TileDiff | null {
    if (!this.#before) throw new Error("no change of this raster is open");
    const keys: number[] = [];
    const before: (Tile | undefined)[] = [];
    const after: (Tile | undefined)[] = [];
    let bytes = 0;
    for (const [key, old] of this.#before) {
      const now = this.#tidy(key);
      if (old === now || (old && now && equal(old, now))) {
        if (old) this.tiles.set(key, old);
        continue;
      }
      keys.push(key);
      before.push(old);
      after.push(now);
      for (const tile of [old, now]) if (tile && tile !== this.#full) bytes += tile.byteLength;
    }
    this.#before = null;
    return keys.length ? { keys, before, after, bytes } : null;
  }

  /** Undoes the open change. */
  rollback(): Box {
    if (!this.#before) throw new Error("no change of this raster is open");
    const keys = [...this.#before.keys()];
    for (const [key, old] of this.#before) {
      if (old) this.tiles.set(key, old);
      else this.tiles.delete(key);
      this.dirty.add(key);
    }
    this.#before = null;
    return this.boxOfAll(keys);
  }

  /** Shows one side of a closed change: undo or redo. Returns the box of the tiles that changed. */
  show(diff: TileDiff, side: "before" | "after"): Box {
    diff.keys.forEach((key, index) => {
      const tile = diff[side][index];
      if (tile) this.tiles.set(key, tile);
      else this.tiles.delete(key);
      this.dirty.add(key);
    });
    return this.boxOfAll(diff.keys);
  }

  /** Empties it without history. */
  reset(): void {
    for (const key of this.tiles.keys()) this.dirty.add(key);
    this.tiles.clear();
    this.#before = null;
  }

  /** Values of a box, rows from the top; 0 where nothing is. */
  read(box: Box): Uint8Array<ArrayBuffer> {
    const width = box.right - box.left;
    const n = this.channels;
    const found = new Uint8Array(width * (box.bottom - box.top) * n);
    for (const part of this.parts(box)) {
      const tile = this.tiles.get(part.key);
      if (!tile) continue;
      for (let y = part.top; y < part.bottom; y++) {
        const from = (y * SIDE + part.left) * n;
        const to = ((part.y + y - box.top) * width + part.x + part.left - box.left) * n;
        found.set(tile.subarray(from, from + (part.right - part.left) * n), to);
      }
    }
    return found;
  }

  /** Sets the values of a box, within an open change. Tiles that stay equal are not copied. */
  write(box: Box, values: Uint8Array): void {
    const width = box.right - box.left;
    const n = this.channels;
    for (const part of this.parts(box)) {
      const now = this.tiles.get(part.key);
      let tile: Tile | null = null;
      for (let y = part.top; y < part.bottom; y++) {
        const to = (y * SIDE + part.left) * n;
        const from = ((part.y + y - box.top) * width + part.x + part.left - box.left) * n;
        const length = (part.right - part.left) * n;
        if (!tile && sameRow(now, to, values, from, length)) continue;
        tile ??= this.writable(part.key);
        tile.set(values.subarray(from, from + length), to);
      }
    }
  }

  /** The smallest box within `within` whose values (the last channel's) are not 0; empty if there is none. */
  bounds(within: Box): Box {
    const n = this.channels;
    let found = NOTHING;
    for (const [key, tile] of this.tiles) {
      const box = this.boxOf(key);
      const seen = intersect(box, within);
      if (isEmpty(seen)) continue;
      if (tile === this.#full) {
        found = unite(found, seen);
        continue;
      }
      if (!isEmpty(found) && intersect(seen, found) === seen) continue;
      let [left, top, right, bottom] = [Infinity, Infinity, -1, -1];
      for (let y = seen.top - box.top; y < seen.bottom - box.top; y++) {
        for (let x = seen.left - box.left; x < seen.right - box.left; x++) {
          if (tile[(y * SIDE + x) * n + n - 1] === 0) continue;
          if (x < left) left = x;
          if (x > right) right = x;
          if (y < top) top = y;
          bottom = y;
        }
      }
      if (bottom >= 0) {
        found = unite(found, { left: box.left + left, top: box.top + top, right: box.left + right + 1, bottom: box.top + bottom + 1 });
      }
    }
    return found;
  }

  /** One form for equal content: no tile for all 0, the shared tile for all 255. */
  #tidy(key: number): Tile | undefined {
    const tile = this.tiles.get(key);
    if (!tile || tile === this.#full) return tile;
    const first = tile[0]!;
    if ((first !== 0 && first !== 255) || !uniform(tile, first)) return tile;
    if (first === 0) {
      this.tiles.delete(key);
      return undefined;
    }
    this.tiles.set(key, this.#full);
    return this.#full;
  }
}

const words = (tile: Tile): Uint32Array => new Uint32Array(tile.buffer, tile.byteOffset, tile.byteLength >> 2);

function uniform(tile: Tile, value: number): boolean {
  const wanted = (value * 0x01010101) >>> 0;
  for (const word of words(tile)) if (word !== wanted) return false;
  return true;
}

function equal(one: Tile, other: Tile): boolean {
  const [a, b] = [words(one), words(other)];
  for (let i = 0; i < a.length; i++) if (a[i] !== b[i]) return false;
  return true;
}

function sameRow(tile: Tile | undefined, at: number, values: Uint8Array, from: number, length: number): boolean {
  for (let i = 0; i < length; i++) if ((tile ? tile[at + i] : 0) !== values[from + i]) return false;
  return true;
}
