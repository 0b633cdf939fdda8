/** Two dreams, one over the other, with an edge that is drawn across. */
import { button, el } from "./dom.js";
import { heard, items, picture, those } from "./items.js";

/** @param {HTMLElement} content @param {string} [first] @param {string} [second] */
export function compare(content, first = "", second = "") {
  const chosen = [first, second];
  const wipe = el("div", { class: "wipe" });
  const edge = el("input", { type: "range", min: "0", max: "100", value: "50", "aria-label": "Where the second begins, in percent",
    oninput: () => wipe.style.setProperty("--at", `${edge.value}%`) });
  const selects = chosen.map((_, index) => el("select", { "aria-label": index ? "Second" : "First", onchange: () => { chosen[index] = selects[index].value; show(); } }));
  const play = button("Play both from the beginning", () => {
    for (const film of wipe.querySelectorAll("video")) { film.currentTime = 0; film.play(); }
  });
  content.append(el("div", { class: "head" }, el("h1", {}, "Compare"), ...selects, play), wipe, el("div", { class: "scrub" }, edge));

  function list() {
    const all = those((item) => item.kind !== "sound" && (item.playable || item.frames));
    selects.forEach((select, index) => {
      chosen[index] ||= all[Math.min(index, all.length - 1)]?.id ?? "";
      select.replaceChildren(...all.map((item) => el("option", { value: item.id, selected: item.id === chosen[index] }, item.name)));
    });
  }
  function show() {
    const found = chosen.map((id) => items.get(id)).filter(Boolean);
    const films = found.map((item) => item.playable && item.kind !== "picture"
      ? el("video", { src: `/api/items/${item.id}/file`, muted: true, loop: true, playsInline: true, preload: "auto", "aria-label": item.name })
      : el("img", { src: picture(item, 1280), alt: item.name }));
    films[1]?.classList.add("second");
    wipe.replaceChildren(...films, el("div", { class: "edge" }));
    play.disabled = !wipe.querySelector("video");
  }
  let known = "";
  const update = () => {
    const now = those((item) => item.kind !== "sound").map((item) => item.id).join();
    if (now === known) return;
    known = now;
    list();
    show();
  };
  const deaf = heard(update);
  update();
  return deaf;
}
