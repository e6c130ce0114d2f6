// What was drawn and not sent yet - masks and sketch by session - kept in the browser (IndexedDB), so that a reload goes on.
export interface MaskDraft {
  readonly name: string;
  readonly role: string;
  readonly png: Blob;
  readonly look: Record<string, unknown>;
}

export interface Draft {
  readonly session: string;
  readonly saved: number;
  readonly left: number;
  readonly top: number;
  readonly width: number;
  readonly height: number;
  readonly masks: readonly MaskDraft[];
  readonly sketch: Blob | null;
  readonly wish: unknown;
  readonly guides?: unknown;
}

const MOST = 20;

let opened: Promise<IDBDatabase> | null = null;

function database(): Promise<IDBDatabase> {
  opened ??= new Promise((resolve, reject) => {
    const asked = indexedDB.open("overpaint", 1);
    asked.onupgradeneeded = () => asked.result.createObjectStore("drafts", { keyPath: "session" });
    asked.onsuccess = () => resolve(asked.result);
    asked.onerror = () => reject(asked.error ?? new Error("IndexedDB"));
  });
  return opened;
}

function done<T>(request: IDBRequest<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error ?? new Error("IndexedDB"));
  });
}

/** Keep a draft; the oldest of too many is dropped. A browser that has no room keeps none. */
export async function keepDraft(draft: Draft): Promise<void> {
  try {
    const store = (await database()).transaction("drafts", "readwrite").objectStore("drafts");
    await done(store.put(draft));
    const all = (await done(store.getAll())) as Draft[];
    for (const old of all.sort((a, b) => b.saved - a.saved).slice(MOST)) store.delete(old.session);
  } catch {
    /* a draft is a convenience: without it, everything else works */
  }
}

export async function draftOf(session: string): Promise<Draft | null> {
  try {
    const store = (await database()).transaction("drafts").objectStore("drafts");
    return ((await done(store.get(session))) as Draft | undefined) ?? null;
  } catch {
    return null;
  }
}

export async function dropDraft(session: string): Promise<void> {
  try {
    await done((await database()).transaction("drafts", "readwrite").objectStore("drafts").delete(session));
  } catch {
    /* see keepDraft */
  }
}
