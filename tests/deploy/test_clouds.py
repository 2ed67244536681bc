"""Each cloud's contract, asked as the files in deploy/clouds say: routes, variables, ports, and the seconds of an end."""

import base64
import json
import os
import re
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import yaml
from starlette.testclient import TestClient

from darkroom.bundle.bundle import load_bundle
from darkroom.predict.answers import predict_pixels
from darkroom.predict.output import prediction_json
from deploy.clouds.aws_lambda.handler import make_handler
from serving.app import make_app
from serving.service import Service
from serving.settings import Settings, read_settings
from tests.conftest import ROOT
from tests.support.pictures import colour, encoded
from tests.support.podman import BASES, HARDENED, Podman
from tests.support.tiny_bundle import make_bundle

CLOUDS = ROOT / "deploy/clouds"
# What Lambda tells a process about its function.
RUNTIME = {
    "AWS_LAMBDA_FUNCTION_NAME": "darkroom",
    "AWS_LAMBDA_FUNCTION_VERSION": "1",
    "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "3538",
    "AWS_LAMBDA_LOG_GROUP_NAME": "darkroom",
    "AWS_LAMBDA_LOG_STREAM_NAME": "darkroom",
}
LAMBDA = "darkroom-test-lambda"
IMAGE = encoded(colour(seed=1), "PNG")


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_bundle(tmp_path_factory.mktemp("clouds") / "bundle")


@pytest.fixture(scope="module")
def expected(bundle: Path) -> dict[str, Any]:
    """The answer for IMAGE."""
    opened = load_bundle(bundle)
    (found,) = predict_pixels(opened, [""], [opened.pixels(IMAGE)])
    return prediction_json(found, None, None)


@pytest.fixture(scope="module")
def service(bundle: Path) -> Iterator[Service]:
    made = Service(bundle, threads=1, batch=1)
    yield made
    made.close()


def client_of(service: Service, environment: dict[str, str] | None = None) -> TestClient:
    return TestClient(make_app(service, environment=environment or {}))


def commands(cloud: str) -> str:
    """The commands of a README, with their lines joined."""
    text = (CLOUDS / cloud / "README.md").read_text(encoding="utf-8")
    return "\n".join(re.findall(r"```\n(.*?)```", text, re.DOTALL)).replace("\\\n", "")


def test_sagemaker_pings_and_invokes(service: Service, expected: dict[str, Any]) -> None:
    client = client_of(service)
    assert client.get("/ping").status_code == 200
    answer = client.post("/invocations", content=IMAGE, headers={"Content-Type": "image/png"})
    assert answer.status_code == 200
    assert answer.json() == expected


def test_sagemaker_kills_no_request_that_the_service_would_answer() -> None:
    environment = json.loads((CLOUDS / "sagemaker/model.json").read_text())["PrimaryContainer"]["Environment"]
    settings = read_settings([], environment)
    assert settings.grace + settings.deadline < 30


def test_sagemakers_files_name_each_other() -> None:
    model, config, endpoint = (
        json.loads((CLOUDS / "sagemaker" / name).read_text())
        for name in ("model.json", "endpoint-config.json", "endpoint.json")
    )
    assert {each["ModelName"] for each in config["ProductionVariants"]} == {model["ModelName"]}
    assert endpoint["EndpointConfigName"] == config["EndpointConfigName"]
    assert f"--endpoint-name {endpoint['EndpointName']}" in commands("sagemaker")


def test_vertex_asks_where_its_upload_says(service: Service, expected: dict[str, Any]) -> None:
    given = dict(re.findall(r"--container-(ports|health-route|predict-route)=(\S+)", commands("vertex")))
    environment = {
        "AIP_HTTP_PORT": given["ports"],
        "AIP_HEALTH_ROUTE": given["health-route"],
        "AIP_PREDICT_ROUTE": given["predict-route"],
    }
    assert read_settings([], environment).port == int(given["ports"])
    client = client_of(service, environment)
    assert client.get(given["health-route"]).status_code == 200
    instance = {"b64": base64.b64encode(IMAGE).decode()}
    answer = client.post(given["predict-route"], json={"instances": [instance], "parameters": {"top_k": 3}})
    (prediction,) = answer.json()["predictions"]
    assert prediction == expected


