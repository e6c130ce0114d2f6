// What is done to the picture before it is saved: a larger size, and faces restored.
import { useEffect } from "preact/hooks";

import { enhancers, loadEnhancers, type Enhancement } from "../state/enhance";
import { session } from "../state/session";
import { filled } from "../text";
import { allTexts as texts } from "../text/later";
import { Select } from "./controls";

const TIMES = [2, 3, 4] as const;
const MOST = 16;

/** Nothing is done. */
export const AS_IT_IS: Enhancement = { scale: null, width: null, upscaler: null, faces: null };

/** Why an enhancement can't be made, in words; null where it can. */
export function refused(what: Enhancement): string | null {
  const own = session.value?.width ?? 0;
  if (what.width === null || (Number.isInteger(what.width) && what.width > own && what.width <= own * MOST)) return null;
  return filled(texts.value.export.widthRange, { from: own + 1, to: own * MOST });
}

export function EnhanceOptions({ value, onChange }: { value: Enhancement; onChange: (value: Enhancement) => void }) {
  const words = texts.value.export;
  const known = enhancers.value;
  useEffect(() => void (known ?? loadEnhancers()), []);
  const now = session.value;
  if (!now) return null;
  const upscalers = known?.filter((one) => one.what === "upscaler") ?? [];
  const faces = known?.filter((one) => one.what === "faces") ?? [];
  const chosen = value.width !== null ? "width" : String(value.scale ?? "");
  const larger = value.scale ?? (value.width ?? now.width) / now.width;
  const size = `${Math.round(now.width * larger)} × ${Math.round(now.height * larger)}`;
  const choose = (one: string) => {
    const width = one === "width" ? now.width * 2 : null;
    onChange({ ...value, width, scale: one === "width" || one === "" ? null : Number(one) });
  };
  const why = refused(value);
  return (
    <div class="enhance">
      <Select
        label={words.enlarge}
        value={chosen}
        choices={[["", words.asItIs], ...TIMES.map((one) => [String(one), filled(words.times, { times: one })] as const), ["width", words.toWidth]]}
        onChange={choose}
      />
      {value.width !== null ? (
        <label class="field">
          <span>{words.width}</span>
          <input
            type="number"
            min={now.width + 1}
            max={now.width * MOST}
            value={value.width}
            aria-invalid={why !== null}
            onInput={(event) => onChange({ ...value, width: event.currentTarget.valueAsNumber })}
          />
        </label>
      ) : null}
      {chosen !== "" && upscalers.length ? (
        <Select
          label={words.by}
          value={value.upscaler ?? ""}
          choices={[["", words.taught], ...upscalers.map((one) => [one.name, one.name] as const)]}
          onChange={(one) => onChange({ ...value, upscaler: one || null })}
        />
      ) : null}
      {chosen !== "" ? <p class="dim" role={why ? "alert" : undefined}>{why ?? size}</p> : null}
      {faces.length ? (
        <label class="check">
          <input
            type="checkbox"
            checked={value.faces !== null}
            onChange={(event) => onChange({ ...value, faces: event.currentTarget.checked ? (faces[0]?.name ?? null) : null })}
          />
          {words.faces}
        </label>
      ) : null}
      {faces.length > 1 && value.faces !== null ? (
        <Select label={words.facesBy} value={value.faces} choices={faces.map((one) => [one.name, one.name] as const)} onChange={(one) => onChange({ ...value, faces: one })} />
      ) : null}
    </div>
  );
}
