/** Pictures in parts: a bitmap is cut and reduced in a worker, so that both kinds are drawn alike. */

import type { PicturePart } from "./jobs";
import type { PictureSource, PictureTiles, Size, TileRequest } from "./types";
import type { Workshop } from "./workshop";

export const isTiles = (source: PictureSource): source is PictureTiles => "load" in source;

let lastId = 0;

/** A picture that is closed when it is no longer shown. */
export interface OpenPicture extends PictureTiles {
  /** What the colour fill takes its pixels from. */
  pixels(): Promise<readonly PicturePart[] | number>;
  close(): void;
}

export class BitmapPicture implements OpenPicture {
  readonly size: Size;
  readonly side = 512;
  readonly parallel = 8;
  readonly #id = ++lastId;
  readonly #opened: Promise<void>;

  constructor(
    readonly workshop: Workshop,
    bitmap: ImageBitmap,
    own: boolean,
  ) {
    this.size = { width: bitmap.width, height: bitmap.height };
    this.#opened = workshop.call("openPicture", [this.#id, bitmap], own ? [bitmap] : []);
    // Each load reports a failure; one that nothing waits for is no news.
    this.#opened.catch(() => undefined);
  }

  async load({ level, box }: TileRequest): Promise<ImageBitmap | null> {
    await this.#opened;
    return this.workshop.call("tile", [this.#id, level, box]);
  }

  async pixels(): Promise<number> {
    await this.#opened;
    return this.#id;
  }

  close(): void {
    this.workshop.call("closePicture", [this.#id]).catch(() => undefined);
  }
}

export class GivenTiles implements OpenPicture {
  readonly size: Size;
  readonly side: number;
  readonly parallel: number;

  constructor(readonly tiles: PictureTiles) {
    this.size = tiles.size;
    this.side = tiles.side ?? 512;
    this.parallel = tiles.parallel ?? 4;
  }

  load(tile: TileRequest, signal: AbortSignal): Promise<ImageBitmap | null> {
    return this.tiles.load(tile, signal);
  }

  /** All parts in full size, some at a time. */
  async pixels(): Promise<readonly PicturePart[]> {
    const side = 2048;
    const requests: TileRequest[] = [];
    for (let top = 0; top < this.size.height; top += side) {
      for (let left = 0; left < this.size.width; left += side) {
        const box = { left, top, right: Math.min(left + side, this.size.width), bottom: Math.min(top + side, this.size.height) };
        requests.push({ level: 0, box, size: { width: box.right - left, height: box.bottom - top } });
      }
    }
    const found: PicturePart[] = [];
    const signal = new AbortController().signal;
    const work = async (): Promise<void> => {
      for (let next = requests.shift(); next; next = requests.shift()) {
        const bitmap = await this.load(next, signal);
        if (bitmap) found.push({ bitmap, box: next.box });
      }
    };
    await Promise.all(Array.from({ length: this.parallel }, work));
    return found;
  }

  close(): void {
    // The app's own.
  }
}
