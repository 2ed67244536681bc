"""What ingest prints of what it made."""

from datetime import UTC, datetime

from darkroom.images.ingest_receipts import RangeReceipt
from darkroom.images.ingest_summary import describe_timestamps


def receipt(images: int, first: datetime | None, last: datetime | None, timed: int) -> RangeReceipt:
    return RangeReceipt("a", "b", images, "c", 1, 2, 0, 0, None, first, last, timed)


def test_the_range_of_the_times_is_shown() -> None:
    days = datetime(2026, 1, 3, tzinfo=UTC), datetime(2026, 3, 1, tzinfo=UTC), datetime(2026, 5, 31, 23, tzinfo=UTC)
    early, late, never = receipt(2, *days[:2], 1), receipt(1, days[1], days[2], 1), receipt(3, None, None, 0)
    assert describe_timestamps([late, never, early]) == "\n  timestamps: 2026-01-03 to 2026-05-31, of 2 of 6 images"
    assert (
        describe_timestamps([late]) == "\n  timestamps: 2026-03-01 to 2026-05-31" and describe_timestamps([never]) == ""
    )
