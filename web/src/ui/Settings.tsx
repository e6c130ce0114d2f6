// The settings behind the fold: engine and model with what each can do, every field of a request by its name.
import { useEffect, useState } from "preact/hooks";

import type { EngineInfo, Property } from "../api/client";
import { engineOf, engines, fields, intents, kindOf, loadFields, models, samplers } from "../state/catalogue";
import { GROUPS, presets, removePreset, savePreset, setOption, setSetting, wish } from "../state/wish";
import { filled } from "../text";
import { allTexts as texts } from "../text/later";
import { IconButton, Select } from "./controls";
import { PartPrompts } from "./Parts";
import { TypedInput } from "./TypedInput";

/** Settings that engines without a sampler do not use. */
const OF_SAMPLING = ["strength", "negative_prompt", "preset", "steps", "guidance_scale", "guidance_rescale", "guidance_interval", "sampler", "scheduler", "clip_skip", "masked_content", "dialect", "mask_blur", "working_size"];

/** Kinds of models that paint nothing by themselves. */
const PAINTS_NOTHING = [
  "lora",
  "vae",
  "selector",
  "faces",
  "face-detector",
  "upscaler",
  "mapper",
  "controlnet",
  "ip-adapter",
  "image-encoder",
];

/** How the server describes a choice that does nothing where it is left out. */
const LEFT_OFF = /^(no|none|not)\b/;

function limitsOf({ min, max }: { min?: number; max?: number }): { min?: number; max?: number } {
  return { ...(min === undefined ? {} : { min }), ...(max === undefined ? {} : { max }) };
}

interface FieldProps {
  name: string;
  help: string;
  value: unknown;
  property: Property;
  onChange: (value: unknown) => void;
  note?: string;
  choices?: readonly string[];
}

export function Field({ name, help, value, property, onChange, note, choices }: FieldProps) {
  const words = texts.value.settings;
  const kind = kindOf(property);
  const options = choices ?? kind.choices;
  const id = `setting-${name}`;
  const automatic = options.length && LEFT_OFF.test(property.left_open ?? "") ? words.off : words.default;
  const text = value === undefined || value === null ? "" : Array.isArray(value) ? value.join(", ") : String(value);
  let input;
  if (kind.kind === "switch") {
    input = (
      <select id={id} value={text} onChange={(event) => onChange(event.currentTarget.value === "" ? undefined : event.currentTarget.value === "true")}>
        <option value="">{automatic}</option>
        <option value="true">{words.yes}</option>
        <option value="false">{words.no}</option>
      </select>
    );
  } else if (options.length) {
    input = (
      <select id={id} value={text} onChange={(event) => onChange(event.currentTarget.value)}>
        <option value="">{automatic}</option>
        {options.map((one) => (
          <option key={one}>{one}</option>
        ))}
      </select>
    );
  } else {
    const read = (typed: string): unknown => {
      if (typed.trim() === "") return undefined;
      if (kind.kind === "number") return Number(typed);
      if (kind.kind === "pair") return typed.split(/[,\s]+/).map(Number);
      return typed;
    };
    const change = (typed: string) => onChange(read(typed));
    input =
      kind.kind === "number" ? (
        <TypedInput id={id} type="number" {...limitsOf(kind)} step={kind.whole ? 1 : "any"} value={text} placeholder={automatic} onChange={change} />
      ) : (
        <TypedInput id={id} type="text" value={text} placeholder={automatic} onChange={change} />
      );
  }
  return (
    <div class={`setting ${note ? "unused" : ""}`}>
      <label for={id}>
        <code>{name}</code>
        {property.unit ? <span class="dim"> {property.unit}</span> : null}
      </label>
      {input}
      <p id={`${id}-help`}>
        {help}
        {property.left_open ? <span class="left-open"> {filled(words.leftOpen, { what: property.left_open })}</span> : null}
        {note ? <em> {note}</em> : null}
      </p>
    </div>
  );
}

function Choice() {
  const words = texts.value.settings;
  const { settings, intent } = wish.value;
  const usable = engines.value.filter((one) => one.usable);
  const own = intents.value.find((one) => one.name === intent)?.engine;
  const kinds = words.paintsFrom;
  const engine = String(settings.engine ?? "");
  const found = usable.find((one) => one.name === engine);
  const checkpoints = models.value.filter((one) => one.usable && !PAINTS_NOTHING.includes(one.what));
  return (
    <div class="choice">
      <Select
        label={words.engine}
        value={engine}
        choices={[["", `${words.automatic} (${own ?? words.byIntent})`], ...usable.map((one) => [one.name, `${one.name} – ${kinds[one.paints_from]}`] as const)]}
        onChange={(one) => {
          setSetting("engine", one);
          setSetting("options", undefined);
          if (one && one !== "diffusion") setSetting("model", undefined);
        }}
      />
      <Select
        label={words.model}
        value={String(settings.model ?? "")}
        choices={[["", words.automatic], ...checkpoints.map((one) => [one.name, one.title && one.title !== one.name ? `${one.name} – ${one.title}` : one.name] as const)]}
        onChange={(one) => {
          setSetting("model", one);
          if (one && engine && engine !== "diffusion") setSetting("engine", undefined);
        }}
      />
      <label class="field">
        <span>{words.seed}</span>
        <TypedInput
          type="number"
          min={0}
          step={1}
          placeholder={words.seedFree}
          value={settings.seed === undefined ? "" : String(settings.seed)}
          onChange={(typed) => setSetting("seed", typed === "" ? undefined : Math.round(Number(typed)))}
        />
      </label>
      {found ? <p class="dim about">{`${found.title} · ${found.licence}`}</p> : null}
    </div>
  );
}

