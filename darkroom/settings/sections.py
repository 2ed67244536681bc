"""The settings, a typed section for each stage: `docs/parameters.md` is made from them, `darkroom.settings.read` reads them."""

import datetime
from typing import Annotated, Any, Literal

from pydantic import Field, field_validator, model_validator

from darkroom.settings.base import Fraction, Section, Seed
from darkroom.settings.dimension import wrong_dimension
from darkroom.settings.train import Train

ValidateCheck = Literal[
    "manifest",
    "rejects",
    "classes",
    "missing_class",
    "class_size",
    "imbalance",
    "size",
    "aspect_ratio",
    "brightness",
    "contrast",
    "sharpness",
    "mode_mix",
    "copies",
    "conflicts",
    "class_shift",
    "size_shift",
    "brightness_shift",
]


class Ingest(Section):
    source: Literal[
        "mnist", "fashion-mnist", "cifar10", "cifar100", "digits", "folder", "imagenet", "zip", "tar", "table"
    ] = Field(description="Where the images come from: a data set by name, or what lies at `path`.")
    path: Annotated[str, Field(min_length=1)] = Field(
        description="The folder of class folders (or of train/, val/, test/ holding them), the zip or tar of one, the folder in"
        " ImageNet's layout, or the CSV or Parquet table. The data sets that have a name do not read it."
    )
    root: Annotated[str, Field(min_length=1)] | None = Field(
        description="For a data set that has a name: the folder of a copy that is there already, as torchvision lays it out. "
        "Empty: fetched once to the user's cache folder."
    )
    decoder: Literal["turbo", "opencv", "pillow"] = Field(
        description="What opens JPEG files (and, for `opencv`, PNG): `turbo` is libjpeg-turbo, which also reports damage that "
        "the others pass over. Everything else is opened by Pillow. It travels with the model."
    )
    max_reject_fraction: Fraction = Field(
        description="The line stops when a larger share of the files than this can't be read as images."
    )
    max_unpacked_gib: Annotated[float, Field(gt=0)] = Field(
        description="An archive that would unfold to more GiB than this is refused before anything is read or written."
    )


class Validate(Section):
    stop: list[ValidateCheck] = Field(
        description="Which of the expectations stop the line when they are broken; the others warn."
    )
    min_images_per_class: Annotated[int, Field(ge=3)] = Field(
        description="Fewest readable images that a class may have; with fewer than 3 it can't be in all three splits."
    )
    max_imbalance_ratio: Annotated[float, Field(ge=1)] = Field(
        description="Largest class divided by smallest class, at most."
    )
    min_side: Annotated[int, Field(ge=1)] = Field(description="Shortest side of any image, in pixels, at least.")
    max_side: Annotated[int, Field(ge=1)] = Field(description="Longest side of any image, in pixels, at most.")
    max_aspect_ratio: Annotated[float, Field(ge=1)] = Field(description="Longer side divided by shorter side, at most.")
    min_brightness: Fraction = Field(description="Mean grey value of any image, 0 being black, at least.")
    max_brightness: Fraction = Field(description="Mean grey value of any image, 1 being white, at most.")
    min_contrast: Fraction = Field(
        description="Standard deviation of any image's grey values, of 1, at least; below it an image is nearly blank."
    )
    min_sharpness: Annotated[float, Field(ge=0)] = Field(
        description="Variance of the Laplacian of any image, at least; below it an image is blurred."
    )
    max_mode_mix: Fraction = Field(
        description="Share of images that are grey among colour images, or in colour among grey ones, at most."
    )
    max_copies: Fraction = Field(description="Share of images that are copies or near-copies of another, at most.")
    near_copies: bool = Field(
        description="Look for re-encoded, resized and slightly cropped copies too, not only for equal files."
    )
    max_shift: Fraction = Field(
        description="Against the data version last committed: how far class shares (total variation), sizes and brightness "
        "(Kolmogorov-Smirnov) may move, where the move is also beyond chance (p < 0.001)."
    )

    @model_validator(mode="after")
    def _limits_in_order(self) -> "Validate":
        for low, high in (("min_side", "max_side"), ("min_brightness", "max_brightness")):
            if getattr(self, low) > getattr(self, high):
                raise ValueError(f"{low} ({getattr(self, low)}) is larger than {high} ({getattr(self, high)})")
        return self


class Split(Section):
    validation: Annotated[float, Field(gt=0, lt=1)] = Field(
        description="Share of the images for validation: of all, or of the training part where the source has a test split."
    )
    test: Annotated[float, Field(gt=0, lt=1)] = Field(
        description="Share of the images for the test split; a test split that the source brings is kept instead."
    )
    seed: Seed = Field(description="Another seed gives another division.")
    folds: Annotated[int, Field(ge=2, le=100)] | None = Field(
        description="Divide what is not test into this many folds, and validate on one of them in place of a share."
    )
    fold: Annotated[int, Field(ge=0)] = Field(description="With folds: the one to validate on, counted from 0.")
    validation_from: datetime.date | None = Field(
        description="For sources with timestamps: images from this day on (UTC) are for validation, in place of a share."
    )
    test_from: datetime.date | None = Field(
        description="For sources with timestamps: images from this day on (UTC) are for the test split, in place of a share."
    )

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
            raise ValueError("folds and validation_from both say what validates: leave one of them empty")
        if self.validation_from and self.test_from and self.validation_from >= self.test_from:
            raise ValueError(f"validation_from ({self.validation_from}) must be before test_from ({self.test_from})")
        return self


