// The names of what undo takes back, in the language of the page.
import { filled } from "../text";
import { allTexts } from "../text/later";
import { stepName, steps } from "./session";

/** A step of undo in words: one of the canvas, by its English name, or one of the session, as `sessionLabel` names it. */
export function historyWords(label: string): string {
  const words = allTexts.value.history;
  const [, what, number] = /^(\w+):(\d*)$/.exec(label) ?? [];
  if (what === undefined) return (words.drawn as Record<string, string>)[label] ?? label;
  const done = (words.done as Record<string, string>)[what];
  if (done === undefined || !number) return words.done.other;
  const step = steps.value.find((one) => String(one.number) === number);
  return filled(done, { name: step ? stepName(step) : filled(words.step, { number }) });
}