function Presets() {
  const words = texts.value.settings;
  const [name, setName] = useState("");
  const chosen = presets.value.find((one) => one.name === name);
  return (
    <div class="choice">
      <Select
        label={words.presets}
        value={chosen ? name : ""}
        choices={[["", "–"], ...presets.value.map((one) => [one.name, one.name] as const)]}
        onChange={(one) => {
          setName(one);
          const found = presets.value.find((preset) => preset.name === one);
          if (found) wish.value = found.wish;
        }}
      />
      <label class="field">
        <span>{words.presetName}</span>
        <input type="text" maxLength={60} value={name} onInput={(event) => setName(event.currentTarget.value)} />
      </label>
      <button type="button" class="button" disabled={!name.trim()} onClick={() => savePreset(name.trim())}>
        {words.savePreset}
      </button>
      {chosen ? (
        <IconButton
          icon="trash"
          label={words.removePreset}
          onClick={() => {
            removePreset(name);
            setName("");
          }}
        />
      ) : null}
      <button type="button" class="button" onClick={() => (wish.value = { ...wish.value, settings: {} })}>
        {words.reset}
      </button>
    </div>
  );
}

/** Why a setting has no effect with this engine; undefined where it may have one. */
export function unused(name: string, engine: EngineInfo | null, words: string): string | undefined {
  const accepted = name === "preset" ? "steps" : name; // it sets those
  return engine && OF_SAMPLING.includes(name) && !engine.accepts.includes(accepted) ? words : undefined;
}

export function SettingsFold() {
  const words = texts.value.settings;
  useEffect(loadFields, []);
  const { settings } = wish.value;
  const engine = engineOf(settings);
  const known = fields.value;
  const options = (settings.options as Record<string, unknown> | undefined) ?? {};
  const restorers = models.value.filter((one) => one.usable && one.what === "faces").map((one) => one.name);
  const groups = (Object.keys(GROUPS) as (keyof typeof GROUPS)[]).filter((group) => group !== "faces" || restorers.length > 0);
  const only = known.preset?.anyOf?.flatMap((one) => one.const ?? []) ?? [];
  const lists: Record<string, readonly string[]> = { preset: only, restore_faces: ["auto", ...restorers], sampler: samplers.value.samplers, scheduler: samplers.value.schedulers };
  return (
    <div class="fold">
      <Choice />
      <PartPrompts engine={engine} />
      {engine?.options.length ? (
        <fieldset>
          <legend>{words.groups.options}</legend>
          <div class="grid">
            {engine.options.map((one) => (
              <Field
                key={one.name}
                name={one.name}
                help={one.range ? `${one.help} (${one.range})` : one.help}
                property={propertyOf(one)}
                value={options[one.name]}
                onChange={(value) => setOption(one.name, value)}
              />
            ))}
          </div>
        </fieldset>
      ) : null}
      {groups.map((group) => (
        <fieldset key={group}>
          <legend>{words.groups[group]}</legend>
          <div class="grid">
            {GROUPS[group].map((name) => {
              const property = known[name];
              return property ? (
                <Field
                  key={name}
                  name={name}
                  help={property.description ?? ""}
                  property={property}
                  choices={lists[name]}
                  value={settings[name]}
                  onChange={(value) => setSetting(name, value)}
                  note={unused(name, engine, words.unused)}
                />
              ) : null;
            })}
          </div>
        </fieldset>
      ))}
      <fieldset>
        <legend>{filled(words.presets, {})}</legend>
        <Presets />
      </fieldset>
    </div>
  );
}

/** An engine's option as a property of a schema, by its default and its range. */
export function propertyOf(option: EngineInfo["options"][number]): Property {
  const words = option.range.split(", ");
  if (typeof option.default === "boolean") return { type: "boolean" };
  if (words.length > 1 && !/\d/.test(option.range)) return { enum: words };
  if (typeof option.default === "number" || /^(at least )?-?\d/.test(option.range)) return { type: "number" };
  return { type: "string" };
}
