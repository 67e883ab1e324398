"""Reads ERPNext: by the time of saving, and what was deleted by the site's own list of it."""

from __future__ import annotations

import datetime as dt
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import replace
from functools import partial

from tieline.connectors.erpnext.client import SUBMITTED, Client, Filter, name_of
from tieline.connectors.erpnext.mapping import (
    ASSETS,
    DOCTYPES,
    ITEMS,
    ORDERS,
    ROWS,
    SCHEDULES,
    modified_at,
    site_time,
    version_of,
    without_people,
)
from tieline.connectors.kit.changes import Changes, since, together
from tieline.connectors.kit.paging import Listed
from tieline.connectors.kit.paths import Record
from tieline.connectors.kit.streams import Stream, StreamSource
from tieline.connectors.kit.watermarks import Seen
from tieline.kernel.clock import Clock
from tieline.kernel.errors import Rejected

_DELETED = "Deleted Document"
# Local times of an hour come twice when the clocks are put back, so in such a zone each poll looks further back.
_CLOCK_CHANGE = dt.timedelta(hours=2)
Whole = Callable[[Client, Sequence[Record]], Awaitable[list[Record]]]
"""Documents with the rows that belong to them."""


def build_source(client: Client, clock: Clock) -> StreamSource:
    """The streams of one site, what others refer to first."""
    parts: dict[str, Whole] = {ASSETS: with_schedules, ORDERS: with_items}
    return StreamSource({name: _stream(client, one, parts.get(name, alone)) for name, one in DOCTYPES.items()}, clock)


def _stream(client: Client, doctype: str, whole: Whole) -> Stream:
    overlap = dt.timedelta(seconds=client.settings.overlap_secs)
    overlap = overlap if client.settings.time_zone == "UTC" else max(overlap, _CLOCK_CHANGE)

    async def one(name: str) -> Record | None:
        found = await client.one(doctype, name)
        return None if found is None else (await whole(client, [found]))[0]

    async def every() -> AsyncIterator[Record]:
        page: list[Record] = []
        async for record in client.whole(doctype):
            page.append(record)
            if len(page) == client.settings.page_size:
                for given in await whole(client, page):
                    yield given
                page = []
        for given in await whole(client, page):
            yield given

    async def saved(cursor: str | None) -> Changes:
        found = await since(cursor, partial(_page, client, doctype, ()), _seen(client), overlap=overlap)
        return replace(found, records=await whole(client, found.records))

    async def deleted(cursor: str | None) -> Changes:
        of_kind: tuple[Filter, ...] = (("deleted_doctype", "=", doctype),)
        found = await since(cursor, partial(_page, client, _DELETED, of_kind), _seen(client), overlap=overlap)
        names = sorted({str(record.get("deleted_name")) for record in found.records})
        # The number of the last document of a series is given again once it is deleted.
        there = {name_of(record) for record in await client.some(doctype, [("name", "in", names)])} if names else set()
        return replace(found, records=(), gone=[name for name in names if name not in there])

    async def changes(cursor: str | None) -> Changes:
        return await together(cursor, {"deleted": deleted, "saved": saved})

    return Stream(name_of, one, every, changes, without_people)


async def _page(client: Client, doctype: str, filters: Sequence[Filter], at: dt.datetime, token: str | None) -> Listed:
    asked = [*filters, ("modified", ">=", site_time(max(at, _FIRST), client.settings))]
    return await client.page(doctype, asked, token)


_FIRST = dt.datetime(1970, 1, 2, tzinfo=dt.UTC)


def _seen(client: Client) -> Callable[[Record, dt.datetime], Seen]:
    def seen(record: Record, stand_in: dt.datetime) -> Seen:
        try:
            at = modified_at(record, client.settings)
        except Rejected:
            at = stand_in  # one bad record must not stop the others: mapping refuses it by name
        return Seen(str(record.get("name")), version_of(record).rpartition("#")[2], at)

    return seen


async def alone(_client: Client, records: Sequence[Record]) -> list[Record]:
    """Documents without rows."""
    return list(records)


async def with_schedules(client: Client, records: Sequence[Record]) -> list[Record]:
    """Assets with their active schedules. A posting saves the asset and the schedule's row, not the schedule."""
    doctype = "Asset Depreciation Schedule"
    names = [name_of(record) for record in records if record.get("calculate_depreciation") == 1]
    if not names:
        return list(records)
    found = await client.some(doctype, [("asset", "in", names), ("docstatus", "=", SUBMITTED)])
    active = [one for one in found if one.get("status") in (None, "Active")]
    rows = await client.rows("Depreciation Schedule", doctype, [name_of(one) for one in active]) if active else []
    schedules = [{**one, ROWS: [row for row in rows if row.get("parent") == one["name"]]} for one in active]
    return [
        {**record, SCHEDULES: [one for one in schedules if one.get("asset") == record.get("name")]}
        for record in records
    ]


async def with_items(client: Client, records: Sequence[Record]) -> list[Record]:
    """Orders with their items."""
    names = [name_of(record) for record in records]
    rows = await client.rows("Purchase Order Item", "Purchase Order", names) if names else []
    return [{**record, ITEMS: [row for row in rows if row.get("parent") == record["name"]]} for record in records]
