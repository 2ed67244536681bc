"""What the service counts, for Prometheus: requests, time by stage, answers, confidence, and the images that came in."""

import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from typing import Any, Literal

import numpy as np
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, disable_created_metrics
from prometheus_client.core import HistogramMetricFamily, Metric
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4, generate_latest
from prometheus_client.registry import Collector
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

# Upper edges of bins. Seconds: a request of 28 pixels takes one millisecond, one that waits for its deadline thirty seconds.
SECONDS = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)
FRACTIONS = tuple(edge / 20 for edge in range(1, 21))
PROPERTIES = {
    "width": (16, 32, 64, 128, 256, 512, 1024, 2048, 4096, 8192),
    "height": (16, 32, 64, 128, 256, 512, 1024, 2048, 4096, 8192),
    "aspect": (0.25, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0, 1.1, 1.25, 1.4, 1.6, 2.0, 2.5, 4.0),
    "bytes": tuple(4**power for power in range(4, 14)),
    "brightness": FRACTIONS,
    "contrast": tuple(edge / 40 for edge in range(1, 21)),
    "sharpness": tuple(float(4**power) for power in range(-1, 9)),
}
# Classes with a series of their own. Each is some 100 bytes of every scrape, and Prometheus stores each apart.
MOST_CLASSES = 200
# Observations that wait to be sorted into bins. One by one they cost 2 to 4 µs each, thousands at once 0.1 µs.
WAITING = 4_096

Stage = Literal["read", "decode", "wait", "run", "write"]
# Why an image or a request got no answer, by HTTP status.
REASONS = {
    400: "malformed",
    401: "key",
    403: "key",
    404: "not_found",
    405: "method",
    408: "slow_client",
    413: "too_large",
    415: "media_type",
    422: "unreadable",
    429: "rate",
    499: "client_left",
    503: "busy",
    504: "deadline",
    507: "inbox_full",
}


class Distribution:
    """Numbers counted in bins.

    `add` only keeps the number; they are sorted into the bins together, when many wait or Prometheus asks.

    Args:
        edges: upper edges of the bins, ascending; a last bin without an upper edge follows.
    """

    def __init__(self, edges: Iterable[float]) -> None:
        self.edges = np.array([*edges, np.inf])
        self._counts = np.zeros(len(self.edges), np.int64)
        self._sum = 0.0
        self._new = deque[float]()
        self._lock = threading.Lock()

    def add(self, value: float) -> None:
        """Count a number; any thread may call this."""
        self._new.append(value)
        if len(self._new) >= WAITING:
            self._sort()

    def _sort(self) -> None:
        with self._lock:
            # Other threads append meanwhile; what they add is for the next time.
            values = np.array([self._new.popleft() for _ in range(len(self._new))])
            self._counts += np.bincount(np.searchsorted(self.edges, values), minlength=len(self.edges))
            self._sum += float(values.sum())

    def buckets(self) -> tuple[list[tuple[str, float]], float]:
        """As Prometheus has them: for each upper edge how many numbers are at most as large; and the sum of all."""
        self._sort()
        edges = [*(repr(float(edge)) for edge in self.edges[:-1]), "+Inf"]
        return list(zip(edges, np.cumsum(self._counts).tolist(), strict=True)), self._sum


class _Distributions(Collector):
    """Distributions as one metric, told apart by a label."""

    def __init__(self, name: str, help_text: str, label: str, parts: dict[str, Distribution]) -> None:
        self._name, self._help, self._label, self._parts = name, help_text, label, parts

    def collect(self) -> Iterator[Metric]:
        family = HistogramMetricFamily(self._name, self._help, labels=[self._label] if self._label else [])
        for value, part in self._parts.items():
            family.add_metric([value] if self._label else [], *part.buckets())
        yield family


