"""The rows that a run of `darkroom.predict` leaves in a prediction log, as the service leaves them."""

import hashlib
import secrets
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

from darkroom.bundle.bundle import INDEX, Bundle
from darkroom.images.decode import UnreadableImage
from darkroom.monitoring.log_writer import PredictionLog
from darkroom.monitoring.properties import properties
from darkroom.monitoring.rows import MOST_BYTES, PredictionRow
from darkroom.predict.answers import Prediction
from darkroom.runtime.errors import DarkroomError
from darkroom.runtime.files import file_hash
from darkroom.sources.image_files import read_image_file

# Rows that are written at once; those of a run that is killed are lost.
ROWS = 64


class RowLog:
    """Logs the predictions of one run, which has a request id of its own.

    Args:
        folder: of the log.
        bundle: that predicts.

    Raises:
        DarkroomError: when the folder can't be written to.
    """

    def __init__(self, folder: Path, bundle: Bundle) -> None:
        self._folder, self._bundle, self._bundle_hash = folder, bundle, file_hash(bundle.folder / INDEX)
        self._dropped = 0
        self._log = PredictionLog(folder, MOST_BYTES, self._count)
        self._request = secrets.token_hex(16)
        self._rows: list[PredictionRow] = []

    def add(self, found: Prediction) -> None:
        """Measure the file of a prediction, and log both.

        Raises:
            DarkroomError: when the log can't be written.
        """
        try:
            data = read_image_file(Path(found.path))
            measured = properties(data, self._bundle.preprocessing)
        except (OSError, UnreadableImage, MemoryError) as error:
            raise DarkroomError(f"{found.path} changed while it was predicted ({error}): run this again") from None
        self._rows.append(
            PredictionRow(
                time=datetime.now(UTC),
                request=self._request,
                bundle=self._bundle_hash,
                sha256=hashlib.sha256(data).hexdigest(),
                session=None,
                label=found.label,
                confidence=found.confidence,
                abstained=found.abstains,
                probabilities=list(found.probabilities.values()),
                properties=measured,
                features=None,
            )
        )
        if len(self._rows) == ROWS:
            self._write()

    def close(self) -> None:
        """Write what is left; errors as in `add`."""
        self._write()
        self._log.close()

    def _write(self) -> None:
        rows, self._rows = self._rows, []
        if rows:
            self._log.write(rows, self._bundle, self._bundle_hash)
        if self._dropped:
            raise DarkroomError(
                f"{self._dropped:,} predictions are missing in the prediction log {self._folder}: make room, and run this again"
            )

    def _count(self, result: Literal["written", "dropped", "removed"], rows: int) -> None:
        self._dropped += rows if result == "dropped" else 0
