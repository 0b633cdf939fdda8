/** The sketch of the first frame: drawn anew after each change, drawn to its end when there is time. */
import { post } from "./api.js";
import { el, settled } from "./dom.js";
import { draft } from "./draft.js";

export function sketch() {
  const picture = el("img", { alt: "", hidden: true });
  const empty = el("p", { class: "empty" }, "The sketch of the first frame appears here.");
  const pane = el("div", { class: "pane" }, picture, empty);
  const told = el("span", { role: "status" });
  const keep = el("button", { type: "button", class: "plain before", disabled: true, "aria-pressed": "false", title: "Hold it to see the sketch before this one" }, "The one before");
  let before = "";
  keep.onpointerdown = keep.onkeydown = (/** @type {any} */ event) => { if (!event.key || event.key === " " || event.key === "Enter") look(true); };
  keep.onpointerup = keep.onpointerleave = keep.onkeyup = keep.onblur = () => look(false);
  /** @param {boolean} old */
  function look(old) {
    if (!before || old === (keep.getAttribute("aria-pressed") === "true")) return;
    keep.setAttribute("aria-pressed", String(old));
    const now = picture.dataset.now ?? "";
    picture.src = old ? before : now;
  }
  /** @type {AbortController|undefined} */
  let asking;

  async function draw() {
    asking?.abort();
    const now = draft.asked();
    if (!now.source && now.command !== "loop") return show("", "Choose a picture or a film first.");
    asking = new AbortController();
    pane.classList.add("busy");
    const began = performance.now();
    try {
      let found = await post("/api/sketch", { draft: now }, asking.signal);
      show(found.picture, said(found, began));
      if (found.cut) {
        found = await post("/api/sketch", { draft: now, whole: true }, asking.signal);
        show(found.picture, said(found, began));
      }
      pane.classList.remove("busy");
    } catch (error) {
      if (error instanceof DOMException && error.name === "AbortError") return;
      pane.classList.remove("busy");
      told.textContent = error instanceof Error ? error.message : "";
    }
  }
  /** @param {any} found @param {number} began */
  function said(found, began) {
    const seconds = ((performance.now() - began) / 1000).toFixed(1);
    return found.cut ? `${found.steps} of ${found.of} steps, ${seconds} s` : `${found.size}, ${found.of} steps, ${seconds} s`;
  }
  /** @param {string} source @param {string} text */
  function show(source, text) {
    told.textContent = text;
    empty.hidden = Boolean(source);
    picture.hidden = !source;
    if (!source || picture.dataset.now === source) return;
    before = picture.dataset.now ?? "";
    keep.disabled = !before;
    picture.dataset.now = source;
    picture.src = source;
    picture.alt = "A sketch of the first frame";
  }
  const soon = settled(160, draw);
  return { node: el("figure", {}, pane, el("figcaption", {}, told, keep)), draw: soon, leave: () => asking?.abort() };
}
