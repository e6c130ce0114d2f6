// Export, the sheet of shortcuts, the key, and original and present side by side.
import { signal } from "@preact/signals";
import { useState } from "preact/hooks";

import { useKey } from "../api/client";
import { exportAudit, exportPicture, exportSession, FORMATS, type ExportFormat } from "../state/files";
import { exportEnhanced, progress, stopEnhancing } from "../state/enhance";
import { locked } from "../state/notices";
import { session } from "../state/session";
import { allTexts as texts } from "../text/later";
import { Slider } from "./controls";
import { Dialog } from "./Dialog";
import { AS_IT_IS, EnhanceOptions, refused } from "./Enhance";
import { Shot } from "./Shot";
import { tools as toolList } from "./Tools";
import { dialog } from "./TopBar";

const format = signal<ExportFormat>("png");
const close = () => (dialog.value = null);

export function ExportDialog() {
  const words = texts.value.export;
  const [quality, setQuality] = useState(92);
  const [chosen, setChosen] = useState(false);
  const [record, setRecord] = useState(true);
  const [waiting, setWaiting] = useState(false);
  const [better, setBetter] = useState(AS_IT_IS);
  const layered = format.value === "psd" || format.value === "ora";
  const enhances = !layered && (better.scale !== null || better.width !== null || better.faces !== null);
  const lossy = format.value === "jpeg" || format.value === "webp" ? format.value : null;
  const save = async () => {
    setWaiting(true);
    const how = { format: format.value, quality: lossy && chosen ? quality : null, record };
    if (await (enhances ? exportEnhanced(better, how) : exportPicture(how.format, how.quality, record))) close();
    setWaiting(false);
  };
  const leave = () => {
    stopEnhancing();
    close();
  };
  return (
    <Dialog heading={words.heading} onClose={leave}>
      <div class="form">
        <fieldset class="formats">
          <legend>{words.format}</legend>
          {FORMATS.map((one) => (
            <label key={one} class="check">
              <input type="radio" name="format" value={one} checked={format.value === one} onChange={() => (format.value = one)} />
              {words.formats[one]}
            </label>
          ))}
        </fieldset>
        {lossy ? (
          <div>
            <label class="check">
              <input type="checkbox" checked={chosen} onChange={(event) => setChosen(event.currentTarget.checked)} />
              {words.chooseQuality}
            </label>
            {chosen ? <Slider label={words.quality} value={quality} min={1} max={100} onInput={setQuality} /> : null}
            {enhances ? null : <p class="dim">{chosen ? words.encodedAnew : words.leftAlone[lossy]}</p>}
          </div>
        ) : null}
        {layered ? null : <EnhanceOptions value={better} onChange={setBetter} />}
        <label class="check">
          <input type="checkbox" checked={record} onChange={(event) => setRecord(event.currentTarget.checked)} />
          {words.record}
        </label>
        {progress.value === null ? (
          <button type="button" class="button primary" disabled={waiting || (enhances && refused(better) !== null)} onClick={() => void save()}>
            {words.go}
          </button>
        ) : (
          <div class="row">
            <progress value={progress.value} max={1} aria-label={words.working} />
            <button type="button" class="button" onClick={stopEnhancing}>
              {texts.value.jobs.cancel}
            </button>
          </div>
        )}
        <hr />
        <div class="row">
          <button type="button" class="button" title={words.sessionHelp} onClick={() => void exportSession()}>
            {words.session}
          </button>
          {session.value?.audited ? (
            <button type="button" class="button" title={words.auditHelp} onClick={() => void exportAudit()}>
              {words.audit}
            </button>
          ) : null}
        </div>
      </div>
    </Dialog>
  );
}

/** The keys of each group, as rows of words and keys. */
function shortcutRows(): Record<"edit" | "view" | "tools" | "masks", (readonly [string, string])[]> {
  const words = texts.value.shortcuts;
  const tools = texts.value.tools as unknown as Record<string, string>;
  return {
    edit: [
      [words.generate, "Ctrl+Enter"],
      [words.cancelJob, "Shift+X"],
      [words.undo, "Ctrl+Z, Ctrl+Shift+Z"],
      [words.nextTake, "← →"],
      [words.apply, "Enter"],
      [words.discard, "Delete"],
      [words.prompt, "/"],
      [words.export, "Ctrl+S"],
      [words.escape, "Esc"],
      [words.sheet, "?"],
    ],
    view: [
      [words.holdOriginal, "Tab, \\"],
      [words.cycle, "M"],
      [texts.value.top.loupe, "Z"],
      [words.pan, "Space"],
      [words.zoom, `${words.wheel}, Ctrl++, Ctrl+-`],
      [texts.value.top.fit, "Ctrl+0"],
      [texts.value.top.full, "Ctrl+1"],
    ],
    tools: [
      ...toolList().map(([name, key]) => [tools[name] ?? name, key] as const),
      [words.swap, "X"],
      [words.brushSize, `[ ], Ctrl+${words.wheel}`],
      [words.brushHard, "Shift+[ ]"],
      [words.straight, "Shift"],
      [words.keyboardBrush, "K"],
    ],
    masks: [
      [words.invert, "Ctrl+I"],
      [words.clear, "Ctrl+D"],
    ],
  };
}

export function ShortcutsDialog() {
  const words = texts.value.shortcuts;
  const rows = shortcutRows();
  return (
    <Dialog heading={words.heading} onClose={close} class="sheet">
      <div class="sheet-groups" tabIndex={0}>
        {(Object.keys(rows) as (keyof typeof rows)[]).map((group) => (
          <section key={group}>
            <h3>{words.groups[group]}</h3>
            <dl>
              {rows[group].map(([what, keys]) => (
                <div key={what}>
                  <dt>{what}</dt>
                  <dd>
                    {keys.split(", ").map((one) => (
                      <kbd key={one}>{one}</kbd>
                    ))}
                  </dd>
                </div>
              ))}
            </dl>
          </section>
        ))}
      </div>
    </Dialog>
  );
}

export function SideBySideDialog() {
  const words = texts.value.results;
  const now = session.value;
  if (!now) return null;
  return (
    <Dialog heading={words.sideBySide} onClose={close} class="wide">
      <div class="pair">
        <figure>
          <Shot path={`/sessions/${now.id}/picture?of=original&side=1400`} version={now.original} alt={words.before} />
          <figcaption>{words.before}</figcaption>
        </figure>
        <figure>
          <Shot path={`/sessions/${now.id}/picture?side=1400`} version={now.picture} alt={words.after} />
          <figcaption>{words.after}</figcaption>
        </figure>
      </div>
    </Dialog>
  );
}

/** Asks for a key, where the server wants one. */
export function KeyDialog({ onKey }: { onKey: () => void }) {
  const words = texts.value.key;
  const [key, setKey] = useState("");
  return (
    <Dialog heading={words.heading} onClose={() => undefined}>
      <form
        class="form"
        method="dialog"
        onSubmit={(event) => {
          event.preventDefault();
          useKey(key.trim());
          locked.value = false;
          onKey();
        }}
      >
        <p>{words.text}</p>
        <label class="field">
          <span>{words.key}</span>
          <input type="password" autocomplete="off" value={key} onInput={(event) => setKey(event.currentTarget.value)} />
        </label>
        <button type="submit" class="button primary">
          {words.go}
        </button>
      </form>
    </Dialog>
  );
}
