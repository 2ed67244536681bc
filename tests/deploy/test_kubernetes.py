"""The manifests fit together, and the service: names, ports, labels, probes, settings, and the time that an end takes."""

import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from serving.app import make_app
from serving.service import Service
from serving.settings import Settings, read_settings
from tests.conftest import ROOT
from tests.support.tiny_bundle import make_bundle

FOLDER = ROOT / "deploy/kubernetes"
POD = FOLDER / "components/pod/pod.yaml"
VERSIONS = [f"1.{minor}" for minor in range(30, 38)]
BUILDS = ["base", *sorted(f"overlays/{path.name}" for path in (FOLDER / "overlays").iterdir())]
# Kinds of others, which the schemas of Kubernetes do not have.
OTHERS = {"ServiceMonitor", "InferenceService"}
Manifest = dict[str, Any]


def read(path: Path | str) -> Manifest:
    (found,) = yaml.safe_load_all((FOLDER / path).read_text(encoding="utf-8"))
    return dict(found)


def containers() -> Iterator[tuple[str, Manifest, Manifest]]:
    """The pod and the container of all that runs the service."""
    yield "deployment", (pod := read(POD)["spec"]["template"]["spec"]), pod["containers"][0]
    yield "kserve", (pod := read("overlays/kserve/inferenceservice.yaml")["spec"]["predictor"]), pod["containers"][0]
    yield "knative", (pod := read("overlays/knative/service.yaml")["spec"]["template"]["spec"]), pod["containers"][0]


@pytest.fixture(scope="module")
def paths(tmp_path_factory: pytest.TempPathFactory) -> set[str]:
    """The addresses of the service."""
    service = Service(make_bundle(tmp_path_factory.mktemp("kubernetes") / "bundle"), threads=1, batch=1)
    service.close()
    return {route.path for route in make_app(service).routes if hasattr(route, "path")}


def test_every_probe_asks_an_address_that_the_service_has_at_a_port_that_it_listens_at(paths: set[str]) -> None:
    asked = 0
    for name, _, container in containers():
        (port,) = container["ports"]
        assert port["containerPort"] == Settings().port, name
        for kind, path in (("startupProbe", "/readyz"), ("readinessProbe", "/readyz"), ("livenessProbe", "/healthz")):
            if probe := container.get(kind):
                asked += 1
                assert probe["httpGet"]["path"] == path and path in paths, (name, kind)
                assert probe["httpGet"].get("port", port["containerPort"]) in (port["containerPort"], port["name"])
    assert asked == 8


def test_every_variable_is_a_setting_of_the_service() -> None:
    given = {each["name"]: each["value"] for _, _, container in containers() for each in container["env"]}
    for component in ("model-volume", "model-artifact"):
        (patch,) = read(f"components/{component}/kustomization.yaml")["patches"]
        (entry,) = [each["value"] for each in yaml.safe_load(patch["patch"]) if each["path"].endswith("/env/-")]
        given[entry["name"]] = entry["value"]
    assert set(given) == {"DARKROOM_LOG_FORM", "DARKROOM_BUNDLE", "PROTOCOL"}
    settings = read_settings([], given)
    assert (settings.log_form, str(settings.bundle)) == ("json", "/model")


def test_no_pod_may_do_anything_but_answer() -> None:
    for name, pod, container in containers():
        security = pod.get("securityContext", {}) | container["securityContext"]
        assert security == {
            "runAsNonRoot": True,
            "runAsUser": 10001,
            "runAsGroup": 10001,
            "readOnlyRootFilesystem": True,
            "allowPrivilegeEscalation": False,
            "capabilities": {"drop": ["ALL"]},
            "seccompProfile": {"type": "RuntimeDefault"},
        }, name
        # A Service named darkroom would set DARKROOM_PORT=tcp://… otherwise.
        assert pod["enableServiceLinks"] is False and pod["automountServiceAccountToken"] is False, name
        # Threads come from the limit; without one the service would take all cores of the node.
        assert container["resources"]["limits"]["cpu"] and container["resources"]["limits"]["memory"], name
    policy = read("base/networkpolicy.yaml")["spec"]
    assert policy["egress"] == [] and set(policy["policyTypes"]) == {"Ingress", "Egress"}


