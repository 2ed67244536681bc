"""The files of a folder or an archive that may be images, told from those that can't by their names alone."""

import re
from collections import Counter
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from darkroom.runtime.arrays import Bools, Int32s, Int64s
from darkroom.sources.names import SYSTEM_FILES, junk_reason
from darkroom.sources.reading import Folder
from darkroom.sources.source import Ignored

PICTURE_SUFFIXES = (".jpg", ".jpeg", ".png", ".webp", ".bmp", ".tif", ".tiff", ".gif", ".avif", ".heic", ".heif")
# What may be beside pictures: a folder with nothing else, as `metadata/`, makes no class of an `images/` beside it.
TEXT_SUFFIXES = (
    ".csv",
    ".tsv",
    ".txt",
    ".json",
    ".jsonl",
    ".xml",
    ".yaml",
    ".yml",
    ".md",
    ".html",
    ".pdf",
    ".mat",
    ".xlsx",
)
# So many paths are looked at together: a million at once take 100 MB.
AT_ONCE = 10_000
PICTURE = "(" + "|".join(map(re.escape, PICTURE_SUFFIXES)) + ")$"
TEXT = "(" + "|".join(map(re.escape, TEXT_SUFFIXES)) + ")$"
# The names of files for which `junk_reason` may have one, in small letters.
MAY_BE_JUNK = sorted(SYSTEM_FILES)
# The name of a mask beside its image, as `benign (1)_mask.png` beside `benign (1).png` in breast ultrasound sets.
MASK_FILE = re.compile(r"(.+)[-_ ](mask|segmentation)([-_ ]?\d+)?", re.IGNORECASE)


class CandidateFiles(NamedTuple):
    """The files of a place that are not ignored for what they are.

    Attributes:
        rows, folder: of each file, among the paths, int64 [N], and the number of its folder, int32 [N].
        parts_of: the parts of each folder, in the order of the numbers.
        pictures, others: how many files in each folder are pictures, and how many are neither pictures nor text.
        masks: which rows may be masks, by their names, with the stem of the image that would be beside each.
    """

    rows: Int64s
    folder: Int32s
    parts_of: dict[str, Folder]
    pictures: Counter[Folder]
    filled: set[str]
    masks: dict[int, str]


def candidate_files(paths: pa.ChunkedArray) -> tuple[CandidateFiles, list[Ignored]]:
    """The files that may be images, and those that can't for what they are."""
    files = CandidateFiles(np.empty(0, np.int64), np.empty(0, np.int32), {}, Counter(), set(), {})
    ignored, found, number_of = list[Ignored](), [(files.rows, files.folder)], dict[str, int]()
    for start in range(0, len(paths), AT_ONCE):
        piece = paths.slice(start, AT_ONCE).combine_chunks()
        codes, folders, names = _divided(piece)
        junk = _junk(codes, folders, names)
        ignored += (Ignored(piece[row].as_py(), reason) for row, reason in junk.items())
        wanted = np.ones(len(piece), dtype=bool)
        wanted[list(junk)] = False
        present, first = np.unique(codes[wanted], return_index=True)
        for code in present[np.argsort(first)].tolist():
            if (folder := folders[code]) not in number_of:
                number_of[folder] = len(number_of)
                files.parts_of[folder] = tuple(folder.split("/")) if folder else ()
        low = pc.utf8_lower(names)
        pictures = np.bincount(codes[wanted & _matches(low, PICTURE)], minlength=len(folders))
        filled = np.bincount(codes[wanted & ~_matches(low, TEXT)], minlength=len(folders))
        for code in present.tolist():
            if pictures[code]:
                files.pictures[files.parts_of[folders[code]]] += int(pictures[code])
            if filled[code]:
                files.filled.add(folders[code])
        for row in np.flatnonzero(wanted & _matches(pc.utf8_lower(piece), "mask|segmentation")).tolist():
            if mask := MASK_FILE.fullmatch(piece[row].as_py().rpartition(".")[0]):
                files.masks[start + row] = mask[1]
        numbers = np.array([number_of.get(folder, -1) for folder in folders], np.int32)
        found.append((start + np.flatnonzero(wanted), numbers[codes[wanted]]))
    rows, folder = (np.concatenate(column) for column in zip(*found, strict=True))
    return files._replace(rows=rows, folder=folder), ignored


def _divided(paths: pa.Array) -> tuple[Int32s, list[str], pa.Array]:
    """The folder of each path, as a number int32 [n] among some folders, these, and the name of each file."""
    offsets = np.frombuffer(paths.buffers()[1], np.int32, len(paths) + 1, paths.offset * 4)
    content = np.frombuffer(paths.buffers()[2] or b"", np.uint8)
    slashes = np.append(-1, np.flatnonzero(content[: offsets[-1]] == ord("/")))
    last = slashes[np.searchsorted(slashes, offsets[1:]) - 1]
    # A folder, its slash, a name, a folder, …
    bounds = np.stack([offsets[:-1], np.maximum(last, offsets[:-1]), np.maximum(last + 1, offsets[:-1])], 1)
    divided = np.append(bounds.ravel(), offsets[-1]).astype(np.int32)
    parts = pa.StringArray.from_buffers(3 * len(paths), pa.py_buffer(divided), paths.buffers()[2])
    places = np.arange(0, 3 * len(paths), 3)
    folders = parts.take(pa.array(places)).dictionary_encode()
    return folders.indices.to_numpy(), folders.dictionary.to_pylist(), parts.take(pa.array(places + 2))


def _junk(codes: Int32s, folders: list[str], names: pa.Array) -> dict[int, str]:
    """Row → why a file can't count as an image, of some files as `_divided` gives them."""
    suspects = pc.or_(pc.starts_with(names, "."), pc.is_in(pc.utf8_lower(names), pa.array(MAY_BE_JUNK)))
    hidden = np.array([junk_reason(folder, "") is not None for folder in folders], dtype=bool)
    rows = np.flatnonzero(suspects.to_numpy(zero_copy_only=False) | hidden[codes]).tolist()
    reasons = {row: junk_reason(folders[codes[row]], names[row].as_py()) for row in rows}
    return {row: reason for row, reason in reasons.items() if reason}


def _matches(texts: pa.Array, pattern: str) -> Bools:
    found: Bools = pc.match_substring_regex(texts, pattern).to_numpy(zero_copy_only=False)
    return found
