"""A candidate predicts a sample after the answers have left; the table of both predictions is what compare reads."""

import csv
import time
from pathlib import Path

import numpy as np
import pytest

from darkroom.bundle.bundle import load_bundle
from darkroom.compare.__main__ import main as compare
from darkroom.compare.pairs import read_pairs
from darkroom.runtime.errors import DarkroomError
from serving.service import Answer, Service, Upload
from tests.support.loops import run
from tests.support.pictures import colour, encoded
from tests.support.tiny_bundle import make_bundle


def noise(seed: int) -> bytes:
    return encoded(colour(seed=seed), "PNG")


@pytest.fixture(scope="module")
def table(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[Answer]]:
    """The table of 60 images, half of them in the sample, and their answers."""
    root = tmp_path_factory.mktemp("shadow")
    service = Service(make_bundle(root / "model"), threads=1)
    service.start_candidate(make_bundle(root / "candidate", seed=1, size=6), 0.5, root / "pairs")

    async def ask() -> list[Answer]:
        found = [await service.predict([Upload("", noise(seed))]) for seed in range(60)]
        return [each for (each,) in found if isinstance(each, Answer)]

    answers = run(ask())
    assert service.shadow
    sampled = sum(int(answer.sha256[:8], 16) < 2**31 for answer in answers)
    while not (paths := list((root / "pairs").iterdir())) or len(paths[0].read_text().splitlines()) <= sampled:
        time.sleep(0.01)
    service.close()
    return paths[0], answers


def test_every_pair_has_the_answer_and_what_the_candidate_gives_alone(table: tuple[Path, list[Answer]]) -> None:
    path, answers = table
    rows = list(csv.DictReader(path.read_text().splitlines()))
    sample = [(seed, answer) for seed, answer in enumerate(answers) if int(answer.sha256[:8], 16) < 2**31]
    assert 15 < len(sample) < 45 and [row["sha256"] for row in rows] == [answer.sha256 for _, answer in sample]
    candidate = load_bundle(path.parent.parent / "candidate")
    for row, (seed, answer) in zip(rows, sample, strict=True):
        probabilities = candidate.predict(candidate.pixels(noise(seed))[None])[0]
        assert row["label"] == answer.prediction.label
        assert float(row["confidence"]) == pytest.approx(answer.prediction.confidence, abs=1e-6)
        assert row["candidate_label"] == candidate.classes.names[int(probabilities.argmax())]
        assert float(row["candidate_confidence"]) == pytest.approx(float(probabilities.max()), abs=1e-6)
        assert row["candidate_abstained"] == str(int(probabilities.max() < 0.6))


def test_compare_says_how_often_both_agree(
    table: tuple[Path, list[Answer]], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pairs = read_pairs(table[0])
    same = sum(a == b for a, b in zip(pairs.model.labels, pairs.candidate.labels, strict=True))
    compare([str(table[0]), "--out", str(tmp_path / "out")])
    printed = capsys.readouterr().out
    assert printed.startswith(f"The candidate gives {same / len(pairs.images):.2%} (")
    assert f"| mean confidence | {np.mean(pairs.model.confidence):.4f} | " in printed
    assert (tmp_path / "out/compare.json").exists()


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ("a,b\n1,2\n", "is no table of pairs"),
        ("{head}\n", "has no pairs yet"),
        ("{head}\nt,s,a,2.0,0,0.1,a,0.5,0,0.1\n", "line 2 is damaged"),
        ("{head}\nt,s,a,0.5,0,0.1,a,0.5,0,0.1\nt,s,a\n", "line 3 is damaged"),
    ],
)
def test_another_table_is_refused(table: tuple[Path, list[Answer]], tmp_path: Path, content: str, says: str) -> None:
    path = tmp_path / "pairs.csv"
    path.write_text(content.replace("{head}", table[0].read_text().splitlines()[0]))
    with pytest.raises(DarkroomError, match=says):
        read_pairs(path)


def test_a_last_line_in_the_middle_of_its_writing_is_left_out(table: tuple[Path, list[Answer]], tmp_path: Path) -> None:
    path = tmp_path / "pairs.csv"
    path.write_text(table[0].read_text() + "2026-11-28T03:00:00+00:00,abc,br")
    assert read_pairs(path).images == read_pairs(table[0]).images
