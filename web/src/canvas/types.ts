/**
 * The public types of the canvas engine.
 *
 * Coordinates: "picture" means pixels of the picture, x to the right and y down, (0, 0) the left top corner of the left
 * top pixel. "Screen" means CSS pixels within the canvas's host element. A box excludes its right and bottom edge.
 * Mask values are 0 to 255, and 255 means repaint (or, for masks of another role, "marked").
 */

export interface Point {
  readonly x: number;
  readonly y: number;
}

export interface Size {
  readonly width: number;
  readonly height: number;
}

/** Left and top inclusive, right and bottom exclusive. */
export interface Box {
  readonly left: number;
  readonly top: number;
  readonly right: number;
  readonly bottom: number;
}

/** Pixels of the picture added at each side; never negative. */
export interface Margins {
  readonly left: number;
  readonly top: number;
  readonly right: number;
  readonly bottom: number;
}

/**
 * Where one looks: `zoom` screen (device) pixels a picture pixel, 0.1 to 8 (less where fitting a large picture needs it), so that 1 shows
 * each pixel as one pixel of the screen; `centre` in picture coordinates at the host's middle.
 */
export interface View {
  readonly zoom: number;
  readonly centre: Point;
  /** True while the view follows the host's size ("fit"); a zoom or pan by hand ends it. */
  readonly fitted: boolean;
}

/** One part of the picture at one of its sizes: `level` n means reduced by 2 to the power n. */
export interface TileRequest {
  readonly level: number;
  /** The part in picture coordinates. */
  readonly box: Box;
  /** The size that the bitmap should have: the box's, reduced by the level and rounded up. */
  readonly size: Size;
}

/**
 * A picture that comes in parts, e.g. from `GET /overpaint/sessions/ID/picture?box=L,T,R,B&side=N`.
 *
 * `load` is called for visible parts only, at most `parallel` at a time. A bitmap of another size is stretched. `null` means that
 * there is nothing to draw. A rejected promise is reported as the event `error`, once for
 * all parts that fail together; they are tried again after 2 s, 4 s and so on, or at the next `refreshPicture`.
 */
export interface PictureTiles {
  readonly size: Size;
  /** Side of a part in pixels of its level; 512 if left out. */
  readonly side?: number;
  /** Loads at once; 4 if left out. */
  readonly parallel?: number;
  load(tile: TileRequest, signal: AbortSignal): Promise<ImageBitmap | null>;
}

/** A bitmap is kept by the engine, and closed by it only where `ownBitmap` is set. */
export type PictureSource = ImageBitmap | PictureTiles;

export interface PictureOptions {
  /** Keep zoom and place instead of fitting the picture into the host. Default: true if the size is the same. */
  readonly keepView?: boolean;
  /**
   * Where the old picture's left top corner lies in the new one. Given, masks, sketch and history are kept and move along (e.g.
   * after Expand by 100 px at the left: {x: 100, y: 0}; undone: {x: -100, y: 0}). Left out: kept where the size is
   * the same, else emptied together with the history.
   */
  readonly oldAt?: Point;
  /** Close the bitmap when it is no longer needed. */
  readonly ownBitmap?: boolean;
}

/**
 * `brush`, `eraser`: paint the active mask. `rectangle`, `ellipse`, `lasso`, `polygon`, `fill`: areas of the active mask, combined by
 * `combine`. `sketch`, `sketchEraser`: colour on the sketch layer. `lines`, `linesEraser`: lines on a mask of the role "lines", whichever
 * mask is active. `picker`: takes a colour from what is seen. `point`, `box`:
 * only report where (events `point`, `box`), for selectors of the server. `expand`: drag the picture's edges. `pan`: move the view.
 */
export type ToolName =
  | "brush"
  | "eraser"
  | "rectangle"
  | "ellipse"
  | "lasso"
  | "polygon"
  | "fill"
  | "sketch"
  | "sketchEraser"
  | "lines"
  | "linesEraser"
  | "picker"
  | "point"
  | "box"
  | "expand"
  | "pan";

