"""What Prometheus reads is what happened; names of others can't break its format, and no name makes it long."""

import threading

from prometheus_client.parser import text_string_to_metric_families
from prometheus_client.samples import Sample
from starlette.applications import Starlette
from starlette.testclient import TestClient

from serving import metrics as module
from serving.metrics import REASONS, Distribution, Metrics, routes


def scrape(metrics: Metrics) -> dict[str, list[Sample]]:
    answer = TestClient(Starlette(routes=routes(metrics))).get("/metrics")
    assert answer.status_code == 200
    samples: dict[str, list[Sample]] = {}
    for family in text_string_to_metric_families(answer.text):
        for sample in family.samples:
            samples.setdefault(sample.name, []).append(sample)
    return samples


def values(samples: list[Sample], label: str) -> dict[str, float]:
    return {sample.labels[label]: sample.value for sample in samples}


def test_a_distribution_counts_each_number_once_at_its_edge_and_beyond() -> None:
    found = Distribution((1, 2.5))
    for value in (0.5, 1, 1.5, 2.5, 7):
        found.add(value)
    assert found.buckets() == ([("1.0", 2), ("2.5", 4), ("+Inf", 5)], 12.5)
    found.add(2)
    assert found.buckets() == ([("1.0", 2), ("2.5", 5), ("+Inf", 6)], 14.5)


def test_no_number_is_lost_among_threads() -> None:
    found = Distribution((0.5,))

    def add() -> None:
        for number in range(5_000):
            found.add(number % 2)

    threads = [threading.Thread(target=add) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found.buckets() == ([("0.5", 10_000), ("+Inf", 20_000)], 10_000)


def test_what_happened_is_what_is_read() -> None:
    metrics = Metrics()
    metrics.request("/v1/predict", 200, 0.004)
    metrics.request("/v1/predict", 200, 0.006)
    metrics.request("/v1/predict", 422, 0.001)
    metrics.spent("decode", 0.002)
    metrics.batch(3)
    metrics.watch_waiting(lambda: 17)
    metrics.refused(422)
    metrics.refused(418)
    metrics.answered("cat", 0.97, False)
    metrics.answered("cat", 0.31, True)
    metrics.measured("width", 640)
    metrics.serving("a" * 64, "0123456789ab", "model.onnx")
    metrics.serving("b" * 64, "ba9876543210", "model.int8.onnx")
    metrics.reloaded("loaded")
    metrics.candidate(True)
    metrics.log_rows("dropped", 5)
    metrics.correction("accepted")
    found = scrape(metrics)
    requests = {(s.labels["route"], s.labels["status"]): s.value for s in found["darkroom_requests_total"]}
    assert requests == {("/v1/predict", "200"): 2, ("/v1/predict", "422"): 1}
    assert [s.value for s in found["darkroom_request_seconds_count"]] == [3]
    assert values(found["darkroom_request_seconds_bucket"], "le")["0.005"] == 2
    assert values(found["darkroom_stage_seconds_sum"], "stage")["decode"] == 0.002
    assert found["darkroom_batch_images_sum"][0].value == 3
    assert found["darkroom_images_waiting"][0].value == 17
    # The others are there, too: an alert sees no increase in a series that first appears as 1.
    refusals = values(found["darkroom_refusals_total"], "reason")
    assert set(refusals) == {*REASONS.values(), "other"}
    assert {reason: count for reason, count in refusals.items() if count} == {"unreadable": 1, "other": 1}
    assert values(found["darkroom_answers_total"], "class") == {"cat": 2}
    assert found["darkroom_abstentions_total"][0].value == 1
    assert values(found["darkroom_confidence_bucket"], "le")["0.35"] == 1
    assert values(found["darkroom_image_width_bucket"], "le")["512.0"] == 0
    assert found["darkroom_image_width_sum"][0].value == 640
    (model,) = found["darkroom_model_info"]
    assert model.labels == {"hash": "b" * 64, "data_version": "ba9876543210", "graph": "model.int8.onnx"}
    assert values(found["darkroom_reloads_total"], "result") == {"loaded": 1, "refused": 0}
    assert values(found["darkroom_candidate_answers_total"], "agrees") == {"yes": 1, "no": 0}
    assert values(found["darkroom_log_rows_total"], "result") == {"written": 0, "dropped": 5, "removed": 0}
    assert values(found["darkroom_corrections_total"], "result") == {"accepted": 1, "refused": 0}


def test_a_class_named_to_break_the_format_is_one_class() -> None:
    metrics = Metrics()
    names = ['a"} 1\ndarkroom_answers_total{class="b', "back\\slash", "été", ""]
    for name in names:
        metrics.answered(name, 0.5, False)
    assert values(scrape(metrics)["darkroom_answers_total"], "class") == dict.fromkeys(names, 1)


def test_thousands_of_classes_are_as_many_series_as_fit() -> None:
    metrics = Metrics()
    for index in range(3_000):
        metrics.answered(f"class {index}", 0.5, False)
        metrics.answered("class 1", 0.5, False)
    found = values(scrape(metrics)["darkroom_answers_total"], "class")
    assert len(found) == module.MOST_CLASSES + 1
    assert found["class 1"] == 3_001 and found[""] == 3_000 - module.MOST_CLASSES
    assert sum(found.values()) == 6_000
