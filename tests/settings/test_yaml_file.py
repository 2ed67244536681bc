"""Whatever is in a file of settings, it is read, or refused in one line with its place."""

import random
from pathlib import Path

import pytest

from darkroom.runtime.errors import DarkroomError
from darkroom.settings.read import read_params
from darkroom.settings.yaml_file import parse, read_file
from tests.conftest import ROOT

PARAMS = (ROOT / "params.yaml").read_bytes()


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("test_from:", "test_from: 2026-02-30", r"split\.test_from: is '2026-02-30', should be a day"),
        ("epochs: 12", "epochs: " + "9" * 5000, r"a number of 5,000 digits \(line \d+, column 11\)"),
        ("epochs: 12", "epochs: 0x" + "9" * 5000, "a number of 5,002 digits"),
        ("albumentations: []", "albumentations: " + "[" * 300 + "]" * 300, "more than 20 levels"),
        ("albumentations: []", "albumentations: " + "{a: " * 500 + "}" * 500, "more than 20 levels"),
        ("epochs: 12", "epochs: 12\n  epochs: 13", r'duplicate key "epochs".*\(line \d+, column 3\)$'),
        ("albumentations: []", "albumentations: &a [*a]", "an alias, as .name; write the value out"),
        ("epochs: 12", "epochs: !!int abc", "a tag, as tag:yaml.org,2002:int; leave it out"),
        ("epochs: 12", "epochs: !!python/object/apply:os.system [id]", "a tag, as"),
        ("  epochs: 12", "\tepochs: 12", r"found character '\\t' that cannot start any token \(line \d+, column 1\)"),
        ("epochs: 12", "epochs: 1\x002", "unacceptable character #x0000"),
        ("# One section", "%YAML 9.9\n# One section", "a directive, as '%YAML'; leave it out"),
        ("epochs: 12", "3: 4", "train: 3 is no name of a setting"),
    ],
    ids=lambda text: text[:20],
)
def test_a_file_that_can_not_be_read(tmp_path: Path, old: str, new: str, message: str) -> None:
    path = tmp_path / "params.yaml"
    path.write_bytes(PARAMS.replace(old.encode(), new.encode(), 1))
    with pytest.raises(DarkroomError, match=message):
        read_params(path)


def test_a_file_that_is_not_utf_8_and_one_that_is_none(tmp_path: Path) -> None:
    path = tmp_path / "params.yaml"
    path.write_bytes(PARAMS.replace(b"path: images", b"path: im\xe9ges", 1))
    with pytest.raises(DarkroomError, match="is not in UTF-8: line 6 contains the byte 0xe9; save it as UTF-8"):
        read_file(path)
    path.write_bytes(b"\xef\xbb\xbf" + PARAMS)
    assert read_file(path) == parse(PARAMS.decode())
    with pytest.raises(DarkroomError, match="can't be read: Is a directory"):
        read_file(tmp_path)
    path.write_text("#" * 1_000_001, encoding="utf-8")
    with pytest.raises(DarkroomError, match="1,000,001 characters, which are no settings"):
        read_file(path)


def test_days_are_text_and_numbers_are_those_of_yaml_1_2() -> None:
    assert parse("[2026-10-01, 1e-05, yes, 0o10, 1:30]") == ["2026-10-01", 1e-05, "yes", 8, "1:30"]


@pytest.mark.parametrize("seed", range(20))
def test_a_file_with_bytes_changed_is_read_or_refused(tmp_path: Path, seed: int) -> None:
    rng, content = random.Random(seed), bytearray(PARAMS)
    for _ in range(rng.randint(1, 6)):
        place = rng.randrange(len(content))
        content[place : place + rng.randint(0, 3)] = rng.choice(
            [b"[", b"{", b"&a", b"*a", b"\t", b"\xff", b": ", b"-", b"1e999"]
        )
    path = tmp_path / "params.yaml"
    path.write_bytes(content)
    try:
        read_params(path)
    except DarkroomError as error:
        assert "Traceback" not in str(error)
