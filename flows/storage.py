"""DVC's cache and remotes: what a `dvc.lock` names there, bringing it back, and pushing it."""

import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from darkroom.runtime.errors import DarkroomError
from darkroom.runtime.paths import INGEST
from flows import dvc


def lasting_outputs() -> list[str]:
    """What stages go on from, and DVC does not bring back by itself: `data/ingest`, and what is cached and persists."""
    stages: dict[str, dict[str, Any]] = YAML(typ="safe", pure=True).load(dvc.DVC_YAML)["stages"]
    return [INGEST.as_posix()] + [
        path
        for stage in stages.values()
        for entry in stage.get("outs", [])
        if isinstance(entry, dict)
        for path, options in entry.items()
        if options.get("persist") and options.get("cache", True)
    ]


def locked_hash(lock: str, path: str) -> str | None:
    """The hash that the text of a `dvc.lock` has for an output; None where it has none."""
    try:
        stages: dict[str, dict[str, Any]] = YAML(typ="safe", pure=True).load(lock)["stages"]
        outs = [out for stage in stages.values() for out in stage.get("outs", [])]
        return next((str(out["md5"]) for out in outs if out["path"] == path), None)
    except (YAMLError, LookupError, TypeError, AttributeError):
        return None


def bring_back(outputs: Sequence[str]) -> None:
    """Put outputs into the current folder as its `dvc.lock` has them, from the cache or else from the remote.

    Raises:
        DarkroomError: when one is in neither.
    """
    lock = dvc.DVC_LOCK.read_text(encoding="utf-8") if dvc.DVC_LOCK.exists() else ""
    known = [path for path in outputs if locked_hash(lock, path)]
    if not known:
        return
    try:
        dvc.ask("checkout", "--quiet", *known)
    except DarkroomError:
        if not remotes():
            raise
        dvc.ask("pull", "--quiet", *known)


def share_storage(root: Path, folder: Path) -> None:
    """Have another worktree use the cache and the remotes of a repository, with whatever its user configured for himself.

    Paths in a configuration are relative to its file, so that they are written out.

    Args:
        root: of the repository.
        folder: of the worktree.
    """
    # Here, since it takes some 0.3 s. As commands, reading and writing would be three starts of DVC.
    from dvc.config import Config

    local = root / ".dvc/config.local"
    if local.exists():
        shutil.copy2(local, folder / ".dvc/config.local")
    found = Config(str(root / ".dvc"))
    with Config(str(folder / ".dvc")).edit("local") as ours:
        ours["cache"]["dir"] = found["cache"].get("dir") or str(root / ".dvc/cache")
        for name, remote in found["remote"].items():
            ours["remote"].setdefault(name, {})["url"] = remote["url"]


def remotes() -> list[str]:
    """The names of the remotes that DVC knows here."""
    return [line.split("\t")[0] for line in dvc.ask("remote", "list").splitlines() if line.strip()]


def push() -> None:
    """Push what `dvc.lock` names to DVC's remote.

    Raises:
        DarkroomError: when it does not take it.
    """
    dvc.ask("push", "--quiet")
