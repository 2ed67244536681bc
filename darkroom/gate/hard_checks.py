"""The checks that come first: the data was validated, the bundle predicts as evaluated, test changes have a reviewer."""

from dataclasses import dataclass
from typing import Any

from darkroom.compare.labelled import DataSplits
from darkroom.gate.reasons import Reason
from darkroom.gate.sides import Side
from darkroom.runtime.files import file_hash
from darkroom.runtime.inputs import read_input_json, read_input_table
from darkroom.runtime.paths import EXPORT_REPORTS, INGEST, VALIDATE_REPORTS
from darkroom.runtime.revisions import Revision
from darkroom.runtime.text import count

VALIDATION, PARITY = VALIDATE_REPORTS / "validation.json", EXPORT_REPORTS / "parity.json"


def validation_check(revision: Revision) -> Reason:
    """Whether the data met its expectations."""
    if not revision.has(str(VALIDATION)):
        return Reason("validation", False, f"{revision.name} has no {VALIDATION}: run `dvc repro validate`.")
    content = read_input_json(revision.get(str(VALIDATION)), {"stops_the_line": bool, "expectations": list})
    if content["stops_the_line"]:
        broken = [str(each["name"]) for each in content["expectations"] if each["stops"] and each["status"] != "passed"]
        return Reason(
            "validation", False, f"The data breaks an expectation: {', '.join(broken[:3])}.", {"broken": broken}
        )
    return Reason(
        "validation", True, f"The data met all {count(len(content['expectations']), 'expectation')} that count."
    )


def parity_check(candidate: Side, revision: Revision) -> Reason:
    """Whether `export` compared the very graph that ships with the evaluated model, and found it within its limits."""
    if not revision.has(str(PARITY)):
        return Reason("parity", False, f"{revision.name} has no {PARITY}: run `dvc repro export`.")
    content = read_input_json(revision.get(str(PARITY)), {"graphs": dict})
    graph = candidate.bundle.graph
    entry = content["graphs"].get(graph)
    if entry is None or entry["sha256"] != file_hash(candidate.bundle.folder / graph):
        return Reason(
            "parity", False, f"{graph} of this bundle is not the one that {PARITY} compared: run `dvc repro export`."
        )
    limit, numbers = entry["limit"], {name: entry[name] for name in ("largest_difference", "label_agreement")}
    within = entry["largest_difference"] <= limit.get("probability_difference", 1) and 1 - entry[
        "label_agreement"
    ] <= limit.get("label_disagreement", 1)
    words = f"{graph} gives {entry['label_agreement']:.2%} of the test images the class that the evaluated model gives"
    return Reason("parity", within, f"{words}{'' if within else ', and less than export allows'}.", numbers)


@dataclass(frozen=True)
class SplitChanges:
    """Test images of the champion that the candidate's test split has otherwise.

    Attributes:
        relabelled, removed: their paths, without those that have a reviewer.
        reviewed: how many have one, by a label fix.
    """

    relabelled: list[str]
    removed: list[str]
    reviewed: int


def find_changes(champion: DataSplits, candidate: DataSplits, revision: Revision) -> SplitChanges:
    """Compare two test splits by the images' bytes, so that a moved file is the same image.

    Args:
        champion, candidate: their images and splits.
        revision: of the candidate, for the images that reviewers removed.
    """
    now = {each["sha256"]: each for each in candidate.images.take(candidate.rows("test")).to_pylist()}
    rejects = f"{INGEST}/rejects.parquet"
    by_reviewer: set[str] = set()
    if revision.has(rejects):
        table: list[dict[str, Any]] = read_input_table(revision.get(rejects), ["sha256", "reviewer"]).to_pylist()
        by_reviewer = {str(each["sha256"]) for each in table if each["reviewer"]}
    relabelled, removed, reviewed = [], [], 0
    for then in champion.images.take(champion.rows("test")).to_pylist():
        found = now.get(then["sha256"])
        if found is None and then["sha256"] not in by_reviewer:
            removed.append(then["path"])
        elif found is not None and found["label"] != then["label"] and found["source_label"] is None:
            relabelled.append(found["path"])
        elif found is None or found["label"] != then["label"]:
            reviewed += 1
    return SplitChanges(sorted(relabelled), sorted(removed), reviewed)


def changes_check(champion: Side, candidate: DataSplits, revision: Revision, accepted: bool) -> Reason:
    """Whether every relabelled or removed test image has a reviewer: by a label fix, or by whoever accepts the changes."""
    if champion.data is None:
        words = f"Whether test images were relabelled or removed is not known: {champion.unknown}."
        return Reason("test changes", True, words)
    found = find_changes(champion.data, candidate, revision)
    numbers = {"relabelled": len(found.relabelled), "removed": len(found.removed), "reviewed": found.reviewed}
    if not found.relabelled and not found.removed:
        reviewed = f", apart from {found.reviewed:,} by label fixes" if found.reviewed else ""
        return Reason("test changes", True, f"No test image was relabelled or removed{reviewed}.", numbers)
    first = (found.relabelled or found.removed)[0]
    words = (
        f"Of the champion's test images {len(found.relabelled):,} were relabelled and {len(found.removed):,} are in the test "
        f"split no more without a label fix; the first is {first}"
    )
    if accepted:
        return Reason("test changes", True, f"{words}. This was accepted.", numbers)
    remedy = "look at them with `python -m darkroom.diff`, and accept them with `--accept-test-changes`"
    return Reason("test changes", False, f"{words}: {remedy}.", numbers, "hold")
