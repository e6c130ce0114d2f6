// The layers: each edit over the original, the newest above.
import { useState } from "preact/hooks";

import { api, type StepStatus } from "../api/client";
import { change, rerun, rerunStale } from "../state/actions";
import { endMarking, restore, restoring } from "../state/canvas";
import { attempt } from "../state/notices";
import { panel } from "../state/prefs";
import { adopt, chosenStep, inOrder, session, stepName, steps } from "../state/session";
import { boxOf, takePath } from "../state/tiles";
import { filled, texts } from "../text";
import { IconButton, Slider } from "./controls";
import { Shot } from "./Shot";

export function LayersPanel() {
  const words = texts.value.layers;
  const now = session.value;
  if (!now) return null;
  const all = [...steps.value].reverse();
  return (
    <>
      {all.some((one) => one.stale && one.visible) ? (
        <button type="button" class="button" onClick={() => void rerunStale()}>
          {words.rerunStale}
        </button>
      ) : null}
      {all.length ? null : <p class="dim empty">{words.none}</p>}
      <ol class="layers">
        {all.map((step, index) => (
          <Layer key={step.number} step={step} top={index === 0} bottom={index === all.length - 1} />
        ))}
        <li class="layer original">
          <Shot class="layer-shot" path={`/sessions/${now.id}/picture?of=original&side=96`} version={now.original} alt="" />
          <span class="layer-name">{words.original}</span>
        </li>
      </ol>
    </>
  );
}

function Layer({ step, top, bottom }: { step: StepStatus; top: boolean; bottom: boolean }) {
  const words = texts.value.layers;
  const now = session.value;
  const name = stepName(step);
  const [opacity, setOpacity] = useState<number | null>(null);
  if (!now) return null;
  const showAll = () => void attempt(() => inOrder(async () => adopt(await api.showAll(now.id, step.number))));
  const active = restoring.value?.step === step.number;
  return (
    <li class={`layer ${step.visible ? "" : "hidden-layer"}`}>
      <IconButton icon={step.visible ? "eye" : "hidden"} pressed={step.visible} label={filled(words.visible, { name })} onClick={() => void change(step.number, { visible: !step.visible })} />
      <Shot class="layer-shot" path={takePath(now, step.number, step.take, boxOf(now, step.box, 12), 96)} version={`${now.picture} ${step.paint}`} alt="" />
      <div class="layer-body">
        <span class="layer-name" title={step.engine}>
          {name}
        </span>
        <Slider
          hideLabel
          label={filled(words.opacity, { name })}
          value={(opacity ?? step.opacity) * 100}
          min={0}
          max={100}
          unit=" %"
          onInput={(one) => setOpacity(one / 100)}
          onChange={(one) => {
            void change(step.number, { opacity: one / 100 }).then(() => setOpacity(null));
          }}
        />
        {step.stale && step.visible ? <p class="hint">{words.stale}</p> : null}
        <div class="row tight">
          <IconButton icon="brush" pressed={active} label={`${words.restore}: ${name}`} onClick={() => (active ? endMarking() : restore(step.number))} />
          <IconButton icon="again" label={`${words.rerun}: ${name}`} onClick={() => void rerun(step.number)} />
          <IconButton
            icon="more"
            label={`${words.results}: ${name}`}
            onClick={() => {
              chosenStep.value = step.number;
              panel.value = "results";
            }}
          />
          <IconButton icon="up" disabled={top} label={filled(words.up, { name })} onClick={() => void change(step.number, { place: step.place + 1 })} />
          <IconButton icon="down" disabled={bottom} label={filled(words.down, { name })} onClick={() => void change(step.number, { place: step.place - 1 })} />
          {step.masked ? (
            <button type="button" class="text-button" onClick={showAll}>
              {words.showAll}
            </button>
          ) : null}
        </div>
      </div>
    </li>
  );
}
