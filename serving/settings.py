"""The settings of the service: options of its command, or variables `DARKROOM_…`; read once, all mistakes at once."""

import argparse
import difflib
import os
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, ValidationError
from pydantic_core import ErrorDetails, PydanticUndefined

from darkroom.monitoring.rows import MOST_BYTES
from darkroom.runtime.errors import DarkroomError
from darkroom.runtime.object_store import is_url
from darkroom.runtime.paths import BUNDLE, CHAMPION

PREFIX = "DARKROOM_"
# The ports that Vertex AI and Cloud Run ask for; our own variable goes before them.
PORTS = ("AIP_HTTP_PORT", "PORT")
# Kubernetes gives each pod variables for each Service beside it, so that one named darkroom sets DARKROOM_PORT=tcp://10.0.0.1:80.
SERVICE_LINK = re.compile(r"DARKROOM_(SERVICE_(HOST|PORT.*)|PORT_\d+_.*)")
LINK = "tcp://"
ORIGIN = re.compile(r"null|[a-z][a-z0-9+.-]*://[a-z0-9._~\[\]:-]+")
# What other parts of Darkroom read, or pass to their own processes.
OTHERS = {
    "DARKROOM_STARTED_UNDER",
    "DARKROOM_WORKER_ERRORS",
    "DARKROOM_LAUNCHER",
    "DARKROOM_EXECUTOR",
    "DARKROOM_WORKERS",
}


def _split(value: object) -> object:
    return [each.strip() for each in value.split(",") if each.strip()] if isinstance(value, str) else value


def _origin(text: str) -> str:
    # Browsers send it in exactly this form; another would never be the same.
    if text != "*" and not ORIGIN.fullmatch(text):
        raise ValueError("should be origins as browsers send them, without a path: https://example.org")
    return text


def _place(value: object) -> object:
    return Path(value) if isinstance(value, str) and not is_url(value) else value


def _default_bundle() -> Path:
    # Also a link that leads nowhere: another model than the one that was promoted is no answer to that.
    return CHAMPION if CHAMPION.is_symlink() else BUNDLE


Count = Annotated[int, Field(ge=1)]
# A folder, or the URL of one in an object store.
Place = Annotated[Path | str, BeforeValidator(_place)]
Seconds = Annotated[float, Field(gt=0, le=3600)]


class Settings(BaseModel):
    """What the service is told at its start; each is `--name` with dashes, and `DARKROOM_NAME`."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False, use_attribute_docstrings=True)

    bundle: Place = Field(default_factory=_default_bundle)
    """bundle, link to one, or s3://bucket/bundles/current; default models/serving/current, the champion, else models/export"""
    host: Annotated[str, Field(min_length=1)] = "127.0.0.1"
    """address to listen at; 0.0.0.0 for all of this machine's"""
    port: Annotated[int, Field(ge=0, le=65535)] = 8080
    """port to listen at; PORT and AIP_HTTP_PORT set it as well; 0 takes a free one"""

    threads: Annotated[int, Field(ge=0, le=1024)] = 0
    """images that are predicted at the same time, a thread each; 0: the cores of this process, or one for a quick graph"""
    batch: Annotated[int, Field(ge=0, le=256)] = 0
    """images that the graph gets at once, at most; 0 measures at the start what is fastest"""
    queue: Count = 256
    """images that may wait; more are refused with 503"""
    deadline: Seconds = 30.0
    """seconds after which an image without an answer is refused with 504"""
    grace: Annotated[float, Field(ge=0, le=3600)] = 5.0
    """seconds for which it goes on answering after SIGTERM, until balancers know"""

    model_name: Annotated[str, Field(pattern=r"^[A-Za-z0-9._-]{1,63}$")] = "darkroom"
    """name that the Open Inference Protocol has for the model: /v2/models/NAME"""

    max_body: Count = 32 << 20
    """bytes of a request, at most"""
    max_images: Count = 64
    """images of a request, at most"""
    max_pixels: Count = 50_000_000
    """pixels of an image, at most"""
    decoding_memory: Count = 450_000_000
    """bytes of memory for all images that are being decoded at the same time, by their heads; the others wait"""

    api_keys: Path | None = None
    """file with the hashes of API keys; without it nobody is asked for one"""
    cors_origins: Annotated[list[Annotated[str, AfterValidator(_origin)]], BeforeValidator(_split)] = []
    """pages of other hosts that may ask, with commas between them: https://example.org"""

    prediction_log: Place | None = None
    """folder or URL for the log of predictions; without it none is written"""
    prediction_log_bytes: Count = MOST_BYTES
    """bytes of that log, at most; the oldest parts make room, but for those of another service that runs"""
    prediction_log_features: bool = False
    """write the features of each image into that log, too"""

    samples: Path | None = None
    """folder for a sample of the images, which the label queue asks about; without it none is kept"""
    samples_per_day: Count = 100
    """images of a day that are kept there, at most"""
    samples_days: Annotated[int, Field(ge=1, le=3650)] = 30
    """days after which they are removed"""

    corrections: Path | None = None
    """folder for corrections that people send; without it none are taken"""
    corrections_images: Count = 10_000
    """images in that folder, at most"""
    corrections_bytes: Count = 1 << 30
    """bytes in that folder, at most"""

    candidate: Path | None = None
    """another bundle, which predicts a sample of the images after their answers have left"""
    candidate_fraction: Annotated[float, Field(gt=0, le=1)] = 0.1
    """fraction of the images that the candidate gets"""
    candidate_pairs: Path = Path("reports/candidate")
    """folder for the table of both predictions"""

    log_form: Literal["plain", "json"] = "plain"
    """form of the log lines on standard error"""
    access_log: bool = False
    """log each request"""


