// @ts-check
// A field that finds a class among many, by the keyboard alone: an editable combobox with a list.

// Classes that are listed at a time.
const MOST = 9;

/** @typedef {{name: string, shown: string}} Class */

export class Search {
  /** @param {(name: string) => void} choose called with the class that was chosen */
  constructor(choose) {
    this.choose = choose;
    /** @type {Class[]} */
    this.classes = [];
    /** @type {Class[]} */
    this.found = [];
    this.active = 0;
    this.input = /** @type {HTMLInputElement} */ (document.getElementById("query"));
    this.list = /** @type {HTMLElement} */ (document.getElementById("found"));
    this.input.addEventListener("input", () => this.find());
    this.input.addEventListener("keydown", (event) => this.press(event));
  }

  /** Empty the field, for the next image. */
  clear() {
    this.input.value = "";
    this.find();
  }

  find() {
    const query = this.input.value.trim().toLowerCase();
    const places = this.classes.map((each) => ({ each, at: each.name.toLowerCase().indexOf(query) }));
    // Those that begin with it come first.
    const fitting = places.filter(({ at }) => query && at >= 0).sort((one, other) => Number(one.at > 0) - Number(other.at > 0));
    this.found = fitting.slice(0, MOST).map(({ each }) => each);
    this.active = 0;
    this.show();
  }

  show() {
    const options = this.found.map((each, number) => {
      const option = document.createElement("li");
      option.id = `found-${number}`;
      option.role = "option";
      option.textContent = each.shown;
      option.ariaSelected = String(number === this.active);
      // Before the field loses its focus.
      option.addEventListener("mousedown", (event) => {
        event.preventDefault();
        this.choose(each.name);
      });
      return option;
    });
    this.list.replaceChildren(...options);
    this.list.hidden = !options.length;
    this.input.setAttribute("aria-expanded", String(options.length > 0));
    if (options.length) this.input.setAttribute("aria-activedescendant", `found-${this.active}`);
    else this.input.removeAttribute("aria-activedescendant");
  }

  /** @param {KeyboardEvent} event */
  press(event) {
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (step && this.found.length) {
      event.preventDefault();
      this.active = (this.active + step + this.found.length) % this.found.length;
      this.show();
    } else if (event.key === "Enter" && this.found.length) {
      event.preventDefault();
      this.choose(this.found[this.active].name);
    } else if (event.key === "Escape") {
      this.clear();
      this.input.blur();
    }
  }
}