def test_azure_asks_three_routes_of_the_service(service: Service, expected: dict[str, Any]) -> None:
    deployment = yaml.safe_load((CLOUDS / "azureml/deployment.yml").read_text())
    endpoint = yaml.safe_load((CLOUDS / "azureml/endpoint.yml").read_text())
    assert deployment["endpoint_name"] == endpoint["name"]
    routes = deployment["environment"]["inference_config"]
    settings = read_settings([], deployment["environment_variables"])
    assert {route["port"] for route in routes.values()} == {settings.port}
    client = client_of(service)
    assert client.get(routes["liveness_route"]["path"]).status_code == 200
    assert client.get(routes["readiness_route"]["path"]).status_code == 200
    sent = {"Content-Type": "image/jpeg", "Authorization": "Bearer the-key-of-the-endpoint"}
    answer = client.post(routes["scoring_route"]["path"], content=IMAGE, headers=sent)
    assert answer.json() == expected
    # Azure ML gives up before the service does otherwise.
    assert deployment["request_settings"]["request_timeout_ms"] > 1000 * settings.deadline


def test_cloud_run_sets_the_port_and_probes_the_service(service: Service) -> None:
    (container,) = yaml.safe_load((CLOUDS / "cloudrun/service.yaml").read_text())["spec"]["template"]["spec"][
        "containers"
    ]
    (port,) = container["ports"]
    given = {each["name"]: each["value"] for each in container["env"]}
    assert read_settings([], given | {"PORT": "8081"}).port == 8081
    assert read_settings([], given | {"PORT": str(port["containerPort"])}).port == port["containerPort"]
    client = client_of(service)
    for probe in ("startupProbe", "livenessProbe"):
        assert client.get(container[probe]["httpGet"]["path"]).status_code == 200


def event(method: str, path: str, body: bytes = b"", query: str = "", **headers: str) -> dict[str, Any]:
    """An event of a Function URL or an HTTP API, payload 2.0."""
    return {
        "version": "2.0",
        "routeKey": "$default",
        "rawPath": path,
        "rawQueryString": query,
        "headers": {"host": "example.org", "x-forwarded-proto": "https"} | headers,
        "requestContext": {
            "http": {
                "method": method,
                "path": path,
                "protocol": "HTTP/1.1",
                "sourceIp": "192.0.2.1",
                "userAgent": "test",
            },
            "requestId": "1",
            "stage": "$default",
        },
        "body": base64.b64encode(body).decode(),
        "isBase64Encoded": True,
    }


def body_of(answer: dict[str, Any]) -> bytes:
    content: str = answer["body"]
    return base64.b64decode(content) if answer["isBase64Encoded"] else content.encode()


def test_lambda_answers_an_event_as_the_service_answers_a_request(bundle: Path, expected: dict[str, Any]) -> None:
    # In a thread: Playwright leaves an event loop running in that of the tests, and Mangum needs one of its own.
    with ThreadPoolExecutor(1) as thread:
        thread.submit(ask_lambda, bundle, expected).result()


def ask_lambda(bundle: Path, expected: dict[str, Any]) -> None:
    handle = make_handler(Settings(bundle=bundle, threads=1, batch=1))
    context: Any = SimpleNamespace(aws_request_id="1")
    predict = event("POST", "/v1/predict", IMAGE, **{"content-type": "image/png"})
    for _ in range(2):
        answer = handle(predict, context)
        assert answer["statusCode"] == 200
        assert json.loads(body_of(answer)) == expected
    first = handle(event("POST", "/v1/predict", IMAGE, "top_k=1", **{"content-type": "image/png"}), context)
    assert len(json.loads(body_of(first))["probabilities"]) == 1
    heatmap = handle(event("POST", "/v1/explain", IMAGE, **{"content-type": "image/png"}), context)
    assert body_of(heatmap).startswith(b"\x89PNG")
    damaged = handle(event("POST", "/v1/predict", IMAGE[:40], **{"content-type": "image/png"}), context)
    assert damaged["statusCode"] == 422
    assert damaged["headers"]["content-type"] == "application/problem+json"
    assert handle(event("GET", "/healthz"), context)["statusCode"] == 200


def test_the_locks_of_lambda_and_of_the_tests_agree() -> None:
    """In version and hashes."""
    found = []
    for lock in (CLOUDS / "aws_lambda/requirements.txt", ROOT / "requirements-dev.txt"):
        (block,) = re.findall(r"^mangum==\S+ .*\n(?:    --hash=.*\n)+", lock.read_text(encoding="utf-8"), re.MULTILINE)
        found.append(sorted(re.findall(r"==\S+|--hash=\S+", block)))
    assert found[0] == found[1] and len(found[0]) > 1


class Runtime(ThreadingHTTPServer):
    """What Lambda offers to the process in a container: the next event, and where its answer goes."""

    def __init__(self, sent: dict[str, Any]) -> None:
        super().__init__(("127.0.0.1", 0), Invocations)
        self.events = [json.dumps(sent).encode()]
        self.answers: list[dict[str, Any]] = []
        self.answered = threading.Event()


