"""What came of the expectations, told in JSON, on the terminal, and as the message that stops the line."""

from collections import Counter
from pathlib import Path

from darkroom.errors import DarkroomError
from darkroom.expectations.facts import Facts
from darkroom.expectations.outcomes import Outcome

# Conflicts named on the terminal; the reports name all.
TOLD = 10


def results(facts: Facts, outcomes: list[Outcome]) -> dict[str, object]:
    """The content of `validation.json`, which names every conflict."""
    stops = any(outcome.stops_the_line for outcome in outcomes)
    return {
        "stops_the_line": stops,
        "images": len(facts.images),
        "rejects": len(facts.rejects),
        "classes": facts.classes.to_dict("records"),
        "expectations": [outcome.to_dict() for outcome in outcomes],
        "copies": {
            "groups": len(facts.copies),
            "extra_images": sum(len(group.paths) - 1 for group in facts.copies),
        },
        "conflicts": [dict(zip(group.paths, group.labels, strict=True)) for group in facts.conflicts],
    }


def summary(facts: Facts, outcomes: list[Outcome]) -> str:
    """A few aligned lines for the terminal."""
    verdicts = Counter(outcome.verdict for outcome in outcomes)
    rows = [
        ("expectations", ", ".join(f"{number} {verdict}" for verdict, number in verdicts.items())),
        ("rejected files", f"{len(facts.rejects):,} of {len(facts.images) + len(facts.rejects):,}"),
    ]
    if not facts.missing_columns:
        extra = sum(len(group.paths) - 1 for group in facts.copies)
        rows += [
            ("exact copies", f"{extra:,}, each kept in the split of its first" if extra else "none"),
            ("conflicts", f"{len(facts.conflicts):,} under more than one label" if facts.conflicts else "none"),
        ]
    lines = [f"validate: {len(facts.images):,} images, {len(facts.classes):,} classes"]
    lines += [f"  {name:<14}  {text}" for name, text in rows]
    for group in facts.conflicts[:TOLD]:
        lines.append(f"    warning: {group.named}")
    if len(facts.conflicts) > TOLD:
        lines.append(f"    … and {len(facts.conflicts) - TOLD:,} more in validation.json")
    return "\n".join(lines)


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
