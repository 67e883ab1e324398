"""Reads ERPNext: by the time of saving, and what was deleted by the site's own list of it."""

from __future__ import annotations

import datetime as dt
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass, replace
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
from tieline.connectors.kit.watermarks import Seen, Watermark, write_cursor
from tieline.kernel.clock import Clock
from tieline.kernel.errors import Rejected

_DELETED = "Deleted Document"
_FIRST = dt.datetime(1970, 1, 2, tzinfo=dt.UTC)  # the zone's own time of it is after the epoch, too
# Local times of an hour come twice when the clocks are put back, so in such a zone each poll looks further back.
_CLOCK_CHANGE = dt.timedelta(hours=2)
Whole = Callable[[Client, Sequence[Record]], Awaitable[list[Record]]]
"""Documents with the rows that belong to them."""


def build_source(client: Client, clock: Clock) -> StreamSource:
    """The streams of one site, what others refer to first."""
    parts: dict[str, Whole] = {ASSETS: with_schedules, ORDERS: with_items}
    return StreamSource(
        {name: _Documents(client, one, parts.get(name, alone)).stream() for name, one in DOCTYPES.items()}, clock
    )


@dataclass(frozen=True, slots=True)
class _Documents:
    """The documents of one kind, with the rows that belong to them."""

    client: Client
    doctype: str
    whole: Whole

    def stream(self) -> Stream:
        """As the source reads it."""
        return Stream(name_of, self.one, self.every, self.changes, without_people)

    @property
    def overlap(self) -> dt.timedelta:
        overlap = dt.timedelta(seconds=self.client.settings.overlap_secs)
        return overlap if self.client.settings.time_zone == "UTC" else max(overlap, _CLOCK_CHANGE)

    async def one(self, name: str) -> Record | None:
        found = await self.client.one(self.doctype, name)
        return None if found is None else (await self.whole(self.client, [found]))[0]

    async def every(self) -> AsyncIterator[Record]:
        page: list[Record] = []
        async for record in self.client.whole(self.doctype):
            page.append(record)
            if len(page) == self.client.settings.page_size:
                for given in await self.whole(self.client, page):
                    yield given
                page = []
        for given in await self.whole(self.client, page):
            yield given

    async def changes(self, cursor: str | None) -> Changes:
        """What was saved, and after that what was deleted; of what was deleted before the first reading nothing."""
        began = None if cursor else (await self.client.page(_DELETED, [("name", "=", "")], None)).made_at
        is_under_way = False

        async def first(saved_cursor: str | None) -> Changes:
            nonlocal is_under_way
            found = await self._saved(saved_cursor)
            is_under_way = found.more
            return found

        async def then(deleted_cursor: str | None) -> Changes:
            if began is not None:
                return Changes((), write_cursor(Watermark(since=began - self.overlap, high=began)))
            return Changes((), deleted_cursor or "") if is_under_way else await self._deleted(deleted_cursor)

        return await together(cursor, {"saved": first, "deleted": then})

    async def _saved(self, cursor: str | None) -> Changes:
        found = await since(cursor, partial(self._page, self.doctype, ()), self._seen, overlap=self.overlap)
        return replace(found, records=await self.whole(self.client, found.records))

    async def _deleted(self, cursor: str | None) -> Changes:
        of_kind: tuple[Filter, ...] = (("deleted_doctype", "=", self.doctype),)
        found = await since(cursor, partial(self._page, _DELETED, of_kind), self._seen, overlap=self.overlap)
        names = sorted({str(record.get("deleted_name")) for record in found.records})
        # The number of the last document of a series is given again once it is deleted.
        there = await self.client.some(self.doctype, [("name", "in", names)]) if names else []
        return replace(found, records=(), gone=sorted(set(names) - {name_of(record) for record in there}))

    async def _page(self, doctype: str, filters: Sequence[Filter], at: dt.datetime, token: str | None) -> Listed:
        """One page of what was saved since, in the order of names; all pages of a sweep are dated by its first.

        What is saved behind the token while the sweep lasts is newer than that, and the next sweep begins there.
        """
        asked = [*filters, ("modified", ">=", site_time(max(at, _FIRST), self.client.settings))]
        began, _, name = (token or "").partition("|")
        page = await self.client.page(doctype, asked, name or None)
        first = dt.datetime.fromisoformat(began) if began else page.made_at
        following = None if page.next_token is None else f"{first.isoformat()}|{page.next_token}"
        return replace(page, next_token=following, made_at=first)

    def _seen(self, record: Record, stand_in: dt.datetime) -> Seen:
        try:
            at = modified_at(record, self.client.settings)
        except Rejected:
            at = stand_in  # one bad record must not stop the others: mapping refuses it by name
        return Seen(str(record.get("name")), version_of(record).rpartition("#")[2], at)


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
