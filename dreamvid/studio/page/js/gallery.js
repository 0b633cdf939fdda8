/** All films and what they are made of. */
import { el } from "./dom.js";
import { heard, isKnown, LIVE, those } from "./items.js";
import { card } from "./card.js";
import { mover } from "./order.js";
import { dropZone } from "./upload.js";
import { draft } from "./draft.js";

/** @param {HTMLElement} content */
export function gallery(content) {
  const arrived = (/** @type {any} */ item) => {
    if (item.kind === "sound") return;
    draft.begin({ command: item.kind === "clip" ? "video" : "zoom", source: item.name });
    location.hash = "#/new";
  };
  const head = el("div", { class: "head" }, el("h1", {}, "Gallery"),
    el("a", { class: "button main", href: "#/new" }, "New film"));
  const zone = el("div", { class: "drop-place" });
  const shelves = {
    work: shelf("At work", ""), films: shelf("Films and dreams", ""), inputs: shelf("Pictures, clips and music", "inputs"),
  };
  content.append(head, zone, ...Object.values(shelves).map((each) => each.section));
  /** @type {Map<string, {node: HTMLElement, key: string}>} */
  const cards = new Map();
  let held = false;

  function show() {
    // A card that is dragged stays where it is.
    if (held) return;
    const waits = (/** @type {any} */ item) => LIVE.includes(item.state) || item.state === "waiting";
    const made = (/** @type {any} */ item) => item.kind === "film" || item.command;
    const work = those(waits).sort((a, b) => Number(a.state === "waiting") - Number(b.state === "waiting") || a.order - b.order);
    fill(shelves.work, work);
    fill(shelves.films, those((item) => made(item) && !waits(item)));
    fill(shelves.inputs, those((item) => !made(item)));
    const bare = isKnown() && !those(() => true).length;
    if (zone.dataset.bare !== String(bare)) {
      zone.dataset.bare = String(bare);
      zone.replaceChildren(dropZone(arrived, { slim: !bare, title: bare ? undefined : "Drop a picture, a clip or music" }));
    }
  }

  /** @param {any} place @param {any[]} found */
  function fill(place, found) {
    place.section.hidden = !found.length;
    const line = found.filter((item) => item.state === "waiting");
    const nodes = found.map((item) => {
      const waits = item.state === "waiting" && line.length > 1;
      const key = JSON.stringify([item, waits && line.map((each) => each.id)]);
      const known = cards.get(item.id);
      if (known?.key === key) return known.node;
      const node = card(item, waits ? mover(item, line, hold) : null, known?.node);
      cards.set(item.id, { node, key });
      return node;
    });
    const now = [...place.list.children];
    if (nodes.length === now.length && nodes.every((node, index) => node === now[index])) return;
    const focused = document.activeElement;
    const [id, act] = [focused?.closest(".card")?.getAttribute("data-id"), focused?.getAttribute("data-act")];
    place.list.replaceChildren(...nodes);
    if (id) place.list.querySelector(`[data-id="${id}"] ${act ? `[data-act="${act}"]` : "a"}`)?.focus();
  }
  /** @param {boolean} now */
  function hold(now) {
    held = now;
    show();
  }

  const deaf = heard(show);
  show();
  return deaf;
}

/** @param {string} title @param {string} kind */
function shelf(title, kind) {
  const list = el("ul", { class: `cards ${kind}` });
  return { list, section: el("section", { hidden: true }, el("h2", {}, title), list) };
}
