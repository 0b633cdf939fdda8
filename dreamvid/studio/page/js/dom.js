/** Elements, and what is said to the person. */

/**
 * An element with its properties, listeners (`onclick` …), attributes and children.
 * @param {string} tag
 * @param {Record<string, any>} [props]
 * @param {...(Node|string|null|undefined|false)} children
 * @returns {any}
 */
export function el(tag, props = {}, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(props)) {
    if (value === undefined || value === null || value === false) continue;
    if (name === "class") node.className = value;
    else if (name.startsWith("on") || name in node && typeof value !== "string") node[name] = value;
    else node.setAttribute(name, value === true ? "" : value);
  }
  node.append(...children.filter((each) => each !== null && each !== undefined && each !== false));
  return node;
}

const SVG = "http://www.w3.org/2000/svg";

/**
 * An element of SVG with attributes and children.
 * @param {string} tag
 * @param {Record<string, any>} [attributes]
 * @param {...Node} children
 */
export function svg(tag, attributes = {}, ...children) {
  const node = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, String(value));
  node.append(...children);
  return node;
}

/** Say what went wrong for a while, where nothing nearer can say it. @param {unknown} error */
export function complain(error) {
  if (error instanceof DOMException && error.name === "AbortError") return;
  const line = el("p", {}, error instanceof Error ? error.message : String(error));
  const place = document.getElementById("toasts");
  place?.append(line);
  setTimeout(() => line.remove(), 9000);
}

/**
 * A button that does something which may fail.
 * @param {string} text
 * @param {() => any} act
 * @param {Record<string, any>} [props]
 */
export function button(text, act, props = {}) {
  return el("button", {
    type: "button",
    ...props,
    onclick: async () => {
      try { await act(); } catch (error) { complain(error); }
    },
  }, text);
}

/**
 * A function that waits until it was not called for a while.
 * @param {number} ms
 * @param {(...given: any[]) => void} act
 */
export function settled(ms, act) {
  /** @type {ReturnType<typeof setTimeout>|undefined} */
  let timer;
  return (/** @type {any[]} */ ...given) => {
    clearTimeout(timer);
    timer = setTimeout(() => act(...given), ms);
  };
}

/** Seconds as 4:05 or 1:23:45. @param {number} seconds */
export function clock(seconds) {
  const whole = Math.max(0, Math.round(seconds));
  const parts = [Math.floor(whole / 60) % 60, whole % 60].map((part) => String(part).padStart(2, "0"));
  const hours = Math.floor(whole / 3600);
  return hours ? `${hours}:${parts.join(":")}` : `${Number(parts[0])}:${parts[1]}`;
}

/** Bytes for a person. @param {number} count */
export function bytes(count) {
  for (const unit of ["bytes", "kB", "MB"]) {
    if (count < 1000) return `${Number(count.toPrecision(3))} ${unit}`;
    count /= 1000;
  }
  return `${Number(count.toPrecision(3))} GB`;
}
