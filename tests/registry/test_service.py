"""A running service follows the link: no request fails, and it answers as the stored answers of each version say."""

import threading
from pathlib import Path

import pytest

from darkroom.registry import rollback
from darkroom.registry.answers import stored_answers
from darkroom.registry.published import answers_file
from darkroom.registry.versions import LINK
from tests.support.registry import make_git, promote_bundle
from tests.support.repository import wait_for
from tests.support.running import Running, ask, running

pytestmark = pytest.mark.slow

DIGITS = 7


def answers_as(service: Running, root: Path, number: str) -> bool:
    """Whether the service answers the stored images of a version as that version did, in all digits that it sends."""
    images, stored = stored_answers(answers_file(root, number))
    connection = service.connect()
    found = []
    for image in images:
        status, content = ask(connection, image)
        assert status == 200
        found.append(list(content["probabilities"].values()))
    return found == [[round(float(value), DIGITS) for value in row] for row in stored]


def test_a_running_service_answers_with_each_champion_and_no_request_fails(tmp_path: Path) -> None:
    make_git(tmp_path)
    promote_bundle(tmp_path, 1)
    image = stored_answers(answers_file(tmp_path, "v1.0.0"))[0][0]
    statuses: list[int] = []
    ended = threading.Event()

    def client(service: Running) -> None:
        connection = service.connect()
        while not ended.is_set():
            statuses.append(ask(connection, image)[0])

    with running(tmp_path / LINK) as service:
        thread = threading.Thread(target=client, args=(service,))
        thread.start()
        try:
            assert answers_as(service, tmp_path, "v1.0.0")
            promote_bundle(tmp_path, 2)
            wait_for(lambda: answers_as(service, tmp_path, "v1.1.0"))
            rollback(tmp_path)
            wait_for(lambda: answers_as(service, tmp_path, "v1.0.0"))
            rollback(tmp_path, "v1.1.0")
            wait_for(lambda: answers_as(service, tmp_path, "v1.1.0"))
        finally:
            ended.set()
            thread.join()
    assert len(statuses) > 100 and set(statuses) == {200}
