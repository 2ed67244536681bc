"""The service under load, as a process: many clients, too many, models that change, and the end."""

import signal
import threading
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from darkroom.bundle.bundle import Bundle, load_bundle
from darkroom.runtime.files import file_hash
from tests.support.pictures import colour, encoded
from tests.support.running import Running, ask, running
from tests.support.tiny_bundle import make_bundle

pytestmark = pytest.mark.slow


def alone(bundle: Bundle, image: bytes) -> dict[str, float]:
    """The probabilities of an image that is predicted without any other."""
    (found,) = bundle.predict(bundle.pixels(image)[None])
    return dict(zip(bundle.classes.names, found.tolist(), strict=True))


def clients(count: int, work: Callable[[], None]) -> None:
    """The same work in so many threads; raises what one of them raises."""
    with ThreadPoolExecutor(count) as pool:
        for done in [pool.submit(work) for _ in range(count)]:
            done.result()


def test_32_clients_get_for_2000_images_what_each_would_alone_and_422_for_the_damaged(tmp_path: Path) -> None:
    bundle = load_bundle(make_bundle(tmp_path / "bundle"))
    forms = ("PNG", "JPEG", "WEBP", "BMP")
    images = [encoded(colour(20 + n % 40, 30, seed=n), forms[n % 4]) for n in range(2000)]
    images = [data[: len(data) // 2] if n % 10 == 3 else data for n, data in enumerate(images)]
    left, found = list(range(2000)), dict[int, tuple[int, dict[str, object]]]()
    with running(tmp_path / "bundle") as service:

        def work() -> None:
            connection = service.connect()
            while left:
                number = left.pop()
                found[number] = ask(connection, images[number])

        clients(32, work)
    assert len(found) == 2000
    assert {n for n, (status, _) in found.items() if status != 200} == set(range(3, 2000, 10))
    assert {status for status, _ in found.values()} == {200, 422}
    for number, (status, content) in found.items():
        if status == 200:
            expected = alone(bundle, images[number])
            assert content["label"] == max(expected, key=expected.__getitem__)
            assert content["probabilities"] == pytest.approx(expected, abs=1e-6)


def test_200_connections_get_200_or_503_and_the_service_stays_alive_and_small(tmp_path: Path) -> None:
    make_bundle(tmp_path / "bundle", size=224, channels=3)
    image = encoded(colour(640, 480), "JPEG")
    statuses, alive = Counter[int](), Counter[int]()
    with running(tmp_path / "bundle", "--queue=64") as service:
        ask(service.connect(), image)
        idle, end = service.memory(), time.monotonic() + 8

        def work() -> None:
            connection = service.connect()
            while time.monotonic() < end:
                connection.request("POST", "/v1/predict", image, {"Content-Type": "image/jpeg"})
                response = connection.getresponse()
                response.read()
                statuses[response.status] += 1
                assert response.status != 503 or int(response.headers["Retry-After"]) >= 1

        def watch() -> None:
            while time.monotonic() < end:
                alive[service.get("/healthz")] += 1
                time.sleep(0.05)

        watcher = threading.Thread(target=watch)
        watcher.start()
        clients(200, work)
        watcher.join()
        assert set(statuses) == {200, 503}
        assert set(alive) == {200}
        assert service.memory() - idle < 300 << 20
        assert ask(service.connect(), image)[0] == 200


def test_20_changes_of_the_model_under_load_fail_no_request_and_mix_no_answer(tmp_path: Path) -> None:
    folders = [
        make_bundle(tmp_path / "a", ("cat", "dog", "owl")),
        make_bundle(tmp_path / "b", ("owl", "cat"), seed=1, size=10, channels=3),
    ]
    image = encoded(colour(), "PNG")
    expected = [alone(load_bundle(folder), image) for folder in folders]
    link, models = tmp_path / "current", set[str]()
    link.symlink_to("a")
    ended = threading.Event()
    with running(link) as service:

        def work() -> None:
            connection = service.connect()
            while not ended.is_set():
                status, content = ask(connection, image)
                assert status == 200
                assert content["probabilities"] in [pytest.approx(each, abs=1e-6) for each in expected]
                models.add(content["label"])

        def change() -> None:
            connection = service.connect()
            for number in range(1, 21):
                (tmp_path / "next").symlink_to("ab"[number % 2])
                (tmp_path / "next").replace(link)
                while len(ask(connection, image)[1]["probabilities"]) != (3, 2)[number % 2]:
                    time.sleep(0.05)
            ended.set()

        changer = threading.Thread(target=change)
        changer.start()
        try:
            clients(8, work)
        finally:
            ended.set()
            changer.join()
    assert models == {max(each, key=each.__getitem__) for each in expected}


def balanced_clients(service: Running, image: bytes, after: Callable[[], None]) -> Counter[int]:
    """What 16 clients get that ask until the service is no longer ready, as those of a balancer do.

    Args:
        service: to ask.
        image: that they send, half of them over one connection and half over a new one each time.
        after: what happens when all have an answer.
    """
    statuses, ready, begun = Counter[int](), threading.Event(), threading.Barrier(17)
    ready.set()

    def work(new_connections: bool) -> None:
        connection = service.connect()
        statuses[ask(connection, image)[0]] += 1
        begun.wait()
        while ready.is_set():
            if new_connections:
                connection.close()
            statuses[ask(connection, image)[0]] += 1

    def watch() -> None:
        begun.wait()
        after()
        while service.get("/readyz") == 200:
            time.sleep(0.02)
        ready.clear()

    with ThreadPoolExecutor(17) as pool:
        for done in [pool.submit(watch), *(pool.submit(work, number % 2 == 0) for number in range(16))]:
            done.result()
    return statuses


def test_sigterm_under_load_fails_no_request_and_exits_with_0(tmp_path: Path) -> None:
    make_bundle(tmp_path / "bundle")
    with running(tmp_path / "bundle", "--grace=3") as service:

        def end() -> None:
            time.sleep(1)
            service.process.send_signal(signal.SIGTERM)

        statuses = balanced_clients(service, encoded(colour(), "PNG"), end)
        assert set(statuses) == {200} and statuses[200] > 100
        assert service.process.wait(20) == 0


def test_a_link_that_moves_is_followed_within_two_seconds_and_no_request_fails(tmp_path: Path) -> None:
    folders = [make_bundle(tmp_path / "v1.0.0"), make_bundle(tmp_path / "v1.1.0", seed=1)]
    hashes = [file_hash(folder / "bundle.json") for folder in folders]
    link, following = tmp_path / "current", tmp_path / ".current"
    link.symlink_to("v1.0.0")
    image, answered, statuses = encoded(colour(), "PNG"), list[tuple[float, str]](), Counter[int]()
    moves = list[float]()
    with running(link) as service:
        assert f"{link} -> v1.0.0 (model.onnx" in service.hello
        end = time.monotonic() + 12

        def work() -> None:
            connection = service.connect()
            while time.monotonic() < end:
                connection.request("POST", "/v1/predict", image, {"Content-Type": "image/png"})
                response = connection.getresponse()
                statuses[response.status] += 1
                answered.append((time.monotonic(), response.headers["X-Model-Hash"]))
                response.read()
                time.sleep(0.02)

        def move() -> None:
            for number in (1, 0, 1):
                time.sleep(3)
                following.symlink_to(folders[number].name)
                following.rename(link)
                moves.append(time.monotonic())

        with ThreadPoolExecutor(5) as pool:
            for done in [pool.submit(move), *(pool.submit(work) for _ in range(4))]:
                done.result()
    assert set(statuses) == {200}
    for begun, expected in zip(moves, (hashes[1], hashes[0], hashes[1]), strict=True):
        assert {found for at, found in answered if begun + 2 < at < begun + 3} == {expected}


def test_requests_in_work_are_answered_after_ctrl_c_and_a_second_signal_ends_at_once(tmp_path: Path) -> None:
    make_bundle(tmp_path / "bundle", size=1024, channels=3)
    image = encoded(colour(60, 60), "PNG")
    with running(tmp_path / "bundle", "--threads=1", "--batch=1") as service:
        asking = [service.connect() for _ in range(20)]
        for connection in asking:
            connection.request("POST", "/v1/predict", image, {"Content-Type": "image/png"})
        first = asking[0].getresponse()
        assert service.get("/healthz") == 200
        service.process.send_signal(signal.SIGINT)
        assert [first.status, *(connection.getresponse().status for connection in asking[1:])] == 20 * [200]
        assert service.process.wait(20) == 0
    with running(tmp_path / "bundle", "--grace=600") as service:
        # A signal before the first request may come while it starts, and ends it at once.
        assert service.get("/readyz") == 200
        service.process.send_signal(signal.SIGTERM)
        while service.get("/readyz") == 200:
            time.sleep(0.02)
        service.process.send_signal(signal.SIGTERM)
        assert service.process.wait(20) == 1


def test_a_client_that_left_is_not_predicted(tmp_path: Path) -> None:
    make_bundle(tmp_path / "bundle", size=224, channels=3)
    image = encoded(colour(3000, 2000), "PNG")
    with running(tmp_path / "bundle", "--threads=1") as service:
        leaving = [service.connect() for _ in range(20)]
        for connection in leaving:
            connection.request("POST", "/v1/predict", image, {"Content-Type": "image/png"})
        for connection in leaving:
            connection.close()
        assert ask(service.connect(), image)[0] == 200
        connection = service.connect()
        connection.request("GET", "/metrics")
        text = connection.getresponse().read().decode()
    (answered,) = [
        float(line.split()[-1]) for line in text.splitlines() if line.startswith("darkroom_confidence_count")
    ]
    assert answered < 21
