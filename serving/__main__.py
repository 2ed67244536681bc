"""Serve a bundle over HTTP.

python -m serving models/export --port 8080
"""

import os

import uvicorn

from darkroom.runtime.stage import user_errors
from serving.app import make_app
from serving.keys import Keys
from serving.limits import Limits
from serving.logs import set_up_logs
from serving.prediction_log import PredictionLog
from serving.service import Service
from serving.settings import read_settings


def main() -> None:
    with user_errors():
        settings = read_settings()
        service = Service(
            settings.bundle,
            threads=settings.threads,
            batch=settings.batch,
            queue=settings.queue,
            deadline=settings.deadline,
            max_pixels=settings.max_pixels,
            max_pixels_at_once=settings.max_pixels_at_once,
        )
        set_up_logs(settings.log_form)
        log = None
        if settings.prediction_log:
            form, most = settings.prediction_log_form, settings.prediction_log_bytes
            log = PredictionLog(settings.prediction_log, form, most, service.metrics)
        service.start_recorder(log, settings.prediction_log_features)
        if settings.corrections:
            service.take_corrections(settings.corrections, settings.corrections_images, settings.corrections_bytes)
        limits = Limits(body=settings.max_body, images=settings.max_images)
        keys = Keys(settings.api_keys) if settings.api_keys else None
        app = make_app(
            service,
            limits,
            keys,
            settings.cors_origins,
            model_name=settings.model_name,
            access_log=settings.access_log,
            environment=os.environ,
        )
    uvicorn.run(app, host=settings.host, port=settings.port, access_log=False, log_level="warning")


if __name__ == "__main__":
    main()
