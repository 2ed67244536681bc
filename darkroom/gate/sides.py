"""From a name to a model: its bundle, and the images that it was trained on."""

import re
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from darkroom.bundle.bundle import INDEX, Bundle, load_bundle
from darkroom.compare.labelled import DataSplits, data_splits
from darkroom.registry.versions import Version, bundle_of, champion, find
from darkroom.runtime.errors import DarkroomError
from darkroom.runtime.files import file_hash
from darkroom.runtime.paths import BUNDLE
from darkroom.runtime.revisions import WORKSPACE, Revision, Workspace, open_revision

CHAMPION = "champion"
NUMBER = re.compile(r"v\d+\.\d+\.\d+")
# In the champion's decision, what the next candidate is held against beside it: a version, or the champion itself.
ITSELF = "candidate"


@dataclass(frozen=True)
class Side:
    """A model.

    Attributes:
        name: as it was given: `champion`, `v1.4.0`, `workspace`, a git revision, or the folder of a bundle.
        version: where it is one.
        bundle: what it ships.
        fingerprint: SHA-256 of its `bundle.json`.
        revision: where its data and reports are; None where that is not known.
        data: the images that it was trained and tested on; None where they are not known.
        unknown: why they are not.
    """

    name: str
    version: Version | None
    bundle: Bundle
    fingerprint: str
    revision: Revision | None
    data: DataSplits | None
    unknown: str = ""

    @property
    def title(self) -> str:
        """Its version where it is one, else its name."""
        return self.version.number if self.version else self.name

    @property
    def candidate_title(self) -> str:
        """The same for a candidate, for whose reader `workspace` may be the folder of a retraining."""
        return "the candidate" if self.name == WORKSPACE else self.title

    @property
    def graph_bytes(self) -> int:
        """The size of the graph that predicts."""
        return (self.bundle.folder / self.bundle.graph).stat().st_size

    def record(self) -> dict[str, Any]:
        """For `decision.json`."""
        return {
            "name": self.name,
            "version": self.version.number if self.version else None,
            "bundle": self.fingerprint,
            "data_version": self.bundle.data_version,
            "classes": len(self.bundle.classes),
        }


def open_champion(name: str, root: Path, home: Path, opened: ExitStack) -> Side | None:
    """The model to hold the candidate against; None for `champion` where there is none yet.

    Args:
        name: as for `Side`.
        root: of the candidate's repository, whose workspace and revisions are meant.
        home: of the repository with the versions and their bundles.
        opened: closes what was opened.

    Raises:
        DarkroomError: when there is no such model, or its bundle is damaged.
    """
    version = champion(home) if name == CHAMPION else find(home, name) if NUMBER.fullmatch(name) else None
    if name == CHAMPION and version is None:
        return None
    return _of_version(name, version, home, opened) if version else open_candidate(name, root, opened, home)


def open_candidate(name: str, root: Path, opened: ExitStack, home: Path | None = None) -> Side:
    """A candidate: the workspace, a revision, a bundle's folder, or a version that there is already.

    Args:
        name, root, home, opened: as for `open_champion`.

    Raises:
        DarkroomError: when there is no such model, or its bundle is damaged.
    """
    if home and (name == CHAMPION or NUMBER.fullmatch(name)):
        found = open_champion(name, root, home, opened)
        if found is None:
            raise DarkroomError("there is no champion yet: name a version, a git revision, or `workspace`")
        return found
    folder = Path(name)
    if name != WORKSPACE and (folder / INDEX).is_file():
        unknown = f"{name} is a bundle alone, which does not say what it was trained on"
        return _side(name, None, folder, None, None, unknown)
    revision = opened.enter_context(open_revision(name, root))
    if not revision.has(BUNDLE.as_posix()):
        raise DarkroomError(
            f"{name} has no bundle in {BUNDLE}: run `make run`, or name a revision whose dvc.lock has one"
        )
    return _side(name, None, revision.get(BUNDLE.as_posix()), revision, data_splits(revision))


def open_anchor(champion: Side, home: Path, opened: ExitStack) -> Side:
    """The best model that was ever shown to be better, as the champion's decision has it; the champion itself by default.

    Raises:
        DarkroomError: when the version or its bundle can't be found.
    """
    decision = champion.version.decision if champion.version else {}
    anchor = decision.get("anchor") or {}
    number = anchor.get("next", ITSELF)
    if number == ITSELF or number == champion.title:
        return champion
    return _of_version(number, find(home, number), home, opened)


def tested_in(candidate: Side, root: Path) -> Revision:
    """Where the test images and the reports of a candidate are: for a bundle's folder, the workspace."""
    return candidate.revision or Workspace(root)


def _of_version(name: str, version: Version, home: Path, opened: ExitStack) -> Side:
    bundle = bundle_of(home, version)
    try:
        revision = opened.enter_context(open_revision(version.commit, home))
        return _side(name, version, bundle, revision, data_splits(revision))
    except DarkroomError as error:
        # Without them the champion may know some of the images, which only makes it harder to beat.
        return _side(name, version, bundle, None, None, str(error))


def _side(
    name: str,
    version: Version | None,
    folder: Path,
    revision: Revision | None,
    data: DataSplits | None,
    unknown: str = "",
) -> Side:
    return Side(name, version, load_bundle(folder), file_hash(folder / INDEX), revision, data, unknown)