def read_settings(arguments: Sequence[str] | None = None, environment: Mapping[str, str] = os.environ) -> Settings:
    """The settings of a command line and its environment; an option goes before its variable.

    Args:
        arguments: of the command line; None takes those of this process.
        environment: its variables; an empty one counts as not set.

    Raises:
        DarkroomError: with every mistake, each named by where it was made.
    """
    given = {name: value for name, value in vars(_parser().parse_args(arguments)).items() if value is not None}
    options = dict.fromkeys(given, "")
    mistakes = []
    for name in Settings.model_fields:
        for key in (PREFIX + name.upper(), *(PORTS if name == "port" else ())):
            value = environment.get(key, "").strip()
            if name not in given and value and not value.startswith(LINK):
                given[name], options[name] = value, key
    for key in sorted(environment):
        name = key.removeprefix(PREFIX).lower()
        ours = name in Settings.model_fields or key in OTHERS or SERVICE_LINK.fullmatch(key)
        if key.startswith(PREFIX) and not ours:
            mistakes.append(_unknown(key))
    try:
        settings = Settings.model_validate(given)
    except ValidationError as error:
        raise _error([_explain(each, options) for each in error.errors()] + mistakes) from None
    if mistakes := [*_contradictions(settings), *mistakes]:
        raise _error(mistakes)
    return settings


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m serving",
        description="Serve a bundle over HTTP.",
        epilog=f"Each option may be given as a variable, too: {PREFIX}PORT=8080.",
    )
    for name, field in Settings.model_fields.items():
        words = (field.description or "").replace("%", "%%")
        default = "" if field.default in (None, [], PydanticUndefined) else f"; default {field.default}"
        more: dict[str, Any] = {"help": words + default}
        if name == "bundle":
            parser.add_argument(name, nargs="?", **more)
            continue
        if field.annotation is bool:
            more |= {"nargs": "?", "const": "true"}
        parser.add_argument(_option(name), metavar="VALUE", **more)
    return parser


def _option(name: str) -> str:
    return name if name == "bundle" else "--" + name.replace("_", "-")


def _explain(detail: ErrorDetails, options: dict[str, str]) -> str:
    name = str(detail["loc"][0])
    where = options.get(name) or _option(name)
    return f"{where} is {str(detail['input'])[:100]!r}, should {detail['msg'].rpartition('should ')[2]}"


def _contradictions(settings: Settings) -> list[str]:
    found = []
    if settings.max_images > settings.queue:
        found.append(
            f"--max-images is {settings.max_images:,}, more than --queue, {settings.queue:,}: such a request could never wait"
        )
    return found


def _unknown(key: str) -> str:
    near = difflib.get_close_matches(key, [PREFIX + name.upper() for name in Settings.model_fields], n=1)
    return f"{key} is no setting" + (f"; did you mean {near[0]}?" if near else "")


def _error(mistakes: list[str]) -> DarkroomError:
    lines = "\n".join(f"  - {line}" for line in mistakes)
    return DarkroomError(
        f"{len(mistakes)} mistake{'s' if len(mistakes) > 1 else ''} in the settings (`python -m serving --help` lists them):\n"
        f"{lines}"
    )