/** Kept for each brush tool by itself. */
export interface BrushSettings {
  /** Diameter in picture pixels, 1 to 2000. */
  readonly size: number;
  /** 0 (soft from the middle on) to 1 (an antialiased edge of one pixel). */
  readonly hardness: number;
  /** The strongest value that it paints, 0 to 1. */
  readonly opacity: number;
  /** What a pen's pressure changes. Mouse and touch always paint at full pressure. */
  readonly pressure: "size" | "opacity" | "both" | "none";
}

export type BrushTool = "brush" | "eraser" | "sketch" | "sketchEraser" | "lines" | "linesEraser";

export interface FillSettings {
  /** `mask`: the area up to painted borders. `colour`: connected pixels of a like colour. */
  readonly by: "mask" | "colour";
  /** Largest difference of a colour channel, 0 to 255, for `by: "colour"`. */
  readonly tolerance: number;
  /** False: all pixels of a like colour, also far ones. */
  readonly connected: boolean;
}

/** How an area joins what the mask has. */
export type Combine = "add" | "subtract" | "intersect" | "replace";

export interface Rgba {
  /** Each 0 to 255, alpha too; not premultiplied. */
  readonly red: number;
  readonly green: number;
  readonly blue: number;
  readonly alpha: number;
}

/** How a mask is shown. `ants`: its outline, in motion unless the person prefers none. `hatch`: diagonal lines. */
export type MaskStyle = "fill" | "outline" | "ants" | "hatch" | "hidden";

export interface MaskInfo {
  readonly id: string;
  readonly name: string;
  /** Free for the app: what the mask is for. Known here: "repaint", "avoid" (fills must not copy from it), and "lines" (the tool of that name draws on it). */
  readonly role: string;
  readonly colour: Rgba;
  /** Of the overlay, 0 to 1. */
  readonly opacity: number;
  readonly style: MaskStyle;
  /** Free for the app. */
  readonly extra?: Readonly<Record<string, unknown>>;
}

export type MaskLook = Partial<Omit<MaskInfo, "id">>;

/** What `refineMask` does with a mask; all lengths in picture pixels. The picture's edge is no border: nothing shrinks from it. */
export type MaskChange =
  | { readonly kind: "clear" }
  | { readonly kind: "all" }
  | { readonly kind: "invert" }
  /** Exact: the largest value within a disc of this radius. */
  | { readonly kind: "grow"; readonly radius: number }
  /** Exact: the smallest value within a disc of this radius. */
  | { readonly kind: "shrink"; readonly radius: number }
  /** A Gaussian of this standard deviation. */
  | { readonly kind: "feather"; readonly sigma: number }
  /** 0 below, 255 from `at` on. */
  | { readonly kind: "threshold"; readonly at: number };

export interface ImportOptions {
  /** The active mask if left out. */
  readonly id?: string;
  /** `replace` if left out. */
  readonly combine?: Combine;
  readonly undoable?: boolean;
  /** Of the step of undo. */
  readonly label?: string;
}

/** An 8-bit raster, rows from the top, `width * height` values. */
export interface GreyRaster extends Size {
  readonly values: Uint8Array;
}

/** A line over the picture that the app gives: the reach (what may change), the frame (what the model sees), or another. */
export interface Outline {
  readonly id: string;
  readonly kind: "reach" | "frame" | "other";
  /** Closed shapes in picture coordinates. */
  readonly shapes: readonly (Box | readonly Point[])[];
  readonly colour?: Rgba;
  readonly dashed?: boolean;
  /** Short text at the first shape's left top corner. */
  readonly label?: string;
}

/** A result shown over the picture, not applied. `bitmap` is stretched to `box`; pixels with alpha 0 show the picture. */
export interface PatchPreview {
  readonly bitmap: ImageBitmap;
  readonly box: Box;
}

/** `off`; `original`: all of the original; `split`: the original left of `at` (0 to 1 of the host's width; a handle moves it). */
export type Compare = { readonly mode: "off" } | { readonly mode: "original" } | { readonly mode: "split"; readonly at: number };

export interface HistoryState {
  readonly undo: string | null;
  readonly redo: string | null;
  /** Bytes that undo holds. */
  readonly bytes: number;
}

