"""Fit a network; choose the epoch on validation.

Reads: data/preprocess/ (train, validation, stats.json), data/ingest/, data/split/splits.parquet, models/select/choice.json.
Writes: models/train/: weights.safetensors, model.json, what `fold_heads` names; reports/train/ but its page.
Costs: most of the line's time. Killed and started again, it resumes from its last checkpoint. It may train on several GPUs.
"""

from collections.abc import Callable
from dataclasses import fields, replace
from functools import partial
from pathlib import Path
from typing import Any, Literal

from darkroom.inference.device import keep_freed_memory, use_deterministic_algorithms
from darkroom.network.load import save_model
from darkroom.runtime.files import whole_files, whole_folder
from darkroom.runtime.paths import ARRAYS, CHECKPOINTS, INGEST, MODEL, SELECTION, SPLIT_TABLE, TRAIN_REPORTS
from darkroom.runtime.stage import stage
from darkroom.selection.apply import recipe_of, with_choice
from darkroom.settings.base import read_section
from darkroom.settings.predict import Predict
from darkroom.settings.train import Train
from darkroom.training.augmentation import Augmentation
from darkroom.training.choices import CHOSEN_FROM, make_choices
from darkroom.training.curves import Epoch, write_curves
from darkroom.training.distributed import join_processes
from darkroom.training.examples import augmented_examples
from darkroom.training.fine_tuning import fit_last_layer
from darkroom.training.fit import fit
from darkroom.training.head_fit import fits_head
from darkroom.training.launch import run_in_processes
from darkroom.training.loop import FitConfig
from darkroom.training.losses import balance_note
from darkroom.training.mirror_answers import choose_mirror, require_mirrorable
from darkroom.training.mirrored import find_mirrored
from darkroom.training.recipe import Recipe
from darkroom.training.record import TrainingRecord, write_record
from darkroom.training.setup import checkpoint_of, load_splits, new_model, new_spec, size_note, with_precision


def run(
    *,
    settings: Train,
    ingest: Path,
    splits: Path,
    arrays: Path,
    out: Path,
    reports: Path,
    checkpoints: Path = CHECKPOINTS,
    mirror: Literal["auto"] | bool = False,
    recipe: Recipe | None = None,
    after_epoch: Callable[[Epoch], None] | None = None,
) -> None:
    """Train one network, in this process and those that were started with it.

    Args:
        settings: the section `train` of the parameters, its network a name; it goes no further than this module.
        ingest, splits, arrays: outputs of the stages before.
        out, reports, checkpoints: folders for the weights, for record and curves, and for an unfinished training's checkpoint.
        mirror: as `predict.mirror`.
        recipe: of a fine-tuning of the upper blocks, which follows where the last layer is fitted by regression.
        after_epoch: called with each finished epoch; what it raises ends the training.

    Raises:
        DarkroomError: when arrays, network and images do not fit, images or memory are too few, or a value is no number.
    """
    values = (settings := settings.resolved()).model_dump()
    with join_processes() as processes:
        begun = settings.network, values, settings.weights, settings.seed
        spec = processes.shared(partial(new_spec, *begun, ingest=ingest, splits=splits, arrays=arrays))
        train, validation = load_splits(arrays, spec.classes)
        use_deterministic_algorithms()
        keep_freed_memory()
        model, loaded = new_model(spec, settings.weights, train.images, processes.device)
        spec, precision, reason = with_precision(spec, settings.precision, model, train.images)
        chosen_from = settings.model_dump(include=CHOSEN_FROM)
        mirrored = partial(find_mirrored, train.images, train.labels, names := spec.classes.names)
        mirrored = partial(processes.shared, mirrored)
        require_mirrorable(mirror, model, mirrored)
        chosen_from |= {"regression": fits_head(settings, model, train.labels), "find_mirrored": mirrored}
        choices = make_choices(images=len(train.labels), classes=len(names), **chosen_from)
        resolved = values | choices.values() | {"classes": len(names)}
        resolved["augmentation"] = changed = Augmentation(**{f.name: resolved[f.name] for f in fields(Augmentation)})
        config = FitConfig(**{field.name: resolved[field.name] for field in fields(FitConfig)})
        if processes.first:
            balance = balance_note(train.labels, names, settings.balance)
            lines = [size_note(model, spec, len(train.labels), processes, reason), loaded, balance, *choices.lines()]
            print("\n".join(f"train: {line}" for line in lines if line))
        identity = settings.model_dump_json(exclude={"processes", "budget"}) + str(recipe or "")
        checkpoint = checkpoint_of(checkpoints, identity, spec, processes.device, arrays)
        both: dict[str, Any] = {"precision": precision, "after_epoch": after_epoch, "checkpoint": checkpoint}
        both["processes"] = processes
        head = fit_last_layer(model, train, validation, config, splits=splits, recipe=recipe, **both)
        state = head or fit(model, train, validation, config, **both)
        if processes.first:
            best = state.best()
            mirrors = choose_mirror(mirror, resolved["flip"], model, validation, precision)
            examples = augmented_examples(train.images, train.labels, train.keys(), names, changed, settings.seed)
            found = examples, state.strengths(), state.tuned
            with whole_folder(out) as folder, whole_files(reports) as report:
                save_model(model, replace(spec, epoch=best.number, mirror=mirrors.value), folder)
                write_curves(state.history, best, report)
                if head and not mirrors.value:
                    head.save(folder)
                write_record(report, TrainingRecord(state.history, best, choices.used(values, mirrors), *found))
            checkpoint.unlink(missing_ok=True)
            print("\n".join(f"train: {line}" for line in (state.text(), mirrors.line) if line))


def main() -> None:
    with stage("train"):
        train, mirror = read_section(Train), read_section(Predict).mirror
        settings, recipe = with_choice(train, SELECTION), recipe_of(train, SELECTION)
        begin = partial(run, settings=settings, mirror=mirror, ingest=INGEST, splits=SPLIT_TABLE, arrays=ARRAYS)
        run_in_processes(settings.processes, partial(begin, recipe=recipe, out=MODEL, reports=TRAIN_REPORTS))


if __name__ == "__main__":
    main()
