// What guides a model beside the prompt: lines that are drawn, maps of the picture, images of one's own.
import { Fragment } from "preact";
import { useEffect, useState } from "preact/hooks";

import { canvas, drawn, tool } from "../state/canvas";
import { models } from "../state/catalogue";
import { addImage, addMade, allGuides, answer, changeGuide, DRAWN, drawnLines, factsOf, followWish, kindOf, MADE, misshapen, PICTURES, refusal, removeGuide, SHOWN, type ControlFacts } from "../state/guiding";
import { sentence } from "../state/notices";
import { session } from "../state/session";
import type { Guide } from "../state/wish";
import { filled } from "../text";
import { allTexts as texts } from "../text/later";
import { FileButton, IconButton, Select, Slider } from "./controls";
import { Shot } from "./Shot";
import { chooseTool } from "./Tools";

type Trouble = NonNullable<ControlFacts["unread"]>;

export function GuidesPanel() {
  const words = texts.value.guides;
  useEffect(followWish, []);
  drawn.value;
  const known = answer.value;
  return (
    <>
      <p class="dim">{words.heading}</p>
      {refusal.value ? <p class="hint">{sentence(refusal.value)}</p> : null}
      {known && !known.used ? <p class="hint">{filled(words.notUsed, { engine: known.engine })}</p> : null}
      <ul class="guides" aria-label={texts.value.panels.guides}>
        {allGuides().map((one, at) => (
          <GuideRow key={`${at} ${one.from}`} guide={one} at={at} />
        ))}
      </ul>
      <h3>{words.add}</h3>
      <div class="row">
        {MADE.map((kind) => (
          <button key={kind} type="button" class="button" title={words.made[kind]} onClick={() => addMade(kind)}>
            {words.kinds[kind]}
          </button>
        ))}
      </div>
      <FileButton label={words.upload} icon="image" accept="image/*" onFile={(file) => void addImage(file)} />
      <Here />
    </>
  );
}

function nameOf(guide: Guide): string {
  const words = texts.value.guides;
  if (guide.from === "lines") return words.lines;
  if (guide.image) return guide.image.name;
  return (words.made as Record<string, string>)[guide.kind ?? ""] ?? guide.kind ?? "";
}

const kindName = (kind: string): string => (texts.value.guides.kinds as Record<string, string>)[kind] ?? kind;

function GuideRow({ guide, at }: { guide: Guide; at: number }) {
  const words = texts.value.guides;
  const made = canvas.value;
  const name = nameOf(guide);
  const lines = guide.from === "lines";
  const mask = made && lines ? drawnLines(made) : null;
  const empty = lines && mask === null;
  const change = (what: Partial<Guide>) => changeGuide(at, what);
  const remove = () => (mask === null ? removeGuide(at) : void made?.refineMask({ kind: "clear" }, mask));
  return (
    <li>
      <div class="guide" role="group" aria-label={name}>
        <div class="guide-head">
          <label class="check">
            <input type="checkbox" checked={guide.on} aria-label={filled(words.use, { name })} onChange={(event) => change({ on: event.currentTarget.checked })} />
            {lines ? <span class="line lines" /> : null}
            {guide.image ? <Shot class="guide-shot" path={`/pictures/${guide.image.id}/thumbnail?side=64`} version="" alt="" /> : null}
            <span class="layer-name" title={name}>
              {name}
            </span>
          </label>
          {empty ? null : <IconButton icon="trash" label={lines ? words.clear : filled(words.remove, { name })} onClick={remove} />}
        </div>
        {empty && guide.on ? (
          <div class="row">
            <button type="button" class="button" aria-pressed={tool.value === "lines"} onClick={() => chooseTool("lines")}>
              {words.draw}
            </button>
            <span class="dim">{words.nothing}</span>
          </div>
        ) : guide.on ? (
          <>
            <Slider label={words.weight} value={guide.weight} min={0} max={2} step={0.05} onInput={(weight) => change({ weight })} />
            {guide.from === "picture" && SHOWN.includes(kindOf(guide)) ? <Map kind={kindOf(guide)} name={name} /> : null}
            <More guide={guide} change={change} />
          </>
        ) : null}
        <Problem guide={guide} />
      </div>
    </li>
  );
}

/** The map that the picture gives, once it is asked for. */
function Map({ kind, name }: { kind: string; name: string }) {
  const [open, setOpen] = useState(false);
  const now = session.value;
  return (
    <details class="details forming" onToggle={(event) => setOpen(event.currentTarget.open)}>
      <summary>{texts.value.guides.map}</summary>
      {open && now ? <Shot path={`/sessions/${now.id}/map?kind=${kind}&v=${now.picture}`} version="" alt={name} /> : null}
    </details>
  );
}

