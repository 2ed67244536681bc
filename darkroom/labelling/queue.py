"""The queue: which image is asked next, and what becomes of an answer.

Images on which champion and candidate disagree come first; of the pool, the images that wait without a label, those far from
the reference, then those with the least margin between the two most probable classes. Each fifth image is drawn at random from
the pool instead, so that the accuracy is estimated without bias (`darkroom.labels.queue_labels`).
"""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from darkroom.bundle.bundle import INDEX, Bundle
from darkroom.images.decode import decode
from darkroom.labelling.scores import FAR, Scored
from darkroom.labels.inbox import SUFFIXES, Correction, Inbox
from darkroom.labels.queue_labels import QueueLabel, inbox_labels, read_queue_labels, write_queue_labels
from darkroom.runtime.files import file_hash

# Of so many images one is drawn at random.
RANDOM_EVERY = 5
# A margin below which an image is near the border.
BORDER = 0.5


@dataclass(frozen=True)
class Question:
    """An image that is asked.

    Attributes:
        scored: the image, with what the model says.
        kind: why: `disagreement`, `far`, `border`, `rest`, or `random`.
        pool: that it is of; empty for an image of the data set.
        rank: its place in the order of the pool.
    """

    scored: Scored
    kind: str
    pool: str
    rank: int


