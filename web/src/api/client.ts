// The native API, typed by the server's own description. Every failed call throws a ServerError, or a LostError where no
// reply came.
import createClient from "openapi-fetch";

import type { components, paths } from "./schema";

export type Schemas = components["schemas"];
export type SessionStatus = Schemas["SessionStatus"];
export type StepStatus = Schemas["StepStatus"];
export type JobStatus = Schemas["JobStatus"];
export type SessionResult = Schemas["SessionResult"];
export type ListedSession = Schemas["ListedSession"];
export type StoredPicture = Schemas["StoredPicture"];
export type EditRequest = Schemas["EditRequest"];
export type StepEdit = Schemas["StepEdit"];
export type IntentInfo = Schemas["IntentInfo"];

export const API = "/overpaint/v1";

/** What the server refused, or failed at. */
export class ServerError extends Error {
  constructor(
    readonly status: number,
    readonly code: string,
    message: string,
    readonly field: string | null = null,
    readonly hint: string | null = null,
    readonly value: unknown = null,
  ) {
    super(message);
  }
}

/** No reply came: the connection is lost, or the server is not there. */
export class LostError extends Error {}

let key = "";

/** A key that was typed in. It stays in this page's memory. */
export function useKey(given: string): void {
  key = given;
}

let reached: () => void = () => undefined;

/** Be called after each reply, whatever it says: the server can be reached. */
export function onReached(listener: () => void): void {
  reached = listener;
}

async function fetched(request: Request): Promise<Response> {
  if (key) request.headers.set("authorization", `Bearer ${key}`);
  try {
    const reply = await fetch(request);
    reached();
    return reply;
  } catch (error) {
    if (request.signal.aborted) throw error;
    throw new LostError(String(error));
  }
}

const client = createClient<paths>({ fetch: fetched, baseUrl: typeof location === "undefined" ? "" : location.origin });

/** The error of a reply. */
export async function errorOf(reply: Response): Promise<ServerError> {
  const text = await reply.text().catch(() => "");
  try {
    return fromTable(reply.status, JSON.parse(text));
  } catch {
    return new ServerError(reply.status, "unknown", text.slice(0, 200) || reply.statusText);
  }
}

function fromTable(status: number, body: unknown): ServerError {
  const found = (body as { error?: Schemas["ErrorParts"] }).error;
  if (!found) return new ServerError(status, "unknown", `${status}`);
  return new ServerError(status, found.code, found.message, found.field ?? null, found.hint ?? null, found.value);
}

async function data<T>(reply: Promise<{ data?: T; error?: unknown; response: Response }>): Promise<T> {
  const found = await reply;
  if (!found.response.ok) throw fromTable(found.response.status, found.error ?? {});
  return found.data as T;
}

/** A reply that is a file, or a part of the picture. */
export async function bytes(path: string, options: RequestInit = {}): Promise<Response> {
  const reply = await fetched(new Request(new URL(API + path, location.origin), options));
  if (!reply.ok) throw await errorOf(reply);
  return reply;
}

async function json<T>(path: string, options: RequestInit): Promise<T> {
  return (await bytes(path, options)).json() as Promise<T>;
}

/** A session's status: the client's own types widen tuples to lists. */
const status = (reply: Promise<{ data?: unknown; error?: unknown; response: Response }>): Promise<SessionStatus> =>
  data(reply) as Promise<SessionStatus>;

function matching(version?: number): { "if-match"?: string } {
  return version === undefined ? {} : { "if-match": `"${version}"` };
}

const one = (id: string) => ({ params: { path: { id } } });

