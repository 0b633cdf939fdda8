/** The presets as cards; each shows the seed as that preset dreams it. */
import { post } from "./api.js";
import { el } from "./dom.js";
import { draft } from "./draft.js";

/** @param {any} schema */
export function presets(schema) {
  const list = el("div", { class: "presets", role: "group", "aria-label": "Presets" });
  const cards = Object.entries(schema.presets).map(([name, about]) => {
    const face = el("span", { class: "face", "aria-hidden": "true" });
    const node = el("button", { type: "button", class: "preset", "data-preset": name, onclick: () => draft.change({ preset: name, motion: null }) },
      face, el("b", {}, name), el("small", {}, about));
    return { name, node, face, key: "" };
  });
  list.append(...cards.map((card) => card.node));
  /** @type {AbortController|undefined} */
  let asking;
  /** @type {Set<any>} */
  const seen = new Set();
  const watcher = new IntersectionObserver((entries) => {
    for (const entry of entries) {
      const card = cards.find((each) => each.node === entry.target);
      entry.isIntersecting ? seen.add(card) : seen.delete(card);
    }
    draw();
  }, { root: list, rootMargin: "0px 300px" });
  for (const card of cards) watcher.observe(card.node);
  let drawing = false;

  /** Draw the cards that are seen, one after the other, while nothing more pressing is asked. */
  async function draw() {
    if (drawing) return;
    drawing = true;
    asking = new AbortController();
    try {
      for (;;) {
        const key = `${draft.now.command} ${draft.now.source} ${draft.now.at}`;
        const card = [...seen].find((each) => each.key !== key);
        if (!card || (!draft.now.source && draft.now.command !== "loop")) break;
        card.key = key;
        const { command, source, at } = draft.now;
        try {
          const found = await post("/api/sketch", { for: "card", draft: { command, source, at, preset: card.name } }, asking.signal);
          card.face.replaceChildren(el("img", { src: found.picture, alt: "" }));
          card.face.classList.add("has");
        } catch (error) {
          if (error instanceof DOMException) { card.key = ""; break; }
          card.face.classList.remove("has");
          card.face.replaceChildren(reason(error instanceof Error ? error.message : ""));
          card.node.title = error instanceof Error ? error.message : "";
        }
      }
    } finally {
      drawing = false;
    }
  }
  return {
    node: list,
    show() {
      for (const card of cards) card.node.setAttribute("aria-pressed", String(card.name === draft.now.preset));
      draw();
    },
    leave() { watcher.disconnect(); seen.clear(); asking?.abort(); },
  };
}

/** Why a preset cannot be shown, in a few words. @param {string} error */
function reason(error) {
  if (error.includes("weights")) return "needs weights that are not here";
  return /audio|music/.test(error) ? "follows music: choose some" : "cannot be shown with this seed";
}