/** A step of the app's own in the shared history (an edit, a layer's change). */
export interface HistoryStep {
  readonly label: string;
  undo(): void | Promise<void>;
  redo(): void | Promise<void>;
  /** Memory it holds, counted in the budget; 0 if left out. */
  readonly bytes?: number;
}

export interface CanvasEvents {
  view: View;
  tool: { readonly tool: ToolName; readonly combine: Combine };
  /** Size, hardness and so on, also by keys and wheel. */
  brush: { readonly tool: BrushTool; readonly settings: BrushSettings };
  /** Values changed (`box` in picture coordinates); during a stroke once a frame with `final` false, once at its end with true. */
  mask: { readonly id: string; readonly box: Box; readonly final: boolean };
  /** Masks came, went, were renamed, or another one is active. */
  masks: { readonly masks: readonly MaskInfo[]; readonly active: string };
  sketch: { readonly box: Box; readonly final: boolean };
  strokeBegin: { readonly tool: ToolName };
  strokeEnd: { readonly tool: ToolName; readonly cancelled: boolean };
  /** Corners of the open polygon; 0 once it is closed or given up. */
  polygon: { readonly corners: number };
  history: HistoryState;
  /** The picker's, for the sketch brush. */
  colour: Rgba;
  margins: { readonly margins: Margins; readonly final: boolean };
  /** `add` false: with Alt, Ctrl or the right button (what is here should not be selected). */
  point: { readonly at: Point; readonly add: boolean };
  box: { readonly box: Box; readonly add: boolean };
  /** A closed line of the lasso that clings to edges; `scale` is that of the view, in which it was drawn by hand. */
  lasso: { readonly points: readonly Point[]; readonly combine: Combine; readonly scale: number };
  compare: Compare;
  /** Pointer over the picture, or null. */
  pointer: Point | null;
  /** A long change of a mask begins or ends. */
  busy: { readonly busy: boolean; readonly what: string };
  error: { readonly what: string; readonly error: unknown };
}

export interface CanvasOptions {
  /** Accessible name; the app translates it. Default "Picture". */
  readonly label?: string;
  /** Undo's memory; 256 MiB if left out. */
  readonly historyBytes?: number;
  /** Decoded parts of the picture; 384 MiB if left out. */
  readonly pictureBytes?: number;
  /**
   * Where keys are heard: the host (default) or e.g. `window`. Keys typed into fields are never taken. `null`: the app passes them to
   * `handleKey` by itself. Undo and redo (Ctrl+Z, Ctrl+Shift+Z, Ctrl+Y) are taken too, unless `undoKeys` is false.
   */
  readonly keyTarget?: EventTarget | null;
  readonly undoKeys?: boolean;
  /** Arrow keys move a visible cursor, Space or Enter paints. Default false; see `setKeyboardBrush`. */
  readonly keyboardBrush?: boolean;
  /** Default: what the system says (prefers-reduced-motion). */
  readonly reducedMotion?: boolean;
  /** The sRGB or display-p3 canvas; default: display-p3 where the screen shows it. */
  readonly colorSpace?: "srgb" | "display-p3";
}

/**
 * The engine on one host element. The host must have a size and `position` other than static; the engine fills it.
 *
 * Keys that it takes: Space (hold: pan), [ ] size, Shift+[ ] hardness, B, E, X (swap brush and eraser), Ctrl+0 fit, Ctrl+1 100 %,
 * Ctrl+plus, Ctrl+minus, Escape (cancel the stroke), Enter (close the polygon), Backspace (its last corner). Tab is never taken.
 * Areas: Alt or Ctrl or the right button subtracts, Shift+Alt intersects, Shift makes it square.
 */
export interface PaintCanvas {
  on<K extends keyof CanvasEvents>(event: K, listener: (value: CanvasEvents[K]) => void): () => void;
  destroy(): void;
  /** True where the key was for the canvas. Only `keydown` counts; that a held key goes up is heard by itself. */
  handleKey(event: KeyboardEvent): boolean;
  focus(): void;

