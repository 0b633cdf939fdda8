/** The live dream: begun and ended, its picture, its controls. */
import { ask, post, schema } from "./api.js";
import { button, complain, el } from "./dom.js";
import { dreamed, heard } from "./items.js";
import { asking } from "./livestart.js";

/** What the keys of the window say, and those of this page. */
const KEYS = { " ": "freeze", r: "reset", p: "panic", n: "next", t: "tap", "+": "stronger", "=": "stronger", "-": "weaker", 0: "plain" };
const ON = ["running", "stopping"];
const BADGES = { running: "live", starting: "live", stopping: "live", failed: "wrong", killed: "wrong" };
const STATES = { off: "off", starting: "begins", running: "live", stopping: "ends", failed: "failed", killed: "ended from outside" };

/** @param {string} word @param {any} [value] */
const say = (word, value = true) => post("/api/live/say", { word, value });

/** @param {HTMLElement} content */
export function live(content) {
  const state = el("span");
  const picture = el("img", { alt: "The live dream", hidden: true });
  const empty = el("p", { class: "empty" }, "A camera, the screen or a film, dreamed while you watch.");
  const wrong = el("p", { class: "bad", role: "alert" });
  const whole = button("Whole screen", () => screen.requestFullscreen(), { class: "plain", hidden: true });
  const screen = el("div", { class: "screen live-screen" }, picture, empty);
  const stop = button("Stop", () => ask("DELETE", "/api/live"), { class: "main", hidden: true });
  const form = asking();
  const desk = controls();
  content.append(el("div", { class: "head" }, el("h1", {}, "Live"), state), el("div", { class: "film" },
    el("div", {}, screen, el("div", { class: "row under-screen" }, desk.pads, whole, stop), wrong),
    el("div", { class: "side" }, form.node, desk.node)));
  schema().then((known) => { form.fill(known); show(); }, complain);

  function show() {
    const now = dreamed.now ?? { state: "off" };
    const on = ON.includes(now.state);
    state.replaceChildren(el("span", { class: `badge ${BADGES[/** @type {keyof BADGES} */ (now.state)] ?? ""}` }, STATES[/** @type {keyof STATES} */ (now.state)] ?? now.state));
    wrong.textContent = now.error ?? "";
    stop.hidden = !on && now.state !== "starting";
    stop.disabled = now.state === "stopping";
    whole.hidden = !on;
    watch(now.state === "running");
    empty.hidden = on;
    empty.textContent = now.state === "starting" ? "The network is loaded, the source is opened…" : "A camera, the screen or a film, dreamed while you watch.";
    form.node.hidden = on || now.state === "starting";
    form.show();
    desk.show(now, on);
  }
  /** Only a page that is seen takes pictures: each costs a connection. @param {boolean} wanted */
  function watch(wanted) {
    const seen = wanted && document.visibilityState === "visible";
    if (seen && picture.hidden) picture.src = `/api/live/stream?${Date.now()}`;
    if (!seen && !picture.hidden) picture.removeAttribute("src");
    picture.hidden = !seen;
  }
  /** @param {KeyboardEvent} event */
  function pressed(event) {
    const busy = event.target instanceof Element && event.target.closest("input, select, button, a, summary, textarea");
    const word = KEYS[/** @type {keyof KEYS} */ (event.key)];
    if (busy || !word || event.ctrlKey || event.metaKey || event.altKey || dreamed.now?.state !== "running") return;
    event.preventDefault();
    say(word).catch(complain);
  }
  const deaf = [dreamed.heard(show), heard(form.show)];
  document.addEventListener("keydown", pressed);
  document.addEventListener("visibilitychange", show);
  show();
  return () => {
    for (const each of deaf) each();
    watch(false);
    document.removeEventListener("keydown", pressed);
    document.removeEventListener("visibilitychange", show);
  };
}

