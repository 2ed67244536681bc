"""Numbers and nouns agree."""

from darkroom.runtime.text import count, plural


def test_a_number_and_its_noun() -> None:
    assert [count(number, "image") for number in (0, 1, 2, 60_000)] == [
        "0 images",
        "1 image",
        "2 images",
        "60,000 images",
    ]
    assert [count(number, "class", "classes") for number in (1, 2)] == ["1 class", "2 classes"]
    assert [plural(number, "file is", "files are") for number in (1, 2)] == ["file is", "files are"]
