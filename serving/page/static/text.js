// @ts-check
// Numbers and names as this project's other pages write them.

// What breaks a line or turns the direction of text, and halves of characters.
const CONTROL = /[\u0000-\u001f\u007f-\u009f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]/gu;

/**
 * A name that others gave, as text that rearranges nothing: a control character as `\x1b`.
 * @param {string} name
 */
export function printable(name) {
  return name.replace(CONTROL, (found) => {
    const code = found.charCodeAt(0);
    return code < 256 ? `\\x${code.toString(16).padStart(2, "0")}` : `\\u${code.toString(16)}`;
  });
}

/**
 * A probability: one decimal of a percent, `over 99.9%` and `under 0.1%` at the ends.
 * @param {number} value
 */
export function probability(value) {
  if (value > 0.999) return "over 99.9%";
  return value < 0.001 ? "under 0.1%" : `${(100 * value).toFixed(1)}%`;
}

/**
 * A number with its noun: `1 image`, `60,000 images`.
 * @param {number} number
 * @param {string} singular
 * @param {string} [plural]
 */
export function count(number, singular, plural = `${singular}s`) {
  return `${number.toLocaleString("en")} ${number === 1 ? singular : plural}`;
}

/**
 * An element by its id, which `index.html` has.
 * @param {string} id
 * @returns {any}
 */
export function element(id) {
  return document.getElementById(id);
}

/**
 * A new element with text in it, never HTML.
 * @param {string} tag
 * @param {string} [text]
 * @param {string} [className]
 * @returns {any}
 */
export function make(tag, text = "", className = "") {
  const made = document.createElement(tag);
  made.textContent = text;
  if (className) made.className = className;
  return made;
}

/**
 * Show a message in an element, or hide it where there is none.
 * @param {HTMLElement} place
 * @param {string} message
 */
export function notice(place, message) {
  place.textContent = message;
  place.hidden = !message;
}
