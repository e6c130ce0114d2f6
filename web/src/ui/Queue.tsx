// What waits, runs and ended.
import type { JobStatus } from "../api/client";
import { cancelJob, moveJob, retryJob } from "../state/actions";
import { isActive, jobs } from "../state/jobs";
import { sentence } from "../state/notices";
import { filled, texts } from "../text";
import { IconButton } from "./controls";

export function QueuePanel() {
  return jobs.value.length ? (
    <ul class="queue">
      {jobs.value.map((job) => (
        <li key={job.id}>
          <JobLine job={job} />
        </li>
      ))}
    </ul>
  ) : (
    <p class="dim empty">{texts.value.jobs.none}</p>
  );
}

/** What a job was asked for, in a few words. */
export function jobName(job: JobStatus): string {
  const request = (job.task.request ?? {}) as { intent?: string; prompt?: string };
  const names = texts.value.intents as Record<string, { name: string }>;
  const name = names[request.intent ?? ""]?.name ?? request.intent ?? texts.value.layers.rerun;
  return request.prompt ? `${name}: ${request.prompt}` : name;
}

function stateOf(job: JobStatus): string {
  const words = texts.value.jobs;
  if (job.state === "running") return job.steps ? filled(words.step, { step: job.step, steps: job.steps }) : words.running;
  if (job.state === "queued") return job.place ? filled(words.place, { place: job.place + 1 }) : words.waiting;
  return { done: words.done, failed: words.failed, cancelled: words.cancelled }[job.state as "done" | "failed" | "cancelled"];
}

export function JobLine({ job }: { job: JobStatus }) {
  const words = texts.value.jobs;
  const error = job.error as { message?: string; hint?: string | null } | null;
  const name = jobName(job);
  return (
    <div class={`job ${job.state}`}>
      <div class="job-head">
        <span class="job-name">{name}</span>
        {job.state === "queued" ? (
          <>
            <IconButton icon="up" label={`${words.sooner}: ${name}`} onClick={() => void moveJob(job.id, (job.place ?? 1) - 1)} />
            <IconButton icon="down" label={`${words.later}: ${name}`} onClick={() => void moveJob(job.id, (job.place ?? 0) + 1)} />
          </>
        ) : null}
        {isActive(job) ? <IconButton icon="close" label={`${words.cancel}: ${name}`} onClick={() => void cancelJob(job.id)} /> : null}
        {job.state === "failed" || job.state === "cancelled" ? <IconButton icon="again" label={`${words.retry}: ${name}`} onClick={() => void retryJob(job.id)} /> : null}
      </div>
      <p class="dim">{stateOf(job)}</p>
      {isActive(job) ? <progress aria-label={name} max={job.steps || 1} {...(job.steps ? { value: job.step } : {})} /> : null}
      {error ? (
        <p class="hint">
          {sentence(error.message ?? "")}
          {error.hint ? <br /> : null}
          {error.hint ? sentence(error.hint) : null}
        </p>
      ) : null}
    </div>
  );
}
