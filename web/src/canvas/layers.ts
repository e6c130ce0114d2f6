/** Three canvases, one over the other, as large as the host in device pixels: picture, overlay (sketch and masks), top (lines and cursor). */

import type { Size } from "./types";

export interface Layer {
  readonly canvas: HTMLCanvasElement;
  readonly context: CanvasRenderingContext2D;
}

export class Layers {
  readonly root: HTMLDivElement;
  readonly picture: Layer;
  readonly overlay: Layer;
  readonly top: Layer;
  readonly #observer: ResizeObserver;
  #density: MediaQueryList | null = null;
  readonly #densityChanged = (): void => {
    this.#watchDensity();
    this.#measure();
  };

  constructor(
    readonly host: HTMLElement,
    label: string,
    colorSpace: PredefinedColorSpace,
    readonly resized: (size: Size, ratio: number) => void,
  ) {
    this.root = document.createElement("div");
    this.root.tabIndex = 0;
    this.root.setAttribute("role", "application");
    this.root.setAttribute("aria-label", label);
    // Set one by one: a strict content policy forbids the style attribute's text, not this.
    Object.assign(this.root.style, { position: "absolute", inset: "0", overflow: "hidden", touchAction: "none", userSelect: "none", outlineOffset: "-2px" });
    this.picture = this.#layer(colorSpace);
    this.overlay = this.#layer("srgb");
    this.top = this.#layer("srgb");
    host.append(this.root);
    this.#observer = new ResizeObserver((entries) => this.#measure(entries[0]));
    try {
      this.#observer.observe(this.root, { box: "device-pixel-content-box" });
    } catch {
      this.#observer.observe(this.root);
    }
    this.#watchDensity();
    this.#measure();
  }

  get device(): Size {
    return this.picture.canvas;
  }

  destroy(): void {
    this.#observer.disconnect();
    this.#density?.removeEventListener("change", this.#densityChanged);
    this.root.remove();
  }

  #layer(colorSpace: PredefinedColorSpace): Layer {
    const canvas = document.createElement("canvas");
    Object.assign(canvas.style, { position: "absolute", left: "0", top: "0", width: "100%", height: "100%", pointerEvents: "none" });
    canvas.setAttribute("aria-hidden", "true");
    this.root.append(canvas);
    const context = canvas.getContext("2d", { colorSpace });
    if (!context) throw new Error("this browser gives no 2D canvas");
    return { canvas, context };
  }

  #measure(entry?: ResizeObserverEntry): void {
    const ratio = window.devicePixelRatio || 1;
    const size = { width: this.root.clientWidth, height: this.root.clientHeight };
    const exact = entry?.devicePixelContentBoxSize?.[0];
    const width = pixels(size.width * ratio, exact?.inlineSize);
    const height = pixels(size.height * ratio, exact?.blockSize);
    for (const { canvas } of [this.picture, this.overlay, this.top]) {
      if (canvas.width !== width) canvas.width = width;
      if (canvas.height !== height) canvas.height = height;
    }
    this.resized(size, ratio);
  }

  /** Moving to another screen changes the density, also where the size stays. */
  #watchDensity(): void {
    this.#density?.removeEventListener("change", this.#densityChanged);
    this.#density = matchMedia(`(resolution: ${window.devicePixelRatio}dppx)`);
    this.#density.addEventListener("change", this.#densityChanged);
  }
}

/** Whole device pixels: the browser's count of them where it has one that agrees with the density (an emulated density does not). */
const pixels = (about: number, exact = about): number => Math.max(1, Math.round(Math.abs(exact - about) < 2 ? exact : about));
