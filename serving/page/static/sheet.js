// @ts-check
// All images as a contact sheet, of which one is selected.
import { element, make, printable, probability } from "./text.js";

/** @typedef {import("./app.js").Item} Item */

export class Sheet {
  /** @param {(item: Item) => void} select */
  constructor(select) {
    this.list = element("sheet");
    this.select = select;
    /** @type {Map<Item, any>} */
    this.frames = new Map();
    this.list.addEventListener("keydown", (/** @type {KeyboardEvent} */ event) => this.#move(event));
  }

  /** @param {Item} item */
  add(item) {
    const frame = make("button", "", "thumbnail");
    frame.type = "button";
    frame.tabIndex = -1;
    const picture = make("img");
    picture.alt = "";
    picture.loading = "lazy";
    picture.decoding = "async";
    picture.addEventListener("load", () => picture.classList.toggle("crisp", Math.max(picture.naturalWidth, picture.naturalHeight) <= 64));
    picture.addEventListener("error", () => picture.classList.add("unshown"));
    picture.src = item.url;
    frame.append(picture, make("span", "", "words"), make("span", `, ${printable(item.file.name)}`, "unseen"));
    frame.addEventListener("click", (/** @type {MouseEvent} */ event) => {
      this.select(item);
      // On a narrow screen the image is far above; the keyboard stays where it is, and clicks without a count.
      const detail = element("detail");
      if (event.detail > 0 && detail.getBoundingClientRect().top < 0) detail.scrollIntoView();
    });
    const place = make("li");
    place.append(frame);
    this.list.append(place);
    this.frames.set(item, frame);
    this.update(item);
  }

  clear() {
    this.frames.clear();
    this.list.replaceChildren();
  }

  /** @param {Item} item */
  update(item) {
    const words = this.frames.get(item).querySelector(".words");
    words.replaceChildren(...wordsOf(item));
  }

  /** @param {Item} item */
  mark(item) {
    for (const [each, frame] of this.frames) {
      frame.tabIndex = each === item ? 0 : -1;
      if (each === item) frame.setAttribute("aria-current", "true");
      else frame.removeAttribute("aria-current");
    }
  }

  /** @param {KeyboardEvent} event */
  #move(event) {
    const frames = [...this.frames.values()];
    const at = frames.indexOf(document.activeElement);
    const step = { ArrowLeft: -1, ArrowUp: -this.#columns(), ArrowRight: 1, ArrowDown: this.#columns() }[event.key];
    const ends = { Home: 0, End: frames.length - 1 }[event.key];
    const next = frames[ends ?? at + (step ?? NaN)];
    if (at < 0 || !next) return;
    event.preventDefault();
    next.focus();
    next.click();
  }

  #columns() {
    return getComputedStyle(this.list).gridTemplateColumns.split(" ").length;
  }
}

/** @param {Item} item */
function wordsOf(item) {
  if (item.problem) return [make("span", "no answer", "wrong")];
  if (!item.answer) return [make("span", "waiting", "soft")];
  const name = make("bdi", printable(item.answer.label));
  const value = make("span", probability(item.answer.confidence), "soft");
  const first = item.answer.abstains ? [make("span", "not sure", "wrong"), make("br")] : [];
  const last = item.correction ? [make("br"), make("span", "→ "), make("bdi", printable(item.correction.label))] : [];
  return [...first, name, " ", value, ...last];
}
