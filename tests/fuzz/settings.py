"""Settings that are damaged, careless or absurd: read, and read as overrides."""

from pathlib import Path
from random import Random

from darkroom.settings.read import read_params
from tests.conftest import ROOT
from tests.fuzz.mutations import mutate_bytes
from tests.fuzz.outcome import Outcome

# fmt: off
VALUES = [
    "", "null", "~", "true", "yes", "0", "-1", "1", "1.5", "1e308", "-1e308", "1e400", ".nan", ".inf", "-.inf", "1_000", "0x10",
    "9" * 5_000, "2026-02-30", "2026-13-01", "2026-01-01T25:00:00", "2026-01-01", "2026-01-01 00:00:00+99:00", "12:30:45",
    "auto", "none", "[]", "{}", "[1, 2", "{a: 1}", "[[[]]]", "[null]", "[a, a]", "- a", "? a", "!!python/object:os.system x",
    "!!binary aGk=", "&a [*a]", "*nowhere", "<<: *x", "'", '"\\ud800"', '"\\x1b[2J"', "\u202e", "é" * 300, "../..", "/dev/zero",
    "61 * * * *", "* * * * *", "Mars/X", "Europe/Berlin", "[{name: NoSuch}]", "[{name: Blur, blur_limit: -1}]", "resnet18",
    "timm/none", "\t", "|", ">", "# x", "%YAML 9.9", "---", "@x", "`x`", "[" * 3_000, "{a: " * 500,
]
# fmt: on


def fuzz_settings(count: int, seed: int, folder: Path) -> Outcome:
    """Read so many changed copies of the shipped `params.yaml`, and so many overrides of it; arguments as `fuzz_images`."""
    found = Outcome()
    shipped = (ROOT / "params.yaml").read_text(encoding="utf-8")
    keys = _keys(shipped)
    path = folder / "params.yaml"
    for number in range(count):
        random = Random(f"{seed} {number}")
        overrides: tuple[str, ...] = ()
        path.write_text(shipped, encoding="utf-8")
        kind = number % 4
        if kind == 0:
            path.write_bytes(mutate_bytes(shipped.encode(), random))
        elif kind == 1:
            path.write_text(_with_value(shipped, random), encoding="utf-8")
        elif kind == 2:
            overrides = tuple(f"{random.choice(keys)}={random.choice(VALUES)}" for _ in range(random.choice((1, 1, 3))))
        else:
            lines = shipped.splitlines()
            for _ in range(random.choice((1, 2))):
                place = random.randrange(len(lines))
                others = (random.choice(lines), f"  {lines[place]}", lines[place].strip(), random.choice(VALUES))
                lines[place : place + random.randrange(2)] = [random.choice(others)]
            path.write_text("\n".join(lines), encoding="utf-8")
        found.attempt(f"settings {number} {overrides!r:.200}", lambda given=overrides: read_params(path, given))  # type: ignore[misc]
    return found


def _keys(shipped: str) -> list[str]:
    section, keys = "", ["nowhere.at_all", "train", "train.", ".x", "train.epochs.more"]
    for line in shipped.splitlines():
        name, colon, _ = line.partition(":")
        if colon and not line.startswith(("#", " ")):
            section = name
        elif colon and line.startswith("  ") and line[2] not in " -#":
            keys.append(f"{section}.{name.strip()}")
    return keys


def _with_value(shipped: str, random: Random) -> str:
    lines = shipped.splitlines()
    places = [place for place, line in enumerate(lines) if line.startswith("  ") and ":" in line]
    for _ in range(random.choice((1, 1, 2))):
        place = random.choice(places)
        lines[place] = f"{lines[place].partition(':')[0]}: {random.choice(VALUES)}"
    return "\n".join(lines)
