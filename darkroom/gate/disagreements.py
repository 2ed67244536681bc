"""Images on which the models differ: a queue for people, in random order; and what their labels show so far.

Only these images can tell the candidate from the champion: on all others both are correct, or both are wrong alike.
"""

import hashlib
import json
from dataclasses import dataclass
from math import exp
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from darkroom.compare.rescoring import answers
from darkroom.gate.comparisons import Labels
from darkroom.gate.scores import Pairs, Scores
from darkroom.gate.sides import Side
from darkroom.runtime.arrays import Float64s
from darkroom.statistics.betting import labels_until, log_wealth

# A test of its own beside that on the test split: each errs in 2.5% of the cases, both together in 5%.
ALPHA = 0.025
QUEUE = "disagreements.parquet"
# In the queue's metadata: which models it is of, and the order of all images without labels.
POOL = b"darkroom.gate"
COLUMNS = pa.schema(
    [
        ("order", pa.int32()),
        ("sha256", pa.string()),
        ("id", pa.string()),
        ("place", pa.string()),
        ("split", pa.string()),
        ("label", pa.string()),
        ("champion_label", pa.string()),
        ("anchor_label", pa.string()),
        ("candidate_label", pa.string()),
    ]
)


@dataclass(frozen=True)
class Pool:
    """Images without labels, in the random order in which they count.

    Attributes:
        models: fingerprints of champion, anchor and candidate.
        sha256: of the images.
        files: where they are.
        predicted: by fingerprint, the class that each model gives each image.
    """

    models: tuple[str, str, str]
    sha256: list[str]
    files: list[Path]
    predicted: dict[str, list[str]]


def score_pool(folder: Path, champion: Side, anchor: Side, candidate: Side, earlier: Path) -> Pool:
    """Have all models answer the images that the service stored, without those that one of them was trained on.

    Args:
        folder: with files `<sha256>.<suffix>`, also in folders below it; it need not exist.
        champion, anchor, candidate: the models.
        earlier: the queue of an earlier decision: of the same models, its order stays, and new images follow.
    """
    sides = {side.fingerprint: side for side in (champion, anchor, candidate)}
    trained: set[str] = set()
    for side in sides.values():
        if side.data is not None:
            trained |= set(side.data.of("sha256", "train", "validation", "test"))
    found = {path.stem: path for path in sorted(folder.rglob("*")) if path.is_file() and len(path.stem) == 64}
    models = (champion.fingerprint, anchor.fingerprint, candidate.fingerprint)
    before = {digest: place for place, digest in enumerate(_earlier_order(earlier, models))}

    def order(digest: str) -> tuple[int, str]:
        # Random, and the same each time; what came in later follows, so that labels that were given stay the first.
        return before.get(digest, len(before)), hashlib.sha256(f"{models[2]}{digest}".encode()).hexdigest()

    hashes = sorted((digest for digest in found if digest not in trained), key=order)
    files = [found[digest] for digest in hashes]
    predicted = {}
    for fingerprint, side in sides.items():
        given = answers(side.bundle, (file.read_bytes() for file in files), [str(file) for file in files], side.title)
        predicted[fingerprint] = [side.bundle.classes.names[k] for k in given.argmax(axis=1).tolist()]
    return Pool(models, hashes, files, predicted)


def _earlier_order(queue: Path, models: tuple[str, str, str]) -> list[str]:
    if not queue.is_file():
        return []
    content = json.loads((pq.read_schema(queue).metadata or {}).get(POOL, b"{}"))
    return [str(digest) for digest in content["order"]] if content.get("models") == list(models) else []


