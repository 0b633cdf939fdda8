/** What lies in the folder, as the server tells it. Only the page that is seen listens. */

/** @type {Map<string, any>} */
export const items = new Map();
/** @type {Set<(changed: Set<string>) => void>} */
const hearers = new Set();
/** @type {Set<() => void>} */
const watchers = new Set();
/** The live dream, as the server tells of it once it has. */
export const dreamed = {
  /** @type {any} */
  now: null,
  /** Be told of changes until the returned function is called. @param {() => void} hear */
  heard(hear) {
    watchers.add(hear);
    return () => watchers.delete(hear);
  },
};
export const LIVE = ["starting", "making", "encoding", "stopping"];
/** @type {EventSource|null} */
let source = null;
let ready = false;

/** Whether the first list has come. */
export const isKnown = () => ready;

/** Be told of changes until the returned function is called. @param {(changed: Set<string>) => void} hear */
export function heard(hear) {
  hearers.add(hear);
  return () => hearers.delete(hear);
}

function listen() {
  // A browser opens six connections to a server at most, for all its tabs together.
  if (document.visibilityState === "hidden") {
    source?.close();
    source = null;
    return;
  }
  if (source) return;
  source = new EventSource("/api/events");
  let first = true;
  source.addEventListener("items", (event) => {
    const told = JSON.parse(event.data);
    const changed = new Set([...told.gone, ...told.items.map((/** @type {any} */ item) => item.id)]);
    if (first) {
      const now = new Set(told.items.map((/** @type {any} */ item) => item.id));
      for (const id of items.keys()) if (!now.has(id)) { items.delete(id); changed.add(id); }
    }
    first = false;
    ready = true;
    for (const id of told.gone) items.delete(id);
    for (const item of told.items) items.set(item.id, item);
    for (const hear of hearers) hear(changed);
  });
  source.addEventListener("live", (event) => {
    dreamed.now = JSON.parse(event.data);
    for (const hear of watchers) hear();
  });
  source.addEventListener("open", () => { first = true; });
}

document.addEventListener("visibilitychange", listen);
listen();

/** Items that a test holds for, the newest first. @param {(item: any) => boolean} test */
export function those(test) {
  return [...items.values()].filter(test).sort((a, b) => b.changed - a.changed);
}

/** An item by its name. @param {string|null} name */
export const called = (name) => [...items.values()].find((item) => item.name === name);

/** What an item's picture changes with. @param {any} item @param {number} width */
export function picture(item, width) {
  const ratio = Math.min(2, window.devicePixelRatio || 1);
  const stamp = `${item.frames ?? 0}-${item.changed}`;
  return `/api/items/${item.id}/picture?w=${Math.round(width * ratio)}&v=${stamp}`;
}
