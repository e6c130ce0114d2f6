// The first page: open a picture, or go on with one.
import { useEffect, useState } from "preact/hooks";

import { api, type ListedSession } from "../api/client";
import { openExample, openFile, uploading } from "../state/files";
import { attempt } from "../state/notices";
import { opening, openSession } from "../state/session";
import { filled, language, texts } from "../text";
import { FileButton, IconButton } from "./controls";
import { Shot } from "./Shot";

export const ACCEPT = "image/*,.psd,.tif,.tiff,.heic,.avif,.overpaint";

export function Start() {
  const words = texts.value.start;
  const [recent, setRecent] = useState<readonly ListedSession[] | null>(null);
  const load = () => void attempt(async () => setRecent(await api.sessions()));
  useEffect(load, []);
  const waiting = uploading.value || opening.value;

  const remove = async (one: ListedSession) => {
    if (!window.confirm(filled(words.sure, { name: one.name || texts.value.untitled }))) return;
    await attempt(() => api.remove(one.id));
    load();
  };
  return (
    <main class="start">
      <section class="welcome">
        <h1>{words.heading}</h1>
        <p class="lead">{words.lead}</p>
        <div class="dropzone">
          <p>{waiting ? words.opening : words.drop}</p>
          <div class="row">
            <FileButton class="button primary" icon="image" label={words.open} accept={ACCEPT} onFile={(file) => void openFile(file, file.name)} />
            <button type="button" class="button" disabled={waiting} onClick={() => void openExample()}>
              {words.example}
            </button>
          </div>
        </div>
      </section>
      <section class="recent" aria-labelledby="recent">
        <h2 id="recent">{words.recent}</h2>
        {recent && recent.length === 0 ? <p class="dim">{words.none}</p> : null}
        <ul>
          {(recent ?? []).map((one) => {
            const name = one.name || texts.value.untitled;
            return (
              <li key={one.id}>
                <button type="button" class="card" onClick={() => void attempt(() => openSession(one.id))}>
                  <Shot path={`/sessions/${one.id}/picture?side=320`} version={String(one.created)} alt="" />
                  <span class="card-name">{name}</span>
                  <span class="dim">{`${one.width} × ${one.height} · ${new Date(one.created * 1000).toLocaleDateString(language.value)}`}</span>
                </button>
                <IconButton class="card-remove" icon="trash" label={filled(words.remove, { name })} onClick={() => void remove(one)} />
              </li>
            );
          })}
        </ul>
      </section>
    </main>
  );
}