  // The picture
  readonly size: Size | null;
  setPicture(source: PictureSource | null, options?: PictureOptions): void;
  /** For compare; same size as the picture. */
  setOriginal(source: PictureSource | null): void;
  /** Load parts of the picture anew (all, or those that touch the box); the old ones are shown until then. */
  refreshPicture(box?: Box): void;
  /** `null` takes the preview away. */
  setPreview(patch: PatchPreview | null): void;
  /** Resolves when everything visible is drawn; for tests and screenshots. */
  settled(): Promise<void>;

  // The view
  readonly view: View;
  setView(view: { readonly zoom?: number; readonly centre?: Point }): void;
  fit(): void;
  /** Keeps the picture point under `at` (screen; default the middle) in its place. */
  zoomTo(zoom: number, at?: Point): void;
  zoomBy(factor: number, at?: Point): void;
  panBy(screen: Point): void;
  toScreen(picture: Point): Point;
  toPicture(screen: Point): Point;
  setLoupe(on: boolean): void;
  readonly compare: Compare;
  setCompare(compare: Compare): void;

  // Tools
  readonly tool: ToolName;
  setTool(tool: ToolName): void;
  readonly combine: Combine;
  setCombine(combine: Combine): void;
  /** Whether the lasso only reports its line (event `lasso`), for a selector of the server that follows edges. */
  setClings(clings: boolean): void;
  brush(tool: BrushTool): BrushSettings;
  setBrush(tool: BrushTool, settings: Partial<BrushSettings>): void;
  readonly fillSettings: FillSettings;
  setFill(settings: Partial<FillSettings>): void;
  readonly colour: Rgba;
  setColour(colour: Rgba): void;
  setKeyboardBrush(on: boolean): void;
  setReducedMotion(on: boolean): void;
  /** True while a pointer paints, or a polygon is open: what `undo` takes back first. */
  readonly painting: boolean;
  cancelStroke(): void;

  // Masks: there is always at least one.
  readonly masks: readonly MaskInfo[];
  readonly activeMask: string;
  /** Makes an empty mask and returns its id; the first one is made by the engine: id "mask-1", role "repaint". */
  addMask(look?: MaskLook): string;
  /** Undoable. The last mask is emptied instead. */
  removeMask(id: string): void;
  setActiveMask(id: string): void;
  setMaskLook(id: string, look: MaskLook): void;
  isEmpty(id?: string): boolean;
  /** The smallest box with values above 0, or null. */
  maskBox(id?: string): Box | null;
  /** The mask's values of the whole picture, or of a box within it. */
  readMask(id?: string, box?: Box): GreyRaster;
  /** 8-bit grey PNG of the picture's size with exactly these values. */
  exportMask(id?: string): Promise<Uint8Array<ArrayBuffer>>;
  /** One step of undo. PNG values are taken exactly: grey as it is, colour by its luma, alpha where only alpha varies. */
  importMask(data: Uint8Array | Blob | GreyRaster, options?: ImportOptions): Promise<void>;
  /** One step of undo; long changes run in a worker. */
  refineMask(change: MaskChange, id?: string): Promise<void>;
  /** One area from points of the app, as if drawn by hand (a polygon; a box has four corners). */
  paintArea(points: readonly Point[], combine?: Combine, id?: string): void;

  // The sketch
  readonly sketchEmpty: boolean;
  sketchBox(): Box | null;
  /** 8-bit RGBA PNG of the picture's size, alpha 0 where nothing is painted. */
  exportSketch(): Promise<Uint8Array<ArrayBuffer>>;
  importSketch(data: Uint8Array | Blob, options?: { readonly undoable?: boolean }): Promise<void>;
  clearSketch(): void;

  // What the app draws over it
  setOutlines(outlines: readonly Outline[]): void;
  /** Show masks over the picture, or the picture alone. */
  setMarksShown(on: boolean): void;
  readonly margins: Margins;
  setMargins(margins: Margins): void;

  // History: strokes, mask changes, and the app's own steps in one line
  readonly history: HistoryState;
  undo(): Promise<boolean>;
  redo(): Promise<boolean>;
  pushHistory(step: HistoryStep): void;
  clearHistory(): void;
}
