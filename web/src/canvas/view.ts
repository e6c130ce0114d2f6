/** From the picture to the screen and back. */

import { clamp } from "./boxes";
import type { Box, Point, Size, View } from "./types";

export const ZOOMS = { least: 0.1, most: 8 } as const;
const MARGIN = 24;

/** A host of `width` x `height` CSS pixels, `ratio` device pixels each, that shows a picture. */
export class Viewport {
  host: Size = { width: 1, height: 1 };
  ratio = 1;
  picture: Size = { width: 1, height: 1 };
  zoom = 1;
  centre: Point = { x: 0.5, y: 0.5 };
  fitted = true;

  get view(): View {
    return { zoom: this.zoom, centre: this.centre, fitted: this.fitted };
  }

  get fitZoom(): number {
    const { host, ratio, picture } = this;
    const room = Math.min(MARGIN, host.width / 8, host.height / 8) * 2;
    const fit = Math.min((host.width - room) / picture.width, (host.height - room) / picture.height) * ratio;
    return clamp(fit, 1e-3, ZOOMS.most);
  }

  /** CSS pixels a picture pixel. */
  get scale(): number {
    return this.zoom / this.ratio;
  }

  /**
   * Device pixels of the picture's left top corner. Whole ones, so that picture pixels at whole zooms lie on the screen's pixels
   * exactly, and tiles meet without a seam.
   */
  get corner(): Point {
    return {
      x: Math.round((this.host.width * this.ratio) / 2 - this.centre.x * this.zoom),
      y: Math.round((this.host.height * this.ratio) / 2 - this.centre.y * this.zoom),
    };
  }

  toScreen(point: Point): Point {
    const { x, y } = this.corner;
    return { x: (x + point.x * this.zoom) / this.ratio, y: (y + point.y * this.zoom) / this.ratio };
  }

  toPicture(screen: Point): Point {
    const { x, y } = this.corner;
    return { x: (screen.x * this.ratio - x) / this.zoom, y: (screen.y * this.ratio - y) / this.zoom };
  }

  /** A box in device pixels, its edges whole. */
  toDevice(box: Box): Box {
    const { x, y } = this.corner;
    return {
      left: Math.round(x + box.left * this.zoom),
      top: Math.round(y + box.top * this.zoom),
      right: Math.round(x + box.right * this.zoom),
      bottom: Math.round(y + box.bottom * this.zoom),
    };
  }

  /** The part of the picture's plane that the host shows. */
  get seen(): Box {
    const from = this.toPicture({ x: 0, y: 0 });
    const to = this.toPicture({ x: this.host.width, y: this.host.height });
    return { left: from.x, top: from.y, right: to.x, bottom: to.y };
  }

  fit(): void {
    this.zoom = this.fitZoom;
    this.centre = { x: this.picture.width / 2, y: this.picture.height / 2 };
    this.fitted = true;
  }

  /** Keeps the picture point under `at` where it is. */
  zoomTo(zoom: number, at: Point = { x: this.host.width / 2, y: this.host.height / 2 }): void {
    const kept = this.toPicture(at);
    this.zoom = clamp(zoom, Math.min(ZOOMS.least, this.fitZoom), ZOOMS.most);
    this.centre = {
      x: kept.x - (at.x - this.host.width / 2) / this.scale,
      y: kept.y - (at.y - this.host.height / 2) / this.scale,
    };
    this.fitted = false;
    this.#hold();
  }

  panBy(screen: Point): void {
    this.centre = { x: this.centre.x - screen.x / this.scale, y: this.centre.y - screen.y / this.scale };
    this.fitted = false;
    this.#hold();
  }

  set(zoom: number, centre: Point): void {
    this.zoom = clamp(zoom, Math.min(ZOOMS.least, this.fitZoom), ZOOMS.most);
    this.centre = centre;
    this.fitted = false;
    this.#hold();
  }

  /** The host has another size or density: the zoom on the screen stays, and so does the middle; a fitted view fits again. */
  resize(host: Size, ratio: number): void {
    const scale = this.scale;
    this.host = { width: Math.max(1, host.width), height: Math.max(1, host.height) };
    this.ratio = ratio;
    if (this.fitted) this.fit();
    else this.zoom = clamp(scale * ratio, Math.min(ZOOMS.least, this.fitZoom), ZOOMS.most);
  }

  /** The middle of the host stays over the picture, so that it cannot be lost from sight. */
  #hold(): void {
    this.centre = { x: clamp(this.centre.x, 0, this.picture.width), y: clamp(this.centre.y, 0, this.picture.height) };
  }
}
