/** Texts of settings as controls show them, and back. */

/** The parts of a text between the commas outside brackets. @param {string} text */
export function parts(text) {
  const found = [];
  let depth = 0, begin = 0;
  for (let at = 0; at < text.length; at += 1) {
    if ("([{".includes(text[at])) depth += 1;
    else if (")]}".includes(text[at])) depth -= 1;
    else if (text[at] === "," && depth === 0) { found.push(text.slice(begin, at)); begin = at + 1; }
  }
  return [...found, text.slice(begin)].map((part) => part.trim()).filter(Boolean);
}

/** A list as it is set, shown without its brackets. @param {string} text */
export function shownList(text) {
  try {
    const list = JSON.parse(text || "[]");
    return Array.isArray(list) ? list.map((each) => Array.isArray(each) ? JSON.stringify(each) : String(each)).join(", ") : text;
  } catch {
    return text;
  }
}

/** A list as it is typed, as the text that sets it. @param {string} typed */
export function listText(typed) {
  const shown = typed.trim();
  if (shown.startsWith("[") && shown.endsWith("]")) {
    try { return JSON.stringify(JSON.parse(shown)); } catch { /* not yet whole */ }
  }
  return `[${parts(shown).map((part) => isNumber(part) || part.startsWith("[") ? part : JSON.stringify(part)).join(", ")}]`;
}

/** @param {string} text */
export const isNumber = (text) => /^[-+]?(\d+\.?\d*|\.\d+)(e[-+]?\d+)?$/i.test(text.trim());

/** Whether a text is a schedule with keys. @param {string|undefined} text */
export const hasKeys = (text) => /(^|,)\s*[\d.]+\s*[sb]?\s*:/.test(text ?? "");

/**
 * The range a slider has: the setting's own, or, where that is too wide to aim in, one around the
 * value. The field beside it takes all of the range.
 * @param {any} setting @param {number} value
 */
export function sliderRange(setting, value) {
  const usual = Number(setting.default) || 1;
  const wide = Math.max(Math.abs(usual), Math.abs(value)) || 1;
  let low = setting.low ?? -4 * wide, high = setting.high ?? 4 * wide;
  if (high - low > 40 * wide) {
    high = Math.min(high, Math.max(setting.whole ? 10 : 2, 4 * wide));
    low = Math.max(low, low < 0 ? -high : low);
  }
  const step = setting.whole ? 1 : 10 ** Math.floor(Math.log10((high - low) / 100));
  if (setting.above && low === setting.low) low += step;
  return { low: Math.min(low, value), high: Math.max(high, value), step };
}

/** What a setting is called. @param {string} name */
export function title(name) {
  const [section, ...keys] = name.split(".");
  // What a section is about is called like the section.
  const bare = keys.length === 1 && ["name", "count"].includes(keys[0]);
  const words = (bare ? section : keys.join(" · ")).replaceAll("_", " ");
  return words.charAt(0).toUpperCase() + words.slice(1);
}
