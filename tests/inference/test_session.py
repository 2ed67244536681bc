"""Graphs that answer for many images."""

from pathlib import Path

import numpy as np
import pytest

from darkroom.inference import session
from darkroom.inference.session import OUTPUT, open_session, probabilities, values_of
from tests.support.matrix_graph import some_images, write_products


@pytest.mark.parametrize("cores", [1, 2, 20])
def test_batches_side_by_side_answer_as_one_and_keep_their_places(
    cores: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(session, "BATCH_IMAGES", 4)
    monkeypatch.setattr(session, "operator_threads", lambda: cores)
    graph, images = tmp_path / "model.onnx", some_images(27)
    write_products(graph, 2)
    (found,) = values_of(graph, [OUTPUT], images)
    expected = np.concatenate([probabilities(open_session(graph, 1), images[row : row + 1]) for row in range(27)])
    assert found.shape == expected.shape and len(np.unique(expected, axis=0)) > 20
    np.testing.assert_allclose(found, expected, atol=1e-6)
