/** One setting as a control, made from what the registries tell of it. */
import { button, el } from "./dom.js";
import { draft } from "./draft.js";
import { those } from "./items.js";
import { valueOf } from "./checking.js";
import { hasKeys, isNumber, listText, shownList, sliderRange, title } from "./values.js";

/** Settings that name files of the folder, by the kinds that they take. */
const FILES = { "audio.files": ["sound", "clip"], "video.mask": ["picture", "clip"], "objective.picture": ["picture", "clip"] };

/**
 * @param {any} setting of the schema
 * @param {Record<string, {text: string, act: () => void}>} ways further ways to set it, by name
 */
export function control(setting, ways = {}) {
  const id = `set-${setting.name.replaceAll(".", "-")}`;
  const error = el("p", { class: "error", id: `${id}-error`, role: "alert", hidden: true });
  const says = el("p", { class: "says", id: `${id}-says` }, setting.says);
  const reset = button("Reset", () => draft.set(setting.name, null), { class: "plain", "aria-label": `Reset ${title(setting.name)}` });
  const more = ways[setting.name];
  const curve = setting.scheduled && ways.curve
    ? button("Curve", () => /** @type {any} */ (ways.curve).act(setting), { class: "plain", "aria-label": `${title(setting.name)} as a curve` }) : null;
  const make = FIELDS[/** @type {keyof FIELDS} */ (FILES[/** @type {keyof FILES} */ (setting.name)] ? "files" : setting.kind)] ?? FIELDS.text;
  const field = make(setting, id, (text) => draft.set(setting.name, text));
  const box = el("div", { class: "setting", "data-name": setting.name },
    el("label", { for: id }, title(setting.name)),
    el("span", { class: "ways" }, more ? button(more.text, more.act, { class: "plain" }) : null, curve, reset),
    field.node, says, error);
  return {
    setting,
    node: box,
    /** Show the value there is now. */
    show() {
      const changed = setting.name in draft.now.settings;
      box.classList.toggle("changed", changed);
      reset.hidden = !changed;
      field.show(valueOf(setting));
    },
    /** @param {string} text */
    complain(text) {
      box.classList.toggle("wrong", Boolean(text));
      error.hidden = !text;
      error.textContent = text;
    },
  };
}

const described = (/** @type {string} */ id) => ({ id, "aria-describedby": `${id}-says ${id}-error` });

/** Set a value without taking the cursor from who types. @param {any} input @param {string} text */
function put(input, text) {
  if (document.activeElement !== input && input.value !== text) input.value = text;
}

/** @type {Record<string, (setting: any, id: string, set: (text: string|null) => void) => {node: HTMLElement, show: (text: string) => void}>} */
const FIELDS = {
  number(setting, id, set) {
    const typed = el("input", { ...described(id), type: "text", inputMode: setting.scheduled ? "text" : "decimal", autocomplete: "off", spellcheck: false });
    typed.oninput = () => set(typed.value.trim() === "" ? null : typed.value.trim());
    const slider = el("input", { type: "range", "aria-label": `${title(setting.name)}, slider` });
    slider.oninput = () => { typed.value = String(Number(Number(slider.value).toPrecision(6))); set(typed.value); };
    const node = el("div", { class: "field" }, slider, typed);
    return {
      node,
      show(text) {
        put(typed, text);
        typed.placeholder = setting.default || "none";
        const plain = isNumber(text || setting.default || "");
        slider.hidden = !plain;
        node.classList.toggle("one", !plain);
        const value = Number(text || setting.default || 0);
        if (!plain || document.activeElement === slider) return;
        const { low, high, step } = sliderRange(setting, value);
        Object.assign(slider, { min: String(low), max: String(high), step: String(step), value: String(value) });
      },
    };
  },
  choice(setting, id, set) {
    const select = el("select", { ...described(id), onchange: () => set(select.value) },
      ...setting.choices.map((/** @type {string} */ each) => el("option", { value: each, title: setting.told?.[each] }, each)));
    return { node: el("div", { class: "field one" }, select), show: (text) => put(select, text) };
  },
  switch(_setting, id, set) {
    const box = el("input", { ...described(id), type: "checkbox", onchange: () => set(String(box.checked)) });
    return { node: el("div", { class: "field one" }, box), show: (text) => { box.checked = text === "true"; } };
  },
  list(setting, id, set) {
    const typed = el("input", { ...described(id), type: "text", autocomplete: "off", spellcheck: false });
    typed.oninput = () => set(typed.value.trim() ? listText(typed.value) : null);
    return { node: el("div", { class: "field one" }, typed), show: (text) => { put(typed, shownList(text)); typed.placeholder = shownList(setting.default) || "the usual"; } };
  },
  files(setting, id, set) {
    const kinds = FILES[/** @type {keyof FILES} */ (setting.name)];
    const several = setting.kind === "list";
    const select = el("select", { ...described(id), onchange: () => set(select.value ? (several ? JSON.stringify([select.value]) : select.value) : null) });
    return {
      node: el("div", { class: "field one" }, select),
      show(text) {
        const now = several ? shownList(text) : text;
        const names = those((item) => kinds.includes(item.kind) && item.playable).map((item) => item.name);
        if (now && !names.includes(now)) names.push(now);
        // A list that is open closes where it is filled again.
        if (select.dataset.key === [now, ...names].join()) return;
        select.dataset.key = [now, ...names].join();
        select.replaceChildren(el("option", { value: "" }, "none"), ...names.map((name) => el("option", { value: name, selected: name === now }, name)));
      },
    };
  },
  text(setting, id, set) {
    const typed = el("input", { ...described(id), type: "text", autocomplete: "off", spellcheck: false });
    typed.oninput = () => set(typed.value.trim() === "" ? null : typed.value);
    return { node: el("div", { class: "field one" }, typed), show: (text) => { put(typed, text); typed.placeholder = setting.default || "the usual"; } };
  },
};
FIELDS.file = FIELDS.text;

/** Whether a setting is one that the keyframes of the time line can be of. @param {any} setting */
export const isScheduled = (setting) => Boolean(setting.scheduled) || hasKeys(draft.now.settings[setting.name]);
