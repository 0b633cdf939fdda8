/** All settings of the draft: searched, grouped, reset, with each error beside its own. */
import { el } from "./dom.js";
import { draft } from "./draft.js";
import { checking, valueOf } from "./checking.js";
import { control } from "./control.js";
import { title } from "./values.js";

/** The titles of the groups; the words are those of the sections. */
const GROUPS = { film: "Film", ascent: "Ascent: how it dreams", octaves: "Octaves: sizes", network: "Network and layers", objective: "Objective: what is raised",
  motion: "Motion: options", carry: "Carry", flow: "Optical flow", loop: "Loop", audio: "Music", picture: "Transparency", video: "Film and mask", machine: "Machine" };

/** @param {any} schema @param {any} ways */
export function settings(schema, ways) {
  const search = el("input", { type: "search", placeholder: "Search the settings", "aria-label": "Search the settings", oninput: () => show() });
  const only = el("button", { type: "button", "aria-pressed": "false", onclick: () => { only.setAttribute("aria-pressed", String(only.getAttribute("aria-pressed") !== "true")); show(); } }, "Changed");
  const all = schema.settings.map((/** @type {any} */ setting) => control(setting, ways));
  const elsewhere = el("p", { class: "bad small", role: "alert", hidden: true });
  const isMain = (/** @type {any} */ each) => each.setting.main !== null;
  const wanted = all.filter(isMain).sort((/** @type {any} */ a, /** @type {any} */ b) => a.setting.main - b.setting.main);
  const main = group("Main", wanted, true);
  const groups = [main, ...Object.entries(GROUPS).map(([section, name]) =>
    group(name, all.filter((/** @type {any} */ each) => !isMain(each) && each.setting.name.startsWith(`${section}.`)), section === "motion"))];
  const list = el("div", { class: "settings panel" }, ...groups.map((each) => each.node));
  const node = el("section", { "aria-label": "Settings", class: "right-inner" },
    el("div", { class: "find" }, search, only), elsewhere);

  /** Whether a setting changes anything in this draft. @param {any} setting */
  function counts(setting) {
    if (setting.name in draft.now.settings) return true;
    if (!setting.commands.includes(draft.now.command)) return false;
    if (setting.motion) return (draft.now.motion ?? checking.told.motion).includes(setting.motion);
    if (!setting.with) return true;
    const section = setting.name.split(".")[0];
    const chosen = schema.settings.find((/** @type {any} */ each) => each.name === `${section}.name`);
    return setting.with.includes(valueOf(chosen));
  }
  function show() {
    const words = search.value.toLowerCase().split(/\s+/).filter(Boolean);
    const changed = only.getAttribute("aria-pressed") === "true";
    for (const each of all) {
      const text = `${each.setting.name} ${title(each.setting.name)} ${each.setting.says}`.toLowerCase();
      const found = words.every((word) => text.includes(word)) && (!changed || each.setting.name in draft.now.settings);
      each.node.hidden = !found || !counts(each.setting);
      if (!each.node.hidden) each.show();
    }
    for (const each of groups) each.show(words.length > 0 || changed);
  }
  /** Put an error beside the setting that it names; where there is none, above all. @param {string} text */
  function complain(text) {
    const named = all.filter((/** @type {any} */ each) => text.startsWith(each.setting.name) && /^[:[. ]|^$/.test(text.slice(each.setting.name.length)));
    const found = named.sort((/** @type {any} */ a, /** @type {any} */ b) => b.setting.name.length - a.setting.name.length)[0];
    for (const each of all) each.complain(each === found ? text : "");
    elsewhere.hidden = Boolean(found) || !text;
    elsewhere.textContent = found ? "" : text;
    if (found?.node.hidden) { found.node.hidden = false; found.show(); }
    const holder = found?.node.closest("details");
    if (holder) holder.open = true;
  }
  return { find: node, list, show, complain };
}

/** @param {string} name @param {any[]} controls @param {boolean} open */
function group(name, controls, open) {
  const count = el("span");
  const node = el("details", { open }, el("summary", {}, name, count), el("div", { class: "group" }, ...controls.map((each) => each.node)));
  return {
    node,
    /** @param {boolean} searched */
    show(searched) {
      const seen = controls.filter((each) => !each.node.hidden);
      const changed = seen.filter((each) => each.setting.name in draft.now.settings).length;
      node.hidden = !seen.length;
      count.textContent = changed ? `${changed} changed` : "";
      if (searched && seen.length) node.open = true;
    },
  };
}
