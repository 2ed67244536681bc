"""How often the gate errs, and how much it asks: candidates whose true accuracy is known, simulated by the thousand.

Measures, with the functions that decide in `darkroom.gate`, 2,000 runs each:

- a candidate that is 1 point worse than the champion: how often it is promoted at once by the test split, and how often in the
  end, with labels of disagreements among 10,000 images without labels; beside the naive rule "at least as many correct";
- one that is as good: how often it is promoted in the end, and after how many labels;
- the same for more shares of images on which two models differ, beside what the best of all tests could do;
- 52 candidates, one a week, each 0.05 points worse than the champion of its week: where accuracy ends, with the naive
  rule, with non-inferiority alone, and with the anchor; on the same test images each week, and on fresh ones.

    python -m benchmarks.gate [--runs 2000]
"""

import argparse

import numpy as np
from scipy.stats import binom

from benchmarks.rounds import print_table
from darkroom.gate.comparisons import ANCHOR_PART
from darkroom.gate.disagreements import ALPHA
from darkroom.runtime.arrays import Bools, Int64s
from darkroom.statistics.betting import labels_until, log_wealth
from darkroom.statistics.paired_score import Z95, within

MARGIN, UNLABELLED, WEEKS, STEP = 0.01, 10_000, 52, 0.0005
SIZES = (200, 2_000, 10_000)
# Images on which one of two models alone is correct, of all images.
RATES = (0.02, 0.05, 0.1)
CURVE = (0.01, 0.02, 0.03, 0.05, 0.07, 0.1, 0.15)
# Test split and labels together.
ERRORS = 2 * ALPHA


def stream(runs: int, images: int, rate: float, difference: float, seed: int) -> tuple[Int64s, Int64s]:
    """Places and outcomes of the disagreements in each run, int64 [R, D] each; places past the last image count for nothing.

    Args:
        runs: R.
        images: of each run.
        rate: of disagreements.
        difference: accuracy of the candidate less that of the champion.
        seed: of the draws.
    """
    generator = np.random.default_rng(seed)
    most = int(images * rate + 6 * np.sqrt(images * rate) + 10)
    places = np.cumsum(generator.geometric(rate, (runs, most)), axis=1) - 1
    won = generator.random((runs, most)) < (rate + difference) / (2 * rate)
    return places, np.where(won, 1, -1)


def decide(test: int, rate: float, difference: float, runs: int, seed: int) -> dict[str, str]:
    """Simulate candidates up to their end: by the test split, or by labels of disagreements."""
    places, outcomes = stream(runs, test + UNLABELLED, rate, difference, seed)
    tested, of_all = places < test, places < test + UNLABELLED
    lost, won = ((outcomes == side) & tested for side in (-1, 1))
    lost_count, won_count = lost.sum(axis=1), won.sum(axis=1)
    at_once = within(lost_count, won_count, test, MARGIN)
    rejected = ~at_once & (lost_count - won_count > Z95 * np.sqrt(lost_count + won_count))
    # Places past the end are moved onto it: no image is left between them, and their outcomes can't help.
    ends = np.minimum(places, test + UNLABELLED)
    agreed = np.maximum(np.diff(ends, axis=1, prepend=-1, append=test + UNLABELLED) - 1, 0)
    better = until(agreed, np.where(of_all, outcomes, -1), MARGIN)
    worse = until(agreed, np.where(of_all, -outcomes, -1), 0.0)
    promoted_by_labels = (better >= 0) & ((worse < 0) | (better <= worse)) & ~at_once & ~rejected
    labels = np.maximum(better - tested.sum(axis=1), 0)[promoted_by_labels]
    return {
        "test images": f"{test:,}",
        "differ": f"{rate:.0%}",
        "naive": f"{(won_count >= lost_count).mean():.1%}",
        "promoted at once": f"{at_once.mean():.1%}",
        "rejected at once": f"{rejected.mean():.1%}",
        "promoted in the end": f"{(at_once | promoted_by_labels).mean():.1%}",
        "labels, median": f"{np.median(labels):,.0f}" if len(labels) else "none",
    }


def until(agreed: Int64s, outcomes: Int64s, limit: float) -> Int64s:
    """After how many disagreements a stream ends, int64 [R]; -1 where it does not."""
    return labels_until(log_wealth(agreed, outcomes, MARGIN, limit), ALPHA)


def most_power(disagreements: int, rate: float) -> float:
    """How often the best of all tests promotes an equal model.

    It may promote one that is a margin worse in `ERRORS` of the cases. What is won among the disagreements has a binomial
    distribution for either, so by the lemma of Neyman and Pearson no test is more powerful, whatever its order, stakes and
    looks, than to promote where more than so many are won.

    Args:
        disagreements: all that are ever labelled.
        rate: of images on which one model alone is correct.
    """
    worse = (rate - MARGIN) / (2 * rate)
    bar = int(binom.isf(ERRORS, disagreements, worse))
    # At that very number a coin may decide, so that exactly `ERRORS` is used.
    coin = (ERRORS - binom.sf(bar, disagreements, worse)) / binom.pmf(bar, disagreements, worse)
    return float(binom.sf(bar, disagreements, 0.5) + coin * binom.pmf(bar, disagreements, 0.5))


