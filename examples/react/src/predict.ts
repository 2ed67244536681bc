/** What `POST /v1/predict` answers. */
export type Answer = {
  answer: string | null; // null where the model abstains
  label: string;
  confidence: number;
  abstains: boolean;
  threshold: number | null;
  probabilities: Record<string, number>;
};

/**
 * Ask the service about one image file. An `Error` that it throws has words for people.
 *
 * @param base address of the service; empty where it also serves this page, or a proxy stands before it
 */
export async function predict(file: File, signal: AbortSignal, base = ""): Promise<Answer> {
  const response = await fetch(`${base}/v1/predict?top_k=5`, {
    method: "POST",
    body: file,
    headers: { "Content-Type": file.type || "application/octet-stream" },
    signal,
  });
  if (response.ok) return response.json();
  const problem = await response.json().catch(() => null); // problem+json, unless a proxy answered
  const wait = response.headers.get("Retry-After");
  throw new Error((problem?.detail ?? `the service answered with ${response.status}`) + (wait ? `; try again in ${wait} s` : ""));
}
