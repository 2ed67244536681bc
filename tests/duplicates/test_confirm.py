"""Near-copies: planted ones are found, look-alikes and blanks are not; a crowd costs no more than a few."""

import io
import zipfile
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory

import cv2
import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image, ImageDraw
from sklearn.datasets import load_digits

from darkroom.duplicates.candidates import EXACT
from darkroom.duplicates.confirm import NearCopies, find_near_copies
from darkroom.duplicates.descriptors import SCALE, describe
from darkroom.duplicates.groups import joined
from darkroom.images.measure import fingerprint
from darkroom.runtime.arrays import Float32s, UInt8s

CIFAR = Path("/work/shared/data/cifar10.zip")

Int32s = npt.NDArray[np.int32]


def near_copies_of(pictures: list[UInt8s], **how: bool) -> NearCopies:
    measured = [fingerprint(np.ascontiguousarray(np.atleast_3d(picture))) for picture in pictures]
    height, width = np.array([picture.shape[:2] for picture in pictures], np.int32).T
    contrast = np.array([one.contrast for one in measured], np.float32)
    return find(np.stack([one.thumbnail for one in measured]), width, height, contrast, **how)


def find(thumbnails: UInt8s, width: Int32s, height: Int32s, contrast: Float32s, *, always: bool = False) -> NearCopies:
    read, ids = thumbnails.__getitem__, np.arange(len(thumbnails), dtype=np.uint64)
    with TemporaryDirectory() as cache:
        return find_near_copies(read, ids, width, height, contrast, Path(cache), "", always=always)


def pairs_of(pictures: list[UInt8s]) -> set[tuple[int, int]]:
    found = near_copies_of(pictures).pairs
    assert (found[:, 0] < found[:, 1]).all()
    return {(int(one), int(other)) for one, other in found}


def textured(number: int, side: int = 96) -> UInt8s:
    """A picture with detail at every scale, as photographs have: no other number gives it."""
    random = np.random.default_rng(number)
    layers = [
        cv2.resize(random.normal(size=(cells, cells)), (side, side), interpolation=cv2.INTER_CUBIC) / cells**0.7
        for cells in (2, 4, 8, 16, 32)
    ]
    drawn = np.sum(layers, axis=0)
    return np.asarray(np.clip(128 + 45 * drawn / drawn.std(), 0, 255), np.uint8)


def reencoded(picture: UInt8s, quality: int) -> UInt8s:
    stored = io.BytesIO()
    Image.fromarray(picture).save(stored, "JPEG", quality=quality)
    with Image.open(stored) as opened:
        decoded: UInt8s = np.array(opened.convert("L"), np.uint8)
    return decoded


def resized(picture: UInt8s, width: int, height: int) -> UInt8s:
    smaller = width < picture.shape[1]
    method = cv2.INTER_AREA if smaller else cv2.INTER_LINEAR
    return np.asarray(cv2.resize(picture, (width, height), interpolation=method), np.uint8)


