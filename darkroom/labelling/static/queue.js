// @ts-check
// The page of the label queue: one picture, an answer by a key, and the next one.
import { Search } from "./search.js";

// Keys of classes in the order of the class list, unless their names are keys; n, s and u are for none, skip and undo.
const KEYS = "123456789abcdefghijklmopqrtvwxyz";
// Beyond so many classes the field helps, too.
const SEARCH_BEYOND = 12;
// Up to this side pixels are drawn as squares, as on the other pages.
const CRISP_SIDE = 64;
const token = location.hash.slice(1);

/** @type {any} what the server said last */
let state = null;
let busy = false;
let keys = KEYS;
let pictureUrl = "";
const search = new Search((name) => void act("label", name));

/** @param {string} id @returns {any} */
function element(id) {
  return document.getElementById(id);
}

/** @param {string} path @param {object} [body] @returns {Promise<Response>} */
async function ask(path, body) {
  const headers = { "X-Token": token };
  const request = body ? { method: "POST", headers, body: JSON.stringify(body) } : { headers };
  let answer;
  try {
    answer = await fetch(path, request);
  } catch {
    throw new Error("The queue can't be reached: start it again with make label, and open the address that it prints.");
  }
  if (!answer.ok) throw new Error((await answer.json()).detail);
  return answer;
}

/**
 * Tell the server what the person did, and show what comes next.
 * @param {string} action
 * @param {string | null} [label] of the action `label`; null is none of the classes
 */
async function act(action, label = null) {
  if (busy || !state) return;
  busy = true;
  try {
    const answer = await ask(`queue/${action}`, { sha256: state.asked?.sha256, label });
    await show(await answer.json());
    problem("");
  } catch (error) {
    problem(String(/** @type {Error} */ (error).message));
  } finally {
    busy = false;
  }
}

/** @param {string} message */
function problem(message) {
  element("problem").textContent = message;
  element("problem").hidden = !message;
}

/** @param {any} now */
async function show(now) {
  const first = !state;
  if (first) buildClasses(now.classes);
  state = now;
  element("reviewer").textContent = now.reviewer;
  element("undo").disabled = element("undo-last").disabled = !now.can_undo;
  const last = now.last && now.can_undo ? said(now.last) : "";
  element("last").textContent = last;
  element("asked").hidden = !now.asked;
  element("done").hidden = Boolean(now.asked);
  element("title").textContent = now.asked ? "Which class is it?" : "Nothing is left to label";
  search.clear();
  if (first && now.asked && !element("classes").children.length) search.input.focus();
  try {
    if (now.asked) await showPicture(now.asked);
    else showDone(now);
  } finally {
    // Last: a key counts from here on, for the picture that is shown.
    element("counts").textContent = `${number(now.given)} labelled, ${number(now.left)} to go${now.skipped ? `, ${number(now.skipped)} skipped` : ""}`;
  }
  element("status").textContent = now.asked ? `${last} Next image: ${now.left} to go.` : element("done-text").textContent;
}

/** @param {{label: string | null, predicted: string, correct: boolean}} last */
function said(last) {
  const label = last.label === null ? "none of these classes" : last.label;
  return `Before: ${label}. The model ${last.correct ? "agrees" : `says ${last.predicted}`}.`;
}

/** @param {any} now */
function showDone(now) {
  const skipped = now.skipped ? ` Skipped: ${number(now.skipped)}.` : "";
  element("done-text").textContent = `Labelled in this queue: ${number(now.given)}.${skipped} The next make run or make retrain takes the labels.`;
  element("again").hidden = !now.skipped;
  element("again").textContent = `Ask the skipped ${now.skipped === 1 ? "one" : number(now.skipped)} again`;
}

/** @param {{sha256: string, why: string, text: string}} asked */
async function showPicture(asked) {
  const picture = element("picture");
  element("why").textContent = asked.why;
  element("text").textContent = asked.text;
  picture.alt = `Image ${asked.sha256.slice(0, 8)}, to be labelled`;
  URL.revokeObjectURL(pictureUrl);
  const answer = await ask(`picture/${asked.sha256}`);
  pictureUrl = URL.createObjectURL(await answer.blob());
  picture.src = pictureUrl;
  await picture.decode();
  picture.classList.toggle("crisp", Math.max(picture.naturalWidth, picture.naturalHeight) <= CRISP_SIDE);
}

/** @param {import("./search.js").Class[]} classes */
function buildClasses(classes) {
  search.classes = classes;
  const names = classes.map((each) => each.name.toLowerCase());
  // Digits and letters answer with themselves: 3 is the class 3, whichever place it has.
  if (names.every((name) => /^[0-9a-z]$/.test(name) && !"nsu".includes(name))) keys = names.join("");
  element("search").hidden = element("slash").hidden = classes.length <= SEARCH_BEYOND;
  // Without keys for all of them, buttons would only push the picture away.
  const buttons = classes.length <= keys.length ? classes : [];
  element("classes").replaceChildren(...buttons.map((each, at) => classButton(each, keys[at])));
}

/** @param {import("./search.js").Class} each @param {string} key */
function classButton(each, key) {
  const item = document.createElement("li");
  const button = document.createElement("button");
  const cap = document.createElement("kbd");
  button.type = "button";
  cap.textContent = key;
  button.append(cap, ` ${each.shown}`);
  button.addEventListener("click", () => void act("label", each.name));
  item.append(button);
  return item;
}

/** @param {number} value */
function number(value) {
  return value.toLocaleString("en");
}

/** @param {KeyboardEvent} event */
function press(event) {
  if (event.ctrlKey || event.metaKey || event.altKey || event.repeat || !element("keys").checked) return;
  const target = /** @type {HTMLElement} */ (event.target);
  if (target.matches("input[type=text]")) return;
  const key = event.key.toLowerCase();
  const at = keys.indexOf(key);
  if (key === "u" || key === "backspace") void act("undo");
  else if (!state?.asked) return;
  else if (key === "s") void act("skip");
  else if (key === "n") void act("label", null);
  else if (key === "/" && !element("search").hidden) search.input.focus();
  else if (key.length === 1 && at >= 0 && at < state.classes.length && state.classes.length <= keys.length) void act("label", state.classes[at].name);
  else return;
  event.preventDefault();
}

document.addEventListener("keydown", press);
element("none").addEventListener("click", () => void act("label", null));
element("skip").addEventListener("click", () => void act("skip"));
for (const id of ["undo", "undo-last"]) element(id).addEventListener("click", () => void act("undo"));
element("again").addEventListener("click", () => void act("again"));
// The address ends in the token, which a link inside the page would replace.
element("skip-link").addEventListener("click", (/** @type {Event} */ event) => {
  event.preventDefault();
  element("classes-title").focus();
});

try {
  await show(await (await ask("queue")).json());
} catch (error) {
  problem(String(/** @type {Error} */ (error).message));
}
