"""A model is opened through its link once, warmed up, and measured for the batch that suits it."""

import time
from collections.abc import Callable
from pathlib import Path

import pytest

from darkroom.bundle.bundle import Bundle
from darkroom.runtime.arrays import Float32s, UInt8s
from darkroom.runtime.errors import DarkroomError
from darkroom.runtime.files import file_hash
from serving import model
from serving.model import fastest_batch, open_model
from tests.support.tiny_bundle import make_bundle


def test_a_model_is_known_by_the_hash_of_its_index_and_the_folder_behind_the_link(tmp_path: Path) -> None:
    folder = make_bundle(tmp_path / "bundle")
    (tmp_path / "current").symlink_to("bundle")
    found = open_model(tmp_path / "current", batch=3)
    assert (found.bundle.folder, found.hash, found.batch) == (folder, file_hash(folder / "bundle.json"), 3)
    assert open_model(folder).batch in model.SIZES
    with pytest.raises(DarkroomError, match="there is no bundle folder"):
        open_model(tmp_path / "nowhere")


@pytest.mark.parametrize(
    ("seconds", "best"),
    [
        (lambda size: 0.001 * size, 1),  # a batch gains nothing
        (lambda size: 0.001 + 0.0001 * size, 32),  # half of the time is for the call
        (lambda size: 0.001 * size if size < 4 else 0.00096 * size, 1),  # 4% are not enough
        (lambda size: 0.04 * size**0.5, 4),  # 8 gain, and take more than 0.1 s
    ],
)
def test_the_batch_is_the_smallest_that_is_fastest(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, seconds: Callable[[int], float], best: int
) -> None:
    now = 0.0

    def predict(bundle: Bundle, images: UInt8s) -> Float32s:
        nonlocal now
        now += seconds(len(images))
        return bundle.session.run(None, {"images": images})[0]  # type: ignore[no-any-return]

    bundle = open_model(make_bundle(tmp_path / "bundle"), batch=1).bundle
    monkeypatch.setattr(Bundle, "predict", predict)
    monkeypatch.setattr(time, "thread_time", lambda: now)
    assert fastest_batch(bundle) == best
