// @ts-check
// The page: images come in, wait for their answer, and are shown on a contact sheet and one by one.
import { acceptCamera } from "./camera.js";
import { Problem } from "./client.js";
import { Correction } from "./correction.js";
import { Detail, remarkOf } from "./detail.js";
import { acceptFiles } from "./files.js";
import { askForKey } from "./key.js";
import { showModel } from "./model.js";
import { Queue } from "./queue.js";
import { Sheet } from "./sheet.js";
import { count, element, notice, printable, probability } from "./text.js";

/**
 * @typedef {import("./client.js").Answer} Answer
 *
 * What answers: the service over HTTP, or the page itself.
 * @typedef {object} Client
 * @property {string} privacy where images go
 * @property {() => Promise<any>} model as GET /v1/model gives it
 * @property {(file: File, signal: AbortSignal) => Promise<Answer>} predict
 * @property {(file: File) => Promise<Blob>} [explain] the heat map; absent where there is none
 * @property {(file: File, correction: {label: string, reviewer: string, reason: string}) => Promise<void>} [correct]
 * @property {(key: string) => void} [useKey]
 * @property {() => void} [onNewModel] set by the page; called when another model answers than the one that `model` gave
 *
 * @typedef {object} Item
 * @property {File} file
 * @property {string} url of its bytes, for `<img>`
 * @property {Answer | null} answer
 * @property {Problem | null} problem why there is no answer
 * @property {string} heat address of its heat map; empty where none was asked for
 * @property {{label: string} | null} correction that was sent
 */

/** @param {Client} client */
export function start(client) {
  /** @type {Item[]} */
  const items = [];
  /** @type {Item | null} */
  let selected = null;
  let round = 0;

  const locked = (/** @type {Problem} */ problem) => askForKey(problem, (key) => client.useKey?.(key));
  const sheet = new Sheet(select);
  const detail = new Detail(client, locked);
  const correction = new Correction(client, locked, update);
  const queue = new Queue(answer, {
    failed: (item, problem) => {
      item.problem = problem;
      update(item);
    },
    changed: showProgress,
    busy: (seconds) => notice(element("busy"), seconds ? `The service is busy. It goes on in ${count(seconds, "second")}.` : ""),
    locked,
  });

  client.onNewModel = loadModel;
  element("privacy").textContent = client.privacy;
  acceptFiles(add);
  acceptCamera(add);
  element("stop").addEventListener("click", () => queue.stop());
  element("clear").addEventListener("click", clear);
  element("again").addEventListener("click", () => {
    const failed = items.filter((item) => item.problem?.passes);
    for (const item of failed) item.problem = null;
    failed.forEach(update);
    queue.add(failed);
  });
  element("previous").addEventListener("click", () => turn(-1));
  element("next").addEventListener("click", () => turn(1));
  void loadModel();

  /** @param {File[]} files */
  function add(files) {
    if (!files.length) return;
    const added = files.map((file) => ({ file, url: URL.createObjectURL(file), answer: null, problem: null, heat: "", correction: null }));
    if (!queue.busy) round = items.length;
    items.push(...added);
    added.forEach((item) => sheet.add(item));
    element("overview").hidden = items.length < 2;
    select(added[0]);
    queue.add(added);
  }

  /**
   * @param {Item} item
   * @param {AbortSignal} signal
   */
  async function answer(item, signal) {
    item.answer = await client.predict(item.file, signal);
    update(item);
  }

  /** @param {Item} item */
  function update(item) {
    sheet.update(item);
    if (item === selected) show(item);
  }

  /** @param {Item} item */
  function select(item) {
    selected = item;
    sheet.mark(item);
    show(item);
  }

  /** @param {Item} item */
  function show(item) {
    detail.show(item);
    correction.show(item);
    const at = items.indexOf(item);
    element("turn").hidden = items.length < 2;
    element("position").textContent = `${at + 1} of ${items.length}`;
    element("previous").disabled = at === 0;
    element("next").disabled = at === items.length - 1;
  }

  /** @param {number} step */
  function turn(step) {
    const next = selected && items[items.indexOf(selected) + step];
    if (!next) return;
    select(next);
    say(spoken(next));
  }

  function clear() {
    for (const item of items) {
      URL.revokeObjectURL(item.url);
      if (item.heat) URL.revokeObjectURL(item.heat);
    }
    items.length = round = 0;
    selected = null;
    sheet.clear();
    detail.hide();
    element("overview").hidden = element("progress").hidden = true;
    element("content").classList.remove("begun");
    element("choose").focus();
  }

  function showProgress() {
    const now = items.slice(round);
    const done = now.filter((item) => item.answer || item.problem).length;
    element("progress").hidden = !items.length;
    element("progress-bar").hidden = element("stop").hidden = !queue.busy;
    element("progress-bar").max = now.length;
    element("progress-bar").value = done;
    element("clear").hidden = queue.busy;
    element("again").hidden = queue.busy || !items.some((item) => item.problem?.passes);
    element("counts").textContent = queue.busy ? `${done} of ${count(now.length, "image")}` : items.length > 1 ? summary() : "";
    element("content").classList.toggle("begun", items.length > 0);
    if (!queue.busy && items.length) say(now.length === 1 ? spoken(now[0]) : summary());
  }

  function summary() {
    const unsure = items.filter((item) => item.answer?.abstains).length;
    const failed = items.filter((item) => item.problem).length;
    const parts = [`${count(items.length, "image")}: ${items.length - unsure - failed} answered`];
    if (unsure) parts.push(`${unsure} not sure`);
    if (failed) parts.push(`${failed} without an answer`);
    return parts.join(", ");
  }

  async function loadModel() {
    try {
      const model = await client.model();
      showModel(model);
      correction.setModel(model);
      detail.resize = model.preprocessing.resize;
      if (selected) show(selected);
      notice(element("trouble"), "");
    } catch (error) {
      if (!(error instanceof Problem)) throw error;
      if (error.status === 401 && (await locked(error))) return loadModel();
      notice(element("trouble"), error.message);
      if (error.passes) setTimeout(loadModel, 1000 * (error.retryAfter ?? 5));
    }
  }
}

/** @param {Item} item */
function spoken(item) {
  const name = printable(item.file.name);
  if (item.answer && !item.answer.abstains) return `${name}: ${printable(item.answer.label)}, ${probability(item.answer.confidence)}`;
  return item.answer ? `${name}: not sure. ${remarkOf(item)}` : `${name}: no answer. ${remarkOf(item)}`;
}

/** @param {string} words for screen readers; those who see have them elsewhere */
function say(words) {
  element("status").textContent = words;
}
