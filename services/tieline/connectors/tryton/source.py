"""Reads Tryton: what changed, one record, everything."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence

from tieline.connectors.tryton import wire
from tieline.connectors.tryton.client import TrytonClient
from tieline.connectors.tryton.cursors import Change, Mark, dump_marks, load_marks, micros
from tieline.connectors.tryton.ledger import CONTROL_ACCOUNTS, read_accounts
from tieline.connectors.tryton.mapping import COSTS, MOVEMENTS, REFERENCES, REVERSALS, RUNS, SUPPLIERS
from tieline.connectors.tryton.probing import Asked, ChangeProbe
from tieline.connectors.tryton.runs import RunReader
from tieline.connectors.tryton.settings import TrytonSettings
from tieline.connectors.tryton.streams import FOLLOWERS, RARE, RECORDS, WATCHES, Records, Watch, context_of
from tieline.kernel.errors import Stop, Unavailable
from tieline.kernel.protocols import Page, RawItem

MICROS_PER_SEC = 1_000_000


class TrytonSource:
    """The ``Source`` of one Tryton. Costs are read whole for reconciliation only: they are not Tryton's to report.

    A poll that finds nothing costs one call for each model that is watched (``probing``), eight in all. What rarely
    changes (``RARE``) is asked for every ``reference_interval_secs`` only, by ``clock``, in seconds that only go
    forward. A stream that is not asked for keeps its marks, so that waiting loses nothing; after a failed read and at
    the start all are asked for.
    """

    def __init__(
        self, client: TrytonClient, settings: TrytonSettings, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._client = client
        self._settings = settings
        self._clock = clock
        self._runs = RunReader(client, settings.page_size)
        self._rare_due_at: float | None = None
        unreported = {stream for family, stream in REFERENCES.items() if family not in settings.reported_references}
        self._watched = {stream: found for stream, found in WATCHES.items() if stream not in unreported}

    async def read_changes(self, position: Mapping[str, str], limit: int) -> Page:
        """See ``Source``. Deleted records are not seen here; neither is a schedule that is only cleared."""
        began = self._clock()
        rare = self._rare_due_at is None or began >= self._rare_due_at
        due = {stream: watches for stream, watches in self._watched.items() if rare or stream not in RARE}
        marks = {stream: load_marks(position.get(stream)) for stream in due}
        asked = [Asked(s, w, marks[s].get(w.name, Mark())) for s, watches in due.items() if marks[s] for w in watches]
        probe = ChangeProbe(self._client, asked, limit)
        items: list[RawItem] = []
        cursors = dict(position)
        more = False
        for place, (stream, watches) in enumerate(due.items()):
            if len(items) >= limit:
                more = True
                break
            # What one stream leaves of its share is the others'.
            room = max(1, (limit - len(items)) // (len(due) - place))
            advanced, parents, waiting = await self._changed(stream, watches, marks[stream], probe, room)
            items += await self._records(stream, parents)
            for follower, path in FOLLOWERS.get(stream, ()):
                items += await self._following(follower, path, RECORDS[stream].model, parents)
            cursors[stream] = dump_marks(advanced)
            more = more or waiting
        if rare and not more:
            self._rare_due_at = began + self._settings.reference_interval_secs
        return Page(items, cursors, more)

    async def read_one(self, stream: str, native_id: str) -> RawItem | None:
        """See ``Source``."""
        if not (native_id.isascii() and native_id.isdigit()):
            return None
        found = await self._records(stream, [int(native_id)])
        return found[0] if found else None

    async def read_all(self, stream: str) -> AsyncIterator[RawItem]:
        """See ``Source``. Pages by id until a page is empty, so that a page cut short is never taken for the last."""
        if stream == CONTROL_ACCOUNTS:
            for row in await read_accounts(self._client, self._settings.control_accounts):
                yield _item(stream, row)
            return
        async for page in self._pages(stream, []):
            for item in await self._items(stream, page):
                yield item

    async def _changed(
        self, stream: str, watches: Sequence[Watch], marks: dict[str, Mark], probe: ChangeProbe, limit: int
    ) -> tuple[dict[str, Mark], list[int], bool]:
        """New marks, the records that changed, at most ``limit``, and whether more wait."""
        if not marks:
            marks = await self._first_marks(watches)
        found: list[tuple[Change, Watch]] = []
        waiting = False
        for watch in watches:
            changes, filled = await probe.unseen(stream, watch, marks.get(watch.name, Mark()))
            waiting = waiting or filled
            found += [(change, watch) for change in changes]
        found.sort(key=lambda pair: pair[0].place)
        parents: dict[int, None] = {}
        taken: dict[str, list[Change]] = {}
        for change, watch in found:
            if len(parents) >= limit and change.parent not in parents:
                waiting = True
                break
            parents.setdefault(change.parent)
            taken.setdefault(watch.name, []).append(change)
        window = int(self._settings.late_commit_window_secs * MICROS_PER_SEC)
        advanced = {
            watch.name: marks.get(watch.name, Mark()).advanced(taken.get(watch.name, []), window) for watch in watches
        }
        return advanced, list(parents), waiting

    async def _first_marks(self, watches: Sequence[Watch]) -> dict[str, Mark]:
        # The walk over all records by creation (the first watch) gives their present state: of all else only what
        # changes from now on matters, less the window in which something may still be uncommitted.
        window = int(self._settings.late_commit_window_secs * MICROS_PER_SEC)
        marks = {}
        for watch in watches[1:]:
            newest = await self._client.search_read(
                watch.model,
                [*watch.domain, (watch.column, "!=", None)],
                [watch.column],
                order=[(watch.column, "DESC")],
                limit=1,
                context=context_of(watch.model),
            )
            stamp = micros(wire.instant(newest[0][watch.column])) - window if newest else -1
            marks[watch.name] = Mark(after=(stamp, 0))
        return {watches[0].name: Mark(), **marks}

    async def _following(self, stream: str, path: str, model: str, parents: Sequence[int]) -> list[RawItem]:
        """The records of a stream that belong to these records of a model, by the path to them."""
        items: list[RawItem] = []
        for chunk in self._chunks(parents):
            wanted = [f"{model},{row_id}" for row_id in chunk] if path == "origin" else chunk
            async for page in self._pages(stream, [(path, "in", wanted)]):
                items += await self._items(stream, page)
        return items

    async def _records(self, stream: str, ids: Sequence[int]) -> list[RawItem]:
        rows: dict[int, dict[str, wire.Json]] = {}
        for chunk in self._chunks(ids):
            rows.update({row["id"]: row for row in await self._rows(stream, [("id", "in", chunk)])})
        return await self._items(stream, [rows[found] for found in ids if found in rows])

    async def _items(self, stream: str, rows: Sequence[Mapping[str, wire.Json]]) -> list[RawItem]:
        if stream == RUNS:
            found = [await self._runs.with_figures(row) for row in rows]
            rows = [row for row in found if row is not None]
        if stream == SUPPLIERS:
            ordered_from = await self._ordered_from([row["id"] for row in rows])
            rows = [row for row in rows if row["id"] in ordered_from]
        return [_item(stream, row) for row in rows]

    async def _ordered_from(self, parties: Iterable[int]) -> set[int]:
        """Those of these parties that the company has an order from."""
        left, found = set(parties), set[int]()
        company = (await self._client.context())["company"]
        while left:
            rows = await self._client.search_read(
                "purchase.purchase",
                [("company", "=", company), ("party", "in", sorted(left))],
                ["party"],
                order=[("id", "DESC")],
                limit=self._settings.page_size,
            )
            if not rows:
                break
            found |= {row["party"] for row in rows}
            left -= found
        return found

    async def _pages(self, stream: str, domain: Sequence[object]) -> AsyncIterator[list[dict[str, wire.Json]]]:
        last = 0
        while True:
            page = await self._rows(stream, [*domain, ("id", ">", last)])
            if not page:
                return
            for row in page:
                if row["id"] <= last:
                    raise Unavailable(f"{stream}: Tryton's page is not in the order asked for: the read is incomplete")
                last = row["id"]
            yield page

    async def _rows(self, stream: str, domain: Sequence[object]) -> list[dict[str, wire.Json]]:
        records = _records_of(stream)
        own: list[object] = list(records.domain)
        if records.company is not None:
            own.insert(0, (records.company, "=", (await self._client.context())["company"]))
        if stream == COSTS:
            own += [("journal.code", "=", self._settings.maintenance_journal), ("state", "=", "posted")]
        elif stream in {MOVEMENTS, REVERSALS}:
            # Costs that the hub posted have the asset as their origin, too.
            own.append(("journal.code", "!=", self._settings.maintenance_journal))
        return await self._client.search_read(
            records.model,
            [*own, *domain],
            records.fields,
            order=[("id", "ASC")],
            limit=self._settings.page_size,
            context=context_of(records.model),
        )

    def _chunks(self, ids: Sequence[int]) -> Iterable[list[int]]:
        size = self._settings.page_size
        return (list(ids[start : start + size]) for start in range(0, len(ids), size))


def _records_of(stream: str) -> Records:
    if stream not in RECORDS:
        raise Stop(f"the Tryton connector has no stream {stream!r}; it has {', '.join(RECORDS)}")
    return RECORDS[stream]


def _item(stream: str, row: Mapping[str, wire.Json]) -> RawItem:
    return RawItem(stream=stream, native_id=str(row["id"]), payload=wire.dumps(dict(row)))
