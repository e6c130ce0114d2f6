/**
 * PNG by hand: values go in and out exactly, without a browser's canvas, which multiplies by alpha and converts colours.
 * PNG specification, third edition (W3C 2025); deflate by the platform's CompressionStream.
 */

import type { GreyRaster, Size } from "./types";

const SIGNATURE = [137, 80, 78, 71, 13, 10, 26, 10];
const CRC = Uint32Array.from({ length: 256 }, (_, n) => {
  for (let k = 0; k < 8; k++) n = n & 1 ? 0xedb88320 ^ (n >>> 1) : n >>> 1;
  return n;
});

/** Decoded samples: 8 bits each, or 16 big-endian bits reduced to their high byte. */
export interface PngRaster extends Size {
  readonly channels: 1 | 2 | 3 | 4;
  readonly values: Uint8Array<ArrayBuffer>;
}

export class PngError extends Error {
  override readonly name = "PngError";
}

export async function encodePng(size: Size, channels: 1 | 4, values: Uint8Array): Promise<Uint8Array<ArrayBuffer>> {
  const { width, height } = size;
  const line = width * channels;
  if (values.length !== line * height) throw new PngError(`${values.length} values do not make ${width} x ${height} x ${channels}`);
  // Rows as they are, or as differences to the row above where that has more zeros: masks and sketches are mostly flat.
  const raw = new Uint8Array((line + 1) * height);
  for (let y = 0; y < height; y++) {
    const at = y * (line + 1);
    const from = y * line;
    if (y === 0) {
      raw.set(values.subarray(0, line), 1);
      continue;
    }
    raw[at] = 2;
    for (let i = 0; i < line; i++) raw[at + 1 + i] = values[from + i]! - values[from - line + i]!;
  }
  const head = new Uint8Array(13);
  const view = new DataView(head.buffer);
  view.setUint32(0, width);
  view.setUint32(4, height);
  head.set([8, channels === 1 ? 0 : 6, 0, 0, 0], 8);
  const data = await through(raw, new CompressionStream("deflate"));
  const chunks = [Uint8Array.from(SIGNATURE), chunk("IHDR", head), chunk("IDAT", data), chunk("IEND", new Uint8Array())];
  return joined(chunks);
}

/** Every PNG that is not interlaced. Colours of a palette are looked up; a transparent colour (tRNS) becomes alpha of palettes only. */
export async function decodePng(bytes: Uint8Array): Promise<PngRaster> {
  if (!isPng(bytes)) throw new PngError("this is not a PNG file");
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  let [width, height, depth, type] = [0, 0, 0, 0];
  let palette = new Uint8Array();
  let clear = new Uint8Array();
  const parts: Uint8Array<ArrayBuffer>[] = [];
  let ended = false;
  for (let at = 8; at + 12 <= bytes.length && !ended; ) {
    const length = view.getUint32(at);
    const name = String.fromCharCode(...bytes.subarray(at + 4, at + 8));
    const data = bytes.slice(at + 8, at + 8 + length);
    if (data.length < length) throw new PngError("the file ends too early");
    if (name === "IHDR") {
      [width, height] = [view.getUint32(at + 8), view.getUint32(at + 12)];
      [depth, type] = [bytes[at + 16]!, bytes[at + 17]!];
      if (bytes[at + 20] !== 0) throw new PngError("interlaced PNG files are not read here");
    } else if (name === "PLTE") palette = data;
    else if (name === "tRNS") clear = data;
    else if (name === "IDAT") parts.push(data);
    ended ||= name === "IEND";
    at += 12 + length;
  }
  if (!ended) throw new PngError("the file ends too early");
  const samples = { 0: 1, 2: 3, 3: 1, 4: 2, 6: 4 }[type] as 1 | 2 | 3 | 4 | undefined;
  if (!samples || width === 0 || height === 0 || ![1, 2, 4, 8, 16].includes(depth)) throw new PngError("the header of this PNG file is wrong");
  const line = Math.ceil((width * samples * depth) / 8);
  const raw = await through(joined(parts), new DecompressionStream("deflate"));
  if (raw.length < (line + 1) * height) throw new PngError("the file has too few rows");
  const rows = unfilter(raw, line, height, Math.max(1, (samples * depth) >> 3));
  const values = toBytes(rows, line, { width, height }, samples, depth, type === 3);
  if (type !== 3) return { width, height, channels: samples, values };
  const channels = clear.length ? 4 : 3;
  const found = new Uint8Array(width * height * channels);
  for (let i = 0; i < values.length; i++) {
    const index = values[i]!;
    for (let c = 0; c < 3; c++) found[i * channels + c] = palette[index * 3 + c] ?? 0;
    if (channels === 4) found[i * 4 + 3] = clear[index] ?? 255;
  }
  return { width, height, channels, values: found };
}

