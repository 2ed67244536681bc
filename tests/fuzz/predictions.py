"""The command `predict` over damaged images, and over lists that are none: a line for each, and nothing raised."""

import io
import os
from pathlib import Path
from random import Random

from darkroom.bundle.bundle import load_bundle
from darkroom.predict.answers import Prediction, predict_files
from darkroom.predict.listing import Refusal, list_images
from darkroom.predict.output import as_csv, as_json, for_people
from tests.fuzz.images import sound_images
from tests.fuzz.mutations import mutate_bytes
from tests.fuzz.outcome import Outcome, hashes

# fmt: off
NAMES = [
    b"", b" ", b"-", b"~", b"\0", b"a.png\0b.png", b"\xff.png", b"\xef\xbb\xbfa.png", b"'a.png'", b"http://x/y.png", b"file:///a",
    b"/dev/zero", b"/dev/null", b"/proc/self/mem", b"x" * 5000, b"x" * 100_000, b"*.png", b"a.png,b", b"\x1b[2J", b"a\rb",
    b"C:\\a.png",
]
# fmt: on
WRITERS = (for_people(None), as_json(None), as_csv(2))


def fuzz_predictions(count: int, seed: int, folder: Path, bundle: Path) -> Outcome:
    """Predict so many damaged images and odd names, in lists of 20; arguments as `tests.fuzz.bundles.fuzz_bundles`."""
    found = Outcome()
    opened = load_bundle(bundle)
    sound = sorted(sound_images().items())
    images = folder / "images"
    images.mkdir()
    for start in range(0, count, 20):
        random = Random(f"{seed} {start}")
        lines: list[bytes] = []
        for number in range(start, min(start + 20, count)):
            if random.random() < 0.2:
                lines.append(random.choice(NAMES))
                continue
            name, data = random.choice(sound)
            path = images / f"{number:05}-{name}"
            path.write_bytes(data if random.random() < 0.3 else mutate_bytes(data, random))
            lines.append(os.fsencode(path))
        before = hashes(images)
        stdin = random.choice((b"\n", b"\n", b"\r\n")).join(lines)
        results = list[Prediction | Refusal]()
        listed = list(list_images(["-"], io.BytesIO(stdin)))
        if found.attempt(f"list {start}", lambda: results.extend(predict_files(opened, listed))):  # noqa: B023
            found.require(f"list {start}", len(results) == len(listed), f"{len(results)} of {len(listed)} have a line")
            for result in results:
                texts = [write(result, None) for write in WRITERS]
                found.require(f"list {start}", not set("\x1b\r\n\x00") & set(texts[0]), "a line commands the terminal")
            found.answered += sum(isinstance(result, Prediction) for result in results)
            found.refused += sum(not isinstance(result, Prediction) for result in results)
            named = {os.fsdecode(line) for line in lines if line.startswith(os.fsencode(images))}
            whole = b"x" * 100_000 not in lines
            found.require(
                f"list {start}", not whole or named <= {result.path for result in results}, "a name has no line"
            )
        found.require(f"list {start}", hashes(images) == before, "a file of the source was changed")
    return found
