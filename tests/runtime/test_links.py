"""Links into a cache that is gone lead to the one that moved along, or are removed: what they stood for is made again."""

from pathlib import Path

import pytest

from darkroom.runtime.links import repair_links


def test_links_follow_the_cache_that_moved_along(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    cached = Path(".dvc/cache/files/md5/ab/cdef")
    cached.parent.mkdir(parents=True)
    cached.write_text("rejects")
    Path("data/ingest").mkdir(parents=True)
    for name, stored in (("rejects", "ab/cdef"), ("lost", "01/2345")):
        Path("data/ingest", name).symlink_to(f"/gone/.dvc/cache/files/md5/{stored}")
    Path("data/ingest/plain").write_text("plain")
    Path("images").symlink_to("/gone/images")
    Path("report.html").symlink_to("/gone/.dvc/cache/files/md5/ab/cdef")
    repair_links([Path("data/ingest"), Path("report.html"), Path("data/none")])
    assert {path.name: path.read_text() for path in Path("data/ingest").iterdir()} == {
        "rejects": "rejects",
        "plain": "plain",
    }
    assert Path("report.html").resolve() == cached.resolve() and Path("images").is_symlink()
    assert capsys.readouterr().out == (
        "3 links led to /gone/.dvc/cache, which is gone: they now lead to the cache of this folder; "
        "1 are not in it, and are made again\n"
    )
    repair_links([Path("data/ingest"), Path("report.html")])
    assert capsys.readouterr().out == ""
