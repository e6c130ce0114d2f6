import fc from "fast-check";
import { expect, test } from "vitest";

import type { HintKind, Property, SessionStatus } from "../src/api/client";
import { pause } from "../src/api/events";
import { kindOf, selectors } from "../src/state/catalogue";
import { numbers } from "../src/state/example";
import { readGuides } from "../src/state/guiding";
import { joinedBy, takers, unaided } from "../src/state/select";
import { sameStep } from "../src/state/session";
import { boxOf, movedBy, partPath } from "../src/state/tiles";
import { readWish, requestOf, wishOf } from "../src/state/wish";

const status = (left: number, top: number, width: number, height: number) => ({ left, top, width, height }) as SessionStatus;

test("a wish becomes a request, and comes back from it with its seed", () => {
  const wish = { intent: "replace" as const, prompt: " a bench ", count: 3, settings: { grow: 4, engine: "diffusion" } };
  const request = requestOf(wish);
  expect(request).toEqual({ intent: "replace", prompt: "a bench", grow: 4, engine: "diffusion" });
  expect(wishOf({ ...request, mask: { parts: [] }, schema: 1 } as Record<string, unknown>, 7)).toEqual({
    intent: "replace",
    prompt: "a bench",
    count: 1,
    settings: { grow: 4, engine: "diffusion", seed: 7 },
  });
});

test("a wish that was kept in another form is dropped, whatever it is, and breaks nothing", () => {
  fc.assert(
    fc.property(fc.anything(), (value) => {
      const found = readWish(value);
      expect(found === null || typeof found.prompt === "string").toBe(true);
    }),
  );
  expect(readWish({ intent: "inpaint-old", prompt: "x", count: 1, settings: {} })).toBeNull();
  expect(readWish({ intent: "remove", prompt: "", count: 900, settings: {} })?.count).toBe(1);
});

test("guides that were kept in another form are dropped, whatever they are, and break nothing", () => {
  fc.assert(fc.property(fc.anything(), (value) => Array.isArray(readGuides(value))));
  const guide = { from: "picture", kind: "depth", on: true, weight: 1, start: 0, end: 0.5, mode: "balanced", model: null };
  expect(readGuides([guide, null, { ...guide, weight: "1" }, { ...guide, from: "image" }, { ...guide, kind: null }])).toEqual([guide]);
});

test("fields are shown by their schema", () => {
  const nullable = (one: Property): Property => ({ anyOf: [one, { type: "null" }] });
  expect(kindOf(nullable({ type: "number", minimum: 0, maximum: 4096 }))).toMatchObject({ kind: "number", min: 0, max: 4096, whole: false });
  expect(kindOf(nullable({ type: "boolean" })).kind).toBe("switch");
  expect(kindOf(nullable({ type: "string", enum: ["keep", "cover"] })).choices).toEqual(["keep", "cover"]);
  expect(kindOf(nullable({ type: "array" })).kind).toBe("pair");
});

test("a picture that grew says where the old one lies, and nothing where neither place nor size changed", () => {
  expect(movedBy(status(0, 0, 10, 10), status(0, 0, 10, 10))).toBeUndefined();
  expect(movedBy(status(0, 0, 10, 10), status(-4, -2, 14, 12))).toEqual({ x: 4, y: 2 });
});

test("a step's box stays within the present picture", () => {
  const whole = fc.integer({ min: -50, max: 50 });
  fc.assert(
    fc.property(whole, whole, fc.integer({ min: 1, max: 80 }), fc.integer({ min: 1, max: 80 }), (left, top, width, height) => {
      const box = boxOf(status(left, top, width, height), [-60, -60, 60, 60], 9);
      expect(box.left).toBeGreaterThanOrEqual(0);
      expect(box.right).toBeLessThanOrEqual(width);
      expect(box.top).toBeGreaterThanOrEqual(0);
      expect(box.bottom).toBeLessThanOrEqual(height);
    }),
  );
});

test("a part is asked for by its digest, so that a browser keeps it for good", () => {
  const path = partPath({ session: "s", of: "now", digest: "d" }, { left: 0, top: 1, right: 2, bottom: 3 }, 5000, "png");
  expect(path).toBe("/sessions/s/picture?box=0%2C1%2C2%2C3&side=4096&format=png&of=now&v=d");
});

test("attempts become rarer, up to a limit, and the example is the same each time", () => {
  expect([0, 1, 2, 3, 99].map(pause)).toEqual([500, 1000, 2000, 4000, 8000]);
  const [first, second] = [numbers(7), numbers(7)];
  expect([first(), first()]).toEqual([second(), second()]);
});

test("the selector for a click or a box is one that begins from it, for whole things first", () => {
  const one = (name: string, takes: HintKind[], needs: HintKind[]) => ({ name, title: "", usable: true, takes, needs, options: [] });
  selectors.value = [
    one("colour", ["points"], ["points"]),
    one("edges", ["points"], ["points"]),
    one("faces", ["boxes"], []),
    one("grabcut", ["boxes", "mask", "points"], ["boxes", "mask", "points"]),
    one("subject", [], []),
  ];
  expect(takers("points").map(({ name }) => name)).toEqual(["grabcut", "colour"]);
  expect(takers("boxes").map(({ name }) => name)).toEqual(["grabcut", "faces"]);
  expect(takers("text")).toEqual([]);
  expect(unaided().map(({ name }) => name)).toEqual(["faces", "subject"]);
  expect([joinedBy("add", true), joinedBy("add", false), joinedBy("subtract", false), joinedBy("intersect", true)]).toEqual(["add", "subtract", "add", "intersect"]);
});

test("a step is the same where its place and its look are", () => {
  const now = (change: object) => ({ ...status(0, 0, 9, 9), steps: [{ number: 2, place: 1, paint: "p", take: 1, visible: true, opacity: 1, masked: false, ...change }] }) as unknown as SessionStatus;
  expect(sameStep(now({}), now({ stale: true }), 2)).toBe(true);
  expect(sameStep(now({}), now({ opacity: 0.5 }), 2)).toBe(false);
  expect(sameStep(now({}), now({}), 3)).toBe(false);
  expect(sameStep(now({}), null, 2)).toBe(false);
});
