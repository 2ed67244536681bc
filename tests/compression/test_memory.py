"""Peak memory, measured in a process of its own."""

from pathlib import Path

import pytest

from darkroom.compression.memory import peak_memory
from darkroom.runtime.errors import DarkroomError
from tests.support.matrix_graph import CLASSES, WIDTH, write_products


def test_more_images_take_more_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_products(tmp_path / "model.onnx", 2)
    monkeypatch.chdir(tmp_path)
    few, many = (peak_memory(Path("model.onnx"), batch) for batch in (1, 1_000_000))
    values = 1_000_000 * 4 * (WIDTH + CLASSES)
    assert 0 < few < values < many < 20 * values


def test_a_graph_that_does_not_open_is_told(tmp_path: Path) -> None:
    (tmp_path / "model.onnx").write_bytes(b"no graph")
    with pytest.raises(DarkroomError, match=r"memory of model\.onnx ended with status 1: .*"):
        peak_memory(tmp_path / "model.onnx", 1)
