"""The table of predictions, from which every number of an evaluation is made: written by predict, read by evaluate.

`predictions.parquet` has one row for each image of each split, then one for each damaged copy of a test image:

| column | what |
|---|---|
| split, id, path, label | of the image; the label is the manifest's |
| damage, severity, damage_text | null for the image as it is; else the kind, 0 to 5, and what was done, in words |
| logits | K float32 in class-list order; null for training images |
| out_of_fold | of training images: K probabilities from a model that did not learn the image's label; zeros where not judged |
| reviewed | whether a reviewer has decided on the label |
| the others | what the manifest knows of the image; null for damaged copies |

Its metadata holds what is the same for all rows: the class list, the model, the versions (`ModelRun`).
"""

import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from darkroom.inference.inputs import FACTS, SplitImages
from darkroom.runtime.arrays import Float32s, Int64s
from darkroom.runtime.checked_json import STRICT, check_json
from darkroom.runtime.errors import DarkroomError
from darkroom.runtime.inputs import read_input_table, stage_input

FILE = "predictions.parquet"
METADATA = b"darkroom"

# `damage` of the undamaged copies, which are answered in the shorter precision of the damaged ones.
UNDAMAGED = "none"


@dataclass(frozen=True)
class ModelRun:
    """What predicted, and on what.

    Attributes:
        network: its name.
        epoch: whose weights these are.
        classes: names, in class-list order.
        class_hash: of these names.
        data_version, training_code_version: of the model.
        damaged_precision: what the damaged copies were multiplied in, `float32` or shorter.
        explanation: the method of the heat maps, `grad-cam` or `occlusion`.
        cross_validated: whether the answers out of fold are of heads as the network has one, fitted to other images.
    """

    __pydantic_config__ = STRICT

    network: str
    epoch: int
    classes: tuple[str, ...]
    class_hash: str
    data_version: str
    training_code_version: str
    damaged_precision: str
    explanation: str
    cross_validated: bool = False


@dataclass(frozen=True)
class DamagedLogits:
    """The answers to test images after one kind of damage at one severity.

    Attributes:
        kind: `blur`, `noise`, `brightness` or `JPEG loss`; `none` for the images as they are.
        severity: 0 for none, to 5.
        text: what was done, such as `sigma 5 of 255`.
        rows: int64 [M], positions in the test split.
        logits: float32 [M, K].
    """

    kind: str
    severity: int
    text: str
    rows: Int64s
    logits: Float32s


def write_predictions(
    folder: Path,
    run: ModelRun,
    splits: dict[str, SplitImages],
    logits: dict[str, Float32s],
    out_of_fold: Float32s,
    damaged: Iterable[DamagedLogits],
) -> None:
    """Write `predictions.parquet`.

    Args:
        folder: to write in.
        run: the model.
        splits: the images by split.
        logits: float32 [N, K] of `test` and `validation`.
        out_of_fold: float32 [N, K], for the training images.
        damaged: of the test images.
    """
    schema = _schema(splits["test"].facts.schema).with_metadata({METADATA: json.dumps(asdict(run))})
    with pq.ParquetWriter(folder / FILE, schema) as writer:
        for split, images in splits.items():
            answers = {"out_of_fold": out_of_fold} if split == "train" else {"logits": logits[split]}
            writer.write_table(_rows(schema, split, images.ids, images.facts, answers))
        test = splits["test"]
        for each in damaged:
            facts = test.facts.select(["path", "label"]).take(pa.array(each.rows))
            ids = [test.ids[row] for row in each.rows.tolist()]
            what: dict[str, str | int] = {"damage": each.kind, "severity": each.severity, "damage_text": each.text}
            writer.write_table(_rows(schema, "test", ids, facts, {"logits": each.logits}, what))


def _schema(facts: pa.Schema) -> pa.Schema:
    answer = pa.list_(pa.float32())
    head = [("split", pa.string()), ("id", pa.string()), ("path", pa.string()), ("label", pa.string())]
    damage = [("damage", pa.string()), ("severity", pa.int8()), ("damage_text", pa.string())]
    answers = [("logits", answer), ("out_of_fold", answer), ("reviewed", pa.bool_())]
    return pa.schema([*head, *damage, *answers, *(facts.field(name) for name in FACTS)])


