/** What was deleted: put back, or removed for good. */
import { ask, get, post } from "./api.js";
import { button, bytes, complain, el } from "./dom.js";

/** @param {HTMLElement} content */
export function trash(content) {
  const list = el("ul", { class: "trash" });
  const empty = button("Empty the trash", async () => { await ask("DELETE", "/api/trash"); show(); });
  content.append(el("div", { class: "head" }, el("h1", {}, "Trash"), empty), list);
  async function show() {
    const { items } = await get("/api/trash");
    empty.disabled = !items.length;
    list.replaceChildren(...items.map((/** @type {any} */ item) => el("li", { class: "panel" },
      el("span", {}, item.name, el("span", { class: "quiet small" }, `  ${bytes(item.bytes)}, ${new Date(item.when).toLocaleString()}`)),
      button("Put back", async () => { await post(`/api/trash/${item.id}/restore`); show(); }, { "aria-label": `Put ${item.name} back` }),
      button("Delete for good", async () => { await ask("DELETE", `/api/trash/${item.id}`); show(); }, { "aria-label": `Delete ${item.name} for good` }))));
    if (!items.length) list.append(el("li", { class: "quiet" }, "The trash is empty."));
  }
  show().catch(complain);
}
