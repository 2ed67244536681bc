"""The monitor on Fashion-MNIST: false alarms, delays, kinds, estimated accuracy, and the interval of weighted labels.

Measures: alarms on clean streams of 100,000 images, independent and in bursts of 11, with and without a session for each
burst; the images from a shift to its alarm, and the kind that is named then, for 4,096 and for 80 reference images; how far
the estimated accuracy is off; how often the 95% interval of 200 weighted labels has the true accuracy. Streams are drawn
from the test images, references from the validation images, shifts come after 2,000 clean images. Some 10 minutes on one
core; the first run also trains two networks that lack a class, 3 minutes each.

    python -m benchmarks.monitor --bundle models/export --arrays data/preprocess [--without-features]
"""

import argparse
import tempfile
from collections import Counter
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from benchmarks.monitor_images import DAMAGES, Answers, answers_of, damaged, subpopulation, without_class
from benchmarks.rounds import print_table
from darkroom.bundle.reference_rows import (
    ReferenceRows,
    in_steps,
    project,
    read_reference_rows,
    write_reference_rows,
)
from darkroom.images.pack import load_packed
from darkroom.monitoring.detector import Detector
from darkroom.monitoring.estimated_accuracy import estimate_accuracy, weighted_accuracy
from darkroom.monitoring.kinds import find_kind
from darkroom.monitoring.scores import Rows, ScoreRule
from darkroom.monitoring.stream import Stream
from darkroom.runtime.arrays import Bools, Float64s, Int64s
from darkroom.runtime.files import file_hash

RUN_LENGTH = 1_000_000
IMAGES, BURST, CLEAN, SHIFTED = 100_000, 11, 2_000, 3_000
MIXED, LEFT_OUT = 0.4, (8, 3)
LABELS, SAMPLE = 200, 3_000


@dataclass(frozen=True)
class Watched:
    """A reference with its rule and its own scores."""

    reference: ReferenceRows
    rule: ScoreRule
    scores: Float64s

    @classmethod
    def of(cls, validation: Answers, images: int, seed: int) -> "Watched":
        """Of so many validation images whose class is known."""
        known = np.flatnonzero(validation.labels < validation.probabilities.shape[1])
        rows = np.random.default_rng(seed).permutation(known)[:images]
        with tempfile.TemporaryDirectory() as folder:
            write_reference_rows(
                Path(folder),
                validation.probabilities[rows],
                validation.labels[rows],
                validation.properties[rows],
                validation.features[rows] if validation.features.shape[1] else None,
            )
            reference = read_reference_rows(Path(folder))
        rule = ScoreRule(reference)
        return cls(reference, rule, rule.reference())

    def live(self, answers: Answers) -> tuple[Float64s, Int64s, Float64s]:
        """Scores, predicted classes and confidence of answers."""
        directions = self.reference.directions
        projections = project(answers.features, directions)
        if not len(directions):
            projections = np.full_like(projections, np.nan)
        rows = Rows(answers.probabilities, answers.properties, projections)
        return self.rule.live(rows), rows.predicted, in_steps(answers.probabilities).max(axis=1).astype(np.float64)

    def stream(self) -> Stream:
        """That begins."""
        detector = Detector(self.scores, self.rule.rows.predicted, len(self.reference.confusion))
        return Stream(detector, RUN_LENGTH)


@dataclass(frozen=True)
class Shift:
    """Two pools of answers, and how each image of them is drawn.

    Attributes:
        name: of the shift.
        kind: that should be named.
        validation: for the reference.
        clean, shifted: answers.
        before, after: the probability of each image in them.
    """

    name: str
    kind: str
    validation: Answers
    clean: Answers
    shifted: Answers
    before: Float64s
    after: Float64s


def even(chosen: Bools) -> Float64s:
    """One probability for all that are chosen."""
    return np.asarray(chosen / chosen.sum(), np.float64)


def class_shares(labels: Int64s, chosen: Bools, shares: Float64s) -> Float64s:
    """Probabilities with which classes come in these shares, and images of one class evenly."""
    counts = np.bincount(labels[chosen], minlength=len(shares))
    return np.asarray(np.where(chosen, (shares / np.maximum(counts, 1))[labels], 0.0), np.float64)


