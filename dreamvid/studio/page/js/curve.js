/** One setting over the film: a curve with keys that are dragged, added and eased. */
import { post } from "./api.js";
import { button, el, settled, svg } from "./dom.js";
import { draft } from "./draft.js";
import { valueOf } from "./checking.js";
import { numberOf, placed, short, textOf, valuesOf } from "./schedule.js";
import { hasKeys, title } from "./values.js";

/**
 * @param {any} setting @param {any} schema
 * @param {{frames: number, fps: number, beats: number[], bars: number[]}} film
 * @param {() => void} close
 */
export function track(setting, schema, film, close) {
  const line = svg("path", { class: "curve" });
  const marks = svg("g");
  const drawing = svg("svg", { viewBox: "0 0 1000 100", preserveAspectRatio: "none", "aria-hidden": "true" }, marks, line);
  const ends = [el("span", { class: "end top-end" }), el("span", { class: "end low-end" })];
  const plot = el("div", { class: "plot" }, drawing, ...ends);
  const edit = el("div", { class: "edit" });
  const wrong = el("p", { class: "bad small", role: "alert" });
  const node = el("section", { class: "track", "data-track": setting.name },
    el("header", {}, el("h3", {}, title(setting.name)),
      button("Add a key", () => add(film.frames / 2), { class: "plain", "aria-label": `Add a key to ${title(setting.name)}` }),
      button("No curve", () => { draft.set(setting.name, null); close(); }, { class: "plain", "aria-label": `Take the curve of ${title(setting.name)} away` })),
    plot, edit, wrong);
  /** @type {any[]} */
  let keys = [];
  /** @type {number[][]} */
  let values = [];
  let chosen = 0;
  let range = [0, 1];
  let text = "";
  let held = false;

  const x = (/** @type {number} */ frame) => frame / Math.max(1, film.frames - 1);
  const y = (/** @type {number} */ value) => 0.9 - 0.8 * (value - range[0]) / (range[1] - range[0]);
  const valueAt = (/** @type {number} */ frame) => values.length ? values.reduce((near, each) => Math.abs(each[0] - frame) < Math.abs(near[0] - frame) ? each : near)[1] : 0;

  function fit() {
    const all = [...values.map((each) => each[1]), ...keys.map((key) => numberOf(key.value)).filter(Number.isFinite)];
    let low = Math.min(...all), high = Math.max(...all);
    if (!all.length) [low, high] = [0, 1];
    const room = Math.max((high - low) * 0.35, Math.abs(high) * 0.15, 0.05);
    range = [Math.max(low - room, setting.low ?? -Infinity), Math.min(high + room, setting.high ?? Infinity)];
    if (range[0] >= range[1]) range[1] = range[0] + 1;
  }
  function draw() {
    const own = valuesOf(keys, film.frames);
    const shown = own ?? values;
    line.classList.toggle("felt", !own);
    line.setAttribute("d", shown.length ? `M${shown.map(([frame, value]) => `${(1000 * x(frame)).toFixed(1)} ${(100 * y(value)).toFixed(2)}`).join("L")}` : "");
    marks.replaceChildren(...film.beats.map((beat) => mark(beat, "beat")), ...film.bars.map((bar) => mark(bar, "bar-line")));
    ends[0].textContent = short(range[1]);
    ends[1].textContent = short(range[0]);
    const handles = [...plot.querySelectorAll(".key")];
    keys.forEach((key, index) => place(handles[index] ?? plot.appendChild(handle(index)), key, index));
    handles.slice(keys.length).forEach((each) => each.remove());
  }
  /** @param {number} seconds @param {string} kind */
  function mark(seconds, kind) {
    const at = 1000 * x(seconds * film.fps);
    return svg("line", { class: kind, x1: at, x2: at, y1: 0, y2: 100 });
  }
  /** @param {any} node @param {any} key @param {number} index */
  function place(node, key, index) {
    const number = numberOf(key.value);
    const value = Number.isFinite(number) ? number : valueAt(key.frame);
    node.style.setProperty("left", `${Math.min(100, 100 * x(key.frame))}%`);
    node.style.setProperty("top", `${Math.min(97, Math.max(3, 100 * y(value)))}%`);
    node.setAttribute("aria-label", `Key ${index + 1} at ${short(key.place)}${key.unit || " frames"}, ${key.value}`);
    node.setAttribute("aria-current", String(index === chosen));
  }
  /** @param {number} index */
  function handle(index) {
    const node = el("button", { type: "button", class: "key", onfocus: () => choose(index) });
    node.onpointerdown = (/** @type {PointerEvent} */ event) => {
      node.setPointerCapture(event.pointerId);
      held = true;
      choose(index);
      node.onpointermove = (/** @type {PointerEvent} */ moved) => {
        const box = plot.getBoundingClientRect();
        const frame = (moved.clientX - box.left) / box.width * (film.frames - 1);
        const value = range[0] + (0.9 - (moved.clientY - box.top) / box.height) / 0.8 * (range[1] - range[0]);
        move(index, frame, value);
      };
    };
    node.onpointerup = node.onpointercancel = () => { node.onpointermove = null; held = false; fit(); draw(); };
    node.onkeydown = (/** @type {KeyboardEvent} */ event) => {
      const by = (range[1] - range[0]) / 50;
      const ways = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, by], ArrowDown: [0, -by] };
      const way = ways[/** @type {keyof ways} */ (event.key)];
      if (event.key === "Delete" || event.key === "Backspace") remove(index);
      else if (way) move(index, keys[index].frame + way[0], numberOf(keys[index].value) + way[1]);
      else return;
      event.preventDefault();
    };
    return node;
  }
  /** @param {number} index @param {number} frame @param {number} value */
  function move(index, frame, value) {
    const low = index ? keys[index - 1].frame + 1 : 0;
    const high = index + 1 < keys.length ? keys[index + 1].frame - 1 : film.frames - 1;
    // The first key of a schedule is where it begins.
    const to = index === 0 ? keys[0].frame : Math.min(Math.max(frame, low), Math.max(low, high));
    const key = to === keys[index].frame ? keys[index] : placed(keys[index], to, film.fps, beats());
    const bounded = Math.min(Math.max(value, setting.low ?? -Infinity), setting.high ?? Infinity);
    const number = Number.isFinite(numberOf(key.value)) && Number.isFinite(bounded) ? `(${short(setting.whole ? Math.round(bounded) : bounded)})` : key.value;
    keys[index] = { ...key, value: number };
    write();
  }
  const beats = () => [...film.beats, ...film.bars].sort((a, b) => a - b);
  /** @param {number} frame */
  function add(frame) {
    const unit = keys.some((key) => key.unit === "s") || !keys.length ? "s" : keys[0].unit;
    const key = placed({ place: 0, unit, value: `(${short(valueAt(frame) || Number(setting.default) || 0)})`, easing: "linear", frame }, frame, film.fps, beats());
    if (keys.some((each) => Math.abs(each.frame - key.frame) < 1)) return;
    keys = [...keys, key].sort((a, b) => a.frame - b.frame);
    choose(keys.indexOf(key));
    write();
  }
  /** @param {number} index */
  function remove(index) {
    if (keys.length < 2) return;
    keys.splice(index, 1);
    choose(Math.max(0, index - 1));
    write();
  }
  function write() {
    text = textOf(keys);
    draft.set(setting.name, text);
    draw();
    if (!held) { fit(); draw(); }
    editor();
    soon();
  }
  /** @param {number} index */
  function choose(index) {
    chosen = index;
    draw();
    editor();
  }
  plot.ondblclick = (/** @type {MouseEvent} */ event) => {
    const box = plot.getBoundingClientRect();
    add((event.clientX - box.left) / box.width * (film.frames - 1));
  };

  function editor() {
    const key = keys[chosen];
    if (!key) return edit.replaceChildren();
    if (edit.contains(document.activeElement)) return;
    const at = el("input", { value: `${short(key.place)}${key.unit}`, onchange: () => {
      const found = /^\s*([\d.]+)\s*([sb]?)\s*$/.exec(at.value);
      if (!found) return;
      const [place, unit] = [Number(found[1]), found[2]];
      const frame = unit === "s" ? place * film.fps : unit === "b" ? (beats()[place] ?? 0) * film.fps : place;
      keys[chosen] = { ...key, place, unit, frame };
      write();
    } });
    const value = el("input", { class: "long", value: key.value.replace(/^\((.*)\)$/, "$1"), spellcheck: false, onchange: () => { keys[chosen] = { ...keys[chosen], value: `(${value.value})` }; write(); } });
    const easing = el("select", { onchange: () => { keys[chosen] = { ...keys[chosen], easing: easing.value }; write(); } },
      ...schema.easings.map((/** @type {string} */ each) => el("option", { value: each, selected: each === key.easing }, each)));
    edit.replaceChildren(el("label", {}, "Key at", at), el("label", {}, "Value or expression", value), el("label", {}, "Easing to the next", easing),
      button("Remove the key", () => remove(chosen), { disabled: keys.length < 2 }));
  }
  /** @type {AbortController|undefined} */
  let asking;
  async function load() {
    asking?.abort();
    asking = new AbortController();
    try {
      const { curves: [found] } = await post("/api/curves", { draft: draft.asked(), names: [setting.name] }, asking.signal);
      wrong.textContent = found.error;
      values = found.values;
      if (!held && found.keys.length) keys = found.keys;
      if (!held) fit();
      draw();
      editor();
    } catch (error) {
      if (!(error instanceof DOMException)) wrong.textContent = error instanceof Error ? error.message : "";
    }
  }
  const soon = settled(150, load);
  return {
    node,
    show() {
      const now = valueOf(setting);
      if (now !== text && !held) { text = now; soon(); }
      else draw();
    },
    /** Begin a curve that stays at the value there is. */
    begin() {
      const now = valueOf(setting);
      if (hasKeys(now)) return;
      const value = `(${now || setting.default || 0})`;
      const last = Math.max(1, film.frames - 1);
      keys = [{ place: 0, unit: "s", value, easing: "smooth", frame: 0 }, placed({ place: 0, unit: "s", value, easing: "linear", frame: last }, last, film.fps, [])];
      write();
    },
  };
}
