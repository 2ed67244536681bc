"""Names in zips: in UTF-8 where that is said, else in a code page that nobody wrote down, which is found, or asked for."""

import io
import re
import struct
import unicodedata
import zipfile
import zlib
from collections.abc import Iterable, Sequence

from darkroom.runtime.errors import DarkroomError
from darkroom.sources.names import describe_names

UTF8_FLAG = 0x800
# APPNOTE.TXT 4.3.12: what begins a record of the directory, its bytes before the name, and where flags and lengths are.
RECORD, RECORD_BYTES, FLAGS_AT, LENGTHS_AT = b"PK\1\2", 46, 8, 28
# APPNOTE.TXT 4.6.9, Info-ZIP's Unicode Path: version 1, the CRC-32 of the name that it replaces, the name in UTF-8.
UNICODE_PATH = 0x7075
# The code pages of DOS and Windows where most such zips are made, with the lead bytes of the characters that are in common use
# (levels 1 of GB 2312, Big5 and JIS X 0208; Hangul); None where one byte is one character.
CODE_PAGES: dict[str, tuple[tuple[int, int], ...] | None] = {
    "cp437": None,
    "cp850": None,
    "cp1252": None,
    "cp857": None,
    "cp1254": None,
    "cp866": None,
    "cp1251": None,
    "gb18030": ((0xB0, 0xD7), (0xA3, 0xA3)),
    "big5": ((0xA4, 0xC6),),
    "cp932": ((0x81, 0x97),),
    "cp949": ((0xB0, 0xC8),),
}
WORD = re.compile(r"[^\W\d_]+")


class LenientDirectory(io.FileIO):
    """A zip for `zipfile`, which gives up where a name is said to be in UTF-8 and is not: such names lose the mark.

    Attributes:
        wrong: these names.
        lenient: whether it is so; not while entries are read, whose bytes may look like a directory.
    """

    wrong: frozenset[bytes] = frozenset()
    lenient = True

    def read(self, size: int | None = -1, /) -> bytes:
        """The next bytes; of the directory, which zipfile reads in one go, with marks that are true."""
        data = super().read(-1 if size is None else size) or b""
        if not self.lenient or not data.startswith(RECORD):
            return data
        content, wrong, at = bytearray(data), set(), 0
        while data[at : at + 4] == RECORD and at + RECORD_BYTES <= len(data):
            (flags,) = struct.unpack_from("<H", data, at + FLAGS_AT)
            lengths = struct.unpack_from("<HHH", data, at + LENGTHS_AT)
            name = data[at + RECORD_BYTES : at + RECORD_BYTES + lengths[0]]
            if flags & UTF8_FLAG and _decoded(name, "utf-8") is None:
                struct.pack_into("<H", content, at + FLAGS_AT, flags & ~UTF8_FLAG)
                wrong.add(name)
            at += RECORD_BYTES + sum(lengths)
        self.wrong |= wrong
        return bytes(content)


def read_names(
    infos: Sequence[zipfile.ZipInfo], wrong: frozenset[bytes], encoding: str | None, archive: str
) -> list[str]:
    """The name of each entry; bytes that can't be read as Python's surrogate escapes.

    The mark for UTF-8 and the extra field Unicode Path decide; the names without either are looked at together, since all are
    in one code page. What is chosen but UTF-8 is printed.

    Args:
        infos: of the entries.
        wrong: the names that were marked as UTF-8 and are not.
        encoding: of the names that do not say theirs; None: found.
        archive: for messages.

    Raises:
        DarkroomError: when names make sense in no code page, or in several, with what each gives.
    """
    unsaid: dict[int, bytes] = {}
    names = []
    for row, info in enumerate(infos):
        name = info.orig_filename
        if not info.flag_bits & UTF8_FLAG and not name.isascii():
            raw = name.encode("cp437")
            name = _unicode_path(info.extra, raw) or raw.decode("utf-8", "surrogateescape")
            if not (raw in wrong and encoding is None) and _unicode_path(info.extra, raw) is None:
                unsaid[row] = raw
        names.append(name)
    if unsaid:
        chosen = encoding or _find_encoding(sorted(set(unsaid.values())), archive)
        for row, raw in unsaid.items():
            decoded = _decoded(raw, chosen)
            names[row] = raw.decode("utf-8", "surrogateescape") if decoded is None else decoded
    return names


