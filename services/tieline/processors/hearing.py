"""Hearing a record out of order: what a system recorded before its last word is not said any more. Pure.

Order per key holds from report to target (Invariant 2), but not before it: a webhook overtakes a poll, a page is read
again, a log is replayed from its beginning, a dead letter comes back after what followed it.
"""

from __future__ import annotations

import datetime as dt

from tieline.kernel.asset_records import AssetState
from tieline.kernel.vocabulary import Origin
from tieline.processors.merging import PURCHASE_LINE

MERGE = "merge "
"""How the source version begins of what a person's merge tells in a record's name."""


def is_older(origin: Origin, heard_at: dt.datetime | None) -> bool:
    """Whether a report was recorded before the last word taken (Invariant 4). Of one moment, the later to come counts.

    Compare only what one system said of one record: its own clock, or its counter of changes, orders that.
    """
    return heard_at is not None and origin.recorded_at < heard_at


def is_news(origin: Origin, heard_at: dt.datetime | None) -> bool:
    """Whether a word that changes nothing is later than the last one: an older one that comes after it is older too."""
    return heard_at is None or origin.recorded_at > heard_at


def is_outdated(state: AssetState | None, origin: Origin) -> bool:
    """Whether the record an asset report is of has said something later already."""
    return state is not None and is_older(origin, state.heard_at.get(_record(origin)))


def was_heard(state: AssetState | None, origin: Origin) -> bool:
    """Whether the record's word of this moment, or a later one, was taken already: this one comes again."""
    heard_at = state.heard_at.get(_record(origin)) if state else None
    return heard_at is not None and origin.recorded_at <= heard_at


def hear(state: AssetState | None, origin: Origin) -> dict[str, dt.datetime]:
    """When each record of the asset spoke last, with this report.

    Left out is what no record said: an order line, and what a person's merge tells in a record's name.
    """
    heard = dict(state.heard_at) if state else {}
    if origin.entity == PURCHASE_LINE or origin.source_version.startswith(MERGE):
        return heard
    record = _record(origin)
    return heard | {record: max(origin.recorded_at, heard.get(record, origin.recorded_at))}


def _record(origin: Origin) -> str:
    return f"{origin.system}/{origin.native_id}"
