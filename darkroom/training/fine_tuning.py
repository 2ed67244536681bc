"""Fine-tune the upper blocks of a pretrained network on stored maps, and keep them where validation says that it pays."""

import copy
import time
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import cross_entropy
from tqdm import tqdm

from darkroom.images.pack import Packed
from darkroom.inference.device import depthwise_in_float32
from darkroom.network.load import Normalized
from darkroom.network.upper_blocks import UpperBlocks
from darkroom.runtime.seeding import uniform_per_image
from darkroom.settings.networks import LBFGS
from darkroom.training.batches import epoch_order
from darkroom.training.curves import Epoch
from darkroom.training.distributed import Processes
from darkroom.training.head_fit import FittedHead, fit_head
from darkroom.training.loop import FitConfig
from darkroom.training.recipe import Recipe, judged
from darkroom.training.state import load_checkpoint, save_checkpoint
from darkroom.training.stored_maps import gather, remove_maps, stored_maps

# From sign-digits (docs/decisions/2026-11-28-fine-tuning.md): images a step, the highest rate and the decay of AdamW, and how
# much of the steps the rate climbs.
BATCH, RATE, DECAY, CLIMB = 32, 5e-5, 0.05, 0.2


def fit_last_layer(
    model: Normalized,
    train: Packed,
    validation: Packed,
    config: FitConfig,
    *,
    precision: torch.dtype,
    splits: Path,
    recipe: Recipe | None,
    processes: Processes,
    checkpoint: Path,
    after_epoch: Callable[[Epoch], None] | None = None,
) -> FittedHead | None:
    """Fit the last layer by regression, where `config` has that.

    Where there is a recipe, train the upper blocks from there on, fit the last layer again, and decide.

    Args:
        model: of one of timm's EfficientNets where there is a recipe; has the weights that are kept at the end.
        train, validation: images and labels; the second decide on the fine-tuning, and train nothing.
        config, precision, splits, after_epoch: as for `darkroom.training.head_fit.fit_head`.
        recipe: of the fine-tuning; None for none.
        processes: that train together; only one of them fine-tunes.
        checkpoint: file to resume from and to write to after each epoch; the maps are beside it.

    Returns:
        The head that is kept, with what was measured; None where none is fitted.
    """
    tunes = recipe is not None and config.optimizer == LBFGS and processes.world == 1
    if recipe and not tunes and processes.first:
        print(
            f"train: no fine-tuning, which needs train.optimizer=lbfgs (it is {config.optimizer}) and train.processes=1"
        )
    if config.optimizer != LBFGS:
        return None
    refit = partial(fit_head, model, train, validation, config, precision=precision, splits=splits)
    head = refit(after_epoch=after_epoch)
    if recipe is None or not tunes:
        return head
    started, frozen = time.perf_counter(), copy.deepcopy(model.state_dict())
    maps = checkpoint.with_suffix(".maps")
    for other in set(checkpoint.parent.glob("train-*.maps")) - {maps}:
        remove_maps(other)
    losses = _train(model, train, recipe, precision, config.seed, checkpoint, maps)
    fitted = refit()
    found = judged(recipe, losses, head.validation, fitted.validation, validation.labels)
    remove_maps(maps)
    if not found.taken:
        model.load_state_dict(frozen)
    spent = time.perf_counter() - started
    print(f"train: fine-tuning, {recipe.epochs} epochs over {recipe.forms} forms in {spent:.0f} s: {found.text()}")
    if not found.taken:
        return replace(head, tuned=found)
    return replace(fitted, frozen_answers=head.found.out_of_fold, tuned=found)


def _train(
    model: Normalized, train: Packed, recipe: Recipe, precision: torch.dtype, seed: int, checkpoint: Path, folder: Path
) -> list[float]:
    """Train the upper blocks and the last layer of a model, in place; the mean loss of each epoch."""
    # The classes of some layers are changed for the steps: the caller's stay as they are.
    learning = copy.deepcopy(model).eval()
    if precision == torch.bfloat16 and model.mean.device.type == "cpu":
        depthwise_in_float32(learning)
    upper = UpperBlocks(learning)
    trained: list[Tensor] = [*upper.pointwise(), *upper.last.parameters()]
    learning.requires_grad_(False)
    for each in trained:
        each.requires_grad_(True)
    size = min(BATCH, len(train.labels))
    optimizer = torch.optim.AdamW(trained, lr=RATE, weight_decay=DECAY)
    steps = len(train.labels) // size * recipe.epochs
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, RATE, total_steps=steps, pct_start=CLIMB)
    losses = _resume(checkpoint, trained, optimizer, schedule)
    if len(losses) < recipe.epochs:
        maps = stored_maps(model, train, recipe.forms, precision=precision, seed=seed, folder=folder)
        labels, keys = torch.from_numpy(np.array(train.labels)).to(model.mean.device), train.keys()
        for epoch in tqdm(range(len(losses) + 1, recipe.epochs + 1), desc="fine-tuning", unit="epoch", disable=None):
            order, total = epoch_order(keys, seed, epoch), 0.0
            for start in range(0, len(order) - size + 1, size):
                rows = order[start : start + size]
                forms = (uniform_per_image(keys[rows], "form", seed, epoch) * recipe.forms).astype(np.int64)
                images = gather(maps, rows, forms).to(model.mean.device)
                total += _step(upper, images, labels[rows], optimizer, precision)
                schedule.step()
            losses.append(total / (len(order) // size))
            _save(checkpoint, trained, optimizer, schedule, losses)
    learnt = learning.state_dict()
    model.load_state_dict({name: learnt[name] for name in model.state_dict()})
    return losses


def _step(
    upper: UpperBlocks, maps: Tensor, labels: Tensor, optimizer: torch.optim.Optimizer, precision: torch.dtype
) -> float:
    with torch.autocast(maps.device.type, dtype=precision, enabled=precision != torch.float32):
        features = upper.features(maps if precision != torch.float32 else maps.float())
    loss = cross_entropy(upper.last(features), labels)
    optimizer.zero_grad()
    loss.backward()  # type: ignore[no-untyped-call]
    optimizer.step()
    return float(loss.item())


def _save(
    checkpoint: Path, trained: list[Tensor], optimizer: torch.optim.Optimizer, schedule: Any, losses: list[float]
) -> None:
    states = {"optimizer": optimizer.state_dict(), "schedule": schedule.state_dict()}
    save_checkpoint(checkpoint, {"trained": [each.detach() for each in trained], "losses": losses} | states)


def _resume(checkpoint: Path, trained: list[Tensor], optimizer: torch.optim.Optimizer, schedule: Any) -> list[float]:
    """Go back to the checkpoint, where there is one: the losses of the epochs that are done."""
    content = load_checkpoint(checkpoint)
    if content is None:
        return []
    with torch.no_grad():
        for parameter, value in zip(trained, content["trained"], strict=True):
            parameter.copy_(value)
    optimizer.load_state_dict(content["optimizer"])
    schedule.load_state_dict(content["schedule"])
    losses: list[float] = content["losses"]
    print(f"train: resumed after epoch {len(losses)} of the fine-tuning, from {checkpoint}")
    return losses
