/** The seed, with what is set on it by hand: the middle of the motion, and the mask. */
import { button, el } from "./dom.js";
import { called, picture } from "./items.js";
import { draft } from "./draft.js";
import { checking, valueOf } from "./checking.js";
import { maskPainter } from "./mask.js";

/** @param {any} schema */
export function stage(schema) {
  const image = el("img", { alt: "The seed", hidden: true });
  const empty = el("p", { class: "empty" }, "Choose a picture or a film, or drop one.");
  const cross = el("button", { type: "button", class: "cross", hidden: true, "aria-label": "Middle of the motion; arrow keys move it" });
  const pane = el("div", { class: "pane" }, image, empty, cross);
  const tools = el("div", { class: "tools" });
  const centre = button("Set the centre", () => { aiming = !aiming; show(); }, { class: "plain", "aria-pressed": "false" });
  const paint = button("Paint a mask", () => begin(), { class: "plain" });
  const node = el("figure", {}, pane, el("figcaption", {}, tools));
  let aiming = false;
  let painting = false;

  /** The setting that holds the middle of the first motion that has one. */
  function middle() {
    const now = draft.now.motion ?? checking.told.motion ?? [];
    return now.map((/** @type {string} */ name) => schema.settings.find((/** @type {any} */ each) => each.name === `motion.${name}.centre`)).find(Boolean);
  }
  /** @returns {[number, number]} */
  function place() {
    try {
      const [x, y] = JSON.parse(valueOf(middle()));
      if (Number.isFinite(x) && Number.isFinite(y)) return [x, y];
    } catch { /* follows a schedule */ }
    return [0.5, 0.5];
  }
  /** @param {number} x @param {number} y */
  function set(x, y) {
    const [left, top] = [x, y].map((each) => Math.min(1, Math.max(0, each)).toFixed(3)).map(Number);
    draft.set(middle().name, `[${left}, ${top}]`);
  }
  /** @param {PointerEvent} event */
  function at(event) {
    const box = image.getBoundingClientRect();
    set((event.clientX - box.left) / box.width, (event.clientY - box.top) / box.height);
  }
  pane.onpointerdown = (/** @type {PointerEvent} */ event) => {
    if (!aiming || painting || image.hidden) return;
    pane.setPointerCapture(event.pointerId);
    at(event);
    pane.onpointermove = at;
  };
  pane.onpointerup = () => { pane.onpointermove = null; };
  cross.onkeydown = (/** @type {KeyboardEvent} */ event) => {
    const ways = { ArrowLeft: [-0.01, 0], ArrowRight: [0.01, 0], ArrowUp: [0, -0.01], ArrowDown: [0, 0.01] };
    const way = ways[/** @type {keyof ways} */ (event.key)];
    if (!way) return;
    event.preventDefault();
    const [x, y] = place();
    set(x + way[0], y + way[1]);
  };
  function begin() {
    if (image.hidden || painting) return;
    painting = true;
    show();
    maskPainter(pane, tools, image, () => { painting = false; show(); });
  }
  function show() {
    const item = called(draft.now.source);
    const source = item ? picture(item, 640) : "";
    if (source && image.getAttribute("src") !== source) image.src = source;
    image.hidden = !source;
    empty.hidden = Boolean(source);
    empty.textContent = draft.now.command === "loop" ? "The loop begins with noise, or with a picture that you choose." : "Choose a picture or a film, or drop one.";
    const moves = ["zoom", "loop"].includes(draft.now.command) && middle();
    aiming &&= Boolean(moves);
    cross.hidden = !aiming || painting || image.hidden;
    const [x, y] = moves ? place() : [0.5, 0.5];
    cross.style.setProperty("left", `${x * 100}%`);
    cross.style.setProperty("top", `${y * 100}%`);
    centre.setAttribute("aria-pressed", String(aiming));
    centre.hidden = !moves || !source;
    paint.hidden = !source;
    if (!painting && tools.firstChild !== centre) tools.replaceChildren(centre, paint);
  }
  return { node, show, paint: begin };
}
