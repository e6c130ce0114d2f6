// Pictures in, files out.
import { signal } from "@preact/signals";

import { api, bytes, type SessionStatus } from "../api/client";
import { canvas } from "./canvas";
import { exampleFile } from "./example";
import { attempt, notify } from "./notices";
import { openSession, session, show } from "./session";
import { insert } from "./wish";

export const uploading = signal(false);
export const FORMATS = ["png", "jpeg", "webp", "tiff", "psd", "ora"] as const;
export type ExportFormat = (typeof FORMATS)[number];

/** Open a picture, or a session's file, as a session of its own. */
export async function openFile(file: Blob, name: string): Promise<void> {
  uploading.value = true;
  try {
    await attempt(async () => {
      const plain = name.replace(/\.[^.]{1,10}$/, "");
      if (name.endsWith(".overpaint")) {
        const status: SessionStatus = await api.uploadSession(file, plain);
        await openSession(status.id);
      } else {
        const picture = await api.upload(file);
        show(await api.begin(picture.id, plain));
      }
    });
  } finally {
    uploading.value = false;
  }
}

export async function openExample(): Promise<void> {
  await openFile(await exampleFile(), "Example.png");
}

/** The first file of a drop or a paste; null where there is none. */
export function fileOf(data: DataTransfer | null): File | null {
  return data?.files[0] ?? null;
}

/** A file that the browser keeps under a name. */
export function download(blob: Blob, name: string): void {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(blob);
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 60_000);
}

/** Keep a file of the server under the name that it gives; what it notes about the file is shown. */
async function save(path: string, fallback: string): Promise<void> {
  const reply = await bytes(path);
  const note = decodeURIComponent(reply.headers.get("x-overpaint-note") ?? "");
  if (note) notify("info", note);
  const named = /filename\*=UTF-8''([^;]+)/.exec(reply.headers.get("content-disposition") ?? "")?.[1];
  download(await reply.blob(), named ? decodeURIComponent(named) : fallback);
}

/** Save the picture. Without a quality, a JPEG's blocks that no edit touches are carried over, and WebP loses nothing. */
export async function exportPicture(format: ExportFormat, quality: number | null, record: boolean): Promise<boolean> {
  const now = session.value;
  if (!now) return false;
  const query = new URLSearchParams({ format, record: record ? "embed" : "none" });
  if (quality !== null) query.set("quality", String(quality));
  return (await attempt(async () => (await save(`/sessions/${now.id}/export?${query}`, `picture.${format}`), true), { about: "save" })) ?? false;
}

export async function exportSession(): Promise<void> {
  const now = session.value;
  if (now) await attempt(() => save(`/sessions/${now.id}/file`, "session.overpaint"), { about: "save" });
}

export async function exportAudit(): Promise<void> {
  const now = session.value;
  if (now) await attempt(() => save(`/sessions/${now.id}/audit`, "audit.jsonl"), { about: "save" });
}

export async function saveMask(): Promise<void> {
  const made = canvas.value;
  const name = made?.masks.find((one) => one.id === made.activeMask)?.name || "mask";
  if (made) await attempt(async () => download(new Blob([await made.exportMask()], { type: "image/png" }), `${name}.png`));
}

export async function loadMask(file: Blob): Promise<void> {
  const made = canvas.value;
  if (made) await attempt(() => made.importMask(file, { combine: made.combine === "replace" ? "replace" : made.combine }));
}

/** Keep a picture to put in. */
export async function chooseInsert(file: File): Promise<void> {
  await attempt(async () => (insert.value = { id: (await api.upload(file)).id, name: file.name }));
}
