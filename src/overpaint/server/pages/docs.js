// The page of the API: endpoints, their parameters and bodies, and a form that sends a request, all made of the
// server's own description. Nothing is loaded from elsewhere. A key that is typed in stays in this page's memory.
"use strict";

const DESCRIPTION = "/overpaint/v1/openapi.json";
let key = "";
let schemas = {};

/** An element with its class, and children or text. */
function make(name, kind, ...children) {
  const made = document.createElement(name);
  if (kind) made.className = kind;
  made.append(...children.filter((one) => one !== null && one !== undefined && one !== ""));
  return made;
}

/** Text in which `words` are code. */
function written(text) {
  const parts = (text || "").split("`");
  const made = document.createDocumentFragment();
  parts.forEach((part, index) => made.append(index % 2 ? make("code", "", part) : part));
  return made;
}

function resolved(schema) {
  const name = schema && schema.$ref && schema.$ref.split("/").pop();
  return name ? { ...schemas[name], named: name } : schema || {};
}

/** The alternatives of a schema without null, and whether null is one. */
function alternatives(schema) {
  const all = (schema.anyOf || schema.oneOf || [schema]).map(resolved);
  const some = all.filter((one) => one.type !== "null");
  return { some, empty: some.length < all.length };
}

/** What a value is, in a few words. */
function kindOf(given) {
  const schema = resolved(given);
  if (schema.named && schema.properties) return schema.named;
  if (schema.enum) return schema.enum.map((one) => JSON.stringify(one)).join(" | ");
  if (schema.const !== undefined) return JSON.stringify(schema.const);
  if (schema.anyOf || schema.oneOf) {
    const { some, empty } = alternatives(schema);
    return [...new Set(some.map(kindOf)), ...(empty ? ["null"] : [])].join(" | ");
  }
  if (schema.type === "array") {
    const items = schema.prefixItems ? [...new Set(schema.prefixItems.map(kindOf))].join(", ") : kindOf(schema.items || {});
    return `list of ${items || "values"}`;
  }
  const least = schema.minimum ?? schema.exclusiveMinimum;
  const most = schema.maximum ?? schema.exclusiveMaximum;
  const range = least !== undefined && most !== undefined ? `, ${least} to ${most}` : least !== undefined ? `, from ${least}` : most !== undefined ? `, to ${most}` : "";
  return (schema.type || "any value") + range;
}

/** The tables that a schema leads to, by name. */
function tablesIn(given, found = new Map()) {
  const schema = resolved(given);
  if (schema.properties && schema.named) found.set(schema.named, schema);
  for (const one of [...(schema.anyOf || []), ...(schema.oneOf || []), schema.items, ...(schema.prefixItems || [])]) {
    if (one) tablesIn(one, found);
  }
  return found;
}

/** A table of rows of a name, what it is, and words. */
function table(rows) {
  const body = make("tbody", "");
  for (const [name, needed, kind, words] of rows) {
    const first = make("td", "", make("code", needed ? "needed" : "", name));
    body.append(make("tr", "", first, make("td", "", kind), make("td", "", words)));
  }
  return make("table", "", body);
}

/** The properties of a schema; inner tables open on demand, as some contain themselves. */
function properties(schema) {
  const rows = Object.entries(schema.properties || {}).map(([name, one]) => {
    const words = make("span", "", written(one.description || ""));
    const fallback = one.default;
    if (fallback !== undefined && fallback !== null && typeof fallback !== "object") words.append(` (${JSON.stringify(fallback)} where left out)`);
    const cell = make("div", "", words);
    for (const [inner, found] of tablesIn(one)) cell.append(folded(inner, found));
    return [name, (schema.required || []).includes(name), kindOf(one), cell];
  });
  return table(rows);
}

function folded(name, schema) {
  const inner = make("div", "");
  const made = make("details", "schema", make("summary", "", name), inner);
  made.addEventListener("toggle", () => {
    if (made.open && !inner.childElementCount) inner.append(properties(schema));
  });
  return made;
}

