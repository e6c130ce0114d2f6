// The settings of the tool in the hand, over the picture's upper edge.
import { signal } from "@preact/signals";

import type { BrushSettings, Combine, FillSettings, Rgba } from "../canvas";
import { brush, brushTool, canvas, colour, combine, masks, tool } from "../state/canvas";
import type { HintKind, SelectorInfo } from "../api/client";
import { clings, preferred, select, selecting, selectorOptions, setSelectorOption, takerOf, takers, wire } from "../state/select";
import { sentence } from "../state/notices";
import { LINES, margins } from "../state/wish";
import { texts } from "../text";
import { IconButton, Segments, Select, Slider } from "./controls";

const fill = signal<FillSettings>({ by: "mask", tolerance: 24, connected: true });
export function toRgba(hex: string): Rgba {
  const [red = 0, green = 0, blue = 0] = [1, 3, 5].map((at) => parseInt(hex.slice(at, at + 2), 16));
  return { red, green, blue, alpha: 255 };
}

export function toHex(found: Rgba): string {
  return `#${[found.red, found.green, found.blue].map((one) => Math.round(one).toString(16).padStart(2, "0")).join("")}`;
}

function set(change: Partial<BrushSettings>): void {
  const name = brushTool(tool.value);
  if (name) canvas.value?.setBrush(name, change);
}

function setFill(change: Partial<FillSettings>): void {
  fill.value = { ...fill.value, ...change };
  canvas.value?.setFill(change);
}

function BrushOptions({ now }: { now: BrushSettings }) {
  const words = texts.value.tools;
  const pressures = Object.entries(words.pressures);
  return (
    <>
      <Slider label={words.size} value={now.size} min={1} max={1000} curved unit=" px" onInput={(size) => set({ size })} />
      {tool.value.startsWith("lines") ? null : (
        <>
          <Slider label={words.hardness} value={now.hardness * 100} min={0} max={100} unit=" %" onInput={(one) => set({ hardness: one / 100 })} />
          <Slider label={words.opacity} value={now.opacity * 100} min={1} max={100} unit=" %" onInput={(one) => set({ opacity: one / 100 })} />
        </>
      )}
      <Select label={words.pressure} value={now.pressure} choices={pressures} onChange={(one) => set({ pressure: one as BrushSettings["pressure"] })} />
    </>
  );
}

function AreaOptions() {
  const words = texts.value.tools;
  return (
    <Segments label={words.combine} value={combine.value} choices={Object.entries(words.combines)} onChange={(one) => canvas.value?.setCombine(one as Combine)} />
  );
}

function FillOptions() {
  const words = texts.value.tools;
  const now = fill.value;
  return (
    <>
      <Segments label={words.fillBy} value={now.by} choices={Object.entries(words.fillBys)} onChange={(by) => setFill({ by: by as FillSettings["by"] })} />
      {now.by === "colour" ? (
        <>
          <Slider label={words.tolerance} value={now.tolerance} min={0} max={255} onInput={(tolerance) => setFill({ tolerance })} />
          <label class="check">
            <input type="checkbox" checked={now.connected} onChange={(event) => setFill({ connected: event.currentTarget.checked })} />
            {words.connected}
          </label>
        </>
      ) : null}
    </>
  );
}

function LassoOptions() {
  const words = texts.value.select;
  if (!wire()) return null;
  return (
    <label class="check" title={words.clingsHint}>
      <input type="checkbox" checked={clings.value} onChange={(event) => (clings.value = event.currentTarget.checked)} />
      {words.clings}
    </label>
  );
}

/** Of the tools that draw on a layer of their own: the sketch, and lines that guide. */
function DrawnOptions({ on }: { on: "sketch" | "lines" }) {
  const words = texts.value.tools;
  const made = canvas.value;
  const eraser = `${on}Eraser` as const;
  const erasing = tool.value === eraser;
  const lines = masks.value.find((one) => one.role === LINES);
  const clear = () => (on === "sketch" ? made?.clearSketch() : lines && void made?.refineMask({ kind: "clear" }, lines.id));
  return (
    <>
      {on === "sketch" ? (
        <label class="swatch" title={words.colour}>
          <span class="unseen">{words.colour}</span>
          <input type="color" value={toHex(colour.value)} onInput={(event) => made?.setColour(toRgba(event.currentTarget.value))} />
        </label>
      ) : null}
      <IconButton icon="eraser" label={words[eraser]} pressed={erasing} onClick={() => made?.setTool(erasing ? on : eraser)} />
      <IconButton icon="trash" label={on === "sketch" ? words.clearSketch : words.clearLines} onClick={clear} />
    </>
  );
}

