// Masks: several, named, what each is for, how each is shown, and what can be done with the active one.
import { useState } from "preact/hooks";

import type { SelectorInfo } from "../api/client";
import type { Combine, MaskInfo, MaskStyle } from "../canvas";
import { refineBySelector, select, selecting, takerOf, takers, unaided } from "../state/select";
import { activeMask, canvas, combine, drawn, masks } from "../state/canvas";
import { loadMask, saveMask } from "../state/files";
import { showFrame, showReach } from "../state/frames";
import { attempt } from "../state/notices";
import { session } from "../state/session";
import { LINES, PART } from "../state/wish";
import { filled, texts } from "../text";
import { Dot, FileButton, IconButton, Segments, Select, Slider } from "./controls";
import { ByWords, SelectorOption, selectorName, toHex, toRgba } from "./ToolOptions";

const COLOURS = ["#ff8a1f", "#2fa8ff", "#c45cff", "#2fc46b"];

export function MasksPanel() {
  const words = texts.value.masks;
  drawn.value;
  const all = masks.value.filter((one) => one.role !== "restore" && one.role !== PART && one.role !== LINES);
  const add = (role: string) => {
    const made = canvas.value;
    if (!made) return;
    const colour = toRgba(role === "avoid" ? "#e0306a" : (COLOURS[all.length % COLOURS.length] ?? "#ff8a1f"));
    const name = role === "avoid" ? words.roles.avoid : filled(words.numbered, { number: all.length + 1 });
    made.setActiveMask(made.addMask({ name, role, colour }));
  };
  return (
    <>
      <ul class="masks" aria-label={words.active}>
        {all.map((one, index) => (
          <MaskRow key={one.id} mask={one} number={index + 1} last={all.length === 1} />
        ))}
      </ul>
      <div class="row">
        <button type="button" class="button" onClick={() => add("repaint")}>
          {words.add}
        </button>
        <button type="button" class="button" onClick={() => add("avoid")}>
          {words.avoid}
        </button>
      </div>
      <ByMeaning />
      <Changes />
      <Look />
      <h3>{words.outlines}</h3>
      <label class="check">
        <input type="checkbox" checked={showReach.value} onChange={(event) => (showReach.value = event.currentTarget.checked)} />
        <span class="line reach" />
        {words.reach}
      </label>
      <label class="check">
        <input type="checkbox" checked={showFrame.value} onChange={(event) => (showFrame.value = event.currentTarget.checked)} />
        <span class="line frame" />
        {words.frame}
      </label>
      <ByNumbers />
    </>
  );
}

function MaskRow({ mask, number, last }: { mask: MaskInfo; number: number; last: boolean }) {
  const words = texts.value.masks;
  const made = canvas.value;
  const name = mask.name || filled(words.numbered, { number });
  const chosen = mask.id === activeMask.value;
  return (
    <li class={chosen ? "mask chosen" : "mask"}>
      <label class="mask-choice">
        <input type="radio" name="mask" checked={chosen} onChange={() => made?.setActiveMask(mask.id)} />
        <span class="unseen">{name}</span>
        <Dot colour={toHex(mask.colour)} />
      </label>
      <input class="mask-name" aria-label={words.name} value={name} maxLength={60} onChange={(event) => made?.setMaskLook(mask.id, { name: event.currentTarget.value })} />
      {mask.role === "avoid" && name !== words.roles.avoid ? <span class="dim">{words.roles.avoid}</span> : null}
      {last ? null : <IconButton icon="trash" label={filled(words.remove, { name })} onClick={() => made?.removeMask(mask.id)} />}
    </li>
  );
}

/** Selectors that need no place: by a text, or by themselves. */
function ByMeaning() {
  const words = texts.value.select;
  const { tools } = texts.value;
  const reader = takerOf("text");
  const alone = unaided();
  const edges = takers("mask");
  const made = canvas.value;
  const now = combine.value;
  if (!made || (!reader && !alone.length && !edges.length)) return null;
  const waiting = selecting.value > 0;
  return (
    <>
      <h3>{words.heading}</h3>
      <Segments label={tools.combine} value={now} choices={Object.entries(tools.combines)} onChange={(one) => made.setCombine(one as Combine)} />
      <ByWords />
      <div class="row">
        {alone.map((one) => (
          <button key={one.name} type="button" class="button" title={one.title} disabled={waiting} onClick={() => void select(made, one.name, {}, now)}>
            {selectorName(one)}
          </button>
        ))}
        {edges.map((one) => (
          <button key={one.name} type="button" class="button" title={one.title} disabled={waiting || made.isEmpty()} onClick={() => void refineBySelector(made, one.name)}>
            {filled(words.refine, { name: selectorName(one) })}
          </button>
        ))}
      </div>
      <Options of={[...new Set([...(reader ? [reader] : []), ...alone, ...edges])]} />
    </>
  );
}

