"""The model card that ships in the bundle, in the form that Hugging Face renders."""

import io
from typing import Any

from ruamel.yaml import YAML

from darkroom.compression.parity import Parity
from darkroom.model import ModelSpec

# Name in `metrics.json`, type for Hugging Face, name for people.
METRICS = (("accuracy", "accuracy", "Accuracy"), ("macro_f1", "f1", "Macro F1"))


def model_card(spec: ModelSpec, metrics: dict[str, Any], verdict: str, parity: dict[str, Parity], served: str) -> str:
    """What the model is, how well it does, where it ends, and how to use it; equal arguments give equal text.

    Args:
        spec: of the model.
        metrics: the content of `reports/evaluate/metrics.json`.
        verdict: why INT8 ships, or does not.
        parity: of each graph in the bundle, by its file name.
        served: file name of the graph that answers.
    """
    shape, test = spec.preprocessing, metrics["test"]
    name = f"{spec.network}, {len(spec.classes)} classes"
    scores = [
        f"| {title} | {test[key]:.2%} | {test[f'{key}_low']:.2%} to {test[f'{key}_high']:.2%} |"
        for key, _, title in METRICS
    ]
    graphs = [
        f"| `{graph}` | {found.accuracy_after:.2%} | {1 - found.label_disagreement:.2%} |"
        for graph, found in parity.items()
    ]
    lines = "\n".join
    return f"""---
{_front_matter(name, spec, test)}---

# {name}

An image classifier made with Darkroom. It takes one picture and gives a probability for each of its classes.

- Network: `{spec.network}`, the weights of epoch {spec.epoch}
- Input: {shape.size} x {shape.size} pixels, {"grey" if shape.channels == 1 else "RGB"}; resize rule: {shape.resize}
- Data version: `{spec.data_version}`
- Code version: `{spec.code_version}`

## Classes

{lines(f"{index}. {label}" for index, label in enumerate(spec.classes.names))}

## How well it does

On {test["images"]:,} test images, which took no part in training, in the choice of the epoch, or in quantization:

| | value | {100 * metrics["confidence"]:g}% interval |
|---|---|---|
{lines(scores)}

The graphs in this bundle were held against the evaluated model on {parity[served].images:,} test images, from the bytes of
their files:

| graph | accuracy | same class named |
|---|---|---|
{lines(graphs)}

`{served}` is the one that answers. {verdict}.

## Limits

- It knows no class but those above, and names one of them for any picture whatever.
- The test images come from the same source as the training images. Pictures from elsewhere may do worse, and the
  intervals do not speak of them.
- The probabilities are those of the softmax; they have not been calibrated.
- An INT8 graph may answer slightly differently on processors of another kind.

## How to use it

With Darkroom: `python -m darkroom.predict FOLDER image.png`.

Without, after decoding and resizing by the rule above:

```python
import numpy as np
import onnxruntime

session = onnxruntime.InferenceSession("{served}")
images = np.zeros((1, {shape.size}, {shape.size}, {shape.channels}), dtype=np.uint8)
(probabilities,) = session.run(["probabilities"], {{"images": images}})
```

Normalisation and softmax are inside the graph. `bundle.json` has the SHA-256 of every other file.
"""


def _front_matter(name: str, spec: ModelSpec, test: dict[str, Any]) -> str:
    """The YAML at the head, from which Hugging Face makes tags and the table of results."""
    content = {
        "library_name": "onnx",
        "pipeline_tag": "image-classification",
        "tags": ["image-classification", "onnx", "darkroom"],
        "model-index": [
            {
                "name": name,
                "results": [
                    {
                        "task": {"type": "image-classification", "name": "Image classification"},
                        "dataset": {
                            "type": "imagefolder",
                            "name": f"data version {spec.data_version}",
                            "split": "test",
                            "revision": spec.data_version,
                        },
                        "metrics": [{"type": kind, "name": title, "value": test[key]} for key, kind, title in METRICS],
                    }
                ],
            }
        ],
    }
    text = io.StringIO()
    YAML().dump(content, text)
    return text.getvalue()
