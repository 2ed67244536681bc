"""Serve a bundle over HTTP.

python -m serving models/export --port 8080
"""

import os

import uvicorn

from darkroom.runtime.stage import user_errors
from serving.app import make_app
from serving.keys import Keys
from serving.limits import Limits
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
        limits = Limits(body=settings.max_body, images=settings.max_images)
        keys = Keys(settings.api_keys) if settings.api_keys else None
        app = make_app(
            service, limits, keys, settings.cors_origins, access_log=settings.access_log, environment=os.environ
        )
    uvicorn.run(app, host=settings.host, port=settings.port, access_log=False, log_level="warning")


if __name__ == "__main__":
    main()