export const isPng = (bytes: Uint8Array): boolean => SIGNATURE.every((byte, i) => bytes[i] === byte);

/** One value a pixel: grey as it is; alpha where only alpha varies; else luma (Rec. 601, as Pillow's "L"). */
export function toGrey({ width, height, channels, values }: PngRaster): GreyRaster {
  if (channels === 1) return { width, height, values };
  const found = new Uint8Array(width * height);
  const colours = channels < 3 ? 1 : 3;
  const alpha = channels === 2 || channels === 4;
  let byAlpha = alpha && varies(values, channels, channels - 1);
  for (let c = 0; byAlpha && c < colours; c++) byAlpha = !varies(values, channels, c);
  for (let i = 0; i < found.length; i++) {
    const at = i * channels;
    if (byAlpha) found[i] = values[at + channels - 1]!;
    else if (colours === 1) found[i] = values[at]!;
    else found[i] = (values[at]! * 19595 + values[at + 1]! * 38470 + values[at + 2]! * 7471 + 0x8000) >> 16;
  }
  return { width, height, values: found };
}

function varies(values: Uint8Array, step: number, offset: number): boolean {
  for (let i = offset; i < values.length; i += step) if (values[i] !== values[offset]) return true;
  return false;
}

/** RGBA of any kind of PNG. */
export function toRgba({ width, height, channels, values }: PngRaster): Uint8Array<ArrayBuffer> {
  if (channels === 4) return values;
  const found = new Uint8Array(width * height * 4);
  for (let i = 0; i < width * height; i++) {
    const at = i * channels;
    const grey = channels < 3;
    found[i * 4] = values[at]!;
    found[i * 4 + 1] = values[grey ? at : at + 1]!;
    found[i * 4 + 2] = values[grey ? at : at + 2]!;
    found[i * 4 + 3] = channels === 2 ? values[at + 1]! : 255;
  }
  return found;
}

function unfilter(raw: Uint8Array, line: number, height: number, step: number): Uint8Array {
  const found = new Uint8Array(line * height);
  for (let y = 0; y < height; y++) {
    const filter = raw[y * (line + 1)]!;
    const from = y * (line + 1) + 1;
    const at = y * line;
    for (let i = 0; i < line; i++) {
      const left = i >= step ? found[at + i - step]! : 0;
      const up = y > 0 ? found[at + i - line]! : 0;
      const corner = y > 0 && i >= step ? found[at + i - line - step]! : 0;
      const add = filter === 0 ? 0 : filter === 1 ? left : filter === 2 ? up : filter === 3 ? (left + up) >> 1 : paeth(left, up, corner);
      found[at + i] = raw[from + i]! + add;
    }
  }
  return found;
}

function paeth(left: number, up: number, corner: number): number {
  const guess = left + up - corner;
  const [a, b, c] = [Math.abs(guess - left), Math.abs(guess - up), Math.abs(guess - corner)];
  return a <= b && a <= c ? left : b <= c ? up : corner;
}

function toBytes(rows: Uint8Array, line: number, size: Size, samples: number, depth: number, indexed: boolean): Uint8Array<ArrayBuffer> {
  const count = size.width * samples;
  const found = new Uint8Array(count * size.height);
  const most = (1 << depth) - 1;
  for (let y = 0; y < size.height; y++) {
    for (let i = 0; i < count; i++) {
      const at = y * line;
      if (depth === 8) found[y * count + i] = rows[at + i]!;
      else if (depth === 16) found[y * count + i] = rows[at + 2 * i]!;
      else {
        const bit = i * depth;
        const value = (rows[at + (bit >> 3)]! >> (8 - depth - (bit & 7))) & most;
        found[y * count + i] = indexed ? value : (value * 255) / most;
      }
    }
  }
  return found;
}

async function through(bytes: Uint8Array<ArrayBuffer>, stream: CompressionStream | DecompressionStream): Promise<Uint8Array<ArrayBuffer>> {
  try {
    return new Uint8Array(await new Response(new Blob([bytes]).stream().pipeThrough(stream)).arrayBuffer());
  } catch (error) {
    throw new PngError("the packed data of this PNG file are broken", { cause: error });
  }
}

function chunk(name: string, data: Uint8Array): Uint8Array<ArrayBuffer> {
  const found = new Uint8Array(data.length + 12);
  const view = new DataView(found.buffer);
  view.setUint32(0, data.length);
  for (let i = 0; i < 4; i++) found[4 + i] = name.charCodeAt(i);
  found.set(data, 8);
  let crc = 0xffffffff;
  for (let i = 4; i < data.length + 8; i++) crc = CRC[(crc ^ found[i]!) & 255]! ^ (crc >>> 8);
  view.setUint32(data.length + 8, ~crc >>> 0);
  return found;
}

function joined(parts: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
  const found = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    found.set(part, at);
    at += part.length;
  }
  return found;
}