def test_an_end_has_the_time_that_the_service_takes_for_it() -> None:
    pod = read(POD)["spec"]["template"]["spec"]
    (container,) = pod["containers"]
    stop = container["lifecycle"]["preStop"]["sleep"]["seconds"]
    assert pod["terminationGracePeriodSeconds"] > stop + Settings().grace + Settings().deadline


def test_services_monitors_and_policies_select_the_pods_of_both_tracks() -> None:
    stable, candidate = read("base/deployment.yaml"), read("overlays/canary/candidate/deployment.yaml")
    labels = [each["spec"]["template"]["metadata"]["labels"] for each in (stable, candidate)]
    assert [each["spec"]["selector"]["matchLabels"] for each in (stable, candidate)] == labels
    service = read("base/service.yaml")
    monitor = read("components/servicemonitor/servicemonitor.yaml")
    selectors = [
        service["spec"]["selector"],
        read("base/pdb.yaml")["spec"]["selector"]["matchLabels"],
        read("base/networkpolicy.yaml")["spec"]["podSelector"]["matchLabels"],
    ]
    assert all(selector.items() <= pod.items() for selector in selectors for pod in labels)
    # But no Deployment takes the pods of the other.
    assert labels[0].keys() == labels[1].keys() and labels[0] != labels[1]
    assert monitor["spec"]["selector"]["matchLabels"].items() <= service["metadata"]["labels"].items()
    ports = {port["name"] for port in service["spec"]["ports"]}
    assert {endpoint["port"] for endpoint in monitor["spec"]["endpoints"]} <= ports
    assert set(monitor["spec"]["podTargetLabels"]) <= labels[0].keys()
    assert read("base/hpa.yaml")["spec"]["scaleTargetRef"]["name"] == stable["metadata"]["name"]
    # The autoscaler sets them; another apply must not set them back.
    assert "replicas" not in stable["spec"]


def test_the_metric_that_scales_is_one_of_the_service(tmp_path: Path) -> None:
    patch = read("overlays/hpa-waiting/kustomization.yaml")["patches"][0]["patch"]
    (metric,) = yaml.safe_load(patch)[0]["value"]
    name = metric["pods"]["metric"]["name"]
    service = Service(make_bundle(tmp_path / "bundle"), threads=1, batch=1)
    service.close()
    assert name in {family.name for family in service.metrics.registry.collect()}
    (rule,) = read("overlays/hpa-waiting/prometheus-adapter.yaml")["rules"]["custom"]
    assert rule["name"]["matches"] == name and rule["seriesQuery"].startswith(name + "{")
    # It must act before images are refused.
    assert int(metric["pods"]["target"]["averageValue"]) < Settings().queue / 4


def test_tritons_deployment_serves_what_deploy_repository_writes() -> None:
    (container,) = read("overlays/gpu/deployment.yaml")["spec"]["template"]["spec"]["containers"]
    mounted = {mount["mountPath"] for mount in container["volumeMounts"]}
    assert container["command"] == ["tritonserver", "--model-repository=/repository/triton"]
    assert "/repository" in mounted


def line_job() -> Manifest:
    """The job of a run of the line, as Prefect makes it of its template."""
    from prefect.utilities.templating import apply_values

    template = json.loads((FOLDER / "overlays/line/job-template.json").read_text(encoding="utf-8"))
    defaults = {
        name: each["default"] for name, each in template["variables"]["properties"].items() if "default" in each
    }
    given = {"name": "retrain", "command": ["prefect", "flow-run", "execute"], "labels": {}, "annotations": {}}
    return dict(apply_values(template["job_configuration"], defaults | given)["job_manifest"])


