// What the server can do, read once.
import { signal } from "@preact/signals";

import { api, type Description, type EngineInfo, type IntentInfo, type ModelInfo, type Property, type SelectorInfo } from "../api/client";
import { attempt } from "./notices";

export const engines = signal<readonly EngineInfo[]>([]);
export const models = signal<readonly ModelInfo[]>([]);
export const intents = signal<readonly IntentInfo[]>([]);
/** Those that can be used. */
export const selectors = signal<readonly SelectorInfo[]>([]);
export const samplers = signal<{ samplers: string[]; schedulers: string[] }>({ samplers: [], schedulers: [] });
/** The fields of a request, by name, with the server's own line of help each. */
export const fields = signal<Readonly<Record<string, Property>>>({});

export async function loadCatalogue(): Promise<void> {
  await attempt(async () => {
    [engines.value, models.value, intents.value] = await Promise.all([api.engines(), api.models(), api.intents()]);
    selectors.value = (await api.selectors()).filter((one) => one.usable && one.here !== false);
  });
}

let described: Promise<void> | null = null;

/** The fields; fetched when they are first wanted, as the description is large. */
export function loadFields(): void {
  described ??= Promise.all([
    api.description().then((found) => (fields.value = propertiesOf(found))),
    api.samplers().then((found) => (samplers.value = found)),
  ]).then(
    () => undefined,
    () => {
      described = null;
    },
  );
}

export function propertiesOf(description: Description): Record<string, Property> {
  return description.components.schemas.EditRequest?.properties ?? {};
}

export type FieldKind = "switch" | "number" | "choice" | "text" | "pair";

/** How a field is shown, by its schema, with its limits. */
export function kindOf(property: Property): { kind: FieldKind; choices: string[]; min?: number; max?: number; whole: boolean } {
  const alternatives = (property.anyOf ?? [property]).filter((one) => one.type !== "null");
  const listed = alternatives.find((one) => one.enum);
  if (listed?.enum) return { kind: "choice", choices: listed.enum, whole: false };
  const [first] = alternatives;
  if (first?.type === "boolean") return { kind: "switch", choices: [], whole: false };
  if (first?.type === "integer" || first?.type === "number") {
    return { kind: "number", choices: [], min: first.minimum, max: first.maximum, whole: first.type === "integer" };
  }
  return { kind: first?.type === "array" ? "pair" : "text", choices: [], whole: false };
}

/** The engine that was chosen, or that a chosen model implies; null where the intent decides. */
export function engineOf(settings: Readonly<Record<string, unknown>>): EngineInfo | null {
  const name = settings.engine ?? (settings.model ? "diffusion" : null);
  return engines.value.find((one) => one.name === name) ?? null;
}