class Metrics:
    """All that the service counts. Every method may be called from any thread, and none takes more than some microseconds."""

    def __init__(self) -> None:
        # The time at which each series began would double their number.
        disable_created_metrics()  # type: ignore[no-untyped-call]
        self.registry = CollectorRegistry()
        self._lock = threading.Lock()
        self._requests = self._counter("requests", "Requests answered", "route", "status")
        self._refused = self._counter(
            "refusals", "Images and requests without an answer", "reason", values=[*REASONS.values(), "other"]
        )
        self._answers = self._counter("answers", "Images answered, by the most probable class", "class")
        self._abstained = self._counter("abstentions", "Images answered below the threshold")
        self._reloads = self._counter(
            "reloads", "Bundles that were opened to replace another", "result", values=("loaded", "refused")
        )
        self._candidate = self._counter(
            "candidate_answers", "Answers of the candidate, beside the model's", "agrees", values=("yes", "no")
        )
        self._log_rows = self._counter(
            "log_rows", "Rows of the prediction log", "result", values=("written", "dropped", "removed")
        )
        self._corrections = self._counter(
            "corrections", "Corrections that came in", "result", values=("accepted", "refused")
        )
        self._batches = Histogram(
            "darkroom_batch_images",
            "Images in a run of the graph",
            buckets=(1, 2, 4, 8, 16, 32, 64),
            registry=self.registry,
        )
        self._request_seconds = self._distributions("request_seconds", "From first byte to last, by route", "route", {})
        self._seconds = {stage: Distribution(SECONDS) for stage in ("read", "decode", "wait", "run", "write")}
        self._distributions("stage_seconds", "Time of an image by stage", "stage", self._seconds)
        self._confidence = Distribution(FRACTIONS)
        self._distributions("confidence", "Probability of the most probable class", "", {"": self._confidence})
        self._properties = {name: Distribution(edges) for name, edges in PROPERTIES.items()}
        for name, part in self._properties.items():
            self._distributions(f"image_{name}", f"{name.capitalize()} of the images that came in", "", {"": part})
        self._waiting = Gauge("darkroom_images_waiting", "Images that wait for the engine", registry=self.registry)
        self._model = Gauge(
            "darkroom_model_info", "The model that answers", ["hash", "data_version", "graph"], registry=self.registry
        )
        self._classes: dict[str, Any] = {}

    def _counter(self, name: str, help_text: str, *labels: str, values: Iterable[str] = ()) -> Counter:
        counter = Counter(f"darkroom_{name}", help_text, labels, registry=self.registry)
        # At 0 from the start: in a series that first appears as 1 Prometheus sees no increase, and no alert fires.
        for value in values:
            counter.labels(value)
        return counter

    def _distributions(
        self, name: str, help_text: str, label: str, parts: dict[str, Distribution]
    ) -> dict[str, Distribution]:
        self.registry.register(_Distributions(f"darkroom_{name}", help_text, label, parts))
        return parts

    def request(self, route: str, status: int, seconds: float) -> None:
        """Count a request.

        Args:
            route: the path as it is registered, such as `/v2/models/{name}/infer`: never what a client sent.
            status: of the response.
            seconds: that it took.
        """
        self._requests.labels(route, str(status)).inc()
        part = self._request_seconds.get(route)
        if part is None:
            with self._lock:
                part = self._request_seconds.setdefault(route, Distribution(SECONDS))
        part.add(seconds)

    def spent(self, stage: Stage, seconds: float) -> None:
        """Count the time that one image, or one batch for `run`, took in a stage."""
        self._seconds[stage].add(seconds)

    def batch(self, images: int) -> None:
        """Count a run of the graph over so many images."""
        self._batches.observe(images)

    def watch_waiting(self, images: Callable[[], int]) -> None:
        """Ask this for the images that wait for the engine, whenever Prometheus asks."""
        self._waiting.set_function(images)

    def refused(self, status: int) -> None:
        """Count an image or a request without an answer, by its HTTP status."""
        self._refused.labels(REASONS.get(status, "other")).inc()

    def answered(self, label: str, confidence: float, abstains: bool) -> None:
        """Count an answer.

        Args:
            label: the most probable class. Those after the first `MOST_CLASSES` are counted together, as the class "".
            confidence: its probability.
            abstains: whether that is below the threshold.
        """
        series = self._classes.get(label)
        if series is None:
            with self._lock:
                series = self._classes[label] = self._answers.labels(label if len(self._classes) < MOST_CLASSES else "")
        series.inc()
        self._confidence.add(confidence)
        if abstains:
            self._abstained.inc()

    def measured(self, name: str, value: float) -> None:
        """Count a property of an image, one of `PROPERTIES`."""
        self._properties[name].add(value)

    def serving(self, model_hash: str, data_version: str, graph: str) -> None:
        """Say which model answers from now on."""
        self._model.clear()
        self._model.labels(model_hash, data_version, graph).set(1)

    def reloaded(self, result: Literal["loaded", "refused"]) -> None:
        """Count a bundle that was opened to replace another."""
        self._reloads.labels(result).inc()

    def candidate(self, agrees: bool) -> None:
        """Count an answer of the candidate, and whether its class is the model's."""
        self._candidate.labels("yes" if agrees else "no").inc()

    def log_rows(self, result: Literal["written", "dropped", "removed"], rows: int) -> None:
        """Count rows of the prediction log: written, dropped because the writer can't keep up, removed with the oldest file."""
        self._log_rows.labels(result).inc(rows)

    def correction(self, result: Literal["accepted", "refused"]) -> None:
        """Count a correction."""
        self._corrections.labels(result).inc()


def routes(metrics: Metrics) -> list[Route]:
    """`GET /metrics`, in Prometheus's text format."""

    def show(_: Request) -> Response:
        return Response(generate_latest(metrics.registry), media_type=CONTENT_TYPE_PLAIN_0_0_4)

    return [Route("/metrics", show, methods=["GET"], name="metrics")]
