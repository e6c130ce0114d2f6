/** The named masks: their values, looks, and what is done to them as a whole. Each change is one step of undo. */

import { boxOf, intersect, isEmpty, pad, sameSize } from "./boxes";
import { ContourView } from "./contour";
import { inverse, reachOfChange } from "./morphology";
import { RasterView } from "./overlay";
import { isPng } from "./png";
import { coverPolygon, coverRaster, join, type Coverage } from "./shapes";
import { SIDE, TileRaster, type TileDiff } from "./tiles";
import { pictureBox, type Board } from "./board";
import type { Box, Combine, GreyRaster, MaskChange, MaskInfo, MaskLook, Point } from "./types";

export interface Mask {
  info: MaskInfo;
  readonly raster: TileRaster;
  readonly view: RasterView;
  readonly contour: ContourView;
  /** Counts closed changes: a long job sees by it that its input is old. */
  version: number;
}

const COLOURS = [
  { red: 255, green: 72, blue: 88, alpha: 255 },
  { red: 64, green: 156, blue: 255, alpha: 255 },
  { red: 255, green: 176, blue: 32, alpha: 255 },
  { red: 120, green: 200, blue: 80, alpha: 255 },
  { red: 190, green: 110, blue: 255, alpha: 255 },
];

export class Masks {
  #all: Mask[] = [];
  #active = "";
  #count = 0;
  #busy = 0;

  constructor(readonly board: Board) {}

  get all(): readonly Mask[] {
    return this.#all;
  }

