"""The choice that `select` writes: which network is trained and how, why, and what else was tried; needs no torch."""

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from darkroom.runtime.errors import DarkroomError
from darkroom.runtime.files import whole_folder, write_json
from darkroom.runtime.inputs import read_input_json

FILE = "choice.json"
FIELDS: dict[str, type | tuple[type, ...]] = {"settings": dict, "reason": str, "tried": list, "plan": dict}


@dataclass(frozen=True)
class Choice:
    """What `select` decided.

    Attributes:
        settings: of `train`, to be used in place of those that are `auto`; none where the network is set.
        reason: for the choice, in one sentence.
        tried: one row for each candidate that was scored.
        plan: how many images each round of the search takes, the fine-tuning where the budget has room for one, and what it was
            made for; empty where nothing was searched.
    """

    settings: dict[str, Any]
    reason: str
    tried: list[dict[str, Any]]
    plan: dict[str, Any]


def write_choice(choice: Choice, out: Path) -> None:
    """Write `choice.json` into a folder, whole or not at all."""
    with whole_folder(out) as folder:
        write_json(folder / FILE, asdict(choice))


def read_choice(folder: Path) -> Choice:
    """Read what `write_choice` wrote.

    Raises:
        FileNotFoundError: when there is none.
        DarkroomError: when the file is damaged.
    """
    content = read_input_json(folder / FILE, FIELDS)
    return Choice(**{name: content[name] for name in FIELDS})


def stored_plan(folder: Path) -> dict[str, Any]:
    """The plan of the choice that an earlier run wrote, none where there is none; one that is damaged is made anew."""
    try:
        return read_choice(folder).plan
    except FileNotFoundError:
        return {}
    except DarkroomError as error:
        print(f"select: the plan of the previous run does not count: {error}")
        return {}


def choice_lines(choice: Choice, network: str) -> list[str]:
    """The choice for the console, in three lines at most: what, why, what else was tried.

    Args:
        network: as `train.network`.
    """
    settings = dict(choice.settings)
    chosen = ", ".join([settings.pop("network", network), *(f"{name} {value}" for name, value in settings.items())])
    if tuning := choice.plan.get("fine_tuning"):
        tried = f"then {tuning['epochs']} epochs of fine-tuning of the upper blocks are tried"
        too_many = f"no fine-tuning, since train.budget is enough for {tuning['most']:,} training images"
        chosen += f"; {tried if tuning['epochs'] else too_many}"
    if not choice.tried:
        return [f"{chosen}, since {choice.reason}"]
    scores: dict[str, list[str]] = {}
    for row in choice.tried:
        scores.setdefault(row["network"], []).append(f"{row['pooling']} {row['accuracy']:.1%} of {row['images']:,}")
    networks = "; ".join(f"{name}: {', '.join(each)}" for name, each in scores.items())
    return [chosen, choice.reason, f"tried {networks}"]
