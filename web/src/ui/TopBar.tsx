// The bar above: where one is, undo, the view, comparing, export, and the editor's own settings.
import { signal } from "@preact/signals";

import { api } from "../api/client";
import { canvas, compareMode, redo, redoText, undo, undoText, view } from "../state/canvas";
import { attempt } from "../state/notices";
import { panelOpen, theme, type Theme } from "../state/prefs";
import { adopt, leaveSession, session } from "../state/session";
import { filled, language, LANGUAGES, texts, type Language } from "../text";
import { IconButton, Segments } from "./controls";
import { Dialog } from "./Dialog";
import { Icon } from "./icons";
import { later } from "./later";

export type DialogName = "export" | "shortcuts" | "menu" | "sideBySide";
export const dialog = signal<DialogName | null>(null);
export const loupe = signal(false);

export function setLoupe(on: boolean): void {
  loupe.value = on;
  canvas.value?.setLoupe(on);
}

function NameField() {
  const now = session.value;
  if (!now) return null;
  const rename = (name: string) => {
    if (name.trim() !== now.name) void attempt(async () => adopt(await api.rename(now.id, name.trim())));
  };
  return (
    <input
      class="name"
      dir="auto"
      aria-label={texts.value.top.name}
      value={now.name}
      placeholder={texts.value.untitled}
      maxLength={200}
      onChange={(event) => rename(event.currentTarget.value)}
    />
  );
}

export function TopBar() {
  const words = texts.value.top;
  const [back, forward] = [undoText(), redoText()];
  const named = later.value?.historyWords ?? String;
  const zoom = Math.round((view.value?.zoom ?? 1) * 100);
  const split = compareMode.value === "split";
  return (
    <header class="top">
      <div class="top-part">
        <IconButton icon="home" label={words.home} onClick={leaveSession} />
        <NameField />
      </div>
      <div class="top-part middle">
        <IconButton icon="undo" keys="Ctrl+Z" disabled={back === null} label={back ? filled(words.undoWhat, { what: named(back) }) : words.undo} onClick={() => void undo()} />
        <IconButton icon="redo" keys="Ctrl+Shift+Z" disabled={forward === null} label={forward ? filled(words.redoWhat, { what: named(forward) }) : words.redo} onClick={() => void redo()} />
        <span class="rule" />
        <IconButton icon="minus" keys="Ctrl+-" label={words.zoomOut} onClick={() => canvas.value?.zoomBy(1 / 1.25)} />
        <button type="button" class="zoom" title={`${words.full} (Ctrl+1)`} aria-label={filled(words.zoomNow, { percent: zoom })} onClick={() => canvas.value?.zoomTo(1)}>
          {`${zoom} %`}
        </button>
        <IconButton icon="plus" keys="Ctrl++" label={words.zoomIn} onClick={() => canvas.value?.zoomBy(1.25)} />
        <button type="button" class="text-button" title={`${words.fit} (Ctrl+0)`} onClick={() => canvas.value?.fit()}>
          {words.fit}
        </button>
        <span class="rule" />
        <IconButton icon="compare" keys="M" pressed={split} label={words.compare} onClick={() => canvas.value?.setCompare(split ? { mode: "off" } : { mode: "split", at: 0.5 })} />
        <IconButton icon="loupe" keys="Z" pressed={loupe.value} label={words.loupe} onClick={() => setLoupe(!loupe.value)} />
      </div>
      <div class="top-part end">
        <button type="button" class="button" aria-keyshortcuts="Control+S" onClick={() => (dialog.value = "export")}>
          <Icon name="export" />
          <span class="wide-only">{words.export}</span>
          <span class="unseen narrow-only">{words.export}</span>
        </button>
        <IconButton icon="menu" label={words.menu} onClick={() => (dialog.value = "menu")} />
        <IconButton icon="panel" label={words.panel} pressed={panelOpen.value} onClick={() => (panelOpen.value = !panelOpen.value)} />
      </div>
    </header>
  );
}

/** The editor's own settings. */
export function MenuDialog() {
  const words = texts.value.top;
  const themes = (Object.keys(words.themes) as Theme[]).map((one) => [one, words.themes[one]] as const);
  return (
    <Dialog heading={words.menu} onClose={() => (dialog.value = null)}>
      <div class="form">
        <div class="form-row">
          <span>{words.theme}</span>
          <Segments label={words.theme} value={theme.value} choices={themes} onChange={(one) => (theme.value = one as Theme)} />
        </div>
        <div class="form-row">
          <span>{words.language}</span>
          <Segments label={words.language} value={language.value} choices={Object.entries(LANGUAGES)} onChange={(one) => (language.value = one as Language)} />
        </div>
        <div class="row">
          <button type="button" class="button" onClick={() => (dialog.value = "shortcuts")}>
            <Icon name="keyboard" />
            {words.shortcuts}
          </button>
          <a class="button" href="/docs" target="_blank" rel="noopener">
            {words.api}
          </a>
        </div>
      </div>
    </Dialog>
  );
}
