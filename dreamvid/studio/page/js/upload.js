/** Files that are dropped or chosen, sent to the folder. */
import { ask } from "./api.js";
import { complain, el } from "./dom.js";

/**
 * Send a file; what the server made of it.
 * @param {Blob} file
 * @param {string} name
 */
export function upload(file, name) {
  return ask("PUT", `/api/uploads?name=${encodeURIComponent(name)}`, { body: file });
}

/**
 * A place where files are dropped.
 * @param {(item: any) => void} come called with each that has arrived
 * @param {{slim?: boolean, title?: string, accept?: string}} [how]
 */
export function dropZone(come, how = {}) {
  const arriving = el("div", { class: "arriving", role: "status" });
  const input = el("input", {
    type: "file", multiple: true, hidden: true, accept: how.accept ?? "image/*,video/*,audio/*",
    "aria-label": "Choose files",
    onchange: () => { send([...input.files]); input.value = ""; },
  });
  const zone = el("div", { class: how.slim ? "drop slim" : "drop" },
    el("h2", {}, how.title ?? "Drop a picture or a clip here"),
    how.slim ? null : el("p", { class: "quiet" }, "A picture, a film, or music. It stays on this machine."),
    el("button", { type: "button", class: how.slim ? "" : "main", onclick: () => input.click() }, "Choose files"),
    input, arriving);
  /** @param {File[]} files */
  async function send(files) {
    for (const file of files) {
      const line = el("span", {}, `${file.name} arrives…`);
      arriving.append(line);
      try {
        come(await upload(file, file.name));
      } catch (error) {
        complain(error);
      }
      line.remove();
    }
  }
  zone.ondragover = (event) => { event.preventDefault(); zone.classList.add("over"); };
  zone.ondragleave = () => zone.classList.remove("over");
  zone.ondrop = (event) => {
    event.preventDefault();
    zone.classList.remove("over");
    send([...event.dataTransfer.files]);
  };
  return zone;
}
