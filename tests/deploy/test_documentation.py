"""What the documentation of deploying refers to is there."""

import re
from pathlib import Path

import pytest

from tests.conftest import ROOT

PAGES = [ROOT / "docs/deploying.md", *sorted((ROOT / "deploy").rglob("*.md"))]


def anchors(page: Path) -> set[str]:
    """The names of a page's sections, as web pages of Markdown have them."""
    titles = re.findall(r"^#+ (.*)$", page.read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", title.lower()).replace(" ", "-") for title in titles}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\(([^):]*)\)", page.read_text(encoding="utf-8")):
        path, _, anchor = target.partition("#")
        found = page.parent / path if path else page
        assert found.exists(), target
        assert not anchor or anchor in anchors(found), target


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_files_of_the_repository_that_commands_name_are_there(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    for name in re.findall(r"(?:file://|[ `])(deploy/[\w./-]+)", text):
        assert (ROOT / name).exists(), name
    # `-m deploy.image` and such.
    for module in re.findall(r"-m ([a-z_.]+)", text):
        assert (ROOT / (module.replace(".", "/") + ".py")).exists() or module == "serving", module