def make_shifts(bundle: Path, arrays: Path, cache: Path) -> tuple[list[Shift], Answers, Answers]:
    """All shifts, and the clean answers to validation and test images."""
    packed = {split: load_packed(arrays / split) for split in ("validation", "test")}
    pictures = {split: np.asarray(each.images) for split, each in packed.items()}
    labels = {split: np.asarray(each.labels, np.int64) for split, each in packed.items()}
    validation = answers_of(bundle, pictures["validation"], labels["validation"], cache / "validation.npz")
    test = answers_of(bundle, pictures["test"], labels["test"], cache / "test.npz")
    every = np.ones(len(test.labels), bool)
    shifts = []
    for kind in DAMAGES:
        file = cache / f"{kind.replace(' ', '-')}.npz"
        made = pictures["test"] if file.is_file() else damaged(pictures["test"], kind)
        answers = answers_of(bundle, made, labels["test"], file)
        shifts.append(Shift(kind, "quality", validation, test, answers, even(every), even(every)))
    for label in (3, 6):
        shares = np.where(np.arange(10) == label, MIXED, (1 - MIXED) / 9)
        mixed = class_shares(test.labels, every, shares)
        shifts.append(Shift(f"class {label} {MIXED:.0%}", "class mix", validation, test, test, even(every), mixed))
    part = class_shares(test.labels, subpopulation(pictures["test"], test.labels), np.full(10, 0.1))
    shifts.append(Shift("subpopulation", "unknown things", validation, test, test, even(every), part))
    for left_out in LEFT_OUT:
        known, unknown = without_class(arrays, left_out, cache)
        shares = np.array([*[0.8 / 9] * 9, 0.2])
        every = np.ones(len(unknown.labels), bool)
        fifth = class_shares(unknown.labels, every, shares)
        before = even(unknown.labels < 9)
        name = f"new class {left_out} 20%"
        shifts.append(Shift(name, "unknown things", known, unknown, unknown, before, fifth))
    return shifts, validation, test


def featureless(answers: Answers) -> Answers:
    """The same answers of a graph without features."""
    return replace(answers, features=answers.features[:, :0])


