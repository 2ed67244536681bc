"""Distillation: a short training in which a changed network learns to predict as the one that it was made from."""

import copy
import math

import torch
from torch import nn
from torch.nn.functional import cross_entropy
from tqdm import tqdm

from darkroom.images.pack import Packed
from darkroom.inference.device import choose_device, use_deterministic_algorithms
from darkroom.runtime.errors import DarkroomError
from darkroom.runtime.seeding import seed_of
from darkroom.training.augmentation import Augmentation
from darkroom.training.batches import TrainingBatches
from darkroom.training.optimizers import make_optimizer, make_schedule

BATCH = 64

# Mild, since the two epochs should be about the pictures that will be met.
AUGMENTATION = Augmentation(shift=0.08)


def distill(
    student: nn.Module,
    teacher: nn.Module,
    train: Packed,
    epochs: int,
    learning_rate: float,
    precision: torch.dtype,
    seed: int,
    progress: str,
) -> None:
    """Fit a network, in place, to another's probabilities.

    Hinton et al. 2015, https://arxiv.org/abs/1503.02531, at temperature 1. Teacher and student see the same augmented pictures,
    so that no label has to stay correct under augmentation (Beyer et al. 2022, https://arxiv.org/abs/2106.05237), and the
    student learns the teacher's doubts, too. AdamW, a one-cycle schedule, no choice among epochs: only training images are
    used.

    Args:
        student: from uint8 [N, S, S, C] to logits [N, K], in the mode in which it is trained; on the CPU, before and after.
        teacher: from the same images to logits, in eval mode; stays as it is.
        train: what both see; its labels are not used.
        epochs: passes over it.
        learning_rate: the highest of the schedule.
        precision: of the multiplications.
        seed: of order, augmentation and dropout.
        progress: the text in front of the progress bar.

    Raises:
        DarkroomError: when the loss is no longer a number.
    """
    use_deterministic_algorithms()
    device = choose_device()
    teacher = copy.deepcopy(teacher).to(device)
    student.to(device)
    labels = torch.from_numpy(train.labels)
    batches = TrainingBatches(train.images, labels, train.keys(), BATCH, AUGMENTATION, seed)
    optimizer = make_optimizer("adamw", student, learning_rate, 0.0, {}, frozenset())
    schedule = make_schedule("one-cycle", optimizer, epochs * len(batches), 0, 1, 1.0)
    # The word is part of the seed: another one would give other weights.
    torch.manual_seed(seed_of("imitation", seed))
    with tqdm(total=epochs * len(batches), desc=progress, unit="step", disable=None) as bar:
        for epoch in range(1, epochs + 1):
            for batch in (each.on(device) for each in batches.epoch(epoch)):
                with torch.autocast(device.type, dtype=precision, enabled=precision != torch.float32):
                    with torch.no_grad():
                        targets = teacher(batch.images).float().softmax(1)
                    logits = student(batch.images)
                loss = cross_entropy(logits.float(), targets)
                if not math.isfinite(loss.item()):
                    raise DarkroomError(
                        f"{progress}: the loss is {loss.item()} in epoch {epoch}, with a learning rate of "
                        f"{learning_rate:g}: train the network again with a lower train.learning_rate"
                    )
                optimizer.zero_grad(set_to_none=True)
                loss.backward()  # type: ignore[no-untyped-call]
                optimizer.step()
                schedule.step()
                bar.update()
    student.cpu()
