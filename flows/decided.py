"""What follows from the gate's decision on a candidate: it is shown, passed on, and where it passed it becomes the champion."""

from collections.abc import Callable
from pathlib import Path

from prefect.artifacts import create_markdown_artifact

from darkroom import registry
from darkroom.drawing.markdown import table
from darkroom.gate.decision import Decision
from darkroom.registry.answers import sample_images
from darkroom.runtime.errors import DarkroomError
from darkroom.runtime.files import whole_folder
from darkroom.runtime.paths import BUNDLE
from darkroom.runtime.revisions import Revision
from flows import events, remotes
from flows.candidate import Candidate, remember
from flows.worktree import Worktree

EVENTS: dict[str, events.Kind] = {"promote": "promoted", "hold": "held", "reject": "rejected"}


def carry_out(root: Path, candidate: Candidate, decision: Decision, revision: Revision, push: bool) -> str:
    """Promote a candidate that passed, remember what became of it, and send the event.

    Args:
        root: of the user's repository.
        candidate: with its commit.
        decision: of the gate.
        revision: with the candidate's bundle and test images.
        push: the tags, where there is a remote.

    Returns:
        What was done, in words.

    Raises:
        DarkroomError: as `darkroom.registry.promote` does.
    """
    payload = {"branch": candidate.branch, "commit": candidate.commit, "sentence": decision.sentence}
    words: str = EVENTS[decision.outcome]
    problems = []
    if decision.outcome == "promote":
        bundle, images = revision.get(BUNDLE.as_posix()), sample_images(revision)
        version = registry.promote(root, candidate.commit, bundle, decision.to_dict(), images)
        payload["version"] = version.number
        words = f"promoted, {version.number}"
        problems = _try(remotes.push_tags, root) if push else []
    remember(root, candidate)
    events.send(EVENTS[decision.outcome], payload)
    return "\n".join([f"{words}: {decision.sentence}", *problems])


def show(decision: Decision, reports: Path, root: Path | None) -> None:
    """Put the gate's reasons into the run, and its pages where the user looks.

    Args:
        decision: of the gate.
        reports: the folder that it wrote.
        root: of the user's repository, where that is another one.
    """
    rows = [[each.check, "✓" if each.passed else f"✗ {each.otherwise}", each.words] for each in decision.reasons]
    create_markdown_artifact(
        f"**{decision.sentence}**\n\n{table(['Check', 'Passed', 'Reason'], rows, '---')}\n",
        key="darkroom-decision",
        description="What the gate decided on the candidate, and why",
    )
    if root:
        with whole_folder(root / reports) as folder:
            for file in reports.iterdir():
                (folder / file.name).write_bytes(file.read_bytes())


def pass_on(tree: Worktree, branch: str, title: str, body: Path, log: Callable[[str], None]) -> list[str]:
    """Push data and branch, and open a pull request; what could not be passed on, in words.

    Args:
        tree: with the candidate; it is the current folder.
        branch: with its commit.
        title: of the pull request.
        body: its text, a Markdown file.
        log: takes the address of the pull request.
    """
    problems = _try(remotes.push_data)
    try:
        if remotes.push_branch(tree.root, branch):
            address = remotes.open_pull_request(tree.root, branch, tree.branch, title, body)
            if address:
                log(f"pull request {address}")
    except DarkroomError as error:
        problems.append(f"not passed on: {error}")
    return problems


def _try(push: Callable[..., bool], *arguments: Path) -> list[str]:
    try:
        push(*arguments)
    except DarkroomError as error:
        return [f"not passed on: {error}"]
    return []
