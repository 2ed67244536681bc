"""What came of the expectations, told in JSON, on the terminal, and as the message that stops the line."""

from collections import Counter
from pathlib import Path

from darkroom.checks.facts import Facts
from darkroom.checks.outcomes import Outcome
from darkroom.runtime.errors import DarkroomError

# Conflicts named on the terminal; the reports name all.
TOLD = 10
# Files named that hold several pictures.
NAMED = 3
# Classes are called uneven from here on, long before the line stops.
UNEVEN = 3.0


def results(facts: Facts, outcomes: list[Outcome]) -> dict[str, object]:
    """The content of `validation.json`, which names every conflict."""
    return {
        "stops_the_line": any(outcome.stops_the_line for outcome in outcomes),
        "images": len(facts.images),
        "rejects": len(facts.rejects),
        "classes": facts.classes.to_dict("records"),
        "expectations": [outcome.to_dict() for outcome in outcomes],
        "copies": {
            "groups": len(facts.copies),
            "extra_images": facts.extra_copies,
            "near": sum(not copies.exact for copies in facts.copies),
            "largest_group": facts.largest_group,
        },
        "conflicts": [
            {"paths": list(copies.paths), "labels": list(copies.labels), "exact": copies.exact}
            for copies in facts.conflicts
        ],
    }


def summary(facts: Facts, outcomes: list[Outcome]) -> str:
    """A few aligned lines for the terminal."""
    verdicts = Counter(outcome.verdict for outcome in outcomes)
    rows = [
        ("expectations", ", ".join(_counted(number, verdict) for verdict, number in verdicts.items())),
        ("rejected files", f"{len(facts.rejects):,} of {len(facts.images) + len(facts.rejects):,}"),
    ]
    if not facts.missing_columns:
        near = sum(not copies.exact for copies in facts.copies)
        copies = (
            f"{facts.extra_copies:,} beyond the first of {len(facts.copies):,} pictures, {near:,} of them near-copies"
        )
        rows += [
            ("copies", copies if facts.copies else "none"),
            ("largest group", f"{facts.largest_group:,} image{'s' * (facts.largest_group > 1)}, kept in one split"),
            ("conflicts", f"{len(facts.conflicts):,} under more than one label" if facts.conflicts else "none"),
        ]
        if facts.several_pictures:
            rows.append(("several in one", several(facts)))
    lines = [f"validate: {len(facts.images):,} images, {len(facts.classes):,} classes"]
    lines += [f"  {name:<14}  {text}" for name, text in rows]
    lines += [f"    warning: {copies.named}" for copies in facts.conflicts[:TOLD]]
    if len(facts.conflicts) > TOLD:
        lines.append(f"    … and {len(facts.conflicts) - TOLD:,} more in validation.json")
    for outcome in outcomes:
        if outcome.verdict == "warning" and outcome.check.key != "conflicts":
            examples = f" ({'; '.join(outcome.examples)})" if outcome.examples else ""
            found = f"found {outcome.found_text}, allowed {outcome.allowed_text}"
            lines.append(f"  warning: {outcome.check.name}: {found}{examples}")
    if is_uneven(facts):
        lines.append(f"  note: {unevenness(facts)}")
    return "\n".join(lines)


def _counted(number: int, verdict: str) -> str:
    return f"{number} {verdict}{'s' * (verdict == 'warning' and number > 1)}"


def several(facts: Facts) -> str:
    """That files hold more pictures than count, with the first few names."""
    paths = facts.several_pictures
    names = ", ".join(paths[:NAMED]) + (f" and {len(paths) - NAMED:,} more" if len(paths) > NAMED else "")
    hold = "file holds" if len(paths) == 1 else "files hold"
    return f"{len(paths):,} {hold} several pictures (animations, pages); the first counts: {names}"


def is_uneven(facts: Facts) -> bool:
    """Whether a remedy for classes of unequal size is worth a word."""
    return not facts.missing_columns and facts.overall["imbalance_ratio"].item() >= UNEVEN


def unevenness(facts: Facts) -> str:
    """What unequal classes call for."""
    ratio = facts.overall["imbalance_ratio"].item()
    return (
        f"the largest class has {ratio:.1f} times the images of the smallest: `train.balance: weights` counts the rare ones "
        "more in training, `sampler` shows them more often"
    )


def stop_if_broken(outcomes: list[Outcome], page: Path) -> None:
    """Stop the line where an outcome demands it.

    Raises:
        DarkroomError: naming every such expectation, what was found, what is allowed, what to do, and the page.
    """
    broken = [outcome for outcome in outcomes if outcome.stops_the_line]
    if not broken:
        return
    lines = []
    for outcome in broken:
        if outcome.status == "errored":
            lines.append(f"\n  - {outcome.check.name}: could not be checked: {outcome.error}")
            continue
        examples = f" ({'; '.join(outcome.examples)})" if outcome.examples else ""
        found = f"found {outcome.found_text}, allowed {outcome.allowed_text}{examples}"
        lines.append(f"\n  - {outcome.check.name}: {found}\n    {outcome.check.remedy}")
    are = "expectation of the data is" if len(broken) == 1 else "expectations of the data are"
    raise DarkroomError(
        f"{len(broken)} {are} not met, so the line stops here:{''.join(lines)}\nwhat was found, with pictures: {page}"
    )
