"""Copies planted among CIFAR-10's images: how many of them the groups find, and what else they join.

Measures: 300 exact copies and 300 others (`benchmarks.planting` says how they are made) of 600 images drawn at random; 100 of
the 600 stand under another label. Recall: the share of copies that are in the group of their original, for each kind.
Precision: of the pairs that the plants brought into groups, the share that are a copy and what it is a copy of; and of the
groups with a plant, the share with nothing foreign in them. What is grouped without the plants is natural and counted apart:
CIFAR-10 has near-copies of its own. Also: groups that straddle two splits (none may), conflicts named, and seconds. The
source's own division is left out, so that Darkroom divides the images. All in a temporary folder.

    python -m benchmarks.near_copies CIFAR_ZIP
"""

import argparse
import json
from collections import defaultdict
from itertools import combinations
from pathlib import Path

import pyarrow.parquet as pq

from benchmarks.pictures import read_pictures, write_zip
from benchmarks.planting import KINDS, RELABELLED, Plant, flat, plant
from benchmarks.repository import copy_repository, run, source_settings, stage_seconds, temporary_home
from benchmarks.rounds import print_table
from darkroom.images.manifest import read_manifest

Pair = tuple[str, str]

# Shown of each kind.
NAMED = 5


def read_groups(repository: Path) -> dict[str, str]:
    """Path → group."""
    paths = read_manifest(repository / "data/ingest", ["path"])["path"].to_pylist()
    groups = pq.read_table(repository / "data/validate/groups.parquet")["group"].to_pylist()
    return dict(zip(paths, groups, strict=True))


def members(group_of: dict[str, str]) -> list[list[str]]:
    """The groups of several images."""
    groups = defaultdict(list)
    for path, group in group_of.items():
        groups[group].append(path)
    return [paths for paths in groups.values() if len(paths) > 1]


def judge(groups: list[list[str]], without: dict[str, str], plants: list[Plant]) -> tuple[int, list[Pair], list[Pair]]:
    """Pairs that share a group only because of the plants.

    A plant stands for its original: where the originals of a pair share a group without the plants, the pair is natural, and
    counts neither way.

    Returns:
        How many pairs are a copy and what it is a copy of; pairs of a plant and a foreign image; pairs of two originals that
        a plant joined: both may show one picture all the same, as CIFAR-10 has families of near-copies.
    """
    original = {one.path: one.original for one in plants}
    right = 0
    foreign: list[Pair] = []
    joined: list[Pair] = []
    for one, other in (pair for paths in groups for pair in combinations(paths, 2)):
        first, second = original.get(one, one), original.get(other, other)
        if first == second:
            right += 1
        elif without[first] != without[second]:
            (foreign if one in original or other in original else joined).append((one, other))
    return right, foreign, joined


def straddling(repository: Path) -> int:
    """Groups that lie in two splits or more, by the groups of validate and the places of split."""
    groups = pq.read_table(repository / "data/validate/groups.parquet")["group"].to_pylist()
    splits = pq.read_table(repository / "data/split/splits.parquet")["split"].to_pylist()
    found = defaultdict(set)
    for group, split in zip(groups, splits, strict=True):
        found[group].add(split)
    return sum(len(places) > 1 for places in found.values())


def named_conflicts(repository: Path, plants: list[Plant]) -> int:
    """Relabelled plants that validation names together with their originals."""
    validation = json.loads((repository / "reports/validate/validation.json").read_text(encoding="utf-8"))
    conflicts = [set(conflict["paths"]) for conflict in validation["conflicts"]]
    return sum(any({one.path, one.original} <= conflict for conflict in conflicts) for one in plants if one.relabelled)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.near_copies", description=__doc__)
    parser.add_argument("source", type=Path, metavar="CIFAR_ZIP")
    parser.add_argument("--images", type=int, help="take so many at most, evenly spaced (all)")
    chosen = parser.parse_args()
    originals = flat(read_pictures(chosen.source, chosen.images))
    copies, plants = plant(originals)
    with temporary_home() as home:
        groups, seconds = {}, {}
        for name, pictures in (("without", originals), ("with", originals | copies)):
            source, repository = home / f"{name}.zip", home / name
            write_zip(pictures, source)
            copy_repository(repository, source_settings(source, source))
            for stage in ("survey", "ingest", "validate", "split"):
                run(repository, f"stages.{stage}")
            groups[name], seconds = read_groups(repository), stage_seconds(repository)
        straddle, conflicts = straddling(repository), named_conflicts(repository, plants)
    together = members(groups["with"])
    right, foreign, joined = judge(together, groups["without"], plants)
    planted, strange = {one.path for one in plants}, {path for pair in foreign for path in pair}
    with_plant = [paths for paths in together if planted.intersection(paths)]
    clean = sum(not strange.intersection(paths) for paths in with_plant)
    found = [one for one in plants if groups["with"][one.path] == groups["with"][one.original]]
    rows = []
    for kind, count in KINDS.items():
        hits = sum(one.kind == kind for one in found)
        rows.append((f"recall, {kind}", f"{hits / count:.1%}", f"{hits:,} of {count:,}"))
    pairs = right + len(foreign)
    rows += [
        ("recall, all", f"{len(found) / len(plants):.1%}", f"{len(found):,} of {len(plants):,}"),
        ("precision, pairs with a plant", f"{right / max(1, pairs):.1%}", f"{right:,} of {pairs:,}"),
        (
            "precision, groups with a plant",
            f"{clean / max(1, len(with_plant)):.1%}",
            f"{clean:,} of {len(with_plant):,}",
        ),
        ("pairs of originals joined by plants", f"{len(joined):,}", "the first are named below"),
        ("groups in two splits", f"{straddle:,}", "of all groups"),
        ("conflicts named", f"{conflicts / RELABELLED:.1%}", f"{conflicts:,} of {RELABELLED:,}"),
    ]
    natural = members(groups["without"])
    rows.append(("groups among the originals", f"{len(natural):,}", f"{sum(map(len, natural)):,} images"))
    rows += [(f"seconds, {stage}", f"{taken:.1f}", "process start included") for stage, taken in seconds.items()]
    print(f"{chosen.source.name}: {len(originals):,} originals, {len(plants):,} planted copies\n")
    print_table(("", "found", ""), rows)
    for one in [one for one in plants if one not in found][:NAMED]:
        print(f"missed: {one.path}, {one.kind}, of {one.original}")
    for kind, listed in (("foreign", foreign), ("joined by a plant", joined)):
        for pair in listed[:NAMED]:
            print(f"{kind}: {' ≈ '.join(pair)}")
    for paths in natural[:NAMED]:
        print(f"natural: {' ≈ '.join(paths)}")


if __name__ == "__main__":
    main()
