"""The plan of a search: how many images each round takes. It is stored, since it was made from a measured time."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

# The smallest first round; so few images need no plan, since all of them are taken.
FEWEST = 128
# From round to round, and between the numbers that a plan may have: a machine that is half or twice as fast for a moment
# gets the same plan.
GROWTH = 4
# What the first round, and what all rounds together may take of the budget; the rest is for heads.
FIRST_SHARE, SHARE = 1 / 40, 1 / 2


@dataclass(frozen=True)
class Plan:
    """How many images the first round takes, and how many the last one at most.

    Attributes:
        made_for: all that the plan depends on beside the machine; it counts again where this is equal.
    """

    first: int
    most: int
    made_for: dict[str, Any]

    def rounds(self, images: int) -> list[int]:
        """How many of so many images each round takes."""
        rounds = [self.first]
        while rounds[-1] < min(images, self.most):
            rounds.append(rounds[-1] * GROWTH)
        # The last step is left out where it would add little.
        limit = min(images, self.most)
        return [*(count for count in rounds if 2 * count <= limit), limit]


def make_plan(seconds: Sequence[float], budget: float, made_for: Mapping[str, Any]) -> Plan:
    """A plan that keeps to a budget.

    Args:
        seconds: that each backbone takes for one image, the fastest backbone first.
        budget: in minutes.
        made_for: as in the plan.
    """
    slower = sum(seconds[1:]) or seconds[0]
    first = _coarse(60 * budget * FIRST_SHARE / slower)
    return Plan(first, max(first, _coarse(60 * budget * SHARE / sum(seconds))), dict(made_for))


def _coarse(images: float) -> int:
    """The nearest of 128, 512, 2,048, …"""
    steps = round(math.log(max(images, 1) / FEWEST, GROWTH))
    return FEWEST * int(GROWTH ** max(steps, 0))


def plan_again(plan: Mapping[str, Any], made_for: Mapping[str, Any]) -> Plan | None:
    """The plan of an earlier run, where it was made for the same."""
    if plan.get("made_for") != made_for:
        return None
    first, most = plan.get("first"), plan.get("most")
    return Plan(first, most, dict(made_for)) if isinstance(first, int) and isinstance(most, int) else None
