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
  /** The key that the pointer holds; -1: none. */
  let held = -1;
  let grip = [0, 0];

  const x = (/** @type {number} */ frame) => frame / Math.max(1, film.frames - 1);
  const y = (/** @type {number} */ value) => 0.9 - 0.8 * (value - range[0]) / (range[1] - range[0]);
  const valueAt = (/** @type {number} */ frame) => values.length ? values.reduce((near, each) => Math.abs(each[0] - frame) < Math.abs(near[0] - frame) ? each : near)[1] : 0;

  function fit() {
    const all = (valuesOf(keys, film.frames) ?? values).map((each) => each[1]);
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
    node.onkeydown = (/** @type {KeyboardEvent} */ event) => {
      const ways = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, 1], ArrowDown: [0, -1] };
      const way = ways[/** @type {keyof ways} */ (event.key)];
      const by = (range[1] - range[0]) / (event.shiftKey ? 10 : 50);
      if (event.key === "Delete" || event.key === "Backspace") remove(index);
      else if (way) move(index, beside(keys[index], way[0] * (event.shiftKey ? 10 : 1)), numberOf(keys[index].value) + way[1] * by);
      else return;
      event.preventDefault();
    };
    return node;
  }
  /** The frame so many steps from a key: frames, or beats where it is at one. @param {any} key @param {number} steps */
  function beside(key, steps) {
    const all = beats();
    if (key.unit !== "b" || !all.length) return key.frame + steps;
    return all[Math.min(Math.max(key.place + steps, 0), all.length - 1)] * film.fps;
  }
  /** The frame and the value at a place of the plot. @param {MouseEvent} event @returns {[number, number]} */
  function at(event) {
    const box = plot.getBoundingClientRect();
    const frame = (event.clientX - box.left) / box.width * (film.frames - 1);
    return [frame, range[0] + (0.9 - (event.clientY - box.top) / box.height) / 0.8 * (range[1] - range[0])];
  }
  const handleOf = (/** @type {Event} */ event) => event.target instanceof Element ? event.target.closest(".key") : null;
  plot.onpointerdown = (/** @type {PointerEvent} */ event) => {
    const node = handleOf(event);
    if (!node || event.button) return;
    node.setPointerCapture(event.pointerId);
    held = [...plot.querySelectorAll(".key")].indexOf(node);
    node.focus({ preventScroll: true });
    choose(held);
    const [frame, value] = at(event), number = numberOf(keys[held].value);
    // Where it is gripped stays under the pointer.
    grip = [keys[held].frame - frame, (Number.isFinite(number) ? number : value) - value];
  };
  plot.onpointermove = (/** @type {PointerEvent} */ event) => {
    if (held < 0) return;
    const [frame, value] = at(event);
    move(held, frame + grip[0], value + grip[1]);
  };
  // However a drag ends, the capture is lost.
  plot.addEventListener("lostpointercapture", () => { held = -1; fit(); draw(); editor(); });
  /** @param {number} index @param {number} frame @param {number} value */
  function move(index, frame, value) {
    const low = index ? keys[index - 1].frame + 1 : 0;
    const high = index + 1 < keys.length ? keys[index + 1].frame - 1 : film.frames - 1;
    // The first key of a schedule is where it begins.
    const to = index === 0 ? keys[0].frame : Math.min(Math.max(frame, low), Math.max(low, high));
    const key = to === keys[index].frame ? keys[index] : placed(keys[index], to, film.fps, beats());
    // A value that is an expression is moved in time alone.
    keys[index] = Number.isFinite(numberOf(key.value)) && Number.isFinite(value) ? { ...key, value: `(${bounded(value)})` } : key;
    write();
  }
  /** A value within the setting's range, as a text. @param {number} value */
  function bounded(value) {
    const inside = Math.min(Math.max(value, setting.low ?? -Infinity), setting.high ?? Infinity);
    return short(setting.whole ? Math.round(inside) : inside);
  }
  const beats = () => [...film.beats, ...film.bars].sort((a, b) => a - b);
  /** @param {number} frame @param {number} value */
  function add(frame, value = valueAt(frame)) {
    const unit = keys.some((key) => key.unit === "s") || !keys.length ? "s" : keys[0].unit;
    const key = placed({ place: 0, unit, value: `(${bounded(value)})`, easing: "linear", frame }, frame, film.fps, beats());
    if (keys.some((each) => Math.abs(each.frame - key.frame) < 1)) return;
    keys = [...keys, key].sort((a, b) => a.frame - b.frame);
    choose(keys.indexOf(key));
    write();
    focus();
  }
  /** Have the chosen key take what is typed next. */
  const focus = () => /** @type {HTMLElement} */ ([...plot.querySelectorAll(".key")][chosen]).focus({ preventScroll: true });
  /** @param {number} index */
  function remove(index) {
    if (keys.length < 2) return;
    keys.splice(index, 1);
    choose(Math.max(0, index - 1));
    write();
    focus();
  }
  function write() {
    text = textOf(keys);
    draft.set(setting.name, text);
    draw();
    if (held < 0) { fit(); draw(); }
    editor();
    soon();
  }
  /** @param {number} index */
  function choose(index) {
    chosen = index;
    draw();
    editor();
  }
  plot.ondblclick = (/** @type {MouseEvent} */ event) => { if (!handleOf(event)) add(...at(event)); };

  function editor() {
    const key = keys[chosen];
    if (!key) return edit.replaceChildren();
    if (edit.contains(document.activeElement)) return;
    const at = el("input", { value: `${short(key.place)}${key.unit}`, onchange: () => {
      const found = /^\s*([\d.]+)\s*([sb]?)\s*$/.exec(at.value);
      if (!found) return;
      const [place, unit] = [Number(found[1]), found[2]];
      const frame = unit === "s" ? place * film.fps : unit === "b" ? (beats()[place] ?? 0) * film.fps : place;
      const moved = keys[chosen] = { ...key, place, unit, frame };
      keys = [...keys].sort((a, b) => a.frame - b.frame);
      chosen = keys.indexOf(moved);
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
      if (held < 0) {
        if (found.keys.length) keys = found.keys;
        fit();
      }
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
      if (now !== text && held < 0) { text = now; soon(); }
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
