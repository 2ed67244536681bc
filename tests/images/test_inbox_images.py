"""The inbox beside a source: what is new joins it, what the source has gets its class, and nothing is lost in silence."""

import hashlib
import shutil
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from PIL import Image

from darkroom.images.manifest import read_manifest
from darkroom.labels.inbox import Correction, Inbox
from darkroom.runtime.paths import INBOX
from darkroom.sources.source import Location
from stages import ingest, survey


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Four images of two classes in `images/`, and an empty inbox."""
    monkeypatch.chdir(tmp_path)
    for number in range(4):
        path = tmp_path / f"images/{'cat' if number < 2 else 'dog'}/{number}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(picture(number, tmp_path))
    return tmp_path


def picture(number: int, root: Path) -> bytes:
    path = root / "picture.png"
    Image.fromarray(np.random.default_rng(number).integers(0, 256, (12, 12), dtype=np.uint8)).save(path)
    return path.read_bytes()


def put(data: bytes, label: str) -> str:
    sha256 = hashlib.sha256(data).hexdigest()
    Inbox(INBOX).add(data, sha256, "png", Correction(label, "Ann", "it barks"))
    return sha256


def run(source: str = "folder", path: Path = Path("images"), fixes: Path | None = None) -> dict[str, str]:
    """Survey and ingest; path → label."""
    location = Location(path, None, 1 << 30)
    survey.run(source=source, location=location, cache=Path(".cache"), out=Path("data/survey"))
    ingest.run(
        source=source, location=location, decoder="turbo", depth="auto", max_reject_fraction=0.0,
        survey=Path("data/survey"), cache=Path(".cache"), out=Path("data/ingest"), fixes=fixes,
    )  # fmt: skip
    return {row["path"]: row["label"] for row in read_manifest(Path("data/ingest")).to_pylist()}


def test_an_empty_inbox_changes_no_byte(root: Path) -> None:
    run()
    before = {path: path.read_bytes() for path in Path("data").rglob("*") if path.is_file()}
    Inbox(INBOX)
    run()
    assert {path: path.read_bytes() for path in before} == before


@pytest.mark.parametrize("archive", [False, True])
def test_new_images_join_and_known_ones_get_their_class(root: Path, archive: bool) -> None:
    known, new = (root / "images/cat/1.png").read_bytes(), picture(9, root)
    put(known, "dog")
    put((root / "images/dog/2.png").read_bytes(), "dog")
    sha256 = put(new, "cat")
    put(picture(10, root), "horse")
    kind, path = (
        ("zip", Path(shutil.make_archive("photos", "zip", "images"))) if archive else ("folder", Path("images"))
    )
    for _ in range(2):  # the second time all hashes are in the cache
        assert run(kind, path) == {
            "cat/0.png": "cat", "cat/1.png": "dog", "dog/2.png": "dog", "dog/3.png": "dog",
            f"data/inbox/images/cat/{sha256}.png": "cat",
        }  # fmt: skip
        fixes = {row["path"]: row for row in pq.read_table("data/ingest/fixes.parquet").to_pylist()}
        assert {path: row["action"] for path, row in fixes.items()} == {
            "cat/1.png": "relabel", "dog/2.png": "keep", f"data/inbox/images/cat/{sha256}.png": "keep",
        }  # fmt: skip
        assert (fixes["cat/1.png"]["reviewer"], fixes["cat/1.png"]["reason"]) == ("Ann", "it barks")
        ignored = pq.read_table("data/ingest/ignored.parquet").to_pylist()
        assert [row["reason"] for row in ignored] == [
            "an image of the source, which gets its class", "an image of the source, which gets its class",
            "of a class that the source does not have",
        ]  # fmt: skip


def test_the_file_of_label_fixes_goes_first(root: Path) -> None:
    put((root / "images/cat/1.png").read_bytes(), "dog")
    fixes = root / "fixes.csv"
    fixes.write_text("image,action,new_label,reviewer,reason\ncat/1.png,keep,,Bob,an odd cat\n")
    assert run(fixes=fixes)["cat/1.png"] == "cat"


def test_an_inbox_that_is_the_source_does_not_join_itself(root: Path) -> None:
    for number, label in enumerate(("cat", "dog", "dog")):
        put(picture(number, root), label)
    assert sorted(run("table", INBOX / "table.csv").values()) == ["cat", "dog", "dog"]
    assert not Path("data/survey/inbox.parquet").exists()
