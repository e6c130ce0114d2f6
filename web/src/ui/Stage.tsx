// The picture itself, and what is said over it.
import { useEffect, useRef } from "preact/hooks";

import { createCanvas } from "../canvas";
import { attach, busy, compareMode, endMarking, markedPart, restoring } from "../state/canvas";
import { discard, keepTake, previewed, unpreview } from "../state/actions";
import { selecting } from "../state/select";
import { session, stepName } from "../state/session";
import { filled, texts } from "../text";
import { IconButton } from "./controls";
import { Notices } from "./Notices";
import { ToolOptions } from "./ToolOptions";

export function Stage() {
  const host = useRef<HTMLDivElement>(null);
  useEffect(() => {
    if (!host.current) return;
    return attach(createCanvas(host.current, { label: texts.value.tools.canvas, keyTarget: null, undoKeys: false }));
  }, []);
  return (
    <section class="stage">
      <ToolOptions />
      <div ref={host} class="canvas-host" data-compare={compareMode.value} />
      <div class="over">
        <PreviewChip />
        <RestoreChip />
        <PartChip />
        {selecting.value ? <div class="chip quiet">{texts.value.select.busy}</div> : busy.value ? <div class="chip quiet">…</div> : null}
      </div>
      <Notices />
    </section>
  );
}

/** Says that what is seen is not applied, with what to do about it. */
function PreviewChip() {
  const seen = previewed.value;
  const words = texts.value.results;
  if (!seen) return null;
  return (
    <div class="chip preview" role="group" aria-label={words.preview}>
      <span>{filled(words.previewOf, { number: seen.take })}</span>
      <button type="button" class="button small primary" onClick={() => void keepTake(seen.step, seen.take)}>
        {words.keep}
      </button>
      <button type="button" class="button small" onClick={() => void discard(seen.step, seen.take)}>
        {words.discard}
      </button>
      <IconButton icon="close" label={texts.value.close} onClick={unpreview} />
    </div>
  );
}

/** Strokes paint a layer's mask: say of which, and which way. */
function RestoreChip() {
  const target = restoring.value;
  const words = texts.value.tools;
  const step = session.value?.steps.find((one) => one.number === target?.step);
  if (!target || !step) return null;
  return (
    <div class="chip" role="group" aria-label={filled(words.restoring, { name: stepName(step) })}>
      <span>{filled(words.restoring, { name: stepName(step) })}</span>
      <button type="button" class="button small" aria-pressed={!target.show} onClick={() => (restoring.value = { ...target, show: false })}>
        {words.back}
      </button>
      <button type="button" class="button small" aria-pressed={target.show} onClick={() => (restoring.value = { ...target, show: true })}>
        {words.show}
      </button>
      <Done />
    </div>
  );
}

/** Strokes mark a part, whose settings are closed by then. */
function PartChip() {
  const number = markedPart.value;
  const words = texts.value.tools;
  const name = filled(words.marking, { number });
  return number ? (
    <div class="chip" role="group" aria-label={name}>
      <span>{name}</span>
      <Done />
    </div>
  ) : null;
}

function Done() {
  return (
    <button type="button" class="button small primary" onClick={endMarking}>
      {texts.value.tools.done}
    </button>
  );
}
