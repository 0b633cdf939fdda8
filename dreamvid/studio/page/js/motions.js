/** The motions: chosen and put in order by clicking. */
import { el } from "./dom.js";
import { draft } from "./draft.js";
import { checking } from "./checking.js";
import { chips } from "./chips.js";

/** @param {any} schema */
export function motions(schema) {
  const names = chips("Motions", choose);
  const node = el("section", {}, el("h2", {}, "Motion"), el("p", { class: "quiet small" }, "Those that are chosen are applied in the order of their numbers."), names.node);
  names.fill(schema.motions);
  /** Choose motions; options of those that are gone go with them. @param {string[]} motion */
  function choose(motion) {
    const keeps = (/** @type {string} */ key) => !key.startsWith("motion.") || motion.includes(key.split(".")[1]);
    draft.change({ motion, settings: Object.fromEntries(Object.entries(draft.now.settings).filter(([key]) => keeps(key))) });
  }
  return {
    node,
    show() {
      node.hidden = !["zoom", "loop"].includes(draft.now.command);
      names.show(draft.now.motion ?? checking.told.motion ?? []);
    },
  };
}
