"""Fine-tuning: pointwise convolutions of the upper blocks learn; a kill costs no epoch that is done; what does not pay goes."""

import shutil
from collections.abc import Callable, Iterator
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch
from torch import Tensor

from darkroom.images.pack import Packed
from darkroom.network.load import Normalized, build_model
from darkroom.runtime.errors import DarkroomError
from darkroom.settings.train import Train
from darkroom.training import fine_tuning, stored_maps
from darkroom.training.augmentation import Augmentation
from darkroom.training.distributed import Processes
from darkroom.training.fine_tuning import fit_last_layer
from darkroom.training.head_fit import FittedHead
from darkroom.training.loop import FitConfig
from darkroom.training.recipe import FineTuned, Recipe, judged
from darkroom.training.state import save_checkpoint
from tests.support.trained_digits import digits, spec_of

RECIPE, ALONE = Recipe(epochs=2, forms=2), Processes(0, 1, torch.device("cpu"))


Run = Callable[..., tuple[Normalized, FittedHead]]


@pytest.fixture(scope="module")
def images() -> tuple[Packed, Packed]:
    """Twenty digits to train on and ten others, zeros and ones of 32 x 32 grey pixels."""
    whole = digits()
    few = np.flatnonzero(whole.labels < 2)[:30]
    large, labels, ids = whole.images[few].repeat(4, 1).repeat(4, 2), whole.labels[few], whole.ids[few]
    train, validation = (Packed(large[part], labels[part], ids[part]) for part in (np.s_[:20], np.s_[20:]))
    return train, validation


@pytest.fixture(scope="module")
def tuned(images: tuple[Packed, Packed], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Run]:
    """Runs a training in a folder of its own, where features that are known are not worked out again."""
    monkeypatch = pytest.MonkeyPatch()
    monkeypatch.chdir(tmp_path_factory.mktemp("tuned"))
    ids = [each.decode() for each in images[0].ids.tolist()]
    pq.write_table(pa.table({"id": ids, "group": ids}), "splits.parquet")
    values: dict[str, Any] = Train(optimizer="lbfgs", learning_rate=0.1, weight_decay=0.0).model_dump()
    values |= {"augmentation": Augmentation(), "classes": 10, "batch_size": 16}

    def run(**changes: Any) -> tuple[Normalized, Any]:
        torch.manual_seed(0)
        model = build_model(spec_of("timm/tf_efficientnet_lite0", 32, 1, pooling="grid"))
        config = FitConfig(**{each.name: values[each.name] for each in fields(FitConfig)})
        given: dict[str, Any] = {"precision": torch.float32, "recipe": RECIPE, "checkpoint": Path("c/train-1.pt")}
        given |= {"splits": Path("splits.parquet"), "processes": ALONE} | changes
        return model, fit_last_layer(
            model, *images, replace(config, optimizer=given.pop("optimizer", "lbfgs")), **given
        )

    yield run
    monkeypatch.undo()


@pytest.fixture(scope="module")
def plain(tuned: Run) -> tuple[dict[str, Tensor], FittedHead]:
    """The head on the frozen network."""
    model, head = tuned(recipe=None)
    return model.state_dict(), head


def decided(taken: bool) -> Callable[..., FineTuned]:
    return lambda *args: replace(judged(*args), taken=taken)


def state(model: Normalized) -> dict[str, Tensor]:
    return model.state_dict()


def test_a_kill_costs_no_finished_epoch_and_pointwise_convolutions_alone_learn(
    tuned: Run, plain: tuple[dict[str, Tensor], FittedHead], monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    monkeypatch.setattr(fine_tuning, "judged", decided(True))
    whole, found = tuned()
    Path("c/train-1.pt").unlink()
    (before, head), after = plain, state(whole)
    changed = {name for name in after if not torch.equal(before[name], after[name])}
    assert changed == {name for name in after if ".head." in name} | {
        name for name in after if "conv_pw" in name and (".blocks.4." in name or ".blocks.5." in name)
    }
    assert found.tuned and len(found.tuned.losses) == 2 and found.frozen_answers is not None
    assert np.array_equal(found.frozen_answers, head.found.out_of_fold) and "out of fold" not in found.text()
    save = save_checkpoint

    def end(path: Path, content: dict[str, Any]) -> None:
        save(path, content)
        raise KeyboardInterrupt

    monkeypatch.setattr(fine_tuning, "save_checkpoint", end)
    with pytest.raises(KeyboardInterrupt):
        tuned()
    maps = sorted(path.name for path in Path("c/train-1.maps").iterdir())
    assert maps == ["0.npy", "1.npy"]
    monkeypatch.setattr(fine_tuning, "save_checkpoint", save)
    # The maps that are there are not made again.
    monkeypatch.setattr(stored_maps, "lower_maps", None)
    resumed, again = tuned()
    assert "resumed after epoch 1 of the fine-tuning" in capsys.readouterr().out
    assert again.tuned == found.tuned
    assert all(torch.equal(value, after[name]) for name, value in state(resumed).items())
    assert not Path("c/train-1.maps").exists()
    Path("model").mkdir()
    again.save(Path("model"))
    assert [path.name for path in Path("model").iterdir()] == ["out_of_fold.npy"]


def test_what_does_not_pay_leaves_the_fitted_head(
    tuned: Run, plain: tuple[dict[str, Tensor], FittedHead], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(fine_tuning, "judged", decided(False))
    kept, found = tuned()
    assert all(torch.equal(value, plain[0][name]) for name, value in state(kept).items())
    assert found.tuned and not found.tuned.taken and found.text() == plain[1].text()
    found.save(tmp_path)
    assert {path.name for path in tmp_path.glob("*fold*")} == {"fold_heads.safetensors", "out_of_fold.npy"}


def test_without_a_fitted_head_it_is_left_out_and_said(tuned: Run, capsys: pytest.CaptureFixture[str]) -> None:
    assert tuned(optimizer="adamw")[1] is None
    assert "no fine-tuning, which needs train.optimizer=lbfgs (it is adamw)" in capsys.readouterr().out


def test_a_disk_without_room_is_named_before_the_maps_are_made(
    images: tuple[Packed, Packed], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    usage = shutil.disk_usage(tmp_path)._replace(free=1000)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage)
    model = build_model(spec_of("timm/tf_efficientnet_lite0", 32, 1, pooling="grid"))
    with pytest.raises(DarkroomError, match=r"fine-tuning needs 0\.0 GB in .*maps .* set train\.budget=2"):
        stored_maps.stored_maps(model, images[0], 2, precision=torch.float32, seed=0, folder=tmp_path / "maps")
