"""Optimizers, schedules and the average of the weights do what their names say."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from darkroom.network.cnn import SimpleCNN
from darkroom.training.optimizers import make_optimizer, make_schedule, orthogonalise
from darkroom.training.state import EMA

HEAD = frozenset({"head.3.weight", "head.3.bias"})


@pytest.mark.parametrize("name", ["adam", "adamw", "muon", "rmsprop", "sgd"])
def test_each_optimizer_reduces_a_loss(name: str) -> None:
    torch.manual_seed(0)
    network = SimpleCNN(2, 1, 4, 1, 0.0)
    images, labels = torch.randn(8, 1, 8, 8), torch.tensor([0, 1] * 4)
    optimizer = make_optimizer(name, network, 0.02, 0.0, {}, HEAD)
    losses = []
    for _ in range(15):
        loss = nn.functional.cross_entropy(network(images), labels)
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < losses[0] * 0.9


def test_biases_and_scales_do_not_decay() -> None:
    network = SimpleCNN(2, 1, 4, 2, 0.0)
    decays = {
        id(parameter): group["weight_decay"]
        for group in make_optimizer("sgd", network, 0.1, 0.3, {}, HEAD).param_groups
        for parameter in group["params"]
    }
    for parameter in network.parameters():
        assert decays[id(parameter)] == (0.3 if parameter.ndim > 1 else 0.0)


def test_rates_fall_toward_the_input_and_the_head_is_left_to_adam() -> None:
    network = SimpleCNN(2, 1, 4, 1, 0.0)
    optimizer = make_optimizer("muon", network, 0.1, 0.0, {"features.0.weight": 0.5}, HEAD)
    groups = {id(parameter): group for group in optimizer.param_groups for parameter in group["params"]}
    named = {name: groups[id(parameter)] for name, parameter in network.named_parameters()}
    assert named["features.0.weight"]["lr"] == pytest.approx(0.05) and named["features.0.weight"]["orthogonal"]
    assert named["features.3.weight"]["lr"] == pytest.approx(0.1)
    assert not named["head.3.weight"]["orthogonal"] and not named["features.1.weight"]["orthogonal"]


def test_a_frozen_weight_stays_whatever_the_optimizer() -> None:
    for name in ("adam", "adamw", "muon", "rmsprop", "sgd"):
        network = SimpleCNN(2, 1, 4, 1, 0.0)
        frozen = dict(network.named_parameters())["features.0.weight"]
        before = frozen.requires_grad_(False).clone()
        optimizer = make_optimizer(name, network, 0.1, 0.1, {}, HEAD)
        network(torch.randn(4, 1, 8, 8)).sum().backward()
        optimizer.step()
        assert torch.equal(frozen, before)


@given(rows=st.integers(2, 40), columns=st.integers(2, 40), seed=st.integers(0, 2**31))
def test_orthogonalised_matrices_have_singular_values_near_one(rows: int, columns: int, seed: int) -> None:
    matrix = torch.randn(rows, columns, generator=torch.Generator().manual_seed(seed))
    values, before = torch.linalg.svdvals(orthogonalise(matrix)), torch.linalg.svdvals(matrix)
    # Five iterations do not lift what is nearly nothing.
    assert values.max() < 1.35
    assert values[before > 0.1 * before.max()].min() > 0.5


def rates(name: str, steps: int, warmup: int = 0, every: int = 1, factor: float = 1.0) -> list[float]:
    optimizer = make_optimizer("sgd", nn.Linear(2, 2), 0.4, 0.0, {}, frozenset())
    schedule = make_schedule(name, optimizer, steps, warmup, every, factor)
    found = []
    for _ in range(steps):
        found.append(optimizer.param_groups[0]["lr"])
        assert optimizer.param_groups[0]["momentum"] == 0.9
        optimizer.step()
        schedule.step()
    return found


@pytest.mark.parametrize("steps", [1, 2, 4, 40])
def test_one_cycle_climbs_to_the_rate_and_falls_to_nothing(steps: int) -> None:
    found = rates("one-cycle", steps)
    if steps == 40:
        assert max(found) == pytest.approx(0.4, rel=0.01)
        assert 8 <= found.index(max(found)) <= 11
        assert found[-1] < 0.001
    assert all(rate > 0 for rate in found)


def test_the_climb_of_one_cycle_is_as_long_as_the_warmup() -> None:
    found = rates("one-cycle", 40, warmup=4)
    assert 3 <= found.index(max(found)) <= 4


def test_triangle_climbs_and_falls_in_straight_lines() -> None:
    # 10 steps, the middle of each: from a fifth of the rate to the rate in the first two, then to nothing.
    expected = [0.4, 0.8, 7.5 / 8, 6.5 / 8, 5.5 / 8, 4.5 / 8, 3.5 / 8, 2.5 / 8, 1.5 / 8, 0.5 / 8]
    assert rates("triangle", 10) == pytest.approx([0.4 * fraction for fraction in expected])
    assert rates("triangle", 10, warmup=5)[:5] == pytest.approx([0.4 * f for f in (0.28, 0.44, 0.6, 0.76, 0.92)])


def test_cosine_falls_from_the_start_after_its_warmup() -> None:
    assert rates("cosine", 40) == sorted(rates("cosine", 40), reverse=True)
    found = rates("cosine", 40, warmup=10)
    assert found[:10] == sorted(found[:10]) and found[10:] == sorted(found[10:], reverse=True)
    assert max(found) == pytest.approx(0.4, rel=0.02) and found[-1] < 0.002


def test_steps_fall_by_their_factor() -> None:
    assert rates("step", 9, every=3, factor=0.1) == pytest.approx([0.4] * 3 + [0.04] * 3 + [0.004] * 3)


def test_constant_is_constant() -> None:
    assert rates("constant", 10) == pytest.approx([0.4] * 10)


@given(
    name=st.sampled_from(["constant", "cosine", "one-cycle", "step", "triangle"]),
    steps=st.integers(1, 60),
    share=st.floats(0, 1),
    every=st.integers(1, 10),
)
def test_every_schedule_stays_between_nothing_and_the_rate(name: str, steps: int, share: float, every: int) -> None:
    found = rates(name, steps, round(share * steps), every, 0.5)
    assert all(0 < rate <= 0.4 + 1e-9 for rate in found)


def test_the_average_of_weights_that_stand_still_is_the_weights() -> None:
    network = SimpleCNN(2, 1, 4, 1, 0.0)
    average = EMA(network, 0.9)
    weight = dict(network.named_parameters())["features.0.weight"]
    first = weight.detach().clone()
    for _ in range(3):
        average.update(network)
    assert torch.allclose(average.weights["features.0.weight"], first)
    with torch.no_grad():
        weight.zero_()
    for _ in range(200):
        average.update(network)
    assert average.weights["features.0.weight"].abs().max() < 1e-6
