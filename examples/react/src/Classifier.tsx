import { useEffect, useState } from "react";
import { predict, type Answer } from "./predict";

/** Sends the image that is chosen, and draws the answer. */
export function Classifier() {
  const [file, setFile] = useState<File | null>(null);
  const [answer, setAnswer] = useState<Answer | null>(null);
  const [problem, setProblem] = useState("");

  useEffect(() => {
    setAnswer(null);
    setProblem("");
    if (!file) return;
    // Another choice before the answer takes the request back: the service skips a client that left.
    const request = new AbortController();
    predict(file, request.signal)
      .then(setAnswer)
      .catch((error: Error) => request.signal.aborted || setProblem(error.message));
    return () => request.abort();
  }, [file]);

  return (
    <>
      <label>
        Image <input type="file" accept="image/*" onChange={(event) => setFile(event.target.files?.[0] ?? null)} />
      </label>
      <div aria-live="polite">
        {problem && <p role="alert">{problem}</p>}
        {answer && <Result answer={answer} />}
      </div>
    </>
  );
}

function Result({ answer }: { answer: Answer }) {
  return (
    <>
      <h2>{answer.answer ?? "Not sure"}</h2>
      {answer.abstains && <p>The model gives no answer below {percent(answer.threshold ?? 0)}.</p>}
      <dl>
        {Object.entries(answer.probabilities).map(([label, probability]) => (
          <div key={label}>
            <dt>{label}</dt>
            <dd>
              <meter value={probability} aria-label={label} /> {percent(probability)}
            </dd>
          </div>
        ))}
      </dl>
    </>
  );
}

const percent = (probability: number) => `${(100 * probability).toFixed(1)}%`;