/** What a live dream is told while it runs. */
function controls() {
  const strength = el("input", { type: "range", min: "0", max: "4", step: "0.05", value: "1", id: "live-strength" });
  const number = el("output", { class: "mono", for: "live-strength" });
  const send = latest((/** @type {number} */ value) => say("strength", value));
  strength.oninput = () => { number.textContent = Number(strength.value).toFixed(2); send(Number(strength.value)); };
  const freeze = pad("Freeze", "freeze", "space"), clean = pad("Clean picture", "panic", "p");
  const pads = el("div", { class: "row pads", hidden: true }, freeze, clean, pad("Begin anew", "reset", "r"), pad("Next preset", "next", "n"), pad("Tap the beat", "tap", "t"));
  const chips = el("div", { class: "chips", role: "group", "aria-label": "Presets" });
  const facts = el("dl", { class: "facts" });
  const said = el("ul", { class: "said" });
  const osc = el("div", { class: "osc" });
  const node = el("div", { class: "side", hidden: true },
    el("section", { class: "panel" }, el("div", { class: "strength" }, el("label", { for: "live-strength" }, "Strength"), number, strength), chips),
    el("section", { class: "panel" }, el("h2", {}, "How it is"), facts, said),
    el("section", { class: "panel" }, el("h2", {}, "OSC"), osc));
  let presets = "", addresses = "";

  return {
    node, pads,
    /** @param {any} now @param {boolean} on */
    show(now, on) {
      node.hidden = pads.hidden = !on;
      if (!on) return;
      if (document.activeElement !== strength) {
        strength.value = String(now.strength ?? 1);
        number.textContent = Number(now.strength ?? 1).toFixed(2);
      }
      freeze.setAttribute("aria-pressed", String(Boolean(now.frozen)));
      clean.setAttribute("aria-pressed", String(Boolean(now.clean)));
      const names = now.asked?.presets ?? [];
      if (presets !== names.join()) {
        presets = names.join();
        chips.replaceChildren(...names.map((/** @type {string} */ name) => button(name, () => say("preset", name), { "data-preset": name })));
      }
      for (const chip of chips.children) chip.setAttribute("aria-pressed", String(/** @type {HTMLElement} */ (chip).dataset.preset === now.preset));
      facts.replaceChildren(...rows(now));
      said.replaceChildren(...(now.said ?? []).slice(-3).map((/** @type {string} */ line) => el("li", {}, line)));
      if (addresses !== `${now.osc}`) {
        addresses = `${now.osc}`;
        osc.replaceChildren(...oscTold(now));
      }
    },
  };
}

/** A button that says a word, with the key that says it too. @param {string} text @param {string} word @param {string} key */
function pad(text, word, key) {
  const node = button(text, () => say(word), { "data-word": word });
  node.append(el("kbd", { "aria-hidden": "true" }, key));
  return node;
}

/** @param {any} now */
function rows(now) {
  const known = {
    Source: now.asked?.source,
    Speed: now.rate ? `${now.rate} frames a second` : "",
    Frames: now.frames ? `${now.frames} of ${now.captured} captured` : "",
    Size: now.size ? now.size.replace("x", " × ") : "",
    Dream: now.steps ? `${many(now.steps, "step")}, ${many(now.octaves, "octave")}${now.part < 1 ? `, at ${Math.round(100 * now.part)} % of the size` : ""}` : "",
    Beat: now.beat ? `${Math.round(60 / now.beat)} a minute` : "",
  };
  return Object.entries(known).filter(([, value]) => value).flatMap(([name, value]) => [el("dt", {}, name), el("dd", {}, value)]);
}
/** @param {number} count @param {string} word */
const many = (count, word) => `${count} ${word}${count === 1 ? "" : "s"}`;

/** @param {any} now */
function oscTold(now) {
  if (now.osc === undefined || now.osc === null) return [el("p", { class: "quiet small" }, "It listens to no port. Name one before you start, and other programs can play it.")];
  const root = now.root;
  return [
    el("p", { class: "quiet small" }, `It listens on this machine at UDP port ${now.osc}.`),
    el("pre", { class: "mono", tabIndex: 0, "aria-label": "OSC addresses" },
      [`${root}strength 1.5`, `${root}freeze`, `${root}reset`, `${root}panic`, `${root}next`, `${root}preset NAME`, `${root}tap`, `${root}ascent/step_size 3`].join("\n")),
  ];
}

/** A function whose newest value is sent when the one before has arrived. @param {(value: any) => Promise<any>} act */
function latest(act) {
  let busy = false;
  /** @type {any[]} */
  let waiting = [];
  const next = async () => {
    busy = true;
    while (waiting.length) {
      const [value] = waiting;
      waiting = [];
      try { await act(value); } catch (error) { complain(error); }
    }
    busy = false;
  };
  return (/** @type {any} */ value) => { waiting = [value]; if (!busy) next(); };
}
