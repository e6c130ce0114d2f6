/** The engine alone on a page, for tests with real pointers. */

import { createCanvas, type CanvasEvents, type CanvasOptions, type PaintCanvas, type PictureTiles } from "../../src/canvas";

interface Heard {
  readonly name: string;
  readonly value: unknown;
}

interface Page {
  canvas: PaintCanvas;
  heard: Heard[];
  /** A drawn picture: areas of flat colour, fine lines, a gradient. */
  bitmap(width: number, height: number, hue?: number): Promise<ImageBitmap>;
  tiles(width: number, height: number): PictureTiles & { readonly asked: string[]; broken: boolean };
  renew(options: CanvasOptions): void;
  /** Mask values as rows of numbers are too long to pass: this sums them up. */
  sum(id?: string): number;
  value(x: number, y: number, id?: string): number;
  base64(data: Uint8Array): string;
  /** Milliseconds between frames since the last call. */
  frames(): number[];
}

const EVENTS: (keyof CanvasEvents)[] = [
  "view", "tool", "brush", "mask", "masks", "sketch", "strokeBegin", "strokeEnd", "history", "colour", "margins", "point", "box", "compare", "busy", "error",
];

function drawn(width: number, height: number, hue: number): OffscreenCanvas {
  const canvas = new OffscreenCanvas(width, height);
  const paint = canvas.getContext("2d")!;
  const sky = paint.createLinearGradient(0, 0, 0, height);
  sky.addColorStop(0, `hsl(${hue} 60% 70%)`);
  sky.addColorStop(1, `hsl(${hue + 60} 40% 30%)`);
  paint.fillStyle = sky;
  paint.fillRect(0, 0, width, height);
  const step = Math.max(40, Math.round(width / 20));
  for (let x = 0; x < width; x += step) {
    for (let y = 0; y < height; y += step) {
      paint.fillStyle = `hsl(${(x + y * 3) % 360} 55% 50%)`;
      paint.fillRect(x + step / 4, y + step / 4, step / 2, step / 2);
      paint.fillStyle = "#fff";
      paint.fillRect(x, y, 1, step);
      paint.fillRect(x, y, step, 1);
    }
  }
  return canvas;
}

const heard: Heard[] = [];
let frames: number[] = [];
let last = performance.now();
const tick = (): void => {
  const now = performance.now();
  frames.push(now - last);
  last = now;
  requestAnimationFrame(tick);
};
requestAnimationFrame(tick);

const host = document.getElementById("host")!;
function make(options: CanvasOptions): PaintCanvas {
  const canvas = createCanvas(host, options);
  heard.length = 0;
  for (const name of EVENTS) canvas.on(name, (value) => void heard.push({ name, value: name === "error" ? String((value as CanvasEvents["error"]).error) : value }));
  return canvas;
}

const page: Page = {
  canvas: make({}),
  heard,
  bitmap: async (width, height, hue = 200) => createImageBitmap(drawn(width, height, hue)),
  tiles(width, height) {
    const asked: string[] = [];
    return {
      size: { width, height },
      asked,
      broken: false,
      async load({ level, box, size }, signal) {
        if (this.broken) throw new TypeError("no connection");
        asked.push(`${level} ${box.left},${box.top},${box.right},${box.bottom}`);
        await new Promise((resolve) => setTimeout(resolve, 5));
        signal.throwIfAborted();
        const canvas = new OffscreenCanvas(size.width, size.height);
        const paint = canvas.getContext("2d")!;
        paint.fillStyle = `hsl(${(box.left / 7 + box.top / 3) % 360} 50% 55%)`;
        paint.fillRect(0, 0, size.width, size.height);
        return canvas.transferToImageBitmap();
      },
    };
  },
  renew(options) {
    page.canvas.destroy();
    page.canvas = make(options);
  },
  sum: (id) => page.canvas.readMask(id).values.reduce((sum, value) => sum + value, 0),
  value: (x, y, id) => page.canvas.readMask(id, { left: x, top: y, right: x + 1, bottom: y + 1 }).values[0]!,
  base64(data) {
    let text = "";
    for (let at = 0; at < data.length; at += 8192) text += String.fromCharCode(...data.subarray(at, at + 8192));
    return btoa(text);
  },
  frames() {
    const found = frames;
    frames = [];
    return found;
  },
};

(window as unknown as { page: Page }).page = page;