/** A value to begin with in a form. */
function example(given, depth = 0) {
  const schema = resolved(given);
  if (schema.default !== undefined) return schema.default;
  if (schema.properties) {
    const names = schema.required || [];
    return Object.fromEntries(names.map((name) => [name, example(schema.properties[name], depth + 1)]));
  }
  if (schema.enum) return schema.enum[0];
  if (schema.type === "array") return [];
  if (schema.type === "integer" || schema.type === "number") return schema.minimum ?? 0;
  if (schema.type === "boolean") return false;
  if (schema.type === "string") return (schema.pattern || "").includes("[0-9a-f]{") ? "ID" : "";
  return schema.type === "object" ? {} : null;
}

function field(name, input) {
  return make("label", "", make("span", "", make("code", "", name)), input);
}

function input(parameter) {
  const schema = parameter.schema || {};
  const listed = alternatives(schema).some.find((one) => one.enum);
  let made;
  if (listed) {
    made = make("select", "");
    for (const value of ["", ...listed.enum]) made.append(new Option(String(value), String(value)));
  } else {
    made = make("input", "");
    if (schema.default !== undefined && schema.default !== null) made.placeholder = String(schema.default);
  }
  made.required = Boolean(parameter.required);
  return made;
}

/** The form that sends a request, and what came back. */
function trial(method, path, endpoint) {
  const form = make("form", "", make("h3", "", "Try it"));
  const reply = make("div", "reply");
  const inputs = (endpoint.parameters || []).map((one) => [one, input(one)]);
  for (const [parameter, made] of inputs) form.append(field(parameter.name, made));
  const content = (endpoint.requestBody || {}).content || {};
  const [type] = Object.keys(content);
  let body = null;
  if (type === "application/json") {
    body = make("textarea", "");
    body.value = JSON.stringify(example(content[type].schema), null, 2);
    body.spellcheck = false;
  } else if (type) {
    body = make("input", "");
    body.type = "file";
  }
  if (body) form.append(field("body", body));
  form.append(make("button", "", "Send"));
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    const query = new URLSearchParams();
    const headers = {};
    let place = path;
    for (const [parameter, made] of inputs) {
      if (parameter.in === "path") place = place.replace(`{${parameter.name}}`, encodeURIComponent(made.value));
      else if (made.value !== "" && parameter.in === "query") query.set(parameter.name, made.value);
      else if (made.value !== "" && parameter.in === "header") headers[parameter.name] = made.value;
    }
    const options = { method, headers: { ...headers, ...signed() } };
    if (type === "application/json") {
      options.body = body.value;
      options.headers["content-type"] = "application/json";
    } else if (body && body.files.length) {
      options.body = body.files[0];
      options.headers["content-type"] = body.files[0].type || "application/octet-stream";
    }
    const address = place + (query.size ? `?${query}` : "");
    reply.replaceChildren(make("p", "", `${method} ${address} ...`));
    try {
      await show(reply, method, address, await fetch(address, options));
    } catch (error) {
      reply.replaceChildren(make("p", "fault", `No reply: ${error.message}`));
    }
  });
  return make("div", "", form, reply);
}

async function show(place, method, address, found) {
  const kind = found.headers.get("content-type") || "";
  const head = make("p", found.ok ? "" : "fault", `${method} ${address}: ${found.status} ${found.statusText}`);
  place.replaceChildren(head);
  if (kind.startsWith("image/")) {
    const shown = make("img", "");
    shown.alt = "the picture that came back";
    shown.src = URL.createObjectURL(await found.blob());
    place.append(shown);
  } else if (kind.startsWith("text/event-stream")) {
    const shown = make("pre", "");
    place.append(shown);
    for await (const part of found.body.pipeThrough(new TextDecoderStream())) shown.append(part);
  } else {
    const text = await found.text();
    const pretty = kind.startsWith("application/json") && text ? JSON.stringify(JSON.parse(text), null, 2) : text;
    if (pretty) place.append(make("pre", "", pretty));
  }
}

