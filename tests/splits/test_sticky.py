"""Growth: whatever arrives, nothing that was placed moves, copies follow, and no written group straddles two splits."""

import hashlib
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from darkroom.runtime.errors import DarkroomError
from darkroom.splits.rule import NOWHERE, Images, Wish, apply_rule
from darkroom.splits.sticky import keep_places
from darkroom.splits.table import place_table, recall


@dataclass(frozen=True)
class Picture:
    """An image of a made-up source: `content` for its bytes, `claim` for the source's split."""

    path: int
    content: int
    claim: str | None = None

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


def place(pictures: list[Picture], links: Links, wish: Wish, table: Path, remember: bool, fold: int = 0) -> Table:
    """What the split stage does, between reading and writing: the rows of the table by id."""
    manifest = pa.table(
        {
            "id": [picture.id for picture in pictures],
            "sha256": [sha(picture.content) for picture in pictures],
            "source_split": pa.array([picture.claim for picture in pictures], pa.string()),
            "timestamp": pa.nulls(len(pictures), pa.timestamp("us", tz="UTC")),
        }
    )
    images = Images.of(manifest, pa.table({"group": group_all(pictures, links)}))
    recalled = recall(table if remember else None, wish, manifest, images)
    parts = keep_places(recalled.parts, apply_rule(images, wish).parts, images)
    made = place_table(manifest, images, parts, wish, fold)
    pq.write_table(made, table)
    return {row["id"]: row for row in made.to_pylist()}


@st.composite
def growths(draw: st.DrawFn) -> tuple[list[Picture], list[Picture], Links]:
    """Old images, all images, and near-copies among their contents."""
    contents = draw(st.lists(st.integers(0, 9), min_size=1, max_size=14))
    paths = draw(st.permutations(range(len(contents))))
    claims = [draw(st.sampled_from([None, None, None, "train", "validation", "test"])) for _ in contents]
    pictures = [Picture(*row) for row in zip(paths, contents, claims, strict=True)]
    old = draw(st.integers(1, len(pictures)))
    links = draw(st.frozensets(st.tuples(st.integers(0, 9), st.integers(0, 9)), max_size=6))
    return pictures[:old], pictures, links


WISHES = st.builds(Wish, st.just(0.3), st.just(0.3), st.integers(0, 9), st.sampled_from([None, 3]))


