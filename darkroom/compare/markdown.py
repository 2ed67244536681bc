"""A comparison as Markdown for a terminal or a pull request: the most important first."""

from darkroom.compare.comparison import Comparison
from darkroom.compare.text import class_verdict, missing, points, score_rows, tag, verdict
from darkroom.drawing.markdown import bullets, code, table

CLASSES, LISTED = 20, 5


def to_markdown(found: Comparison) -> str:
    """The whole text; equal comparisons give equal text."""
    finding, numbers = verdict(found)
    parts = [
        f"## Models: {code(found.before.name)} → {code(found.after.name)}",
        f"**{finding}** {numbers}",
        class_verdict(found),
        table(["Score", "Before", "After", f"Change ({100 * found.level:g}% interval)"], score_rows(found)),
        f"Right in both {found.both_right:,}, only before {len(found.lost):,}, only after {len(found.won):,}, in neither "
        f"{found.both_wrong:,} ({found.other_mistake:,} of them with another mistake).",
        _class_table(found),
        _flips("Right before, wrong after", found, found.lost.tolist()),
        _flips("Wrong before, right after", found, found.won.tolist()),
        "\n".join(f"> {sentence}  " for sentence in missing(found)),
    ]
    return "\n\n".join(filter(None, parts)) + "\n"


def _class_table(found: Comparison) -> str:
    changed = [each for each in found.classes if each.only_before or each.only_after]
    rows = [
        [
            code(each.name),
            f"{each.images:,}",
            f"{each.right_before:,}",
            f"{each.right_after:,}",
            points(each.recall),
            f"{each.adjusted_p:.3f}",
            tag(each, found.level),
        ]
        for each in changed[:CLASSES]
    ]
    if not rows:
        return ""
    more = f"\n\n{len(changed) - CLASSES:,} more classes changed." if len(changed) > CLASSES else ""
    return table(["Class", "Images", "Right before", "After", "Recall", "p (Holm)", ""], rows) + more


def _flips(title: str, found: Comparison, rows: list[int]) -> str:
    if not rows:
        return ""
    names, shared = found.shared.classes.names, found.shared
    told = [
        f"{code(shared.paths[row])} ({code(names[shared.labels[row]])}): {code(names[shared.before[row].argmax()])} "
        f"{shared.before[row].max():.1%} → {code(names[shared.after[row].argmax()])} {shared.after[row].max():.1%}"
        for row in rows[:LISTED]
    ]
    return bullets(title, len(rows), told)
