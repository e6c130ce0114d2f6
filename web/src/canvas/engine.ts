/** The engine: one canvas, put together from its parts. */

import { boxOf, clamp, intersect, sameSize } from "./boxes";
import { BRUSHES, NO_MARGINS, setBrush, setTool, type Board } from "./board";
import { colourAt, likeColours } from "./colours";
import { Emitter } from "./emitter";
import { PolygonTool } from "./gestures";
import { History } from "./history";
import { Keys } from "./keys";
import { Layers } from "./layers";
import { Masks } from "./masks";
import { TiledPicture } from "./picture";
import { Pointers, type Held } from "./pointer";
import { Scene } from "./scene";
import { Sketch } from "./sketch";
import { BitmapPicture, GivenTiles, isTiles } from "./sources";
import { Viewport } from "./view";
import { Workshop } from "./workshop";
import type {
  Box,
  BrushSettings,
  BrushTool,
  CanvasEvents,
  CanvasOptions,
  Combine,
  Compare,
  FillSettings,
  GreyRaster,
  HistoryState,
  HistoryStep,
  ImportOptions,
  Margins,
  MaskChange,
  MaskInfo,
  MaskLook,
  Outline,
  PaintCanvas,
  PatchPreview,
  PictureOptions,
  PictureSource,
  Point,
  Rgba,
  Size,
  ToolName,
  View,
} from "./types";

const MIB = 2 ** 20;

export class Engine implements PaintCanvas {
  readonly #board: Board;
  readonly #scene: Scene;
  readonly #layers: Layers;
  readonly #pointers: Pointers;
  readonly #keys: Keys;
  readonly #polygon: PolygonTool;
  readonly #pictures = new Workshop();
  readonly #events = new Emitter<CanvasEvents>();
  readonly #viewport = new Viewport();
  readonly #motion = matchMedia("(prefers-reduced-motion: reduce)");
  readonly #motionChanged = (): void => this.setReducedMotion(this.#motion.matches);

