"""What the monitor found, in words and numbers, for the page, the command line and the flow."""

from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any

import numpy as np

from darkroom.bundle.reference_rows import ReferenceRows
from darkroom.monitor.measured import MeasuredAccuracy
from darkroom.monitoring.estimated_accuracy import EstimatedAccuracy, estimate_accuracy, labels_needed
from darkroom.monitoring.kinds import Kind, find_kind, fraction_above
from darkroom.monitoring.scores import SCORES
from darkroom.monitoring.state import Baseline, State
from darkroom.monitoring.stream import FIRST
from darkroom.runtime.text import count

WEAKNESS = (
    "The estimate believes the model's confidence. In another mix of known classes it was right to a point; with unknown "
    "things it was 1 to 14 points too high, and with pictures of another quality up to 15 too high or 40 too low. Only "
    "labels tell."
)
ADVICE = {
    "quality": "Look at the camera, the light and how the files are made, and put it right there. If pictures stay as they "
    "are, label some of them and retrain.",
    "class mix": "Do not retrain for this: each class is answered as well as before. Weigh totals and averages by the new mix, "
    "and look at thresholds that were chosen for the old one.",
    "unknown things": "Look at these images and label some: `make label` asks for them. If the service should know them, "
    "retrain with them; if not, keep them out.",
}


@dataclass(frozen=True)
class ScoreRow:
    """A score of live images beside the baseline.

    Attributes:
        name: as `darkroom.monitoring.scores.SCORES` has it, or "predicted class".
        above: the fraction of pairs in which the live value is above the baseline's; None for the class.
        outside: the fraction of live values beyond the least and greatest of the baseline; None for the class.
        evidence: its part in the level.
    """

    name: str
    above: float | None
    outside: float | None
    evidence: float


@dataclass(frozen=True)
class Status:
    """Attributes:
    sentence: the one that matters.
    kind: of the shift; None where there is none.
    since, found: when it began and when it was found, ISO 8601 in UTC; None without a shift.
    level: of the evidence; an alarm at `run_length`.
    images, tested, others: answers of this bundle, those tested, and answers of other bundles.
    burst: images that are taken to belong together.
    accuracy: estimated without labels; None before there are answers.
    measured: by labels; None where there is none.
    labels: how many labels give the accuracy to 2 points either way.
    classes: name, share in the reference's labels, estimated share, of each class.
    scores: beside the baseline, of the images since the shift or the last ones; those that live images have.
    accepted: whether the baseline is of live images.
    advice: what to do.
    """

    sentence: str
    kind: Kind | None
    since: str | None
    found: str | None
    level: float
    run_length: float
    images: int
    tested: int
    others: int
    burst: int
    accuracy: EstimatedAccuracy | None
    measured: MeasuredAccuracy | None
    labels: int
    classes: list[tuple[str, float, float]]
    scores: list[ScoreRow]
    accepted: bool
    advice: str

    def to_dict(self) -> dict[str, Any]:
        """For `status.json`."""
        estimate = self.accuracy
        return {
            "sentence": self.sentence,
            "kind": self.kind.name if self.kind else None,
            "words": self.kind.words if self.kind else None,
            "since": self.since,
            "found": self.found,
            "level": float(f"{self.level:.4g}"),
            "run_length": self.run_length,
            "images": self.images,
            "tested": self.tested,
            "burst": self.burst,
            "other_bundles": self.others,
            "estimated_accuracy": round(estimate.accuracy, 4) if estimate else None,
            "reference_accuracy": round(estimate.reference, 4) if estimate else None,
            "weakness": WEAKNESS,
            "measured_accuracy": asdict(self.measured) if self.measured else None,
            "labels_for_2_points": self.labels,
            "classes": [
                {"name": name, "reference": round(before, 4), "estimated": round(now, 4)}
                for name, before, now in self.classes
            ],
            "advice": self.advice,
        }


