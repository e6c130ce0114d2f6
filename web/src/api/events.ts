// Server-sent events over fetch, so that a key can be sent along. A lost connection is made again, from the last event on.
import { EventSourceParserStream } from "eventsource-parser/stream";

import { bytes, LostError, ServerError } from "./client";

export interface FollowOptions {
  readonly path: string;
  onEvent(kind: string, data: Record<string, unknown>): void;
  /** The connection is there, or was lost. */
  onState?(connected: boolean): void;
  /** No further attempt is made: it is not there any more. */
  onEnd?(error: ServerError | null): void;
  /** Kinds after which nothing follows. */
  readonly final: readonly string[];
  readonly signal: AbortSignal;
}

const LONGEST = 8_000;

/** Seconds to wait before an attempt, doubling, in milliseconds. */
export function pause(attempt: number): number {
  return Math.min(LONGEST, 500 * 2 ** Math.min(attempt, 10));
}

/** Follow events until the last one, or until the signal. Resolves then. */
export async function follow(options: FollowOptions): Promise<void> {
  let last = "";
  for (let attempt = 0; !options.signal.aborted; attempt++) {
    try {
      const headers: Record<string, string> = { accept: "text/event-stream" };
      if (last) headers["last-event-id"] = last;
      const reply = await bytes(options.path, { headers, signal: options.signal, cache: "no-store" });
      options.onState?.(true);
      attempt = 0;
      if (!reply.body) return;
      const events = reply.body.pipeThrough(new TextDecoderStream() as ReadableWritablePair<string, Uint8Array<ArrayBuffer>>).pipeThrough(new EventSourceParserStream());
      const reader = events.getReader();
      for (;;) {
        const { done, value } = await reader.read();
        if (done) break;
        last = value.id ?? last;
        options.onEvent(value.event ?? "message", JSON.parse(value.data) as Record<string, unknown>);
        if (options.final.includes(value.event ?? "")) {
          await reader.cancel();
          options.onEnd?.(null);
          return;
        }
      }
    } catch (error) {
      if (options.signal.aborted) return;
      if (error instanceof ServerError && error.status < 500 && error.status !== 429) {
        options.onEnd?.(error);
        return;
      }
      if (!(error instanceof LostError || error instanceof ServerError || error instanceof TypeError)) throw error;
    }
    options.onState?.(false);
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, pause(attempt));
      options.signal.addEventListener("abort", () => { clearTimeout(timer); resolve(); }, { once: true });
    });
  }
}
