"""One look says what is out of date, after what always runs has run; only what is starts DVC again."""

import pytest

from darkroom.runtime.errors import DarkroomError
from flows import dvc
from flows.look import Look
from tests.support.repository import Repository

ALWAYS = """\
  watch:
    cmd: "{command}"
    always_changed: true
    outs:
      - looked.txt: {{cache: false, persist: true}}
"""


def add_watch(repository: Repository, command: str) -> None:
    """A first stage that always runs, on which `ingest` depends."""
    path = repository.root / "dvc.yaml"
    text = path.read_text().replace("      - ${ingest.path}\n", "      - ${ingest.path}\n      - looked.txt\n")
    path.write_text(text.replace("stages:\n", "stages:\n" + ALWAYS.format(command=command)))


def test_where_nothing_changed_nothing_is_out_of_date(here: Repository) -> None:
    with Look() as look:
        assert look.out_of_date == set()
        assert not look.show("train", print)


def test_what_always_runs_has_run_before_dvc_is_asked_and_is_shown_without_advice(here: Repository) -> None:
    add_watch(here, "echo looked && echo 1 > looked.txt")
    with Look() as look:
        lines: list[str] = []
        assert look.show("watch", lines.append)
        assert "looked" in lines and "Running stage 'watch':" in lines
        assert not any("git add" in line or "To track" in line or "dvc push" in line for line in lines)
        assert look.out_of_date == {"ingest"}
    for stage in dvc.stages_in_order():
        dvc.bring_up_to_date(stage, lines.append)
    here.set("epochs", 3)
    with Look() as look:
        assert look.out_of_date == {"train"}


def test_a_stage_that_always_runs_and_stops_is_named_with_its_own_words(here: Repository) -> None:
    add_watch(here, "echo 'error: there is no source' && false")
    with Look() as look:
        with pytest.raises(DarkroomError, match=r"^stage watch stopped: there is no source$"):
            look.show("watch", print)
        with pytest.raises(DarkroomError, match="there is no source"):
            print(look.out_of_date)


def test_a_stage_that_did_not_change_is_known_to_have_done_nothing(here: Repository) -> None:
    assert not dvc.bring_up_to_date("train", print)
    here.set("epochs", 3)
    assert dvc.bring_up_to_date("train", print)
