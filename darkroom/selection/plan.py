"""The plan of a search: how many images each round takes. It is stored, since it was made from a measured time."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from darkroom.training.recipe import RECIPE

# The smallest first round; so few images need no plan, since all of them are taken.
FEWEST = 128
# From round to round, and between the numbers that a plan may have: a machine that is half or twice as fast for a moment
# gets the same plan.
GROWTH = 4
# What the first round, and what all rounds together may take of the budget; the rest is for heads.
FIRST_SHARE, SHARE = 1 / 40, 1 / 2
# Minutes of the budget from which on the upper blocks are fine-tuned: who gives fewer waits for the search alone.
FINE_TUNING = 5.0
# An image of the batch of eight that is measured takes so many times as long as one of many, since the network is folded first.
SMALL_BATCH = 2.4


@dataclass(frozen=True)
class Plan:
    """How many images the first round takes, and how many the last one at most.

    Attributes:
        made_for: all that the plan depends on beside the machine; it counts again where this is equal.
        fine_tuned: how many training images the fastest backbone is fine-tuned on at most; 0: it is not.
    """

    first: int
    most: int
    made_for: dict[str, Any]
    fine_tuned: int = 0

    def rounds(self, images: int) -> list[int]:
        """How many of so many images each round takes."""
        rounds = [self.first]
        while rounds[-1] < min(images, self.most):
            rounds.append(rounds[-1] * GROWTH)
        # The last step is left out where it would add little.
        limit = min(images, self.most)
        return [*(count for count in rounds if 2 * count <= limit), limit]

    def fine_tuning(self, images: int, slower: float) -> dict[str, Any]:
        """The fine-tuning of so many training images: `most` that the budget is for, `epochs` (0: none) and `forms`.

        Args:
            slower: how many times as long an image takes as with the fastest backbone.
        """
        most = int(self.fine_tuned / slower)
        return asdict(RECIPE) | {"most": most} | ({"epochs": 0} if images > most else {})

    def table(self) -> dict[str, Any]:
        """As it is stored; without what is not fine-tuned."""
        return {name: value for name, value in asdict(self).items() if name != "fine_tuned" or value}


def make_plan(seconds: Sequence[float], budget: float, made_for: Mapping[str, Any]) -> Plan:
    """A plan that keeps to a budget.

    Args:
        seconds: that each backbone takes for one image, the fastest backbone first.
        budget: in minutes.
        made_for: as in the plan.
    """
    slower = sum(seconds[1:]) or seconds[0]
    first = _coarse(60 * budget * FIRST_SHARE / slower)
    tuned = _coarse(60 * budget * SHARE * SMALL_BATCH / (RECIPE.passes * seconds[0])) if fine_tunes(made_for) else 0
    return Plan(first, max(first, _coarse(60 * budget * SHARE / sum(seconds))), dict(made_for), tuned)


def fine_tunes(made_for: Mapping[str, Any]) -> bool:
    """Whether a plan for this has a fine-tuning."""
    return "recipe" in made_for


def _coarse(images: float) -> int:
    """The nearest of 128, 512, 2,048, …"""
    steps = round(math.log(max(images, 1) / FEWEST, GROWTH))
    return FEWEST * int(GROWTH ** max(steps, 0))


def plan_again(plan: Mapping[str, Any], made_for: Mapping[str, Any]) -> Plan | None:
    """The plan of an earlier run, where it was made for the same."""
    if plan.get("made_for") != made_for:
        return None
    numbers = [plan.get("first"), plan.get("most"), plan.get("fine_tuned", 0)]
    if not all(isinstance(number, int) for number in numbers):
        return None
    return Plan(numbers[0], numbers[1], dict(made_for), numbers[2])
