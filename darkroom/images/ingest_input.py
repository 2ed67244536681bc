"""What ingest works on: the ranges of the survey, the inbox beside them, and what people decided about their labels."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import pyarrow as pa

from darkroom.images.inbox_images import Joined, content_hashes, join_inbox
from darkroom.labels.fixes import LabelFix, fixes_by_range
from darkroom.labels.inbox_survey import read_inbox_survey
from darkroom.runtime.paths import LABEL_FIXES
from darkroom.sources.listing import (
    SurveyRange,
    describe_found,
    read_classes,
    read_containers,
    read_counts,
    read_ignored,
    read_paths,
    survey_ranges,
)
from darkroom.sources.registry import source_kind
from darkroom.sources.source import Ignored, Location
from darkroom.sources.survey import require_unchanged


@dataclass(frozen=True)
class IngestInput:
    """What ingest works on, and where.

    Attributes:
        source, location: as in `stages.survey.run`.
        decoder: as in `darkroom.images.decode.decode`.
        survey: the folder that the survey stage wrote.
        ranges: of the survey, in the order of their images.
        classes: of the source, in label order.
        ignored: what does not count as an image, sorted by path.
        inbox: the folder of images that people labelled.
        joined: what is of it in each range, and the fixes of the images of each range.
        fixes: that name images by their ids.
        fixes_file: for messages.
        cache: `.darkroom/cache`.
        out: the folder that the last run wrote; it need not exist.
    """

    source: str
    location: Location
    decoder: str
    survey: Path
    ranges: Sequence[SurveyRange]
    classes: tuple[str, ...]
    ignored: Sequence[Ignored]
    inbox: Path
    joined: Joined
    fixes: Sequence[LabelFix]
    fixes_file: Path
    cache: Path
    out: Path

    def describe(self) -> list[str]:
        """What was found, for people."""
        counts = [*zip(*read_counts(self.survey).to_pydict().values(), strict=True), *self.joined.counts]
        return [*describe_found(self.classes, counts, self.ignored, self.out / "ignored.parquet"), *self.joined.lines]


def gather_input(
    source: str, location: Location, decoder: str, survey: Path, cache: Path, out: Path, fixes: Path | None, inbox: Path
) -> IngestInput:
    """Read what the survey found and what people decided; no image is read, but for one in an archive beside an inbox.

    Args:
        source, location, decoder, survey, cache, out, inbox: as the attributes.
        fixes: what reviewers decided about labels; None where nobody did.

    Raises:
        DarkroomError: when an archive, a table or a list is not what the survey found, or a fix is wrong.
    """
    containers = read_containers(survey)
    hashes = (containers[name].to_pylist() for name in ("path", "sha256"))
    kind = source_kind(source, location)
    require_unchanged(dict(zip(*hashes, strict=True)), kind, location, cache)
    ranges, classes = survey_ranges(survey), read_classes(survey)
    paths = [(each.name, partial(read_paths, survey, each.name)) for each in ranges]
    by_path, by_id = fixes_by_range(fixes, paths, classes)
    open_reader = partial(kind.reader, location)

    def hashes_of(name: str, images: pa.Table) -> pa.Array:
        return content_hashes(images, name, open_reader, cache, decoder)

    joined = join_inbox(survey, ranges, classes, by_path, by_id, read_inbox_survey(survey), inbox, hashes_of)
    return IngestInput(
        source=source,
        location=location,
        decoder=decoder,
        survey=survey,
        ranges=ranges,
        classes=classes,
        ignored=sorted([*read_ignored(survey), *joined.ignored]),
        inbox=inbox,
        joined=joined,
        fixes=by_id,
        fixes_file=fixes or LABEL_FIXES,
        cache=cache,
        out=out,
    )
