// @ts-check
// Many images, a few requests at a time; all wait where the service asks for it.
import { Problem } from "./client.js";

// Browsers open six connections to a host: two are left for heat maps and other tabs.
const PARALLEL = 4;
// A service may say 0; without a pause it would be asked as fast as it refuses.
const LEAST_PAUSE = 1;

/**
 * @template T
 * @typedef {object} Events
 * @property {(item: T, problem: Problem) => void} failed an item has no answer
 * @property {() => void} changed items were added, answered or stopped
 * @property {(seconds: number) => void} busy the service asks for a pause; 0 when it is over
 * @property {(problem: Problem) => Promise<boolean>} locked asks the person for a key; whether one was given
 */

/** @template T */
export class Queue {
  /** @type {T[]} */
  waiting = [];
  running = 0;
  /** @type {Promise<void> | null} */
  #pause = null;
  #stopping = new AbortController();

  /**
   * @param {(item: T, signal: AbortSignal) => Promise<void>} work answers an item, or throws a `Problem`
   * @param {Events<T>} events
   */
  constructor(work, events) {
    this.work = work;
    this.events = events;
  }

  get busy() {
    return this.running > 0;
  }

  /** @param {T[]} items */
  add(items) {
    this.waiting.push(...items);
    for (let free = Math.min(PARALLEL - this.running, items.length); free > 0; free -= 1) void this.#run();
    this.events.changed();
  }

  /** Send no more, and take back what was sent. */
  stop(problem = new Problem("Stopped before it was answered.")) {
    this.#stopping.abort(problem);
    this.#stopping = new AbortController();
    for (const item of this.waiting.splice(0)) this.events.failed(item, problem);
    this.events.changed();
  }

  async #run() {
    this.running += 1;
    for (;;) {
      while (this.#pause) await this.#pause;
      const item = this.waiting.shift();
      if (item === undefined) break;
      await this.#answer(item);
      this.events.changed();
    }
    this.running -= 1;
    this.events.changed();
  }

  /** @param {T} item */
  async #answer(item) {
    const { signal } = this.#stopping;
    try {
      await this.work(item, signal);
    } catch (error) {
      const problem = signal.aborted ? signal.reason : error;
      if (!(problem instanceof Problem)) throw error;
      if (!signal.aborted && this.#mustWait(problem, signal)) this.waiting.unshift(item);
      else this.events.failed(item, problem);
    }
  }

  /**
   * @param {Problem} problem
   * @param {AbortSignal} signal
   */
  #mustWait(problem, signal) {
    const locked = problem.status === 401;
    if (!locked && problem.retryAfter === null) return false;
    this.#pause ??= (locked ? this.#askForKey(problem) : this.#wait(problem, signal)).then(() => {
      this.#pause = null;
    });
    return true;
  }

  /** @param {Problem} problem */
  async #askForKey(problem) {
    if (!(await this.events.locked(problem))) this.stop(problem);
  }

  /**
   * @param {Problem} problem
   * @param {AbortSignal} signal
   */
  async #wait(problem, signal) {
    const seconds = Math.max(problem.retryAfter ?? 0, LEAST_PAUSE);
    this.events.busy(seconds);
    await new Promise((resolve) => {
      const timer = setTimeout(resolve, 1000 * seconds);
      signal.addEventListener("abort", () => resolve(clearTimeout(timer)));
    });
    this.events.busy(0);
  }
}
