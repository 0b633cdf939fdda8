/** Requests to the server; what it refuses is an `Error` with its one line. */

/**
 * @param {string} method
 * @param {string} path
 * @param {{json?: any, body?: any, signal?: AbortSignal}} [more]
 */
export async function ask(method, path, more = {}) {
  const json = more.json !== undefined;
  const answer = await fetch(path, {
    method,
    signal: more.signal,
    headers: json ? { "content-type": "application/json" } : {},
    body: json ? JSON.stringify(more.json) : more.body,
  });
  const text = await answer.text();
  const told = (answer.headers.get("content-type") ?? "").includes("json") ? JSON.parse(text) : {};
  if (!answer.ok || told.picture === null) throw new Error(told.error ?? text ?? `refused (${answer.status})`);
  return told;
}

/** @param {string} path @param {AbortSignal} [signal] */
export const get = (path, signal) => ask("GET", path, { signal });
/** @param {string} path @param {any} [json] @param {AbortSignal} [signal] */
export const post = (path, json = {}, signal) => ask("POST", path, { json, signal });

/** @type {Promise<any>|undefined} */
let known;
/** Every setting there is, asked for once. */
export function schema() {
  known ??= get("/api/schema").catch((error) => {
    known = undefined;
    throw error;
  });
  return known;
}
