"""What decoding an image costs is told by its first bytes, and is what it takes."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from serving.decoding_memory import decoding_bytes, is_jpeg2000
from tests.support.pictures import colour, encoded

KINDS: list[tuple[str, str, dict[str, object], int]] = [
    ("L", "PNG", {}, 4),
    ("RGB", "PNG", {}, 8),
    ("P", "PNG", {}, 5),
    ("LA", "PNG", {}, 6),
    ("RGBA", "PNG", {}, 9),
    ("I;16", "PNG", {}, 16),
    ("RGB", "JPEG", {}, 1),
    ("RGB", "JPEG", {"progressive": True}, 6),
    ("RGB", "WEBP", {"method": 0}, 17),
    ("RGB", "AVIF", {"speed": 10}, 12),
    ("RGB", "JPEG2000", {}, 20),
    ("RGB", "TIFF", {}, 12),
    ("RGB", "BMP", {}, 9),
    ("P", "GIF", {}, 9),
]
# Memory above that before, in bytes.
PEAK = """
import sys, psutil
from darkroom.images.pixels import read_pixels
data, small = (open(path, "rb").read() for path in sys.argv[1:])
read_pixels(small, 28, 3, "crop", "turbo")
before = psutil.Process().memory_info().rss
open("/proc/self/clear_refs", "w").write("5")
read_pixels(data, 28, 3, "crop", "turbo")
status = dict(line.split(":", 1) for line in open("/proc/self/status"))
print(int(status["VmHWM"].split()[0]) * 1024 - before)
"""


def picture(mode: str, width: int, height: int) -> Image.Image:
    if mode == "I;16":
        return Image.fromarray(np.full((height, width), 65535, np.uint16))
    return colour(8, 8).resize((width, height)).convert(mode)


@pytest.mark.parametrize(("mode", "form", "options", "expected"), KINDS)
def test_the_head_tells(mode: str, form: str, options: dict[str, object], expected: int) -> None:
    data = encoded(picture(mode, 30, 20), form, **options)
    assert decoding_bytes(data, 600) == 600 * expected
    assert is_jpeg2000(data) == (form == "JPEG2000")


def test_a_jpeg_without_a_frame_counts_as_the_worst() -> None:
    assert decoding_bytes(b"\xff\xd8\xff\xe0\0\2", 10) == decoding_bytes(b"\xff\xd8\xff", 10) == 60


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="the peak of a process is read from /proc")
@pytest.mark.parametrize(("mode", "form", "options", "expected"), KINDS)
def test_it_is_no_less_than_what_decoding_takes(
    mode: str, form: str, options: dict[str, object], expected: int, tmp_path: Path
) -> None:
    for name, side in (("large", 3000), ("small", 200)):
        (tmp_path / name).write_bytes(encoded(picture(mode, side, side), form, **options))
    command = [sys.executable, "-c", PEAK, str(tmp_path / "large"), str(tmp_path / "small")]
    peak = int(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
    # Whatever the size: bands of a million pixels, in which transparency is laid over white, and what libraries keep.
    assert peak <= 9_000_000 * expected + (24 << 20)