  constructor(
    host: HTMLElement,
    readonly options: CanvasOptions,
  ) {
    const wide = options.colorSpace ?? (matchMedia("(color-gamut: p3)").matches ? "display-p3" : "srgb");
    const held: Held = { space: false, control: false };
    const history = new History(options.historyBytes ?? 256 * MIB, (state) => this.#events.emit("history", state));
    // The parts know the board, and the board knows them: those that come later are set right below.
    const board: { -readonly [K in keyof Board]: Board[K] } = {
      host,
      events: this.#events,
      history,
      viewport: this.#viewport,
      workshop: new Workshop(),
      size: null,
      tool: "brush",
      combine: "add",
      clings: false,
      brushes: { ...BRUSHES },
      fill: { by: "mask", tolerance: 24, connected: true },
      colour: { red: 40, green: 120, blue: 220, alpha: 255 },
      compare: { mode: "off" },
      loupe: false,
      margins: NO_MARGINS,
      outlines: [],
      marksShown: true,
      preview: null,
      cursor: null,
      keyboardCursor: false,
      draft: null,
      reducedMotion: options.reducedMotion ?? this.#motion.matches,
      lastPoint: null,
      lineHint: false,
      colourAt: (point: Point) => colourAt(board, this.#layers.picture.canvas, point),
      likeColours: (point: Point) => likeColours(board, this.#scene.now, this.#pictures, point),
    } as unknown as Board;
    this.#board = board;
    let scene: Scene | null = null;
    this.#layers = new Layers(host, options.label ?? "Picture", wide, (size, ratio) => {
      this.#viewport.resize(size, ratio);
      scene?.all();
      if (scene) this.#events.emit("view", this.view);
    });
    this.#scene = scene = new Scene(board, this.#layers);
    board.redraw = scene;
    board.masks = new Masks(board);
    board.sketch = new Sketch(board);
    board.masks.add({});
    board.workshop.warm();
    this.#polygon = new PolygonTool(board);
    const { root } = this.#layers;
    this.#pointers = new Pointers(board, root, held, this.#polygon);
    const viewed = (): void => this.#viewed();
    const actions = {
      undo: () => void this.undo().catch((error: unknown) => this.#events.emit("error", { what: "undo", error })),
      redo: () => void this.redo().catch((error: unknown) => this.#events.emit("error", { what: "redo", error })),
      fit: () => this.fit(),
      zoomTo: (zoom: number) => this.zoomTo(zoom),
      zoomBy: (factor: number) => this.zoomBy(factor),
      viewed,
    };
    this.#keys = new Keys(board, root, held, this.#pointers, this.#polygon, actions, options.undoKeys ?? true);
    this.#keys.keyboardBrush = options.keyboardBrush ?? false;
    if (options.keyTarget !== null) this.#keys.listen(options.keyTarget ?? root);
    if (options.reducedMotion === undefined) this.#motion.addEventListener("change", this.#motionChanged);
  }

  on<K extends keyof CanvasEvents>(event: K, listener: (value: CanvasEvents[K]) => void): () => void {
    return this.#events.on(event, listener);
  }

  destroy(): void {
    this.#pointers.destroy();
    this.#keys.destroy();
    this.#motion.removeEventListener("change", this.#motionChanged);
    this.#scene.destroy();
    this.#layers.destroy();
    this.#pictures.close();
    this.#board.workshop.close();
    this.#events.clear();
  }

  handleKey(event: KeyboardEvent): boolean {
    return this.#keys.handle(event);
  }

  focus(): void {
    this.#layers.root.focus({ preventScroll: true });
  }

  // The picture

  get size(): Size | null {
    return this.#board.size;
  }

  setPicture(source: PictureSource | null, options: PictureOptions = {}): void {
    const board = this.#board;
    this.#pointers.finish();
    this.#polygon.cancel();
    const old = board.size;
    const opened = source && this.#open(source, options.ownBitmap ?? false);
    const size = opened?.source.size ?? null;
    const same = sameSize(old, size);
    // What an unfinished change of pictures still showed goes first.
    this.#scene.before?.close();
    this.#scene.before = same ? this.#scene.now : null;
    if (!same) this.#scene.now?.close();
    this.#scene.now = opened;
    board.size = size;
    const kept = options.oldAt ?? (same ? { x: 0, y: 0 } : null);
    if (!kept) this.#forget();
    else if (kept.x || kept.y) this.#moveOrigin(kept);
    if (size) this.#viewport.picture = size;
    if (kept && (options.keepView ?? same)) {
      const { centre } = this.#viewport;
      if (!this.#viewport.fitted) this.#viewport.set(this.#viewport.zoom, { x: centre.x + kept.x, y: centre.y + kept.y });
      else this.#viewport.fit();
    } else this.#viewport.fit();
    if (!Object.values(board.margins).every((value) => value === 0)) this.setMargins(NO_MARGINS);
    this.#viewed();
  }

  setOriginal(source: PictureSource | null): void {
    this.#scene.original?.close();
    this.#scene.original = source && this.#open(source, false);
    this.#scene.picture();
  }

  refreshPicture(box?: Box): void {
    this.#scene.now?.refresh(box ?? null);
    this.#scene.picture();
  }

  setPreview(patch: PatchPreview | null): void {
    this.#board.preview = patch;
    this.#scene.picture();
  }

  settled(): Promise<void> {
    return this.#scene.settled();
  }

  // The view

  get view(): View {
    return this.#viewport.view;
  }

  setView({ zoom, centre }: { readonly zoom?: number; readonly centre?: Point }): void {
    this.#viewport.set(zoom ?? this.#viewport.zoom, centre ?? this.#viewport.centre);
    this.#viewed();
  }

  fit(): void {
    this.#viewport.fit();
    this.#viewed();
  }

  zoomTo(zoom: number, at?: Point): void {
    this.#viewport.zoomTo(zoom, at);
    this.#viewed();
  }

  zoomBy(factor: number, at?: Point): void {
    this.zoomTo(this.#viewport.zoom * factor, at);
  }

  panBy(screen: Point): void {
    this.#viewport.panBy(screen);
    this.#viewed();
  }

  toScreen(picture: Point): Point {
    return this.#viewport.toScreen(picture);
  }

  toPicture(screen: Point): Point {
    return this.#viewport.toPicture(screen);
  }

  setLoupe(on: boolean): void {
    this.#board.loupe = on;
    this.#scene.top();
  }

  get compare(): Compare {
    return this.#board.compare;
  }

  setCompare(compare: Compare): void {
    this.#board.compare = compare.mode === "split" ? { mode: "split", at: clamp(compare.at, 0, 1) } : compare;
    this.#events.emit("compare", this.#board.compare);
    this.#scene.all();
  }

  // Tools

  get tool(): ToolName {
    return this.#board.tool;
  }

  setTool(tool: ToolName): void {
    if (tool !== this.#board.tool) {
      this.#pointers.finish();
      this.#polygon.cancel();
    }
    setTool(this.#board, tool);
  }

  get combine(): Combine {
    return this.#board.combine;
  }

  setCombine(combine: Combine): void {
    this.#board.combine = combine;
    this.#events.emit("tool", { tool: this.tool, combine });
  }

  setClings(clings: boolean): void {
    this.#board.clings = clings;
  }

  brush(tool: BrushTool): BrushSettings {
    return this.#board.brushes[tool];
  }

  setBrush(tool: BrushTool, settings: Partial<BrushSettings>): void {
    setBrush(this.#board, tool, settings);
  }

  get fillSettings(): FillSettings {
    return this.#board.fill;
  }

  setFill(settings: Partial<FillSettings>): void {
    this.#board.fill = { ...this.#board.fill, ...settings };
  }

  get colour(): Rgba {
    return this.#board.colour;
  }

  setColour(colour: Rgba): void {
    this.#board.colour = colour;
    this.#events.emit("colour", colour);
  }

  setKeyboardBrush(on: boolean): void {
    this.#keys.keyboardBrush = on;
    if (!on) this.#board.keyboardCursor = false;
    this.#scene.top();
  }

  setReducedMotion(on: boolean): void {
    this.#board.reducedMotion = on;
    this.#scene.top();
  }

  get painting(): boolean {
    return this.#pointers.painting || this.#polygon.open;
  }

  cancelStroke(): void {
    this.#pointers.cancel();
  }

  // Masks

  get masks(): readonly MaskInfo[] {
    return this.#board.masks.all.map(({ info }) => info);
  }

  get activeMask(): string {
    return this.#board.masks.active.info.id;
  }

  addMask(look: MaskLook = {}): string {
    return this.#board.masks.add(look);
  }

  removeMask(id: string): void {
    this.#pointers.finish();
    this.#board.masks.remove(id);
  }

  setActiveMask(id: string): void {
    this.#pointers.finish();
    this.#polygon.cancel();
    this.#board.masks.activate(id);
  }

  setMaskLook(id: string, look: MaskLook): void {
    this.#board.masks.look(id, look);
  }

  isEmpty(id?: string): boolean {
    return this.maskBox(id) === null;
  }

  maskBox(id?: string): Box | null {
    return this.#board.masks.bounds(this.#board.masks.find(id));
  }

  readMask(id?: string, box?: Box): GreyRaster {
    const whole = this.size ? boxOf(this.size) : { left: 0, top: 0, right: 0, bottom: 0 };
    return this.#board.masks.read(this.#board.masks.find(id), box ? intersect(box, whole) : whole);
  }

  exportMask(id?: string): Promise<Uint8Array<ArrayBuffer>> {
    return this.#board.masks.save(this.#board.masks.find(id));
  }

  importMask(
    data: Uint8Array | Blob | GreyRaster,
    { id, combine = "replace", undoable = true, label = "Load mask" }: ImportOptions = {},
  ): Promise<void> {
    return this.#board.masks.load(data, this.#board.masks.find(id), combine, undoable, label);
  }

  async refineMask(change: MaskChange, id?: string): Promise<void> {
    this.#pointers.finish();
    await this.#board.masks.refine(change, this.#board.masks.find(id));
  }

  paintArea(points: readonly Point[], combine: Combine = "add", id?: string): void {
    this.#pointers.finish();
    this.#board.masks.area(points, combine, "Area", this.#board.masks.find(id));
  }

  // The sketch

  get sketchEmpty(): boolean {
    return this.sketchBox() === null;
  }

  sketchBox(): Box | null {
    return this.#board.sketch.bounds();
  }

  exportSketch(): Promise<Uint8Array<ArrayBuffer>> {
    return this.#board.sketch.save();
  }

  importSketch(data: Uint8Array | Blob, { undoable = true }: { readonly undoable?: boolean } = {}): Promise<void> {
    return this.#board.sketch.load(data, undoable);
  }

  clearSketch(): void {
    this.#pointers.finish();
    this.#board.sketch.clear();
  }

  // Over it

  setOutlines(outlines: readonly Outline[]): void {
    this.#board.outlines = outlines;
    this.#scene.top();
  }

  setMarksShown(on: boolean): void {
    this.#board.marksShown = on;
    this.#scene.all();
  }

  get margins(): Margins {
    return this.#board.margins;
  }

  setMargins(margins: Margins): void {
    this.#board.margins = margins;
    this.#events.emit("margins", { margins, final: true });
    this.#scene.top();
  }

  // History

  get history(): HistoryState {
    return this.#board.history.state;
  }

  async undo(): Promise<boolean> {
    // A stroke under way is what undo means first.
    if (this.#pointers.painting) return this.#pointers.cancel();
    if (this.#polygon.open) {
      this.#polygon.removeLast();
      return true;
    }
    return this.#board.history.undo();
  }

  redo(): Promise<boolean> {
    this.#pointers.finish();
    return this.#board.history.redo();
  }

  pushHistory(step: HistoryStep): void {
    this.#board.history.push(step);
  }

  clearHistory(): void {
    this.#board.history.clear();
  }

  #open(source: PictureSource, own: boolean): TiledPicture {
    const opened = isTiles(source) ? new GivenTiles(source) : new BitmapPicture(this.#pictures, source, own);
    const failed = (error: unknown): void => this.#events.emit("error", { what: "picture", error });
    return new TiledPicture(opened, this.options.pictureBytes ?? 384 * MIB, () => this.#scene.picture(), failed);
  }

  /** Another picture: nothing of the old one's masks, sketch and history means anything on it. */
  #forget(): void {
    this.#board.masks.reset();
    this.#board.sketch.reset();
    this.#board.history.clear();
    this.#board.lastPoint = null;
    this.#board.preview = null;
    this.#board.outlines = [];
  }

  #moveOrigin({ x, y }: Point): void {
    const { masks, sketch } = this.#board;
    const origin = { x: masks.origin.x - x, y: masks.origin.y - y };
    masks.setOrigin(origin);
    sketch.raster.origin = origin;
    const last = this.#board.lastPoint;
    if (last) this.#board.lastPoint = { x: last.x + x, y: last.y + y };
  }

  #viewed(): void {
    this.#events.emit("view", this.view);
    this.#scene.all();
  }
}