function ExpandOptions() {
  const words = texts.value.tools;
  const sides = ["left", "top", "right", "bottom"] as const;
  return (
    <>
      <span class="dim wide-only" title={words.expandHint}>
        {words.expandHint}
      </span>
      {sides.map((side, index) => (
        <label key={side} class="number">
          <span>{words.sides[side]}</span>
          <input
            type="number"
            min={0}
            max={8192}
            step={16}
            value={margins.value[index]}
            onChange={(event) => {
              const made = canvas.value;
              const value = Math.max(0, Math.min(8192, event.currentTarget.valueAsNumber || 0));
              made?.setMargins({ ...made.margins, [side]: value });
            }}
          />
        </label>
      ))}
    </>
  );
}

/** The selector that takes a kind of hint, and its own options. */
function SelectorOptions({ kind }: { kind: HintKind }) {
  const words = texts.value.select;
  const found = takerOf(kind);
  if (!found) return null;
  const choices = takers(kind).map((one) => [one.name, selectorName(one)] as const);
  return (
    <>
      {choices.length > 1 ? (
        <Select label={words.by} value={found.name} choices={choices} onChange={(one) => (preferred.value = { ...preferred.value, [kind]: one })} />
      ) : null}
      {found.options.map((one) => (
        <SelectorOption key={`${found.name} ${one.name}`} selector={found.name} option={one} />
      ))}
    </>
  );
}

export function SelectorOption({ selector, option }: { selector: string; option: SelectorInfo["options"][number] }) {
  const given = selectorOptions.value[selector]?.[option.name] ?? option.default;
  const name = sentence(option.name.replaceAll("_", " "));
  if (typeof option.default === "boolean") {
    return (
      <label class="check" title={option.help}>
        <input type="checkbox" checked={given === true} onChange={(event) => setSelectorOption(selector, option.name, event.currentTarget.checked)} />
        {name}
      </label>
    );
  }
  if (typeof option.default !== "number") return null;
  return (
    <label class="number" title={`${option.help} (${option.range})`}>
      <span>{name}</span>
      <input
        type="number"
        step="any"
        value={String(given)}
        onChange={(event) => setSelectorOption(selector, option.name, Number.isNaN(event.currentTarget.valueAsNumber) ? undefined : event.currentTarget.valueAsNumber)}
      />
    </label>
  );
}

/** What is to be selected, in words. What was typed stays where the field is shown again. */
const meant = signal("");

export function ByWords() {
  const words = texts.value.select;
  const made = canvas.value;
  const reader = takerOf("text");
  const text = meant.value.trim();
  if (!made || !reader) return null;
  const label = reader.name === "text" ? words.lettering : words.text; // it reads, and knows no things
  return (
    <form
      class="row"
      onSubmit={(event) => {
        event.preventDefault();
        if (text) void select(made, reader.name, { text }, combine.value);
      }}
    >
      <input class="grows" type="text" aria-label={label} placeholder={label} maxLength={400} value={meant.value} onInput={(event) => (meant.value = event.currentTarget.value)} />
      <button type="submit" class="button" disabled={selecting.value > 0 || !text}>
        {words.go}
      </button>
    </form>
  );
}

/** A selector in the words of the editor, where it has some. */
export function selectorName(one: SelectorInfo): string {
  return (texts.value.select.names as Record<string, string>)[one.name] ?? one.name;
}

export function ToolOptions() {
  const now = tool.value;
  const settings = brush.value;
  const areas = ["rectangle", "ellipse", "lasso", "polygon", "fill", "point", "box"].includes(now);
  const names = texts.value.tools as unknown as Record<string, string>;
  return (
    <div class="options" role="group" aria-label={texts.value.tools.options}>
      <span class="options-name">{names[now] ?? ""}</span>
      {now.startsWith("sketch") ? <DrawnOptions on="sketch" /> : null}
      {now.startsWith("lines") ? <DrawnOptions on="lines" /> : null}
      {brushTool(now) && settings ? <BrushOptions now={settings} /> : null}
      {areas ? <AreaOptions /> : null}
      {now === "fill" ? <FillOptions /> : null}
      {now === "lasso" ? <LassoOptions /> : null}
      {now === "point" ? <SelectorOptions kind="points" /> : null}
      {now === "box" ? <SelectorOptions kind="boxes" /> : null}
      {now === "point" || now === "box" ? <ByWords /> : null}
      {now === "expand" ? <ExpandOptions /> : null}
    </div>
  );
}
