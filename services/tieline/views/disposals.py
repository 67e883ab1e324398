"""Disposal lag: from the day asset management retires an asset to the day the ERP records it as closed. Pure.

An asset that is retired and not closed still stands in the books, and is depreciated. How long it has is counted in
event time, up to the latest day any asset event was recorded on, so that a recomputation tomorrow says the same.
"""

from __future__ import annotations

import datetime as dt
import heapq
from collections import Counter
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TypedDict

from tieline.kernel.asset_records import AssetEvent, FinancialStatus, PhysicalStatus


class Retirement(TypedDict):
    """What the latest event on the physical end says; ``on`` is none when the asset is in use (again)."""

    version: int
    on: str | None


class Closing(TypedDict):
    """What the latest event on the financial status says; ``on`` is none while the books are open (again)."""

    version: int
    on: str | None
    status: str | None


class DisposalEntry(TypedDict):
    """What an asset's events say of its end. Each part keeps its own latest version, so their order does not matter."""

    tag_version: int
    tag: str | None
    recorded_on: str
    retirement: Retirement
    closing: Closing


class DisposalStatus(StrEnum):
    """How far a disposal has come."""

    OPEN = "open"  # retired, and still in the books
    CLOSED = "closed"  # retired, and closed in the books
    NOT_RETIRED = "not_retired"  # closed in the books, and in use as far as asset management says
    NOT_IN_BOOKS = "not_in_books"  # retired, and never in the books


def disposal_entry(event: AssetEvent, known: DisposalEntry | None) -> DisposalEntry:
    """The asset's entry after this event.

    Which event retired or closed the asset is told by the fields it changed. An older one changes nothing
    (Invariant 4).
    """
    entry = known or _nothing()
    version, fields, changed = event.accepted.version, event.fields, event.accepted.changed_fields
    recorded_on = event.accepted.recorded_at.astimezone(dt.UTC).date()
    # On a closed asset the date may be the ERP's own, which gives one when it closes.
    closed = fields.financial_status is FinancialStatus.CLOSED
    dated = "disposal_date" in changed and not closed
    retirement, closing = entry["retirement"], entry["closing"]
    if version >= retirement["version"] and ("physical_status" in changed or dated):
        retired = fields.physical_status is PhysicalStatus.RETIRED or fields.disposal_date is not None
        said = fields.disposal_date if "disposal_date" in changed or not closed else None
        retirement = Retirement(version=version, on=(said or recorded_on).isoformat() if retired else None)
    if version >= closing["version"] and "financial_status" in changed:
        status = fields.financial_status
        closed_on = recorded_on.isoformat() if status is FinancialStatus.CLOSED else None
        closing = Closing(version=version, on=closed_on, status=None if status is None else status.value)
    is_latest = version >= entry["tag_version"]
    return DisposalEntry(
        tag_version=version if is_latest else entry["tag_version"],
        tag=fields.tag if is_latest else entry["tag"],
        recorded_on=max(entry["recorded_on"], recorded_on.isoformat()),
        retirement=retirement,
        closing=closing,
    )


def _nothing() -> DisposalEntry:
    return DisposalEntry(
        tag_version=0,
        tag=None,
        recorded_on=dt.date.min.isoformat(),
        retirement=Retirement(version=0, on=None),
        closing=Closing(version=0, on=None, status=None),
    )


@dataclass(frozen=True, slots=True)
class Disposal:
    """One disposal. ``lag_days`` is from retirement to closing; of an open one, ``age_days`` is up to the event time.

    Both are negative when the retirement is dated after the other end.
    """

    asset_id: str
    tag: str | None
    status: DisposalStatus
    retired_on: dt.date | None
    closed_on: dt.date | None
    lag_days: int | None
    age_days: int | None


@dataclass(slots=True)
class Disposals:
    """Every asset's entry. Not safe for concurrent use: it lives in one event loop or one thread."""

    _entries: dict[str, DisposalEntry] = field(default_factory=dict)
    _event_time: str = ""

    def put(self, asset_id: str, entry: DisposalEntry) -> None:
        """Keep an asset's entry."""
        self._entries[asset_id] = entry
        self._event_time = max(self._event_time, entry["recorded_on"])

    @property
    def event_time(self) -> dt.date | None:
        """The latest day (UTC) an asset event was recorded on by its source; None before the first."""
        return dt.date.fromisoformat(self._event_time) if self._event_time else None

    def page(
        self, *, status: DisposalStatus | None = None, after: str = "", limit: int
    ) -> tuple[list[Disposal], str | None]:
        """Up to ``limit`` disposals in order of the asset id, beginning behind ``after``; and where the next begins."""
        wanted = (
            asset_id
            for asset_id, entry in self._entries.items()
            if asset_id > after and (found := _status(entry)) is not None and status in {None, found}
        )
        ids = heapq.nsmallest(limit + 1, wanted)
        disposals = [disposal for asset_id in ids[:limit] if (disposal := self.of(asset_id)) is not None]
        return disposals, ids[limit - 1] if len(ids) > limit else None

    def counts(self) -> dict[DisposalStatus, int]:
        """How many there are of each status."""
        found = Counter(_status(entry) for entry in self._entries.values())
        return {status: found[status] for status in DisposalStatus}

    def longest_open_days(self) -> int | None:
        """Age of the oldest open disposal, in days; None when none is open."""
        open_since = [
            on
            for entry in self._entries.values()
            if _status(entry) is DisposalStatus.OPEN and (on := entry["retirement"]["on"]) is not None
        ]
        return self._days_since(min(open_since)) if open_since else None

    def of(self, asset_id: str) -> Disposal | None:
        """The asset's disposal; None when it is neither retired nor closed."""
        entry = self._entries.get(asset_id)
        status = _status(entry) if entry else None
        if entry is None or status is None:
            return None
        retired_on, closed_on = entry["retirement"]["on"], entry["closing"]["on"]
        return Disposal(
            asset_id=asset_id,
            tag=entry["tag"],
            status=status,
            retired_on=_date(retired_on),
            closed_on=_date(closed_on),
            lag_days=_days(retired_on, closed_on) if retired_on and closed_on else None,
            age_days=self._days_since(retired_on) if retired_on and status is DisposalStatus.OPEN else None,
        )

    def _days_since(self, day: str) -> int:
        return _days(day, self._event_time)


def _status(entry: DisposalEntry) -> DisposalStatus | None:
    if entry["closing"]["on"] is not None:
        return DisposalStatus.NOT_RETIRED if entry["retirement"]["on"] is None else DisposalStatus.CLOSED
    if entry["retirement"]["on"] is None:
        return None
    return DisposalStatus.NOT_IN_BOOKS if entry["closing"]["status"] is None else DisposalStatus.OPEN


def _date(day: str | None) -> dt.date | None:
    return None if day is None else dt.date.fromisoformat(day)


def _days(first: str, last: str) -> int:
    return (dt.date.fromisoformat(last) - dt.date.fromisoformat(first)).days


def as_json(disposal: Disposal) -> dict[str, object]:
    """The answer's shape: dates as YYYY-MM-DD, whole days."""
    return {
        "asset_id": disposal.asset_id,
        "tag": disposal.tag,
        "status": disposal.status.value,
        "retired_on": None if disposal.retired_on is None else disposal.retired_on.isoformat(),
        "closed_on": None if disposal.closed_on is None else disposal.closed_on.isoformat(),
        "lag_days": disposal.lag_days,
        "age_days": disposal.age_days,
    }
