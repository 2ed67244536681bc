"""A row of the prediction log: what the service leaves behind of an answer. No image is in it.

Here without pyarrow, for the service that writes them; `darkroom.monitoring.prediction_log` reads them.
"""

import json
from dataclasses import dataclass
from datetime import datetime
from typing import Any

# What is measured of an image's file, as ingest measures it and as the drift reference has it.
PROPERTIES = ("width", "height", "aspect", "bytes", "brightness", "contrast", "sharpness")
# Names of the files of a log; those of the bundles that answered are in a folder beside.
PARTS, BUNDLES = "predictions-*", "bundles"


@dataclass(frozen=True)
class PredictionRow:
    """The answer for one image.

    Attributes:
        time: in UTC.
        request: the id of the request.
        bundle: the hash of the bundle that answered; `bundles/<hash>.json` has its classes.
        sha256: of the bytes of the image, in hex.
        label: the most probable class.
        confidence: its probability.
        abstained: whether that was below the threshold.
        probabilities: of all classes, in class-list order.
        properties: by the names in `PROPERTIES`; None where they were not measured: only pixels came, or too many images.
        features: what goes into the last layer; None where the service was not asked for them.
    """

    time: datetime
    request: str
    bundle: str
    sha256: str
    label: str
    confidence: float
    abstained: bool
    probabilities: list[float]
    properties: dict[str, float] | None
    features: list[float] | None

    def to_dict(self) -> dict[str, Any]:
        """The columns and their values: each property is a column, and null where there is none."""
        columns: dict[str, Any] = dict(vars(self))
        measured = columns.pop("properties") or {}
        features = columns.pop("features")
        return columns | {name: measured.get(name) for name in PROPERTIES} | {"features": features}

    def to_json(self) -> bytes:
        """One line with its end; the time in ISO 8601, to microseconds, with a Z."""
        time = self.time.isoformat(timespec="microseconds").replace("+00:00", "Z")
        return json.dumps(self.to_dict() | {"time": time}, allow_nan=False, separators=(",", ":")).encode() + b"\n"
