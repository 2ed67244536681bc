"""The flow of the monitor: its summary, its event, its message, and the cooldown."""

from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from prefect.blocks.abstract import NotificationBlock
from prefect.blocks.core import Block
from pydantic import Field

from darkroom.labels.queue_labels import TAKEN
from darkroom.runtime.errors import DarkroomError
from flows import monitor as flow
from tests.conftest import ROOT
from tests.support.logged import log_rows, make_watched_bundle, write_part

pytestmark = pytest.mark.xdist_group("prefect")


class Pager(NotificationBlock):
    """Keeps what it is given."""

    given: list[tuple[str, str | None]] = Field(default_factory=list)

    async def notify(self, body: str, subject: str | None = None) -> None:
        self.given.append((body, subject))


@pytest.fixture
def sent(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[SimpleNamespace]:
    """What the flow gives to Prefect, in a root with a bundle, a log and the settings of params.yaml."""
    found = SimpleNamespace(summaries=[], events=[], pager=Pager())
    monkeypatch.chdir(tmp_path)
    settings = (ROOT / "params.yaml").read_text(encoding="utf-8")
    Path("params.yaml").write_text(settings.replace("  notify: ", "  notify: slack-webhook/team "), encoding="utf-8")
    monkeypatch.setattr(flow, "create_markdown_artifact", lambda text, **_: found.summaries.append(text))
    monkeypatch.setattr(flow, "emit_event", lambda name, **given: found.events.append((name, given["payload"])))
    monkeypatch.setattr(flow, "get_run_logger", lambda: SimpleNamespace(info=lambda *_: None))
    monkeypatch.setattr(Block, "load", lambda _: found.pager)
    bundle = make_watched_bundle(Path("bundle"))
    write_part(Path("log/2026-11-27/predictions-a.jsonl"), log_rows(bundle, 200))
    yield found


def run() -> Any:
    return flow.monitor.fn(log="log", bundle="bundle")


def darken() -> None:
    rows = log_rows(Path("bundle"), 100, light=0.6, seed=3, after=1000)
    write_part(Path("log/2026-11-27/predictions-a.jsonl"), rows)


def test_an_alarm_is_an_event_and_a_message_once(sent: SimpleNamespace) -> None:
    state = run()
    assert (state.name, sent.events, sent.pager.given) == ("Completed", [], [])
    assert state.message.startswith("No shift in 200 answers")
    darken()
    state = run()
    assert (state.name, state.is_completed()) == ("Shifted", True)
    assert state.message.startswith("Images are darker since 27 November 2026, 06:")
    [(name, payload)] = sent.events
    assert (name, payload["kind"], payload["words"]) == ("darkroom.monitor.alarm", "quality", "darker")
    [(body, subject)] = sent.pager.given
    assert (body.splitlines()[0], subject) == (state.message, "Darkroom: the images have shifted")
    assert "quality: Look at the camera" in sent.summaries[-1]
    run()
    assert (len(sent.events), len(sent.summaries)) == (1, 3)


def test_a_block_that_is_not_there_is_a_message(sent: SimpleNamespace, monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(name: str) -> None:
        raise ValueError(f"Unable to find block document named {name}")

    monkeypatch.setattr(Block, "load", missing)
    darken()
    state = run()
    assert state.is_failed()
    assert state.message.startswith("monitor.notify is slack-webhook/team, and Prefect has no such block")
    monkeypatch.setattr(Block, "load", lambda _: object())
    with pytest.raises(DarkroomError, match="which sends no messages: take a notification block"):
        flow.send_alarm(SimpleNamespace(to_dict=dict), "json/other")  # type: ignore[arg-type]


def test_enough_labels_ask_for_one_retraining(sent: SimpleNamespace, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[tuple[str, dict[str, Any], str]] = []

    def ask(name: str, *, parameters: dict[str, Any], timeout: int, as_subflow: bool, idempotency_key: str) -> None:
        assert (timeout, as_subflow) == (0, False)
        asked.append((name, parameters, idempotency_key))

    monkeypatch.setattr(flow, "run_deployment", ask)
    monkeypatch.setattr(flow, "new_labels", lambda _: 59)
    run()
    assert asked == []
    monkeypatch.setattr(flow, "new_labels", lambda _: 61)
    run()
    run()
    assert [each[:2] for each in asked] == [("retrain/scheduled", {"reason": "61 new labels"})] * 2
    # The same key makes one run of both; when labels are taken it is another one.
    TAKEN.parent.mkdir(parents=True)
    TAKEN.write_text("{}")
    run()
    assert [key == asked[0][2] for _, _, key in asked] == [True, True, False]
    flow.retrain_with_labels(0)
    assert len(asked) == 3


def test_a_missing_log_fails_the_run_with_its_remedy(sent: SimpleNamespace) -> None:
    state = flow.monitor.fn(log="nowhere", bundle="bundle")
    assert state.is_failed()
    assert str(state.message).startswith("there is no prediction log nowhere")


def test_a_schedule_without_a_log_has_nothing_to_watch(sent: SimpleNamespace) -> None:
    Path("log").rename("elsewhere")
    state = flow.monitor.fn()
    assert state.is_completed()
    assert state.message == "nothing to watch: no service writes a prediction log to log"
