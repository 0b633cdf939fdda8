/** A thing of the folder as a card with a thumbnail that moves. */
import { clock, el } from "./dom.js";
import { LIVE, picture } from "./items.js";
import { draft } from "./draft.js";

const BADGES = { done: "good", failed: "wrong", killed: "wrong", stopped: "", waiting: "" };
const WORDS = { done: "finished", killed: "ended from outside", starting: "begins" };

/** How an item is, in a word. @param {any} item */
export function badge(item) {
  const live = LIVE.includes(item.state);
  const kind = live ? "live" : BADGES[/** @type {keyof BADGES} */ (item.state)] ?? "";
  return el("span", { class: `badge ${kind}` }, WORDS[/** @type {keyof WORDS} */ (item.state)] ?? item.state);
}

/**
 * @param {any} item
 * @param {HTMLElement|null} more what else can be done with it
 * @param {HTMLElement} [before] the card it had, whose picture stays until the next is there
 */
export function card(item, more, before) {
  const made = item.kind === "film" || item.command;
  const live = LIVE.includes(item.state);
  const open = () => {
    if (made) return;
    draft.begin({ command: item.kind === "clip" ? "video" : "zoom", source: item.name });
  };
  const link = el("a", { href: made ? `#/film/${item.id}` : "#/new", onclick: item.kind === "sound" ? sounds(item) : open },
    el("div", { class: "thumb" }, face(item, before)),
    el("div", { class: "under" }, el("span", { class: "name" }, item.name), made ? badge(item) : null));
  const told = made ? facts(item) : "";
  const done = item.total ? Math.min(100, 100 * item.frames / item.total) : 0;
  const bar = live || item.state === "waiting" ? el("div", { class: "bar" }, el("i")) : null;
  bar?.firstElementChild.style.setProperty("width", `${done}%`);
  return el("li", { class: live ? "card live" : "card", "data-id": item.id, "data-waits": item.state === "waiting" }, link,
    told ? el("p", { class: "more" }, told) : null, bar, more);
}

/** @param {any} item */
function sounds(item) {
  return () => draft.change({ settings: { "audio.files": JSON.stringify([item.name]) } });
}

/** @param {any} item @param {HTMLElement} [before] */
function face(item, before) {
  if (item.kind === "sound") return el("div", { class: "sound", "aria-hidden": "true" }, "♪");
  const strip = (item.kind === "clip" || item.kind === "film") && (item.frames > 1 || item.playable);
  const stamp = `${item.frames ?? 0}-${item.changed}`;
  const known = before?.querySelector("img");
  // While it dreams, a thumbnail is made anew every tenth frame; the film's own page shows each.
  const soon = LIVE.includes(item.state) && known && Number(known.dataset.frames) > item.frames - 10;
  if (known && (known.dataset.stamp === stamp || soon)) return known;
  const empty = item.kind === "film" && !item.frames && !item.playable;
  if (empty) return el("div", { class: "sound", "aria-hidden": "true" }, "…");
  return el("img", {
    class: strip ? "strip" : "", alt: "", loading: "lazy", decoding: "async", "data-stamp": stamp, "data-frames": String(item.frames ?? 0),
    src: strip ? `/api/items/${item.id}/strip?v=${stamp}` : picture(item, 280),
  });
}

/** @param {any} item */
function facts(item) {
  const length = item.total ? `${item.frames < item.total && item.state !== "done" ? `${item.frames} of ` : ""}${item.total} frames` : "";
  const left = item.left ? `${clock(item.left)} left` : "";
  return [item.command, item.width ? `${item.width}×${item.height}` : "", length, left].filter(Boolean).join(" · ");
}