class Queue:
    """Asks one image after another.

    Args:
        bundle: that scored the images; its classes are the answers.
        data_disagreements: images of the data set on which the models disagree, in their order.
        pool: images that wait without a label.
        first: order of those of the pool on which the models disagree: SHA-256 → place.
        inbox: where labels go.
        reviewer: who answers.

    Raises:
        DarkroomError: when the inbox can't be written, or a table in it is damaged.
    """

    def __init__(
        self,
        bundle: Bundle,
        data_disagreements: Sequence[Scored],
        pool: Sequence[Scored],
        first: Mapping[str, int],
        inbox: Path,
        reviewer: str,
    ) -> None:
        self._bundle, self._folder, self.reviewer = bundle, inbox, reviewer
        self._inbox = Inbox(inbox)
        self._bundle_hash = file_hash(bundle.folder / INDEX)
        self._labels, self._first = read_queue_labels(inbox), dict(first)
        known = set(inbox_labels(inbox))
        pool, self._pool_id = self._current_pool(pool, known)
        ordered = sorted(pool, key=lambda each: _place(each, first))
        self._pool_size = len(ordered)
        disagreed = [Question(each, "disagreement", "", 0) for each in data_disagreements]
        self._in_order = disagreed + [
            Question(each, _kind(each, first), self._pool_id, rank) for rank, each in enumerate(ordered)
        ]
        self._drawn = sorted((each for each in self._in_order if each.pool), key=self._random_number)
        self._done = {sha256 for sha256 in known if sha256 in self.images}
        self._skipped: list[str] = []
        self._undoable: list[str] = []

    @property
    def images(self) -> dict[str, Question]:
        """All images of the queue by their SHA-256, also those that have their label."""
        return {each.scored.image.sha256: each for each in self._in_order}

    @property
    def labels(self) -> list[QueueLabel]:
        """All labels that were given, here and before."""
        return list(self._labels)

    @property
    def given(self) -> int:
        """Labels that the images of this queue have."""
        return len(self._done)

    @property
    def left(self) -> int:
        """Images that have neither a label nor were skipped."""
        return len(self.images.keys() - self._done - set(self._skipped))

    @property
    def skipped(self) -> int:
        return len(self._skipped)

    @property
    def can_undo(self) -> bool:
        return bool(self._undoable)

    def current(self) -> Question | None:
        """The image that is asked now; the same until there is an answer. None where all are done or skipped."""
        over = self._done | set(self._skipped)
        if len(over) % RANDOM_EVERY == 0:
            for each in self._drawn:
                if each.scored.image.sha256 not in over:
                    return Question(each.scored, "random", each.pool, each.rank)
        return next((each for each in self._in_order if each.scored.image.sha256 not in over), None)

    def answer(self, label: str | None) -> None:
        """Store the label of the current image: a class, or None for none of them.

        Raises:
            OSError: when the disk refuses, or the image can't be read any more.
            UnreadableImage: when its file was changed, and is none any more.
        """
        asked = self.current()
        if asked is None:
            return
        image, shape = asked.scored.image, self._bundle.preprocessing
        if label is not None:
            data = image.read()
            decoded = decode(data, shape.decoder, least_side=1, grey=True, depth=shape.depth)
            reason = f"asked by the label queue: {asked.kind}"
            suffix = SUFFIXES.get(decoded.format, "img")
            self._inbox.add(data, image.sha256, suffix, Correction(label, self.reviewer, reason))
        row = QueueLabel(
            image.sha256,
            label or "",
            self.reviewer,
            datetime.now(UTC).isoformat(timespec="seconds"),
            asked.kind,
            asked.scored.predicted,
            round(asked.scored.confidence, 6),
            self._bundle_hash,
            asked.pool,
            self._pool_size if asked.pool else 0,
            asked.rank,
            image.share,
        )
        write_queue_labels(self._folder, [*self._labels, row])
        self._labels.append(row)
        self._done.add(image.sha256)
        self._undoable.append(image.sha256)

    def skip(self) -> None:
        """Ask the current image no more, until all others are done."""
        if asked := self.current():
            self._skipped.append(asked.scored.image.sha256)
            self._undoable.append(asked.scored.image.sha256)

    def ask_skipped(self) -> None:
        """Ask the images that were skipped again."""
        self._undoable = [each for each in self._undoable if each not in self._skipped]
        self._skipped.clear()

    def undo(self) -> None:
        """Take the last answer or skip of this session back; its image is asked again.

        Raises:
            OSError: when the disk refuses.
        """
        if not self._undoable:
            return
        sha256 = self._undoable[-1]
        if sha256 in self._skipped:
            self._skipped.remove(sha256)
        else:
            rest = [each for each in self._labels if each.sha256 != sha256]
            write_queue_labels(self._folder, rest)
            self._inbox.remove(sha256)
            self._labels = rest
            self._done.discard(sha256)
        self._undoable.pop()

    def _current_pool(self, images: Sequence[Scored], known: set[str]) -> tuple[list[Scored], str]:
        """The images of the pool, and its name.

        A queue that is opened again over the same images goes on with the pool of before, those with a label included; where
        images came or went, or another bundle predicts, those that have no label yet are another pool.
        """
        last = next((each.pool for each in reversed(self._labels) if each.pool), "")
        of_last = {each.sha256 for each in self._labels if each.pool == last}
        members = [each for each in images if each.image.sha256 not in known or each.image.sha256 in of_last]
        if self._pool_name(members) == last:
            return members, last
        waiting = [each for each in images if each.image.sha256 not in known]
        return waiting, self._pool_name(waiting)

    def _pool_name(self, images: Sequence[Scored]) -> str:
        # With all that decides the order, on which weights depend.
        rows = sorted(f"{sha256} {self._first.get(sha256, '')}" for each in images if (sha256 := each.image.sha256))
        return hashlib.sha256("\n".join([self._bundle_hash, *rows]).encode()).hexdigest()[:16]

    def _random_number(self, each: Question) -> str:
        """A number for each image that nobody chose, and that is the same when the queue is opened again."""
        return hashlib.sha256(f"{self._pool_id} {each.scored.image.sha256}".encode()).hexdigest()


def _place(each: Scored, first: Mapping[str, int]) -> tuple[int, float, str]:
    """What the pool is sorted by."""
    sha256 = each.image.sha256
    if sha256 in first:
        return 0, float(first[sha256]), sha256
    return (1, -each.distance, sha256) if each.distance > FAR else (2, each.margin, sha256)


def _kind(each: Scored, first: Mapping[str, int]) -> str:
    if each.image.sha256 in first:
        return "disagreement"
    if each.distance > FAR:
        return "far"
    return "border" if each.margin < BORDER else "rest"
