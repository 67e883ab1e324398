"""Reads the system: what changed since, one record, or everything."""

from __future__ import annotations

import datetime as dt
from collections.abc import AsyncIterator, Mapping

from tieline.authoring.example.client import Client, ListPage, Record
from tieline.authoring.example.mapping import STREAM, instant
from tieline.authoring.example.settings import Settings
from tieline.connectors.kit.strict_json import dump_json
from tieline.connectors.kit.watermarks import Seen, Watermark, advance, read_cursor, restart_sweep, write_cursor
from tieline.kernel.errors import Rejected, Retryable
from tieline.kernel.protocols import Page, RawItem

_MAX_PAGES = 100_000  # far beyond any register; a system that pages for ever must not keep us for ever
_MAX_PAGES_PER_CALL = 20  # pages without news are read over, this many at most in one call


class Source:
    """See ``Source`` in kernel/protocols.py."""

    def __init__(self, client: Client, settings: Settings) -> None:
        self._client, self._settings = client, settings

    async def read_changes(self, position: Mapping[str, str], limit: int) -> Page:
        """See ``Source``. Gives whole pages of theirs."""
        mark = read_cursor(position.get(STREAM))
        items: list[RawItem] = []
        for _ in range(_MAX_PAGES_PER_CALL):
            page, mark = await self._next_page(mark, max(1, min(limit, self._settings.page_size)))
            seen = [_seen(record, mark) for record in page.records]
            overlap = dt.timedelta(seconds=self._settings.overlap_secs)
            fresh, mark = advance(mark, seen, page.next_cursor, overlap=overlap, now=page.made_at)
            items += [_item(page.records[place]) for place in fresh]
            if len(items) >= limit or not mark.more:
                break
        return Page(items=items, position={STREAM: write_cursor(mark)}, more=mark.more)

    async def read_one(self, stream: str, native_id: str) -> RawItem | None:
        """See ``Source``."""
        record = await self._client.get_asset(native_id) if stream == STREAM else None
        return None if record is None else _item(record)

    async def read_all(self, stream: str) -> AsyncIterator[RawItem]:
        """See ``Source``. A page that fails, or a cursor that comes again, raises: never a silent half."""
        cursors: set[str] = set()
        query = {"limit": str(self._settings.page_size)}
        for _ in range(_MAX_PAGES if stream == STREAM else 0):
            page = await self._client.list_assets(**query)
            for record in page.records:
                yield _item(record)
            if page.next_cursor is None:
                return
            if page.next_cursor in cursors:
                break
            cursors.add(page.next_cursor)
            query["cursor"] = page.next_cursor
        raise Retryable("the list cannot be read whole: its cursors do not end")  # Invariant 12

    async def _next_page(self, mark: Watermark, size: int) -> tuple[ListPage, Watermark]:
        query = {"limit": str(size), "modified_since": mark.since.isoformat()}
        if mark.page_token is not None:
            query["cursor"] = mark.page_token
        try:
            return await self._client.list_assets(**query), mark
        except Rejected:
            if mark.page_token is None:
                raise
            # The system forgot the cursor: read the sweep again; what was given is left out by its version.
            return await self._next_page(restart_sweep(mark), size)


def _item(record: Record) -> RawItem:
    return RawItem(STREAM, str(record.get("id")), dump_json(record))


def _seen(record: Record, mark: Watermark) -> Seen:
    try:
        at = instant(record, "updated_at")
    except Rejected:
        at = mark.high  # one bad record must not stop the others: mapping refuses it by name
    return Seen(str(record.get("id")), str(record.get("version")), at)