def _rows(
    schema: pa.Schema,
    split: str,
    ids: Sequence[str],
    facts: pa.Table,
    answers: dict[str, Float32s],
    damage: dict[str, str | int] | None = None,
) -> pa.Table:
    """Rows in the form of `schema`; what is not given is null."""
    same = {"split": split} | (damage or {})
    columns = []
    for field in schema:
        if field.name == "id":
            columns.append(pa.array(ids, field.type))
        elif field.name in same:
            columns.append(pa.repeat(pa.scalar(same[field.name], field.type), len(ids)))
        elif field.name in answers:
            values = answers[field.name]
            ends = np.arange(len(values) + 1, dtype=np.int32) * values.shape[1]
            columns.append(pa.ListArray.from_arrays(pa.array(ends), pa.array(values.ravel())))
        elif field.name in facts.column_names:
            columns.append(facts[field.name])
        else:
            columns.append(pa.nulls(len(ids), field.type))
    return pa.table(columns, schema=schema)


@dataclass(frozen=True)
class SplitPredictions:
    """The rows of one split, without damage.

    Attributes:
        rows: the table, without the columns of damage and answers.
        labels: int64 [N], positions in the class list.
        answers: float32 [N, K]: logits, of training images out-of-fold probabilities.
    """

    rows: pa.Table
    labels: Int64s
    answers: Float32s

    @property
    def ids(self) -> list[str]:
        ids: list[str] = self.rows["id"].to_pylist()
        return ids


@dataclass(frozen=True)
class Predictions:
    """What `predictions.parquet` holds.

    Attributes:
        run: the model.
        test, validation, train: the splits.
        damaged: of the test images, in the order written.
    """

    run: ModelRun
    test: SplitPredictions
    validation: SplitPredictions
    train: SplitPredictions
    damaged: list[DamagedLogits]


@stage_input
def read_predictions(folder: Path) -> Predictions:
    """Read what `write_predictions` wrote.

    Raises:
        DarkroomError: when the file is no table of predictions.
    """
    table = read_input_table(folder / FILE)
    content = (table.schema.metadata or {}).get(METADATA)
    if content is None:
        raise DarkroomError(f"{folder / FILE} does not name its model: run `dvc repro predict`")
    run = check_json(content, ModelRun, f"the metadata of {folder / FILE}", "run `dvc repro predict`")
    number = {name: k for k, name in enumerate(run.classes)}
    whole = table.filter(pc.is_null(table["damage"]))
    test, validation, train = (
        _split(whole.filter(pc.equal(whole["split"], split)), split == "train", number)
        for split in ("test", "validation", "train")
    )
    position = {image_id: row for row, image_id in enumerate(test.ids)}
    damaged = table.filter(pc.is_valid(table["damage"]))
    kinds = dict.fromkeys(
        zip(*(damaged[name].to_pylist() for name in ("damage", "severity", "damage_text")), strict=True)
    )
    found = []
    for kind, severity, text in kinds:
        rows = damaged.filter(pc.and_(pc.equal(damaged["damage"], kind), pc.equal(damaged["severity"], severity)))
        places = np.array([position[image_id] for image_id in rows["id"].to_pylist()], np.int64)
        found.append(DamagedLogits(kind, severity, text, places, _matrix(rows["logits"], len(number))))
    return Predictions(run, test, validation, train, found)


def _split(rows: pa.Table, trained_on: bool, number: dict[str, int]) -> SplitPredictions:
    answers = _matrix(rows["out_of_fold" if trained_on else "logits"], len(number))
    labels = np.array([number[label] for label in rows["label"].to_pylist()], np.int64)
    return SplitPredictions(
        rows.drop_columns(["damage", "severity", "damage_text", "logits", "out_of_fold"]), labels, answers
    )


def _matrix(column: pa.ChunkedArray, width: int) -> Float32s:
    return np.asarray(column.combine_chunks().flatten().to_numpy(), np.float32).reshape(-1, width)
