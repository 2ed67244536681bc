"""A model as train writes it, read again; weights that are damaged, of another network or no numbers are named."""

import copy
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.numpy import load, save

from darkroom.model.classes import ClassList
from darkroom.model.spec import ModelSpec, Preprocessing
from darkroom.network.load import build_model, load_model, save_model
from darkroom.runtime.errors import DarkroomError
from darkroom.runtime.stage import missing_inputs

WEIGHTS = Path("models/train/weights.safetensors")


@pytest.fixture
def written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> bytes:
    """The weights of a small network in models/train of the current folder."""
    monkeypatch.chdir(tmp_path)
    WEIGHTS.parent.mkdir(parents=True)
    preprocessing = Preprocessing(8, 1, "pad", "turbo", (0.25,), (0.5,))
    settings: dict[str, int | float | str] = {"filters": 8, "depth": 2, "dropout": 0.1}
    spec = ModelSpec(
        "simple_cnn", settings, "none", ClassList(("a", "b")), preprocessing, 1, "float32", 0, "0" * 12, "1" * 12
    )
    save_model(build_model(spec), spec, WEIGHTS.parent)
    return WEIGHTS.read_bytes()


def test_what_was_saved_is_loaded(written: bytes) -> None:
    model, spec = load_model(WEIGHTS.parent)
    stored = load(written)
    state = model.network.state_dict()
    assert state.keys() == stored.keys() and spec.network == "simple_cnn" and not model.training
    assert all(np.array_equal(value.numpy(), stored[name]) for name, value in state.items())
    assert model(torch.zeros(3, 8, 8, 1, dtype=torch.uint8)).shape == (3, 2)


def test_damaged_weights_are_named_with_what_makes_them_again(written: bytes) -> None:
    weights = load(written)
    # They come in no fixed order, and counters are whole numbers.
    first = min(name for name, value in weights.items() if value.dtype == np.float32)
    for content, reason in (
        (written[: len(written) // 2], ""),
        (bytes(len(written)), ""),
        (save({"x": np.zeros(3, np.float32)}), "not of simple_cnn: Missing key"),
        (save({name: value for name, value in weights.items() if name != first}), f'Missing key.* "{first}"'),
        (save(weights | {first: np.zeros((2, 2), np.float32)}), f"size mismatch for {first}"),
        (
            save(weights | {first: np.full_like(weights[first], np.nan)}),
            f"{first} has values that are no finite numbers",
        ),
    ):
        WEIGHTS.write_bytes(content)
        with pytest.raises(DarkroomError, match=rf"^{WEIGHTS} is damaged.*{reason}.*`dvc repro train` makes it again$"):
            load_model(WEIGHTS.parent)
    WEIGHTS.unlink()
    WEIGHTS.mkdir()
    with pytest.raises(DarkroomError, match="is damaged"):
        load_model(WEIGHTS.parent)
    WEIGHTS.rmdir()
    with pytest.raises(DarkroomError, match=rf"^{WEIGHTS} is not there yet: run `dvc repro train`"), missing_inputs():
        load_model(WEIGHTS.parent)


def test_with_mirror_an_answer_is_the_mean_over_image_and_mirror_image(written: bytes) -> None:
    model, spec = load_model(WEIGHTS.parent)
    save_model(model, replace(spec, mirror=True), WEIGHTS.parent)
    mirrored, stored = load_model(WEIGHTS.parent)
    assert stored.mirror and WEIGHTS.read_bytes() == written
    images = torch.from_numpy(np.random.default_rng(0).integers(0, 256, (3, 8, 8, 1), np.uint8))
    with torch.no_grad():
        expected = (model(images) + model(images.flip(2))) / 2
        assert torch.allclose(mirrored(images), expected, atol=1e-6)
        assert not torch.allclose(model(images), expected, atol=1e-3)
        # A copy answers so, too.
        assert torch.allclose(copy.deepcopy(mirrored)(images), expected, atol=1e-6)
