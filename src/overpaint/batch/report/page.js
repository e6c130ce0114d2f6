"use strict";
const STEP = 48;
const $ = (id) => document.getElementById(id);
const read = (id) => JSON.parse($(id).textContent);
const ABOUT = read("about");
const ROWS = read("data");
const parts = new Map();
const thumbnails = (index) => {
  const part = Math.floor(index / ABOUT.chunk);
  if (!parts.has(part)) parts.set(part, read(`pictures-${part}`));
  return parts.get(part)[index % ABOUT.chunk];
};
const make = (tag, props = {}, ...children) => {
  const element = Object.assign(document.createElement(tag), props);
  element.append(...children);
  return element;
};
const number = (value, digits = 0) =>
  Number(value).toLocaleString("en", { minimumFractionDigits: digits, maximumFractionDigits: digits });
const made = (row) => row.state === "done" || row.state === "needs-review";
const warned = (row) => (row.warnings || []).length > 0;
const KINDS = {
  all: ["rows", (row) => row.listed],
  done: ["done", (row) => row.listed && row.state === "done"],
  warned: ["with a warning", (row) => row.listed && made(row) && warned(row)],
  review: ["need a review", (row) => row.listed && row.state === "needs-review"],
  failed: ["failed", (row) => row.listed && row.state === "failed"],
  open: ["not done yet", (row) => row.listed && !made(row) && row.state !== "failed"],
  gone: ["no longer in the list", (row) => !row.listed],
};
const WARNINGS = {
  some: warned,
  doubt: (row) => (row.doubts || []).length > 0,
  seam: (row) => (row.doubts || []).includes("seam"),
  shift: (row) => (row.warnings || []).some((text) => text.startsWith("colours")),
  changed: (row) => (row.changed || 0) > 0,
};
ROWS.forEach((row, index) => {
  row.index = index;
  row.haystack = [row.id, row.image, row.output, row.prompt, row.reason, ...(row.warnings || [])]
    .filter(Boolean).join("\n").toLowerCase();
});
let kind = "all";
let found = ROWS;
let shown = 0;

function counts() {
  for (const [name, [words, test]] of Object.entries(KINDS)) {
    const count = ROWS.filter(test).length;
    if (!count && name !== "all" && name !== "failed") continue;
    const button = make("button", { type: "button" }, make("b", {}, number(count)), words);
    button.setAttribute("aria-pressed", String(name === kind));
    button.addEventListener("click", () => {
      kind = name;
      for (const other of $("counts").children) other.setAttribute("aria-pressed", String(other === button));
      choose();
    });
    $("counts").append(button);
  }
}

function choices(id, field) {
  const values = [...new Set(ROWS.map((row) => row[field]).filter(Boolean))].sort();
  $(id).append(make("option", { value: "" }, "all"), ...values.map((value) => make("option", { value }, value)));
  $(id).parentElement.hidden = values.length < 2;
}

function choose() {
  const words = $("text").value.toLowerCase().split(/\s+/).filter(Boolean);
  const [intent, engine, warning, order] = ["intent", "engine", "warning", "order"].map((id) => $(id).value);
  found = ROWS.filter((row) =>
    KINDS[kind][1](row) && (!intent || row.intent === intent) && (!engine || row.engine === engine) &&
    (!warning || WARNINGS[warning](row)) && words.every((word) => row.haystack.includes(word)));
  if (order !== "row") found.sort((a, b) => (b[order] || 0) - (a[order] || 0) || a.index - b.index);
  $("rows").replaceChildren();
  shown = 0;
  more();
}

function more(focus) {
  const next = found.slice(shown, shown + STEP).map(card);
  $("rows").append(...next);
  shown += next.length;
  $("shown").textContent = found.length
    ? `${number(shown)} of ${number(found.length)} rows` + (ABOUT.left_out
      ? `; ${number(ABOUT.left_out)} without thumbnails, for the page would be too large` : "")
    : "No row is like that.";
  $("more").hidden = shown >= found.length;
  if (focus && next.length) (next[0].querySelector("a, input, summary") || next[0]).focus();
}

function card(row) {
  const article = make("article", { className: row.state });
  const three = thumbnails(row.index);
  if (three) article.append(...pictures(row, three));
  const body = make("div", { className: "body" });
  const title = made(row)
    ? make("a", { href: row.output.split("/").map(encodeURIComponent).join("/") }, row.output)
    : row.output || (row.image || row.id).split("/").pop();
  body.append(make("h2", {}, title));
  const facts = [row.row ? `row ${row.row}` : "", row.intent, row.model || row.engine,
    row.size ? `${row.size[0]}×${row.size[1]}` : "", row.seconds ? `${number(row.seconds, 2)} s` : ""];
  body.append(make("p", { className: "facts" }, facts.filter(Boolean).join(" · ")));
  if (!row.listed) body.append(make("p", { className: "warn" }, "no longer in the list: the result of an earlier run"));
  if (row.prompt) body.append(make("p", { className: "facts" }, `“${row.prompt}”`));
  if (row.state === "needs-review") body.append(make("p", { className: "fault" }, "set aside: accept or reject it with overpaint batch review"));
  for (const text of row.warnings || []) if (made(row)) body.append(make("p", { className: "warn" }, text));
  if (!made(row)) {
    const why = row.state === "failed" ? row.reason || "it failed" : row.reason || "not done yet";
    body.append(make("p", { className: row.state === "failed" ? "fault" : "facts" }, why));
  }
  body.append(more_of(row));
  article.append(body);
  return article;
}

