"""What a report calls shipped is what ships."""

import yaml

from darkroom.settings.first import FIRST, Changed, changed_settings
from darkroom.settings.read import read_params
from tests.conftest import ROOT

# Where the images lie is another on every machine.
PLACES = ("path", "root")


def test_the_copy_is_current() -> None:
    shipped = yaml.safe_load((ROOT / "params.yaml").read_text(encoding="utf-8"))
    found = {
        section: {name: value for name, value in settings.items() if name not in PLACES}
        for section, settings in shipped.items()
        if section in FIRST
    }
    assert found == FIRST, "bring darkroom/settings/first.py up to date with params.yaml"


def test_what_was_changed_is_named_and_nothing_else() -> None:
    assert changed_settings(read_params(ROOT / "params.yaml")) == []
    changed = ("train.epochs=3", "split.test_from=2026-10-01", "ingest.path=/somewhere", "quantize.min_speedup=2")
    assert changed_settings(read_params(ROOT / "params.yaml", changed)) == [
        Changed("split.test_from", "2026-10-01", None),
        Changed("train.epochs", 3, 12),
    ]
