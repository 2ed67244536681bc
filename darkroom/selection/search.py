"""The search: candidates are compared on the same images, on more of them from round to round, until one is left.

The fastest backbone is chosen unless a slower one is better beyond chance, by a paired test on the answers of
cross-validated heads: a slower network costs whoever predicts with it at every image. Time decides nothing else.
Successive halving (Jamieson and Talwalkar 2016, https://arxiv.org/abs/1502.07943) with tests in place of halves.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from darkroom.runtime.arrays import Bools
from darkroom.selection.candidates import Candidate
from darkroom.settings.networks import SMALL_IMAGE_NET
from darkroom.statistics.intervals import wilson
from darkroom.statistics.mcnemar import mcnemar

# A slower backbone goes on to the next round below the first, and is chosen below the second.
GOES_ON, IS_CHOSEN = 0.2, 0.05
# A pooling of the same backbone goes out below this: what is worse on few images may be better on many.
GOES_OUT = 0.01
CONFIDENCE = 0.95
# In place of a pooling.
FROM_NOTHING = "from nothing"

# Network, poolings, how many images → pooling → bool [n], which of the judged images its head predicts correctly; the images
# are the same for all networks.
Score = Callable[[str, Sequence[str], int], dict[str, Bools]]


@dataclass(frozen=True)
class Tried:
    """A candidate as it was last scored.

    Attributes:
        images: that were predicted by a head that was not fitted to them.
        accuracy, low, high: with its 95% interval.
        only_it, only_reference: images that only it, and only the fastest backbone at its best, predicts correctly; beside a
            network that learns from nothing the backbone is the one that was chosen.
        outcome: in a few words.
    """

    network: str
    pooling: str
    images: int
    accuracy: float
    low: float
    high: float
    only_it: int
    only_reference: int
    outcome: str


def search(
    backbones: Sequence[str], poolings: Sequence[str], rounds: Sequence[int], score: Score
) -> tuple[Candidate, list[Tried]]:
    """Find the candidate to train.

    Args:
        backbones: the fastest first.
        poolings: of each; the first is taken where two are equal.
        rounds: how many images each takes.
        score: of the poolings of a backbone.

    Returns:
        The candidate, and all that were scored, in the order of the backbones.
    """
    left = {network: list(poolings) for network in backbones}
    tried: dict[Candidate, Tried] = {}
    for images in rounds:
        scores = {network: score(network, names, images) for network, names in left.items()}
        outcomes = _outcomes(scores, last=images == rounds[-1])
        reference = _best(scores[backbones[0]])[1]
        for network, found in scores.items():
            for pooling, correct in found.items():
                candidate = Candidate(network, pooling)
                tried[candidate] = _tried(candidate, correct, reference, outcomes.get(candidate, ""))
        left = {
            network: names
            for network in scores
            if (names := [pooling for pooling in scores[network] if Candidate(network, pooling) not in outcomes])
        }
        if sum(map(len, left.values())) == 1:
            break
    ((network, (pooling,)),) = left.items()
    candidate = Candidate(network, pooling)
    tried[candidate] = replace(tried[candidate], outcome="chosen")
    return candidate, list(tried.values())


def beside_nothing(
    chosen: Candidate, tried: Sequence[Tried], correct: Bools, from_nothing: Bools
) -> tuple[Candidate, list[Tried]]:
    """The candidate after a comparison with `small_image_net`, which is faster: the backbone stays where it is better.

    Twenty in a hundred by chance are enough for that. A network that learns from nothing gains more from the images that the
    comparison keeps back than a last layer does: 84.5% and 86.0% of 193 grey pictures in cross-validation became
    96.3% and 82.0% of the test images.

    Args:
        chosen, tried: what `search` found.
        correct, from_nothing: which of the same images each predicts correctly, bool [n].
    """
    nothing = Candidate(SMALL_IMAGE_NET, FROM_NOTHING)
    slower = _is_better(correct, from_nothing, GOES_ON)
    outcomes = ("chosen", f"{chosen.network} is better") if slower else ("slower, and not better", "chosen")
    again = _tried(chosen, correct, correct, outcomes[0])
    rows = [again if Candidate(row.network, row.pooling) == chosen else row for row in tried]
    return chosen if slower else nothing, [*rows, _tried(nothing, from_nothing, correct, outcomes[1])]


def _outcomes(scores: dict[str, dict[str, Bools]], last: bool) -> dict[Candidate, str]:
    """Those that are out after a round, and why; after the last one all but one."""
    outcomes: dict[Candidate, str] = {}
    leader, *slower = scores
    for network, found in scores.items():
        pooling, correct = _best(found)
        for other, answers in found.items():
            if other != pooling and (last or _p_value(answers, correct) < GOES_OUT):
                outcomes[Candidate(network, other)] = f"{pooling} is more accurate"
    for network in slower:
        ahead = _is_better(_best(scores[network])[1], _best(scores[leader])[1], IS_CHOSEN if last else GOES_ON)
        if ahead and not last:
            continue
        behind = leader if ahead else network
        why = f"{network} is better beyond chance" if ahead else f"slower than {leader}, and not better beyond chance"
        outcomes |= {Candidate(behind, each): why for each in scores[behind] if Candidate(behind, each) not in outcomes}
        leader = network if ahead else leader
    return outcomes


def _best(found: dict[str, Bools]) -> tuple[str, Bools]:
    """The most accurate pooling, and its answers."""
    return max(found.items(), key=lambda each: each[1].sum())


def _p_value(one: Bools, other: Bools) -> float:
    return float(mcnemar(np.array([(one & ~other).sum()]), np.array([(other & ~one).sum()]))[0])


def _is_better(one: Bools, other: Bools, level: float) -> bool:
    return bool(one.sum() > other.sum()) and _p_value(one, other) < level


def _tried(candidate: Candidate, correct: Bools, reference: Bools, outcome: str) -> Tried:
    low, high = wilson(correct.sum(), len(correct), CONFIDENCE)
    return Tried(
        candidate.network,
        candidate.pooling,
        images=len(correct),
        accuracy=float(correct.mean()) if len(correct) else 0.0,
        low=float(low),
        high=float(high),
        only_it=int((correct & ~reference).sum()),
        only_reference=int((reference & ~correct).sum()),
        outcome=outcome,
    )
