"""The model card that ships in the bundle, in the form that Hugging Face renders."""

import io
from collections.abc import Sequence
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from ruamel.yaml import YAML

from darkroom.compression.parity import Parity
from darkroom.drawing.markdown import code
from darkroom.drawing.pages import TEMPLATES, count, decimal, percent
from darkroom.model.spec import ModelSpec
from darkroom.selection.choice import Choice
from darkroom.statistics.temperature import Calibration

# What `metrics.json` must have, by type.
METRICS: dict[str, type | tuple[type, ...]] = {
    "test": dict,
    "calibration": dict,
    "abstention": dict,
    "weak_slices": list,
    "confidence": float,
}
# Name in `metrics.json`, type for Hugging Face, name for people.
SCORES = (("accuracy", "accuracy", "Accuracy"), ("macro_f1", "f1", "Macro F1"))


def model_card(
    spec: ModelSpec,
    choice: Choice,
    metrics: dict[str, Any],
    calibration: Calibration,
    decision: str,
    parity: dict[str, Parity],
    served: str,
    left_out: dict[str, str],
    served_over: Sequence[str] = (),
) -> str:
    """What the model is, its scores, its limits and how to use it; equal arguments give equal text.

    Args:
        spec: of the model.
        choice: of its network, as `select` wrote it.
        metrics: the content of `reports/evaluate/metrics.json`.
        calibration: of the model.
        decision: why the graph that predicts was chosen.
        parity: of each model file, by its name, the left out among them.
        served: file name of the graph that predicts.
        left_out: why other model files did not get into the bundle, by their names.
        served_over: a sentence for each other way in which it was asked, such as over HTTP.
    """
    title = f"{spec.network}, {len(spec.classes)} classes"
    # Names and paths of the user are set as code, which is the only thing that a reader does not interpret.
    environment = Environment(
        loader=FileSystemLoader(TEMPLATES),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters |= {"percent": percent, "count": count, "decimal": decimal, "code": code}
    return environment.get_template("MODEL_CARD.md").render(
        front_matter=_front_matter(title, spec, metrics["test"]),
        title=title,
        spec=spec,
        choice=choice,
        networks=len({row["network"] for row in choice.tried}),
        shape=spec.preprocessing,
        test=metrics["test"],
        interval=f"{100 * metrics['confidence']:g}%",
        scores=_scores(metrics),
        calibration=calibration,
        answered=metrics["abstention"]["test"],
        parity={name: each for name, each in parity.items() if name not in left_out},
        served=served,
        decision=decision,
        left_out=left_out,
        served_over=served_over,
        weak_slices=metrics["weak_slices"],
    )


def _scores(metrics: dict[str, Any]) -> list[dict[str, Any]]:
    """The rows of the table of scores."""
    test, calibrated = metrics["test"], metrics["calibration"]["after"]
    rows = [(test, key, title) for key, _, title in SCORES] + [(calibrated, "ece", "Expected calibration error")]
    return [
        {"name": title, "value": of[key], "low": of[f"{key}_low"], "high": of[f"{key}_high"]} for of, key, title in rows
    ]


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
                        "metrics": [{"type": kind, "name": title, "value": test[key]} for key, kind, title in SCORES],
                    }
                ],
            }
        ],
    }
    text = io.StringIO()
    YAML().dump(content, text)
    return text.getvalue()
