// @ts-check
// What answers in a page without a server: the graph inside this file, run by onnxruntime-web. No request leaves it.
import { Problem } from "../page/client.js";
import { decode } from "./decode.js";
import { toPixels } from "./pixels.js";

// As far as this browser may be from Python: in a value of a pixel, and in a probability for the same pixels.
const PIXEL_LIMIT = 1;
const LIMIT = 0.01;

/**
 * The bytes of a part of this page: gzip in base64.
 * @param {string} id
 */
async function part(id) {
  const packed = bytesOf(document.getElementById(id)?.textContent ?? "");
  const unpacked = new Blob([packed]).stream().pipeThrough(new DecompressionStream("gzip"));
  return new Uint8Array(await new Response(unpacked).arrayBuffer());
}

/** @param {string} base64 */
const bytesOf = (base64) => Uint8Array.from(atob(base64), (letter) => letter.charCodeAt(0));

/** Gives what `HttpClient` gives: see `Client` in app.js. */
export class LocalClient {
  privacy = "Images stay on this device: the model is inside this page, and nothing is sent.";
  #facts = JSON.parse(document.getElementById("bundle")?.textContent ?? "{}");
  /** @type {any} */
  #runtime = null;
  /** @type {any} */
  #session = null;
  /** @type {Promise<void> | null} */
  #ready = null;

  /** Facts about the model, once its graph is open and proved. */
  async model() {
    await this.#open();
    const { check, ...model } = this.#facts;
    return { ...model, facts: [["Graph", model.graph], ["Checked", `this browser answers as Python on ${check.length} pictures in this page`]] };
  }

  /**
   * @param {File} file
   */
  async predict(file) {
    await this.#open();
    const { classes, threshold } = this.#facts;
    const found = await this.probabilities(new Uint8Array(await file.arrayBuffer()));
    const best = found.indexOf(Math.max(...found));
    return {
      label: classes[best],
      confidence: found[best],
      abstains: threshold !== null && found[best] < threshold,
      threshold,
      probabilities: Object.fromEntries(classes.map((/** @type {string} */ name, /** @type {number} */ index) => [name, found[index]])),
    };
  }

  /**
   * The probability of each class, in the order of the class list, for the bytes of an image file.
   * @param {Uint8Array} bytes
   * @returns {Promise<number[]>}
   */
  async probabilities(bytes) {
    return await this.#run(await this.#pixels(bytes));
  }

  /** @param {Uint8Array} bytes */
  async #pixels(bytes) {
    const { size, channels, resize, decoder } = this.#facts.preprocessing;
    // As OVERSAMPLING in darkroom/images/pixels.py.
    return toPixels(await decode(bytes, channels, 2 * size, decoder), size, resize).data;
  }

  /** @param {Uint8Array} pixels */
  async #run(pixels) {
    const { size, channels } = this.#facts.preprocessing;
    const images = new this.#runtime.Tensor("uint8", pixels, [1, size, size, channels]);
    const { probabilities } = await this.#session.run({ images });
    // Seven digits, as the service gives them.
    return Array.from(probabilities.data, (value) => Math.round(value * 1e7) / 1e7);
  }

  /** Open the graph, and prove it, once. */
  #open() {
    this.#ready ??= this.#openAndCheck().catch((error) => {
      if (error instanceof Problem) throw error;
      throw new Problem(`The graph can't be opened in this browser (${error.message}): try a newer one.`, 422);
    });
    return this.#ready;
  }

  async #openAndCheck() {
    // The runtime is a module of its own, which a page from a file can import from a blob alone.
    const address = URL.createObjectURL(new Blob([await part("runtime")], { type: "text/javascript" }));
    this.#runtime = await import(address);
    URL.revokeObjectURL(address);
    const { env, InferenceSession } = this.#runtime;
    env.wasm.numThreads = 1; // More need headers that only a server can send.
    env.wasm.wasmBinary = await part("wasm");
    this.#session = await InferenceSession.create(await part("graph"), { executionProviders: ["wasm"], logSeverityLevel: 4 });
    await this.#check();
  }

  /** Stop where pictures in this page come out with other pixels, or the graph gives other probabilities, than in Python. */
  async #check() {
    const expected = await part("pixels");
    let at = 0;
    let [pixel, probability] = [0, 0];
    for (const { image, probabilities } of this.#facts.check) {
      const found = await this.#pixels(bytesOf(image));
      const pixels = expected.slice(at, (at += found.length));
      const answer = await this.#run(pixels);
      pixel = found.reduce((most, value, index) => Math.max(most, Math.abs(value - pixels[index])), pixel);
      probability = answer.reduce((most, value, index) => Math.max(most, Math.abs(value - probabilities[index])), probability);
    }
    if (pixel > PIXEL_LIMIT) {
      throw new Problem(
        `This browser changes the pixels that pages read, by up to ${pixel} of 255, as protection against fingerprinting does: ` +
          "allow this file to read them, or open it in another browser.",
        422,
      );
    }
    // A NaN is no number below the limit.
    if (!(probability <= LIMIT)) {
      throw new Problem(
        `In this browser the graph gives other probabilities than in Python, by up to ${probability.toFixed(3)}: open it in another one.`,
        422,
      );
    }
  }
}
