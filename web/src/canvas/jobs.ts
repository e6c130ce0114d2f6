/** What runs in the workers, and the shape of the talk with them. */

import { fillColour, fillMask } from "./fill";
import { applyChange } from "./morphology";
import { decodePng, encodePng, toGrey, toRgba } from "./png";
import type { Box, GreyRaster, MaskChange, Point, Size } from "./types";

/** A part of a picture for the colour fill. */
export interface PicturePart {
  readonly bitmap: ImageBitmap;
  readonly box: Box;
}

type Values = Uint8Array<ArrayBuffer>;

const pictures = new Map<number, ImageBitmap[]>();

/** The picture reduced by 2 to the power `level`; each level is made from the one before, once. */
async function levelOf(id: number, level: number): Promise<ImageBitmap | null> {
  const levels = pictures.get(id);
  if (!levels) return null;
  for (let next = levels.length; next <= level; next++) {
    const last = levels[next - 1]!;
    const made = await createImageBitmap(last, {
      resizeWidth: Math.ceil(last.width / 2),
      resizeHeight: Math.ceil(last.height / 2),
      resizeQuality: "medium",
    });
    // Another request may have made it meanwhile.
    if (levels.length === next) levels.push(made);
    else made.close();
  }
  return levels[level]!;
}

function pixelsOf(parts: readonly PicturePart[], size: Size): ImageData {
  const canvas = new OffscreenCanvas(size.width, size.height);
  const context = canvas.getContext("2d", { willReadFrequently: true })!;
  for (const { bitmap, box } of parts) {
    context.drawImage(bitmap, box.left, box.top, box.right - box.left, box.bottom - box.top);
  }
  return context.getImageData(0, 0, size.width, size.height);
}

export const jobs = {
  change: (mask: GreyRaster, change: MaskChange): Values => applyChange(mask, change),

  fillMask: (mask: GreyRaster, seed: Point): Values => fillMask(mask, seed),

  encode: (size: Size, channels: 1 | 4, values: Values): Promise<Values> => encodePng(size, channels, values),

  decodeGrey: async (bytes: Values): Promise<GreyRaster> => toGrey(await decodePng(bytes)),

  decodeColours: async (bytes: Values): Promise<Size & { values: Values }> => {
    const raster = await decodePng(bytes);
    return { width: raster.width, height: raster.height, values: toRgba(raster) };
  },

  /** Connected or like pixels of parts (or of an open picture) that together have this size. */
  fillColour: (source: readonly PicturePart[] | number, size: Size, seed: Point, tolerance: number, connected: boolean): Values => {
    const own = typeof source === "number" ? pictures.get(source)?.[0] : undefined;
    const box = { left: 0, top: 0, right: size.width, bottom: size.height };
    const parts = typeof source === "number" ? (own ? [{ bitmap: own, box }] : []) : source;
    const found = fillColour(pixelsOf(parts, size).data, size, seed, tolerance, connected);
    if (typeof source !== "number") for (const { bitmap } of parts) bitmap.close();
    return found;
  },

  openPicture: (id: number, bitmap: ImageBitmap): void => {
    pictures.set(id, [bitmap]);
  },

  closePicture: (id: number): void => {
    for (const bitmap of pictures.get(id) ?? []) bitmap.close();
    pictures.delete(id);
  },

  tile: async (id: number, level: number, box: Box): Promise<ImageBitmap | null> => {
    const picture = await levelOf(id, level);
    const by = 2 ** level;
    const [x, y] = [box.left / by, box.top / by];
    return picture && createImageBitmap(picture, x, y, Math.ceil(box.right / by) - x, Math.ceil(box.bottom / by) - y);
  },
};

export type Jobs = typeof jobs;

export interface Call {
  readonly id: number;
  readonly job: keyof Jobs;
  readonly args: unknown[];
}

export type Reply = { readonly id: number; readonly value: unknown } | { readonly id: number; readonly error: unknown };

/** What of a message moves instead of being copied: bitmaps and arrays that a job made. */
export function movable(value: unknown): Transferable[] {
  if (typeof ImageBitmap !== "undefined" && value instanceof ImageBitmap) return [value];
  if (value instanceof Uint8Array) return [value.buffer as ArrayBuffer];
  if (value && typeof value === "object" && "values" in value) return movable(value.values);
  return [];
}
