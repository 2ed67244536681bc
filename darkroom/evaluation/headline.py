"""The first keys of `metrics.json`, for those who read nothing else of it, also as an older version wrote them."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, Field

from darkroom.runtime.checked_json import SOME_KEYS, read_checked


def _has(*names: str) -> AfterValidator:
    def check(content: dict[str, object]) -> dict[str, object]:
        if lacking := [name for name in names if name not in content]:
            raise ValueError(f"should have {', '.join(lacking)}")
        return content

    return AfterValidator(check)


@dataclass(frozen=True)
class Headline:
    """What a model reached on the test split, and of which data.

    Attributes:
        test: the numbers by name, at least the accuracy with its interval.
        provenance: versions by name, at least that of the data.
    """

    __pydantic_config__ = SOME_KEYS

    test: Annotated[dict[str, int | float], _has("accuracy", "accuracy_low", "accuracy_high", "images")]
    provenance: Annotated[dict[str, str], _has("data_version")]


@dataclass(frozen=True)
class ClassHeadline(Headline):
    """The same with what a comparison of models needs.

    Attributes:
        provenance: that of the classes, too.
        confidence: of the intervals, 0.95 for 95%.
    """

    provenance: Annotated[dict[str, str], _has("data_version", "class_hash")]
    confidence: Annotated[float, Field(gt=0, lt=1)]


def read_headline(path: Path, remedy: str = "run `dvc repro evaluate`", where: str = "") -> Headline:
    """Read it; the arguments and errors are those of `darkroom.runtime.checked_json.read_checked`."""
    return read_checked(path, Headline, remedy, where)
