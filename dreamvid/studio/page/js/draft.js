/** The film that is being designed; it outlives a reload. */

const KEY = "dreamvid.draft";
const EMPTY = { command: "zoom", source: null, at: null, preset: "default", motion: null, settings: {} };
/** @type {Set<(what: string[]) => void>} */
const hearers = new Set();

function kept() {
  try {
    return { ...EMPTY, ...JSON.parse(localStorage.getItem(KEY) ?? "{}") };
  } catch {
    return { ...EMPTY };
  }
}

export const draft = {
  /** @type {any} */
  now: kept(),
  /** Be told what has changed, until the returned function is called. @param {(what: string[]) => void} hear */
  heard(hear) {
    hearers.add(hear);
    return () => hearers.delete(hear);
  },
  /** Begin another one. @param {any} given */
  begin(given) {
    const settings = this.now.source === given.source ? this.now.settings : {};
    this.change({ ...EMPTY, preset: given.command === "video" ? "video" : "default", settings, ...given });
  },
  /** Change something. @param {any} given */
  change(given) {
    this.now = { ...this.now, ...given };
    localStorage.setItem(KEY, JSON.stringify(this.now));
    for (const hear of hearers) hear(Object.keys(given));
  },
  /** Set one setting to a text; null takes the preset's again. @param {string} name @param {string|null} text */
  set(name, text) {
    const settings = { ...this.now.settings };
    if (text === null) delete settings[name];
    else settings[name] = text;
    this.change({ settings });
  },
  /** As the server takes it. */
  asked() {
    const { command, source, at, preset, motion, settings, out } = this.now;
    return { command, source, at, preset, motion, settings, ...(out ? { out } : {}) };
  },
};
