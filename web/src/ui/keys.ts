// Keys of the whole page. Those of the picture go to its canvas; none is taken from a field that is typed in.
import { ask, cancelFirst, cycleCompare, discard, keepTake, previewed, showOriginal, stepTake, unpreview } from "../state/actions";
import { canvas, endMarking, markedPart, redo, restoring, undo } from "../state/canvas";
import { attempt } from "../state/notices";
import { session, shownStep } from "../state/session";
import { chooseTool, tools } from "./Tools";
import { dialog, loupe, setLoupe } from "./TopBar";
import { promptField } from "./WishBar";

const SHORT = 250;
/** Keys that the canvas takes by itself. */
let keyboardBrush = false;
let tabDown = 0;

function typing(target: EventTarget | null): boolean {
  if (!(target instanceof HTMLElement)) return false;
  if (target instanceof HTMLTextAreaElement || target instanceof HTMLSelectElement || target.isContentEditable) return true;
  return target instanceof HTMLInputElement && !["checkbox", "radio", "range", "button", "color", "file"].includes(target.type);
}

const OWN_KEYS = [" ", "Enter", "Tab", "Home", "End", "PageUp", "PageDown", "ArrowLeft", "ArrowRight", "ArrowUp", "ArrowDown"];

/** Whether a key belongs to the switch or the slider that has the focus. Every other key is a shortcut there too. */
function ownKey(event: KeyboardEvent): boolean {
  return event.target instanceof HTMLInputElement && !event.ctrlKey && !event.metaKey && OWN_KEYS.includes(event.key);
}

/** Whether the picture has the focus, or nothing has it. */
function atPicture(target: EventTarget | null): boolean {
  return target === document.body || (target instanceof HTMLElement && target.closest(".canvas-host") !== null);
}

/** Every element that Tab leads to, in its order. */
function stops(): HTMLElement[] {
  const all = document.querySelectorAll<HTMLElement>("a[href], button:not(:disabled), input:not(:disabled), select, textarea, [tabindex]");
  return [...all].filter((one) => one.tabIndex >= 0 && one.getClientRects().length > 0);
}

function moveFocus(back: boolean): void {
  const all = stops();
  const at = all.findIndex((one) => one === document.activeElement || one.contains(document.activeElement));
  all[(at + (back ? -1 : 1) + all.length) % all.length]?.focus();
}

const withControl: Record<string, () => void> = {
  z: () => void undo(),
  y: () => void redo(),
  s: () => (dialog.value = "export"),
  i: () => void refine("invert"),
  d: () => void refine("clear"),
  enter: () => void ask(),
};

async function refine(kind: "invert" | "clear"): Promise<void> {
  const made = canvas.value;
  if (made) await attempt(() => made.refineMask({ kind }));
}

const plain: Record<string, () => void> = {
  m: cycleCompare,
  z: () => setLoupe(!loupe.value),
  "?": () => (dialog.value = "shortcuts"),
  "/": () => promptField.current?.focus(),
  k: () => {
    keyboardBrush = !keyboardBrush;
    canvas.value?.setKeyboardBrush(keyboardBrush);
    canvas.value?.focus();
  },
};

function takeKey(event: KeyboardEvent): boolean {
  const seen = previewed.value;
  const step = shownStep.value;
  if ((event.key === "ArrowLeft" || event.key === "ArrowRight") && step && !keyboardBrush && !holdsArrows(event.target)) {
    void stepTake(event.key === "ArrowRight" ? 1 : -1);
    return true;
  }
  if (!seen) return false;
  if (event.key === "Enter" && !(event.target instanceof HTMLButtonElement)) void keepTake(seen.step, seen.take);
  else if (event.key === "Delete") void discard(seen.step, seen.take);
  else if (event.key === "Escape") unpreview();
  else return false;
  return true;
}

/** Widgets that use arrow keys by themselves. */
function holdsArrows(target: EventTarget | null): boolean {
  return target instanceof HTMLElement && target.closest("input, select, [role=tablist], [role=tabpanel]") !== null;
}

function down(event: KeyboardEvent): void {
  if (event.defaultPrevented || event.isComposing || session.value === null || dialog.value !== null) return;
  const control = event.ctrlKey || event.metaKey;
  if (control && event.key === "Enter") {
    event.preventDefault();
    void ask();
    return;
  }
  if (typing(event.target)) {
    if (event.key === "Escape") canvas.value?.focus();
    return;
  }
  if (ownKey(event)) return;
  if (event.key === "Tab" && atPicture(event.target) && !control && !event.altKey) {
    event.preventDefault();
    if (event.repeat) return;
    tabDown = performance.now();
    if (!event.shiftKey) showOriginal(true);
    return;
  }
  if (control && !event.altKey) {
    const key = event.key.toLowerCase();
    const act = key === "z" && event.shiftKey ? () => void redo() : withControl[key];
    if (act) {
      event.preventDefault();
      act();
      return;
    }
  }
  if (!control && !event.altKey && takeKey(event)) {
    event.preventDefault();
    return;
  }
  if (event.key === "X" && event.shiftKey && !control) {
    void cancelFirst();
    return;
  }
  const onButton = event.target instanceof HTMLButtonElement && (event.key === " " || event.key === "Enter");
  if (!onButton && canvas.value?.handleKey(event)) {
    event.preventDefault();
    return;
  }
  if (control || event.altKey) return;
  if (event.key === "\\") {
    if (!event.repeat) showOriginal(true);
    event.preventDefault();
    return;
  }
  if (event.key === "Escape" && (restoring.value || markedPart.value)) {
    endMarking();
    return;
  }
  const named = tools().find(([, key]) => key.toLowerCase() === event.key);
  const act = named ? () => chooseTool(named[0]) : plain[event.key];
  if (act) {
    event.preventDefault();
    act();
  }
}

function up(event: KeyboardEvent): void {
  if (session.value === null) return;
  if (event.key === "Tab" && tabDown) {
    const short = performance.now() - tabDown < SHORT;
    tabDown = 0;
    showOriginal(false);
    if (short) moveFocus(event.shiftKey);
    return;
  }
  if (event.key === "\\") showOriginal(false);
}

/** Keys that are held end where the window loses the focus. */
function release(): void {
  if (tabDown) showOriginal(false);
  tabDown = 0;
}

export function startKeys(): void {
  window.addEventListener("keydown", down);
  window.addEventListener("keyup", up);
  window.addEventListener("blur", release);
}