@pytest.fixture(scope="module")
def table(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("splits") / "splits.parquet"


@given(growths(), WISHES)
def test_nothing_moves_nothing_straddles_and_copies_of_test_images_are_tested(
    table: Path, growth: tuple[list[Picture], list[Picture], Links], wish: Wish
) -> None:
    old, pictures, links = growth
    before = place(old, links, wish, table, remember=False)
    after = place(pictures, links, wish, table, remember=True)
    for image, row in before.items():
        assert (after[image]["split"], after[image]["fold"]) == (row["split"], row["fold"])
    splits: dict[object, set[object]] = {}
    for row in after.values():
        splits.setdefault(row["group"], set()).add((row["split"], row["fold"]))
    assert all(len(found) == 1 for found in splits.values())
    where = {picture.content: before[picture.id]["split"] for picture in old}
    assert all(after[p.id]["split"] == where[p.content] for p in pictures if p.content in where)
    assert place(pictures, links, wish, table, remember=True) == after


@given(growths(), WISHES, st.randoms())
def test_the_order_of_arrivals_does_not_matter(
    table: Path, growth: tuple[list[Picture], list[Picture], Links], wish: Wish, chance: object
) -> None:
    old, pictures, links = growth
    shuffled = list(pictures)
    chance.shuffle(shuffled)  # type: ignore[attr-defined]
    place(old, links, wish, table, remember=False)
    one = place(pictures, links, wish, table, remember=True)
    place(old[::-1], links, wish, table, remember=False)
    assert place(shuffled, links, wish, table, remember=True) == one


@given(growths(), WISHES)
def test_grown_is_as_from_nothing_where_near_copies_come_after_their_first(
    table: Path, growth: tuple[list[Picture], list[Picture], Links], wish: Wish
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
    place(old, late, wish, table, remember=False)
    place(pictures, late, wish, table, remember=True)
    grown = table.read_bytes()
    place(pictures, late, wish, table, remember=False)
    assert table.read_bytes() == grown


@given(growths(), st.integers(0, 5))
def test_another_fold_to_validate_on_moves_no_image_to_another_fold(
    table: Path, growth: tuple[list[Picture], list[Picture], Links], seed: int
) -> None:
    old, pictures, links = growth
    wish = Wish(0.2, 0.2, seed, folds=3)
    place(old, links, wish, table, remember=False)
    first = place(pictures, links, wish, table, remember=True, fold=0)
    other = place(pictures, links, wish, table, remember=True, fold=2)
    for image, row in first.items():
        assert other[image]["fold"] == row["fold"] and other[image]["group"] == row["group"]
        expected = {0: "train", 1: "train", 2: "validation"}.get(row["fold"], row["split"])  # type: ignore[call-overload]
        assert other[image]["split"] == expected


def far_apart(wish: Wish) -> tuple[Picture, Picture]:
    """A training and a test image."""
    drawn: dict[str, Picture] = {}
    for content in range(100):
        manifest = pa.table({"sha256": [sha(content)], "source_split": pa.nulls(1, pa.string())})
        manifest = manifest.append_column("timestamp", pa.nulls(1, pa.timestamp("us", tz="UTC")))
        images = Images.of(manifest, pa.table({"group": [sha(content)]}))
        drawn.setdefault(wish.splits(0)[apply_rule(images, wish).parts[0]], Picture(content, content))
    return drawn["train"], drawn["test"]


WISH = Wish(0.1, 0.3, 0)


def test_a_near_copy_of_a_training_and_a_test_image_is_withheld_and_exact_copies_are_not(table: Path) -> None:
    train, test = far_apart(WISH)
    before = place([train, test], frozenset(), WISH, table, remember=False)
    link, copies = Picture(500, 500), [Picture(501, train.content), Picture(502, test.content)]
    links = frozenset({(train.content, 500), (500, test.content)})
    after = place([train, test, link, *copies], links, WISH, table, remember=True)
    assert [after[p.id]["split"] for p in (train, test, link, *copies)] == [
        "train",
        "test",
        "withheld",
        "train",
        "test",
    ]
    assert len({after[p.id]["group"] for p in (train, test, link)}) == 3
    assert before[train.id]["group"] != after[train.id]["group"] == after[copies[0].id]["group"]
    # With the test image gone, nothing keeps the link out of training.
    assert place([train, link], links, WISH, table, remember=True)[link.id]["split"] == "train"


def test_what_the_source_says_later_about_an_old_image_counts_and_about_a_new_copy_does_not(table: Path) -> None:
    train, test = far_apart(WISH)
    place([train, test], frozenset(), WISH, table, remember=False)
    claimed = Picture(700, 700, "test")
    links = frozenset({(train.content, 700)})
    for _ in range(2):
        after = place([train, test, claimed], links, WISH, table, remember=True)
        assert after[train.id]["split"] == after[claimed.id]["split"] == "train"
    moved = Picture(train.path, train.content, "test")
    after = place([moved, test, claimed], links, WISH, table, remember=True)
    assert {row["split"] for row in after.values()} == {"test"}


def test_a_source_that_brings_a_test_split_later_leaves_the_drawn_one_in_place(table: Path) -> None:
    train, test = far_apart(WISH)
    place([train, test], frozenset(), WISH, table, remember=False)
    after = place([train, test, Picture(900, 900, "test")], frozenset(), WISH, table, remember=True)
    assert [row["split"] for row in after.values()] == ["train", "test", "test"]


@pytest.mark.parametrize("wish", [Wish(0.1, 0.3, 1), Wish(0.2, 0.3, 0), Wish(0.1, 0.3, 0, folds=3)])
def test_other_settings_place_anew(table: Path, wish: Wish) -> None:
    pictures = [Picture(number, number) for number in range(50)]
    place(pictures, frozenset(), WISH, table, remember=False)
    grown = place(pictures, frozenset(), wish, table, remember=True)
    assert grown == place(pictures, frozenset(), wish, table, remember=False)


def test_the_settings_that_changed_are_named_and_a_damaged_table_is_an_error(table: Path) -> None:
    pictures = [Picture(1, 1)]
    place(pictures, frozenset(), WISH, table, remember=False)
    manifest = pa.table({"id": [pictures[0].id], "sha256": [sha(1)], "source_split": pa.nulls(1, pa.string())})
    manifest = manifest.append_column("timestamp", pa.nulls(1, pa.timestamp("us", tz="UTC")))
    images = Images.of(manifest, pa.table({"group": [sha(1)]}))
    recalled = recall(table, Wish(0.1, 0.3, 7), manifest, images)
    assert recalled.changed == ["split.seed was 0 and is 7"] and recalled.parts.tolist() == [NOWHERE]
    pq.write_table(pq.read_table(table).replace_schema_metadata({}), table)
    assert "made by another rule" in recall(table, WISH, manifest, images).changed[0]
    table.write_bytes(table.read_bytes()[:-20])
    with pytest.raises(DarkroomError, match=r"can't be read.*dvc checkout"):
        recall(table, WISH, manifest, images)