class Invocations(BaseHTTPRequestHandler):
    server: Runtime
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        if not self.server.events:
            # No more of them: the process waits.
            self.server.answered.wait()
            return
        content = self.server.events.pop()
        self.send_response(200)
        # The runtime crashes where one of these is missing.
        for name, value in (
            ("Aws-Request-Id", "1"),
            ("Deadline-Ms", "9999999999999"),
            ("Invoked-Function-Arn", "arn:aws:lambda:eu-central-1:123456789012:function:darkroom"),
            ("Trace-Id", "Root=1"),
            ("Client-Context", "{}"),
            ("Cognito-Identity", "{}"),
            ("Aws-Tenant-Id", "1"),
            ("Invocation-Id", "1"),
        ):
            self.send_header(f"Lambda-Runtime-{name}", value)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def do_POST(self) -> None:
        self.server.answers.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
        self.send_response(202)
        self.send_header("Content-Length", "0")
        self.end_headers()
        self.server.answered.set()

    def log_message(self, *_: object) -> None:
        pass


@pytest.mark.slow
def test_lambdas_own_runtime_finds_the_handler_of_the_image(bundle: Path, expected: dict[str, Any]) -> None:
    pytest.importorskip("awslambdaric", reason="awslambdaric is not installed")
    (command,) = re.findall(r'CMD \["(.*)"\]', (CLOUDS / "aws_lambda/Containerfile").read_text())
    server = Runtime(event("POST", "/v1/predict", IMAGE, **{"content-type": "image/png"}))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    process = subprocess.Popen(
        [sys.executable, "-m", "awslambdaric", command],
        cwd=ROOT,
        env=RUNTIME
        | {
            "PATH": "/usr/bin:/bin",
            "AWS_LAMBDA_RUNTIME_API": f"127.0.0.1:{server.server_port}",
            "DARKROOM_BUNDLE": str(bundle),
        },
    )
    try:
        assert server.answered.wait(120)
    finally:
        process.kill()
        process.wait()
        server.shutdown()
    (answer,) = server.answers
    assert answer["statusCode"] == 200
    assert json.loads(body_of(answer)) == expected


@pytest.mark.slow
def test_the_image_for_lambda_answers_with_no_rights_and_nothing_to_write_to(
    podman: Podman, image: str, packed_bundle: Path
) -> None:
    secrets = {"pip": "/etc/pip.conf", "certificates": os.environ.get("SSL_CERT_FILE", "")}
    bases = {"BUILD_BASE": BASES[1], "SERVICE": image}
    podman(
        "build", "--format", "docker", "--file", CLOUDS / "aws_lambda/Containerfile", "--tag", LAMBDA,
        *(part for key, value in bases.items() for part in ("--build-arg", f"{key}={value}")),
        *(part for key, value in secrets.items() if value and Path(value).is_file()
          for part in ("--secret", f"id={key},src={value}")),
        ROOT / "deploy",
    )  # fmt: skip
    server = Runtime(event("POST", "/v1/predict", IMAGE, **{"content-type": "image/png"}))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    variables = RUNTIME | {"AWS_LAMBDA_RUNTIME_API": f"127.0.0.1:{server.server_port}"}
    given = [part for key, value in variables.items() for part in ("--env", f"{key}={value}")]
    try:
        # Lambda runs it as a user of its own.
        podman("run", "--detach", "--name", LAMBDA, *HARDENED, "--user", "993:990", *given, LAMBDA)
        assert server.answered.wait(120), podman("logs", LAMBDA)
    finally:
        podman("rm", "--force", "--time", "0", LAMBDA, check=False)
        podman("rmi", "--force", LAMBDA, check=False)
        server.shutdown()
    opened = load_bundle(packed_bundle)
    (found,) = predict_pixels(opened, [""], [opened.pixels(IMAGE)])
    (answer,) = server.answers
    assert json.loads(body_of(answer)) == prediction_json(found, None, None)


@pytest.mark.slow
def test_aws_takes_the_files_of_sagemaker(monkeypatch: pytest.MonkeyPatch) -> None:
    boto3 = pytest.importorskip("boto3", reason="boto3 is not installed")
    moto = pytest.importorskip("moto", reason="moto is not installed")
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "testing")
    read = {path.stem: json.loads(path.read_text()) for path in (CLOUDS / "sagemaker").glob("*.json")}
    with moto.mock_aws():
        client = boto3.client("sagemaker", region_name="eu-central-1")
        client.create_model(**read["model"])
        client.create_endpoint_config(**read["endpoint-config"])
        client.create_endpoint(**read["endpoint"])
        endpoint = client.describe_endpoint(EndpointName="darkroom")
    assert endpoint["EndpointConfigName"] == "darkroom-1"


@pytest.mark.slow
def test_the_template_of_lambda_is_valid() -> None:
    api = pytest.importorskip("cfnlint.api", reason="cfn-lint is not installed")
    assert api.lint_file(CLOUDS / "aws_lambda/template.yaml") == []
