"""What the workflow adds to its comment on a pull request: is dvc.lock in sync and pushed, and what did the gate decide?

python -m flows.pull_request    # in a clone without data; prints Markdown
"""

import json
from pathlib import Path

from darkroom.drawing.markdown import code
from darkroom.runtime.errors import DarkroomError
from darkroom.runtime.stage import user_errors
from flows import dvc

DECISION = Path("reports/gate/decision.json")


def lock_text() -> str:
    """Whether `dvc.lock` is of this code and these settings, and whether the remote has what it names."""
    if stages := dvc.stages_with_other_inputs(lambda line: None, ["code"]):
        names = ", ".join(map(code, stages))
        return f"**dvc.lock is not in sync**: {names} had other code or settings. `make run`, then commit dvc.lock."
    return f"dvc.lock is in sync, {_pushed_text()}"


def _pushed_text() -> str:
    if not dvc.ask("remote", "list").strip():
        return "and there is no remote to which its data could be pushed."
    missing = [path for path, state in json.loads(dvc.ask("status", "--cloud", "--json")).items() if state != "deleted"]
    if missing:
        return (
            f"**but not pushed**: the remote has not all that it names ({len(missing):,} files or folders). `dvc push`."
        )
    return "and pushed."


def decision_text() -> str:
    """The gate's decision as it was committed; empty where there is none.

    Raises:
        DarkroomError: when the file is damaged.
    """
    if not DECISION.exists():
        return ""
    try:
        decision = json.loads(DECISION.read_text(encoding="utf-8"))
        reasons = [f"- {'✓' if each['passed'] else '✗'} {code(each['words'])}" for each in decision["reasons"]]
        return "\n".join([f"**The gate: {code(decision['outcome'])}.** {code(decision['sentence'])}", "", *reasons])
    except (ValueError, LookupError, TypeError) as error:
        raise DarkroomError(
            f"{DECISION} is damaged ({error}): `python -m darkroom.gate champion workspace` makes it"
        ) from None


def main() -> None:
    with user_errors():
        print("\n\n".join(filter(None, ["", lock_text(), decision_text()])))


if __name__ == "__main__":
    main()
