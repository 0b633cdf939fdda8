/** A mask painted over the seed: what is covered stays as it is, all else dreams. */
import { button, el } from "./dom.js";
import { draft } from "./draft.js";
import { upload } from "./upload.js";

const SIDE = 1024;

/**
 * @param {HTMLElement} pane holds the picture
 * @param {HTMLElement} tools where the tools go
 * @param {HTMLImageElement} image
 * @param {() => void} done
 */
export function maskPainter(pane, tools, image, done) {
  const scale = SIDE / Math.max(image.naturalWidth, image.naturalHeight, 1);
  const canvas = el("canvas", { width: Math.round(image.naturalWidth * scale), height: Math.round(image.naturalHeight * scale), "aria-label": "The mask" });
  const brush = canvas.getContext("2d", { willReadFrequently: true });
  const size = el("input", { type: "range", min: "10", max: "400", value: "120" });
  let keeps = true;
  /** @type {ImageData[]} */
  const before = [];
  const which = [el("button", { type: "button", onclick: () => turn(true) }, "Keep"), el("button", { type: "button", onclick: () => turn(false) }, "Dream")];
  /** @param {boolean} now */
  function turn(now) {
    keeps = now;
    which.forEach((each, index) => each.setAttribute("aria-pressed", String((index === 0) === keeps)));
  }
  const remember = () => { before.push(brush.getImageData(0, 0, canvas.width, canvas.height)); before.splice(0, before.length - 12); };
  /** @param {boolean} covered */
  function fill(covered) {
    remember();
    brush.clearRect(0, 0, canvas.width, canvas.height);
    if (covered) { brush.globalCompositeOperation = "source-over"; brush.fillRect(0, 0, canvas.width, canvas.height); }
  }
  /** @type {{x: number, y: number}|null} */
  let last = null;
  /** @param {PointerEvent} event */
  function draw(event) {
    const box = canvas.getBoundingClientRect();
    const now = { x: (event.clientX - box.left) * canvas.width / box.width, y: (event.clientY - box.top) * canvas.height / box.height };
    brush.globalCompositeOperation = keeps ? "source-over" : "destination-out";
    brush.lineWidth = Number(size.value);
    brush.lineCap = brush.lineJoin = "round";
    brush.beginPath();
    brush.moveTo((last ?? now).x, (last ?? now).y);
    brush.lineTo(now.x + 0.01, now.y);
    brush.stroke();
    last = now;
  }
  canvas.onpointerdown = (/** @type {PointerEvent} */ event) => { canvas.setPointerCapture(event.pointerId); remember(); last = null; draw(event); };
  canvas.onpointermove = (/** @type {PointerEvent} */ event) => { if (last && event.buttons) draw(event); };
  canvas.onpointerup = () => { last = null; };

  function leave() {
    canvas.remove();
    done();
  }
  async function save() {
    const whole = el("canvas", { width: canvas.width, height: canvas.height });
    const paper = whole.getContext("2d");
    // White dreams, black stays.
    paper.fillStyle = "#fff";
    paper.fillRect(0, 0, whole.width, whole.height);
    paper.drawImage(canvas, 0, 0);
    const blob = await new Promise((come) => whole.toBlob(come, "image/png"));
    const stem = String(draft.now.source).replace(/\.[^.]*$/, "");
    const { name } = await upload(blob, `${stem}-mask.png`);
    draft.set("video.mask", name);
    leave();
  }
  pane.append(canvas);
  tools.replaceChildren(...which, el("label", {}, "Brush", size),
    button("Undo", () => { const now = before.pop(); if (now) brush.putImageData(now, 0, 0); }),
    button("Keep all", () => fill(true)), button("Dream all", () => fill(false)),
    button("Use this mask", save, { class: "main" }), button("Leave it", leave));
  turn(true);
}