def test_a_job_of_the_line_and_the_workers_of_dask_fit_together() -> None:
    job = line_job()["spec"]["template"]
    (container,) = job["spec"]["containers"]
    # The worker of Prefect refuses another name.
    assert container["name"] == "prefect-job"
    service, scheduler, workers = (read(f"overlays/line/{name}.yaml") for name in ("service", "scheduler", "workers"))
    (port,) = service["spec"]["ports"]
    address = f"tcp://{service['metadata']['name']}:{port['port']}"
    environment = {each["name"]: each["value"] for each in container["env"]}
    assert environment["DARKROOM_EXECUTOR"] == "dask" and environment["DASK_SCHEDULER_ADDRESS"] == address
    pods = [each["spec"]["template"] for each in (scheduler, workers)]
    assert address in pods[1]["spec"]["containers"][0]["command"]
    assert f"--port={port['port']}" in pods[0]["spec"]["containers"][0]["command"]
    assert service["spec"]["selector"].items() <= pods[0]["metadata"]["labels"].items()
    assert not service["spec"]["selector"].items() <= pods[1]["metadata"]["labels"].items()
    policies = list(yaml.safe_load_all((FOLDER / "overlays/line/networkpolicy.yaml").read_text(encoding="utf-8")))
    allowed = [each["podSelector"]["matchLabels"] for each in policies[0]["spec"]["ingress"][0]["from"]]
    for pod in (*pods, job):
        assert any(labels.items() <= pod["metadata"]["labels"].items() for labels in allowed)
        assert any(
            each["spec"]["podSelector"]["matchLabels"].items() <= pod["metadata"]["labels"].items() for each in policies
        )
        # One clone for all, in one place.
        volumes = {each["name"]: each for each in pod["spec"]["volumes"]}
        assert volumes["clone"]["persistentVolumeClaim"]["claimName"] == "darkroom-clone"
        (first,) = pod["spec"]["containers"]
        assert {each["name"]: each["mountPath"] for each in first["volumeMounts"]}["clone"] == "/darkroom"
        assert {"name": "PYTHONPATH", "value": "/darkroom"} in first["env"]
        assert first["image"] == "darkroom-line"


def build(folder: Path) -> list[Manifest]:
    if not (kubectl := shutil.which("kubectl")):
        pytest.skip("there is no kubectl on this machine")
    ran = subprocess.run([kubectl, "kustomize", str(folder)], capture_output=True, text=True)
    assert ran.returncode == 0, ran.stderr
    return [dict(each) for each in yaml.safe_load_all(ran.stdout)]


@pytest.fixture(scope="module")
def built() -> list[Manifest]:
    """All that kustomize makes of the base and the overlays, and the job of the line."""
    return [line_job(), *(manifest for name in BUILDS for manifest in build(FOLDER / name))]


@pytest.mark.slow
@pytest.mark.parametrize("version", VERSIONS)
def test_kubernetes_knows_every_field(version: str, built: list[Manifest]) -> None:
    kubernetes_validate = pytest.importorskip("kubernetes_validate", reason="kubernetes-validate is not installed")
    for manifest in built:
        if manifest["kind"] not in OTHERS and not manifest["apiVersion"].startswith("serving.knative.dev"):
            kubernetes_validate.validate(manifest, version, strict=True)
    manifest = read("base/service.yaml")
    manifest["spec"]["selectors"] = {}
    with pytest.raises(kubernetes_validate.ValidationError):
        kubernetes_validate.validate(manifest, version, strict=True)


@pytest.mark.slow
def test_the_canary_leaves_the_autoscaler_with_the_stable_track() -> None:
    found = {(each["kind"], each["metadata"]["name"]): each["spec"] for each in build(FOLDER / "overlays/canary")}
    assert found["HorizontalPodAutoscaler", "darkroom"]["scaleTargetRef"]["name"] == "darkroom"
    stable, candidate = found["Deployment", "darkroom"], found["Deployment", "darkroom-candidate"]
    assert candidate["replicas"] == 1
    # Both tracks run alike, but for the image.
    pods = [each["template"]["spec"] for each in (stable, candidate)]
    assert [pod["containers"][0].pop("image") for pod in pods] == ["darkroom", "darkroom-candidate"]
    assert pods[0] == pods[1]


