// The strip of variations of one layer, and of what forms just now.
import type { JobStatus, StepEdit, StepStatus } from "../api/client";
import { bringBack, discard, discardAll, keepTake, moreLikeThis, preview, previewed, takesOf } from "../state/actions";
import { active, doing, madeBy, previews } from "../state/jobs";
import { notify, sentence } from "../state/notices";
import { chosenStep, session, shownStep, stepName, steps } from "../state/session";
import { boxOf, takePath } from "../state/tiles";
import { wish, wishOf } from "../state/wish";
import { filled, texts } from "../text";
import { Select } from "./controls";
import { Icon } from "./icons";
import { later } from "./later";
import { JobLine } from "./Queue";
import { Shot } from "./Shot";
import { dialog } from "./TopBar";

export function ResultsPanel() {
  const words = texts.value.results;
  const step = shownStep.value;
  return (
    <>
      {active.value.map((job) => (
        <Forming key={job.id} job={job} />
      ))}
      {step ? <Takes step={step} /> : active.value.length ? null : <p class="dim empty">{words.none}</p>}
    </>
  );
}

/** A job that waits or runs, with the picture as it forms. */
function Forming({ job }: { job: JobStatus }) {
  const image = previews.value[job.id];
  return (
    <div class="forming">
      {image ? <img src={image} alt={texts.value.results.forming} /> : null}
      <JobLine job={job} />
      {doing.value[job.id] ? <p class="dim">{doing.value[job.id]}</p> : null}
    </div>
  );
}

function Takes({ step }: { step: StepStatus }) {
  const words = texts.value.results;
  const now = session.value;
  if (!now) return null;
  const all = takesOf(step.number);
  const aside = step.takes - all.length;
  const box = boxOf(now, step.box, 24);
  const hidden = !step.visible;
  return (
    <div class="takes">
      {steps.value.length > 1 ? (
        <Select
          label={texts.value.panels.layers}
          hideLabel
          value={String(step.number)}
          choices={[...steps.value].reverse().map((one) => [String(one.number), stepName(one)] as const)}
          onChange={(value) => (chosenStep.value = Number(value))}
        />
      ) : (
        <h3>{stepName(step)}</h3>
      )}
      {hidden ? <p class="hint">{words.hidden}</p> : null}
      <ul class="strip" aria-label={filled(words.of, { name: stepName(step) })}>
        {all.map((take) => {
          const applied = step.take === take && !hidden;
          const seen = previewed.value?.step === step.number && previewed.value.take === take;
          return (
            <li key={take} class={`take ${seen ? "seen" : ""} ${applied ? "applied" : ""}`}>
              <button
                type="button"
                class="take-picture"
                aria-pressed={seen || (applied && !previewed.value)}
                aria-label={`${filled(words.take, { number: take })}${applied ? `, ${words.applied}` : ""}`}
                onClick={() => void preview(step.number, take)}
                onDblClick={() => void keepTake(step.number, take)}
              >
                <Shot path={takePath(now, step.number, take, box, 256)} version={`${now.picture} ${step.paint}`} alt="" />
                {applied ? <span class="mark">{words.applied}</span> : seen ? <span class="mark preview">{words.preview}</span> : null}
              </button>
              <div class="take-row">
                <span class="dim">{take}</span>
                {applied ? null : (
                  <button type="button" class="text-button" onClick={() => void keepTake(step.number, take)}>
                    {words.keep}
                  </button>
                )}
                <button type="button" class="text-button" aria-label={`${words.discard}: ${filled(words.take, { number: take })}`} onClick={() => void discard(step.number, take)}>
                  {words.discard}
                </button>
              </div>
            </li>
          );
        })}
      </ul>
      <div class="row">
        <button type="button" class="button" onClick={() => void moreLikeThis(step.number)}>
          <Icon name="plus" />
          {words.more}
        </button>
        {hidden ? null : (
          <button type="button" class="button" onClick={() => void discardAll(step.number)}>
            {words.discardAll}
          </button>
        )}
        <button type="button" class="button" onClick={() => (dialog.value = "sideBySide")}>
          {words.sideBySide}
        </button>
        {aside > 0 ? (
          <button type="button" class="text-button" onClick={() => void bringBack(step.number)}>
            {filled(words.bringBack, { count: aside })}
          </button>
        ) : null}
      </div>
      {step.doubt ? <p class="hint">{sentence(step.doubt)}</p> : null}
      {step.notes.map((note) => (
        <p key={note} class="dim note">
          {sentence(note)}
        </p>
      ))}
      <Details step={step} take={previewed.value?.step === step.number ? previewed.value.take : step.take} />
    </div>
  );
}

/** Every setting of a take and its seed, which can be loaded back. */
function Details({ step, take }: { step: StepStatus; take: number }) {
  const words = texts.value.results;
  const made = madeBy(step.number, take);
  const first = madeBy(step.number, 1)?.job.task as StepEdit | undefined; // what is painted again says only what differs
  const asked = { prompt: step.prompt, ...first?.request, ...(made?.job.task as StepEdit | undefined)?.request, intent: step.intent } as Readonly<Record<string, unknown>>;
  const seed = made?.result.seed ?? (take === step.take ? step.seed : null);
  const rows = Object.entries(asked).filter(([name, value]) => !["schema", "seed", "mask", "image", "sketch", "insert", "avoid"].includes(name) && value !== null && value !== "");
  return (
    <details class="details">
      <summary>{`${words.details} · ${filled(words.take, { number: take })}`}</summary>
      <dl>
        <dt>{words.engine}</dt>
        <dd>{step.engine}</dd>
        <dt>{words.seed}</dt>
        <dd>{seed ?? "–"}</dd>
        {rows.map(([name, value]) => (
          <>
            <dt>
              <code>{name}</code>
            </dt>
            <dd>{typeof value === "object" ? JSON.stringify(value) : String(value)}</dd>
          </>
        ))}
      </dl>
      <button
        type="button"
        class="button"
        onClick={() => {
          wish.value = { ...wishOf(asked, seed), count: wish.value.count };
          if (first) void later.value?.bringBack(first);
          notify("info", words.loaded);
        }}
      >
        {words.load}
      </button>
    </details>
  );
}

