"""The settings of the service come from options and variables; every mistake is named at once, where it was made."""

from pathlib import Path

import pytest

from darkroom.runtime.errors import DarkroomError
from serving.settings import Settings, read_settings


def test_an_option_goes_before_its_variable_and_ours_before_those_of_platforms() -> None:
    variables = {"DARKROOM_QUEUE": "500", "DARKROOM_HOST": "0.0.0.0", "AIP_HTTP_PORT": "81", "PORT": "82"}
    found = read_settings(["models/current", "--queue", "300"], variables)
    assert (found.bundle, found.queue, found.host, found.port) == (Path("models/current"), 300, "0.0.0.0", 81)
    assert read_settings([], {"PORT": "82"}).port == 82
    assert read_settings([], {"PORT": "82", "DARKROOM_PORT": "83"}).port == 83
    assert read_settings(["--port=84"], {"PORT": "82", "DARKROOM_PORT": "83"}).port == 84


def test_the_champion_is_served_where_there_is_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert read_settings([], {}).bundle == Path("models/export")
    (tmp_path / "models/serving").mkdir(parents=True)
    # Also where it leads nowhere: the start fails, and no other model answers in its place.
    (tmp_path / "models/serving/current").symlink_to("v1.0.0")
    assert read_settings([], {}).bundle == Path("models/serving/current")
    assert read_settings([], {"DARKROOM_BUNDLE": "models/export"}).bundle == Path("models/export")


def test_an_empty_variable_is_not_set_and_switches_and_lists_are_read() -> None:
    assert read_settings([], {"DARKROOM_QUEUE": "", "PORT": " "}) == Settings()
    found = read_settings(["--access-log", "--cors-origins", "https://a.example, https://b.example"], {})
    assert (found.access_log, found.cors_origins) == (True, ["https://a.example", "https://b.example"])
    assert read_settings([], {"DARKROOM_ACCESS_LOG": "yes"}).access_log


def test_what_kubernetes_sets_for_a_service_named_darkroom_is_no_setting() -> None:
    links = {
        "DARKROOM_PORT": "tcp://10.0.0.1:8080",
        "DARKROOM_SERVICE_HOST": "10.0.0.1",
        "DARKROOM_SERVICE_PORT_HTTP": "8080",
        "DARKROOM_PORT_8080_TCP_ADDR": "10.0.0.1",
    }
    assert read_settings([], links) == Settings()


def test_all_mistakes_are_named_at_once() -> None:
    with pytest.raises(DarkroomError) as caught:
        read_settings(
            ["--queue", "0", "--log-form=xml"], {"PORT": "http", "DARKROOM_PROT": "1", "DARKROOM_DEADLINE": "nan"}
        )
    lines = str(caught.value).splitlines()
    assert lines[0] == "5 mistakes in the settings (`python -m serving --help` lists them):"
    assert sorted(lines[1:]) == [
        "  - --log-form is 'xml', should be 'plain' or 'json'",
        "  - --queue is '0', should be greater than or equal to 1",
        "  - DARKROOM_DEADLINE is 'nan', should be a finite number",
        "  - DARKROOM_PROT is no setting; did you mean DARKROOM_PORT?",
        "  - PORT is 'http', should be a valid integer, unable to parse string as an integer",
    ]


def test_limits_that_contradict_each_other_are_refused() -> None:
    with pytest.raises(DarkroomError) as caught:
        read_settings(["--queue=10"], {})
    assert str(caught.value).startswith("1 mistake in the settings")
    assert "--max-images is 64, more than --queue, 10" in str(caught.value)


@pytest.mark.parametrize("origin", ["https://example.org/", "example.org", "https://Example.org", "https://a.org/page"])
def test_an_origin_that_no_browser_sends_is_refused(origin: str) -> None:
    with pytest.raises(DarkroomError) as caught:
        read_settings(["--cors-origins", f"https://b.org,{origin}"], {})
    remedy = "should be origins as browsers send them, without a path: https://example.org"
    assert f"--cors-origins is {origin!r}, {remedy}" in str(caught.value)
    assert read_settings(["--cors-origins=*,http://[::1]:5173,null"], {}).cors_origins == [
        "*",
        "http://[::1]:5173",
        "null",
    ]
