/** Draws a picture from parts: only what is seen, from the level that fits, with a coarser part until the right one is there. */

import { boxOf, intersect, isEmpty } from "./boxes";
import type { OpenPicture } from "./sources";
import type { Box, Point, TileRequest } from "./types";

/** Where on a canvas: device pixels of the picture's corner, and device pixels a picture pixel. */
export interface Placement {
  readonly corner: Point;
  readonly zoom: number;
}

interface Loaded {
  bitmap: ImageBitmap | null;
  stale: boolean;
  used: number;
}

type Place = "main" | "loupe";

/** Parts that failed are asked for again after so long, and twice as long each time. */
const RETRY_MS = { first: 2000, most: 30_000 } as const;

/** The level whose pixels are as large as the screen's, or up to twice as fine. */
export const levelFor = (zoom: number, most: number): number => Math.max(0, Math.min(most, Math.floor(Math.log2(1 / zoom) + 1e-6)));

/** Device pixels that a box covers, its edges whole: neighbours meet without a seam. */
export function placed({ corner, zoom }: Placement, box: Box): Box {
  return {
    left: Math.round(corner.x + box.left * zoom),
    top: Math.round(corner.y + box.top * zoom),
    right: Math.round(corner.x + box.right * zoom),
    bottom: Math.round(corner.y + box.bottom * zoom),
  };
}

/** The part of the picture's plane under a box of the canvas. */
export function under({ corner, zoom }: Placement, device: Box): Box {
  return {
    left: (device.left - corner.x) / zoom,
    top: (device.top - corner.y) / zoom,
    right: (device.right - corner.x) / zoom,
    bottom: (device.bottom - corner.y) / zoom,
  };
}

export class TiledPicture {
  readonly #side: number;
  readonly #most: number;
  readonly #loaded = new Map<string, Loaded>();
  readonly #loading = new Map<string, AbortController>();
  readonly #failed = new Set<string>();
  readonly #wanted: Record<Place, Map<string, TileRequest>> = { main: new Map(), loupe: new Map() };
  #retryMs: number = RETRY_MS.first;
  #retry = 0;
  #bytes = 0;
  #clock = 0;
  #closed = false;

  constructor(
    readonly source: OpenPicture,
    readonly budget: number,
    readonly arrived: () => void,
    readonly failed: (error: unknown) => void,
  ) {
    this.#side = source.side ?? 512;
    const longest = Math.max(source.size.width, source.size.height);
    this.#most = Math.max(0, Math.ceil(Math.log2(longest / this.#side)));
  }

