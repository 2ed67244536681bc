"""The test split is a vault: what selects, stops, calibrates or quantizes gives the same whatever is in it."""

import shutil
from hashlib import sha256
from pathlib import Path

import numpy as np

from darkroom.images.range_ingest import image_id
from tests.stages.test_train import run, weights
from tests.support.growing import make_pile, outputs, picture, run_line
from tests.support.packed import read_images, write_images


def test_training_does_not_look_at_the_test_split(prepared: Path, tmp_path: Path) -> None:
    root = tmp_path / "other"
    shutil.copytree(prepared, root)
    tested = root / "data/preprocess/test"
    write_images(tested, 255 - read_images(tested))
    labels = np.load(root / "data/preprocess/test/labels.npy")
    np.save(root / "data/preprocess/test/labels.npy", labels[::-1])
    one = weights(run(prepared, tmp_path / "one", epochs=2))
    assert weights(run(root, tmp_path / "two", epochs=2)) == one


def test_a_test_image_that_comes_first_leaves_the_training_images_as_they_are(tmp_path: Path) -> None:
    pile = make_pile(tmp_path / "pile", 30)
    run_line("folder", pile, tmp_path)
    before = {name: content for name, content in outputs(tmp_path).items() if name.startswith("preprocess/train/")}
    number = next(number for number in range(100, 200) if is_tested("cat/!.png", picture(number)))
    (pile / "cat/!.png").write_bytes(picture(number))
    run_line("folder", pile, tmp_path)
    after = outputs(tmp_path)
    assert before == {name: content for name, content in after.items() if name.startswith("preprocess/train/")}
    assert (
        after["preprocess/test/ids.npy"].count(image_id("cat/!.png", sha256(picture(number)).hexdigest()).encode()) == 1
    )


def is_tested(path: str, data: bytes) -> bool:
    return int(image_id(path, sha256(data).hexdigest()), 16) % 4 == 3
