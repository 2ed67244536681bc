"""A row of the prediction log: what the service leaves behind of an answer. No image is in it, nor a name of anything.

Here without pyarrow, for the service that writes them; `darkroom.monitoring.prediction_log` reads them.
"""

import json
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from darkroom.monitoring.keyed import LogKey

# What is measured of an image's file, as ingest measures it and as the drift reference has it.
PROPERTIES = ("width", "height", "aspect", "bytes", "brightness", "contrast", "sharpness")
# Names of the files of a log, each in the folder of its day; those of the bundles that answered are in a folder beside.
PARTS, BUNDLES = "????-??-??/predictions-*", "bundles"
# Of all parts, unless somebody says otherwise.
MOST_BYTES = 1 << 30


@dataclass(frozen=True)
class PredictionRow:
    """The answer for one image.

    Attributes:
        time: in UTC.
        request: the id of the request; logged as a keyed hash, as are the next two that say so.
        bundle: the hash of the bundle that answered; `bundles/<hash>.json` has its classes.
        sha256: of the bytes of the image, in hex; logged as a keyed hash, `image`.
        session: what the client calls the images that belong together; logged as a keyed hash. None where it says nothing.
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
    session: str | None
    label: str
    confidence: float
    abstained: bool
    probabilities: list[float]
    properties: dict[str, float] | None
    features: list[float] | None

    def to_json(self, key: LogKey) -> bytes:
        """One line with its end: the columns and their values, each property being a column, and null where there is none.

        Args:
            key: of the log, by which names become hashes.
        """
        measured = self.properties or {}
        columns: dict[str, Any] = {
            "time": self.time.isoformat(timespec="microseconds").replace("+00:00", "Z"),
            "request": key.hash(self.request),
            "bundle": self.bundle,
            "image": key.hash(self.sha256),
            "session": None if self.session is None else key.hash(self.session),
            "label": self.label,
            "confidence": self.confidence,
            "abstained": self.abstained,
            "probabilities": self.probabilities,
            **{name: measured.get(name) for name in PROPERTIES},
            "features": self.features,
        }
        return json.dumps(columns, allow_nan=False, separators=(",", ":")).encode() + b"\n"
