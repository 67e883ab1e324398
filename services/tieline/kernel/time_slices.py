"""What held when: the history of one field of an asset as time slices, from its events. Pure.

State tells only what holds now; a report on an earlier period asks what held then (T20).
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from tieline.kernel.asset_records import AssetEvent


@dataclass(frozen=True, slots=True)
class Slice:
    """One value from its first to its last day, both included; ``valid_to`` None: it still holds.

    ``version`` is that of the event that began it, ``origin_system`` the system whose word it was.
    """

    value: object
    valid_from: dt.date
    valid_to: dt.date | None
    version: int
    origin_system: str


def slice_history(events: Iterable[AssetEvent], field: str = "cost_centre") -> tuple[Slice, ...]:
    """The slices of one field of one asset, oldest first, without overlap; a day without a value is in none.

    Events may come in any order and repeatedly. A later version speaks last: from its effective date on nothing of an
    earlier version holds, so that the open slice is what the asset's state says. Before that date nothing changes.
    Raises ``ValueError`` for events of two assets.
    """
    by_version: dict[int, AssetEvent] = {}
    for event in events:
        by_version[event.accepted.version] = event
    if len({event.asset_id for event in by_version.values()}) > 1:
        raise ValueError("the events are of more than one asset")
    slices: list[Slice] = []
    for version in sorted(by_version):
        event = by_version[version]
        if field in event.accepted.changed_fields:
            slices = _cut(slices, event, field)
    return tuple(one for one in slices if one.value is not None)


def value_on(slices: Sequence[Slice], day: dt.date) -> object:
    """What held on that day; None when nothing did. A month is charged to what holds on its last day (T19)."""
    found = (one.value for one in slices if one.valid_from <= day and (one.valid_to is None or day <= one.valid_to))
    return next(found, None)


def _cut(slices: Sequence[Slice], event: AssetEvent, field: str) -> list[Slice]:
    accepted, value = event.accepted, getattr(event.fields, field)
    first = accepted.effective_date
    kept = [one for one in slices if one.valid_from < first]
    if kept and kept[-1].value == value:
        return [*kept[:-1], replace(kept[-1], valid_to=None)]
    if kept:
        kept[-1] = replace(kept[-1], valid_to=first - dt.timedelta(days=1))
    return [*kept, Slice(value, first, None, accepted.version, accepted.origin_system)]
