"""One run of the gate: a candidate is held against the champion, check by check, and the decision is written."""

from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from darkroom.compare.labelled import LabelledImages, data_splits, labelled_test_images
from darkroom.gate.comparisons import (
    ANCHOR_PART,
    NO_LABELS,
    SliceChange,
    accuracy_check,
    calibration_check,
    detectable,
    slice_changes,
    slices_check,
)
from darkroom.gate.cost import latency_check, size_check
from darkroom.gate.decision import Decision, outcome_of, sentence_of
from darkroom.gate.disagreements import (
    ALPHA,
    QUEUE,
    Pool,
    evidence,
    outcomes_of_test,
    queue_table,
    score_pool,
)
from darkroom.gate.hard_checks import changes_check, parity_check, validation_check
from darkroom.gate.page import decision_page, pictures
from darkroom.gate.reasons import Reason
from darkroom.gate.scores import Pairs, Scores, pair, score
from darkroom.gate.sides import CHAMPION, ITSELF, Side, open_anchor, open_candidate, open_champion, tested_in
from darkroom.labels.queue_labels import inbox_labels
from darkroom.runtime.files import whole_folder, write_json
from darkroom.runtime.paths import INBOX, PARAMS_FILE, SAMPLES
from darkroom.runtime.revisions import WORKSPACE
from darkroom.settings.base import read_section
from darkroom.settings.gate import Gate
from darkroom.statistics.betting import labels_needed

REPORTS = Path("reports/gate")
DECISION, PAGE = "decision.json", "index.html"


@dataclass(frozen=True)
class Comparison:
    """The candidate beside champion and anchor on the test images; the anchor may be the champion."""

    champion: Side
    anchor: Side
    candidate: Side
    scores: Scores
    pairs: Pairs
    anchor_pairs: Pairs

    @property
    def anchored(self) -> bool:
        """Whether the anchor is another model than the champion."""
        return self.anchor.fingerprint != self.champion.fingerprint


@dataclass(frozen=True)
class Places:
    """Where labels and images without labels are, and the queue of an earlier decision."""

    inbox: Path
    samples: Path
    queue: Path


def run(
    root: Path,
    champion: str | None = CHAMPION,
    candidate: str = WORKSPACE,
    *,
    home: Path | None = None,
    inbox: Path | None = None,
    samples: Path | None = None,
    accept_test_changes: bool = False,
) -> Decision:
    """Decide whether a candidate may become the champion; writes `reports/gate/` below `root`.

    Args:
        root: of the repository, or the worktree, with the candidate: `workspace` and git revisions are of it.
        champion: `champion`, a version, `workspace`, a git revision, or the folder of a bundle; None for the first candidate.
        candidate: the same.
        home: of the repository with versions and published bundles; `root` by default.
        inbox: the folder with labels that people gave; that of `home` by default.
        samples: the folder with images of the service; that of `home` by default.
        accept_test_changes: whether somebody has looked at relabelled and removed test images.

    Raises:
        DarkroomError: when a model or its data can't be read; nothing is written then.
    """
    home = home or root
    settings = read_section(Gate, root / PARAMS_FILE)
    places = Places(inbox or home / INBOX, samples or home / SAMPLES, home / REPORTS / QUEUE)
    with ExitStack() as opened:
        new = open_candidate(candidate, root, opened, home)
        revision = tested_in(new, root)
        old = open_champion(champion, root, home, opened) if champion else None
        reasons = [validation_check(revision), parity_check(new, revision)]
        if old is None:
            return _write(root, _first(new, reasons, settings))
        data = new.data or data_splits(revision)
        reasons.append(changes_check(old, data, revision, accept_test_changes))
        images = labelled_test_images(revision, data)
        compared = _compare(images, old, open_anchor(old, home, opened), new)
        return _decide(root, compared, reasons, settings, places)


def _first(candidate: Side, reasons: list[Reason], settings: Gate) -> Decision:
    """The decision on a candidate that has no champion before it."""
    reasons.append(Reason("champion", True, "There is no champion yet to hold the candidate against."))
    outcome = outcome_of(reasons)
    sentence = sentence_of(outcome, reasons, candidate.candidate_title, None, settings.margin)
    anchor = {"version": None, "next": ITSELF}
    return Decision(outcome, sentence, reasons, None, candidate.record(), anchor, settings.margin, None, {"images": 0})


def _compare(images: LabelledImages, champion: Side, anchor: Side, candidate: Side) -> Comparison:
    scores = score(images, [champion, anchor, candidate])
    first, second = (pair(scores, reference, candidate) for reference in (champion, anchor))
    return Comparison(champion, anchor, candidate, scores, first, second)


