"""Images of Fashion-MNIST as a service would answer them, for `benchmarks.monitor`: clean, damaged, and of an unknown class.

Measures nothing. Answers, features and properties are worked out once and stored as .npz.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from darkroom.bundle.bundle import load_bundle
from darkroom.bundle.graph_features import with_features
from darkroom.images.measure import fingerprint
from darkroom.images.pack import load_packed
from darkroom.inference.corruptions import blur, darken, noise
from darkroom.inference.session import OUTPUT, open_session, values
from darkroom.runtime.arrays import Bools, Float32s, Int64s, UInt8s

if TYPE_CHECKING:
    import torch

DAMAGES = {"brightness x0.7": (darken, 0.7), "blur 1": (blur, 1 / 28), "noise 25": (noise, 25 / 255)}
EPOCHS, BATCH = 3, 256


@dataclass(frozen=True)
class Answers:
    """Attributes:
    probabilities: float32 [N, K].
    features: float32 [N, D].
    properties: float32 [N, 7], as the prediction log has them.
    labels: int64 [N]; K for a class that the network does not know.
    """

    probabilities: Float32s
    features: Float32s
    properties: Float32s
    labels: Int64s


def damaged(pictures: UInt8s, kind: str) -> UInt8s:
    """Pictures uint8 [N, S, S, C] with one of `DAMAGES`."""
    apply, amount = DAMAGES[kind]
    return np.stack([apply(picture, amount, str(number)) for number, picture in enumerate(pictures)])


def answers_of(bundle: Path, pictures: UInt8s, labels: Int64s, cache: Path) -> Answers:
    """What a bundle answers."""
    if not cache.is_file():
        graph, name = with_features(bundle / load_bundle(bundle).graph)
        found = values(open_session(graph), [OUTPUT, *([name] if name else [])], pictures, cache.stem)
        features = found[1].reshape(len(pictures), -1) if name else np.zeros((len(pictures), 0), np.float32)
        store(cache, found[0], features, pictures, labels)
    return load(cache)


def store(cache: Path, probabilities: Float32s, features: Float32s, pictures: UInt8s, labels: Int64s) -> None:
    """Keep answers with the properties of their pictures."""
    side = pictures.shape[1]
    measured = [
        fingerprint(np.ascontiguousarray(picture.mean(axis=2, keepdims=True).astype(np.uint8))) for picture in pictures
    ]
    rows = [(side, side, 1, side * side, each.brightness, each.contrast, each.sharpness) for each in measured]
    cache.parent.mkdir(parents=True, exist_ok=True)
    np.savez(
        cache,
        probabilities=probabilities,
        features=features,
        properties=np.array(rows, np.float32),
        labels=labels,
    )


def load(cache: Path) -> Answers:
    """Answers that were kept."""
    with np.load(cache) as found:
        return Answers(*(found[name] for name in ("probabilities", "features", "properties", "labels")))


def without_class(arrays: Path, left_out: int, folder: Path) -> tuple[Answers, Answers]:
    """Answers to validation and test images by a network that was trained without one class, on the other nine.

    Args:
        arrays: data/preprocess of Fashion-MNIST.
        left_out: the class; its images have the label K.
        folder: of the cache.
    """
    files = [folder / f"without-{left_out}-{split}.npz" for split in ("validation", "test")]
    if not all(file.is_file() for file in files):
        _train_without(arrays, left_out, files)
    validation, test = (load(file) for file in files)
    return validation, test


def _train_without(arrays: Path, left_out: int, files: list[Path]) -> None:
    import torch
    from torch.nn import functional

    from darkroom.network.zoo import build_network

    packed = load_packed(arrays / "train")
    known = np.flatnonzero(packed.labels != left_out)
    labels = packed.labels - (packed.labels > left_out)
    torch.manual_seed(0)
    network = build_network("small_image_net", {"filters": 32, "dropout": 0.0}, 9, 1, packed.images.shape[1])
    network = network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    steps = len(known) // BATCH
    optimizer = torch.optim.SGD(network.parameters(), 0.1, momentum=0.9, nesterov=True, weight_decay=5e-4)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 0.15, total_steps=EPOCHS * steps)
    rng = np.random.default_rng(0)
    for _ in range(EPOCHS):
        for rows in np.split(rng.permutation(known)[: steps * BATCH], steps):
            images = _tensor(np.asarray(packed.images[np.sort(rows)]))
            with torch.autocast("cpu", torch.bfloat16):
                logits = network(images.flip(3) if rng.uniform() < 0.5 else images)
            loss = functional.cross_entropy(logits.float(), torch.from_numpy(labels[np.sort(rows)]))
            optimizer.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            optimizer.step()
            schedule.step()
    network.eval()
    for file in files:
        split = load_packed(arrays / file.stem.rpartition("-")[2])
        pictures = np.asarray(split.images)
        probabilities, features = _answer(network, pictures)
        shifted = np.where(split.labels == left_out, 9, split.labels - (split.labels > left_out))
        store(file, probabilities, features, pictures, shifted)


def _answer(network: "torch.nn.Module", pictures: UInt8s) -> tuple[Float32s, Float32s]:
    """Probabilities and what goes into the last layer."""
    import torch

    last = [module for module in network.modules() if isinstance(module, torch.nn.Linear)][-1]
    features: list[Float32s] = []
    hook = last.register_forward_pre_hook(lambda _, given: features.append(given[0].float().numpy()))
    with torch.no_grad():
        logits = [network(_tensor(pictures[start : start + 500])).float() for start in range(0, len(pictures), 500)]
    hook.remove()
    return torch.cat(logits).softmax(1).numpy(), np.concatenate(features)


def _tensor(pictures: UInt8s) -> "torch.Tensor":
    import torch

    images = (torch.from_numpy(pictures).permute(0, 3, 1, 2).float() / 255 - 0.286) / 0.353
    return images.contiguous(memory_format=torch.channels_last)


def subpopulation(pictures: UInt8s, labels: Int64s) -> Bools:
    """The smaller of two clusters of pixels of each class, bool [N]: high boots, dark shirts and the like."""
    from sklearn.cluster import KMeans

    flat = pictures.reshape(len(pictures), -1).astype(np.float32)
    found = np.zeros(len(labels), bool)
    for label in np.unique(labels):
        rows = np.flatnonzero(labels == label)
        cluster = KMeans(2, n_init=3, random_state=0).fit_predict(flat[rows])
        found[rows[cluster == np.bincount(cluster).argmin()]] = True
    return found
