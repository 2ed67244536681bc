// @ts-check
import { start } from "../page/app.js";
import { LocalClient } from "./client.js";

document.getElementById("docs")?.remove(); // of the API, which this page does not need
const client = new LocalClient();
Object.assign(globalThis, { client }); // For the check of `serving.offline.parity`, which asks it in a browser.
start(client);
