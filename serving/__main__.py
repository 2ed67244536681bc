"""Serve a bundle over HTTP.

python -m serving models/export --port 8080
"""

import gc
import os
import signal
import sys
from pathlib import Path

import uvicorn

from darkroom.monitoring.log_writer import PredictionLog
from darkroom.monitoring.shipped_log import ShippedLog
from darkroom.runtime.stage import user_errors
from darkroom.runtime.text import count
from serving.app import make_app
from serving.connections import BoundedHttp
from serving.decoding_memory import give_back_large_blocks
from serving.keys import Keys
from serving.limits import Limits
from serving.logs import set_up_logs
from serving.remote_bundle import RemoteBundle
from serving.sagemaker import container_arguments
from serving.samples import Samples
from serving.server import KEEP_ALIVE, Server, closing, listen
from serving.service import Service
from serving.settings import Settings, read_settings
from serving.tracing import open_traces


def main() -> None:
    # Until the server has its own handlers. The first process of a container would ignore SIGTERM, and serve on.
    signal.signal(signal.SIGTERM, lambda *_: os._exit(0))
    signal.signal(signal.SIGINT, lambda *_: os._exit(130))
    with user_errors():
        settings = read_settings(container_arguments(sys.argv[1:], os.environ))
        set_up_logs(settings.log_form)
        give_back_large_blocks()
        sockets = listen(settings.host, settings.port)
        remote = RemoteBundle(settings.bundle) if isinstance(settings.bundle, str) else None
        service = Service(
            remote.link if remote else Path(settings.bundle),
            threads=settings.threads,
            batch=settings.batch,
            queue=settings.queue,
            deadline=settings.deadline,
            max_pixels=settings.max_pixels,
            decoding_memory=settings.decoding_memory,
        )
        log, shipped = _open_log(settings, service)
        if settings.candidate:
            service.start_candidate(settings.candidate, settings.candidate_fraction, settings.candidate_pairs)
        service.start_recorder(log, settings.prediction_log_features)
        if settings.corrections:
            service.take_corrections(settings.corrections, settings.corrections_images, settings.corrections_bytes)
        if settings.samples:
            service.samples = Samples(settings.samples, settings.samples_per_day, settings.samples_days)
        limits = Limits(body=settings.max_body, images=settings.max_images)
        keys = Keys(settings.api_keys) if settings.api_keys else None
        traces = open_traces(os.environ)
        app = make_app(
            service,
            limits,
            keys,
            settings.cors_origins,
            model_name=settings.model_name,
            access_log=settings.access_log,
            environment=os.environ,
            traces=traces,
        )
        config = uvicorn.Config(
            closing(app, service),
            http=BoundedHttp,
            # A connection that becomes another protocol's would have none of the limits of this one.
            ws="none",
            log_config=None,
            access_log=False,
            server_header=False,
            timeout_keep_alive=KEEP_ALIVE,
            timeout_graceful_shutdown=round(settings.deadline),
        )
        service.watch()
        # What is there now stays to the end: the collector need not look through it again and again, while nobody is answered.
        gc.collect()
        gc.freeze()
        print(_hello(settings, service, sockets[0].getsockname()[1]), flush=True)
        Server(config, service, settings.grace).run(sockets)
        service.close()
        if shipped:
            shipped.close()
        if remote:
            remote.close()
        if traces:
            traces.shutdown()


def _open_log(settings: Settings, service: Service) -> tuple[PredictionLog | None, ShippedLog | None]:
    """The prediction log, and what sends it where it is in an object store."""
    place, most, count_rows = settings.prediction_log, settings.prediction_log_bytes, service.metrics.log_rows
    if isinstance(place, str):
        shipped = ShippedLog(place, most, count_rows)
        return shipped.log, shipped
    return PredictionLog(place, most, count_rows) if place else None, None


def _hello(settings: Settings, service: Service, port: int) -> str:
    # From outside, 0.0.0.0 is no address; a browser of this machine finds it by the name that every machine has.
    host = "localhost" if settings.host in ("127.0.0.1", "0.0.0.0", "::", "::1") else settings.host
    address = f"http://{f'[{host}]' if ':' in host else host}:{port}"
    bundle = service.model.bundle
    classes = count(len(bundle.classes), "class", "classes")
    linked = isinstance(settings.bundle, str) or settings.bundle.is_symlink()
    behind = f" -> {bundle.folder.name}" if linked else ""
    return (
        f"{settings.bundle}{behind} ({bundle.graph}, {classes}) answers at {address}\n"
        f"In a browser: {address}/\n"
        f"In a shell:   curl -F image=@photo.jpg {address}/v1/predict\n"
        "Ctrl-C ends it."
    )


if __name__ == "__main__":
    main()
