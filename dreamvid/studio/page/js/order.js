/** The order of films that wait: by dragging a card at its grip, by arrow keys on it, by buttons. */
import { post } from "./api.js";
import { button, complain, el } from "./dom.js";

/**
 * What changes the place of a film that waits.
 * @param {any} item
 * @param {any[]} line all that wait, in their order
 * @param {(held: boolean) => void} hold called when a drag begins, and when it has ended
 */
export function mover(item, line, hold) {
  const own = line.findIndex((each) => each.id === item.id);
  const others = line.filter((each) => each.id !== item.id);
  /** @param {number} to the place in the line that it gets */
  const move = (to) => to === own || to < 0 || to >= line.length ? undefined
    : post(`/api/items/${item.id}/move`, { before: others[to]?.id ?? null });

  const grip = el("button", { type: "button", class: "plain grip", "data-act": "grip", title: "Drag to change the order; arrow keys do it too",
    "aria-label": `${item.name} is number ${own + 1} of ${line.length} that wait; arrow keys move it` }, "⠿");
  grip.onkeydown = (/** @type {KeyboardEvent} */ event) => {
    const ways = { ArrowLeft: own - 1, ArrowUp: own - 1, ArrowRight: own + 1, ArrowDown: own + 1, Home: 0, End: line.length - 1 };
    const to = ways[/** @type {keyof ways} */ (event.key)];
    if (to === undefined) return;
    event.preventDefault();
    move(to)?.catch(complain);
  };
  let to = own;
  /** The card that the pointer is over, if it waits. @param {PointerEvent} event */
  const under = (event) => document.elementFromPoint(event.clientX, event.clientY)?.closest(".card[data-waits]");
  const marked = () => document.querySelectorAll(".card.moving, .card.place");
  grip.onpointerdown = (/** @type {PointerEvent} */ event) => {
    if (event.button) return;
    grip.setPointerCapture(event.pointerId);
    grip.closest(".card")?.classList.add("moving");
    hold(true);
    grip.onpointermove = (/** @type {PointerEvent} */ moved) => {
      const card = under(moved);
      const found = line.findIndex((each) => each.id === card?.getAttribute("data-id"));
      to = found < 0 ? own : found;
      for (const each of marked()) each.classList.remove("place");
      if (to !== own) card?.classList.add("place");
    };
  };
  grip.addEventListener("lostpointercapture", async () => {
    grip.onpointermove = null;
    for (const each of marked()) each.classList.remove("moving", "place");
    try { await move(to); } catch (error) { complain(error); }
    to = own;
    hold(false);
  });
  return el("div", { class: "row" }, grip,
    button("Earlier", () => move(own - 1), { class: "plain", "data-act": "earlier", disabled: own === 0, "aria-label": `Make ${item.name} earlier` }),
    button("Later", () => move(own + 1), { class: "plain", "data-act": "later", disabled: own === line.length - 1, "aria-label": `Make ${item.name} later` }));
}
