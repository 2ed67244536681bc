"""The page of the monitor in a browser."""

from pathlib import Path

import pytest
from playwright.sync_api import Browser

from darkroom.monitor.watch import watch
from tests.support.logged import log_rows, make_watched_bundle, write_part

RULES = {"runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]}


@pytest.mark.slow
@pytest.mark.parametrize("light", [1.0, 0.6], ids=["quiet", "alarm"])
def test_it_violates_no_rule_of_axe_fits_a_phone_and_asks_no_network(
    browser: Browser, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, light: float
) -> None:
    from axe_playwright_python.sync_playwright import Axe

    monkeypatch.chdir(tmp_path)
    bundle = make_watched_bundle(tmp_path / "bundle")
    rows = [*log_rows(bundle, 300), *log_rows(bundle, 100, light=light, seed=3, after=1000)]
    write_part(Path("log/2026-11-27/predictions-a.jsonl"), rows)
    assert (watch(Path("log"), Path("bundle"), 1e6).kind is not None) == (light < 1)
    for width in (1280, 390):
        for scheme in ("light", "dark"):
            page = browser.new_page(
                viewport={"width": width, "height": 844},
                color_scheme=scheme,
                bypass_csp=True,
            )
            asked: list[str] = []
            page.on("request", lambda request, asked=asked: asked.append(request.url))
            page.goto((tmp_path / "reports/monitor/index.html").as_uri())
            assert Axe().run(page, options=RULES).violations_count == 0
            assert page.evaluate("document.documentElement.scrollWidth") <= width
            assert [address for address in asked if not address.startswith(("file:", "data:"))] == []
            page.close()
