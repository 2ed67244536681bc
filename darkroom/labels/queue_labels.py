"""The labels of the label queue, `labels.csv` in the inbox: what was asked, what was answered, and how many images each answer
stands for.

An image is asked either because it comes next in the order of the queue, or because it was drawn at random from its pool, the
images that wait together. Both together are a stratified sample (Cochran 1977, chapter 5): the images down to the deepest
place that the order has reached are one stratum, all others, of which some were drawn, the other. In each a label stands for
as many images as the stratum has for each label. So accuracy is estimated without bias, though hard images are asked first.
"""

import csv
import io
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import astuple, dataclass, fields
from datetime import datetime
from pathlib import Path

import numpy as np

from darkroom.labels.inbox import read_inbox
from darkroom.labels.inbox_survey import read_inbox_survey
from darkroom.runtime.arrays import Float64s
from darkroom.runtime.errors import DarkroomError
from darkroom.runtime.files import private_opener, read_json, whole_file, write_json
from darkroom.runtime.paths import INBOX, SURVEY
from darkroom.runtime.text import csv_cell, csv_value

LABELS = "labels.csv"
# In the folder of the caches of a repository: what retraining has taken, hash of an image → its label.
TAKEN = Path(".darkroom/labelling/taken.json")


@dataclass(frozen=True)
class QueueLabel:
    """An answer.

    Attributes:
        sha256: of the image's bytes, in hex.
        label: its class; empty where it has none of the classes.
        reviewer: who says so.
        time: when, in UTC, ISO 8601.
        kind: why it was asked: `disagreement`, `far`, `border`, `rest`; `random` where it was drawn.
        predicted: the class that the model gave it.
        confidence: with which probability.
        bundle: the hash of the bundle that predicted.
        pool: names the images that waited together; empty for an image of the data set itself.
        pool_images: how many they were.
        rank: the image's place in the order of its pool, from 0.
        share: the fraction of its day's images of the service that the service stored; 1 for other images.
    """

    sha256: str
    label: str
    reviewer: str
    time: str
    kind: str
    predicted: str
    confidence: float
    bundle: str
    pool: str
    pool_images: int
    rank: int
    share: float

    @property
    def correct(self) -> bool:
        """Whether the model was."""
        return self.label == self.predicted


COLUMNS = tuple(field.name for field in fields(QueueLabel))


def read_queue_labels(inbox: Path) -> list[QueueLabel]:
    """The labels of the queue, in the order in which they were given; none where there is no file.

    Raises:
        DarkroomError: when the file is damaged.
    """
    path = inbox / LABELS
    if not path.exists():
        return []
    try:
        with path.open(encoding="utf-8", newline="") as file:
            header, *rows = csv.reader(file)
        if tuple(header) != COLUMNS:
            raise ValueError(f"its columns are {','.join(header)}")
        return [_parsed(row) for row in rows]
    except (ValueError, csv.Error) as error:
        raise DarkroomError(f"{path} is no table of labels ({error}): repair it, or move it away") from None


def _parsed(row: list[str]) -> QueueLabel:
    if len(row) != len(COLUMNS):
        raise ValueError(f"{len(row)} values, and there are {len(COLUMNS)} columns")
    sha256, label, reviewer, time, kind, predicted, confidence, bundle, pool, pool_images, rank, share = row
    datetime.fromisoformat(time)
    numbers = float(confidence), int(pool_images), int(rank), float(share)
    if not 0 < numbers[3] <= 1 or not 0 <= numbers[2] <= numbers[1]:
        raise ValueError(f"{sha256[:12]} has rank {rank} of {pool_images} images, and share {share}")
    return QueueLabel(
        sha256,
        label,
        csv_value(reviewer),
        time,
        kind,
        predicted,
        numbers[0],
        bundle,
        pool,
        numbers[1],
        numbers[2],
        numbers[3],
    )


def write_queue_labels(inbox: Path, labels: Iterable[QueueLabel]) -> None:
    """Write all labels of the queue, whole or not at all.

    Raises:
        OSError: when the disk refuses.
    """
    text = io.StringIO()
    # As the inbox does, a name with either end of a line is quoted.
    writer = csv.writer(text, lineterminator="\r\n")
    writer.writerow(COLUMNS)
    for each in labels:
        row = list(astuple(each))
        row[COLUMNS.index("reviewer")] = csv_cell(each.reviewer)
        writer.writerow(row)
    with whole_file(inbox / LABELS) as partial, open(partial, "wb", opener=private_opener) as file:
        file.write(text.getvalue().encode())


def label_weights(labels: Sequence[QueueLabel]) -> Float64s:
    """How many images each label stands for: the inverse of the probability that its image was asked and stored.

    0 for an image of the data set itself, and for all labels of a pool of which no image beyond those that the order reached
    has a label: they stand for none of the others.

    Args:
        labels: N of them, all that were given of their pools: the weight of one depends on the others.

    Returns:
        float64 [N].
    """
    weights = np.zeros(len(labels))
    pools = defaultdict(list)
    for row, each in enumerate(labels):
        if each.pool:
            pools[each.pool].append(row)
    for rows in pools.values():
        ranks = np.array([labels[row].rank for row in rows])
        in_order = np.array([labels[row].kind != "random" for row in rows])
        size = labels[rows[0]].pool_images
        depth = 1 + int(ranks[in_order].max(initial=-1))
        reached = ranks < depth
        if depth < size and reached.all():
            continue
        per_label = np.where(reached, depth / max(reached.sum(), 1), (size - depth) / max((~reached).sum(), 1))
        weights[rows] = per_label / np.array([labels[row].share for row in rows])
    return weights


def inbox_labels(inbox: Path) -> dict[str, str | None]:
    """SHA-256 of an image → the class that a person says it has, None for none of the classes: of the queue's labels and the
    service's corrections; nothing where there is no inbox.

    Raises:
        DarkroomError: when a table of the inbox is damaged.
    """
    none_of_them: dict[str, str | None] = {each.sha256: None for each in read_queue_labels(inbox) if not each.label}
    return none_of_them | {Path(path).stem: each.label for path, each in read_inbox(inbox).items()}


def new_labels(root: Path) -> int:
    """How many labels of the inbox no retraining has taken yet.

    Args:
        root: of the repository.
    """
    taken = _taken(root)
    return sum(taken.get(sha256) != label for sha256, label in inbox_labels(root / INBOX).items() if label)


def mark_taken(root: Path, survey: Path = SURVEY) -> None:
    """The labels that a survey found are in a candidate's data; those that came after it are new.

    Args:
        root: of the repository.
        survey: the folder that the survey stage wrote for the candidate.
    """
    rows = read_inbox_survey(survey)
    labels = zip(rows["path"].to_pylist(), rows["label"].to_pylist(), strict=True)
    path = root / TAKEN
    path.parent.mkdir(parents=True, exist_ok=True)
    with whole_file(path) as partial:
        write_json(partial, {Path(image).stem: label for image, label in labels})


def _taken(root: Path) -> dict[str, str]:
    try:
        found = read_json(root / TAKEN)
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as error:
        raise DarkroomError(
            f"{root / TAKEN} can't be read ({error}): remove it; all labels count as new then"
        ) from None
    return found if isinstance(found, dict) else {}
