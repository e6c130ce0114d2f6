/** Calls jobs in a worker. It starts at the first call, or when it is warmed. */

import type { Call, Jobs, Reply } from "./jobs";

export class Workshop {
  #worker: Worker | null = null;
  #last = 0;
  readonly #waiting = new Map<number, { resolve(value: unknown): void; reject(error: unknown): void }>();

  /** `moved` are arguments that this page gives up. */
  call<K extends keyof Jobs>(job: K, args: Parameters<Jobs[K]>, moved: Transferable[] = []): Promise<Awaited<ReturnType<Jobs[K]>>> {
    const id = ++this.#last;
    return new Promise((resolve, reject) => {
      this.#waiting.set(id, { resolve: resolve as (value: unknown) => void, reject });
      this.#start().postMessage({ id, job, args } satisfies Call, moved);
    });
  }

  /** Starts the worker, so that later calls need no connection to load it. */
  warm(): void {
    this.#start();
  }

  close(): void {
    this.#worker?.terminate();
    this.#worker = null;
    this.#fail(new DOMException("the canvas was closed", "AbortError"));
  }

  #start(): Worker {
    if (this.#worker) return this.#worker;
    const worker = new Worker(new URL("./worker.ts", import.meta.url), { type: "module" });
    worker.onmessage = ({ data }: MessageEvent<Reply>) => {
      const waiting = this.#waiting.get(data.id);
      this.#waiting.delete(data.id);
      if ("error" in data) waiting?.reject(data.error);
      else waiting?.resolve(data.value);
    };
    worker.onerror = (event) => {
      // The next call starts another one.
      worker.terminate();
      if (this.#worker === worker) this.#worker = null;
      this.#fail(new Error(`the worker failed: ${event.message || "it could not be loaded"}`));
    };
    return (this.#worker = worker);
  }

  #fail(error: unknown): void {
    const waiting = [...this.#waiting.values()];
    this.#waiting.clear();
    for (const { reject } of waiting) reject(error);
  }
}
