"""The plan: it keeps to the budget, changes only with a much faster or slower machine, and is stored."""

import pytest

from darkroom.selection.plan import Plan, make_plan, plan_again


def test_a_machine_that_is_for_a_moment_half_as_fast_gets_the_same_plan() -> None:
    usual = make_plan([1 / 150, 1 / 100, 1 / 95], 2.0, {})
    assert (usual.first, usual.most) == (128, 2048)
    assert make_plan([1 / 80, 1 / 55, 1 / 52], 2.0, {}) == usual
    assert make_plan([1 / 250, 1 / 170, 1 / 160], 2.0, {}) == usual
    assert make_plan([1 / 150, 1 / 100, 1 / 95], 10.0, {}) == Plan(512, 8192, {})
    assert make_plan([5.0], 0.1, {}) == Plan(128, 128, {})


def test_a_budget_of_minutes_is_for_a_fine_tuning_of_so_many_images() -> None:
    seconds, tunes = [1 / 90, 1 / 55, 1 / 40], {"budget": 10.0, "recipe": {"epochs": 8, "forms": 7}}
    plan = make_plan(seconds, 10.0, tunes)
    assert plan.fine_tuned == 2048 == make_plan([2 * each for each in seconds], 10.0, tunes).fine_tuned
    assert plan.fine_tuning(1_640, 1.0) == {"epochs": 8, "forms": 7, "most": 2048}
    assert plan.fine_tuning(1_640, 1.75) == {"epochs": 0, "forms": 7, "most": 1170}
    assert plan_again(plan.table(), tunes) == plan
    # Without it the plan is stored as before.
    usual = make_plan(seconds, 2.0, {})
    assert usual.fine_tuned == 0 and set(usual.table()) == {"first", "most", "made_for"}


@pytest.mark.parametrize(
    ("images", "rounds"),
    [(40, [40]), (200, [200]), (300, [128, 300]), (1650, [128, 512, 1650]), (90_000, [128, 512, 2048])],
)
def test_rounds_grow_to_all_images_or_to_the_most_of_the_plan(images: int, rounds: list[int]) -> None:
    assert Plan(128, 2048, {}).rounds(images) == rounds


def test_a_plan_again_counts_for_what_it_was_made_for() -> None:
    plan = Plan(128, 2048, {"budget": 2.0})
    stored = {"first": 128, "most": 2048, "made_for": {"budget": 2.0}}
    assert plan_again(stored, {"budget": 2.0}) == plan
    assert plan_again(stored, {"budget": 3.0}) is None
    assert plan_again({}, {"budget": 2.0}) is None and plan_again({"made_for": {}}, {}) is None
