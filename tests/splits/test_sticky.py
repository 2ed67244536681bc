"""Growth: whatever arrives, no image moves to another split, copies follow, and no written group is in two splits."""

import hashlib
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from darkroom.runtime.errors import DarkroomError
from darkroom.splits.assignment import assign
from darkroom.splits.previous_split import read_previous_split
from darkroom.splits.rule import NO_PARTITION, SplitConfig, SplitInput, draw
from darkroom.splits.table import write_split_table


@dataclass(frozen=True)
class Picture:
    """An image of a made-up source: `content` for its bytes."""

    path: int
    content: int
    source_split: str | None = None

    @property
    def id(self) -> str:
        return hashlib.sha256(f"{self.path} {self.content}".encode()).hexdigest()[:16]


def sha(content: int) -> str:
    return hashlib.sha256(str(content).encode()).hexdigest()


Links = frozenset[tuple[int, int]]
Table = dict[str, dict[str, object]]


def group_all(pictures: list[Picture], links: Links) -> list[str]:
    """Equal contents and linked contents form groups, as the validate stage makes them: named by the first path's hash."""
    mates = {picture.content: {picture.content} for picture in pictures}
    for one, other in links:
        if one in mates and other in mates:
            joined = mates[one] | mates[other]
            for content in joined:
                mates[content] = joined
    lead = {
        content: min((p for p in pictures if p.content in group), key=lambda p: p.path).content
        for content, group in mates.items()
    }
    return [sha(lead[picture.content]) for picture in pictures]


def tables_of(pictures: list[Picture], links: Links = frozenset()) -> tuple[pa.Table, SplitInput]:
    """The groups of pictures of one class, and what the rule takes."""
    manifest = pa.table(
        {
            "id": [picture.id for picture in pictures],
            "sha256": [sha(picture.content) for picture in pictures],
            "label": ["one"] * len(pictures),
            "source_split": pa.array([picture.source_split for picture in pictures], pa.string()),
            "timestamp": pa.nulls(len(pictures), pa.timestamp("us", tz="UTC")),
        }
    )
    groups = pa.table({"id": manifest["id"], "group": group_all(pictures, links)})
    return groups, SplitInput.of([(manifest, groups)], ("one",))


def run_split(
    pictures: list[Picture], links: Links, config: SplitConfig, table: Path, sticky: bool, fold: int = 0
) -> Table:
    """What the split stage does, between reading and writing: the rows of the table by id, without those of `MANY`."""
    shown, pictures = {picture.id for picture in pictures}, [*pictures, *MANY]
    groups, images = tables_of(pictures, links)
    previous = read_previous_split(table if sticky else None, config, images)
    partitions = assign(images, config, previous.partitions).partitions
    write_split_table([groups], images, partitions, config, fold, table)
    return {row["id"]: row for row in pq.read_table(table).to_pylist() if row["id"] in shown}


# With these the class has enough groups for the draw.
MANY = [Picture(10_000 + number, 10_000 + number) for number in range(120)]

REPEATED = settings(max_examples=40)


@st.composite
def growths(draw: st.DrawFn) -> tuple[list[Picture], list[Picture], Links]:
    """Old images, all images, and near-copies among their contents."""
    contents = draw(st.lists(st.integers(0, 9), min_size=1, max_size=14))
    paths = draw(st.permutations(range(len(contents))))
    source_splits = [draw(st.sampled_from([None, None, None, "train", "validation", "test"])) for _ in contents]
    pictures = [Picture(*row) for row in zip(paths, contents, source_splits, strict=True)]
    old = draw(st.integers(1, len(pictures)))
    links = draw(st.frozensets(st.tuples(st.integers(0, 9), st.integers(0, 9)), max_size=6))
    return pictures[:old], pictures, links


CONFIGS = st.builds(SplitConfig, st.just(0.3), st.just(0.3), st.integers(0, 9), st.sampled_from([None, 3]))


