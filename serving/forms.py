"""Multipart bodies, read as they arrive and only into memory: a root that can't be written is no hindrance."""

import logging
import re
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from urllib.parse import unquote_to_bytes

from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header

from serving.limits import Limits
from serving.problems import Problem

# Bytes of a field that is no file, such as top_k; and fields in a form.
LONGEST_FIELD, MOST_FIELDS = 100, 16
# RFC 5987: how some clients send a name beyond ASCII, which RFC 7578 forbids and the parser passes over.
EXTENDED_NAME = re.compile(rb";\s*filename\*\s*=\s*(utf-8|iso-8859-1)'[^']*'([^\s;\"]+)", re.IGNORECASE)
# It logs each damaged body, which the client is told anyway.
logging.getLogger("python_multipart").setLevel(logging.CRITICAL)


@dataclass
class _Part:
    headers: dict[bytes, bytes] = field(default_factory=dict)
    name: str = ""
    filename: str | None = None
    data: bytearray = field(default_factory=bytearray)


@dataclass(frozen=True)
class Form:
    """A multipart body.

    Attributes:
        files: field, file name and bytes of each, in order.
        fields: name → value of the others.
    """

    files: list[tuple[str, str, bytes]] = field(default_factory=list)
    fields: dict[str, str] = field(default_factory=dict)


async def read_form(
    content_type: str, chunks: AsyncIterator[bytes], limits: Limits, longest_field: int = LONGEST_FIELD
) -> Form:
    """Read a multipart body.

    Args:
        content_type: the header, with the boundary.
        chunks: of the body.
        limits: of files and their bytes.
        longest_field: bytes of a field that is no file, at most.

    Raises:
        Problem: 400 where it is damaged or cut, 413 past a limit.
    """
    boundary = parse_options_header(content_type)[1].get(b"boundary")
    if not boundary:
        raise Problem(400, "the Content-Type has no boundary: let the client make it, as curl -F does")
    reader = _Reader(limits, longest_field)
    try:
        parser = MultipartParser(boundary, reader.callbacks())  # type: ignore[arg-type]
        async for chunk in chunks:
            parser.write(chunk)
        parser.finalize()
    except FormParserError as error:
        raise Problem(400, f"the multipart body is damaged: {str(error) or 'its parts do not fit together'}") from None
    if not reader.ended:
        raise Problem(400, "the multipart body is cut: its closing boundary is missing")
    return reader.form


class _Reader:
    """Takes what the parser finds."""

    def __init__(self, limits: Limits, longest_field: int) -> None:
        self.limits, self.longest_field = limits, longest_field
        self.form = Form()
        self.ended = False
        self._part = _Part()
        self._header, self._value = b"", b""

    def callbacks(self) -> dict[str, object]:
        return {name: getattr(self, name) for name in dir(self) if name.startswith("on_")}

    def on_part_begin(self) -> None:
        self._part = _Part()

    def on_header_field(self, data: bytes, start: int, end: int) -> None:
        self._header += data[start:end]

    def on_header_value(self, data: bytes, start: int, end: int) -> None:
        self._value += data[start:end]

    def on_header_end(self) -> None:
        self._part.headers[self._header.lower()] = self._value
        self._header, self._value = b"", b""

    def on_headers_finished(self) -> None:
        part = self._part
        _, options = parse_options_header(part.headers.get(b"content-disposition", b""))
        if b"name" not in options:
            raise Problem(400, "a part of the multipart body has no name in its Content-Disposition")
        part.name = options[b"name"].decode("utf-8", "replace")
        part.filename = _file_name(part.headers[b"content-disposition"], options)
        if part.filename is not None:
            if len(self.form.files) == self.limits.images:
                raise Problem(413, f"more than {self.limits.images} images in a request: send them in several")
        elif len(self.form.fields) == MOST_FIELDS:
            raise Problem(
                413, f"more than {MOST_FIELDS} fields in a request: an image needs a file name (curl -F image=@FILE)"
            )

    def on_part_data(self, data: bytes, start: int, end: int) -> None:
        part = self._part
        part.data += data[start:end]
        if part.filename is None and len(part.data) > self.longest_field:
            raise Problem(
                400,
                f"the field {part.name!r} has more than {self.longest_field:,} bytes and no file name: an image needs one "
                "(curl -F image=@FILE)",
            )

    def on_part_end(self) -> None:
        part = self._part
        if part.filename is not None:
            self.form.files.append((part.name, part.filename, bytes(part.data)))
            return
        if part.name in self.form.fields:
            raise Problem(400, f"the field {part.name!r} is there twice")
        self.form.fields[part.name] = part.data.decode("utf-8", "replace")

    def on_end(self) -> None:
        self.ended = True


def _file_name(header: bytes, options: dict[bytes, bytes]) -> str | None:
    """The file name in a Content-Disposition; None where it has none."""
    if b"filename" in options:
        return options[b"filename"].decode("utf-8", "replace")
    found = EXTENDED_NAME.search(header)
    return unquote_to_bytes(found[2]).decode(found[1].decode(), "replace") if found else None
