/** The sketch: colour painted over the picture as a hint, in one RGBA raster. */

import { boxOf, intersect, isEmpty, sameSize } from "./boxes";
import { pictureBox, type Board } from "./board";
import { RasterView } from "./overlay";
import { TileRaster } from "./tiles";
import type { Box } from "./types";

export class Sketch {
  readonly raster = new TileRaster(4);
  readonly view = new RasterView(this.raster);

  constructor(readonly board: Board) {}

  bounds(): Box | null {
    const box = this.raster.bounds(pictureBox(this.board));
    return isEmpty(box) ? null : box;
  }

  /** Ends the open change: one step of undo. */
  close(label: string, undoable = true): void {
    const diff = this.raster.commit();
    this.board.redraw.overlay(null);
    if (!diff) return;
    const changed = (box: Box): void => {
      this.board.redraw.overlay(box);
      this.board.events.emit("sketch", { box: intersect(box, pictureBox(this.board)), final: true });
    };
    changed(this.raster.boxOfAll(diff.keys));
    if (!undoable) return;
    this.board.history.push({
      label,
      undo: () => changed(this.raster.show(diff, "before")),
      redo: () => changed(this.raster.show(diff, "after")),
      bytes: diff.bytes,
    });
  }

  cancel(): void {
    const box = this.raster.rollback();
    this.board.redraw.overlay(box);
    this.board.events.emit("sketch", { box, final: true });
  }

  clear(): void {
    this.raster.begin();
    for (const key of [...this.raster.tiles.keys()]) this.raster.put(key, undefined);
    this.close("Clear sketch");
  }

  async save(): Promise<Uint8Array<ArrayBuffer>> {
    const box = pictureBox(this.board);
    const values = this.raster.read(box);
    return this.board.workshop.call("encode", [{ width: box.right, height: box.bottom }, 4, values], [values.buffer]);
  }

  async load(data: Uint8Array | Blob, undoable: boolean): Promise<void> {
    const bytes = new Uint8Array(data instanceof Blob ? await data.arrayBuffer() : data);
    const found = await this.board.workshop.call("decodeColours", [bytes], [bytes.buffer]);
    if (!sameSize(found, this.board.size)) throw new RangeError(`the sketch is ${found.width} x ${found.height}, which the picture is not`);
    while (this.raster.changing) await new Promise((resolve) => setTimeout(resolve, 16));
    this.raster.begin();
    this.raster.write(boxOf(found), found.values);
    this.close("Load sketch", undoable);
  }

  reset(): void {
    this.raster.reset();
    this.board.redraw.overlay(null);
  }
}
