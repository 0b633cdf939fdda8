/** The motions: chosen and put in order by clicking. */
import { el } from "./dom.js";
import { draft } from "./draft.js";
import { checking } from "./checking.js";

/** @param {any} schema */
export function motions(schema) {
  const chips = el("div", { class: "chips", role: "group", "aria-label": "Motions" });
  const node = el("section", {}, el("h2", {}, "Motion"), el("p", { class: "quiet small" }, "Those that are chosen are applied in the order of their numbers."), chips);
  const buttons = Object.entries(schema.motions).map(([name, about]) =>
    el("button", { type: "button", title: about, "data-motion": name, onclick: () => toggle(name) }, name));
  chips.append(...buttons);
  const chosen = () => draft.now.motion ?? checking.told.motion ?? [];
  /** @param {string} name */
  function toggle(name) {
    const now = chosen();
    const motion = now.includes(name) ? now.filter((/** @type {string} */ each) => each !== name) : [...now, name];
    const settings = Object.fromEntries(Object.entries(draft.now.settings).filter(([key]) => !key.startsWith(`motion.${name}.`)));
    draft.change({ motion, settings: now.includes(name) ? settings : draft.now.settings });
  }
  return {
    node,
    show() {
      node.hidden = !["zoom", "loop"].includes(draft.now.command);
      const now = chosen();
      for (const each of buttons) {
        const at = now.indexOf(each.dataset.motion);
        each.setAttribute("aria-pressed", String(at >= 0));
        each.textContent = at >= 0 && now.length > 1 ? `${at + 1} ${each.dataset.motion}` : each.dataset.motion;
      }
    },
  };
}
