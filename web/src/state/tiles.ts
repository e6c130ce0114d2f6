// The session's picture in parts, as the canvas asks for them.
import { API, bytes, type SessionStatus } from "../api/client";
import type { Box, PictureTiles, Size, TileRequest } from "../canvas";

export interface Look {
  readonly session: string;
  readonly of: "now" | "original";
  /** Digest of what is shown: a browser keeps a part with it for good. */
  readonly digest: string;
}

/** The address of a part. Parts in full size come without loss: they are what a person judges by. */
export function partPath(look: Look, box: Box, side: number, format: "png" | "webp"): string {
  const query = new URLSearchParams({
    box: [box.left, box.top, box.right, box.bottom].join(),
    side: String(Math.max(16, Math.min(4096, side))),
    format,
    of: look.of,
    v: look.digest,
  });
  return `/sessions/${look.session}/picture?${query}`;
}

async function part(look: Look, tile: TileRequest, box: Box, signal: AbortSignal): Promise<ImageBitmap> {
  const side = Math.max(tile.size.width, tile.size.height);
  const reply = await bytes(partPath(look, box, side, tile.level === 0 ? "png" : "webp"), { signal });
  return createImageBitmap(await reply.blob());
}

/** The picture as it is now. The status is asked each time, so that one source serves all versions of a size. */
export function presentTiles(status: () => SessionStatus | null, size: Size): PictureTiles {
  return {
    size,
    load: async (tile, signal) => {
      const now = status();
      if (!now) return null;
      return part({ session: now.id, of: "now", digest: now.picture }, tile, tile.box, signal);
    },
  };
}

/** The original under a picture that may have grown beyond it: `left` and `top` say where the picture begins in it. */
export function originalTiles(status: SessionStatus): PictureTiles {
  const original: Size = { width: status.original_width, height: status.original_height };
  return {
    size: { width: status.width, height: status.height },
    load: async (tile, signal) => {
      const wanted = {
        left: tile.box.left + status.left,
        top: tile.box.top + status.top,
        right: tile.box.right + status.left,
        bottom: tile.box.bottom + status.top,
      };
      const box = {
        left: Math.max(0, wanted.left),
        top: Math.max(0, wanted.top),
        right: Math.min(original.width, wanted.right),
        bottom: Math.min(original.height, wanted.bottom),
      };
      if (box.left >= box.right || box.top >= box.bottom) return null;
      const look: Look = { session: status.id, of: "original", digest: status.original };
      const whole = box.left === wanted.left && box.top === wanted.top && box.right === wanted.right && box.bottom === wanted.bottom;
      if (whole) return part(look, tile, tile.box.left === box.left && tile.box.top === box.top ? tile.box : box, signal);
      const scale = tile.size.width / (wanted.right - wanted.left);
      const inner = {
        ...tile,
        size: { width: Math.ceil((box.right - box.left) * scale), height: Math.ceil((box.bottom - box.top) * scale) },
      };
      const found = await part(look, inner, box, signal);
      const canvas = new OffscreenCanvas(tile.size.width, tile.size.height);
      canvas
        .getContext("2d")
        ?.drawImage(found, (box.left - wanted.left) * scale, (box.top - wanted.top) * scale, inner.size.width, inner.size.height);
      found.close();
      return canvas.transferToImageBitmap();
    },
  };
}

/** Where the old picture's corner lies in the new one; undefined where neither its place nor its size changed. */
export function movedBy(before: SessionStatus, now: SessionStatus): { x: number; y: number } | undefined {
  const same = before.left === now.left && before.top === now.top && before.width === now.width && before.height === now.height;
  return same ? undefined : { x: before.left - now.left, y: before.top - now.top };
}

/** A step's box in pixels of the present picture, a little larger, cut at its edges. */
export function boxOf(status: SessionStatus, box: readonly number[], pad = 0): Box {
  const [left = 0, top = 0, right = 0, bottom = 0] = box;
  return {
    left: Math.max(0, left - status.left - pad),
    top: Math.max(0, top - status.top - pad),
    right: Math.min(status.width, right - status.left + pad),
    bottom: Math.min(status.height, bottom - status.top + pad),
  };
}

/** The address of a step's look with one of its takes around its box. */
export function takePath(status: SessionStatus, step: number, take: number, box: Box, side: number, format = "webp"): string {
  const query = new URLSearchParams({
    take: String(take),
    box: [box.left, box.top, box.right, box.bottom].join(),
    side: String(side),
    format,
  });
  return `/sessions/${status.id}/steps/${step}/picture?${query}`;
}

export const address = (path: string): string => API + path;