  get active(): Mask {
    return this.find(this.#active);
  }

  /** The mask that the tool of lines draws on; it is made with the first line. */
  get lines(): Mask {
    const found = this.#all.find(({ info }) => info.role === "lines");
    return found ?? this.find(this.add({ name: "", role: "lines", colour: { red: 0, green: 200, blue: 255, alpha: 255 }, opacity: 1 }));
  }

  find(id: string = this.#active): Mask {
    const found = this.#all.find(({ info }) => info.id === id);
    if (!found) throw new RangeError(`there is no mask "${id}"`);
    return found;
  }

  add(look: MaskLook): string {
    const mask = this.#make(look);
    this.#all.push(mask);
    if (this.#all.length === 1) this.#active = mask.info.id;
    this.#listed();
    return mask.info.id;
  }

  remove(id: string): void {
    const mask = this.find(id);
    if (this.#all.length === 1) return void this.change(mask, "Clear mask", () => this.#fillAll(mask, undefined));
    const place = this.#all.indexOf(mask);
    const take = (): void => {
      this.#all = this.#all.filter((other) => other !== mask);
      if (this.#active === id) this.#active = this.#beside(place, mask.info.role).info.id;
      this.#listed();
    };
    const wasActive = this.#active === id;
    const bringBack = (): void => {
      mask.raster.origin = this.origin; // the picture may have grown meanwhile
      this.#all = [...this.#all.slice(0, place), mask, ...this.#all.slice(place)];
      if (wasActive) this.#active = id;
      this.#listed();
    };
    take();
    this.board.history.push({ label: "Remove mask", undo: bringBack, redo: take, bytes: mask.raster.bytes });
  }

  activate(id: string): void {
    this.find(id);
    if (this.#active === id) return;
    this.#active = id;
    this.board.lastPoint = null;
    this.#listed();
  }

  look(id: string, look: MaskLook): void {
    const mask = this.find(id);
    mask.info = { ...mask.info, ...look };
    mask.view.setColour(mask.info.colour);
    this.#listed();
  }

  /** One closed change as a step of undo. `work` writes the raster between begin and commit. */
  change(mask: Mask, label: string, work: () => void, undoable = true): void {
    mask.raster.begin();
    try {
      work();
    } catch (error) {
      mask.raster.rollback();
      throw error;
    }
    this.close(mask, label, undoable);
  }

  /** Ends the open change of a mask. */
  close(mask: Mask, label: string, undoable = true): void {
    const { raster } = mask;
    const touched = [...raster.dirty];
    const diff = raster.commit();
    mask.contour.forget(touched);
    if (!diff) return this.board.redraw.overlay(null);
    this.#changed(mask, diff, raster.boxOfAll(diff.keys));
    if (!undoable) return;
    const show = (side: "before" | "after"): void => {
      const box = raster.show(diff, side);
      this.#changed(mask, diff, box);
    };
    this.board.history.push({ label, undo: () => show("before"), redo: () => show("after"), bytes: diff.bytes });
  }

  /** The open change of a mask is taken back. */
  cancel(mask: Mask): void {
    const keys = [...mask.raster.dirty];
    const box = mask.raster.rollback();
    mask.contour.forget(keys);
    this.board.redraw.overlay(box);
    this.board.events.emit("mask", { id: mask.info.id, box: intersect(box, pictureBox(this.board)), final: true });
  }

  bounds(mask: Mask): Box | null {
    const box = mask.raster.bounds(pictureBox(this.board));
    return isEmpty(box) ? null : box;
  }

  read(mask: Mask, box: Box = pictureBox(this.board)): GreyRaster {
    return { width: box.right - box.left, height: box.bottom - box.top, values: mask.raster.read(box) };
  }

  area(points: readonly Point[], combine: Combine, label: string, mask: Mask = this.active): void {
    this.change(mask, label, () => join(mask.raster, coverPolygon(mask.raster, points, pictureBox(this.board)), combine));
  }

  /** Values over the whole picture, joined with the mask. */
  lay(mask: Mask, values: GreyRaster, combine: Combine, label: string, undoable = true): void {
    if (combine === "replace") return this.change(mask, label, () => mask.raster.write(boxOf(values), values.values), undoable);
    const cover: Coverage = coverRaster(mask.raster, values, { x: 0, y: 0 }, pictureBox(this.board));
    this.change(mask, label, () => join(mask.raster, cover, combine), undoable);
  }

  async load(data: Uint8Array | Blob | GreyRaster, mask: Mask, combine: Combine, undoable: boolean, label: string): Promise<void> {
    const values = data instanceof Uint8Array || data instanceof Blob ? await this.#decode(data) : data;
    if (!this.board.size) throw new Error("there is no picture that a mask could belong to");
    if (!sameSize(values, this.board.size)) {
      const { width, height } = this.board.size;
      throw new RangeError(`the mask is ${values.width} x ${values.height}, the picture ${width} x ${height}`);
    }
    await this.#free(mask);
    this.lay(mask, values, combine, label, undoable);
  }

  async save(mask: Mask): Promise<Uint8Array<ArrayBuffer>> {
    const { values, ...size } = this.read(mask);
    const own = values as Uint8Array<ArrayBuffer>;
    return this.board.workshop.call("encode", [size, 1, own], [own.buffer]);
  }

  async refine(change: MaskChange, mask: Mask): Promise<void> {
    const clear = mask.info.role === "lines" ? "Clear lines" : "Clear mask";
    const label = { clear, all: "Mask all", invert: "Invert mask", grow: "Grow mask", shrink: "Shrink mask", feather: "Feather mask", threshold: "Harden mask" }[change.kind];
    const picture = pictureBox(this.board);
    if (change.kind === "clear") return this.change(mask, label, () => this.#fillAll(mask, undefined));
    if (change.kind === "all") return this.change(mask, label, () => this.#fillAll(mask, "full"));
    if (change.kind === "invert") return this.change(mask, label, () => this.#invert(mask));
    await this.job(label, async () => {
      for (;;) {
        await this.#free(mask);
        const support = mask.raster.bounds(picture);
        if (isEmpty(support)) return;
        // One pixel around it more: beyond that all is 0, as the repeated border says.
        const box = intersect(pad(support, reachOfChange(change) + 1), picture);
        const version = mask.version;
        const input = this.read(mask, box);
        const values = await this.board.workshop.call("change", [input, change], [input.values.buffer as ArrayBuffer]);
        await this.#free(mask);
        // Painted on meanwhile: what was painted counts, so the change is worked out again.
        if (mask.version !== version) continue;
        return this.change(mask, label, () => mask.raster.write(box, values));
      }
    });
  }

  /** Values for a fill at a place, from the mask or from the picture's colours. */
  async fill(seed: Point, combine: Combine): Promise<void> {
    const { board } = this;
    const mask = this.active;
    if (!board.size) return;
    const size = board.size;
    await this.job("Fill", async () => {
      const input = this.read(mask);
      const found =
        board.fill.by === "colour"
          ? await board.likeColours(seed)
          : await board.workshop.call("fillMask", [input, seed], [input.values.buffer as ArrayBuffer]);
      await this.#free(mask);
      if (found && sameSize(size, board.size)) this.lay(mask, { ...size, values: found }, combine, "Fill");
    });
  }

  /** Every mask is empty, and the first one active. */
  reset(): void {
    for (const mask of this.#all) this.#clear(mask);
  }

  setOrigin(origin: Point): void {
    for (const { raster, contour } of this.#all) {
      raster.origin = origin;
      contour.forgetAll();
    }
  }

  get origin(): Point {
    return this.#all[0]!.raster.origin;
  }

  async job(what: string, work: () => Promise<void>): Promise<void> {
    if (this.#busy++ === 0) this.board.events.emit("busy", { busy: true, what });
    try {
      await work();
    } finally {
      if (--this.#busy === 0) this.board.events.emit("busy", { busy: false, what });
    }
  }

  #make(look: MaskLook): Mask {
    const number = ++this.#count;
    const raster = new TileRaster(1);
    if (this.#all[0]) raster.origin = this.origin;
    const avoid = look.role === "avoid";
    const info: MaskInfo = {
      id: `mask-${number}`,
      name: `Mask ${number}`,
      role: "repaint",
      colour: COLOURS[avoid ? 1 : (number - 1) % COLOURS.length]!,
      opacity: 0.5,
      style: avoid ? "hatch" : "fill",
      ...look,
    };
    const view = new RasterView(raster);
    view.setColour(info.colour);
    return { info, raster, view, contour: new ContourView(raster), version: 0 };
  }

  /** The mask next to a place, of the same role if there is one. */
  #beside(place: number, role: string): Mask {
    const [after, before] = [this.#all.slice(place), this.#all.slice(0, place).reverse()];
    return [...after, ...before].find(({ info }) => info.role === role) ?? after[0] ?? before[0]!;
  }

  #fillAll(mask: Mask, value: "full" | undefined): void {
    const { raster } = mask;
    const picture = pictureBox(this.board);
    for (const key of [...raster.tiles.keys()]) raster.put(key, undefined);
    if (!value) return;
    for (const part of raster.parts(picture)) {
      if (part.right - part.left === SIDE && part.bottom - part.top === SIDE) raster.putFull(part.key);
      else {
        const tile = raster.writable(part.key);
        for (let y = part.top; y < part.bottom; y++) tile.fill(255, y * SIDE + part.left, y * SIDE + part.right);
      }
    }
  }

  #invert(mask: Mask): void {
    const { raster } = mask;
    for (const part of raster.parts(pictureBox(this.board))) {
      const whole = part.right - part.left === SIDE && part.bottom - part.top === SIDE;
      const tile = raster.tiles.get(part.key);
      if (whole && !tile) raster.putFull(part.key);
      else if (whole && raster.isFull(tile)) raster.put(part.key, undefined);
      else if (whole) raster.put(part.key, inverse(tile!));
      else {
        const own = raster.writable(part.key);
        for (let y = part.top; y < part.bottom; y++) {
          for (let i = y * SIDE + part.left; i < y * SIDE + part.right; i++) own[i] = 255 - own[i]!;
        }
      }
    }
  }

  #clear(mask: Mask): void {
    mask.raster.reset();
    mask.contour.forgetAll();
    mask.version++;
    this.board.redraw.overlay(null);
    this.board.events.emit("mask", { id: mask.info.id, box: pictureBox(this.board), final: true });
  }

  #changed(mask: Mask, diff: TileDiff, box: Box): void {
    mask.version++;
    mask.contour.forget(diff.keys);
    this.board.redraw.overlay(box);
    this.board.events.emit("mask", { id: mask.info.id, box: intersect(box, pictureBox(this.board)), final: true });
  }

  #listed(): void {
    this.board.events.emit("masks", { masks: this.#all.map(({ info }) => info), active: this.#active });
    this.board.redraw.overlay(null);
    this.board.redraw.top();
  }

  /** Waits until no stroke is open on the mask. */
  async #free(mask: Mask): Promise<void> {
    while (mask.raster.changing) await new Promise((resolve) => setTimeout(resolve, 16));
  }

  async #decode(data: Uint8Array | Blob): Promise<GreyRaster> {
    const bytes = new Uint8Array(data instanceof Blob ? await data.arrayBuffer() : data);
    if (isPng(bytes)) return this.board.workshop.call("decodeGrey", [bytes], [bytes.buffer]);
    // Lossy kinds have no exact values to lose.
    const bitmap = await createImageBitmap(new Blob([bytes]), { premultiplyAlpha: "none", colorSpaceConversion: "none" });
    const context = new OffscreenCanvas(bitmap.width, bitmap.height).getContext("2d")!;
    context.drawImage(bitmap, 0, 0);
    const { data: pixels, width, height } = context.getImageData(0, 0, bitmap.width, bitmap.height);
    bitmap.close();
    const values = new Uint8Array(width * height);
    for (let i = 0; i < values.length; i++) {
      values[i] = (pixels[i * 4]! * 19595 + pixels[i * 4 + 1]! * 38470 + pixels[i * 4 + 2]! * 7471 + 0x8000) >> 16;
    }
    return { width, height, values };
  }
}
