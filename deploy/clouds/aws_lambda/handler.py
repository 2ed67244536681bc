"""What AWS Lambda calls: events of a Function URL or an HTTP API (payload 2.0) become requests of the application.

Settings come from variables `DARKROOM_…`, as for `python -m serving`. The model is opened once for each instance, before its
first event. There is no prediction log, no inbox of corrections and no candidate here, whatever their settings say: an instance
has no disk that stays, and does nothing between two events.
"""

from pathlib import Path

from mangum import Mangum

from serving.app import make_app
from serving.keys import Keys
from serving.limits import Limits
from serving.service import Service
from serving.settings import Settings, read_settings


def make_handler(settings: Settings) -> Mangum:
    """The function for Lambda.

    Args:
        settings: of the service. Those of a process that goes on between requests have no use here: host, port, grace.

    Raises:
        DarkroomError: when the bundle can't be opened.
    """
    service = Service(
        Path(settings.bundle),
        threads=settings.threads,
        batch=settings.batch,
        queue=settings.queue,
        deadline=settings.deadline,
        max_pixels=settings.max_pixels,
        decoding_memory=settings.decoding_memory,
    )
    limits = Limits(body=settings.max_body, images=settings.max_images)
    keys = Keys(settings.api_keys) if settings.api_keys else None
    # Mangum would start and end the application around every event; this one needs neither.
    return Mangum(make_app(service, limits, keys, settings.cors_origins), lifespan="off")


def __getattr__(name: str) -> Mangum:
    """`handle`, made at its first use: importing this module opens no model."""
    if name != "handle":
        raise AttributeError(name)
    found = globals()["handle"] = make_handler(read_settings([]))
    return found
