"""What becomes of candidates and of the champion, as Prefect events: `darkroom.model.promoted` and the like."""

import json
import urllib.request
import uuid
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Literal

from darkroom.registry.tags import NAME
from darkroom.runtime.environment import variable

Kind = Literal["candidate", "held", "rejected", "promoted", "rolled-back"]
RESOURCE = {"prefect.resource.id": f"darkroom.model.{NAME}", "prefect.resource.name": NAME}


def send(kind: Kind, payload: Mapping[str, Any]) -> None:
    """Send an event from a flow run; Prefect adds the run and its deployment."""
    from prefect.events import emit_event

    emit_event(f"darkroom.model.{kind}", resource=RESOURCE, payload=dict(payload))


def send_to(api: str, kind: Kind, payload: Mapping[str, Any]) -> None:
    """The same from a command, without importing Prefect, which takes seconds.

    Args:
        api: address of the server.
        kind: of the event.
        payload: what else is known.

    Raises:
        OSError: when the server does not take it.
    """
    event = {
        "id": str(uuid.uuid4()),
        "event": f"darkroom.model.{kind}",
        "resource": RESOURCE,
        "occurred": datetime.now(UTC).isoformat(),
        "payload": dict(payload),
    }
    headers = {"Content-Type": "application/json"}
    if key := variable("PREFECT_API_KEY"):
        headers["Authorization"] = f"Bearer {key}"
    request = urllib.request.Request(f"{api}/events", json.dumps([event]).encode(), headers)
    with urllib.request.urlopen(request, timeout=2):
        pass
