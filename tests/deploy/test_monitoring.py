"""Alerts, dashboard and compose file: they name metrics, routes and limits that the service has, and each alert fires."""

import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from serving.app import make_app
from serving.metrics import REASONS, Metrics
from serving.service import Service
from serving.settings import Settings
from tests.conftest import ROOT
from tests.support.tiny_bundle import make_bundle

DEPLOY = ROOT / "deploy"
RULES = yaml.safe_load((DEPLOY / "prometheus/alerts.yml").read_text())["groups"][0]["rules"]
DASHBOARD: dict[str, Any] = json.loads((DEPLOY / "grafana/dashboard.json").read_text())
SUFFIXES = {"counter": ("_total",), "histogram": ("_bucket", "_sum", "_count"), "gauge": ("",)}


def series() -> set[str]:
    """Names of all series that the service has, as Prometheus stores them."""
    families = Metrics().registry.collect()
    return {family.name + suffix for family in families for suffix in SUFFIXES[family.type]}


def expressions() -> list[str]:
    """All expressions of alerts and dashboard."""
    panels = [target["expr"] for panel in DASHBOARD["panels"] for target in panel.get("targets", [])]
    return [rule["expr"] for rule in RULES] + panels + [each["expr"] for each in DASHBOARD["annotations"]["list"]]


def test_every_metric_that_is_named_exists() -> None:
    named = {name for each in expressions() for name in re.findall(r"\bdarkroom_\w+", each)}
    assert len(named) > 15
    assert named <= series()


def test_every_metric_of_the_service_is_on_the_dashboard() -> None:
    shown = " ".join(expressions())
    assert [family.name for family in Metrics().registry.collect() if family.name not in shown] == []


def test_reasons_that_alerts_name_exist() -> None:
    found = {
        reason
        for each in expressions()
        for value in re.findall(r'reason=~?"([^"]*)"', each)
        for reason in value.split("|")
    }
    assert found == {"busy", "deadline", "unreadable", "inbox_full"}
    assert found <= set(REASONS.values())


def test_latency_is_that_of_routes_that_predict(tmp_path: Path) -> None:
    app = make_app(Service(make_bundle(tmp_path / "export")))
    (pattern,) = {value for each in expressions() for value in re.findall(r'route=~"([^"]*)"', each)}
    paths = {str(getattr(route, "path", "")) for route in app.router.routes}
    assert "/v1/predict" in {path for path in paths if re.fullmatch(pattern, path)}
    assert not {path for path in paths if re.fullmatch(pattern, path)} & {
        "/metrics",
        "/healthz",
        "/readyz",
        "/docs",
        "/",
    }


def test_each_alert_says_what_to_do_and_has_a_test() -> None:
    tested = "".join(path.read_text() for path in (DEPLOY / "prometheus").glob("*_test.yml"))
    for rule in RULES:
        assert set(rule["annotations"]) == {"summary", "description"}
        assert f"- alertname: {rule['alert']}\n" in tested, f"no test sees {rule['alert']} fire"


def test_every_panel_has_an_expression_and_a_place_of_its_own() -> None:
    taken: set[tuple[int, int]] = set()
    for panel in DASHBOARD["panels"]:
        place = panel["gridPos"]
        cells = {(place["x"] + x, place["y"] + y) for x in range(place["w"]) for y in range(place["h"])}
        assert not cells & taken, panel["title"]
        assert place["x"] + place["w"] <= 24
        taken |= cells
        assert panel["type"] == "row" or all(target["expr"] for target in panel["targets"])


def test_compose_mounts_what_is_there_and_grafana_finds_its_dashboard() -> None:
    services = yaml.safe_load((DEPLOY / "compose.yaml").read_text())["services"]
    mounts = [
        volume for service in services.values() for volume in service.get("volumes", []) if volume.startswith("./")
    ]
    assert mounts and all((DEPLOY / mount.split(":")[0]).exists() for mount in mounts)
    assert all(port.startswith("127.0.0.1:") for service in services.values() for port in service["ports"])
    targets = yaml.safe_load((DEPLOY / "prometheus/prometheus.yml").read_text())["scrape_configs"][0]["static_configs"]
    assert targets == [{"targets": ["darkroom:8080"]}] and "darkroom" in services
    provider = yaml.safe_load((DEPLOY / "grafana/dashboards/darkroom.yml").read_text())["providers"][0]
    home = services["grafana"]["environment"]["GF_DASHBOARDS_DEFAULT_HOME_DASHBOARD_PATH"]
    assert Path(home).parent == Path(provider["options"]["path"])
    source = yaml.safe_load((DEPLOY / "grafana/datasources/prometheus.yml").read_text())["datasources"][0]
    assert source["uid"] == DASHBOARD["templating"]["list"][0]["current"]["value"]


def test_limits_of_nginx_and_compose_fit_those_of_the_service() -> None:
    nginx = (DEPLOY / "nginx/nginx.conf").read_text()
    service = yaml.safe_load((DEPLOY / "compose.yaml").read_text())["services"]["darkroom"]
    default = {name: field.default for name, field in Settings.model_fields.items()}
    assert f"client_max_body_size {default['max_body'] >> 20}m;" in nginx
    assert f"proxy_read_timeout {default['deadline'] + 10:.0f}s;" in nginx
    assert float(service["stop_grace_period"].rstrip("s")) > default["deadline"] + default["grace"]


@pytest.mark.slow
@pytest.mark.parametrize(
    "command",
    [
        ["check", "config", "prometheus.yml"],
        ["check", "rules", "--lint=all", "alerts.yml"],
        ["test", "rules", "alerts_test.yml", "alerts_week_test.yml"],
    ],
)
def test_promtool_is_content(command: list[str]) -> None:
    found = promtool(command, DEPLOY / "prometheus")
    assert found.returncode == 0, found.stdout + found.stderr


@pytest.mark.slow
def test_prometheus_reads_every_expression_of_the_dashboard(tmp_path: Path) -> None:
    asked = [each.replace("$__rate_interval", "1m").replace("$instance", ".*") for each in expressions()]
    rules = [{"record": f"panel:{number}", "expr": each} for number, each in enumerate(asked)]
    (tmp_path / "rules.yml").write_text(yaml.safe_dump({"groups": [{"name": "panels", "rules": rules}]}))
    found = promtool(["check", "rules", "rules.yml"], tmp_path)
    assert found.returncode == 0, found.stdout + found.stderr


def promtool(command: list[str], folder: Path) -> subprocess.CompletedProcess[str]:
    """Run it, or skip where there is none."""
    if not shutil.which("promtool"):
        pytest.skip("promtool is not installed: apt-get install prometheus")
    return subprocess.run(["promtool", *command], cwd=folder, capture_output=True, text=True)


@pytest.mark.slow
def test_compose_reads_its_file() -> None:
    if not shutil.which("docker-compose"):
        pytest.skip("docker-compose is not installed: apt-get install docker-compose")
    found = subprocess.run(
        ["docker-compose", "--file", DEPLOY / "compose.yaml", "config", "--quiet"], capture_output=True, text=True
    )
    assert (found.returncode, found.stderr) == (0, "")