/** Options of selectors, which their hints speak of where they find nothing. */
function Options({ of }: { of: readonly SelectorInfo[] }) {
  const shown = of.map((one) => ({ one, options: one.options.filter((option) => ["boolean", "number"].includes(typeof option.default)) })).filter(({ options }) => options.length);
  if (!shown.length) return null;
  return (
    <details class="details">
      <summary>{texts.value.select.options}</summary>
      {shown.map(({ one, options }) => (
        <fieldset key={one.name} class="of-selector">
          <legend>{selectorName(one)}</legend>
          {options.map((option) => (
            <SelectorOption key={option.name} selector={one.name} option={option} />
          ))}
        </fieldset>
      ))}
    </details>
  );
}

function Changes() {
  const words = texts.value.masks;
  const [by, setBy] = useState(8);
  const refine = (change: Parameters<NonNullable<typeof canvas.value>["refineMask"]>[0]) => {
    const made = canvas.value;
    if (made) void attempt(() => made.refineMask(change));
  };
  return (
    <>
      <div class="buttons">
        <button type="button" class="button" onClick={() => refine({ kind: "invert" })}>
          {words.invert}
        </button>
        <button type="button" class="button" onClick={() => refine({ kind: "clear" })}>
          {words.clear}
        </button>
        <button type="button" class="button" onClick={() => refine({ kind: "all" })}>
          {words.all}
        </button>
      </div>
      <Slider label={words.by} value={by} min={1} max={100} unit=" px" onInput={setBy} />
      <div class="buttons">
        <button type="button" class="button" onClick={() => refine({ kind: "grow", radius: by })}>
          {words.grow}
        </button>
        <button type="button" class="button" onClick={() => refine({ kind: "shrink", radius: by })}>
          {words.shrink}
        </button>
        <button type="button" class="button" onClick={() => refine({ kind: "feather", sigma: by })}>
          {words.feather}
        </button>
      </div>
      <div class="buttons">
        <FileButton label={words.upload} accept="image/*" onFile={(file) => void loadMask(file)} />
        <button type="button" class="button" onClick={() => void saveMask()}>
          {words.download}
        </button>
      </div>
    </>
  );
}

function Look() {
  const words = texts.value.masks;
  const made = canvas.value;
  const mask = masks.value.find((one) => one.id === activeMask.value);
  if (!mask || !made) return null;
  return (
    <>
      <h3>{words.look}</h3>
      <div class="form-row">
        <label class="swatch">
          <span class="unseen">{words.colour}</span>
          <input type="color" value={toHex(mask.colour)} onInput={(event) => made.setMaskLook(mask.id, { colour: toRgba(event.currentTarget.value) })} />
        </label>
        <Select label={words.style} hideLabel value={mask.style} choices={Object.entries(words.styles)} onChange={(style) => made.setMaskLook(mask.id, { style: style as MaskStyle })} />
      </div>
      <Slider label={words.opacity} value={mask.opacity * 100} min={0} max={100} unit=" %" onInput={(one) => made.setMaskLook(mask.id, { opacity: one / 100 })} />
    </>
  );
}

/** A rectangle by its four sides: a way to mark without a pointer. */
function ByNumbers() {
  const words = texts.value.masks;
  const sides = texts.value.tools.sides;
  const now = session.value;
  const [box, setBox] = useState<readonly number[]>([0, 0, 0, 0]);
  if (!now) return null;
  const [left = 0, top = 0, right = 0, bottom = 0] = box;
  const names = [sides.left, sides.top, sides.right, sides.bottom];
  const add = () => {
    const made = canvas.value;
    made?.paintArea([{ x: left, y: top }, { x: right, y: top }, { x: right, y: bottom }, { x: left, y: bottom }], "add");
  };
  return (
    <details class="details">
      <summary>{words.shape}</summary>
      <div class="numbers">
        {names.map((name, index) => (
          <label key={name} class="number">
            <span>{name}</span>
            <input
              type="number"
              min={0}
              max={index % 2 ? now.height : now.width}
              value={box[index]}
              onInput={(event) => setBox(box.map((one, at) => (at === index ? event.currentTarget.valueAsNumber || 0 : one)))}
            />
          </label>
        ))}
      </div>
      <button type="button" class="button" disabled={right <= left || bottom <= top} onClick={add}>
        {words.shapeAdd}
      </button>
    </details>
  );
}