function pictures(row, [before, mask, after]) {
  const image = (data, type, className, alt) =>
    make("img", { src: `data:image/${type};base64,${data}`, className, alt, decoding: "async", draggable: false });
  const pair = make("div", { className: "pair" },
    image(before, "jpeg", "before", `before: ${row.output}`), image(after, "jpeg", "after", "after"),
    image(mask, "png", "mask", "mask"),
    make("span", { className: "tag left" }, "before"), make("span", { className: "tag right" }, "after"));
  const slider = make("input", { type: "range", min: 0, max: 100, value: 50 });
  slider.setAttribute("aria-label", `before and after of ${row.output}`);
  const cut = (value) => {
    slider.value = value;
    pair.style.setProperty("--cut", `${value}%`);
  };
  const masked = make("button", { type: "button" }, "Mask");
  masked.setAttribute("aria-pressed", "false");
  const show = (on) => {
    pair.classList.toggle("masked", on);
    masked.setAttribute("aria-pressed", String(on));
  };
  slider.addEventListener("input", () => { show(false); cut(slider.value); });
  pair.addEventListener("pointermove", (event) => {
    if (event.pointerType === "mouse" && !event.buttons) return;
    const box = pair.getBoundingClientRect();
    cut(Math.round(100 * Math.min(1, Math.max(0, (event.clientX - box.left) / box.width))));
  });
  masked.addEventListener("click", () => show(!pair.classList.contains("masked")));
  const inset = make("button", { type: "button", className: "inset", title: "where was painted: white", tabIndex: -1 },
    image(mask, "png", "", "mask"));
  inset.addEventListener("click", () => show(true));
  pair.append(inset);
  const side = (text, value) => {
    const button = make("button", { type: "button" }, text);
    button.addEventListener("click", () => { show(false); cut(value); });
    return button;
  };
  cut(50);
  return [pair, make("div", { className: "bar" }, side("Before", 100), slider, side("After", 0), masked)];
}

function more_of(row) {
  const pairs = [["id", row.id], ["picture", row.image || (row.after ? `result of ${row.after}` : "")], ["seed", row.seed],
    ...Object.entries(row.settings || {}).map(([name, value]) => [name.replaceAll("_", " "), String(value)]),
    ["place", row.box ? row.box.join(", ") : ""], ["regions", row.regions], ["reach", row.reach != null ? `${row.reach} px` : ""],
    ["saved", row.fidelity], ["changed beyond the reach", row.changed != null ? `${number(row.changed)} px, by ${row.largest} at most` : ""],
    ["doubts", (row.doubts || []).join(", ")],
    ...["structure", "flatness", "foreign", "border", "match"].map((name) => [name, row[name] != null ? number(row[name], 3) : ""]),
    ["seam score", row.seam != null ? number(row.seam, 2) : ""], ["colour shift", row.shift != null ? number(row.shift, 3) : ""],
    ["seconds", Object.entries(row.timings || {}).map(([name, value]) => `${name} ${number(value, 3)}`).join(", ")],
    ["provenance", row.provenance === "none" ? "switched off" : row.source_type], ["attempts", row.attempts > 1 ? row.attempts : ""], ["device", row.device], ["notes", (row.notes || []).join("; ")],
    ["SHA-256", row.sha256]];
  const list = make("dl");
  for (const [name, value] of pairs) {
    if (value === "" || value == null) continue;
    list.append(make("dt", {}, name), make("dd", {}, String(value)));
  }
  return make("details", {}, make("summary", {}, "Settings and figures"), list);
}

$("name").textContent = `batch: ${ABOUT.name}`;
document.title = `Overpaint batch: ${ABOUT.name}`;
const seconds = ROWS.filter((row) => row.listed).reduce((sum, row) => sum + (row.seconds || 0), 0);
$("made").textContent = `${new Date(ABOUT.made).toLocaleString()} · ${number(seconds, 1)} s of work`;
$("head").textContent = ABOUT.head ? `Audit log's head when this was written: ${ABOUT.head}` : "No audit log was kept.";
counts();
choices("intent", "intent");
choices("engine", "engine");
for (const id of ["text", "intent", "engine", "warning", "order"]) $(id).addEventListener("input", choose);
$("more").addEventListener("click", () => more(true));
choose();
