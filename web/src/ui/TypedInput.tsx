// A field whose value is taken when it is left.
import { useState } from "preact/hooks";

interface TypedInputProps {
  id?: string;
  type: "number" | "text";
  value: string;
  min?: number;
  max?: number;
  step?: number | "any";
  placeholder?: string;
  "aria-label"?: string;
  onChange: (typed: string) => void;
}

/** What is typed stays while the page is drawn anew around it, as when a list arrives from the server. */
export function TypedInput({ type, value, min, max, step, onChange, ...named }: TypedInputProps) {
  const [typed, setTyped] = useState<string | null>(null);
  const given = {
    ...named,
    value: typed ?? value,
    onInput: (event: { currentTarget: HTMLInputElement }) => setTyped(event.currentTarget.value),
    onChange: (event: { currentTarget: HTMLInputElement }) => onChange(event.currentTarget.value),
    onBlur: () => setTyped(null),
  };
  return type === "number" ? <input {...given} type="number" min={min} max={max} step={step} /> : <input {...given} type="text" />;
}
