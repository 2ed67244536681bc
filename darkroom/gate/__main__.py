"""`python -m darkroom.gate CHAMPION CANDIDATE`: exit status 0 promote, 3 hold, 4 reject; 1 is an error."""

import argparse
from collections.abc import Sequence
from pathlib import Path

from darkroom.gate.decision import Decision
from darkroom.gate.gate import PAGE, REPORTS, run
from darkroom.gate.sides import CHAMPION
from darkroom.runtime.revisions import WORKSPACE
from darkroom.runtime.stage import missing_inputs, user_errors

NAMES = f"`{CHAMPION}`, a version, `{WORKSPACE}`, a git revision, or the folder of a bundle"


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(
        prog="python -m darkroom.gate",
        description="Decide whether a candidate may become the champion. Exit status: 0 promote, 3 hold, 4 reject, 1 error.",
    )
    parser.add_argument("champion", nargs="?", default=CHAMPION, help=f"{NAMES}; default {CHAMPION}")
    parser.add_argument("candidate", nargs="?", default=WORKSPACE, help=f"the same; default {WORKSPACE}")
    parser.add_argument(
        "--accept-test-changes",
        action="store_true",
        help="somebody has looked at the test images that were relabelled or removed",
    )
    options = parser.parse_args(arguments)
    with user_errors(), missing_inputs():
        decision = run(Path(), options.champion, options.candidate, accept_test_changes=options.accept_test_changes)
        print(to_text(decision))
    raise SystemExit(decision.exit_status)


def to_text(decision: Decision) -> str:
    """The decision and every reason, for the console."""
    marks = {True: "passed", False: "failed"}
    width = max(len(reason.check) for reason in decision.reasons)
    lines = [decision.sentence, ""]
    lines += [f"  {marks[reason.passed]}  {reason.check:{width}}  {reason.words}" for reason in decision.reasons]
    return "\n".join([*lines, "", f"The page: {REPORTS / PAGE}"])


if __name__ == "__main__":
    main()
