/** Schedules as keys: their text, their values, and where they lie. */
import { isNumber } from "./values.js";

/** The same easings as the server's, from 0 to 1. @type {Record<string, (part: number) => number>} */
export const EASINGS = {
  linear: (part) => part,
  smooth: (part) => part * part * (3 - 2 * part),
  "ease-in": (part) => part * part,
  "ease-out": (part) => part * (2 - part),
  hold: () => 0,
};

/** @typedef {{place: number, unit: string, value: string, easing: string, frame: number}} Key */

/** The number that a key's value is; NaN where it is an expression. @param {string} value */
export function numberOf(value) {
  const bare = value.trim().replace(/^\((.*)\)$/, "$1");
  return isNumber(bare) ? Number(bare) : NaN;
}

/** @param {number} value */
export const short = (value) => String(Number(value.toPrecision(4)));

/** The text that sets keys. @param {Key[]} keys */
export function textOf(keys) {
  return [...keys].sort((a, b) => a.frame - b.frame).map((key) => {
    const value = /^\(.*\)$/.test(key.value.trim()) ? key.value.trim() : `(${key.value.trim()})`;
    return `${short(key.place)}${key.unit}: ${value}${key.easing === "linear" ? "" : ` ${key.easing}`}`;
  }).join(", ");
}

/** The values of keys that are plain numbers, as [frame, value]; null where one is an expression.
 * @param {Key[]} keys @param {number} frames */
export function valuesOf(keys, frames) {
  const numbers = keys.map((key) => numberOf(key.value));
  if (!keys.length || numbers.some(Number.isNaN)) return null;
  const points = [];
  const last = Math.max(1, frames - 1);
  for (let step = 0; step <= 240; step += 1) {
    const frame = last * step / 240;
    let index = keys.findLastIndex((key) => key.frame <= frame);
    if (index < 0) index = 0;
    const [key, next] = [keys[index], keys[index + 1]];
    const part = next ? Math.min(1, Math.max(0, (frame - key.frame) / (next.frame - key.frame || 1))) : 0;
    const passed = (EASINGS[key.easing] ?? EASINGS.linear)(part);
    points.push([frame, next ? numbers[index] + (numbers[index + 1] - numbers[index]) * passed : numbers[index]]);
  }
  return points;
}

/** A place in frames in the unit of a key. @param {Key} key @param {number} frame @param {number} fps @param {number[]} beats seconds of the beats */
export function placed(key, frame, fps, beats) {
  const whole = Math.max(0, Math.round(frame));
  if (key.unit === "s") return { ...key, frame: whole, place: Number((whole / fps).toFixed(3)) };
  if (key.unit === "b" && beats.length) {
    const nearest = beats.reduce((best, beat, index) => Math.abs(beat * fps - frame) < Math.abs(beats[best] * fps - frame) ? index : best, 0);
    return { ...key, frame: beats[nearest] * fps, place: nearest };
  }
  return { ...key, frame: whole, place: whole, unit: key.unit === "b" ? "" : key.unit };
}