  /** True when nothing that is seen is missing or out of date. */
  get complete(): boolean {
    return Object.values(this.#wanted).every((tiles) => [...tiles.keys()].every((key) => this.#isThere(key) || this.#failed.has(key)));
  }

  draw(context: CanvasRenderingContext2D, placement: Placement, device: Box, place: Place): void {
    this.#clock++;
    const wanted = new Map<string, TileRequest>();
    const level = levelFor(placement.zoom, this.#most);
    this.#want(wanted, this.#most, 0, 0);
    const seen = intersect(under(placement, device), boxOf(this.source.size));
    context.imageSmoothingEnabled = placement.zoom < 2;
    context.imageSmoothingQuality = "low";
    if (!isEmpty(seen)) {
      const span = this.#side * 2 ** level;
      const keys: [number, number][] = [];
      for (let row = Math.floor(seen.top / span); row * span < seen.bottom; row++) {
        for (let column = Math.floor(seen.left / span); column * span < seen.right; column++) keys.push([column, row]);
      }
      // What lies in the middle comes first.
      const [x, y] = [(seen.left + seen.right) / 2 / span - 0.5, (seen.top + seen.bottom) / 2 / span - 0.5];
      keys.sort(([a, b], [c, d]) => Math.hypot(a - x, b - y) - Math.hypot(c - x, d - y));
      for (const [column, row] of keys) {
        this.#want(wanted, level, column, row);
        this.#drawTile(context, placement, level, column, row);
      }
    }
    this.#wanted[place] = wanted;
    this.#load();
  }

  /** What a place showed is not seen any more. */
  leave(place: Place): void {
    this.#wanted[place] = new Map();
  }

  refresh(box: Box | null): void {
    this.#failed.clear();
    this.#retryMs = RETRY_MS.first;
    for (const [key, tile] of this.#loaded) if (!box || !isEmpty(intersect(box, this.#request(key).box))) tile.stale = true;
    for (const [key, loading] of this.#loading) {
      if (box && isEmpty(intersect(box, this.#request(key).box))) continue;
      loading.abort();
      this.#loading.delete(key);
    }
  }

  close(): void {
    this.#closed = true;
    clearTimeout(this.#retry);
    for (const loading of this.#loading.values()) loading.abort();
    this.#loading.clear();
    for (const tile of this.#loaded.values()) tile.bitmap?.close();
    this.#loaded.clear();
    this.source.close();
  }

  #isThere(key: string): boolean {
    const tile = this.#loaded.get(key);
    return tile !== undefined && !tile.stale;
  }

  #request(key: string): TileRequest {
    const [level, column, row] = key.split(" ").map(Number) as [number, number, number];
    const by = 2 ** level;
    const span = this.#side * by;
    const box = intersect({ left: column * span, top: row * span, right: (column + 1) * span, bottom: (row + 1) * span }, boxOf(this.source.size));
    return { level, box, size: { width: Math.ceil((box.right - box.left) / by), height: Math.ceil((box.bottom - box.top) / by) } };
  }

  #want(wanted: Map<string, TileRequest>, level: number, column: number, row: number): void {
    const key = `${level} ${column} ${row}`;
    wanted.set(key, this.#request(key));
  }

  #drawTile(context: CanvasRenderingContext2D, placement: Placement, level: number, column: number, row: number): void {
    const key = `${level} ${column} ${row}`;
    const { box } = this.#request(key);
    const to = placed(placement, box);
    for (let up = level; up <= this.#most; up++) {
      const by = 2 ** (up - level);
      const from = `${up} ${Math.floor(column / by)} ${Math.floor(row / by)}`;
      const tile = this.#loaded.get(from);
      if (!tile) continue;
      tile.used = this.#clock;
      if (!tile.bitmap) return;
      const own = this.#request(from).box;
      const sx = tile.bitmap.width / (own.right - own.left);
      const sy = tile.bitmap.height / (own.bottom - own.top);
      context.drawImage(
        tile.bitmap,
        (box.left - own.left) * sx,
        (box.top - own.top) * sy,
        (box.right - box.left) * sx,
        (box.bottom - box.top) * sy,
        to.left,
        to.top,
        to.right - to.left,
        to.bottom - to.top,
      );
      return;
    }
  }

  #load(): void {
    if (this.#closed) return;
    const wanted = new Map([...this.#wanted.main, ...this.#wanted.loupe]);
    for (const [key, loading] of this.#loading) {
      if (wanted.has(key)) continue;
      loading.abort();
      this.#loading.delete(key);
    }
    for (const [key, request] of wanted) {
      if (this.#loading.size >= (this.source.parallel ?? 4)) return;
      if (this.#isThere(key) || this.#loading.has(key) || this.#failed.has(key)) continue;
      const control = new AbortController();
      this.#loading.set(key, control);
      this.source.load(request, control.signal).then(
        (bitmap) => this.#keep(key, control, bitmap),
        (error: unknown) => {
          if (this.#loading.get(key) !== control) return;
          this.#loading.delete(key);
          this.#fail(key, error);
        },
      );
    }
  }

  #keep(key: string, control: AbortController, bitmap: ImageBitmap | null): void {
    const current = this.#loading.get(key) === control;
    if (current) this.#loading.delete(key);
    if (!current || this.#closed) return void bitmap?.close();
    this.#retryMs = RETRY_MS.first;
    this.#drop(key);
    this.#loaded.set(key, { bitmap, stale: false, used: this.#clock });
    this.#bytes += bytesOf(bitmap);
    const whole = `${this.#most} 0 0`;
    while (this.#bytes > this.budget) {
      let oldest: string | null = null;
      for (const [other, tile] of this.#loaded) {
        if (other === whole || tile.used >= this.#clock) continue;
        if (oldest === null || tile.used < this.#loaded.get(oldest)!.used) oldest = other;
      }
      if (oldest === null) break;
      this.#drop(oldest);
    }
    this.arrived();
    this.#load();
  }

  /** Says so once for all parts of a lost connection, and tries them again by and by. */
  #fail(key: string, error: unknown): void {
    if (this.#failed.size === 0 && this.#retryMs === RETRY_MS.first) this.failed(error);
    this.#failed.add(key);
    this.#retry ||= window.setTimeout(() => {
      this.#retry = 0;
      this.#retryMs = Math.min(RETRY_MS.most, 2 * this.#retryMs);
      this.#failed.clear();
      this.arrived();
    }, this.#retryMs);
    this.arrived();
  }

  #drop(key: string): void {
    const tile = this.#loaded.get(key);
    if (!tile) return;
    this.#bytes -= bytesOf(tile.bitmap);
    tile.bitmap?.close();
    this.#loaded.delete(key);
  }
}

const bytesOf = (bitmap: ImageBitmap | null): number => (bitmap ? bitmap.width * bitmap.height * 4 : 0);
