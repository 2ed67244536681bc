"""The order of the queue, and what an answer, a skip and an undo leave in the inbox."""

import hashlib
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from darkroom.labelling.__main__ import open_queue
from darkroom.labelling.queue import Queue
from darkroom.labels.inbox import read_inbox
from darkroom.labels.queue_labels import label_weights, new_labels, read_queue_labels
from darkroom.runtime.errors import DarkroomError
from darkroom.runtime.paths import INBOX
from tests.support.label_queue import make_reference_bundle, open_tiny_queue, png, store_samples


def asked(queue: Queue) -> tuple[str, str]:
    found = queue.current()
    assert found
    return found.kind, found.scored.image.sha256


def write_disagreements(root: Path, rows: list[tuple[int, str, str, str]]) -> None:
    path = root / "reports/gate/disagreements.parquet"
    path.parent.mkdir(parents=True, exist_ok=True)
    order, hashes, places, splits = zip(*rows, strict=True)
    columns = {"order": pa.array(order, pa.int32()), "sha256": hashes, "place": places, "split": splits}
    pq.write_table(pa.table(columns), path)


def test_disagreements_then_far_then_border_and_each_fifth_at_random(tmp_path: Path) -> None:
    of_data = png(100)
    (tmp_path / "data/ingest/shards").mkdir(parents=True)
    (tmp_path / "data/ingest/shards/aa.bin").write_bytes(b"xyz" + of_data)
    of_data_hash = hashlib.sha256(of_data).hexdigest()
    dark = store_samples(tmp_path, [png(seed, 0.1) for seed in range(3)], day="2026-11-27")
    usual = store_samples(tmp_path, [png(seed) for seed in range(10, 22)], answered=48)
    write_disagreements(
        tmp_path,
        [
            (2, usual[3], f".darkroom/samples/2026-11-28/{usual[3]}.png", "unlabelled"),
            (1, of_data_hash, f"aa:3:{len(of_data)}", "test"),
        ],
    )
    queue, _ = open_tiny_queue(tmp_path)
    kinds, hashes = [], []
    while queue.current():
        kind, sha256 = asked(queue)
        kinds.append(kind)
        hashes.append(sha256)
        queue.answer("dog")
    assert len(set(hashes)) == 16
    assert [number for number, kind in enumerate(kinds) if kind == "random"] == [0, 5, 10, 15]
    in_order = [(kind, sha256) for kind, sha256 in zip(kinds, hashes, strict=True) if kind != "random"]
    assert in_order[0] == ("disagreement", of_data_hash)
    rest = [sha256 for _, sha256 in in_order[1:]]
    assert (usual[3] in hashes[::5]) or in_order[1] == ("disagreement", usual[3])
    assert [kind for kind, _ in in_order] == sorted(
        [kind for kind, _ in in_order], key=["disagreement", "far", "border", "rest"].index
    )
    assert {sha256 for kind, sha256 in in_order if kind == "far"} == set(dark) & set(rest)
    labels = {each.sha256: each for each in read_queue_labels(tmp_path / INBOX)}
    assert (labels[of_data_hash].pool, labels[of_data_hash].share) == ("", 1.0)
    assert {labels[sha256].share for sha256 in usual} == {0.25} and labels[dark[0]].share == 1.0
    weights = dict(zip(labels, label_weights(list(labels.values())).tolist(), strict=True))
    assert weights[of_data_hash] == 0 and {weights[sha256] for sha256 in usual} == {4.0}
    assert new_labels(tmp_path) == 16


def test_an_answer_is_in_the_inbox_and_undone(tmp_path: Path) -> None:
    store_samples(tmp_path, [png(seed) for seed in range(6)])
    queue, _ = open_tiny_queue(tmp_path)
    _, first = asked(queue)
    queue.answer("été")
    _, second = asked(queue)
    queue.answer(None)
    _, third = asked(queue)
    queue.skip()
    assert (queue.given, queue.left, queue.skipped) == (2, 3, 1)
    assert {Path(path).stem: each.label for path, each in read_inbox(tmp_path / INBOX).items()} == {first: "été"}
    (correction,) = read_inbox(tmp_path / INBOX).values()
    assert (correction.reviewer, correction.reason) == ("Ann", "asked by the label queue: random")
    assert [(each.sha256, each.label) for each in read_queue_labels(tmp_path / INBOX)] == [(first, "été"), (second, "")]
    for expected in (third, second, first):
        queue.undo()
        assert asked(queue)[1] == expected
    assert not queue.can_undo and read_inbox(tmp_path / INBOX) == {}
    assert list((tmp_path / INBOX / "images").rglob("*.png")) == []
    assert read_queue_labels(tmp_path / INBOX) == []


def test_skipped_images_come_again_when_the_others_are_done(tmp_path: Path) -> None:
    store_samples(tmp_path, [png(seed) for seed in range(3)])
    queue, _ = open_tiny_queue(tmp_path)
    _, skipped = asked(queue)
    queue.skip()
    queue.answer("cat")
    queue.answer("cat")
    assert queue.current() is None and queue.left == 0
    queue.ask_skipped()
    assert asked(queue)[1] == skipped


def test_a_queue_that_is_opened_again_goes_on_with_its_pool(tmp_path: Path) -> None:
    store_samples(tmp_path, [png(seed) for seed in range(10)])
    queue, _ = open_tiny_queue(tmp_path)
    for _ in range(3):
        queue.answer("cat")
    again, _ = open_tiny_queue(tmp_path)
    assert asked(again) == asked(queue) and (again.given, again.left) == (3, 7)
    again.answer("dog")
    pools = {each.pool: each.pool_images for each in read_queue_labels(tmp_path / INBOX)}
    assert list(pools.values()) == [10]
    # With new images it is another pool, of those without a label.
    store_samples(tmp_path, [png(50)], day="2026-11-29")
    grown, _ = open_tiny_queue(tmp_path)
    assert (grown.given, grown.left) == (0, 7)
    grown.answer("dog")
    assert read_queue_labels(tmp_path / INBOX)[-1].pool_images == 7


def test_an_image_that_was_corrected_is_not_asked(tmp_path: Path) -> None:
    hashes = store_samples(tmp_path, [png(seed) for seed in range(4)])
    queue, bundle = open_tiny_queue(tmp_path)
    queue.answer("cat")
    label = read_queue_labels(tmp_path / INBOX)[0].sha256
    (tmp_path / INBOX / "labels.csv").unlink()  # as a service leaves it
    again = open_queue(tmp_path, bundle, [], "Ann")
    assert set(again.images) == set(hashes) - {label}


def test_folders_that_are_named_wait_too_and_damaged_files_do_not(tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine/a.png").write_bytes(png(0))
    (tmp_path / "mine/b.png").write_bytes(png(1)[:40])
    bundle = make_reference_bundle(tmp_path / "bundle", ("cat", "dog"))
    queue = open_queue(tmp_path, bundle, [str(tmp_path / "mine")], "Ann")
    assert [each.scored.image.text for each in queue.images.values()] == ["a.png"]
    with pytest.raises(DarkroomError, match="nothing"):
        open_queue(tmp_path, bundle, [str(tmp_path / "nothing")], "Ann")
    with pytest.raises(DarkroomError, match="nothing waits for a label: no candidate is held"):
        open_queue(tmp_path, bundle, [], "Ann")