def variants(picture: UInt8s) -> list[UInt8s]:
    """Re-encoded, half the size, twice the size, and cropped by 8% of each side, at two corners."""
    side = len(picture)
    cut = round(side * 0.08)
    return [
        reencoded(picture, 45),
        reencoded(resized(picture, side // 2, side // 2), 85),
        reencoded(resized(picture, side * 2, side * 2), 85),
        reencoded(picture[cut:, cut:], 85),
        reencoded(resized(picture[: side - cut, cut:], side, side), 85),
    ]


def test_every_planted_copy_is_found_and_no_false_pair() -> None:
    pictures = [textured(number) for number in range(60)]
    planted = [(number, each) for number in range(0, 60, 3) for each in variants(pictures[number])]
    pairs = pairs_of(pictures + [each for _, each in planted])
    source = list(range(60)) + [number for number, _ in planted]
    assert all(source[one] == source[other] for one, other in pairs)
    joined = {row for pair in pairs for row in pair}
    assert joined >= set(range(60, len(source)))


@pytest.mark.skipif(not CIFAR.exists(), reason="there is no CIFAR-10 on this machine")
def test_copies_among_cifar_pictures() -> None:
    with zipfile.ZipFile(CIFAR) as archive:
        names = sorted(name for name in archive.namelist() if name.endswith(".jpg"))[::150]
        pictures = [np.asarray(Image.open(io.BytesIO(archive.read(name))).convert("L")) for name in names]
    planted = [(number, variants(pictures[number])[number // 10 % 5]) for number in range(0, len(pictures), 10)]
    source = list(range(len(pictures))) + [number for number, _ in planted]
    pairs = pairs_of(pictures + [each for _, each in planted])
    false = [pair for pair in pairs if source[pair[0]] != source[pair[1]]]
    found = {other for _, other in pairs if other >= len(pictures)}
    assert false == [] and len(found) >= 0.95 * len(planted)


def test_handwritten_digits_are_not_merged() -> None:
    digits = [np.round(picture * (255 / 16)).astype(np.uint8) for picture in load_digits().images]
    pairs = pairs_of([*digits, digits[5]])
    assert pairs == {(5, len(digits))}


def test_pictures_that_all_look_alike_are_no_copies_of_each_other() -> None:
    """One outline with different insides, as trousers are."""
    random = np.random.default_rng(0)
    outline = np.zeros((28, 28), np.float64)
    outline[3:26, 6:12] = outline[3:26, 16:22] = outline[3:9, 6:22] = 1
    pictures = [
        np.clip(outline * (190 + 20 * random.normal() + 12 * random.normal(size=(28, 28))), 0, 255).astype(np.uint8)
        for _ in range(200)
    ]
    assert pairs_of([*pictures, reencoded(pictures[7], 95)]) <= {(7, 200)}


def drawn(count: int) -> list[UInt8s]:
    """Circles, squares and triangles of random size and place, black on white, all different."""
    random = np.random.default_rng(0)
    found: dict[tuple[int, int, int, int], UInt8s] = {}
    while len(found) < count:
        size = int(random.integers(12, 40))
        kind, (left, top) = len(found) % 3, (int(place) for place in random.integers(1, 63 - size, 2))
        picture = Image.new("L", (64, 64), 255)
        pen, box = ImageDraw.Draw(picture), (left, top, left + size, top + size)
        if kind == 0:
            pen.ellipse(box, fill=0)
        elif kind == 1:
            pen.rectangle(box, fill=0)
        else:
            pen.polygon([(left, top + size), (left + size, top + size), (left + size // 2, top)], fill=0)
        found[kind, size, left, top] = np.array(picture, np.uint8)
    return list(found.values())


def spots(count: int) -> list[UInt8s]:
    """Smooth bright spots near the middle, as cells and stars are."""
    random, places = np.random.default_rng(0), (np.arange(64) + 0.5) / 64
    found = []
    for _ in range(count):
        (across, down), width = random.uniform(0.35, 0.65, 2), random.uniform(0.08, 0.2, 2)
        spot = np.exp(-(((places - across) / width[0]) ** 2 + ((places[:, None] - down) / width[1]) ** 2) / 2)
        found.append((255 * spot).astype(np.uint8))
    return found


@pytest.mark.parametrize("make", [drawn, spots])
def test_plain_drawings_are_no_copies_but_where_they_are_nearly_equal(make: Callable[[int], list[UInt8s]]) -> None:
    pictures = make(240)
    alone = near_copies_of(pictures)
    assert alone.pairs.tolist() == [] and alone.equal_alone and alone.lookalikes > 100
    planted = [(number, reencoded(pictures[number], 90)) for number in range(0, 240, 12)]
    found = near_copies_of(pictures + [each for _, each in planted])
    assert {(int(one), int(other)) for one, other in found.pairs} == {
        (number, 240 + index) for index, (number, _) in enumerate(planted)
    }


def test_a_few_drawings_among_photographs_do_not_change_how_these_are_compared() -> None:
    photographs = [textured(number) for number in range(200)]
    planted = [reencoded(resized(photographs[number], 48, 48), 85) for number in range(10)]
    found = near_copies_of(photographs + planted + drawn(9))
    assert not found.equal_alone
    assert found.pairs.tolist() == [[number, 200 + number] for number in range(10)]


def test_among_many_drawings_pictures_full_of_detail_are_still_compared_and_the_others_where_it_is_asked_for() -> None:
    photographs, shapes = [textured(number) for number in range(20)], drawn(240)
    planted = [reencoded(resized(photographs[number], 48, 48), 85) for number in range(20)]
    found = near_copies_of(photographs + planted + shapes)
    assert found.equal_alone
    assert found.pairs.tolist() == [[number, 20 + number] for number in range(20)]
    always = near_copies_of(photographs + planted + shapes, always=True)
    assert not always.equal_alone and always.lookalikes == found.lookalikes
    assert len(always.pairs) > len(found.pairs)


def test_frames_of_a_slow_pan_are_one_set_only_as_far_as_they_are_near_its_middle() -> None:
    wide = textured(5, 160)
    frames = [wide[:96, step : step + 96] for step in range(0, 61, 2)]
    pairs = near_copies_of(frames).pairs
    sets = joined(len(frames), [pairs])
    spans = [np.ptp(np.flatnonzero(sets == number)) * 2 for number in np.unique(sets)]
    assert len(np.unique(sets)) > 1 and max(spans) <= 32, "a third of the width: a chain joined all 60 pixels"


def test_a_frame_alone_makes_no_copy() -> None:
    pictures = []
    for number in range(40):
        picture = np.full((64, 64), 255, np.uint8)
        picture[12:52, 12:52] = textured(number, 40) // 2
        pictures.append(picture)
    assert pairs_of(pictures) == set()


def test_blank_pictures_pair_only_where_they_are_equal() -> None:
    shades = [0, 1, 60, 200, 201, 255, 255]
    pictures = [np.full((40, 40), shade, np.uint8) for shade in shades]
    pairs = pairs_of(pictures)
    assert {(0, 1), (3, 4), (5, 6)} == pairs, "white is not black"


def test_a_sky_with_stars_is_not_the_blank_that_its_thumbnail_is() -> None:
    random = np.random.default_rng(0)
    skies = []
    for _ in range(3):
        sky = np.zeros((128, 128), np.uint8)
        sky[tuple(random.integers(0, 128, (2, 60)))] = 255
        skies.append(sky)
    assert pairs_of(skies) == set()


def test_other_aspect_is_another_picture() -> None:
    picture = textured(1)
    assert pairs_of([picture, resized(picture, 96, 60)]) == set()


@pytest.mark.slow
def test_thousands_of_equal_pictures_and_of_frames_of_a_still_camera_are_joined_without_comparing_all() -> None:
    random = np.random.default_rng(0)
    still = fingerprint(textured(3)[:, :, None]).thumbnail
    frames = np.clip(still + random.normal(0, 0.7, (EXACT, 32, 32)), 0, 255).astype(np.uint8)
    thumbnails = np.concatenate([np.full((EXACT, 32, 32), 255, np.uint8), frames])
    side = np.full(len(thumbnails), 96, np.int32)
    pairs = find(thumbnails, side, side, thumbnails.std((1, 2)).astype(np.float32) / 255).pairs
    assert len(pairs) < 10 * len(thumbnails)
    whites = pairs[pairs[:, 0] < EXACT]
    assert set(whites.ravel()) == set(range(EXACT)), "each white one is in a pair, none with a frame"
    assert set(pairs[pairs[:, 0] >= EXACT].ravel()) == set(range(EXACT, 2 * EXACT))


def test_no_picture_and_one_picture() -> None:
    sides = np.empty(0, np.int32)
    none = find(np.empty((0, 32, 32), np.uint8), sides, sides, np.empty(0, np.float32))
    assert none.pairs.shape == (0, 2)
    assert pairs_of([textured(0)]) == set()


def test_descriptors_are_whole_and_exact_in_half_precision() -> None:
    worst = [
        (np.indices((32, 32))[axis] // size % 2 * 255).astype(np.uint8) for axis in (0, 1) for size in (3, 5, 8, 16)
    ]
    found = describe(np.stack([*worst, *[fingerprint(textured(n)[:, :, None]).thumbnail for n in range(20)]]))
    assert np.array_equal(found, found.round()) and np.array_equal(found, found.astype(np.float16))
    # A picture of deviation 1 has descriptors of length 1 at most, before they are scaled.
    assert (found**2).sum(1).max() <= 1.01 * SCALE**2 < 2**24 and SCALE < 2048
