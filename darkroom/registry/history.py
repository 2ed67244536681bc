"""The history of the model in plain lines: the versions, and every move of the champion."""

from pathlib import Path

from darkroom.registry.published import is_published, linked
from darkroom.registry.tags import NAME, read_tags
from darkroom.registry.versions import LINK, champion, versions
from darkroom.runtime.git import git
from darkroom.runtime.text import count

DIGITS = 8


def history_text(root: Path) -> str:
    """What `make models` prints.

    Args:
        root: of the repository.
    """
    found, now, leads_to = versions(root), champion(root), linked(root)
    if not found:
        # A shallow clone has none of them, and its first candidate would be held against nothing.
        fetch = "; `git fetch --tags` gets those of the remote" if git(root, "remote") else ""
        return (
            f"no version of {NAME} here yet: `make retrain` makes a candidate, and the first that passes the gate is v1.0.0"
            f"{fetch}"
        )
    lines = [f"{NAME}: {count(len(found), 'version')}, the newest first"]
    for version in reversed(found):
        mark = "*" if version.champion else " "
        here = "published here" if is_published(root, version.number) else "in DVC's cache or remote"
        lines.append(f"{mark} {version.number:<9} {_minute(version.created)}  {version.commit[:DIGITS]}  {here}")
        if sentence := version.decision.get("sentence"):
            lines.append(f"{'':12}{sentence}")
    lines += ["", "moves of the champion (*)"]
    _, assignments = read_tags(root)
    lines += [f"  #{tag.order[0]:<3} {_minute(tag.time)}  {tag.title}" for tag in reversed(assignments)]
    if now and leads_to != now.number:
        place = f"leads to {leads_to}" if leads_to else "is not there"
        lines += ["", f"{LINK} {place}: `make rollback VERSION={now.number}` leads it to the champion"]
    return "\n".join(lines)


def _minute(time: str) -> str:
    """`2026-11-28T03:00:12Z` → `2026-11-28 03:00`, in UTC."""
    return time[:16].replace("T", " ")
