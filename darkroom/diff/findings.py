"""What a pull request may be refused for, and a difference as JSON for programs."""

from dataclasses import asdict
from typing import Any

from darkroom.diff.difference import Difference
from darkroom.diff.relabels import Relabels
from darkroom.diff.text import changes, leak_found
from darkroom.runtime.text import count

# Each with what it stands for.
FINDINGS = {
    "leak": "copies, or a group, in several splits",
    "conflict": "a picture under several labels that was not before",
    "test-changed": "a test image relabelled, removed or moved to another split",
}


def findings(difference: Difference) -> dict[str, str]:
    """What there is of `FINDINGS`, each in a sentence; also what could not be checked."""
    found = {}
    if leak_found(difference) is None:
        found["leak"] = "not checked: groups or splits are not known"
    elif difference.leaks is not None and not difference.leaks.images.empty:
        found["leak"] = count(difference.leaks.images["set"].nunique(), "group") + " in several splits"
    if not difference.conflicts_added.empty:
        found["conflict"] = count(difference.conflicts_added["set"].nunique(), "picture") + " under several labels"
    if difference.test_changed is None:
        found["test-changed"] = "not checked: splits are not known on both sides"
    elif not difference.test_changed.empty:
        found["test-changed"] = count(len(difference.test_changed), "test image") + " relabelled, removed or moved"
    return found


def to_json(difference: Difference, relabels: list[Relabels]) -> dict[str, Any]:
    """The numbers, and the paths of what was found; JSON has no images and no shifts."""
    tested = difference.test_changed
    return {
        "before": difference.before,
        "after": difference.after,
        "images": list(difference.images),
        "same": difference.data_is_equal,
        "changes": changes(difference),
        "classes": difference.classes.to_dict("records"),
        "splits": None if difference.splits is None else difference.splits.to_dict("records"),
        "relabels": [asdict(each) for each in relabels],
        "test_changed": None if tested is None else tested.to_dict("records"),
        "leaks": None
        if difference.leaks is None
        else difference.leaks.images[["set", "path", "split"]].to_dict("records"),
        "conflicts": difference.conflicts_added[["set", "path", "label"]].to_dict("records"),
        "scores": {
            name: {side: found and asdict(found) for side, found in zip(("before", "after"), sides, strict=True)}
            for name, sides in difference.scores.items()
        },
        "findings": findings(difference),
        "remarks": list(difference.remarks),
    }
