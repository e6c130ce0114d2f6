/** One line of undo for strokes, changes of masks and the app's own steps, bounded in bytes. */

import type { HistoryState, HistoryStep } from "./types";

export class History {
  #done: HistoryStep[] = [];
  #undone: HistoryStep[] = [];
  #running: Promise<unknown> = Promise.resolve();

  constructor(
    readonly budget: number,
    readonly changed: (state: HistoryState) => void,
  ) {}

  get state(): HistoryState {
    return {
      undo: this.#done.at(-1)?.label ?? null,
      redo: this.#undone.at(-1)?.label ?? null,
      bytes: [...this.#done, ...this.#undone].reduce((sum, step) => sum + (step.bytes ?? 0), 0),
    };
  }

  /** A new step ends what could be redone. The oldest steps go where the budget is full; the newest one always stays. */
  push(step: HistoryStep): void {
    this.#undone = [];
    this.#done.push(step);
    let bytes = this.state.bytes;
    while (bytes > this.budget && this.#done.length > 1) bytes -= this.#done.shift()!.bytes ?? 0;
    this.changed(this.state);
  }

  /** False where there is nothing to undo. Steps run one after the other, also those that take time. */
  undo(): Promise<boolean> {
    return this.#move("undo");
  }

  redo(): Promise<boolean> {
    return this.#move("redo");
  }

  clear(): void {
    this.#done = [];
    this.#undone = [];
    this.changed(this.state);
  }

  #move(way: "undo" | "redo"): Promise<boolean> {
    const moved = this.#running.then(async () => {
      const step = (way === "undo" ? this.#done : this.#undone).at(-1);
      if (!step) return false;
      const place = this.#done.length;
      // A step that fails stays where it is, so that it can be tried again.
      await step[way]();
      if (way === "redo") {
        this.#undone = this.#undone.filter((other) => other !== step);
        // Before what was painted while it ran.
        this.#done.splice(place, 0, step);
      } else {
        // What was painted while it ran ended what could be redone, this step too.
        const newest = this.#done.at(-1) === step;
        this.#done = this.#done.filter((other) => other !== step);
        if (newest) this.#undone.push(step);
      }
      this.changed(this.state);
      return true;
    });
    this.#running = moved.catch(() => undefined);
    return moved;
  }
}
