"""The files of one revision: of the workspace, or of any git revision through DVC's cache or remote, fetched when asked for."""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import yaml
from dvc.api import DVCFileSystem
from dvc.exceptions import DvcException
from dvc.scm import RevError
from dvc_data.index import DataIndexDirError
from scmrepo.exceptions import SCMError as GitError

from darkroom.runtime.errors import DarkroomError

WORKSPACE = "workspace"
NAMES = f"name a commit, a branch or a tag, or `{WORKSPACE}`"


class Workspace:
    """The files of a folder: of the current one, unless another is given."""

    def __init__(self, root: Path = Path()) -> None:
        self.name = WORKSPACE
        self._root = root

    def has(self, path: str) -> bool:
        """Whether there is such a file or folder."""
        return (self._root / path).exists()

    def get(self, path: str) -> Path:
        """Its path.

        Raises:
            DarkroomError: when it is not there.
        """
        if not self.has(path):
            raise DarkroomError(f"the workspace has no {path}: run `make run`, or `dvc pull` to get what was made")
        return self._root / path


class Committed:
    """The files that a `dvc.lock` names, copied into a folder when they are asked for.

    Attributes:
        name: of the git revision, or of the file.
    """

    def __init__(self, name: str, revision: str | None, folder: Path, root: Path = Path()) -> None:
        self.name = name
        self._folder = folder
        self._system = DVCFileSystem(repo=str(root), rev=revision)
        try:
            lock = self._system.read_text("dvc.lock")
        except FileNotFoundError:
            lock = "stages: {}"
        try:
            stages: dict[str, dict[str, Any]] = yaml.safe_load(lock)["stages"]
            self.outputs = [str(output["path"]) for stage in stages.values() for output in stage.get("outs", [])]
        except (yaml.YAMLError, TypeError, KeyError, AttributeError, RecursionError) as error:
            reason = " ".join(str(error).split())[:200]
            raise DarkroomError(
                f"the dvc.lock of {name} is damaged ({type(error).__name__}: {reason}): where a merge left its marks, take "
                "one side with `git checkout --ours dvc.lock`, run `dvc repro` and commit it; or choose another revision"
            ) from None

    def has(self, path: str) -> bool:
        """Whether the revision holds such a file or folder.

        Raises:
            DarkroomError: when the listing of a folder can't be fetched.
        """
        if not any(Path(path).is_relative_to(output) for output in self.outputs):
            return False
        try:
            # Not `exists`, which takes a listing that can't be fetched for a file that does not exist.
            self._system.info(path)
        except FileNotFoundError:
            return False
        except (OSError, DvcException, DataIndexDirError) as error:
            raise self._out_of_reach(path, error) from error
        return True

    def get(self, path: str) -> Path:
        """Copy a file, or a folder with all that is in it, from DVC's cache or else from its remote; its new path.

        Raises:
            DarkroomError: when it is in neither.
        """
        target = self._folder / path
        if not target.exists():
            target.parent.mkdir(parents=True, exist_ok=True)
            try:
                self._system.get(path, str(target), recursive=True)
            except (OSError, DvcException, DataIndexDirError) as error:
                raise self._out_of_reach(path, error) from error
        return target

    def _out_of_reach(self, path: str, error: Exception) -> DarkroomError:
        return DarkroomError(
            f"{path} of {self.name} is neither in DVC's cache nor in its remote ({error.__cause__ or error}): "
            "run `dvc fetch` where the remote can be reached, or `dvc push` where the data was made"
        )


Revision = Workspace | Committed


@contextmanager
def open_revision(name: str, root: Path = Path()) -> Iterator[Revision]:
    """Give access to one revision of a repository; what was copied is gone afterwards.

    Args:
        name: `workspace`, or anything that git or DVC takes for a revision.
        root: of the repository; the current folder by default.

    Raises:
        DarkroomError: when there is no such revision.
    """
    if name == WORKSPACE:
        yield Workspace(root)
        return
    if not name:
        # DVC would take it for the workspace, where a shell's variable may have been empty.
        raise DarkroomError(f"a revision has an empty name: {NAMES}")
    with tempfile.TemporaryDirectory() as folder:
        try:
            revision = Committed(name, name, Path(folder), root)
        except (DvcException, GitError) as error:
            remedy = f"; {NAMES}" if isinstance(error, RevError) else ""
            raise DarkroomError(f"can't read revision {name!r}: {error}{remedy}") from error
        yield revision


@contextmanager
def open_locked() -> Iterator[Committed]:
    """Give access to what the `dvc.lock` in the current folder names; what was copied is gone afterwards."""
    with tempfile.TemporaryDirectory() as folder:
        yield Committed("dvc.lock", None, Path(folder))
