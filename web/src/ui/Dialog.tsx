// A modal dialog.
import type { ComponentChildren } from "preact";
import { useEffect, useRef } from "preact/hooks";

import { texts } from "../text";
import { IconButton } from "./controls";
import { modal, Notices } from "./Notices";

interface DialogProps {
  heading: string;
  onClose: () => void;
  children: ComponentChildren;
  class?: string;
}

/** A modal dialog: the browser keeps the focus in it and gives it back. */
export function Dialog({ heading, onClose, children, class: kind }: DialogProps) {
  const place = useRef<HTMLDialogElement>(null);
  useEffect(() => {
    const dialog = place.current;
    // A browser closes a dialog at the second Escape whatever its page says: where it must stay, it opens again.
    const closed = () => {
      onClose();
      setTimeout(() => place.current?.isConnected && !place.current.open && place.current.showModal());
    };
    dialog?.addEventListener("close", closed);
    dialog?.showModal();
    modal.value = modal.peek() + 1;
    return () => {
      dialog?.removeEventListener("close", closed);
      dialog?.close();
      modal.value = modal.peek() - 1;
    };
  }, []);
  return (
    <dialog
      ref={place}
      class={kind}
      aria-labelledby="dialog-heading"
      onCancel={(event) => {
        event.preventDefault();
        onClose();
      }}
      onClick={(event) => {
        if (event.target === place.current) onClose();
      }}
    >
      <div class="dialog-inner">
        <header>
          <h2 id="dialog-heading">{heading}</h2>
          <IconButton icon="close" label={texts.value.close} onClick={onClose} />
        </header>
        <Notices inDialog />
        {children}
      </div>
    </dialog>
  );
}