def bursts(test: Answers, count: int, rng: np.random.Generator) -> Int64s:
    """Rows of bursts of 11 images of a class and alike in brightness, int64 [N]."""
    order = [
        rows[np.argsort(test.properties[rows, 4], kind="stable")]
        for rows in (np.flatnonzero(test.labels == label) for label in range(10))
    ]
    pieces = []
    for _ in range(-(-count // BURST)):
        rows = order[rng.integers(len(order))]
        pieces.append(rows[(rng.integers(len(rows)) + np.arange(BURST)) % len(rows)])
    return np.concatenate(pieces)[:count]


def clean_streams(validation: Answers, test: Answers, streams: int) -> None:
    """Alarms where nothing shifted."""
    table = []
    for references in (4096, 80):
        for name in ("independent", "bursts", "bursts, session"):
            alarms, highest, tested = 0, [], []
            for seed in range(streams):
                rng = np.random.default_rng(seed)
                watched = Watched.of(validation, references, seed)
                scores, predicted, confidence = watched.live(test)
                rows = rng.integers(len(predicted), size=IMAGES) if name == "independent" else bursts(test, IMAGES, rng)
                sessions = np.zeros(IMAGES, np.uint64)
                if name == "bursts, session":
                    sessions = (np.arange(IMAGES) // BURST + 1).astype(np.uint64)
                stream = watched.stream()
                stream.add(scores[rows], predicted[rows], confidence[rows], np.arange(IMAGES), sessions)
                alarms += stream.alarm is not None
                highest.append(max(stream.highest, stream.history[:, 2].max()))
                tested.append(stream.tested)
            numbers = [f"{alarms}", f"{max(highest):.2g}", f"{np.median(highest):.2g}", f"{np.median(tested):,.0f}"]
            table.append([name, str(references), str(streams), *numbers])
    print_table(["clean streams of 100,000", "references", "streams", "alarms", "highest", "median", "tested"], table)


def delays(shifts: list[Shift], repetitions: int) -> None:
    """Images from a shift to its alarm, and the kind."""
    table = []
    for shift in shifts:
        for references in (4096, 80):
            found, kinds, since = [], Counter[str](), []
            for seed in range(repetitions):
                watched, stream = follow(shift, references, seed)
                if stream.alarm is None:
                    found.append(np.inf)
                    continue
                found.append(stream.alarm.image + 1 - CLEAN)
                since.append(abs(stream.alarm.since - CLEAN))
                live = stream.scores[len(stream.scores) - stream.since_alarm() :]
                kinds[find_kind(watched.scores, live, stream.detector.by_score).name] += 1
            right = kinds[shift.kind]
            places = [f"{np.median(found):,.0f}", f"{np.quantile(found, 0.9):,.0f}", f"{np.median(since):,.0f}"]
            table.append([shift.name, str(references), *places, f"{right}/{repetitions}"])
    print_table(["shift", "references", "median delay", "9 in 10", "since, off by", "kind right"], table)


def follow(shift: Shift, references: int, seed: int) -> tuple[Watched, Stream]:
    """A stream of 2,000 clean images and then shifted ones, up to its alarm."""
    rng = np.random.default_rng(seed)
    watched = Watched.of(shift.validation, references, seed)
    before = rng.choice(len(shift.before), CLEAN, p=shift.before)
    after = rng.choice(len(shift.after), SHIFTED, p=shift.after)
    stream, none = watched.stream(), np.zeros(CLEAN, np.uint64)
    scores, predicted, confidence = watched.live(shift.clean)
    stream.add(scores[before], predicted[before], confidence[before], np.arange(CLEAN), none)
    scores, predicted, confidence = watched.live(shift.shifted)
    for number, row in enumerate(after.tolist()):
        if stream.alarm:
            break
        one = slice(row, row + 1)
        stream.add(scores[one], predicted[one], confidence[one], np.array([CLEAN + number]), none[:1])
    return watched, stream


def estimates(shifts: list[Shift], repetitions: int) -> None:
    """How far the accuracy estimated from 2,048 answers is from that of the population."""
    table = []
    none = Shift("none", "", shifts[0].validation, shifts[0].clean, shifts[0].clean, shifts[0].before, shifts[0].before)
    for shift in [none, *shifts]:
        errors = []
        for seed in range(repetitions):
            watched = Watched.of(shift.validation, 4096, seed)
            _, predicted, confidence = watched.live(shift.shifted)
            true = float(shift.after @ (predicted == shift.shifted.labels))
            rows = np.random.default_rng(seed).choice(len(shift.after), 2048, p=shift.after)
            errors.append(estimate_accuracy(watched.reference, predicted[rows], confidence[rows]).accuracy - true)
        off = np.array(errors) * 100
        within = (np.abs(off) <= 1).mean()
        table.append([shift.name, f"{true:.2%}", f"{off.mean():+.2f}", f"{np.abs(off).max():.2f}", f"{within:.0%}"])
    print_table(["shift", "accuracy", "estimate off by, points", "largest", "within 1 point"], table)


def coverage(shifts: list[Shift], repetitions: int) -> None:
    """How often the 95% interval of 200 labels, asked for by doubt and a fifth at random, has the true accuracy."""
    table = []
    for shift in shifts:
        predicted = shift.shifted.probabilities.argmax(axis=1)
        doubt = 1 - shift.shifted.probabilities.max(axis=1).astype(np.float64)
        hits, widths = [], []
        for seed in range(repetitions):
            rng = np.random.default_rng(seed)
            rows = rng.choice(len(shift.after), SAMPLE, p=shift.after)
            correct = predicted[rows] == shift.shifted.labels[rows]
            asked = LABELS * (0.2 / SAMPLE + 0.8 * doubt[rows] / doubt[rows].sum())
            chosen = rng.uniform(size=SAMPLE) < np.minimum(asked, 1)
            _, low, high = weighted_accuracy(correct[chosen], 1 / np.minimum(asked[chosen], 1))
            hits.append(low <= correct.mean() <= high)
            widths.append(high - low)
        table.append([shift.name, f"{np.mean(hits):.1%}", f"±{np.mean(widths) * 50:.1f}"])
    print_table(["shift", "95% interval covers", "points"], table)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--bundle", type=Path, default=Path("models/export"), help="of Fashion-MNIST")
    parser.add_argument("--arrays", type=Path, default=Path("data/preprocess"), help="of Fashion-MNIST")
    parser.add_argument("--cache", type=Path, default=Path(tempfile.gettempdir()) / "darkroom-monitor")
    parser.add_argument("--streams", type=int, default=10)
    parser.add_argument("--repetitions", type=int, default=20)
    parser.add_argument("--without-features", action="store_true", help="as of a graph that gives none")
    options = parser.parse_args()
    cache = options.cache / file_hash(options.bundle / "bundle.json")[:12]
    shifts, validation, test = make_shifts(options.bundle, options.arrays, cache)
    if options.without_features:
        validation, test = featureless(validation), featureless(test)
        shifts = [
            replace(
                each,
                validation=featureless(each.validation),
                clean=featureless(each.clean),
                shifted=featureless(each.shifted),
            )
            for each in shifts
        ]
    delays(shifts, options.repetitions)
    estimates(shifts, options.repetitions)
    coverage(shifts, 500)
    clean_streams(validation, test, options.streams)


if __name__ == "__main__":
    main()
