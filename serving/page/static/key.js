// @ts-check
// Asks for the API key of a service that needs one.
import { element } from "./text.js";

/** @type {Promise<boolean> | null} */
let asking = null;

/**
 * Ask once, whoever needs it meanwhile.
 * @param {import("./client.js").Problem} problem what the service said
 * @param {(key: string) => void} use
 * @returns {Promise<boolean>} whether one was given
 */
export function askForKey(problem, use) {
  asking ??= new Promise((resolve) => {
    const [dialog, form, key] = [element("key-dialog"), element("key-form"), element("key")];
    element("key-problem").textContent = problem.message;
    key.value = "";
    let given = false;
    form.onsubmit = () => {
      given = true;
      use(key.value.trim());
    };
    element("key-cancel").onclick = () => dialog.close();
    dialog.onclose = () => {
      asking = null;
      resolve(given);
    };
    dialog.showModal();
  });
  return asking;
}
