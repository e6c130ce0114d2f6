// Prompts for parts of the picture: what is to be painted in each, and the mask that marks it, which is painted as others are.
import { useEffect } from "preact/hooks";

import type { EngineInfo } from "../api/client";
import type { MaskInfo } from "../canvas";
import { askedMask } from "../state/actions";
import { activeMask, brushTool, canvas, drawn, endMarking, masks, showMarks } from "../state/canvas";
import { attempt } from "../state/notices";
import { PART } from "../state/wish";
import { filled } from "../text";
import { allTexts as texts } from "../text/later";
import { Dot, IconButton } from "./controls";
import { toHex, toRgba } from "./ToolOptions";
import { TypedInput } from "./TypedInput";

/** As many as a request takes. */
const MOST = 8;

/** Of parts, in their order. */
export const COLOURS = ["#2fc46b", "#c45cff", "#2fa8ff", "#f0c020", "#ff6fae", "#20c0c0", "#9a7bff", "#b0d030"];

/** Let strokes mark the part, or again what is repainted. */
function mark(part: string, marks: boolean): void {
  const made = canvas.value;
  endMarking();
  if (!made || !marks) return;
  made.setActiveMask(part);
  if (!brushTool(made.tool)) made.setTool("brush");
}

/** The area of the mask that says where to repaint, as the area of a part. */
async function take(part: string): Promise<void> {
  const made = canvas.value;
  const from = askedMask();
  if (!made || from === null || made.isEmpty(from)) return;
  await attempt(async () => made.importMask(new Blob([await made.exportMask(from)]), { id: part, combine: "replace" }));
}

export function PartPrompts({ engine }: { engine: EngineInfo | null }) {
  const words = texts.value.parts;
  useEffect(showMarks, []);
  drawn.value;
  const made = canvas.value;
  const all = masks.value.filter((one) => one.role === PART);
  if (!made) return null;
  const from = askedMask();
  const add = () => {
    const unused = COLOURS.find((colour) => all.every((one) => toHex(one.colour) !== colour));
    const id = made.addMask({ name: "", role: PART, colour: toRgba(unused ?? "#2fc46b") });
    mark(id, true);
  };
  return (
    <details class="details" open={all.length > 0} onToggle={(event) => event.currentTarget.open || endMarking()}>
      <summary>{words.heading}</summary>
      <p class="dim">{words.help}</p>
      <ul class="masks" aria-label={words.heading}>
        {all.map((one, index) => (
          <Part key={one.id} part={one} number={index + 1} empty={made.isEmpty(one.id)} nothing={from === null || made.isEmpty(from)} />
        ))}
      </ul>
      {engine && !engine.accepts.includes("regional_prompts") ? <p class="dim">{texts.value.settings.unused}</p> : null}
      <div class="row">
        <button type="button" class="button" disabled={all.length >= MOST} onClick={add}>
          {words.add}
        </button>
      </div>
    </details>
  );
}

function Part({ part, number, empty, nothing }: { part: MaskInfo; number: number; empty: boolean; nothing: boolean }) {
  const words = texts.value.parts;
  const made = canvas.value;
  const marked = part.id === activeMask.value;
  const name = filled(words.numbered, { number });
  const { weight = 1, negative_prompt = "" } = (part.extra ?? {}) as { weight?: number; negative_prompt?: string };
  const set = (what: object) => {
    const all = { ...part.extra, ...what };
    made?.setMaskLook(part.id, { extra: Object.fromEntries(Object.entries(all).filter(([, value]) => value !== "" && value !== undefined)) });
  };
  return (
    <li class={marked ? "mask part chosen" : "mask part"}>
      <Dot colour={toHex(part.colour)} />
      <input class="mask-name" aria-label={`${name}: ${words.prompt}`} placeholder={words.prompt} value={part.name} maxLength={4000} onInput={(event) => made?.setMaskLook(part.id, { name: event.currentTarget.value })} />
      <input class="mask-name" aria-label={`${name}: ${words.negative}`} placeholder={words.negative} value={negative_prompt} maxLength={4000} onInput={(event) => set({ negative_prompt: event.currentTarget.value })} />
      <IconButton
        icon="trash"
        label={filled(words.remove, { name })}
        onClick={() => {
          if (marked) mark(part.id, false);
          made?.removeMask(part.id);
        }}
      />
      <label class="number" title={words.weightHelp}>
        <span>{words.weight}</span>
        <TypedInput type="number" aria-label={`${name}: ${words.weight}`} min={0.1} max={10} step={0.1} value={String(weight)} onChange={(typed) => set({ weight: Number(typed) > 0 ? Math.min(10, Number(typed)) : undefined })} />
      </label>
      <button type="button" class="button" aria-pressed={marked} onClick={() => mark(part.id, !marked)}>
        {words.mark}
      </button>
      <button type="button" class="button" disabled={nothing} onClick={() => void take(part.id)}>
        {words.use}
      </button>
      {empty ? <span class="dim">{words.noArea}</span> : null}
    </li>
  );
}
