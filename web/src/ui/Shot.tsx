// A picture of the server, fetched so that a key is sent along, and shown from memory.
import { useEffect, useState } from "preact/hooks";

import { bytes } from "../api/client";

const MOST = 60;
const made = new Map<string, Promise<string>>();

/** The address of a fetched picture in this page's memory. `version`: what the picture follows from. */
function shot(path: string, version: string): Promise<string> {
  const name = `${path} ${version}`;
  const found = made.get(name);
  if (found) return found;
  const loading = bytes(path)
    .then((reply) => reply.blob())
    .then((blob) => URL.createObjectURL(blob));
  loading.catch(() => made.delete(name));
  made.set(name, loading);
  const [oldest] = made.keys();
  if (made.size > MOST && oldest !== undefined) {
    void made.get(oldest)?.then((url) => setTimeout(() => URL.revokeObjectURL(url), 10_000)).catch(() => undefined);
    made.delete(oldest);
  }
  return loading;
}

export function Shot({ path, version, alt, class: kind }: { path: string; version: string; alt: string; class?: string }) {
  const [url, setUrl] = useState<string | null>(null);
  useEffect(() => {
    let there = true;
    shot(path, version).then((found) => there && setUrl(found), () => undefined);
    return () => {
      there = false;
    };
  }, [path, version]);
  return url === null ? <span class={`shot-wait ${kind ?? ""}`} /> : <img class={kind} src={url} alt={alt} draggable={false} />;
}
