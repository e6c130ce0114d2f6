/** Colours of what is seen, and areas of like colours. */

import type { Board } from "./board";
import type { TiledPicture } from "./picture";
import type { Point, Rgba, Size } from "./types";
import type { Workshop } from "./workshop";

const isInside = (size: Size, { x, y }: Point): boolean => x >= 0 && y >= 0 && x < size.width && y < size.height;

/** The picture layer's pixel as it is drawn there, in sRGB, and the sketch over it. Null beyond the picture. */
export function colourAt(board: Board, layer: HTMLCanvasElement, point: Point): Rgba | null {
  const { size, sketch, viewport } = board;
  if (!size || !isInside(size, point)) return null;
  const screen = viewport.toScreen(point);
  const context = new OffscreenCanvas(1, 1).getContext("2d", { willReadFrequently: true })!;
  context.drawImage(layer, Math.floor(screen.x * viewport.ratio), Math.floor(screen.y * viewport.ratio), 1, 1, 0, 0, 1, 1);
  const [red, green, blue] = context.getImageData(0, 0, 1, 1).data;
  const [x, y] = [Math.floor(point.x), Math.floor(point.y)];
  const [r, g, b, a] = sketch.raster.read({ left: x, top: y, right: x + 1, bottom: y + 1 });
  const share = a! / 255;
  const mix = (below: number, above: number): number => Math.round(below + (above - below) * share);
  return { red: mix(red!, r!), green: mix(green!, g!), blue: mix(blue!, b!), alpha: 255 };
}

/** 255 for each pixel that the fill's settings find like the one at `point`; null beyond the picture. */
export async function likeColours(board: Board, picture: TiledPicture | null, workshop: Workshop, point: Point): Promise<Uint8Array | null> {
  const { size, fill } = board;
  if (!size || !picture || !isInside(size, point)) return null;
  const pixels = await picture.source.pixels();
  const moved = typeof pixels === "number" ? [] : pixels.map(({ bitmap }) => bitmap);
  return workshop.call("fillColour", [pixels, size, point, fill.tolerance, fill.connected], moved);
}