function signed() {
  return key ? { authorization: `Bearer ${key}` } : {};
}

function described(method, path, endpoint) {
  const made = make("div", "", make("p", "", written(endpoint.description)));
  const parameters = endpoint.parameters || [];
  if (parameters.length) {
    made.append(make("h3", "", "Parameters"));
    made.append(table(parameters.map((one) => [one.name, one.required, `${kindOf(one.schema)} (${one.in})`, written(one.description)])));
  }
  for (const [type, one] of Object.entries((endpoint.requestBody || {}).content || {})) {
    made.append(make("h3", "", type === "*/*" ? "Body: a file" : `Body: ${type}`));
    for (const [name, schema] of tablesIn(one.schema)) {
      made.append(schema.description ? make("p", "", written(schema.description)) : "", name ? properties(schema) : "");
    }
  }
  made.append(make("h3", "", "Replies"));
  const replies = Object.entries(endpoint.responses).map(([status, one]) => {
    const [type, content] = Object.entries(one.content || {})[0] || ["", {}];
    const words = make("div", "", written(one.description));
    for (const [name, schema] of tablesIn(content.schema || {})) words.append(folded(name, schema));
    return [status, false, type, words];
  });
  made.append(table(replies), trial(method, path, endpoint));
  return made;
}

function section(name, endpoints, contents) {
  const made = make("section", "", make("h2", "", name));
  contents.append(make("h2", "", name));
  for (const [method, path, endpoint] of endpoints) {
    const short = path.replace("/overpaint/v1", "");
    const summary = make("summary", "", make("span", `method ${method}`, method), make("span", "path", path), make("span", "what", written((endpoint.description || "").split(/(?<=\.)\s/)[0])));
    const inner = make("div", "");
    const one = make("details", "endpoint", summary, inner);
    one.id = endpoint.operationId;
    one.addEventListener("toggle", () => {
      if (one.open && !inner.childElementCount) inner.append(described(method, path, endpoint));
    });
    made.append(one);
    const link = make("a", "", make("span", `method ${method}`, method), short);
    link.href = `#${one.id}`;
    link.addEventListener("click", () => { one.open = true; });
    contents.append(link);
  }
  return made;
}

async function load() {
  const about = document.getElementById("about");
  const asking = document.getElementById("key");
  const found = await fetch(DESCRIPTION, { headers: signed() });
  asking.hidden = found.status !== 401;
  if (!found.ok) {
    about.textContent = found.status === 401 ? "This server needs a key." : `The description can't be had: ${found.status}.`;
    return;
  }
  const api = await found.json();
  schemas = (api.components || {}).schemas || {};
  about.replaceChildren(written(`${api.info.summary} Version ${api.info.version}. `), "The description itself: ");
  const link = make("a", "", DESCRIPTION);
  link.href = DESCRIPTION;
  about.append(link);
  const groups = new Map();
  for (const [path, methods] of Object.entries(api.paths)) {
    for (const [method, endpoint] of Object.entries(methods)) {
      const name = (endpoint.tags || ["other"])[0];
      groups.set(name, [...(groups.get(name) || []), [method.toUpperCase(), path, endpoint]]);
    }
  }
  const contents = document.getElementById("contents");
  contents.replaceChildren();
  document.getElementById("endpoints").replaceChildren(...[...groups].map(([name, endpoints]) => section(name, endpoints, contents)));
  const wanted = document.getElementById(location.hash.slice(1));
  if (wanted && wanted.tagName === "DETAILS") {
    wanted.open = true;
    wanted.scrollIntoView();
  }
}

document.getElementById("key").addEventListener("submit", (event) => {
  event.preventDefault();
  key = new FormData(event.target).get("key").trim();
  load();
});
load();
