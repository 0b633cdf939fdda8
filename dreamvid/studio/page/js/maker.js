/** Where a film is designed. */
import { post, schema } from "./api.js";
import { button, complain, el } from "./dom.js";
import { draft } from "./draft.js";
import { checking } from "./checking.js";
import { heard, those } from "./items.js";
import { settings } from "./settings.js";
import { sketch } from "./sketch.js";
import { presets } from "./presets.js";
import { stage } from "./stage.js";
import { motions } from "./motions.js";
import { timeline } from "./timeline.js";
import { layerSheet } from "./sheet.js";
import { dropZone } from "./upload.js";

const KINDS = { zoom: "Zoom", loop: "Loop", video: "Video", image: "Picture" };

/** @param {HTMLElement} content */
export function maker(content) {
  content.append(el("div", { class: "head" }, el("h1", {}, "New film")), el("p", { class: "quiet" }, "The settings are read…"));
  /** @type {(() => void)|undefined} */
  let leave;
  let gone = false;
  schema().then((known) => { if (!gone) leave = design(content, known); }, complain);
  return () => { gone = true; leave?.(); };
}

/** @param {HTMLElement} content @param {any} known */
function design(content, known) {
  const seed = stage(known);
  const drawn = sketch();
  const faces = presets(known);
  const moves = motions(known);
  const line = timeline(known);
  const panel = settings(known, {
    "network.layers": { text: "Choose…", act: () => layerSheet() },
    "video.mask": { text: "Paint…", act: () => seed.paint() },
    curve: { text: "Curve", act: (/** @type {any} */ setting) => line.open(setting) },
  });
  const kinds = el("div", { class: "kinds", role: "group", "aria-label": "What is made" },
    ...Object.entries(KINDS).map(([command, text]) => el("button", { type: "button", "data-command": command, onclick: () => choose(command) }, text)));
  const origin = sources();
  const told = commandLine();
  const name = el("input", { type: "text", placeholder: "a name of its own", "aria-label": "Name of the file", autocomplete: "off", size: 22,
    oninput: () => draft.change({ out: name.value.trim() || null }) });
  const go = button("Make the film", async () => {
    try {
      const { id } = await post("/api/films", draft.asked());
      location.hash = `#/film/${id}`;
    } catch (error) {
      panel.complain(error instanceof Error ? error.message : String(error));
    }
  }, { class: "main", id: "make" });
  content.replaceChildren(
    el("div", { class: "head" }, el("h1", {}, "New film"), kinds),
    el("div", { class: "maker" },
      el("div", { class: "left" }, origin.node,
        el("div", { class: "stage" }, seed.node, drawn.node),
        el("section", {}, el("h2", {}, "Presets"), faces.node), moves.node, line.node, told.node),
      el("div", { class: "right" }, panel.find, panel.list, el("div", { class: "go panel" }, el("div", { class: "row" }, name, go)))));

  function show() {
    for (const each of kinds.children) each.setAttribute("aria-pressed", String(each.dataset.command === draft.now.command));
    go.textContent = draft.now.command === "image" ? "Make the picture" : "Make the film";
    name.value = draft.now.out ?? "";
    origin.show(); seed.show(); faces.show(); moves.show(); panel.show(); line.show();
  }
  const deaf = [
    draft.heard((what) => { show(); if (!(what.length === 1 && what[0] === "out")) drawn.draw(); }),
    checking.heard((found) => { panel.show(); panel.complain(found.error); moves.show(); told.show(found); line.show(); seed.show(); }),
    heard(() => { panel.show(); origin.show(); seed.show(); }),
  ];
  show();
  drawn.draw();
  checking.check().catch(complain);
  return () => { for (const each of deaf) each(); drawn.leave(); faces.leave(); line.leave(); };
}

/** @param {string} command */
function choose(command) {
  const was = draft.now.command;
  const usual = (/** @type {string} */ each) => each === "video" ? "video" : "default";
  const preset = draft.now.preset === usual(was) ? usual(command) : draft.now.preset;
  draft.change({ command, preset });
}

/** What the film is made of: something of the folder, or something new. */
function sources() {
  const select = el("select", { "aria-label": "Seed", onchange: () => draft.change({ source: select.value || null, at: null }) });
  const at = el("input", { type: "text", size: 6, placeholder: "0s", oninput: () => draft.change({ at: at.value.trim() || null }) });
  const place = el("label", { class: "small row" }, "Frame at ", at);
  const zone = dropZone((item) => {
    if (item.kind === "sound") draft.set("audio.files", JSON.stringify([item.name]));
    else draft.change({ source: item.name, at: null, command: item.kind === "clip" && draft.now.command === "zoom" ? "video" : draft.now.command });
  }, { slim: true, title: "Drop another" });
  const row = el("div", { class: "row" }, el("label", { class: "row" }, "Seed ", select), place, zone);
  const show = () => {
    const found = those((item) => item.kind !== "sound" && item.playable);
    const films = draft.now.command === "video";
    const names = found.filter((item) => !films || item.kind !== "picture").map((item) => item.name);
    const now = draft.now.source;
    if (now && !names.includes(now)) names.push(now);
    const none = draft.now.command === "loop" ? "noise" : "choose…";
    const key = `${none} ${now} ${names.join()}`;
    if (select.dataset.key !== key) {
      select.dataset.key = key;
      select.replaceChildren(el("option", { value: "" }, none), ...names.map((name) => el("option", { value: name, selected: name === now }, name)));
    }
    const moving = found.find((item) => item.name === now && item.kind !== "picture");
    place.hidden = films || !moving;
    if (document.activeElement !== at) at.value = draft.now.at ?? "";
  };
  return { node: row, show };
}

/** The command line and the TOML of what is set, to be copied. */
function commandLine() {
  const line = el("pre", { tabIndex: 0, "aria-label": "Command line" });
  const toml = el("pre", { tabIndex: 0, "aria-label": "Settings as TOML" });
  const copy = (/** @type {HTMLElement} */ from) => button("Copy", () => navigator.clipboard.writeText(from.textContent ?? ""), { class: "plain" });
  const node = el("section", { class: "told" },
    el("div", { class: "row" }, el("h2", {}, "The same on the command line"), copy(line)), line,
    el("details", {}, el("summary", {}, "As a file for --config"), el("div", { class: "row" }, copy(toml)), toml));
  return { node, show(/** @type {any} */ told) { line.textContent = told.line; toml.textContent = told.toml; } };
}