def least(power: float, rate: float) -> int:
    """So many disagreements have to be labelled at least until a test has promoted such a part of all equal models."""
    low, high = 1, 1_000_000
    while low < high:
        middle = (low + high) // 2
        low, high = (middle + 1, high) if most_power(middle, rate) < power else (low, middle)
    return low


def bound(test: int, rate: float, runs: int, seed: int) -> list[str]:
    """What the gate reaches with an equal model, beside what no test can exceed."""
    found = decide(test, rate, 0.0, runs, seed)
    tested = round(test * rate)
    return [
        *(found[name] for name in ("test images", "differ", "promoted in the end", "labels, median")),
        f"{most_power(tested + round(UNLABELLED * rate), rate):.1%}",
        f"{max(0, least(0.5, rate) - tested):,}",
        f"{max(0, least(0.95, rate) / rate - test):,.0f}",
    ]


def walk(test: int, rule: str, fresh: bool, runs: int, seed: int) -> tuple[float, float]:
    """A year of candidates that are each a little worse: the mean true difference at the end, in points, and promotions.

    One image in ten is hard: every model is correct on about half of these, each on its own, so that two models differ on 5% of
    all images. A candidate is correct on the hard ones a little less often than the champion of its week.

    Args:
        test: images.
        rule: `naive`, `margin` or `anchor`.
        fresh: whether each week has test images of its own; else the same all year.
        runs: years.
        seed: of the draws.
    """
    generator = np.random.default_rng(seed)
    hard = test // 10
    rates = {name: np.full(runs, 0.5) for name in ("champion", "anchor")}

    def draw(rate: np.ndarray) -> Bools:
        drawn: Bools = generator.random((runs, hard), np.float32) < rate[:, None]
        return drawn

    correct = {name: draw(rate) for name, rate in rates.items()}
    correct["anchor"], promotions = correct["champion"].copy(), 0.0
    for _ in range(WEEKS):
        if fresh:
            same = rates["champion"] == rates["anchor"]
            correct = {name: draw(rate) for name, rate in rates.items()}
            correct["anchor"][same] = correct["champion"][same]
        rate = rates["champion"] - STEP * 10
        candidate = draw(rate)
        (lost, won), (anchor_lost, anchor_won) = (
            ((of & ~candidate).sum(axis=1), (candidate & ~of).sum(axis=1)) for of in correct.values()
        )
        passed = won >= lost if rule == "naive" else within(lost, won, test, MARGIN)
        if rule == "anchor":
            passed &= within(anchor_lost, anchor_won, test, ANCHOR_PART * MARGIN)
        better = passed & (anchor_won - anchor_lost > Z95 * np.sqrt(anchor_won + anchor_lost))
        for name, moved in (("champion", passed), ("anchor", better)):
            correct[name][moved] = candidate[moved]
            rates[name] = np.where(moved, rate, rates[name])
        promotions += float(passed.mean())
    return float((rates["champion"] - 0.5).mean()) * 10, promotions


def main() -> None:
    parser = argparse.ArgumentParser(description="How often the gate errs, and how much it asks.")
    parser.add_argument("--runs", type=int, default=2_000, help="of each simulation; default 2000")
    runs = parser.parse_args().runs
    for title, difference in (("a candidate 1 point worse", -MARGIN), ("a candidate as good", 0.0)):
        rows = [decide(test, rate, difference, runs, seed=n) for n, (test, rate) in enumerate(cases())]
        print(f"\n{title}, {runs:,} runs, {UNLABELLED:,} images without labels")
        print_table(list(rows[0]), [list(row.values()) for row in rows])
    curve = [bound(test, rate, runs, seed=n) for test in SIZES[:2] for n, rate in enumerate(CURVE)]
    print(f"\na candidate as good, {runs:,} runs, beside the best of all tests that err in {ERRORS:.0%}")
    names = ["test images", "differ", "promoted in the end", "labels, median"]
    print_table([*names, "any test at most", "labels for half at least", "images for 95% at least"], curve)
    found = []
    for test in SIZES:
        for fresh in (False, True):
            ends = [walk(test, rule, fresh, runs, seed=test + fresh) for rule in ("naive", "margin", "anchor")]
            cells = [f"{end:+.2f} ({promotions:.1f})" for end, promotions in ends]
            found.append([f"{test:,}", "fresh each week" if fresh else "the same", *cells])
    print(f"\n{WEEKS} weeks, each candidate 0.05 points worse: points at the end (promotions), mean of {runs:,} runs")
    print_table(["test images", "are", "naive", "margin alone", "with the anchor"], found)


def cases() -> list[tuple[int, float]]:
    """Test images and rates of disagreement."""
    return [(test, rate) for test in SIZES for rate in RATES]


if __name__ == "__main__":
    main()
