"""`make rollback [VERSION=v1.4.0]`: an earlier version is the champion again; no training, and every byte of it is read.

    python -m flows.rollback           # the champion before this one
    python -m flows.rollback v1.4.0    # any version, also forward again

Writes: a git tag, and the link models/serving/current, which the service follows.
Costs: reading the bundle and 32 answers.
"""

import argparse
from pathlib import Path

from darkroom.registry import Version, rollback
from darkroom.registry.versions import LINK
from darkroom.runtime.errors import DarkroomError
from darkroom.runtime.stage import user_errors
from darkroom.settings.base import read_section
from darkroom.settings.registry import Registry
from flows import server
from flows.events import send_to
from flows.processes import end_children_on_signals
from flows.remotes import push_tags


def run(number: str) -> str:
    """Roll back, and pass it on.

    Args:
        number: of a version, or nothing for the champion before this one.

    Returns:
        What to print at the end.

    Raises:
        DarkroomError: as `darkroom.registry.rollback` does.
    """
    settings = read_section(Registry)
    version = rollback(Path(), number or None)
    lines = [f"{version.number} is the champion; {LINK} leads to it, and a running service takes it within 2 s"]
    lines += _passed_on(version, settings.push)
    return "\n".join(lines)


def _passed_on(version: Version, push: bool) -> list[str]:
    """What could not be passed on; the champion has moved all the same."""
    problems = []
    try:
        if push:
            push_tags(Path())
    except DarkroomError as error:
        problems.append(f"the tags are not pushed: {error}")
    try:
        if api := server.running():
            send_to(api, "rolled-back", {"version": version.number, "commit": version.commit})
    except OSError as error:
        problems.append(f"the event is not sent: {error}")
    return problems


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="python -m flows.rollback", description="Make an earlier version the champion."
    )
    parser.add_argument(
        "version", nargs="?", default="", help="such as v1.4.0; without one the champion before this one"
    )
    arguments = parser.parse_args()
    end_children_on_signals()
    with user_errors():
        print(run(arguments.version))


if __name__ == "__main__":
    main()