def _decide(root: Path, compared: Comparison, hard: list[Reason], settings: Gate, places: Places) -> Decision:
    accuracy = _accuracy(compared, settings, None, {})
    changes = slice_changes(compared.scores, compared.pairs, settings.class_margin)
    others = _others(compared, changes, settings)
    pool, labels = None, inbox_labels(places.inbox)
    if outcome_of([*hard, *accuracy, *others]) != "reject" and outcome_of(accuracy) == "hold":
        pool = score_pool(places.samples, compared.champion, compared.anchor, compared.candidate, places.queue)
        accuracy = _accuracy(compared, settings, pool, labels)
    reasons = [*hard, *accuracy, *others]
    outcome = outcome_of(reasons)
    queue = _queue(compared, pool or _no_pool(compared)) if outcome == "hold" else None
    decision = Decision(
        outcome,
        sentence_of(outcome, reasons, compared.candidate.candidate_title, compared.champion.title, settings.margin),
        reasons,
        compared.champion.record(),
        compared.candidate.record(),
        _anchor(compared, accuracy[-1]),
        settings.margin,
        detectable(compared.pairs),
        _disagreements(compared, pool, accuracy[0], settings.margin),
    )
    return _write(root, decision, compared, changes, queue)


def _accuracy(compared: Comparison, settings: Gate, pool: Pool | None, labels: dict[str, str | None]) -> list[Reason]:
    """The champion's check, and the anchor's, by the test split and by the labels of disagreements."""
    held_against = [("accuracy", compared.champion, compared.pairs, settings.margin)]
    if compared.anchored:
        held_against.append(("anchor", compared.anchor, compared.anchor_pairs, ANCHOR_PART * settings.margin))
    found = []
    for check, reference, pairs, margin in held_against:
        test = outcomes_of_test(compared.scores, pairs, reference, compared.candidate)
        shown = evidence(pool, reference.fingerprint, labels, test, margin) if pool else NO_LABELS
        found.append(accuracy_check(check, reference, pairs, margin, shown))
    if not compared.anchored:
        words = (
            f"No model before {compared.champion.title} was shown to be better: there is no other to be held against."
        )
        found.append(Reason("anchor", True, words, {"better": found[0].numbers["better"]}))
    return found


def _others(compared: Comparison, changes: list[SliceChange], settings: Gate) -> list[Reason]:
    """The checks of classes and slices, calibration, size and latency."""
    champion, candidate = compared.champion, compared.candidate
    reasons = [slices_check(changes, settings.class_margin)]
    if len(compared.pairs.rows):
        reasons.append(
            calibration_check(compared.scores, compared.pairs, champion, candidate, settings.calibration_margin)
        )
    reasons.append(size_check(champion, candidate, settings.max_growth))
    reasons.append(latency_check(champion, candidate, settings.max_slowdown))
    return reasons


def _anchor(compared: Comparison, check: Reason) -> dict[str, str | None]:
    """What the candidate was held against beside the champion, and what the next one will be if this one is promoted."""
    version = compared.anchor.version
    better = check.numbers["better"] or version is None
    return {
        "version": version.number if version and compared.anchored else None,
        "next": ITSELF if better or version is None else version.number,
    }


def _no_pool(compared: Comparison) -> Pool:
    models = (compared.champion.fingerprint, compared.anchor.fingerprint, compared.candidate.fingerprint)
    return Pool(models, [], [], {model: [] for model in models})


def _queue(compared: Comparison, pool: Pool) -> pa.Table:
    return queue_table(compared.scores, pool, compared.champion, compared.anchor, compared.candidate)


def _disagreements(compared: Comparison, pool: Pool | None, check: Reason, margin: float) -> dict[str, object]:
    """How many images the models differ on, and how many labels of those without one would be enough."""
    before, after = (compared.scores.predicted(side) for side in (compared.champion, compared.candidate))
    content: dict[str, object] = {"images": len(before), "differ": int((before != after).sum())}
    if pool:
        old, new = pool.predicted[compared.champion.fingerprint], pool.predicted[compared.candidate.fingerprint]
        differ = sum(a != b for a, b in zip(old, new, strict=True))
        needed = labels_needed(differ / len(new), margin, ALPHA) if differ else 0
        content |= {"unlabelled": len(new), "unlabelled_differ": differ, "labels_needed": needed}
    return content | {"labels": check.numbers["labels"], "labels_strength": check.numbers["labels_strength"]}


def _write(
    root: Path,
    decision: Decision,
    compared: Comparison | None = None,
    changes: Sequence[SliceChange] = (),
    queue: pa.Table | None = None,
) -> Decision:
    """Write the decision, its page and the queue, all of them or none."""
    shown = (
        [] if queue is None or compared is None else pictures(queue, compared.scores.images, compared.candidate.bundle)
    )
    page = decision_page(decision, changes, shown, 0 if queue is None else len(queue))
    (root / REPORTS).parent.mkdir(exist_ok=True)
    with whole_folder(root / REPORTS) as folder:
        write_json(folder / DECISION, decision.to_dict())
        (folder / PAGE).write_text(page, encoding="utf-8")
        if queue is not None:
            pq.write_table(queue, folder / QUEUE, compression="zstd")
    return decision
