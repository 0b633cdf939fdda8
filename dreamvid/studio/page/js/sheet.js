/** Layers, and the channels of one, chosen from pictures of what each dreams. */
import { get, post } from "./api.js";
import { button, complain, el } from "./dom.js";
import { draft } from "./draft.js";
import { checking } from "./checking.js";

const FIRST = 48;

/** Open the sheet of layers. */
export async function layerSheet() {
  const network = draft.now.settings["network.name"] ?? checking.told.base["network.name"] ?? "pocket";
  /** @type {string[]} */
  let chosen = [];
  try { chosen = JSON.parse(draft.now.settings["network.layers"] ?? "[]").map(String); } catch { /* written by hand */ }
  const title = el("h2", {}, "Layers");
  const grid = el("div", { class: "sheet" });
  const told = el("p", { class: "quiet small" }, "Each picture is the seed as one layer dreams it alone. Several that are chosen dream together.");
  const back = button("All layers", () => layers(), { hidden: true });
  const into = el("p", { class: "small", role: "status" });
  const box = el("dialog", { "aria-label": "Choose layers and channels", onclose: () => { watcher.disconnect(); asking.abort(); box.remove(); } },
    el("div", { class: "head" }, title, back, button("Use them", () => {
      draft.set("network.layers", chosen.length ? JSON.stringify(chosen) : null);
      box.close();
    }, { class: "main" }), button("Leave it", () => box.close())), told, into, grid);
  const asking = new AbortController();
  /** @type {Map<Element, string>} */
  const waiting = new Map();
  let drawing = false;
  const watcher = new IntersectionObserver((entries) => {
    for (const entry of entries) {
      const layer = entry.target.getAttribute("data-layer");
      entry.isIntersecting && layer ? waiting.set(entry.target, layer) : waiting.delete(entry.target);
    }
    draw();
  }, { root: box });

  async function draw() {
    if (drawing) return;
    drawing = true;
    for (const [node, layer] of waiting) {
      waiting.delete(node);
      watcher.unobserve(node);
      try {
        const found = await post("/api/cell", { draft: draft.asked(), layer }, asking.signal);
        node.querySelector(".face")?.replaceChildren(el("img", { src: found.picture, alt: "" }));
      } catch (error) {
        if (error instanceof DOMException) break;
        node.setAttribute("title", error instanceof Error ? error.message : "");
      }
    }
    drawing = false;
    if (waiting.size && !asking.signal.aborted) draw();
  }
  /** @param {string} layer @param {string} text */
  function cell(layer, text) {
    const node = el("button", { type: "button", "data-layer": layer, "aria-pressed": String(chosen.includes(layer)), onclick: () => {
      chosen = chosen.includes(layer) ? chosen.filter((each) => each !== layer) : [...chosen, layer];
      node.setAttribute("aria-pressed", String(chosen.includes(layer)));
      tell();
    } }, el("div", { class: "face" }), el("span", {}, text));
    watcher.observe(node);
    return node;
  }
  const tell = () => { into.textContent = chosen.length ? `Chosen: ${chosen.join(", ")}` : "The network's favourite dreams."; };
  async function layers() {
    title.textContent = "Layers";
    back.hidden = true;
    const { layers: names, favourite } = await get(`/api/layers?network=${encodeURIComponent(String(network).split(",")[0])}`);
    grid.replaceChildren(...names.map((/** @type {string} */ layer) => {
      const node = cell(layer, layer === favourite ? `${layer}, the favourite` : layer);
      return el("div", {}, node, button("Its channels", () => channels(layer), { class: "plain small", "aria-label": `Channels of ${layer}` }));
    }));
    tell();
  }
  /** @param {string} layer */
  async function channels(layer) {
    const { channels: count } = await post("/api/channels", { draft: draft.asked(), layer });
    title.textContent = `Channels of ${layer}`;
    back.hidden = false;
    const add = (/** @type {number} */ from, /** @type {number} */ to) =>
      Array.from({ length: Math.min(to, count) - from }, (_, index) => cell(`${layer}:${from + index}`, `${from + index}`));
    let shown = FIRST;
    const more = button(`More of the ${count}`, () => { more.before(...add(shown, shown + FIRST)); shown += FIRST; more.hidden = shown >= count; });
    grid.replaceChildren(...add(0, FIRST), more);
    more.hidden = shown >= count;
  }
  document.body.append(box);
  box.showModal();
  layers().catch(complain);
}