export const api = {
  /** Keep a file. */
  upload: (file: Blob): Promise<StoredPicture> =>
    json("/pictures", { method: "POST", body: file, headers: { "content-type": "application/octet-stream" } }),
  uploadSession: (file: Blob, name: string): Promise<SessionStatus> =>
    json(`/sessions/file?${new URLSearchParams({ name: name.slice(0, 200), audited: "true" })}`, {
      method: "POST",
      body: file,
      headers: { "content-type": "application/octet-stream" },
    }),
  sessions: (limit = 24) => data(client.GET("/overpaint/v1/sessions", { params: { query: { limit } } })),
  begin: (picture: string, name: string) =>
    status(client.POST("/overpaint/v1/sessions", { body: { picture, name: name.slice(0, 200), audited: true } })),
  session: (id: string) => status(client.GET("/overpaint/v1/sessions/{id}", one(id))),
  rename: (id: string, name: string) =>
    status(client.PATCH("/overpaint/v1/sessions/{id}", { ...one(id), body: { name } })),
  remove: (id: string) => data(client.DELETE("/overpaint/v1/sessions/{id}", one(id))),
  undo: (id: string, count: number) =>
    status(client.POST("/overpaint/v1/sessions/{id}/undo", { ...one(id), body: { count } })),
  redo: (id: string, count: number) =>
    status(client.POST("/overpaint/v1/sessions/{id}/redo", { ...one(id), body: { count } })),
  edit: (id: string, task: StepEdit, idempotency: string) =>
    data(
      client.POST("/overpaint/v1/sessions/{id}/edits", {
        params: { path: { id }, query: { repeat: "new" }, header: { "idempotency-key": idempotency } },
        body: task,
      }),
    ),
  frames: (id: string, task: StepEdit): Promise<Schemas["FrameFacts"][]> =>
    json(`/sessions/${id}/frames`, {
      method: "POST",
      body: JSON.stringify(task),
      headers: { "content-type": "application/json" },
    }),
  rerun: (id: string, step: number, task: Schemas["StepRerun"], idempotency: string) =>
    data(
      client.POST("/overpaint/v1/sessions/{id}/steps/{step}/rerun", {
        params: { path: { id, step }, query: { repeat: "new" }, header: { "idempotency-key": idempotency } },
        body: task,
      }),
    ),
  rerunStale: (id: string) => data(client.POST("/overpaint/v1/sessions/{id}/rerun", one(id))),
  jobs: (id: string) =>
    data(client.GET("/overpaint/v1/sessions/{id}/edits", { params: { path: { id }, query: { limit: 200 } } })),
  job: (id: string) => data(client.GET("/overpaint/v1/edits/{id}", one(id))),
  cancel: (id: string) => data(client.POST("/overpaint/v1/edits/{id}/cancel", one(id))),
  retry: (id: string) => data(client.POST("/overpaint/v1/edits/{id}/retry", one(id))),
  move: (id: string, place: number) =>
    data(client.POST("/overpaint/v1/edits/{id}/move", { ...one(id), body: { place } })),
  forget: (id: string) => data(client.DELETE("/overpaint/v1/edits/{id}", one(id))),
  change: (id: string, step: number, change: Schemas["StepChange"], version?: number) =>
    status(
      client.PATCH("/overpaint/v1/sessions/{id}/steps/{step}", {
        params: { path: { id, step }, header: matching(version) },
        body: change,
      }),
    ),
  paintBack: (id: string, step: number, mask: string, show: boolean) =>
    status(
      client.POST("/overpaint/v1/sessions/{id}/steps/{step}/mask", {
        params: { path: { id, step } },
        body: { marks: { mask: [mask], channel: "luminance" }, show },
      }),
    ),
  showAll: (id: string, step: number) =>
    status(client.DELETE("/overpaint/v1/sessions/{id}/steps/{step}/mask", { params: { path: { id, step } } })),
  engines: () => data(client.GET("/overpaint/v1/engines")) as unknown as Promise<EngineInfo[]>,
  models: () => data(client.GET("/overpaint/v1/models")) as unknown as Promise<ModelInfo[]>,
  intents: () => data(client.GET("/overpaint/v1/intents")),
  selectors: () => data(client.GET("/overpaint/v1/selectors")) as unknown as Promise<SelectorInfo[]>,
  select: (id: string, task: Partial<Schemas["SelectionTask"]>): Promise<Schemas["SelectionFacts"][]> =>
    json(`/sessions/${id}/selections`, {
      method: "POST",
      body: JSON.stringify(task),
      headers: { "content-type": "application/json" },
    }),
  /** The union of masks of one size, as a mask. */
  joined: async (masks: readonly string[]): Promise<string> => {
    const body = JSON.stringify({ picture: masks[0], marks: { mask: masks.slice(0, 16), channel: "luminance" } });
    const found = await json<{ id: string }>("/masks", { method: "POST", body, headers: { "content-type": "application/json" } });
    return masks.length > 16 ? api.joined([found.id, ...masks.slice(16)]) : found.id;
  },
  /** What could guide a request. */
  controls: (request: EditRequest) => data(client.POST("/overpaint/v1/controls", { body: { request } })),
  samplers: () => data(client.GET("/overpaint/v1/samplers")),
  description: (): Promise<Description> => json("/openapi.json", {}),
};

/** An engine as the catalogue has it. */
export interface EngineInfo {
  name: string;
  title: string;
  paints_from: "surroundings" | "prompt" | "settings";
  samples: boolean;
  usable: boolean;
  licence: string;
  accepts: string[];
  options: { name: string; default: unknown; range: string; help: string }[];
}

/** A selector as the catalogue has it. */
export interface SelectorInfo {
  name: string;
  title: string;
  usable: boolean;
  /** Whether its network, if it has one, is on the server. */
  here?: boolean;
  several?: boolean;
  takes: HintKind[];
  /** Of these one must be given; empty: it works without any. */
  needs: HintKind[];
  options: EngineInfo["options"];
}

export type HintKind = "points" | "boxes" | "text" | "mask";

/** A checkpoint as the catalogue has it. */
export interface ModelInfo {
  name: string;
  title: string;
  what: string;
  usable: boolean;
  licence: string | null;
  family: string | null;
}

/** As much of an OpenAPI description as the editor reads. */
export interface Description {
  components: { schemas: Record<string, { properties?: Record<string, Property> }> };
}

export interface Property {
  description?: string;
  type?: string;
  enum?: string[];
  /** The only value that it takes. */
  const?: string;
  minimum?: number;
  maximum?: number;
  anyOf?: Property[];
  /** What holds where it is left out. */
  left_open?: string;
  unit?: string;
}
