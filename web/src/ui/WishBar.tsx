// The bar below the picture: what to do, in words, and one button.
import { signal } from "@preact/signals";
import { useEffect, useRef } from "preact/hooks";

import { ask, asking, missing, variations } from "../state/actions";
import { canvas, drawn } from "../state/canvas";
import { given, insert, INTENTS, setIntent, takesPicture, wish, type Intent } from "../state/wish";
import { chooseInsert } from "../state/files";
import { filled, texts } from "../text";
import { FileButton, IconButton } from "./controls";
import { Icon } from "./icons";
import { later, loadLater } from "./later";

export const settingsOpen = signal(false);

export const promptField: { current: HTMLTextAreaElement | null } = { current: null };

function chooseIntent(intent: Intent): void {
  setIntent(intent);
  const made = canvas.value;
  if (!made) return;
  if (intent === "expand") made.setTool("expand");
  else if (made.tool === "expand") made.setTool("brush");
}

function toggleSettings(): void {
  loadLater();
  settingsOpen.value = !settingsOpen.value;
}

function Prompt() {
  const place = useRef<HTMLTextAreaElement>(null);
  useEffect(() => {
    promptField.current = place.current;
  }, []);
  const { intent, prompt } = wish.value;
  return (
    <textarea
      ref={place}
      class="prompt"
      dir="auto"
      rows={1}
      aria-label={texts.value.wish.prompt}
      placeholder={texts.value.intents[intent].prompt}
      value={prompt}
      onInput={(event) => (wish.value = { ...wish.value, prompt: event.currentTarget.value })}
      onKeyDown={(event) => {
        if (event.key === "Enter" && !event.shiftKey && !event.isComposing) {
          event.preventDefault();
          void ask();
        }
      }}
    />
  );
}

function Count() {
  const count = variations();
  const fixed = variations(2) === 1;
  const words = texts.value.wish;
  const set = (next: number) => (wish.value = { ...wish.value, count: Math.max(1, Math.min(8, next)) });
  return (
    <div class="count" role="group" aria-label={words.count} title={fixed ? words.onlyOne : words.count}>
      <IconButton icon="minus" label={`${words.count}: ${count - 1}`} disabled={count <= 1} onClick={() => set(count - 1)} />
      <output aria-live="off">{`× ${count}`}</output>
      <IconButton icon="plus" label={`${words.count}: ${count + 1}`} disabled={fixed || count >= 8} onClick={() => set(count + 1)} />
    </div>
  );
}

export function WishBar() {
  const words = texts.value.wish;
  const { intent } = wish.value;
  drawn.value;
  const why = missing();
  const Fold = later.value?.SettingsFold;
  return (
    <section class="wish" aria-label={words.label}>
      {settingsOpen.value && Fold ? <Fold /> : null}
      <div class="intents" role="radiogroup" aria-label={words.intents}>
        {INTENTS.map((one) => (
          <label key={one} class={one === intent ? "chosen" : ""} title={texts.value.intents[one].help}>
            <input type="radio" name="intent" value={one} checked={one === intent} onChange={() => chooseIntent(one)} />
            <span>{texts.value.intents[one].name}</span>
          </label>
        ))}
        <span class="why" title={why ?? texts.value.intents[intent].help}>{why ?? texts.value.intents[intent].help}</span>
      </div>
      <div class="wish-row">
        <Prompt />
        {takesPicture(intent) ? (
          insert.value ? (
            <button type="button" class="button" onClick={() => (insert.value = null)} aria-label={filled(words.removeInsert, { name: insert.value.name })}>
              <Icon name="image" />
              <span class="short">{insert.value.name}</span>
              <Icon name="close" />
            </button>
          ) : (
            <FileButton icon="image" label={words.insert} accept="image/*" onFile={(file) => void chooseInsert(file)} />
          )
        ) : null}
        <Count />
        <button type="button" class="button" aria-expanded={settingsOpen.value} onClick={toggleSettings}>
          {given.value ? filled(words.settingsGiven, { count: given.value }) : words.settings}
        </button>
        <button type="button" class="button primary go" aria-disabled={why !== null || asking.value} aria-keyshortcuts="Control+Enter" title={why ?? `${words.go} (Ctrl+Enter)`} onClick={() => void ask()}>
          <Icon name="spark" />
          {words.go}
        </button>
      </div>
    </section>
  );
}