class Preprocess(Section):
    size: Literal["auto"] | Annotated[int, Field(ge=8, le=1024)] = Field(
        description="Side of the square that the network sees, in pixels. `auto`: the median of the images' shorter sides, "
        "to a multiple of 4, between 8 and 64."
    )
    channels: Literal["auto", 1, 3] = Field(description="1 (grey) or 3 (RGB). `auto`: 1 when every image is grey.")
    resize: Literal["crop", "pad", "stretch"] = Field(
        description="What happens to an image that is not square: cut the longer side, pad the shorter with black, or stretch."
    )


class Evaluate(Section):
    confidence: Annotated[float, Field(gt=0.5, lt=1)] = Field(description="Of every interval.")
    gallery: Annotated[int, Field(ge=0, le=200)] = Field(
        description="How many pictures each gallery of the report shows: surest mistakes, least sure correct answers, label "
        "suspects."
    )
    target_precision: Annotated[float, Field(gt=0, lt=1)] = Field(
        description="Share of the accepted answers that must be right: the model abstains below the confidence that reaches it "
        "on validation."
    )
    robustness_images: Annotated[int, Field(ge=0)] = Field(
        description="Test images that are blurred, darkened, made noisy and compressed to see what that costs; 0 leaves it out."
    )


class Quantize(Section):
    calibration_images: Annotated[int, Field(ge=8)] = Field(
        description="Training images that set the INT8 ranges; all of them where there are fewer."
    )
    max_accuracy_loss: Fraction = Field(
        description="Validation accuracy that a smaller graph may lose, 0.005 being half a point; the "
        "upper end of the loss's 95% interval counts."
    )
    min_speedup: Annotated[float, Field(ge=1)] = Field(
        description="A smaller graph ships only when it is at least this many times as fast as float, one image at a time."
    )
    pruning: Annotated[float, Field(ge=0, lt=1)] = Field(
        description="Share of the channels that structured pruning removes before a short fine-tuning; 0 leaves it out."
    )
    fine_tune_epochs: Annotated[int, Field(ge=1)] = Field(
        description="Epochs of fine-tuning after pruning, and of the quantization-aware one that follows where static INT8 "
        "loses more than `max_accuracy_loss`."
    )


class Export(Section):
    parity_images: Annotated[int, Field(ge=1)] = Field(
        description="Test images, from file bytes, on which the bundle must answer as the evaluated model did; "
        "all of them where there are fewer."
    )
    max_probability_difference: Annotated[float, Field(gt=0, le=1)] = Field(
        description="Largest difference in any probability between the evaluated model and the float graph that ships."
    )
    max_label_disagreement: Fraction = Field(
        description="Share of images on which the INT8 graph, if it ships, may name another class than the evaluated model; the"
        " lower end of the share's 95% interval counts, since few images say little."
    )
    tflite: bool = Field(
        description="Also write `model.tflite` and `model.int8.tflite`; the converter has an environment of its own."
    )


class Tune(Section):
    trials: Annotated[int, Field(ge=2)] = Field(
        description="How many settings to try, those tried before included; the settings as they are come first and do not "
        "count."
    )
    epochs: Annotated[int, Field(ge=1)] | None = Field(
        description="Epochs of a trial. Empty: `train.epochs`, so that what is best there is best in the line, too."
    )
    timeout: Annotated[float, Field(gt=0)] | None = Field(
        description="Minutes after which no further trial begins. Empty: none."
    )
    pruner: Literal["none", "median", "hyperband"] = Field(
        description="What ends a bad trial early, by its validation losses: `median` where it is behind half of the others at "
        "the same epoch, `hyperband` in rounds that each let a third go on."
    )
    space: dict[str, dict[str, Any]] = Field(
        description="What to vary: settings of `train`, each `{low: 0.01, high: 0.5, log: true}`, where `log` compares by "
        "ratio, or `{choices: [adam, sgd]}`."
    )

    @field_validator("space")
    @classmethod
    def _ranges_or_choices(cls, space: dict[str, dict[str, Any]]) -> dict[str, dict[str, Any]]:
        wrong = [f"{name}: {problem}" for name, entry in space.items() if (problem := wrong_dimension(entry))]
        if wrong:
            raise ValueError("; ".join(wrong))
        if not space:
            raise ValueError(
                "is empty: name a setting of train, as in `learning_rate: {low: 0.01, high: 0.5, log: true}`"
            )
        return space


class Schedule(Section):
    cron: Annotated[str, Field(min_length=1)] = Field(
        description="When `make schedule` retrains, in cron's five fields."
    )
    timezone: Annotated[str, Field(min_length=1)] = Field(description="The time zone of `cron`, as in `Europe/Paris`.")


class Params(Section):
    """All of `params.yaml`; one section a stage, one for tuning, and one for the schedule."""

    ingest: Ingest
    validate_: Validate = Field(alias="validate")
    split: Split
    preprocess: Preprocess
    train: Train
    evaluate: Evaluate
    quantize: Quantize
    export: Export
    tune: Tune
    schedule: Schedule


def section_fields() -> dict[str, dict[str, Any]]:
    """Section name → setting name → its pydantic `FieldInfo`, in file order; `docs/parameters.md` is made from it."""
    sections = {}
    for name, field in Params.model_fields.items():
        assert isinstance(field.annotation, type) and issubclass(field.annotation, Section)
        sections[field.alias or name] = dict(field.annotation.model_fields)
    return sections
