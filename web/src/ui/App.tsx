// The whole page.
import { signal } from "@preact/signals";
import { useEffect } from "preact/hooks";

import { loadCatalogue } from "../state/catalogue";
import { fileOf, openFile } from "../state/files";
import { locked, notify, report, spoken } from "../state/notices";
import { panelOpen } from "../state/prefs";
import { opening, openSession, session } from "../state/session";
import { filled, texts } from "../text";
import { later, loadLater } from "./later";
import { Panel } from "./Panel";
import { Notices } from "./Notices";
import { Stage } from "./Stage";
import { Start } from "./Start";
import { Tools } from "./Tools";
import { dialog, MenuDialog, TopBar } from "./TopBar";
import { WishBar } from "./WishBar";

const dragging = signal(false);

function dropped(event: DragEvent): void {
  event.preventDefault();
  dragging.value = false;
  const file = fileOf(event.dataTransfer);
  const count = event.dataTransfer?.files.length ?? 0;
  const words = texts.value.start;
  if (!file) notify("info", words.noFile);
  else void openFile(file, file.name);
  if (count > 1) notify("info", filled(words.onlyFirst, { count, name: file?.name ?? "" }));
}

function pasted(event: ClipboardEvent): void {
  const file = fileOf(event.clipboardData);
  if (!file) return;
  event.preventDefault();
  void openFile(file, file.name);
}

/** The session that the address names. */
async function openNamed(): Promise<void> {
  const id = location.hash.slice(1);
  if (/^[0-9a-f]{32}$/.test(id) && id !== session.value?.id) {
    await openSession(id).catch((error: unknown) => {
      history.replaceState(null, "", location.pathname);
      report(error);
    });
  }
}

function start(): void {
  void loadCatalogue();
  void openNamed();
}

export function App() {
  useEffect(() => {
    start();
    const over = (event: DragEvent) => {
      event.preventDefault();
      dragging.value = event.dataTransfer?.types.includes("Files") ?? false;
    };
    const leave = (event: DragEvent) => {
      if (event.relatedTarget === null) dragging.value = false;
    };
    const named = () => void openNamed();
    window.addEventListener("dragover", over);
    window.addEventListener("dragleave", leave);
    window.addEventListener("drop", dropped);
    window.addEventListener("paste", pasted);
    window.addEventListener("hashchange", named);
  }, []);
  const open = session.value !== null;
  const shown = dialog.value;
  const wanted = open || shown !== null || locked.value;
  useEffect(() => {
    if (wanted) loadLater();
  }, [wanted]);
  const parts = later.value;
  return (
    <>
      {open ? (
        <div class={`editor ${panelOpen.value ? "with-panel" : ""}`} key={session.value?.id}>
          <TopBar />
          <Tools />
          <Stage />
          <Panel />
          <WishBar />
        </div>
      ) : (
        <>
          {opening.value && location.hash ? <main class="start" aria-busy="true" /> : <Start />}
          <Notices />
        </>
      )}
      {shown === "menu" ? <MenuDialog /> : null}
      {parts && shown === "export" ? <parts.ExportDialog /> : null}
      {parts && shown === "shortcuts" ? <parts.ShortcutsDialog /> : null}
      {parts && shown === "sideBySide" ? <parts.SideBySideDialog /> : null}
      {parts && locked.value ? <parts.KeyDialog onKey={start} /> : null}
      {dragging.value ? <div class="drop-sign">{texts.value.start.letGo}</div> : null}
      <div class="unseen" role="status" aria-live="polite">
        {spoken.value}
      </div>
    </>
  );
}
