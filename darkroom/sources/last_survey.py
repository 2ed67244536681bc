"""The last survey: while a look finds what it found, and its files are what it left, there is nothing to do."""

from dataclasses import asdict
from pathlib import Path

from darkroom.runtime.files import read_json, whole_file, write_json
from darkroom.sources.survey_parts import Found

FILE = "last_survey.json"


class LastSurvey:
    """What the last survey was made from and what it made."""

    def __init__(self, cache: Path, out: Path) -> None:
        """Args:
        cache: `.darkroom/cache`; it need not exist.
        out: the folder of the survey; it need not exist.
        """
        self._file, self._out = cache / FILE, out

    def found(self, mark: str | None) -> Found | None:
        """The numbers of the last survey, with nothing hashed, where it holds: made from the same, and still there."""
        if mark is None:
            return None
        try:
            content = read_json(self._file)
            if content["mark"] != mark or content["files"] != self._files():
                return None
            return Found(**content["found"] | {"hashed": 0})
        except (OSError, ValueError, LookupError, TypeError):
            return None

    def remember(self, mark: str | None, found: Found) -> None:
        """Remember a survey, once its folder is in its place."""
        if mark is None or not found.whole:
            self._file.unlink(missing_ok=True)
            return
        with whole_file(self._file) as partial:
            write_json(partial, {"mark": mark, "found": asdict(found), "files": self._files()})

    def _files(self) -> dict[str, list[int]]:
        """Length, inode and time of each file of the folder."""
        return {
            str(path.relative_to(self._out)): [status.st_size, status.st_ino, status.st_mtime_ns]
            for path in sorted(self._out.rglob("*"))
            if path.is_file() and (status := path.stat())
        }
