"""Reads Snipe-IT: assets with those archived and deleted, maintenances, audits, locations."""

from __future__ import annotations

import datetime as dt
from collections.abc import AsyncIterator, Mapping
from functools import partial

from tieline.connectors.kit.changes import Changes, appended, compared, newest_first, together
from tieline.connectors.kit.client import path_of
from tieline.connectors.kit.paths import Record
from tieline.connectors.kit.streams import Stream, StreamSource
from tieline.connectors.kit.watermarks import EPOCH, Seen
from tieline.connectors.snipeit.client import (
    ACTIVITY,
    ARCHIVED,
    BY_ID,
    DELETED,
    HARDWARE,
    LISTS,
    LOCATIONS,
    MAINTENANCES,
    NEWEST_FIRST,
    Client,
)
from tieline.connectors.snipeit.mapping import modified_at, native_id, version_of, without_people
from tieline.kernel.clock import Clock
from tieline.kernel.errors import Rejected

_AUDITED = {"action_type": "audit", "item_type": "asset"}
# Local times of an hour come twice when the clocks are put back, so in such a zone each poll looks further back.
_CLOCK_CHANGE = dt.timedelta(hours=2)
_STABLE = ("id", "title", "name", "cost", "asset_maintenance_type", "completion_date", "completed_at", "parent")


def build_source(client: Client, clock: Clock) -> StreamSource:
    """The streams of one Snipe-IT. Maintenances need a cost centre, which its records do not have."""
    settings = client.settings
    streams = {
        "locations": _compared(client, LOCATIONS),
        "assets": Stream(
            native_id, client.asset, partial(_every_asset, client), partial(_asset_changes, client), without_people
        ),
        "audits": Stream(
            native_id,
            partial(_one_audit, client),
            lambda: client.whole(ACTIVITY, _AUDITED),
            partial(_audit_changes, client),
            without_people,
        ),
    }
    if settings.maintenance_cost_centre is not None:
        streams["maintenances"] = _compared(client, MAINTENANCES)
    return StreamSource(streams, clock)


def _compared(client: Client, path: str) -> Stream:
    """A list that cannot be sorted by its time of change."""

    async def changes(cursor: str | None) -> Changes:
        return await compared(cursor, partial(client.page, path, BY_ID), native_id, _content)

    async def one(record_id: str) -> Record | None:
        return await client.get(path_of(path + "/{id}", id=record_id))

    return Stream(native_id, one, lambda: client.whole(path), changes, without_people)


def _content(record: Record) -> Mapping[str, object]:
    """What of a record is its own: the asset inside it changes by itself."""
    return {key: record.get(key) for key in _STABLE}


async def _asset_changes(client: Client, cursor: str | None) -> Changes:
    parts = {name: partial(_list_changes, client, where) for name, where in LISTS.items()}
    return await together(cursor, parts)


async def _list_changes(client: Client, where: Mapping[str, str], cursor: str | None) -> Changes:
    settings = client.settings
    overlap = dt.timedelta(seconds=settings.overlap_secs)
    return await newest_first(
        cursor,
        partial(client.page, HARDWARE, {**where, **NEWEST_FIRST}),
        partial(client.page, HARDWARE, {**where, **BY_ID}),
        partial(_seen, client),
        history=where != DELETED,
        overlap=overlap if settings.time_zone == "UTC" else max(overlap, _CLOCK_CHANGE),
    )


def _seen(client: Client, record: Record, stand_in: dt.datetime) -> Seen:
    try:
        at = modified_at(record, client.settings.zone)
    except Rejected:
        at = stand_in  # one bad record must not stop the others: mapping refuses it by name
    return Seen(str(record.get("id")), version_of(record).rpartition("#")[2], at)


async def _every_asset(client: Client) -> AsyncIterator[Record]:
    """Assets of both lists, each once. What went from the second into the first meanwhile is looked for at the end."""
    first = await client.page(HARDWARE, NEWEST_FIRST, None)
    newest = max((_seen(client, record, EPOCH).modified_at for record in first.records), default=EPOCH)
    given: set[str] = set()
    for where in ({}, ARCHIVED):
        async for record in client.whole(HARDWARE, where):
            if native_id(record) not in given:
                given.add(native_id(record))
                yield record
    last = await client.page(HARDWARE, NEWEST_FIRST, None)
    times = [_seen(client, record, EPOCH).modified_at for record in last.records]
    # Invariant 12: where one page does not reach back to the beginning of the reading, the list is read again.
    again = last.next_token is not None and min(times, default=EPOCH) >= newest
    rest = client.whole(HARDWARE) if again else _each(last.records)
    async for record in rest:
        if native_id(record) not in given:
            given.add(native_id(record))
            yield record


async def _each(records: object) -> AsyncIterator[Record]:
    for record in records if isinstance(records, list) else ():
        yield record


async def _audit_changes(client: Client, cursor: str | None) -> Changes:
    return await appended(
        cursor, partial(client.page, ACTIVITY, {**_AUDITED, **BY_ID}), lambda record: int(native_id(record))
    )


async def _one_audit(client: Client, entry_id: str) -> Record | None:
    """The log has no way to ask for one entry."""
    async for record in client.whole(ACTIVITY, _AUDITED):
        if native_id(record) == entry_id:
            return record
    return None