@pytest.mark.slow
@pytest.mark.parametrize(
    "name", ["base", "overlays/canary", "overlays/hpa-waiting", "overlays/knative", "overlays/kserve"]
)
def test_a_kustomization_of_a_user_sets_namespace_and_image(name: str, tmp_path: Path) -> None:
    shutil.copytree(FOLDER, tmp_path / "darkroom")
    mine = {
        "namespace": "classifiers",
        "resources": [f"../darkroom/{name}"],
        "images": [{"name": "darkroom", "newName": "registry.example.org/darkroom", "digest": "sha256:" + "a" * 64}],
    }
    if name == "base":
        mine["components"] = ["../darkroom/components/model-volume", "../darkroom/components/servicemonitor"]
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine/kustomization.yaml").write_text(yaml.safe_dump(mine))
    found = build(tmp_path / "mine")
    assert {each["metadata"]["namespace"] for each in found} == {"classifiers"}
    text = yaml.safe_dump_all(found)
    assert "image: registry.example.org/darkroom@sha256:" in text and "image: darkroom\n" not in text
    if name == "base":
        (pod,) = [each["spec"]["template"]["spec"] for each in found if each["kind"] == "Deployment"]
        assert pod["volumes"][0]["persistentVolumeClaim"] == {"claimName": "darkroom-models", "readOnly": True}
        assert {"name": "DARKROOM_BUNDLE", "value": "/models/current"} in pod["containers"][0]["env"]


@pytest.mark.slow
def test_a_model_may_be_an_artifact_from_1_31_on(tmp_path: Path) -> None:
    kubernetes_validate = pytest.importorskip("kubernetes_validate", reason="kubernetes-validate is not installed")
    text = (ROOT / "docs/deploying.md").read_text(encoding="utf-8")
    (shown,) = re.findall(r"```yaml\n# in your kustomization\n(.*?)```", text, re.DOTALL)
    shutil.copytree(FOLDER, tmp_path / "deploy/kubernetes")
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine/kustomization.yaml").write_text("resources:\n  - ../deploy/kubernetes/base\n" + shown)
    (deployment,) = [each for each in build(tmp_path / "mine") if each["kind"] == "Deployment"]
    for version in VERSIONS[1:]:
        kubernetes_validate.validate(deployment, version, strict=True)
    pod = deployment["spec"]["template"]["spec"]
    assert pod["volumes"][0]["image"]["reference"].startswith("registry.example.org/darkroom-model@sha256:")
    (mount,) = pod["containers"][0]["volumeMounts"]
    assert {"name": "DARKROOM_BUNDLE", "value": mount["mountPath"]} in pod["containers"][0]["env"]


@pytest.mark.slow
def test_the_kustomization_of_the_documentation_is_valid_everywhere(tmp_path: Path) -> None:
    kubernetes_validate = pytest.importorskip("kubernetes_validate", reason="kubernetes-validate is not installed")
    text = (ROOT / "docs/deploying.md").read_text(encoding="utf-8")
    (shown,) = re.findall(r"```yaml\n# classifiers/kustomization.yaml\n(.*?)```", text, re.DOTALL)
    shutil.copytree(FOLDER, tmp_path / "deploy/kubernetes")
    (tmp_path / "classifiers").mkdir()
    (tmp_path / "classifiers/kustomization.yaml").write_text(shown)
    (tmp_path / "classifiers/keys.json").write_text('{"keys": []}')
    found = {each["kind"]: each for each in build(tmp_path / "classifiers")}
    for version in VERSIONS:
        for kind, manifest in found.items():
            if kind not in OTHERS:
                kubernetes_validate.validate(manifest, version, strict=True)
    (container,) = found["Deployment"]["spec"]["template"]["spec"]["containers"]
    (keys,) = found["Secret"]["data"]
    settings = read_settings([], {each["name"]: each["value"] for each in container["env"]})
    assert str(settings.api_keys) == f"{container['volumeMounts'][0]['mountPath']}/{keys}"
    # Where clients need a key, Prometheus does.
    assert found["ServiceMonitor"]["spec"]["endpoints"][0]["authorization"]["credentials"]["key"] == "key"