def evidence(
    pool: Pool, reference: str, labels: dict[str, str | None], test: tuple[list[int], list[bool]], margin: float
) -> Labels:
    """What the labels so far show of the candidate beside another model.

    The images of the test split come first, then those of the pool in their order. An image without a label that
    stands before one with a label counts as if the candidate were wrong (or, for the question whether it is worse, as if it
    alone were correct), so that whoever leaves some out can't choose the result.

    Args:
        pool: with the predictions.
        reference: fingerprint of the other model.
        labels: by SHA-256 the class that a person gave; None for none of the classes.
        test: of each test image the outcome (1 where only the candidate is correct, -1 where only the other is, 0), in
            random order; and whether the predictions differ.
        margin: that may be lost.
    """
    outcomes, differ = list(test[0]), list(test[1])
    optimistic = list(test[0])
    before, after = pool.predicted[reference], pool.predicted[pool.models[2]]
    rows = [row for row in range(len(before)) if before[row] != after[row]]
    labelled = [row for row in rows if pool.sha256[row] in labels]
    # Up to the first image that has yet to be labelled after the last that was.
    last = labelled[-1] if labelled else -1
    end = next((row for row in rows if row > last), len(before))
    for row in range(end):
        differ.append(before[row] != after[row])
        if not differ[-1]:
            outcomes.append(0)
            optimistic.append(0)
        elif pool.sha256[row] in labels:
            label = labels[pool.sha256[row]]
            outcomes.append(int(after[row] == label) - int(before[row] == label))
            optimistic.append(outcomes[-1])
        else:
            outcomes.append(-1)
            optimistic.append(1)
    within, worse = (
        _wealth(outcomes, differ, margin, margin),
        _wealth([-each for each in optimistic], differ, margin, 0.0),
    )
    shown = (int(labels_until(wealth, ALPHA)[0]) >= 0 for wealth in (within, worse))
    return Labels(len(labelled), next(shown), next(shown), min(exp(float(within[0, -1])), 1e6))


def _wealth(outcomes: list[int], differ: list[bool], margin: float, limit: float) -> Float64s:
    places = np.flatnonzero(np.array(differ, bool))
    agreed = np.diff(places, prepend=-1, append=len(differ)) - 1
    return log_wealth(agreed[None], np.array(outcomes, np.int64)[places][None], margin, limit)


def outcomes_of_test(scores: Scores, pairs: Pairs, reference: Side, candidate: Side) -> tuple[list[int], list[bool]]:
    """The test images as `evidence` takes them, in an order that has nothing to do with what they show."""
    order = np.argsort([scores.images.sha256[row] for row in pairs.rows.tolist()], kind="stable")
    outcomes = (pairs.after.astype(np.int64) - pairs.before.astype(np.int64))[order]
    differ = (scores.predicted(reference) != scores.predicted(candidate))[pairs.rows][order]
    return outcomes.tolist(), differ.tolist()


def queue_table(scores: Scores, pool: Pool, champion: Side, anchor: Side, candidate: Side) -> pa.Table:
    """The queue: images without labels first, in the order in which they count; then test images, whose labels may be wrong.

    Returns:
        `COLUMNS`; `place` is the file, or shard:offset:bytes; `anchor_label` is null where the anchor is the champion.
    """
    separate = anchor.fingerprint != champion.fingerprint
    rows: list[dict[str, Any]] = []

    def add(given: list[str], **facts: str | None) -> None:
        if len(set(given)) > 1:
            named = dict(zip(("champion_label", "anchor_label", "candidate_label"), given, strict=True))
            rows.append({"order": len(rows), **facts, **named, **({} if separate else {"anchor_label": None})})

    for row, (digest, file) in enumerate(zip(pool.sha256, pool.files, strict=True)):
        given = [pool.predicted[model][row] for model in pool.models]
        add(given, sha256=digest, place=str(file), split="unlabelled")
    images, predicted = scores.images, [scores.predicted(side) for side in (champion, anchor, candidate)]
    for row in np.argsort(images.sha256, kind="stable").tolist():
        given = [scores.classes.names[each[row]] for each in predicted]
        place = ":".join(map(str, images.places[row]))
        add(given, sha256=images.sha256[row], id=images.ids[row], place=place, split="test", label=images.labels[row])
    content = {"models": pool.models, "order": pool.sha256}
    return pa.Table.from_pylist(rows, COLUMNS).replace_schema_metadata({POOL: json.dumps(content).encode()})
