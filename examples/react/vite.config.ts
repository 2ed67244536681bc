import react from "@vitejs/plugin-react";
import { defineConfig } from "vite";

// The service, to which the development server hands on what the browser asks of /v1: no CORS is needed.
const service = "http://127.0.0.1:8080";

export default defineConfig({ plugins: [react()], server: { proxy: { "/v1": service } } });
