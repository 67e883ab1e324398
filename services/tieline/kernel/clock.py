"""The one place that asks what time it is; tests hand in their own."""

from __future__ import annotations

import datetime as dt
import time
from collections.abc import Callable

Clock = Callable[[], dt.datetime]


def utc_now() -> dt.datetime:
    """The current instant, in UTC, to the millisecond (as Avro stores it)."""
    millis = time.time_ns() // 1_000_000
    return dt.datetime.fromtimestamp(millis / 1000, tz=dt.UTC)