@pytest.fixture(scope="module")
def table(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("splits") / "splits.parquet"


def brought(pictures: list[Picture], config: SplitConfig) -> set[str]:
    """The splits that the source brings."""
    found = {split for picture in pictures if (split := picture.source_split)}
    return found & ({"test"} if config.folds else {"test", "validation"})


@REPEATED
@given(growths(), CONFIGS)
def test_nothing_moves_but_copies_of_what_the_source_brings_which_are_excluded(
    table: Path, growth: tuple[list[Picture], list[Picture], Links], config: SplitConfig
) -> None:
    old, pictures, links = growth
    before = run_split(old, links, config, table, sticky=False)
    after = run_split(pictures, links, config, table, sticky=True)
    assert run_split(pictures, links, config, table, sticky=True) == after
    splits: dict[object, set[object]] = {}
    for row in after.values():
        splits.setdefault(row["group"], set()).add((row["split"], row["fold"]))
    assert all(len(found) == 1 for found in splits.values())
    if "test" in brought(pictures, config):
        assert all((row["split"] == "test") == (row["source_split"] == "test") for row in after.values())
    if brought(old, config) != brought(pictures, config):
        return
    groups = dict(zip((p.id for p in pictures), group_all(pictures, links), strict=True))
    decided = {groups[p.id] for p in pictures if p.source_split in brought(pictures, config)}
    for image, row in before.items():
        if row["split"] != "excluded" and (after[image]["split"], after[image]["fold"]) != (row["split"], row["fold"]):
            assert after[image]["split"] == "excluded" and groups[image] in decided
    where = {p.content: before[p.id]["split"] for p in old if groups[p.id] not in decided}
    assert all(after[p.id]["split"] == where[p.content] for p in pictures if p.content in where)


@REPEATED
@given(growths(), CONFIGS, st.randoms())
def test_the_order_of_arrivals_does_not_matter(
    table: Path, growth: tuple[list[Picture], list[Picture], Links], config: SplitConfig, random: object
) -> None:
    old, pictures, links = growth
    shuffled = list(pictures)
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    run_split(old, links, config, table, sticky=False)
    one = run_split(pictures, links, config, table, sticky=True)
    run_split(old[::-1], links, config, table, sticky=False)
    assert run_split(shuffled, links, config, table, sticky=True) == one


@REPEATED
@given(growths(), CONFIGS)
def test_grown_is_as_from_nothing_where_near_copies_come_after_their_first(
    table: Path, growth: tuple[list[Picture], list[Picture], Links], config: SplitConfig
) -> None:
    old, pictures, links = growth
    # Late pictures get later paths, and each near-copy links to one old content at most; the source divides nothing.
    old = [Picture(p.path, p.content) for p in old]
    pictures = old + [Picture(100 + p.path, p.content) for p in pictures[len(old) :]]
    known = {picture.content for picture in old}
    firsts: dict[int, int] = {}
    for one, other in sorted(links):
        if one in known and other not in known:
            firsts.setdefault(other, one)
    late = frozenset((one, other) for other, one in firsts.items())
    run_split(old, late, config, table, sticky=False)
    run_split(pictures, late, config, table, sticky=True)
    grown = table.read_bytes()
    run_split(pictures, late, config, table, sticky=False)
    assert table.read_bytes() == grown


@REPEATED
@given(growths(), st.integers(0, 5))
def test_another_fold_to_validate_on_moves_no_image_to_another_fold(
    table: Path, growth: tuple[list[Picture], list[Picture], Links], seed: int
) -> None:
    old, pictures, links = growth
    config = SplitConfig(0.2, 0.2, seed, folds=3)
    run_split(old, links, config, table, sticky=False)
    first = run_split(pictures, links, config, table, sticky=True, fold=0)
    other = run_split(pictures, links, config, table, sticky=True, fold=2)
    for image, row in first.items():
        assert other[image]["fold"] == row["fold"] and other[image]["group"] == row["group"]
        expected = {0: "train", 1: "train", 2: "validation"}.get(row["fold"], row["split"])  # type: ignore[call-overload]
        assert other[image]["split"] == expected


def far_apart(config: SplitConfig) -> tuple[Picture, Picture]:
    """A training and a test image."""
    sampled: dict[str, Picture] = {}
    for content in range(100):
        picture = Picture(content, content)
        sampled.setdefault(config.splits(0)[draw(tables_of([picture])[1], config).partitions[0]], picture)
    return sampled["train"], sampled["test"]


CONFIG = SplitConfig(0.1, 0.3, 0)


def test_a_near_copy_of_a_training_and_a_test_image_is_excluded_and_exact_copies_are_not(table: Path) -> None:
    train, test = far_apart(CONFIG)
    before = run_split([train, test], frozenset(), CONFIG, table, sticky=False)
    link, copies = Picture(500, 500), [Picture(501, train.content), Picture(502, test.content)]
    links = frozenset({(train.content, 500), (500, test.content)})
    after = run_split([train, test, link, *copies], links, CONFIG, table, sticky=True)
    assert [after[p.id]["split"] for p in (train, test, link, *copies)] == [
        "train",
        "test",
        "excluded",
        "train",
        "test",
    ]
    assert len({after[p.id]["group"] for p in (train, test, link)}) == 3
    assert before[train.id]["group"] != after[train.id]["group"] == after[copies[0].id]["group"]
    # With the test image gone, nothing keeps the link out of training.
    assert run_split([train, link], links, CONFIG, table, sticky=True)[link.id]["split"] == "train"


def test_a_test_image_that_the_source_brings_later_is_tested_and_its_old_copy_is_trained_on_no_more(
    table: Path,
) -> None:
    train, other = Picture(1, 1), Picture(2, 2, "test")
    links = frozenset({(1, 700)})
    assert run_split([train, other], links, CONFIG, table, sticky=False)[train.id]["split"] != "test"
    late, near = Picture(700, 700, "test"), Picture(701, 1)
    for _ in range(2):
        after = run_split([train, other, late, near], links, CONFIG, table, sticky=True)
        assert [after[p.id]["split"] for p in (train, other, late, near)] == ["excluded", "test", "test", "excluded"]
        assert len({row["group"] for row in after.values()}) == 3
    # With the test image gone, nothing keeps the copies out.
    after = run_split([train, other, near], links, CONFIG, table, sticky=True)
    assert after[train.id]["split"] == after[near.id]["split"] in ("train", "validation")


def test_a_test_split_that_the_source_brings_later_takes_the_place_of_the_sampled_one(table: Path) -> None:
    train, test = far_apart(CONFIG)
    run_split([train, test], frozenset(), CONFIG, table, sticky=False)
    late = Picture(900, 900, "test")
    after = run_split([train, test, late], frozenset(), CONFIG, table, sticky=True)
    assert after == run_split([train, test, late], frozenset(), CONFIG, table, sticky=False)
    assert [row["split"] == "test" for row in after.values()] == [False, False, True]
    again = run_split([train, test], frozenset(), CONFIG, table, sticky=True)
    assert [row["split"] for row in again.values()] == ["train", "test"]


def test_a_copy_that_an_earlier_rule_put_into_the_sources_test_split_leaves_it(table: Path) -> None:
    pictures = [Picture(1, 1, "test"), Picture(2, 1, "train"), Picture(3, 3, "train"), Picture(4, 4, "train")]
    run_split(pictures, frozenset(), CONFIG, table, sticky=False)
    written = pq.read_table(table)
    earlier = written.set_column(1, "split", pa.array([*["test"] * 3, *written["split"].to_pylist()[3:]]))
    pq.write_table(earlier, table)
    after = run_split(pictures, frozenset(), CONFIG, table, sticky=True)
    splits = [row["split"] for row in after.values()]
    assert splits[:2] == ["test", "excluded"] and splits[2] in ("train", "validation")


@pytest.mark.parametrize(
    "config", [SplitConfig(0.1, 0.3, 1), SplitConfig(0.2, 0.3, 0), SplitConfig(0.1, 0.3, 0, folds=3)]
)
def test_other_settings_assign_again(table: Path, config: SplitConfig) -> None:
    pictures = [Picture(number, number) for number in range(50)]
    run_split(pictures, frozenset(), CONFIG, table, sticky=False)
    grown = run_split(pictures, frozenset(), config, table, sticky=True)
    assert grown == run_split(pictures, frozenset(), config, table, sticky=False)


def test_the_settings_that_changed_are_listed_and_a_damaged_table_is_an_error(table: Path) -> None:
    pictures = [Picture(1, 1)]
    run_split(pictures, frozenset(), CONFIG, table, sticky=False)
    _, images = tables_of(pictures)
    previous = read_previous_split(table, SplitConfig(0.1, 0.3, 7), images)
    assert previous.changed == ["split.seed was 0 and is 7"] and previous.partitions.tolist() == [NO_PARTITION]
    pq.write_table(pq.read_table(table).replace_schema_metadata({}), table)
    assert "made by another rule" in read_previous_split(table, CONFIG, images).changed[0]
    table.write_bytes(table.read_bytes()[:-20])
    with pytest.raises(DarkroomError, match=r"can't be read.*dvc checkout"):
        read_previous_split(table, CONFIG, images)
