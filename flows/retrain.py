"""A retraining as a Prefect flow: it makes a candidate, and only the gate's decision moves the champion.

The candidate is made in a git worktree at the branch, with the user's images and DVC cache (`flows.worktree`). The user's
folder, index and branch stay as they are. What it leaves is a branch `retrain/…`; a promotion adds tags, a published bundle
and the link.
"""

import contextlib
import os
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from prefect import flow, get_run_logger
from prefect.artifacts import create_markdown_artifact
from prefect.client.schemas.objects import State
from prefect.runtime import flow_run
from prefect.states import Completed, Failed

from darkroom import registry
from darkroom.bundle.bundle import INDEX
from darkroom.diff import compare, read_state, to_markdown
from darkroom.evaluation.headline import read_headline
from darkroom.gate.decision import Decision
from darkroom.gate.gate import run as run_gate
from darkroom.labels.queue_labels import mark_taken, new_labels
from darkroom.registry import Version
from darkroom.runtime.disk import disk_errors
from darkroom.runtime.environment import variable
from darkroom.runtime.errors import DarkroomError
from darkroom.runtime.files import file_hash
from darkroom.runtime.paths import BUNDLE
from darkroom.runtime.revisions import WORKSPACE, open_revision
from darkroom.settings.read import read_params
from flows import dvc, events, storage
from flows.candidate import (
    Candidate,
    commit_candidate,
    known_outcome,
    last_candidate,
    take_newest_lock,
)
from flows.decided import carry_out, pass_on, show
from flows.line import bring_line_up_to_date
from flows.lock import line_lock
from flows.look import Look
from flows.remotes import fetch_tags
from flows.summary import METRICS, headline
from flows.worktree import Worktree, open_worktree, take_packed

GATE_REPORTS = Path("reports/gate")
DECISION, PAGE = GATE_REPORTS / "decision.json", GATE_REPORTS / "index.html"
# Not beside the decision: the gate writes its folder anew.
CHANGES = Path("reports/retrain/changes.md")


@dataclass(frozen=True)
class Request:
    """Why a retraining runs, and how.

    Attributes:
        reason: in words.
        force: also where nothing is new.
        dry: up to the decision of the gate, and nothing is committed, pushed or promoted.
        accept_test_changes: somebody has looked at the test images that were relabelled or removed.
        push: where there are remotes.
        log: takes lines for the run's log.
    """

    reason: str
    force: bool
    dry: bool
    accept_test_changes: bool
    push: bool
    log: Callable[[str], None]


def _run_name() -> str:
    """When and why: `2026-11-28 03:00 schedule`."""
    return f"{flow_run.scheduled_start_time:%Y-%m-%d %H:%M} {flow_run.parameters.get('reason', '')}"


@flow(name="retrain", flow_run_name=_run_name)
def retrain(
    reason: str = "schedule", force: bool = False, dry: bool = False, accept_test_changes: bool = False
) -> State[Any]:
    """Make a candidate of what the source and the labels hold by now; the gate decides whether it becomes the champion.

    Args:
        reason: why it runs, for the run's name and the commit.
        force: also where nothing is new.
        dry: up to the decision, and change nothing.
        accept_test_changes: the test images that were relabelled or removed have been looked at.
    """
    log = get_run_logger().info
    try:
        with disk_errors():
            settings = read_params().registry
            request = Request(reason, force, dry, accept_test_changes, settings.push and not dry, log)
            return Completed(message=_retrain(settings.branch, request))
    except DarkroomError as error:
        return Failed(message=str(error))


def _retrain(branch: str | None, request: Request) -> str:
    root = Path.cwd()
    # The stages of the worktree run with the environments of this folder.
    os.environ["VENV_TFLITE"] = str(root / (variable("VENV_TFLITE") or ".venv-tflite"))
    if request.push:
        try:
            fetch_tags(root)
        except DarkroomError as error:
            request.log(
                f"versions and champion are those of this clone, since the remote's tags can't be fetched: {error}"
            )
    last = last_candidate(root)
    if last and (judged := _judge_held(root, last, request)):
        return judged
    spared = Path(last.folder) if last and last.folder else None
    with (
        open_worktree(root, branch, "a retraining", request.log, spared) as tree,
        contextlib.chdir(tree.folder),
        line_lock("a retraining", request.log),
    ):
        champion = registry.champion(root)
        take_newest_lock(tree, last, champion)
        if (
            not request.force
            and (known := known_outcome(tree, last, champion))
            and not dvc.has_other_inputs(request.log)
        ):
            return f"no new data: {known}"
        _make(tree, champion, request)
        if champion and _same_bundle(registry.bundle_of(root, champion), BUNDLE):
            return f"no other model: the candidate is {champion.number}, byte for byte"
        return _judge(tree, request)


