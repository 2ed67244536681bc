// @ts-check
// Images by choosing, dropping and pasting.
import { element } from "./text.js";

/** @param {(files: File[]) => void} add */
export function acceptFiles(add) {
  const zone = element("zone");
  element("choose").addEventListener("click", () => element("files").click());
  for (const input of [element("files"), element("capture")]) {
    input.addEventListener("change", () => {
      add([...input.files]);
      // So that the same file can be chosen again.
      input.value = "";
    });
  }
  document.addEventListener("paste", (event) => {
    const files = [...(event.clipboardData?.files ?? [])];
    if (!files.length) return;
    event.preventDefault();
    add(files);
  });
  // The whole window takes what is dropped: beside the zone the browser would leave the page and open the file.
  document.addEventListener("dragover", (event) => {
    event.preventDefault();
    zone.classList.add("over");
  });
  document.addEventListener("dragleave", (event) => {
    if (!event.relatedTarget) zone.classList.remove("over");
  });
  document.addEventListener("drop", async (event) => {
    event.preventDefault();
    zone.classList.remove("over");
    // Read before the first wait: the list is empty afterwards.
    const entries = [...(event.dataTransfer?.items ?? [])].map((item) => item.webkitGetAsEntry()).filter((entry) => entry);
    const files = [...(event.dataTransfer?.files ?? [])];
    if (!entries.some((entry) => entry?.isDirectory)) add(files);
    else add((await Promise.all(entries.map(filesOf))).flat());
  });
}

/**
 * The files of what was dropped, of folders those at any depth; hidden ones are left out, as ingest does.
 * @param {any} entry
 * @returns {Promise<File[]>}
 */
async function filesOf(entry) {
  if (entry.name.startsWith(".")) return [];
  if (entry.isFile) return [await new Promise((resolve, reject) => entry.file(resolve, reject))];
  const reader = entry.createReader();
  const found = [];
  for (;;) {
    // A reader gives up to a hundred at a time.
    const some = await new Promise((resolve, reject) => reader.readEntries(resolve, reject));
    if (!some.length) break;
    found.push(...some);
  }
  return (await Promise.all(found.map(filesOf))).flat();
}
