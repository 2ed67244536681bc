import { StrictMode } from "react";
import { createRoot } from "react-dom/client";
import { Classifier } from "./Classifier";
import "./style.css";

createRoot(document.getElementById("root")!).render(
  <StrictMode>
    <main>
      <h1>Classify an image</h1>
      <Classifier />
    </main>
  </StrictMode>,
);
