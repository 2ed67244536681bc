// @ts-check
// "This is wrong": the correct class of an image, with who says so and why.
import { Problem } from "./client.js";
import { element, make, notice, printable } from "./text.js";

/** @typedef {import("./app.js").Item} Item */

// A longer list is searched by typing.
const LONGEST_SELECT = 30;
const REVIEWER = "darkroom-reviewer";

export class Correction {
  /**
   * @param {import("./app.js").Client} client
   * @param {(problem: Problem) => Promise<boolean>} locked asks the person for a key; whether one was given
   * @param {(item: Item) => void} sent
   */
  constructor(client, locked, sent) {
    this.client = client;
    this.locked = locked;
    this.sent = sent;
    this.enabled = false;
    /** @type {string[]} */
    this.classes = [];
    /** @type {Item | null} */
    this.item = null;
    element("correction-form").addEventListener("submit", (/** @type {SubmitEvent} */ event) => {
      event.preventDefault();
      void this.#send();
    });
    element("label-search").addEventListener("input", () => element("label-search").setCustomValidity(""));
  }

  /** @param {any} model */
  setModel(model) {
    this.enabled = Boolean(model.corrections && this.client.correct);
    this.classes = model.classes;
    this.searched = this.classes.length > LONGEST_SELECT;
    const [select, search] = [element("label"), element("label-search")];
    select.hidden = select.disabled = this.searched;
    search.hidden = search.disabled = !this.searched;
    select.required = !this.searched;
    search.required = this.searched;
    document.querySelector('label[for^="label"]')?.setAttribute("for", this.searched ? "label-search" : "label");
    const options = this.classes.map((name) => {
      const option = make("option", printable(name));
      option.value = name;
      return option;
    });
    if (this.searched) element("labels").replaceChildren(...options);
    else select.replaceChildren(make("option"), ...options);
  }

  /** @param {Item} item */
  show(item) {
    const [details, other] = [element("correction"), this.item !== item];
    this.item = item;
    details.hidden = !(this.enabled && item.answer && !item.correction);
    details.querySelector("summary").textContent = item.answer?.abstains ? "Which class is it?" : "This is wrong";
    // What it predicted is not what is correct; where it was not sure, it may well be.
    const wrong = item.answer?.abstains ? null : item.answer?.label;
    for (const option of element("label").options) option.disabled = option.value === wrong;
    if (!other) return;
    details.open = false;
    notice(element("correction-problem"), "");
    element("label").value = element("label-search").value = element("reason").value = "";
    element("reviewer").value = localStorage.getItem(REVIEWER) ?? "";
  }

  /** @returns {Promise<void>} */
  async #send() {
    const { item } = this;
    if (!item || !this.client.correct) return;
    const field = element(this.searched ? "label-search" : "label");
    if (!this.classes.includes(field.value)) {
      field.setCustomValidity("Choose a class of the list.");
      field.reportValidity();
      return;
    }
    const [button, problem] = [element("send-correction"), element("correction-problem")];
    const correction = { label: field.value, reviewer: element("reviewer").value, reason: element("reason").value };
    localStorage.setItem(REVIEWER, correction.reviewer);
    notice(problem, "");
    button.disabled = true;
    try {
      await this.client.correct(item.file, correction);
    } catch (error) {
      if (!(error instanceof Problem)) throw error;
      if (error.status === 401 && (await this.locked(error))) return this.#send();
      notice(problem, error.message);
      return;
    } finally {
      button.disabled = false;
    }
    item.correction = correction;
    this.sent(item);
  }
}
