// @ts-check
// One image: its picture, its answer, its heat map.
import { drawBars } from "./bars.js";
import { Problem } from "./client.js";
import { count, element, make, notice, printable, probability } from "./text.js";

/** @typedef {import("./app.js").Item} Item */

// Classes shown before somebody asks for all.
const FEW = 5;
// Up to this side every pixel counts, and is drawn as a square.
const SMALL = 64;

export class Detail {
  /**
   * @param {import("./app.js").Client} client
   * @param {(problem: Problem) => Promise<boolean>} locked asks the person for a key; whether one was given
   */
  constructor(client, locked) {
    this.client = client;
    this.locked = locked;
    /** @type {Item | null} */
    this.item = null;
    this.all = false;
    // How the network's square comes from a picture: crop, pad or stretch.
    this.resize = "";
    const picture = element("picture");
    picture.addEventListener("load", () => this.#fit(picture));
    picture.addEventListener("error", () => this.#fit(null));
    element("explain").addEventListener("click", () => this.#explain());
    element("strength").addEventListener("input", () => this.#blend());
    element("all-classes").addEventListener("click", () => {
      this.all = !this.all;
      this.#bars();
    });
  }

  /** @param {Item} item */
  show(item) {
    const other = this.item !== item;
    this.item = item;
    element("detail").hidden = false;
    if (other) {
      element("file-name").textContent = printable(item.file.name);
      element("picture").src = item.url;
      element("picture").alt = printable(item.file.name);
      notice(element("heat-problem"), "");
    }
    element("detail").classList.toggle("unsure", Boolean(item.answer?.abstains));
    element("answer").replaceChildren(...headline(item));
    const remark = element("remark");
    notice(remark, remarkOf(item));
    remark.className = `notice ${item.problem ? "bad" : "warn"}`;
    this.#bars();
    this.#heat();
    notice(element("corrected"), item.correction ? `Sent: ${printable(item.correction.label)}. Thank you; somebody will review it.` : "");
  }

  hide() {
    this.item = null;
    element("detail").hidden = true;
    element("picture").removeAttribute("src");
  }

  /** @param {HTMLImageElement | null} picture that was loaded; null where the browser can't show it */
  #fit(picture) {
    element("picture").hidden = !picture;
    element("unshown").hidden = Boolean(picture);
    element("picture").classList.toggle("crisp", Boolean(picture) && Math.max(picture?.naturalWidth ?? 0, picture?.naturalHeight ?? 0) <= SMALL);
  }

  #bars() {
    const answer = this.item?.answer;
    const [table, more, key] = [element("bars"), element("all-classes"), element("threshold-key")];
    table.hidden = !answer;
    more.hidden = key.hidden = true;
    if (!answer) return;
    const classes = Object.keys(answer.probabilities).length;
    // One class more than the few would cost a button in place of a row.
    const most = this.all || classes <= FEW + 1 ? classes : FEW;
    drawBars(table, answer, most);
    more.hidden = classes <= FEW + 1;
    more.textContent = this.all ? `The first ${FEW}` : `All ${count(classes, "class", "classes")}`;
    more.setAttribute("aria-expanded", String(this.all));
    key.hidden = answer.threshold === null;
    key.textContent = answer.threshold === null ? "" : `Below ${probability(answer.threshold)} it is not sure.`;
  }

  #heat() {
    const item = this.item;
    const shown = Boolean(item?.heat);
    element("heat-tools").hidden = !(item?.answer && this.client.explain);
    element("explain").hidden = shown;
    element("heat-slider").hidden = !shown;
    const heat = element("heat");
    heat.hidden = !shown;
    element("stage").className = `frame-of-picture ${shown ? this.resize : ""}`;
    if (!item?.heat || !item.answer) return;
    heat.src = item.heat;
    heat.alt = `What speaks for ${printable(item.answer.label)} in this image`;
    this.#blend();
  }

  #blend() {
    element("heat").style.setProperty("opacity", `${element("strength").value}%`);
  }

  /** @returns {Promise<void>} */
  async #explain() {
    const item = this.item;
    if (!item || !this.client.explain) return;
    const button = element("explain");
    notice(element("heat-problem"), "");
    button.disabled = true;
    button.textContent = "Making the heat map …";
    try {
      item.heat = URL.createObjectURL(await this.client.explain(item.file));
    } catch (error) {
      if (!(error instanceof Problem)) throw error;
      if (error.status === 401 && (await this.locked(error))) return this.#explain();
      if (this.item === item) notice(element("heat-problem"), error.message);
    } finally {
      button.disabled = false;
      button.textContent = "Show the heat map";
    }
    if (this.item !== item) return;
    this.#heat();
    if (item.heat) element("strength").focus();
  }
}

/** @param {Item} item */
function headline(item) {
  if (item.problem) return ["No answer"];
  if (!item.answer) return ["Waiting for the answer …"];
  const { label, confidence, abstains } = item.answer;
  if (abstains) return ["Not sure"];
  return [make("bdi", printable(label)), " ", make("strong", probability(confidence))];
}

/**
 * What stands below the headline.
 * @param {Item} item
 */
export function remarkOf(item) {
  if (item.problem) return printable(item.problem.message);
  if (!item.answer?.abstains) return "";
  const { label, confidence, threshold } = item.answer;
  return (
    `The most probable class is ${printable(label)} with ${probability(confidence)}. ` +
    `Below ${probability(threshold ?? 0)} this model gives no answer: a person should look.`
  );
}
