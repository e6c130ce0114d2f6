// What the editor says, and what a click does about it.
import { signal } from "@preact/signals";

import { connected, dismiss, notices, type Remedy } from "../state/notices";
import { texts } from "../text";
import { IconButton } from "./controls";

/** How many dialogs are open. */
export const modal = signal(0);

/** One click that does something about a notice, which goes with it. */
function Remedied({ id, remedy }: { id: number; remedy: Remedy }) {
  const act = () => {
    dismiss(id);
    remedy.act();
  };
  return (
    <button type="button" class="button small" onClick={act}>
      {remedy.text}
    </button>
  );
}

/** The notices, over the picture; in a dialog while one is open, as nothing below it can be reached. */
export function Notices({ inDialog = false }: { inDialog?: boolean }) {
  const words = texts.value;
  if (modal.value > 0 !== inDialog) return null;
  return (
    <div class="notices">
      {connected.value ? null : (
        <div class="notice warn" role="status">
          <p>{words.connection.lost}</p>
        </div>
      )}
      {notices.value.map((one) => (
        <div key={one.id} class={`notice ${one.kind}`} role={one.kind === "error" ? "alert" : "status"}>
          <div>
            <p>{one.text}</p>
            {one.hint ? <p class="hint">{one.hint}</p> : null}
            {one.remedy ? <Remedied id={one.id} remedy={one.remedy} /> : null}
          </div>
          <IconButton icon="close" label={words.errors.dismiss} onClick={() => dismiss(one.id)} />
        </div>
      ))}
    </div>
  );
}
