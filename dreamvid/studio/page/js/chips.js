/** Names that are chosen, and put in order, by clicking. */
import { el } from "./dom.js";

/**
 * @param {string} label
 * @param {(chosen: string[]) => void} choose called with all that are chosen now, in their order
 */
export function chips(label, choose) {
  const node = el("div", { class: "chips", role: "group", "aria-label": label });
  /** @type {string[]} */
  let chosen = [];
  return {
    node,
    /** What can be chosen, with what is to be said of each. @param {Record<string, string>} told */
    fill(told) {
      node.replaceChildren(...Object.entries(told).map(([name, about]) => el("button", {
        type: "button", title: about, "data-name": name,
        onclick: () => choose(chosen.includes(name) ? chosen.filter((each) => each !== name) : [...chosen, name]),
      }, name)));
    },
    /** @param {string[]} now */
    show(now) {
      chosen = now;
      for (const each of node.children) {
        const at = now.indexOf(each.dataset.name);
        each.setAttribute("aria-pressed", String(at >= 0));
        each.textContent = at >= 0 && now.length > 1 ? `${at + 1} ${each.dataset.name}` : each.dataset.name;
      }
    },
  };
}
