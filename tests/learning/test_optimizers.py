"""Optimizers and schedules do what their names say."""

import pytest
import torch

from darkroom.learning.optimizers import make_optimizer, make_schedule
from darkroom.network.simple_cnn import SimpleCNN


@pytest.mark.parametrize("name", ["adam", "adamw", "rmsprop", "sgd"])
def test_each_optimizer_reduces_a_loss(name: str) -> None:
    torch.manual_seed(0)
    network = SimpleCNN(2, 1, 4, 1, 0.0)
    images, labels = torch.randn(8, 1, 8, 8), torch.tensor([0, 1] * 4)
    optimizer = make_optimizer(name, network, 0.02, 0.0)
    losses = []
    for _ in range(15):
        loss = torch.nn.functional.cross_entropy(network(images), labels)
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < losses[0] * 0.9


def test_biases_and_scales_do_not_decay() -> None:
    network = SimpleCNN(2, 1, 4, 2, 0.0)
    decays = {
        id(parameter): group["weight_decay"]
        for group in make_optimizer("sgd", network, 0.1, 0.3).param_groups
        for parameter in group["params"]
    }
    for parameter in network.parameters():
        assert decays[id(parameter)] == (0.3 if parameter.ndim > 1 else 0.0)


@pytest.mark.parametrize("steps", [1, 2, 4, 40])
def test_one_cycle_climbs_to_the_rate_and_falls_to_nothing(steps: int) -> None:
    optimizer = make_optimizer("sgd", torch.nn.Linear(2, 2), 0.4, 0.0)
    schedule = make_schedule("one-cycle", optimizer, steps)
    rates = []
    for _ in range(steps):
        rates.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        schedule.step()
    if steps == 40:
        assert max(rates) == pytest.approx(0.4, rel=0.01)
        assert 8 <= rates.index(max(rates)) <= 11
        assert rates[-1] < 0.001
    assert all(rate > 0 for rate in rates)
    assert all(optimizer.param_groups[0]["momentum"] == 0.9 for _ in rates)


def test_constant_is_constant() -> None:
    optimizer = make_optimizer("adam", torch.nn.Linear(2, 2), 0.4, 0.0)
    schedule = make_schedule("constant", optimizer, 10)
    for _ in range(10):
        assert optimizer.param_groups[0]["lr"] == pytest.approx(0.4)
        optimizer.step()
        schedule.step()
