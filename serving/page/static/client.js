// @ts-check
// What the page asks of the service. A page without a service gives the same functions: see `start` in app.js.

/**
 * @typedef {{label: string, confidence: number, abstains: boolean, threshold: number | null,
 *   probabilities: Record<string, number>}} Answer
 * @typedef {{label: string, reviewer: string, reason: string}} Correction
 */

/** Why something was not answered, in words for the person in front of the page. */
export class Problem extends Error {
  /**
   * @param {string} message
   * @param {number} [status] of HTTP; 0 where there was no answer
   * @param {number | null} [retryAfter] seconds, where the service said them
   */
  constructor(message, status = 0, retryAfter = null) {
    super(message);
    this.status = status;
    this.retryAfter = retryAfter;
  }

  /** Whether the same image may be answered later. */
  get passes() {
    return this.status === 0 || this.status === 429 || this.status >= 500;
  }
}

const KEY = "darkroom-api-key";

/** The API of the service that this page came from. */
export class HttpClient {
  privacy = "Images go to this service and nowhere else.";
  /** Called when another model answers than the one that `model` gave. */
  onNewModel = () => {};
  /** As `model` gave it. @type {any} */
  #model = null;

  /** @param {string} key */
  useKey(key) {
    sessionStorage.setItem(KEY, key);
  }

  /** Facts about the model. */
  async model() {
    this.#model = await (await this.#fetch("v1/model", {})).json();
    return this.#model;
  }

  /**
   * @param {File} file
   * @param {AbortSignal} signal
   * @returns {Promise<Answer>}
   */
  async predict(file, signal) {
    // As a list, in which an image that can't be read has an error: a refusal would be a line in the browser's console.
    const body = new FormData();
    body.append("images", file, file.name);
    this.#requireSize(file);
    const response = await this.#fetch("v1/predict", { method: "POST", body, signal });
    const hash = response.headers.get("X-Model-Hash");
    if (this.#model && hash && hash !== this.#model.hash) {
      // Once, whatever else is under way.
      this.#model = null;
      this.onNewModel();
    }
    const [found] = await response.json();
    if (found.error) throw new Problem(found.error, found.status);
    return found;
  }

  /**
   * The heat map of an image, a PNG.
   * @param {File} file
   * @returns {Promise<Blob>}
   */
  async explain(file) {
    this.#requireSize(file);
    const type = file.type.startsWith("image/") ? file.type : "application/octet-stream";
    const request = { method: "POST", body: file, headers: { "Content-Type": type } };
    return await (await this.#fetch("v1/explain", request)).blob();
  }

  /**
   * @param {File} file
   * @param {Correction} correction
   */
  async correct(file, correction) {
    const body = new FormData();
    body.append("image", file, file.name);
    for (const [name, value] of Object.entries(correction)) body.append(name, value);
    await this.#fetch("v1/corrections", { method: "POST", body });
  }

  /**
   * Some browsers take a refusal in the middle of a body for a broken connection.
   * @param {File} file
   */
  #requireSize(file) {
    const most = this.#model?.limits?.body_bytes ?? Infinity;
    if (file.size > most) throw new Problem(`${megabytes(file.size)}, and this service takes ${megabytes(most)} at most`, 413);
  }

  /**
   * @param {string} path
   * @param {RequestInit} request
   */
  async #fetch(path, request) {
    const headers = new Headers(request.headers);
    const key = sessionStorage.getItem(KEY);
    if (key) headers.set("Authorization", `Bearer ${key}`);
    let response;
    try {
      response = await fetch(path, { ...request, headers });
    } catch (error) {
      if (request.signal?.aborted) throw error;
      throw new Problem("The service can't be reached. Is it running, and is this machine connected?");
    }
    if (response.ok) return response;
    throw await problemOf(response);
  }
}

/** @param {number} bytes */
const megabytes = (bytes) => `${(bytes / (1 << 20)).toFixed(1)} MB`;

/** @param {Response} response */
async function problemOf(response) {
  let message = `The service answered with ${response.status} ${response.statusText}`.trim();
  try {
    const content = await response.json();
    message = content.detail || content.title || message;
    // Under it whoever runs the service finds the reason.
    if (response.status >= 500 && content.request_id) message += ` (request ${content.request_id})`;
  } catch {
    // A proxy in between answers with a page of its own: the status is all there is to say.
  }
  const seconds = Number.parseFloat(response.headers.get("Retry-After") ?? "");
  return new Problem(message, response.status, Number.isFinite(seconds) ? seconds : null);
}
