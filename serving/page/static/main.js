// @ts-check
import { start } from "./app.js";
import { HttpClient } from "./client.js";

start(new HttpClient());
