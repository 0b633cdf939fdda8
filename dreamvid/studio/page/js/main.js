/** Which view is shown: by what stands behind the # of the address. */
import { complain, el } from "./dom.js";
import { dreamed, heard, items, LIVE } from "./items.js";
import { gallery } from "./gallery.js";
import { maker } from "./maker.js";
import { film } from "./film.js";
import { live } from "./live.js";
import { compare } from "./compare.js";
import { trash } from "./trash.js";

/** @type {Record<string, (content: HTMLElement, ...given: string[]) => (() => void)|void>} */
const VIEWS = { "": gallery, new: maker, live, film, compare, trash };
/** @type {(() => void)|void} */
let leave;

function show() {
  const [name = "", ...given] = location.hash.replace(/^#\/?/, "").split("/").map(decodeURIComponent);
  const content = /** @type {HTMLElement} */ (document.getElementById("content"));
  leave?.();
  content.replaceChildren();
  for (const link of document.querySelectorAll(".top nav a")) {
    const here = link.getAttribute("data-page") === (name || "gallery");
    here ? link.setAttribute("aria-current", "page") : link.removeAttribute("aria-current");
  }
  try {
    leave = (VIEWS[name] ?? gallery)(content, ...given);
  } catch (error) {
    complain(error);
  }
  document.title = `${content.querySelector("h1")?.textContent ?? "studio"} · dreamvid`;
  window.scrollTo(0, 0);
}

/** What is at work, told on every view. */
function tellNow() {
  const busy = [...items.values()].filter((item) => LIVE.includes(item.state));
  const waiting = [...items.values()].filter((item) => item.state === "waiting").length;
  const place = document.getElementById("now");
  const told = busy.map((item) => {
    const far = item.state === "making" && item.total ? ` ${item.frames}/${item.total}` : ` ${item.state}`;
    return el("a", { href: `#/film/${item.id}` }, item.name + far);
  });
  if (dreamed.now?.state === "running") told.unshift(el("a", { href: "#/live" }, "live"));
  place?.replaceChildren(...told.slice(0, 1), told.length + waiting > 1 ? ` and ${told.length + waiting - 1} more` : "");
}

window.addEventListener("hashchange", () => {
  show();
  document.getElementById("content")?.focus();
});
window.addEventListener("unhandledrejection", (event) => complain(event.reason));
heard(tellNow);
dreamed.heard(tellNow);
show();
