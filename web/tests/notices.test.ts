import { afterEach, beforeEach, expect, test, vi } from "vitest";

import { attempt, notices, notify } from "../src/state/notices";

const fails = async () => {
  throw new Error("no such thing");
};
const shown = () => notices.value.map((one) => one.text);

let held = false;

beforeEach(() => {
  held = false;
  notices.value = [];
  vi.useFakeTimers();
  vi.stubGlobal("document", { querySelector: () => (held ? {} : null) });
});

afterEach(() => {
  vi.useRealTimers();
  vi.unstubAllGlobals();
});

test("an error goes as the next action of its kind begins, and not by one of another kind", async () => {
  await attempt(fails, { about: "select" });
  await attempt(async () => 1, { about: "save" });
  await attempt(async () => 1);
  expect(shown()).toEqual(["No such thing"]);
  await attempt(async () => expect(shown()).toEqual([]), { about: "select" });
  expect(shown()).toEqual([]);
});

test("an error goes after a while, but not from under the pointer, and later than information", async () => {
  notify("info", "done");
  await attempt(fails);
  vi.advanceTimersByTime(7_000);
  expect(shown()).toEqual(["No such thing"]);
  held = true;
  vi.advanceTimersByTime(60_000);
  expect(shown()).toEqual(["No such thing"]);
  held = false;
  vi.advanceTimersByTime(7_000);
  expect(shown()).toEqual([]);
});

test("an error that a click can mend stays", async () => {
  await attempt(fails, { about: "paint", remedy: () => ({ text: "Mend it", act: () => undefined }) });
  vi.advanceTimersByTime(600_000);
  expect(shown()).toEqual(["No such thing"]);
});
