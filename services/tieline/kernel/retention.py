"""Whether what waits in a topic is read before the topic's retention takes it away: a pause must not outlast that."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

LEAST_SHARE_LEFT = 0.25
"""Of a topic's retention, below which a person must know: the alert rules say the same (deploy/alerts)."""


@dataclass(frozen=True, slots=True)
class Expiry:
    """When the first of what waits is deleted unread (UTC), and the share of its retention until then, 0 to 1."""

    at: dt.datetime
    share_left: float

    @property
    def is_near(self) -> bool:
        """Whether a person must see to it."""
        return self.share_left < LEAST_SHARE_LEFT


def retention_secs(configs: Mapping[str, str]) -> float | None:
    """How long a topic keeps a record at least, by its settings; None for one that keeps them whatever their age."""
    if "delete" not in configs.get("cleanup.policy", "delete"):
        return None
    millis = int(configs.get("retention.ms", "-1"))
    return None if millis < 0 else millis / 1000


def first_expiry(waiting: Iterable[tuple[dt.datetime, float | None]], now: dt.datetime) -> Expiry | None:
    """The one with the least share left, of (when it was written, its topic's retention in s); None if none expires."""
    found = [
        Expiry(written + dt.timedelta(seconds=secs), max(0.0, 1.0 - (now - written).total_seconds() / secs))
        for written, secs in waiting
        if secs
    ]
    return min(found, key=lambda expiry: (expiry.share_left, expiry.at), default=None)
