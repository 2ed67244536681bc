"""JPEG files with faults: what decodes whole is taken by every decoder, what is damaged is refused by every one."""

import imagecodecs
import numpy as np
import pytest
from PIL import Image

from darkroom.images.decode import UnreadableImage, decode
from tests.support.pictures import encoded, smooth

DECODERS = ("turbo", "opencv", "pillow")
WHOLE = encoded(smooth(200, 100), "JPEG")
NOISE = np.random.default_rng(0).bytes(3000)
REVISION = WHOLE[:11] + b"\0\0" + WHOLE[13:]


@pytest.mark.parametrize("mode", ["L", "RGB", "CMYK"])
@pytest.mark.parametrize("options", [{}, {"progressive": True}, {"restart_marker_rows": 1}])
@pytest.mark.parametrize(
    "extra", [bytes(20), b"\xff" * 20, NOISE.replace(b"\xff", b"\0"), bytes(1)], ids=["0", "ff", "any", "one"]
)
def test_bytes_before_the_end_marker_are_no_damage(mode: str, options: dict[str, object], extra: bytes) -> None:
    sound = encoded(smooth(120, 80).convert(mode), "JPEG", **options)
    expected = decode(sound).pixels
    for decoder in DECODERS:
        decoded = decode(sound[:-2] + extra + sound[-2:], decoder)
        assert (decoded.pixels == expected).all()
        assert decoded.remark is None or decoded.remark.endswith("extraneous bytes before marker 0xd9")


@pytest.mark.parametrize(
    ("data", "remark"),
    [
        (WHOLE, None),
        (WHOLE[:-2] + bytes(20) + WHOLE[-2:], "15 extraneous bytes before marker 0xd9"),
        (WHOLE[:-2], "no end marker"),
        (REVISION, "unknown JFIF revision number 0.00"),
        (REVISION[:-2], "unknown JFIF revision number 0.00, no end marker"),
    ],
    ids=["sound", "extra bytes", "no end", "revision", "both"],
)
@pytest.mark.parametrize("decoder", DECODERS)
def test_a_warning_about_a_whole_picture_is_a_remark(data: bytes, remark: str | None, decoder: str) -> None:
    for least_side, grey in ((None, False), (8, True)):
        decoded = decode(data, decoder, least_side, grey)
        assert decoded.remark == remark
        assert (decoded.pixels == decode(WHOLE, decoder, least_side, grey).pixels).all()


@pytest.mark.parametrize("options", [{}, {"progressive": True}, {"restart_marker_blocks": 4}])
def test_all_decoders_take_the_same_damaged_files(options: dict[str, object]) -> None:
    noise = Image.fromarray(np.random.default_rng(1).integers(0, 255, (20, 40, 3), np.uint8)).resize((200, 100))
    sound, rng = encoded(noise, "JPEG", **options), np.random.default_rng(2)
    taken = []
    for _ in range(40):
        start = int(rng.integers(620, len(sound) - 30))
        data = sound[:start] + rng.bytes(12) + sound[start + 12 :]
        answers = set()
        for decoder in DECODERS:
            try:
                answers.add(decode(data, decoder).remark)
            except UnreadableImage as error:
                answers.add(str(error))
        assert len(answers) == 1
        taken += [not str(answers.pop()).startswith("damaged")]
    assert any(taken) and not all(taken)


@pytest.mark.parametrize("decoder", DECODERS)
def test_jpegs_of_more_than_eight_bits_are_refused_by_name(decoder: str) -> None:
    values = np.arange(4096, dtype=np.uint16).reshape(64, 64)
    with pytest.raises(UnreadableImage, match=r"^a JPEG of 12 bits a value: convert it to PNG or TIFF of 16 bits$"):
        decode(bytes(imagecodecs.jpeg8_encode(values, bitspersample=12)), decoder)


@pytest.mark.parametrize("decoder", DECODERS)
def test_missing_blocks_are_damage(decoder: str) -> None:
    for data in (WHOLE[:-40], WHOLE[:-40] + b"\xff\xd9", REVISION[: len(WHOLE) // 2]):
        with pytest.raises(UnreadableImage, match="damaged: Corrupt JPEG data: premature end of data segment"):
            decode(data, decoder)
