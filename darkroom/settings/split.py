"""Settings of the stage `split`."""

import datetime
from typing import Annotated

from pydantic import Field, field_validator, model_validator

from darkroom.settings.base import Section, Seed


class Split(Section):
    """How the images are divided into training, validation and test split."""

    validation: Annotated[float, Field(gt=0, lt=1)] = 0.1
    """Fraction of the images for validation: of all, or of the training images where the source has a test split."""
    test: Annotated[float, Field(gt=0, lt=1)] = 0.1
    """Fraction of the images for the test split; where the source brings a test split, that one is used instead."""
    seed: Seed = 0
    """Another seed gives another split."""
    folds: Annotated[int, Field(ge=2, le=100)] | None = None
    """Divide what is not test into this many folds, and validate on one of them in place of a fraction."""
    fold: Annotated[int, Field(ge=0, le=99)] = 0
    """With folds: the one to validate on, counted from 0."""
    validation_from: datetime.date | None = None
    """For sources with timestamps: images from this day on (UTC) are for validation, in place of a fraction."""
    test_from: datetime.date | None = None
    """For sources with timestamps: images from this day on (UTC) are for the test split, in place of a fraction."""

    @field_validator("validation_from", "test_from", mode="before")
    @classmethod
    def _day_as_text(cls, value: object) -> object:
        """`dvc exp run -S` has no dates, and writes them as text."""
        if not isinstance(value, str):
            return value
        try:
            return datetime.date.fromisoformat(value)
        except ValueError:
            raise ValueError(f"is {value!r}, should be a day such as 2026-10-01") from None

    @model_validator(mode="after")
    def _possible(self) -> "Split":
        if self.validation + self.test >= 1:
            raise ValueError(f"validation ({self.validation}) and test ({self.test}) leave nothing to train on")
        if self.folds and self.fold >= self.folds:
            raise ValueError(f"fold is {self.fold}, and {self.folds} folds are counted from 0 to {self.folds - 1}")
        if self.folds and self.validation_from:
            raise ValueError("folds and validation_from both choose the validation split: leave one of them empty")
        if self.validation_from and self.test_from and self.validation_from >= self.test_from:
            raise ValueError(f"validation_from ({self.validation_from}) must be before test_from ({self.test_from})")
        return self
