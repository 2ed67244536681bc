"""The gate as a whole, on models whose mistakes are chosen: which outcome, by which reason, and what is written."""

import hashlib
import json
import shutil
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from playwright.sync_api import Browser

from darkroom.gate import gate
from darkroom.gate.__main__ import main
from darkroom.gate.decision import Decision
from darkroom.labels.inbox import Correction, Inbox
from darkroom.runtime.errors import DarkroomError
from darkroom.runtime.files import file_hash
from tests.support.gated import candidate_root, image, marked, model, write
from tests.support.revisions import Kept


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """900 test images: 9 with mark 0, 9 with mark 1, 90 with mark 2; tests copy it."""
    images = marked({0: 9, 1: 9, 2: 90}, 900)
    return candidate_root(tmp_path_factory.mktemp("base"), [*images, *marked({}, 6, 5000, "train")])


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Tests judge no time."""
    monkeypatch.setattr("darkroom.gate.cost.LEAST_SECONDS", 0.0)
    monkeypatch.setattr("darkroom.gate.cost.MOST_SECONDS", 0.0)


@pytest.fixture
def root(base: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(base, tmp_path / "root"))


def set_setting(root: Path, old: str, new: str) -> None:
    path = root / "params.yaml"
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))


def decide(root: Path, champion: Path | None) -> Decision:
    return gate.run(root, str(champion) if champion else None)


def failed(decision: Decision) -> list[tuple[str, str]]:
    return [(reason.check, reason.otherwise) for reason in decision.reasons if not reason.passed]


def test_a_model_that_predicts_alike_is_promoted(root: Path, tmp_path: Path) -> None:
    decision = decide(root, model(tmp_path / "champion", confidence=9.0))
    assert decision.outcome == "promote" and failed(decision) == []
    assert (
        decision.sentence == f"Promote the candidate: it loses at most 1 point of accuracy beside {tmp_path}/champion."
    )
    assert [reason.check for reason in decision.reasons] == [
        "validation", "parity", "test changes", "accuracy", "anchor", "classes and slices", "calibration", "size", "latency",
    ]  # fmt: skip
    content = json.loads((root / "reports/gate/decision.json").read_text())
    assert content == decision.to_dict() and content["anchor"] == {"version": None, "next": "candidate"}
    assert sorted(path.name for path in (root / "reports/gate").iterdir()) == ["decision.json", "index.html"]


def test_a_worse_model_is_rejected_with_the_numbers(root: Path, tmp_path: Path) -> None:
    shutil.rmtree(root / "models/export")
    model(root / "models/export", [2])
    write_parity(root)
    decision = decide(root, model(tmp_path / "champion"))
    assert decision.outcome == "reject"
    assert failed(decision)[:2] == [("accuracy", "reject"), ("classes and slices", "reject")]
    numbers = decision.reasons[3].numbers
    assert (numbers["lost"], numbers["won"], numbers["images"]) == (90, 0, 900)
    assert numbers["difference"] == pytest.approx(-0.1) and numbers["high"] < 0
    assert "-10.00 points (" in decision.sentence and "It is worse" in decision.sentence


def test_too_little_evidence_is_a_hold_with_a_queue(root: Path, tmp_path: Path) -> None:
    shutil.rmtree(root / "models/export")
    model(root / "models/export", [0])
    write_parity(root)
    decision = decide(root, model(tmp_path / "champion", [1]))
    assert decision.outcome == "hold" and failed(decision) == [("accuracy", "hold")]
    # 18 of 900 images changed sides: 2.8 deviations of the difference.
    assert decision.detectable_difference == pytest.approx(2.8016 * 18**0.5 / 900, rel=1e-4)
    table = pq.read_table(root / "reports/gate/disagreements.parquet")
    assert len(table) == 18 and set(table["split"].to_pylist()) == {"test"}
    assert table["order"].to_pylist() == list(range(18)) and table["anchor_label"].null_count == 18
    for row in table.to_pylist():
        assert (row["champion_label"] == row["label"]) != (row["candidate_label"] == row["label"])
    page = (root / "reports/gate/index.html").read_text()
    assert "Hold the candidate" in page and page.count("<img ") == 18


def test_labels_of_disagreements_end_a_hold(tmp_path: Path) -> None:
    root = candidate_root(tmp_path / "root", marked({0: 2, 1: 3}, 150), [0])
    champion = model(tmp_path / "champion", [1])
    samples, inbox = root / ".darkroom/samples/2026-11-28", root / "data/inbox"
    samples.mkdir(parents=True)
    shown = {}
    for kept in marked({0: 2, 1: 30}, 400, 10_000):
        shown[sha256(kept.data)] = kept.label
        (samples / f"{sha256(kept.data)}.png").write_bytes(kept.data)
    held = decide(root, champion)
    assert held.outcome == "hold"
    assert held.disagreements["unlabelled"] == 400 and held.disagreements["unlabelled_differ"] == 32
    page = " ".join((root / "reports/gate/index.html").read_text().split())
    assert (
        "They differ on 32 of 400 images without a label, and 0 labels came so far. "
        f"Of an equal model some {held.disagreements['labels_needed']:,} would show" in page
    )
    queue = pq.read_table(root / "reports/gate/disagreements.parquet").to_pylist()
    assert [each["split"] for each in queue] == ["unlabelled"] * 32 + ["test"] * 5
    won = [each["sha256"] for each in queue[:32] if each["candidate_label"] == shown[each["sha256"]]]
    first = [each["sha256"] for each in queue[:10]]
    label(inbox, samples, {digest: shown[digest] for digest in first})
    some = decide(root, champion)
    label(inbox, samples, {digest: shown[digest] for digest in first if digest != won[0]})
    skipped = decide(root, champion)
    assert [each["sha256"] for each in pq.read_table(root / "reports/gate/disagreements.parquet").to_pylist()[:32]] == [
        each["sha256"] for each in queue[:32]
    ]
    label(inbox, samples, {each["sha256"]: shown[each["sha256"]] for each in queue[:32]})
    ended = decide(root, champion)
    assert ended.outcome == "promote" and ended.reasons[3].numbers["labels"] == 32
    assert "by 32 labels of images on which the two differ" in ended.reasons[3].words
    # One that was left out counts as if the candidate were wrong.
    without, strength = (each.reasons[3].numbers["labels_strength"] for each in (skipped, some))
    assert without < strength / 1.2


def test_the_first_candidate_has_hard_checks_alone(root: Path) -> None:
    decision = decide(root, None)
    assert decision.outcome == "promote" and decision.champion is None
    assert decision.sentence == "Promote the candidate: it is the first, and nothing speaks against it."
    write(root / "reports/validate/validation.json", {"stops_the_line": True, "expectations": []})
    assert decide(root, None).outcome == "reject"


def test_another_graph_than_export_compared_is_rejected(root: Path, tmp_path: Path) -> None:
    write_parity(root, "0" * 64)
    decision = decide(root, model(tmp_path / "champion"))
    assert decision.outcome == "reject" and failed(decision) == [("parity", "reject")]


def test_a_new_class_is_scored(tmp_path: Path) -> None:
    names = ("ant", "bee", "cow", "dog")
    dogs = [Kept(f"dog/{number}.png", "dog", "test", image(7000 + number, 3)) for number in range(60)]
    root = candidate_root(tmp_path / "root", [*marked({}, 600), *dogs], classes=names)
    decision = decide(root, model(tmp_path / "champion"))
    assert decision.outcome == "promote"
    assert decision.reasons[3].numbers["won"] == 60 and decision.reasons[3].numbers["better"]


def test_a_graph_that_is_too_large_is_rejected(root: Path, tmp_path: Path) -> None:
    set_setting(root, "max_growth: 2.0", "max_growth: 1.0")
    names = ("ant", "bee", "cow")
    decision = decide(root, model(tmp_path / "champion", classes=names[:2], confidence=9.0))
    assert ("size", "reject") in failed(decision)


def test_what_can_not_be_read_is_an_error(root: Path, tmp_path: Path) -> None:
    with pytest.raises(DarkroomError, match="no bundle"):
        shutil.rmtree(root / "models")
        decide(root, model(tmp_path / "champion"))
    assert not (root / "reports/gate").exists()


@pytest.mark.parametrize(("wrong", "status"), [((), 0), ((0,), 3), ((2,), 4)])
def test_the_command_prints_reasons_and_ends_with_a_status(
    root: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    wrong: tuple[int, ...],
    status: int,
) -> None:
    shutil.rmtree(root / "models/export")
    model(root / "models/export", wrong)
    write_parity(root)
    champion = model(tmp_path / "champion", [1] if status == 3 else [], confidence=9.0)
    monkeypatch.chdir(root)
    with pytest.raises(SystemExit) as ended:
        main([str(champion), "workspace"])
    assert ended.value.code == status
    printed = capsys.readouterr().out
    assert printed.startswith({0: "Promote ", 3: "Hold ", 4: "Reject "}[status]) and "accuracy" in printed


def test_an_unknown_name_is_an_error(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(root)
    with pytest.raises(SystemExit) as ended:
        main(["v9.9.9", "workspace"])
    assert ended.value.code == 1


def test_the_page_fits_a_phone_and_asks_for_nothing(root: Path, tmp_path: Path, browser: Browser) -> None:
    shutil.rmtree(root / "models/export")
    model(root / "models/export", [0])
    write_parity(root)
    decide(root, model(tmp_path / "champion", [1]))
    requests: list[str] = []
    page = browser.new_page(viewport={"width": 390, "height": 800}, color_scheme="dark")
    page.on("request", lambda request: requests.append(request.url))
    page.goto((root / "reports/gate/index.html").as_uri())
    assert page.evaluate("document.documentElement.scrollWidth") == 390
    assert page.evaluate("[...document.images].every(image => image.naturalWidth == 8 && image.alt)")
    assert all(url.startswith(("file:", "data:")) for url in requests)
    page.close()


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def label(inbox: Path, samples: Path, labels: dict[str, str]) -> None:
    """Put labels into the inbox, as the label queue does."""
    shutil.rmtree(inbox, ignore_errors=True)
    box = Inbox(inbox)
    for digest, name in labels.items():
        data = (samples / f"{digest}.png").read_bytes()
        box.add(data, digest, "png", Correction(name, "a tester", "looked at it"))


def write_parity(root: Path, sha256: str = "") -> None:
    """A parity report of the bundle that is there, or of another graph."""
    path = root / "reports/export/parity.json"
    content = json.loads(path.read_text())
    content["graphs"]["model.onnx"]["sha256"] = sha256 or file_hash(root / "models/export/model.onnx")
    path.write_text(json.dumps(content))
