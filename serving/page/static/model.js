// @ts-check
// Facts about the model that answers.
import { count, element, make, printable, probability } from "./text.js";

const RESIZE = { crop: "the longer side is cut", pad: "black is added to the shorter side", stretch: "both sides are stretched" };

/** @param {any} model as GET /v1/model gives it; a page without a service may add `facts`, names with their values */
export function showModel(model) {
  const classes = model.classes;
  const title = element("title");
  title.replaceChildren("Which of ", make("strong", classes.length.toLocaleString("en")), " classes is it?");
  element("facts").replaceChildren(
    ...factsOf(model).flatMap(([name, value, code]) => {
      const given = make("dd");
      given.append(code ? make("code", printable(value)) : make("span", printable(value)));
      return [make("dt", name), given];
    }),
  );
  const list = element("classes");
  list.hidden = false;
  list.querySelector("summary").textContent = `All ${count(classes.length, "class", "classes")}`;
  element("class-list").replaceChildren(
    ...classes.map((/** @type {string} */ name) => {
      const item = make("li");
      item.append(make("bdi", printable(name)));
      return item;
    }),
  );
}

/**
 * @param {any} model
 * @returns {[string, string, boolean?][]} name, value, and whether it is code
 */
function factsOf(model) {
  const { size, channels, resize } = model.preprocessing;
  return [
    ["Network", model.network],
    ["Input", `${size} × ${size} pixels, ${channels === 1 ? "grey" : "colour"}; ${RESIZE[/** @type {"crop"} */ (resize)] ?? resize}`],
    ["Not sure", model.threshold === null ? "never: it answers every image" : `below ${probability(model.threshold)}`],
    ["Data", model.data_version, true],
    ["Code", model.code_version, true],
    ["Bundle", model.hash.slice(0, 12), true],
    ...(model.since ? [["Answers since", new Date(model.since).toLocaleString(undefined, { dateStyle: "medium", timeStyle: "short" })]] : []),
    ...(model.facts ?? []),
  ];
}
