/** One film: its picture while it dreams, its frames, what can be done with it. */
import { ask, get, post } from "./api.js";
import { button, bytes, clock, el } from "./dom.js";
import { heard, items, LIVE } from "./items.js";
import { badge } from "./card.js";
import { draft } from "./draft.js";
import { gainCurve } from "./gain.js";
import { Screen } from "./screen.js";

/** @param {HTMLElement} content @param {string} id */
export function film(content, id) {
  const title = el("h1", {}, "Film");
  const state = el("span");
  const screen = new Screen(id, () => show());
  const gains = gainCurve(id);
  const acts = el("div", { class: "row" });
  const facts = el("dl", { class: "facts" });
  const said = el("ul", { class: "said" });
  const wrong = el("p", { class: "bad", role: "alert" });
  const bar = el("div", { class: "bar" }, el("i"));
  content.append(el("div", { class: "head" }, title, state), el("div", { class: "film" },
    el("div", {}, screen.node, wrong),
    el("div", { class: "side" }, acts,
      el("section", { class: "panel" }, el("h2", {}, "How it is"), bar, facts),
      el("section", { class: "panel" }, el("h2", {}, "Gain"), gains.node),
      el("section", { class: "panel" }, el("h2", {}, "What it said"), said))));
  let shown = "";

  function show() {
    const item = items.get(id);
    if (!item) {
      wrong.textContent = items.size ? "There is no such film; it may be in the trash." : "";
      return;
    }
    title.textContent = item.name;
    document.title = `${item.name} · dreamvid`;
    state.replaceChildren(badge(item));
    wrong.textContent = item.error ?? "";
    bar.hidden = !LIVE.includes(item.state);
    bar.firstElementChild.style.setProperty("width", `${item.total ? 100 * item.frames / item.total : 0}%`);
    facts.replaceChildren(...rows(item));
    said.replaceChildren(...(item.said ?? []).map((/** @type {string} */ line) => el("li", {}, line)));
    const key = known(item);
    if (key !== shown) acts.replaceChildren(...actions(item));
    shown = key;
    screen.show(item);
    gains.show(item);
  }
  function hear() {
    const item = items.get(id);
    // Each painting costs the machine that dreams: what is told waits for the next picture.
    if (item && LIVE.includes(item.state) && item.frames && screen.follows && known(item) === shown) screen.take(item);
    else show();
  }
  const deaf = heard((changed) => { if (changed.has(id)) hear(); });
  show();
  return () => { deaf(); screen.leave(); };
}

/** What decides about the buttons. @param {any} item */
const known = (item) => `${item.state} ${item.frames > 0} ${item.playable}`;

/** @param {any} item */
function rows(item) {
  const facts = {
    Frames: item.total ? `${item.frames} of ${item.total}` : "",
    Speed: item.rate ? `${Number(item.rate).toPrecision(3)} frames a second` : "",
    "Time left": item.left ? clock(item.left) : "",
    Made: [item.command, item.seed && `from ${item.seed}`, item.preset && `with ${item.preset}`].filter(Boolean).join(" "),
    Size: item.width ? `${item.width} × ${item.height}${item.fps ? `, ${item.fps} fps` : ""}` : "",
    File: item.playable ? bytes(item.bytes) : "not there yet",
  };
  return Object.entries(facts).filter(([, value]) => value).flatMap(([name, value]) => [el("dt", {}, name), el("dd", {}, value)]);
}

/** @param {any} item */
function actions(item) {
  const path = `/api/items/${item.id}`;
  const live = LIVE.includes(item.state);
  const rests = !live && item.state !== "waiting";
  const can = [];
  if (!rests) can.push(button(live ? "Stop" : "Wait no longer", () => post(`${path}/stop`), { class: "main" }));
  if (rests && item.state !== "done") can.push(button("Resume", () => post(`${path}/resume`), { class: "main" }));
  if (rests && item.frames && item.state !== "done") can.push(button("Make a film of what there is", () => post(`${path}/encode`)));
  if (rests && item.kind === "film" && item.frames && item.command !== "loop") can.push(longer(item, path));
  can.push(button("Use its settings", async () => {
    const { draft: found } = await get(`${path}/draft`);
    draft.change({ source: null, at: null, out: null, ...found });
    location.hash = "#/new";
  }));
  if (item.playable) can.push(el("a", { class: "button", href: `${path}/file?save`, download: item.name }, "Save"));
  can.push(el("a", { class: "button", href: `#/compare/${item.id}` }, "Compare"));
  if (rests) can.push(button("Delete", async () => { await ask("DELETE", path); location.hash = "#/"; }));
  return can;
}

/** @param {any} item @param {string} path */
function longer(item, path) {
  return button("Make it longer", () => {
    const input = el("input", { value: String(item.total * 2 || ""), required: true, "aria-describedby": "longer-told" });
    const told = el("p", { class: "bad", role: "alert" });
    const box = el("dialog", { "aria-label": "Make it longer", onclose: () => box.remove() },
      el("form", { method: "dialog", onsubmit: (/** @type {Event} */ event) => {
        event.preventDefault();
        post(`${path}/resume`, { frames: input.value.trim() }).then(() => box.close(), (error) => { told.textContent = error.message; });
      } },
      el("h2", {}, "How long is it to be?"), el("p", { class: "quiet small", id: "longer-told" }, "A number of frames, or a time such as 10s."),
      el("div", { class: "row" }, el("label", {}, "Length ", input), el("button", { class: "main" }, "Go on"), button("Leave it", () => box.close())), told));
    document.body.append(box);
    box.showModal();
  });
}

