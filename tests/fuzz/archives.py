"""Archives that are damaged or made with ill will: surveyed and ingested, with every entry accounted for."""

import io
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path
from random import Random

from tests.fuzz.images import sound_images
from tests.fuzz.mutations import mutate_bytes
from tests.fuzz.outcome import Outcome, hashes, ingest_whole

# fmt: off
NAMES = [
    "a/{}.png", "b/{}.png", "a/{}", "b/c/{}.png", "train/a/{}.png", "test/b/{}.png", "./a/{}.png", "a//{}.png", "../a/{}.png",
    "/a/{}.png", "a\\{}.png", "C:\\a\\{}.png", "a/{}.png/", "a/\0{}.png", "a/{}\n.png", "a/\x1b[2J{}.png", "\u202ea/{}.png",
    "é/{}.png", "e\u0301/{}.png", "A/{}.png", "a /{}.png", "{}.png", "__MACOSX/a/{}.png", "a/.{}.png", "a/Thumbs.db",
    "a/{}" + "x" * 300, "中/{}.png", "a/{}.txt", "con/{}.png", "a/0.png",
]
# fmt: on


def _entries(random: Random) -> list[tuple[str, bytes]]:
    """Some sound entries in two classes, and some odd ones."""
    sound = [data for name, data in sorted(sound_images().items()) if name in ("L.png", "grey.jpg", "rgb.bmp")]
    entries = [(f"{label}/{number}.png", random.choice(sound)) for number in range(3) for label in "ab"]
    for number in range(random.choice((0, 1, 3))):
        data = random.choice((*sound, b"", b"no image", mutate_bytes(sound[0], random)))
        entries.insert(random.randrange(len(entries) + 1), (random.choice(NAMES).format(number), data))
    return entries


def make_zip(random: Random) -> tuple[bytes, int]:
    """A zip, and how many files it has."""
    buffer = io.BytesIO()
    entries = _entries(random)
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, data in entries:
            info = zipfile.ZipInfo(name.replace("\0", "N"))
            info.compress_type = random.choice((0, 8, 8, 12, 14))
            if random.random() < 0.05:
                info.external_attr = random.choice((0o120777, 0o010644, 0o040755)) << 16
            archive.writestr(info, data)
    # `zipfile` writes no zeros into names.
    content = buffer.getvalue()
    if random.random() < 0.1:
        content = content.replace(b"a/1.png", b"a/\0.png")
    if random.random() < 0.1:
        content = content.replace(b"b/2.png", random.choice((b"b/\xe9.png", b"b/\xff.png", b"b/2.png")))
    files = sum(not name.endswith("/") or bool(data) for name, data in entries)
    return content, files


def make_tar(random: Random) -> tuple[bytes, int]:
    """A tar, packed or not, and how many members it has that are no folders."""
    buffer, entries = io.BytesIO(), _entries(random)
    mode = random.choice(("w", "w:gz", "w:bz2", "w:xz"))
    count = 0
    with tarfile.open(fileobj=buffer, mode=mode, format=random.choice((0, 1, 2))) as archive:  # type: ignore[call-overload]
        for name, data in entries:
            try:
                info = tarfile.TarInfo(name.replace("\0", "N"))
                info.size = len(data)
                if random.random() < 0.05:
                    info.type = random.choice((tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.FIFOTYPE, tarfile.CHRTYPE))
                    info.linkname, info.size = random.choice(("a/0.png", "../../etc/passwd", "")), 0
                archive.addfile(info, io.BytesIO(data) if info.size else None)
            except (ValueError, UnicodeEncodeError):
                continue  # The format can't hold such a name.
            count += 1
    return buffer.getvalue(), count


def fuzz_archives(count: int, seed: int, folder: Path) -> Outcome:
    """Survey and ingest so many archives, of which half are damaged after they were made; arguments as `fuzz_images`."""
    found = Outcome()
    for number in range(count):
        random = Random(f"{seed} {number}")
        maker: Callable[[Random], tuple[bytes, int]] = make_zip if number % 2 else make_tar
        data, files = maker(random)
        damaged = number % 4 > 1
        path = folder / f"{number:05}{'.zip' if number % 2 else '.tar'}"
        path.write_bytes(mutate_bytes(data, random) if damaged else data)
        before, counts = hashes(path), list[int]()
        name = f"archive {number}"
        if found.attempt(name, lambda: counts.extend(ingest_whole(path, folder / "root"))) and not damaged:  # noqa: B023
            found.require(name, sum(counts) >= files, f"{files} entries became {counts} (images, rejects, ignored)")
        found.require(name, hashes(path) == before, "it was changed")
        path.unlink()
    return found
