/** The time line: what changes in the course of the film, with the music beneath. */
import { post } from "./api.js";
import { el, svg } from "./dom.js";
import { draft } from "./draft.js";
import { checking } from "./checking.js";
import { track } from "./curve.js";
import { hasKeys, title } from "./values.js";

/** @param {any} schema */
export function timeline(schema) {
  const tracks = el("div", { class: "timeline" });
  const ruler = el("div", { class: "ruler", "aria-hidden": "true" });
  const wave = el("div", { class: "wave", hidden: true, role: "img", "aria-label": "The waveform of the music, with its beats" });
  const add = el("select", { "aria-label": "Change a setting over time", onchange: () => {
    const setting = schema.settings.find((/** @type {any} */ each) => each.name === add.value);
    add.value = "";
    if (setting) open(setting);
  } });
  const none = el("p", { class: "quiet small" }, "Nothing changes in the course of the film yet.");
  const node = el("section", { class: "panel timeline", "aria-label": "Time line" },
    el("div", { class: "row" }, el("h2", {}, "Time line"), add), none, tracks, wave, ruler);
  const film = { frames: 300, fps: 30, beats: /** @type {number[]} */ ([]), bars: /** @type {number[]} */ ([]) };
  /** @type {Map<string, ReturnType<typeof track>>} */
  const open_tracks = new Map();
  let songs = "";

  /** @param {any} setting */
  function open(setting) {
    if (!open_tracks.has(setting.name)) {
      const made = track(setting, schema, film, () => { open_tracks.delete(setting.name); made.node.remove(); show(); });
      open_tracks.set(setting.name, made);
      tracks.append(made.node);
      made.begin();
    }
    show();
    open_tracks.get(setting.name)?.node.scrollIntoView({ block: "nearest" });
  }
  function show() {
    node.hidden = draft.now.command === "image";
    film.frames = checking.told.frames || film.frames;
    film.fps = checking.told.fps || film.fps;
    const set = { ...checking.told.base, ...draft.now.settings };
    for (const setting of schema.settings) {
      const keyed = setting.scheduled && hasKeys(set[setting.name]) && setting.commands.includes(draft.now.command);
      if (keyed && !open_tracks.has(setting.name)) {
        const made = track(setting, schema, film, () => { open_tracks.delete(setting.name); made.node.remove(); });
        open_tracks.set(setting.name, made);
        tracks.append(made.node);
      }
      if (!keyed && open_tracks.has(setting.name) && !(setting.name in draft.now.settings)) {
        open_tracks.get(setting.name)?.node.remove();
        open_tracks.delete(setting.name);
      }
    }
    for (const each of open_tracks.values()) each.show();
    none.hidden = open_tracks.size > 0;
    choices();
    measure();
    listen();
  }
  function choices() {
    const active = draft.now.motion ?? checking.told.motion ?? [];
    const can = schema.settings.filter((/** @type {any} */ each) => each.scheduled && each.kind === "number" && each.commands.includes(draft.now.command)
      && (!each.motion || active.includes(each.motion)) && !open_tracks.has(each.name));
    const key = can.map((/** @type {any} */ each) => each.name).join();
    if (add.dataset.key === key) return;
    add.dataset.key = key;
    add.replaceChildren(el("option", { value: "" }, "Add a curve…"), ...can.map((/** @type {any} */ each) => el("option", { value: each.name }, `${each.name.split(".")[0]}: ${title(each.name)}`)));
  }
  function measure() {
    const seconds = film.frames / film.fps;
    const steps = 6;
    const key = String(seconds);
    if (ruler.dataset.key === key) return;
    ruler.dataset.key = key;
    ruler.replaceChildren(...Array.from({ length: steps + 1 }, (_, index) => {
      const mark = el("span", {}, `${(seconds * index / steps).toFixed(seconds < 20 ? 1 : 0)} s`);
      mark.style.setProperty("left", `${100 * index / steps}%`);
      return mark;
    }));
  }
  /** Ask for the music where another one is chosen. */
  async function listen() {
    const now = JSON.stringify(Object.entries(draft.now.settings).filter(([name]) => name.startsWith("audio.") || name === "film.frames" || name === "film.fps"));
    if (now === songs) return;
    songs = now;
    if (!draft.now.settings["audio.files"]) {
      wave.hidden = true;
      film.beats = film.bars = [];
      return;
    }
    try {
      const found = await post("/api/music", draft.asked());
      film.beats = found.beats;
      film.bars = found.bars;
      wave.hidden = !found.peaks.length;
      const top = found.peaks.map((/** @type {number} */ peak, /** @type {number} */ index) => `${index} ${50 - 46 * peak}`);
      const low = found.peaks.map((/** @type {number} */ peak, /** @type {number} */ index) => `${index} ${50 + 46 * peak}`).reverse();
      const lines = [...found.beats.map((/** @type {number} */ at) => [at, "beat"]), ...found.bars.map((/** @type {number} */ at) => [at, "bar-line"])].map(([at, kind]) => {
        const place = at / found.seconds * found.peaks.length;
        return svg("line", { class: kind, x1: place, x2: place, y1: 0, y2: 100, stroke: kind === "beat" ? "#5b5470" : "#aca6ba", "vector-effect": "non-scaling-stroke" });
      });
      wave.replaceChildren(svg("svg", { viewBox: `0 0 ${found.peaks.length || 1} 100`, preserveAspectRatio: "none" }, svg("path", { d: `M${[...top, ...low].join("L")}Z` }), ...lines));
      for (const each of open_tracks.values()) each.show();
    } catch {
      // What is wrong with the music stands beside its setting.
      songs = "";
      wave.hidden = true;
    }
  }
  return { node, show, open, leave() { open_tracks.clear(); } };
}
