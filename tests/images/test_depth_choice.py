"""The rule for files that hold other than 8 bits a value: what auto chooses, what it says, and what it refuses."""

import pytest

from darkroom.images.depth_choice import KindFound, choose_depth, describe_depth
from darkroom.model.depth import Depth
from darkroom.runtime.errors import DarkroomError


@pytest.mark.parametrize(
    ("kind", "low", "high", "rule", "scale"),
    [
        ("uint16", 3, 4095, "full", (0, 4095)),
        ("uint16", 3, 3000, "full", (0, 4095)),
        ("uint16", 0, 1023, "full", (0, 1023)),
        ("uint16", 0, 16383, "full", (0, 16383)),
        ("uint16", 0, 255, "full", (0, 255)),
        ("uint16", 0, 65535, "full", (0, 65535)),
        ("uint16", 0, 1, "range", (0, 1)),
        ("uint16", 32768, 33768, "range", (32768, 33768)),
        ("uint16", 7, 7, "full", (0, 255)),
        ("uint12", 0, 4095, "full", (0, 4095)),
        ("uint32", 0, 2**32 - 1, "full", (0, 2**32 - 1)),
        ("uint32", 0, 4000, "full", (0, 4095)),
        ("uint32", 0, 1_000_000, "range", (0, 1_000_000)),
        ("int8", -128, 127, "full", (-128, 127)),
        ("int16", -32768, 32767, "full", (-32768, 32767)),
        ("int16", 0, 32767, "full", (0, 32767)),
        ("int16", 0, 4000, "full", (0, 4095)),
        ("int16", -2048, 2047, "full", (-2048, 2047)),
        ("int16", -1024, 3071, "range", (-1024, 3071)),
        ("float", 0, 1, "full", (0, 1)),
        ("float", 0.02, 0.9, "full", (0, 1)),
        ("float", 0, 0.01, "range", (0, 0.01)),
        ("float", 0, 255, "range", (0, 255)),
        ("float", -3.5, 812, "range", (-3.5, 812)),
        ("float", 5, 5, "range", (5, 6)),
    ],
)
def test_auto(kind: str, low: float, high: float, rule: str, scale: tuple[float, float]) -> None:
    assert choose_depth("auto", [KindFound(kind, 9, low, high)], 9) == Depth(rule, {kind: scale})


def test_settings_are_obeyed() -> None:
    found = [KindFound("uint16", 9, 3, 4000)]
    assert choose_depth("full", found, 9) == Depth("full", {"uint16": (0, 65535)})
    assert choose_depth("range", found, 9) == Depth("range", {"uint16": (3, 4000)})
    for setting in ("auto", "full", "range"):
        assert choose_depth(setting, [], 9) is None
    with pytest.raises(
        DarkroomError, match=r"floating-point values, -3.5 to 812, more than the full scale of 0 to 1: set"
    ):
        choose_depth("full", [KindFound("float", 9, -3.5, 812)], 9)


def test_what_all_files_declare_is_their_scale_where_their_values_fit_in() -> None:
    for setting in ("auto", "full"):
        declared = choose_depth(setting, [KindFound("uint16", 9, 3, 900, (0, 4095))], 9)
        assert declared == Depth("full", {"uint16": (0, 4095)})
        exceeded = choose_depth(setting, [KindFound("uint16", 9, 3, 60000, (0, 4095))], 9)
        assert exceeded == Depth("full", {"uint16": (0, 65535)})


def test_several_kinds() -> None:
    twelve, fraction, wide = (
        KindFound("uint16", 5, 0, 4000), KindFound("float", 4, 0, 1), KindFound("float", 4, 0, 900),
    )  # fmt: skip
    assert choose_depth("auto", [fraction, twelve], 20) == Depth("full", {"float": (0, 1), "uint16": (0, 4095)})
    assert choose_depth("range", [wide, twelve], 9) == Depth("range", {"float": (0, 4000), "uint16": (0, 4000)})
    with pytest.raises(
        DarkroomError, match=r"4 of 9 files hold floating-point .*; 5 of 9 files hold 16-bit .* to range\. A few"
    ):
        choose_depth("auto", [wide, twelve], 9)
    with pytest.raises(
        DarkroomError, match=r"0 to 900, and 1 other file has 8 bits: they have no scale in .* to one kind\. A few"
    ):
        choose_depth("auto", [wide], 5)
    with pytest.raises(DarkroomError, match=r"or convert them to one kind, or set ingest.depth to full\. A few"):
        choose_depth("range", [twelve], 20)


def test_the_files_of_the_smaller_part_are_named() -> None:
    few = KindFound("float", 7, 0, 900, examples=("a.tif", "b\x1b.tif"))
    with pytest.raises(DarkroomError) as refused:
        choose_depth("auto", [few], 5000, ["x.png"])
    assert str(refused.value).endswith(
        "A few can be left out, each with a row of the action remove in data/label_fixes.csv\n  a.tif (floating-point)\n"
        "  b\\x1b.tif (floating-point)\n  and 5 more (floating-point)"
    )
    many = KindFound("float", 4999, 0, 900, examples=("a.tif",))
    with pytest.raises(DarkroomError, match=r"x\.png \(8-bit\)$"):
        choose_depth("auto", [many], 5000, ["x.png"])
    with pytest.raises(DarkroomError, match=r"set ingest.depth to range\n  a.tif \(floating-point\)\n  and 4,998 more"):
        choose_depth("full", [many], 5000)


def test_files_of_eight_bits_are_named_too() -> None:
    found = [KindFound("uint16", 5, 0, 4000)]
    assert describe_depth(Depth("full", {"uint16": (0, 4095)}), found, 20) == [
        "depth: 5 of 20 files hold 16-bit values, 0 to 4,000: read as 12-bit (0 to 4,095 becomes 0 to 255); set "
        "ingest.depth to full (0 to 65,535) for another reading",
        "depth: 15 files of 8 bits stay as they are",
    ]


def test_what_was_found_and_done_is_said() -> None:
    def lines(setting: str, one: KindFound) -> list[str]:
        depth = choose_depth(setting, [one], 120)
        assert depth
        return describe_depth(depth, [one], 120)

    assert lines("auto", KindFound("uint16", 120, 3, 4095)) == [
        "depth: 120 of 120 files hold 16-bit values, 3 to 4,095: read as 12-bit (0 to 4,095 becomes 0 to 255); set "
        "ingest.depth to range (3 to 4,095) or full (0 to 65,535) for another reading"
    ]
    assert lines("auto", KindFound("float", 120, 0, 1))[0].endswith(
        "floating-point values, 0 to 1: read as fractions (0 to 1 becomes 0 to 255); set ingest.depth to range (0 to 1) for "
        "another reading"
    )
    assert lines("auto", KindFound("float", 120, -3.5, 812.25))[0].endswith(
        "floating-point values, -3.5 to 812.25: read by the range of the data set (-3.5 to 812.25 becomes 0 to 255)"
    )
    assert lines("auto", KindFound("uint16", 120, 0, 65535, dim=7))[1] == (
        "depth: 7 of these have no value above a sixteenth of the highest: if these are on another scale, as 12 bits among 16, "
        "they come out dark; convert all to one"
    )
    assert lines("range", KindFound("uint16", 120, 3, 900))[0].endswith(
        "set ingest.depth to full (0 to 65,535) for another reading"
    )
