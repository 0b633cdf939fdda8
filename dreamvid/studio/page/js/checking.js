/** What the server says of the draft: the preset's values, what is wrong, the command line. */
import { post } from "./api.js";
import { complain, settled } from "./dom.js";
import { draft } from "./draft.js";

/** @type {Set<(told: any) => void>} */
const hearers = new Set();
/** @type {AbortController|undefined} */
let asking;

export const checking = {
  /** @type {any} The newest answer. */
  told: { base: {}, motion: [], error: "", line: "", toml: "", frames: 0, fps: 30 },
  /** @param {(told: any) => void} hear */
  heard(hear) {
    hearers.add(hear);
    return () => hearers.delete(hear);
  },
  async check() {
    asking?.abort();
    asking = new AbortController();
    try {
      this.told = { ...this.told, ...await post("/api/check", draft.asked(), asking.signal) };
    } catch (error) {
      if (error instanceof DOMException) return;
      this.told = { ...this.told, error: error instanceof Error ? error.message : String(error) };
    }
    for (const hear of hearers) hear(this.told);
  },
};

/** The value of a setting as a text: what was set, or else the preset's, or else the usual one.
 * @param {any} setting */
export function valueOf(setting) {
  return draft.now.settings[setting.name] ?? checking.told.base[setting.name] ?? setting.default;
}

const soon = settled(120, () => checking.check().catch(complain));
draft.heard(soon);
