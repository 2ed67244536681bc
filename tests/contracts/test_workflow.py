"""The workflow that tells a pull request what it changes: its very commands, run where GitHub would run them."""

import ast
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from darkroom.diff.markdown import MAX_CHARACTERS
from darkroom.runtime.closure import Code
from tests.support.revisions import command, two_revisions

ROOT = Path(__file__).parents[2]
WORKFLOW = ROOT / ".github/workflows/data-diff.yml"
# What a package is imported as, where that is not its name.
IMPORTED_AS = {
    "opencv-python-headless": "cv2", "pillow": "PIL", "pillow-heif": "pillow_heif", "pydantic-core": "pydantic_core",
    "pyyaml": "yaml", "ruamel-yaml": "ruamel",
}  # fmt: skip
# These come with DVC.
OF_DVC = {"dvc_data", "scmrepo"}


def workflow() -> dict[Any, Any]:
    content: dict[Any, Any] = yaml.safe_load(WORKFLOW.read_text(encoding="utf-8"))
    return content


def steps() -> dict[str, dict[str, Any]]:
    jobs = workflow()["jobs"].values()
    return {step.get("name", step.get("uses")): step for job in jobs for step in job["steps"]}


@pytest.fixture
def clone(tmp_path_factory: pytest.TempPathFactory, tmp_path: Path) -> Path:
    """As `actions/checkout` leaves it: the history, and no data. The code comes from here."""
    command(tmp_path, "git", "clone", "-q", str(two_revisions(tmp_path_factory.getbasetemp())), "clone")
    return tmp_path / "clone"


def run_step(name: str, folder: Path, **variables: str) -> str:
    """What the step prints; it is run as `shell: bash` runs it."""
    assert workflow()["defaults"]["run"]["shell"] == "bash"
    path = f"{folder / 'bin'}:{Path(sys.executable).parent}:{os.environ['PATH']}"
    done = subprocess.run(
        ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", steps()[name]["run"]],
        cwd=folder,
        env=os.environ | {"PATH": path, "PYTHONPATH": str(ROOT)} | variables,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, f"{name}: {done.stdout}{done.stderr}"
    return done.stdout


def test_the_comparison_reads_two_revisions_from_the_remote(clone: Path) -> None:
    summary = clone / "summary.md"
    # The branch that the pull request goes to has moved on, and that is not this pull request's change.
    command(clone, "git", "checkout", "-q", "-b", "ahead", "first")
    command(clone, "git", "-c", "user.name=A", "-c", "user.email=a@b.c", "commit", "-q", "--allow-empty", "-m", "other")
    command(clone, "git", "checkout", "-q", "second")
    variables = {"GITHUB_STEP_SUMMARY": str(summary), "GITHUB_OUTPUT": str(clone / "output")}
    run_step("Compare", clone, TARGET="ahead", SOURCE="second", FAIL_ON="leak", **variables)
    text = (clone / "data-diff.md").read_text()
    assert "**4 → 5 images**: 2 added, 1 removed, 1 relabelled, 1 moved between splits." in text
    assert summary.read_text() == text
    assert (clone / "output").read_text() == "status=0\n"
    # A test image was moved: refused without the label, and only after the comment is written.
    run_step("Compare", clone, TARGET="ahead", SOURCE="second", FAIL_ON="leak,test-changed", **variables)
    assert (clone / "output").read_text().endswith("status=3\n") and (clone / "data-diff.md").read_text() == text
    page = (clone / "data-diff.html").read_text()
    assert page.count("data:image/png;base64,") == 9 and "no picture<" not in page


def test_the_first_data_has_nothing_to_be_compared_with(clone: Path) -> None:
    summary = clone / "summary.md"
    told = run_step("Compare", clone, TARGET="empty", SOURCE="first", GITHUB_STEP_SUMMARY=str(summary))
    assert "This is the first data here" in told and summary.read_text() == told
    assert not (clone / "data-diff.html").exists()


@pytest.mark.parametrize(("earlier", "expected"), [("", "--method POST"), ("71\n72", "--method PATCH")])
def test_one_comment_is_made_or_brought_up_to_date(tmp_path: Path, earlier: str, expected: str) -> None:
    (tmp_path / "bin").mkdir()
    stub = tmp_path / "bin/gh"
    stub.write_text('#!/bin/sh\necho "$@" >> calls\ncase "$*" in *--jq*) printf "%s" "$EARLIER";; esac\n')
    stub.chmod(0o755)
    (tmp_path / "data-diff.md").write_text("x" * MAX_CHARACTERS)
    names = {"GITHUB_REPOSITORY": "team/photos", "NUMBER": "7", "GH_TOKEN": "t"}
    page = "https://github.com/team/photos/actions/runs/12345678901/artifacts/1234567890"
    run_step("Comment", tmp_path, PAGE=page, EARLIER=earlier, **names)
    asked, made = (tmp_path / "calls").read_text().splitlines()
    assert asked.startswith("api repos/team/photos/issues/7/comments --paginate")
    assert expected in made and ("issues/comments/71 " in made) == bool(earlier)
    comment = (tmp_path / "comment.md").read_text()
    assert comment.startswith("<!-- data diff -->\nxxx") and f"]({page})" in comment and len(comment) <= 65_536


def test_the_workflow_may_do_no_more_than_it_needs() -> None:
    content = workflow()
    # YAML 1.1 reads the key `on` as true.
    types = ["opened", "synchronize", "reopened", "labeled", "unlabeled"]
    assert content[True] == {"pull_request": {"types": types, "paths": ["dvc.lock"]}}, (
        "never pull_request_target, which hands out secrets"
    )
    jobs = content["jobs"]
    assert content["permissions"] == {}
    assert {name: job["permissions"] for name, job in jobs.items()} == {
        "diff": {"contents": "read"},
        "comment": {"pull-requests": "write"},
    }
    assert not any("checkout" in step.get("uses", "") for step in jobs["comment"]["steps"]), "nor any code of others"
    for step in steps().values():
        assert "uses" not in step or re.fullmatch(r"actions/[\w-]+@[0-9a-f]{40}", step["uses"]), "a tag can be moved"
    for step in steps().values():
        assert "${{" not in step.get("run", ""), "what others wrote must not become a command"
        assert "://" not in step.get("run", "")


def test_the_workflow_installs_what_the_diff_imports_with_its_hashes() -> None:
    assert steps()["Install"]["run"].endswith("install --no-deps --require-hashes --requirement requirements-diff.txt")
    asked = (ROOT / "requirements-diff.in").read_text(encoding="utf-8").splitlines()
    packages = [line.replace(".", "-") for line in asked if not line.startswith("#")]
    imported = set()
    for path in Code(ROOT).closure("darkroom/diff/__main__.py"):
        if path.endswith(".py"):
            for node in ast.walk(ast.parse((ROOT / path).read_text(encoding="utf-8"))):
                if isinstance(node, ast.Import):
                    imported |= {alias.name.split(".")[0] for alias in node.names}
                elif isinstance(node, ast.ImportFrom) and node.module:
                    imported.add(node.module.split(".")[0])
    others = imported - set(sys.stdlib_module_names) - {"darkroom"} - OF_DVC
    assert others == {IMPORTED_AS.get(name, name) for name in packages}
