/** The gain of each frame as a curve: more is more dream. */
import { get } from "./api.js";
import { el, svg } from "./dom.js";
import { LIVE } from "./items.js";

const OFTEN = 3000;

const shown = (/** @type {number} */ value) => Number(value.toPrecision(3)).toLocaleString("en", { maximumSignificantDigits: 3 });

/** @param {string} id */
export function gainCurve(id) {
  const path = svg("path");
  const drawing = svg("svg", { class: "gain", viewBox: "0 0 100 100", preserveAspectRatio: "none", role: "img", "aria-label": "The gain: there is no frame yet" }, path);
  const told = el("p", { class: "quiet small" }, "There is no frame yet.");
  /** @type {number[]} */
  let gains = [];
  let busy = false;
  let known = 0;
  let asked = 0;
  /** @param {any} item */
  async function show(item) {
    if (item.frames < known) { gains = []; known = 0; }
    // While it dreams, a curve every few seconds is enough.
    if (busy || item.frames === known || (LIVE.includes(item.state) && performance.now() - asked < OFTEN)) return;
    busy = true;
    asked = performance.now();
    try {
      const { frames } = await get(`/api/items/${id}/journal?from=${known}`);
      known += frames.length;
      gains.push(...frames.map((/** @type {any} */ frame) => frame.gain ?? NaN));
      draw();
    } finally {
      busy = false;
    }
  }
  function draw() {
    const real = gains.filter(Number.isFinite);
    if (!real.length) return;
    const low = Math.min(...real), high = Math.max(...real);
    const last = Math.max(1, gains.length - 1);
    const points = gains.flatMap((gain, index) => Number.isFinite(gain)
      ? [`${(100 * index / last).toFixed(2)} ${(95 - 90 * (gain - low) / (high - low || 1)).toFixed(2)}`] : []);
    path.setAttribute("d", `M${points.join("L")}`);
    drawing.setAttribute("aria-label", `The gain of ${gains.length} frames, from ${shown(low)} to ${shown(high)}`);
    told.textContent = `${shown(low)} to ${shown(high)}, now ${shown(real[real.length - 1])}`;
  }
  return { node: el("div", {}, drawing, told), show: (/** @type {any} */ item) => { show(item).catch(() => {}); } };
}
