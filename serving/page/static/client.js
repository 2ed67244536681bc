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

  /** @param {string} key */
  useKey(key) {
    sessionStorage.setItem(KEY, key);
  }

  /** Facts about the model. */
  async model() {
    return await (await this.#fetch("v1/model", {})).json();
  }

  /**
   * @param {File} file
   * @param {AbortSignal} signal
   * @returns {Promise<Answer>}
   */
  async predict(file, signal) {
    return await (await this.#send("v1/predict", file, signal)).json();
  }

  /**
   * The heat map of an image, a PNG.
   * @param {File} file
   * @returns {Promise<Blob>}
   */
  async explain(file) {
    return await (await this.#send("v1/explain", file)).blob();
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
   * @param {string} path
   * @param {File} file
   * @param {AbortSignal} [signal]
   */
  #send(path, file, signal) {
    const type = file.type.startsWith("image/") ? file.type : "application/octet-stream";
    return this.#fetch(path, { method: "POST", body: file, headers: { "Content-Type": type }, signal });
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

/** @param {Response} response */
async function problemOf(response) {
  let message = `The service answered with ${response.status} ${response.statusText}`.trim();
  try {
    const content = await response.json();
    message = content.detail || content.title || message;
  } catch {
    // A proxy in between answers with a page of its own: the status is all there is to say.
  }
  const seconds = Number.parseFloat(response.headers.get("Retry-After") ?? "");
  return new Problem(message, response.status, Number.isFinite(seconds) ? seconds : null);
}