def make_status(
    state: State,
    baseline: Baseline,
    reference: ReferenceRows,
    names: tuple[str, ...],
    measured: MeasuredAccuracy | None,
) -> Status:
    """What a state says.

    Args:
        state: after the last row of the log.
        baseline: what it is held against.
        reference: of the bundle.
        names: of the classes.
        measured: accuracy by labels, where there are some.
    """
    stream, alarm = state.stream, state.stream.alarm
    recent = stream.since_alarm()
    live, by_score = stream.scores[len(stream.scores) - recent :], stream.detector.by_score
    kind = find_kind(baseline.scores, live, by_score) if alarm else None
    answers = min(len(stream.predicted), stream.images - alarm.since if alarm else len(stream.predicted))
    estimate = None
    if answers:
        estimate = estimate_accuracy(reference, stream.predicted[-answers:], stream.confidence[-answers:])
    before = np.bincount(reference.labels, minlength=len(names)) / len(reference.labels)
    since = since_of(state)
    accuracy = estimate.accuracy if estimate else np.trace(reference.confusion) / reference.confusion.sum()
    return Status(
        sentence=_sentence(kind, since, stream.images, estimate, measured, baseline.accepted),
        kind=kind,
        since=since,
        found=_iso(alarm.time) if alarm else None,
        level=stream.detector.level,
        run_length=stream.run_length,
        images=stream.images,
        tested=stream.tested,
        others=state.others,
        burst=stream.burst,
        accuracy=estimate,
        measured=measured,
        labels=labels_needed(float(accuracy)),
        classes=list(zip(names, before.tolist(), estimate.mix.tolist(), strict=True)) if estimate else [],
        scores=_score_rows(baseline, live, by_score, stream.detector.ranks.used) if recent else [],
        accepted=baseline.accepted,
        advice=ADVICE[kind.name] if kind else "",
    )


def _score_rows(baseline: Baseline, live: Any, by_score: Any, used: Any) -> list[ScoreRow]:
    rows = []
    for score in np.flatnonzero(used).tolist():
        known, new = baseline.scores[:, score], live[:, score]
        new = new[~np.isnan(new)]
        if not len(new):
            continue
        outside = float(((new < known.min()) | (new > known.max())).mean())
        rows.append(ScoreRow(SCORES[score], fraction_above(known, new), outside, float(by_score[score])))
    return [*rows, ScoreRow("predicted class", None, None, float(by_score[-1]))]


def since_of(state: State) -> str | None:
    """When the shift began, ISO 8601 in UTC; None without one."""
    return _iso(state.stream.alarm.since_time) if state.stream.alarm else None


def _sentence(
    kind: Kind | None,
    since: str | None,
    images: int,
    estimate: EstimatedAccuracy | None,
    measured: MeasuredAccuracy | None,
    accepted: bool,
) -> str:
    if estimate is None and accepted:
        return "No answer of this bundle came since the baseline was accepted."
    if estimate is None:
        return "No answer of this bundle is in the log yet."
    accuracy = f"accuracy is estimated at {estimate.accuracy:.1%}, and was {estimate.reference:.1%} on the reference"
    if measured:
        interval = f"{measured.low:.1%} to {measured.high:.1%}"
        accuracy = (
            f"accuracy is {measured.accuracy:.1%} ({interval}) by {count(measured.labels, 'label')}, "
            f"and was {estimate.reference:.1%} on the reference"
        )
    if kind and since:
        return f"Images are {kind.words} since {datetime.fromisoformat(since):%d %B %Y, %H:%M} UTC: {accuracy}."
    if images < FIRST:
        return f"{count(images, 'answer')} so far: the monitor tests them when there are {FIRST}."
    return f"No shift in {count(images, 'answer')}: {accuracy}."


def _iso(microseconds: int) -> str:
    return datetime.fromtimestamp(microseconds / 1e6, UTC).isoformat(timespec="seconds")