def _unicode_path(extra: bytes, raw: bytes) -> str | None:
    """The name in the extra field, where it is there, and was made for the name beside it."""
    at = 0
    while at + 4 <= len(extra):
        kind, length = struct.unpack_from("<HH", extra, at)
        content = extra[at + 4 : at + 4 + length]
        if kind == UNICODE_PATH and len(content) > 5 and content[0] == 1:
            (crc,) = struct.unpack_from("<I", content, 1)
            return _decoded(content[5:], "utf-8") if crc == zlib.crc32(raw) else None
        at += 4 + length
    return None


def _find_encoding(names: Sequence[bytes], archive: str) -> str:
    """The code page in which all names make sense."""
    text = _together(names, "utf-8")
    if text is not None and _is_surely_utf8(text):
        return "utf-8"
    readings: dict[str, str] = {}
    for encoding in ("utf-8", *CODE_PAGES):
        text = _together(names, encoding)
        if text is not None and text not in readings.values() and _makes_sense(text, encoding):
            readings[encoding] = text
    if len(readings) == 1:
        ((encoding, text),) = readings.items()
        print(f"{archive}: names are read as {encoding} ({_examples(text)}); ingest.zip_encoding sets another")
        return encoding
    as_utf8 = _together(names, "utf-8")
    shown = ({"utf-8": as_utf8} if as_utf8 else {}) | (readings or {"cp437": _together(names, "cp437") or ""})
    listed = "".join(f"\n  - {encoding}: {_examples(text)}" for encoding, text in shown.items())
    which = "several code pages make" if readings else "no code page makes"
    raise DarkroomError(
        f"{archive} has names that are not marked as UTF-8, and {which} sense of them: set ingest.zip_encoding to that of the "
        f"computer on which it was made, or pack it anew with names in UTF-8{listed}"
    )


def _together(names: Iterable[bytes], encoding: str) -> str | None:
    """All names in a code page, each on a line; None where one has bytes that are none of its characters."""
    decoded = [_decoded(name, encoding) for name in names]
    return None if None in decoded else "\n".join(name for name in decoded if name is not None)


def _decoded(raw: bytes, encoding: str) -> str | None:
    """A name in an encoding; None where it has other bytes, or gives halves of characters, which no file can be named by."""
    try:
        name = raw.decode(encoding)
        name.encode("utf-8")
    except UnicodeError:
        return None
    return name


def _examples(text: str) -> str:
    """The first folders and files that are not plain ASCII."""
    parts = dict.fromkeys(part for line in text.split("\n") for part in re.split(r"[/\\]", line) if not part.isascii())
    return describe_names([*parts])


def _is_surely_utf8(text: str) -> bool:
    """Whether bytes that can be read as UTF-8 are so by more than chance.

    Of two-byte characters of GB 2312 one in seven is valid UTF-8, such as the cat (`\\u732b`), which would be `\\xe8`.
    """
    foreign = {character for character in text if not character.isascii()}
    return (
        len(foreign) > 2
        or max(foreign) > "\u07ff"
        or bool(re.search(r"[A-Za-z][^\x00-\x7f]|[^\x00-\x7f][A-Za-z]", text))
    )


def _makes_sense(text: str, encoding: str) -> bool:
    """Whether a text could be names that people gave: words of one script, of letters in common use, small after large."""
    if any(unicodedata.category(character)[0] not in "LM" for character in text if not character.isascii()):
        return False
    leads = CODE_PAGES.get(encoding)
    for word in WORD.findall(text):
        if word.isascii():
            continue
        scripts = {unicodedata.name(character, "?").split()[0] for character in word}
        if len(scripts - {"CJK", "HIRAGANA", "KATAKANA", "KATAKANA-HIRAGANA"}) > (0 if "CJK" in scripts else 1):
            return False
        foreign = [character for character in word if not character.isascii()]
        if leads is not None:
            if not all(
                any(low <= character.encode(encoding)[0] <= high for low, high in leads) for character in foreign
            ):
                return False
        elif scripts == {"LATIN"} and len(foreign) * 2 > len(word):
            return False
        if not (word.islower() or word.isupper() or word[1:].islower()) and word.lower() != word.upper():
            return False
    return True
