"""A folder as columns has every file once, in the order of the paths."""

import os
from pathlib import Path

from darkroom.sources.folder_columns import walk_files


def test_files_beside_folders_are_in_the_order_of_their_paths(tmp_path: Path) -> None:
    names = [
        "a/b.png",
        "a/b/c.png",
        "a/b-c.png",
        "a/b0.png",
        "a.png",
        "a-b/x.png",
        "b/ö.png",
        "ä/x.png",
        "a/b/d/e/f.png",
    ]
    for name in names:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(name.encode())
    (tmp_path / "a/gone.png").symlink_to("nowhere")
    (tmp_path / "empty").mkdir()
    (tmp_path / "link").symlink_to("a")
    os.mkfifo(tmp_path / "a/pipe")
    (tmp_path / os.fsdecode(b"a/\xe9.png")).write_bytes(b"")
    found = walk_files(tmp_path)
    assert found.files["path"].to_pylist() == sorted([*names, "a/gone.png"])
    sizes = dict(zip(found.files["path"].to_pylist(), found.files["bytes"].to_pylist(), strict=True))
    assert sizes == {name: len(name.encode()) for name in names} | {"a/gone.png": -1}
    assert sorted(found.folders) == ["a", "a-b", "a/b", "a/b/d", "a/b/d/e", "b", "empty", "ä"]
    assert {one.path for one in found.others} == {"link", "a/pipe", r"a/\xe9.png"}


def test_the_digest_tells_every_change(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "a/x.png").write_bytes(b"1")
    digests = [walk_files(tmp_path).digest]
    assert walk_files(tmp_path).digest == digests[0]
    with (tmp_path / "a/x.png").open("r+b") as file:
        file.write(b"2")
    os.utime(tmp_path / "a/x.png", ns=(0, 0))
    digests.append(walk_files(tmp_path).digest)
    (tmp_path / "empty").mkdir()
    digests.append(walk_files(tmp_path).digest)
    (tmp_path / "a/x.png").rename(tmp_path / "a/y.png")
    digests.append(walk_files(tmp_path).digest)
    assert len(set(digests)) == 4
