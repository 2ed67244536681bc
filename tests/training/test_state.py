"""Checkpoints: what another number of processes has of them."""

import torch
from torch import nn

from darkroom.training.optimizers import make_schedule
from darkroom.training.state import EpochProgress, TrainState


def state() -> TrainState:
    model = nn.Linear(2, 2)
    optimizer = torch.optim.SGD(model.parameters(), 0.1)
    scaler = torch.amp.GradScaler("cpu", enabled=False)
    return TrainState(model, optimizer, make_schedule("constant", optimizer, 4, 0, 1, 1.0), None, scaler)


def progress_of(content: list[EpochProgress], world: int) -> list[EpochProgress]:
    found = []
    for rank in range(world):
        resumed = state()
        resumed.load_state_dict(state().state_dict(content), rank, world)
        found.append(resumed.progress)
    return found


def test_as_many_processes_have_their_own_sums_and_others_the_same_total() -> None:
    two = [EpochProgress(3, 1.5, 4, 8), EpochProgress(3, 2.5, 5, 7)]
    assert progress_of(two, 2) == two
    assert progress_of(two, 1) == [EpochProgress(3, 4.0, 9, 15)]
    assert progress_of(two, 3) == [EpochProgress(3, 4.0, 9, 15), EpochProgress(3), EpochProgress(3)]
