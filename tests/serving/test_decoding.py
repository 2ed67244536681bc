"""What is too large is refused by its head, before it unfolds; what is being decoded at once stays within the limit."""

import threading
import zlib
from pathlib import Path

import pytest
from PIL import Image

from darkroom.bundle.bundle import load_bundle
from darkroom.images.decode import TooManyPixels, UnreadableImage, picture_size
from serving.decoding import DecodingLimit, Upload, decode_upload, is_quick
from tests.support.pictures import colour, encoded
from tests.support.tiny_bundle import make_bundle


def bomb(width: int, height: int) -> bytes:
    """A PNG in 1 bit a pixel, all black: 13,300² pixels fit into 22 kB."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return len(data).to_bytes(4, "big") + kind + data + zlib.crc32(kind + data).to_bytes(4, "big")

    head = width.to_bytes(4, "big") + height.to_bytes(4, "big") + b"\x01\x00\x00\x00\x00"
    rows = zlib.compress(bytes((1 + (width + 7) // 8) * height), 9)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", rows) + chunk(b"IEND", b"")


@pytest.mark.parametrize("form", ["PNG", "JPEG", "WEBP", "BMP", "GIF", "TIFF", "PPM", "JPEG2000", "AVIF"])
def test_the_head_of_every_form_has_the_size(form: str) -> None:
    assert picture_size(encoded(colour(70, 50), form)) == (70, 50)


def test_a_small_file_of_many_pixels_is_refused_by_its_head(tmp_path: Path) -> None:
    bundle, limit = load_bundle(make_bundle(tmp_path / "bundle")), DecodingLimit(50_000_000, 450_000_000)
    data = bomb(13_300, 13_300)
    assert len(data) < 100_000
    with pytest.raises(TooManyPixels, match="13300 x 13300 pixels, more than 50,000,000"):
        decode_upload(Upload("", data), bundle, limit)
    assert decode_upload(Upload("", bomb(40, 30)), bundle, limit).size == (40, 30)


def test_a_head_that_lies_is_only_an_unreadable_image(tmp_path: Path) -> None:
    bundle, limit = load_bundle(make_bundle(tmp_path / "bundle")), DecodingLimit(1000, 1000)
    small = bytearray(bomb(200, 200))
    small[16:24] = (10).to_bytes(4, "big") * 2
    with pytest.raises(UnreadableImage):
        decode_upload(Upload("", bytes(small)), bundle, limit)


def test_an_image_waits_until_those_in_work_leave_it_room() -> None:
    # 4 bytes a pixel.
    half, rest, small = bomb(1_000, 1_000), bomb(500, 1_000), bomb(300, 400)
    limit, entered = DecodingLimit(1_000_000, 6_000_000), threading.Event()

    def second() -> None:
        with limit.decoding(half):
            entered.set()

    with limit.decoding(half) as size:
        assert size == (1_000, 1_000)
        thread = threading.Thread(target=second)
        thread.start()
        with limit.decoding(rest), limit.decoding(small):
            assert not entered.wait(0.05)
    assert entered.wait(10)
    thread.join()
    with (
        pytest.raises(TooManyPixels, match="1100 x 1000 pixels, more than 1,000,000"),
        limit.decoding(bomb(1_100, 1_000)),
    ):
        pass


def test_an_image_that_takes_more_memory_than_there_is_room_for_is_refused() -> None:
    limit, picture = DecodingLimit(50_000_000, 2_000_000), Image.new("RGB", (500, 400))
    for form in ("PNG", "JPEG"):
        with limit.decoding(encoded(picture, form)):
            pass
    message = r"500 x 400 pixels in this form take 3 MB while they are decoded, more than 2 MB"
    with pytest.raises(TooManyPixels, match=message), limit.decoding(encoded(picture, "WEBP")):
        pass


def test_jpeg_2000_may_have_a_twelfth_of_the_pixels() -> None:
    limit, data = DecodingLimit(2_400_000, 450_000_000), encoded(Image.new("RGB", (500, 400)), "JPEG2000")
    with limit.decoding(data):
        pass
    message = r"501 x 400 pixels of JPEG 2000, more than 200,000: nobody else would be answered"
    with (
        pytest.raises(TooManyPixels, match=message),
        limit.decoding(encoded(Image.new("RGB", (501, 400)), "JPEG2000")),
    ):
        pass


def test_few_bytes_of_many_pixels_are_not_decoded_where_they_arrive() -> None:
    assert is_quick(encoded(Image.new("RGB", (300, 400)), "PNG"))
    for form in ("PNG", "JPEG2000", "WEBP"):
        large = encoded(Image.new("RGB", (400, 400)), form)
        assert len(large) < 16_384
        assert not is_quick(large)
    assert not is_quick(b"no image")


def test_a_picture_past_the_limit_of_a_side_has_many_pixels_too(tmp_path: Path) -> None:
    bundle = load_bundle(make_bundle(tmp_path / "bundle"))
    with pytest.raises(TooManyPixels, match="more than 1,048,576 on one side"):
        decode_upload(Upload("", bomb(1_048_577, 1)), bundle, DecodingLimit(50_000_000, 450_000_000))
    assert Image.MAX_IMAGE_PIXELS
