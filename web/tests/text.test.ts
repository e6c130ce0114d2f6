import { expect, test } from "vitest";

import { de } from "../src/text/de";
import { en } from "../src/text/en";
import { later } from "../src/text/en.later";
import { filled, languageOf } from "../src/text";

/** Paths of all texts, with the names of the values that stand in them. */
function places(table: object, path = ""): [string, string][] {
  return Object.entries(table).flatMap(([name, one]) =>
    typeof one === "string"
      ? [[`${path}${name}`, [...one.matchAll(/\{\w+\}/g)].map((found) => found[0]).sort().join()] as [string, string]]
      : places(one as object, `${path}${name}.`),
  );
}

test("both languages have the same texts with the same values in them, and none is empty", () => {
  expect(places(de)).toEqual(places({ ...en, ...later }));
  expect(JSON.stringify({ ...en, ...later }) + JSON.stringify(de)).not.toContain('""');
});

test("the language is the first of the browser's that there is", () => {
  expect(languageOf(["fr-FR", "de-CH", "en"])).toBe("de");
  expect(languageOf(["fr"])).toBe("en");
});

test("values are filled in, and an unknown one stays as it is", () => {
  expect(filled("{a} of {b}", { a: 1 })).toBe("1 of {b}");
});
