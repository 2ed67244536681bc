// @ts-check
// Probabilities drawn as bars, the most probable class first.
import { make, printable, probability } from "./text.js";

/**
 * Classes with their probabilities, the most probable first; of equals the predicted one, then the earlier one.
 * @param {{label: string, probabilities: Record<string, number>}} answer
 * @returns {[string, number][]}
 */
export function ranked(answer) {
  return Object.entries(answer.probabilities).sort(
    ([a, p], [b, q]) => q - p || Number(b === answer.label) - Number(a === answer.label),
  );
}

/**
 * Fill the rows of a table.
 * @param {HTMLTableElement} table
 * @param {{label: string, threshold: number | null, probabilities: Record<string, number>}} answer
 * @param {number} most rows
 */
export function drawBars(table, answer, most) {
  const rows = ranked(answer)
    .slice(0, most)
    .map(([label, value], rank) => {
      const row = make("tr");
      const name = make("th");
      name.scope = "row";
      name.append(make("bdi", printable(label)));
      const drawn = make("td", "", "drawn");
      const track = make("span", "", "track");
      track.setAttribute("aria-hidden", "true");
      const bar = make("span", "", rank === 0 ? "bar first" : "bar");
      bar.style.setProperty("width", `${100 * value}%`);
      track.append(bar);
      if (answer.threshold !== null) {
        const tick = make("span", "", "threshold");
        tick.style.setProperty("left", `${100 * answer.threshold}%`);
        track.append(tick);
      }
      drawn.append(track);
      const number = make("td");
      const exact = make("data", probability(value));
      exact.value = String(value);
      number.append(exact);
      row.append(name, drawn, number);
      return row;
    });
  table.tBodies[0].replaceChildren(...rows);
}