/** Settings that are seldom changed. */
function More({ guide, change }: { guide: Guide; change: (what: Partial<Guide>) => void }) {
  const words = texts.value.guides;
  const kinds = guide.from === "lines" ? DRAWN : guide.from === "image" ? Object.keys(words.kinds).filter((one) => one !== "inpaint") : [];
  const automatic = [["", filled(words.automatic, { name: kindName(kindOf({ ...guide, kind: null })) })] as const];
  const family = answer.value?.family;
  const networks = models.value.filter((one) => one.usable && one.what === "controlnet" && one.family === family);
  const fitting = factsOf(kindOf(guide))?.network ?? words.fitting;
  return (
    <>
      {kinds.length ? (
        <Select label={words.kind} value={guide.kind ?? ""} choices={[...(guide.from === "lines" ? automatic : []), ...kinds.map((one) => [one, kindName(one)] as const)]} onChange={(kind) => change({ kind: kind || null })} />
      ) : null}
      {guide.image && !PICTURES.includes(kindOf(guide)) ? (
        <label class="check">
          <input type="checkbox" checked={guide.preprocess === true} onChange={(event) => change({ preprocess: event.currentTarget.checked })} />
          {words.preprocess}
        </label>
      ) : null}
      <details class="details">
        <summary>{words.more}</summary>
        <Slider label={words.start} value={guide.start * 100} min={0} max={100} unit=" %" onInput={(one) => change({ start: one / 100, end: Math.max(guide.end, one / 100) })} />
        <Slider label={words.end} value={guide.end * 100} min={0} max={100} unit=" %" onInput={(one) => change({ end: one / 100, start: Math.min(guide.start, one / 100) })} />
        <Select label={words.mode} value={guide.mode} choices={Object.entries(words.modes)} onChange={(mode) => change({ mode: mode as Guide["mode"] })} />
        {networks.length ? (
          <Select label={words.network} value={guide.model ?? ""} choices={[["", filled(words.automatic, { name: fitting })], ...networks.map((one) => [one.name, one.name] as const)]} onChange={(model) => change({ model: model || null })} />
        ) : null}
      </details>
    </>
  );
}

/** Why a guide can't be followed, and what to do about it, before anything is asked for. */
function Problem({ guide }: { guide: Guide }) {
  const words = texts.value.guides;
  const now = session.value;
  const kind = kindOf(guide);
  const facts = factsOf(kind);
  if (!now || !facts || !guide.on) return null;
  const values = { kind: kindName(kind), model: answer.value?.model ?? "" };
  return (
    <>
      {misshapen(guide) ? <p class="hint">{filled(words.proportions, { width: now.width, height: now.height })}</p> : null}
      {facts.unread && !guide.model ? <Missing text={filled(words.noNetwork, values)} trouble={facts.unread} /> : null}
      {facts.unmade && (guide.from === "picture" || guide.preprocess) ? <Missing text={filled(words.noMaker, values)} trouble={facts.unmade} /> : null}
    </>
  );
}

/** The name of what can be downloaded, where the server's hint has one. */
const published = (hint: string | null): string | null => /([\w.-]+)'? can be downloaded(?!:)/.exec(hint ?? "")?.[1] ?? null;

function Missing({ text, trouble }: { text: string; trouble: Trouble }) {
  const words = texts.value.guides;
  const name = published(trouble.hint);
  const known = ["control-missing", "model-not-downloaded"].includes(trouble.code);
  return (
    <p class="hint">
      {known ? text : `${sentence(trouble.message)}.`} {name ? words.install : trouble.hint && sentence(trouble.hint)}
      {name ? <code class="command">{`overpaint models get ${name}`}</code> : null}
    </p>
  );
}

/** Each kind with the network that reads it, or how to get one. */
function Here() {
  const words = texts.value.guides;
  const known = answer.value;
  if (!known?.kinds.length) return null;
  return (
    <details class="details">
      <summary>{words.here}</summary>
      <dl>
        {known.kinds.map(({ kind, network, unread }) => {
          const lacking = published(unread?.hint ?? null);
          return (
            <Fragment key={kind}>
              <dt>{kindName(kind)}</dt>
              <dd>{network ?? (lacking ? <span class="dim">{filled(words.lacking, { name: lacking })}</span> : "–")}</dd>
            </Fragment>
          );
        })}
      </dl>
    </details>
  );
}
