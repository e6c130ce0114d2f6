// Small parts of which the editor's surface is made.
import { useRef } from "preact/hooks";

import { Icon, type IconName } from "./icons";

interface IconButtonProps {
  icon: IconName;
  label: string;
  onClick: () => void;
  pressed?: boolean;
  disabled?: boolean;
  /** Shown beside the name: "B". */
  keys?: string;
  class?: string;
}

export function IconButton({ icon, label, onClick, pressed, disabled, keys, class: kind }: IconButtonProps) {
  return (
    <button
      type="button"
      class={`icon-button ${kind ?? ""}`}
      aria-label={label}
      aria-pressed={pressed}
      aria-keyshortcuts={keys}
      title={keys ? `${label} (${keys})` : label}
      disabled={disabled}
      onClick={onClick}
    >
      <Icon name={icon} />
    </button>
  );
}

/** A dot of a colour: an SVG, as the page's policy allows no inline style. */
export function Dot({ colour }: { colour: string }) {
  return (
    <svg viewBox="0 0 12 12" width="12" height="12" aria-hidden="true">
      <circle cx="6" cy="6" r="5.500" fill={colour} />
    </svg>
  );
}

interface SliderProps {
  label: string;
  value: number;
  min: number;
  max: number;
  step?: number;
  onInput: (value: number) => void;
  /** Called once the hand lets go. */
  onChange?: (value: number) => void;
  unit?: string;
  hideLabel?: boolean;
  /** Small values get more of the way. */
  curved?: boolean;
}

const CURVE = 3;

export function Slider({ label, value, min, max, step = 1, onInput, onChange, unit = "", hideLabel, curved }: SliderProps) {
  const toPlace = (one: number) => (curved ? 1000 * ((one - min) / (max - min)) ** (1 / CURVE) : one);
  const toValue = (place: number) => {
    const plain = curved ? min + (max - min) * (place / 1000) ** CURVE : place;
    return Math.round(plain / step) * step;
  };
  const read = (event: { currentTarget: HTMLInputElement }) => toValue(event.currentTarget.valueAsNumber);
  const shown = Number.isInteger(step) ? Math.round(value) : Math.round(value * 100) / 100;
  return (
    <label class={hideLabel ? "slider bare" : "slider"}>
      <span class={hideLabel ? "unseen" : ""}>{label}</span>
      <input
        type="range"
        min={curved ? 0 : min}
        max={curved ? 1000 : max}
        step={curved ? 1 : step}
        value={toPlace(value)}
        aria-valuetext={`${shown}${unit}`}
        onInput={(event) => onInput(read(event))}
        onChange={(event) => onChange?.(read(event))}
      />
      <output>{`${shown}${unit}`}</output>
    </label>
  );
}

interface SelectProps {
  label: string;
  value: string;
  choices: readonly (readonly [value: string, text: string])[];
  onChange: (value: string) => void;
  hideLabel?: boolean;
}

export function Select({ label, value, choices, onChange, hideLabel }: SelectProps) {
  return (
    <label class="field">
      <span class={hideLabel ? "unseen" : ""}>{label}</span>
      <select aria-label={label} value={value} onChange={(event) => onChange(event.currentTarget.value)}>
        {choices.map(([one, text]) => (
          <option key={one} value={one}>
            {text}
          </option>
        ))}
      </select>
    </label>
  );
}

interface SegmentsProps {
  label: string;
  value: string;
  choices: readonly (readonly [value: string, text: string])[];
  onChange: (value: string) => void;
}

/** A few choices side by side: a group of radio buttons, so that arrow keys move in it. */
export function Segments({ label, value, choices, onChange }: SegmentsProps) {
  const name = useRef(`segments-${Math.random().toString(36).slice(2)}`);
  return (
    <fieldset class="segments">
      <legend class="unseen">{label}</legend>
      {choices.map(([one, text]) => (
        <label key={one} class={one === value ? "chosen" : ""}>
          <input type="radio" name={name.current} value={one} checked={one === value} onChange={() => onChange(one)} />
          <span>{text}</span>
        </label>
      ))}
    </fieldset>
  );
}

/** A button that opens the browser's dialog for a file. */
export function FileButton({ label, accept, onFile, class: kind, icon }: { label: string; accept: string; onFile: (file: File) => void; class?: string; icon?: IconName }) {
  const place = useRef<HTMLInputElement>(null);
  return (
    <>
      <button type="button" class={kind ?? "button"} onClick={() => place.current?.click()}>
        {icon ? <Icon name={icon} /> : null}
        {label}
      </button>
      <input
        ref={place}
        type="file"
        class="unseen"
        tabIndex={-1}
        aria-hidden="true"
        accept={accept}
        onChange={(event) => {
          const file = event.currentTarget.files?.[0];
          event.currentTarget.value = "";
          if (file) onFile(file);
        }}
      />
    </>
  );
}
