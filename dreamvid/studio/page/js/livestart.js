/** What a live dream is asked for before it begins. */
import { post } from "./api.js";
import { el } from "./dom.js";
import { chips } from "./chips.js";
import { those } from "./items.js";

const KEY = "dreamvid.live";
const USUAL = { source: "0", presets: ["default", "gentle", "deep"], size: "480", fps: "15", carry: "", osc: "" };
const CAMERAS = 3;
const SIZES = { 320: "320", 480: "480", 640: "640", 960: "960" };
const CARRIES = { "": "Everything, and it moves along", stillness: "Only what stands still" };

export function asking() {
  /** @type {any} */
  let now = { ...USUAL };
  try { now = { ...USUAL, ...JSON.parse(localStorage.getItem(KEY) ?? "{}") }; } catch { /* begun anew */ }
  const keep = (/** @type {any} */ given) => { now = { ...now, ...given }; localStorage.setItem(KEY, JSON.stringify(now)); show(); };
  const source = el("select", { id: "live-source", onchange: () => keep({ source: source.value }) });
  const size = choice("live-size", SIZES, now.size, (value) => keep({ size: value }));
  const carry = choice("live-carry", CARRIES, now.carry, (value) => keep({ carry: value }));
  const fps = el("input", { id: "live-fps", type: "number", min: "1", max: "60", value: now.fps, onchange: () => keep({ fps: fps.value || USUAL.fps }) });
  const osc = el("input", { id: "live-osc", type: "number", min: "0", max: "65535", placeholder: "none", value: now.osc, onchange: () => keep({ osc: osc.value }) });
  const presets = chips("Presets in their order", (chosen) => keep({ presets: chosen }));
  const wrong = el("p", { class: "bad small", role: "alert" });
  const go = el("button", { class: "main", id: "live-start" }, "Start");
  const node = el("form", { class: "panel live-form", onsubmit: begin },
    field("Source", source, "wide"), field("Size", size), field("Rate (fps)", fps), field("OSC port", osc), field("What dreams", carry, "wide"),
    el("div", { class: "wide" }, el("h2", {}, "Presets"), el("p", { class: "quiet small" }, "It begins with the first; Next preset goes on in the order of the numbers."), presets.node),
    wrong, go);
  let names = "";

  /** @param {Event} event */
  async function begin(event) {
    event.preventDefault();
    wrong.textContent = "";
    const settings = { "film.size": now.size, "film.fps": now.fps, ...(now.carry ? { "carry.name": now.carry } : {}) };
    try {
      await post("/api/live", { source: now.source, presets: now.presets, settings, osc: now.osc === "" ? null : Number(now.osc) });
    } catch (error) {
      wrong.textContent = error instanceof Error ? error.message : String(error);
    }
  }
  function show() {
    const films = those((item) => (item.kind === "clip" || item.kind === "film") && item.playable).map((item) => item.name);
    const devices = [...Array.from({ length: CAMERAS }, (_, index) => [String(index), `Camera ${index}`]), ["screen", "The screen"]];
    const all = [...devices, ...films.map((name) => [name, name])];
    if (!all.some(([value]) => value === now.source)) all.push([now.source, now.source]);
    if (names !== all.join()) {
      names = all.join();
      source.replaceChildren(...all.map(([value, text]) => el("option", { value, selected: value === now.source }, text)));
    }
    presets.show(now.presets);
    go.disabled = !now.presets.length;
  }
  return {
    node, show,
    /** @param {any} known the schema */
    fill(known) {
      now.presets = now.presets.filter((/** @type {string} */ each) => each in known.presets);
      presets.fill(known.presets);
      show();
    },
  };
}

/** @param {string} id @param {Record<string, string>} texts @param {string} chosen @param {(value: string) => void} set */
function choice(id, texts, chosen, set) {
  const select = el("select", { id, onchange: () => set(select.value) },
    ...Object.entries(texts).map(([value, text]) => el("option", { value, selected: value === chosen }, text)));
  return select;
}

/** @param {string} text @param {HTMLElement} input @param {string} [how] */
function field(text, input, how) {
  return el("label", { for: input.id, class: how }, text, input);
}
