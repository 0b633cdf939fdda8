/** The picture of a film: the newest frame while it dreams, any frame by scrubbing, then the film. */
import { button, el } from "./dom.js";
import { LIVE } from "./items.js";

const OFTEN = 1000;
/** Milliseconds between two live pictures, at least: each costs the machine that dreams. */
const SHARE = 30;
/** A picture is asked for again after so many times as long as it took to come and to be painted. */

export class Screen {
  /** @param {string} id @param {() => void} painted called when a picture is there */
  constructor(id, painted) {
    this.id = id;
    this.painted = painted;
    this.picture = el("img", { alt: "", "data-frame": "" });
    this.video = el("video", { controls: true, loop: false, playsInline: true, preload: "metadata", hidden: true });
    this.slider = el("input", { type: "range", min: "0", max: "0", value: "0", "aria-label": "Frame", oninput: () => this.scrub() });
    this.number = el("output", { class: "mono" });
    this.follow = button("Newest", () => { this.follows = true; this.next(); this.tell(); }, { class: "plain", "aria-pressed": "true" });
    this.play = button("Play", () => this.watch(), { class: "plain", hidden: true });
    this.box = el("div", { class: "screen" }, this.picture, this.video);
    this.node = el("div", {}, this.box, el("div", { class: "scrub" }, el("span", { class: "row" }, this.play, this.follow), this.slider, this.number));
    this.follows = true;
    this.index = -1;
    this.busy = false;
    this.gone = false;
    this.timer = 0;
    this.item = /** @type {any} */ (null);
  }

  /** @param {any} item */
  show(item) {
    const before = this.item;
    this.item = item;
    const live = LIVE.includes(item.state);
    this.slider.max = String(Math.max(0, item.frames - 1));
    this.slider.disabled = !item.frames;
    this.follow.hidden = !live;
    this.play.hidden = !item.playable;
    const file = `/api/items/${this.id}/file?v=${item.changed}`;
    if (item.playable && !live && this.video.getAttribute("src") !== file) {
      this.video.setAttribute("src", file);
      this.video.setAttribute("aria-label", item.name);
      if (item.kind === "film" && (!before || LIVE.includes(before.state) || !item.frames)) this.watch(false);
    }
    if (!item.frames && item.playable && item.kind === "picture") this.picture.src = file;
    if (this.follows && this.video.hidden) this.next();
    this.tell();
  }

  /** Take what is told of a film that still dreams, to be painted with its next picture. @param {any} item */
  take(item) {
    this.item = item;
    this.next();
  }

  /** Show the film itself. @param {boolean} [at_once] */
  watch(at_once = true) {
    this.picture.hidden = true;
    this.video.hidden = false;
    if (at_once) this.video.play();
  }

  scrub() {
    this.follows = false;
    this.video.pause();
    this.video.hidden = true;
    this.picture.hidden = false;
    this.next();
    this.tell();
  }

  /** Show the frame that is wanted now; while one comes, only the last wish counts. */
  next() {
    if (this.busy || !this.item?.frames) return;
    const live = this.follows && LIVE.includes(this.item.state);
    const index = this.follows ? this.item.frames - 1 : Number(this.slider.value);
    if (index === this.index) return;
    this.busy = true;
    const began = performance.now();
    const width = Math.round(this.box.clientWidth * Math.min(2, window.devicePixelRatio || 1));
    const again = () => {
      if (this.gone) return;
      const rest = live ? Math.max(OFTEN, SHARE * (performance.now() - began)) : 0;
      this.timer = window.setTimeout(() => { this.busy = false; this.next(); }, rest);
    };
    const done = () => {
      if (this.gone) return;
      this.painted();
      // The second call comes when the first picture has been painted.
      requestAnimationFrame(() => requestAnimationFrame(again));
    };
    this.picture.onload = done;
    this.picture.onerror = done;
    this.index = index;
    this.picture.dataset.frame = String(index);
    this.picture.alt = `Frame ${index + 1} of ${this.item.name}`;
    this.picture.src = `/api/items/${this.id}/frames/${index}?w=${width}&v=${this.item.order || 0}`;
  }

  tell() {
    if (this.follows && this.item.frames) this.slider.value = String(this.item.frames - 1);
    this.follow.setAttribute("aria-pressed", String(this.follows));
    this.number.textContent = this.item.frames ? `${Number(this.slider.value) + 1} / ${this.item.frames}` : "";
  }

  leave() {
    this.gone = true;
    clearTimeout(this.timer);
    this.video.pause();
  }
}
