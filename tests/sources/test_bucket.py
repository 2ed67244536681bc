"""A folder in an object store: as the same folder on a disk, listed each time, and read only where an object is new."""

import hashlib
import uuid
from collections.abc import Callable, Sequence
from io import BytesIO
from pathlib import Path

import fsspec
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from darkroom.images.manifest import read_manifest
from darkroom.runtime.errors import DarkroomError
from darkroom.runtime.object_store import ObjectStore
from darkroom.sources.listing import survey_ranges
from darkroom.sources.source import Location
from stages import ingest, survey
from tests.conftest import ingest_source
from tests.support.object_stores import s3_server

ROOM = 1 << 30


class Bucket:
    """A copy of a folder in fsspec's memory or in S3, and the names of the objects that are read."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch, scheme: str = "memory") -> None:
        self.url = f"{scheme}://{uuid.uuid4().hex}/photos" if scheme == "memory" else "s3://photos/a b"
        self.read: list[str] = []
        for file in sorted(folder.rglob("*")):
            if file.is_file():
                self.put(file.relative_to(folder).as_posix(), file.read_bytes())
        original = ObjectStore.read

        def counted(store: ObjectStore, name: str) -> bytes:
            self.read.append(name)
            return original(store, name)

        monkeypatch.setattr(ObjectStore, "read", counted)

    def put(self, name: str, content: bytes) -> None:
        fsspec.filesystem(self.url.partition(":")[0]).pipe_file(f"{self.url}/{name}", content)

    def remove(self, name: str) -> None:
        fsspec.filesystem("memory").rm_file(f"{self.url}/{name}")

    @property
    def location(self) -> Location:
        return Location(Path(self.url), None, ROOM, url=self.url)


@pytest.fixture
def bucket(digit_folder: Path, monkeypatch: pytest.MonkeyPatch) -> Bucket:
    return Bucket(digit_folder, monkeypatch)


def look(bucket: Bucket, root: Path, source: str = "folder") -> None:
    out, cache = root / "data/survey", root / ".darkroom/cache"
    survey.run(source=source, location=bucket.location, cache=cache, out=out, inbox=root / "inbox")


def take(bucket: Bucket, root: Path) -> None:
    ingest.run(
        source="folder",
        location=bucket.location,
        decoder="turbo",
        depth="auto",
        max_reject_fraction=0.1,
        survey=root / "data/survey",
        cache=root / ".darkroom/cache",
        out=root / "data/ingest",
        inbox=root / "inbox",
    )


def files(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_a_bucket_gives_what_the_folder_gives(bucket: Bucket, digit_folder: Path, tmp_path: Path) -> None:
    ingest_source("folder", digit_folder, tmp_path / "disk")
    look(bucket, tmp_path)
    assert bucket.read == []
    take(bucket, tmp_path)
    assert len(bucket.read) == 120
    assert files(tmp_path / "data/ingest") == files(tmp_path / "disk/data/ingest")


def test_what_stays_is_not_read_and_what_changed_is_read_alone(bucket: Bucket, tmp_path: Path) -> None:
    look(bucket, tmp_path)
    take(bucket, tmp_path)
    first = read_manifest(tmp_path / "data/ingest").to_pydict()
    surveyed = files(tmp_path / "data/survey")
    bucket.read.clear()
    look(bucket, tmp_path)
    assert files(tmp_path / "data/survey") == surveyed, "DVC runs nothing after a survey that is the same"
    take(bucket, tmp_path)
    assert bucket.read == []

    bucket.put("zero/00.png", fsspec.filesystem("memory").cat_file(f"{bucket.url}/one/00.png"))
    bucket.remove("two/01.png")
    look(bucket, tmp_path)
    assert files(tmp_path / "data/survey") != surveyed
    take(bucket, tmp_path)
    assert bucket.read == ["zero/00.png"]
    now = read_manifest(tmp_path / "data/ingest").to_pydict()
    hashes = dict(zip(now["path"], now["sha256"], strict=True))
    assert hashes["zero/00.png"] == hashes["one/00.png"] and set(first["path"]) - set(hashes) == {"two/01.png"}


@pytest.mark.parametrize(
    "change", [lambda bucket: bucket.remove("one/03.png"), lambda bucket: bucket.put("one/03.png", b"x")]
)
def test_an_object_that_is_another_one_than_was_listed_stops_the_line(
    bucket: Bucket, tmp_path: Path, change: Callable[[Bucket], None]
) -> None:
    look(bucket, tmp_path)
    change(bucket)
    with pytest.raises(
        DarkroomError, match=r"one/03\.png changed while it was ingested: run the line again"
    ) as stopped:
        take(bucket, tmp_path)
    assert "no longer in the bucket" in str(stopped.value) or "after it was listed" in str(stopped.value)


def test_an_object_of_the_same_length_and_bytes_that_was_written_again_is_another_one(bucket: Bucket) -> None:
    store = ObjectStore.open(bucket.url)
    before = next(one for one in store.find() if one.name == "one/03.png")
    bucket.put("one/03.png", store.read_listed(*before))
    with pytest.raises(OSError, match=r"after it was listed"):
        store.read_listed(*before)


def test_names_that_no_folder_could_have_are_named(bucket: Bucket, tmp_path: Path) -> None:
    bucket.put("one//03.png", b"x")
    bucket.put("notes.txt", b"x")
    look(bucket, tmp_path)
    ignored = pq.read_table(tmp_path / "data/survey/ignored.parquet").to_pylist()
    assert {"path": "notes.txt", "reason": "not in a class folder"} in ignored
    assert [one["path"] for one in ignored if "two slashes" in one["reason"]] == ["one//03.png"]


def test_what_is_no_folder_of_class_folders_is_refused_with_what_to_do(bucket: Bucket, tmp_path: Path) -> None:
    with pytest.raises(DarkroomError, match=r"give the folder that holds them.*fetch it first"):
        look_at(f"{bucket.url}/one", tmp_path)
    bucket.put("all.zip", b"PK")
    with pytest.raises(DarkroomError, match=r"A zip, a tar or a table is read from this machine"):
        look_at(f"{bucket.url}/all.zip", tmp_path)
    with pytest.raises(DarkroomError, match=r"there is nothing at memory://"):
        look_at(f"{bucket.url}/gone", tmp_path)
    with pytest.raises(DarkroomError, match=r"ingest.source is zip.*set ingest.source=folder, or fetch it"):
        look(bucket, tmp_path, "zip")


def look_at(url: str, root: Path) -> None:
    location = Location(Path(url), None, ROOM, url=url)
    survey.run(source="folder", location=location, cache=root / "c", out=root / "s", inbox=root / "inbox")


def listing(bucket: Bucket, **columns: Sequence[object]) -> bytes:
    """A table of all objects, as S3 Inventory writes it; `columns` are changed or, where empty, left out."""
    store = ObjectStore.open(bucket.url)
    prefix = bucket.url.partition("://")[2].partition("/")[2]
    found = [(f"{prefix}/{each.name}", each.bytes, store.read(each.name)) for each in store.find()]
    table = {
        "key": [key for key, _, _ in found],
        "size": [size for _, size, _ in found],
        "e_tag": [hashlib.md5(content).hexdigest() for _, _, content in found],
    } | columns
    buffer = BytesIO()
    pq.write_table(pa.table({name: column for name, column in table.items() if column}), buffer)
    return buffer.getvalue()


def test_a_table_in_place_of_the_listing_gives_the_same(
    bucket: Bucket, digit_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ingest_source("folder", digit_folder, tmp_path / "disk")
    content = listing(bucket)
    bucket.url = f"{bucket.url.rpartition('/')[0]}/list.parquet"
    fsspec.filesystem("memory").pipe_file(bucket.url, content)
    for name in ("find", "folders_and_objects"):
        monkeypatch.setattr(ObjectStore, name, None)
    bucket.read.clear()
    look(bucket, tmp_path)
    assert bucket.read == ["list.parquet"]
    take(bucket, tmp_path)
    assert files(tmp_path / "data/ingest") == files(tmp_path / "disk/data/ingest")


def test_old_versions_in_a_table_are_no_images_and_what_it_lacks_is_named(bucket: Bucket, tmp_path: Path) -> None:
    place = f"{bucket.url.rpartition('/')[0]}/list.parquet"
    write = fsspec.filesystem("memory").pipe_file
    write(place, listing(bucket, is_latest=[True] * 119 + [False], is_delete_marker=[True] + [False] * 119))
    look_at(place, tmp_path)
    assert survey_ranges(tmp_path / "s")[0].images == 118
    write(place, listing(bucket, e_tag=[]))
    with pytest.raises(DarkroomError, match=r"list\.parquet lacks the columns etag: it has key, size"):
        look_at(place, tmp_path)
    write(place, listing(bucket, size=[None] * 120))
    with pytest.raises(DarkroomError, match="has rows without size"):
        look_at(place, tmp_path)
    write(place, b"no table")
    with pytest.raises(DarkroomError, match="can't be read as Parquet"):
        look_at(place, tmp_path)
    with pytest.raises(DarkroomError, match=r"there is no memory://.*/gone\.parquet"):
        look_at(f"{bucket.url}/gone.parquet", tmp_path)


@pytest.mark.slow
def test_s3_gives_what_the_folder_gives_and_reads_nothing_twice(
    digit_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ingest_source("folder", digit_folder, tmp_path / "disk")
    with s3_server():
        bucket = Bucket(digit_folder, monkeypatch, "s3")
        for _ in range(2):
            look(bucket, tmp_path)
            take(bucket, tmp_path)
            assert len(bucket.read) == 120
        assert files(tmp_path / "data/ingest") == files(tmp_path / "disk/data/ingest")
        bucket.put("two/00.png", (digit_folder / "one/00.png").read_bytes())
        look(bucket, tmp_path)
        take(bucket, tmp_path)
        assert bucket.read[120:] == ["two/00.png"]