def _make(tree: Worktree, champion: Version | None, request: Request) -> None:
    """Run the line; what changed in the data is published before the training begins."""
    storage.bring_back(storage.lasting_outputs())
    take_packed(tree)

    def after_stage(stage: str) -> None:
        if stage == "ingest" and not request.dry:
            mark_taken(tree.root)
        if stage == "split":
            _publish_changes(champion, request.log)

    with Look() as look:
        bring_line_up_to_date(look, after_stage)


def _publish_changes(champion: Version | None, log: Callable[[str], None]) -> None:
    after = replace(read_state(WORKSPACE), name="now", metrics=None, remarks=())
    if champion:
        before = replace(read_state(champion.commit), name=champion.number, metrics=None, remarks=())
        changes = to_markdown(compare(before, after))
    else:
        changes = f"The first candidate: {len(after.images):,} images, and no champion to compare them with.\n"
    log(f"what changed in the data:\n{changes}")
    create_markdown_artifact(changes, key="darkroom-changes", description="What changed in the data since the champion")
    CHANGES.parent.mkdir(parents=True, exist_ok=True)
    CHANGES.write_text(changes, encoding="utf-8")


def _same_bundle(one: Path, other: Path) -> bool:
    return file_hash(one / INDEX) == file_hash(other / INDEX)


def _judge(tree: Worktree, request: Request) -> str:
    """Ask the gate, and do what it decides; the words for the run's end."""
    decision = run_gate(Path(), home=tree.root, accept_test_changes=request.accept_test_changes)
    show(decision, GATE_REPORTS, tree.root)
    summary = _publish_summary(decision)
    if request.dry:
        return f"dry run, the gate would {decision.outcome}: {decision.sentence}\n{summary}"
    title = f"Candidate of {request.reason}: {decision.sentence}"
    commit, branch = commit_candidate(tree, [DECISION, CHANGES], title, summary)
    events.send("candidate", {"branch": branch, "commit": commit, "reason": request.reason})
    problems = pass_on(tree, branch, title, CHANGES, request.log) if request.push else []
    tree.keep = decision.outcome == "hold"
    candidate = Candidate(
        commit=commit,
        branch=branch,
        outcome=decision.outcome,
        sentence=decision.sentence,
        labels=new_labels(tree.root),
        folder=str(tree.folder) if tree.keep else "",
    )
    with open_revision(WORKSPACE) as workspace:
        done = carry_out(tree.root, candidate, decision, workspace, request.push)
    return "\n".join([done, summary, f"branch {branch}", f"page {PAGE}", *problems])


def _judge_held(root: Path, last: Candidate, request: Request) -> str | None:
    """Ask the gate again about a candidate that was held, where labels have come; None where it has to wait for more."""
    labels = new_labels(root)
    if last.outcome != "hold" or not (labels > last.labels or request.accept_test_changes):
        return None
    decision = run_gate(Path(), candidate=last.branch, accept_test_changes=request.accept_test_changes)
    show(decision, GATE_REPORTS, None)
    if request.dry:
        return f"dry run, the gate would {decision.outcome}: {decision.sentence}"
    folder = last.folder if decision.outcome == "hold" else ""
    found = {"outcome": decision.outcome, "sentence": decision.sentence, "labels": labels, "folder": folder}
    candidate = last.model_copy(update=found)
    with open_revision(last.commit) as revision:
        done = carry_out(root, candidate, decision, revision, request.push)
    return "\n".join([done, f"branch {last.branch}", f"page {PAGE}"])


def _publish_summary(decision: Decision) -> str:
    """Publish the candidate's headline as the artifact `darkroom-run`; the same in plain lines."""
    lines = [
        f"test accuracy {headline(read_params().evaluate.confidence)}",
        f"data version {read_headline(METRICS).provenance['data_version']}",
    ]
    text = "".join(f"- {line}\n" for line in lines)
    create_markdown_artifact(
        f"**{decision.sentence}**\n\n{text}- the gate's page `{PAGE}`\n",
        key="darkroom-run",
        description="The candidate: its accuracy, its data, and the decision",
    )
    return "\n".join(lines)
