"""Reads Tryton: what changed, one record, everything."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass

from tieline.connectors.tryton import models, wire
from tieline.connectors.tryton.client import TrytonClient
from tieline.connectors.tryton.cursors import Change, Mark, dump_marks, load_marks, micros, moment
from tieline.connectors.tryton.ledger import CONTROL_ACCOUNTS, read_accounts
from tieline.connectors.tryton.mapping import ASSETS, COSTS, PERIODS, PURCHASE_ORDERS
from tieline.connectors.tryton.settings import TrytonSettings
from tieline.kernel.errors import Stop, Unavailable
from tieline.kernel.protocols import Page, RawItem

MICROS_PER_SEC = 1_000_000


@dataclass(frozen=True, slots=True)
class Watch:
    """Rows whose creation or change means that a record of a stream changed.

    A row's ``write_date`` stays empty until it is first written, so creation and change are watched apart.
    """

    model: str
    column: str
    parent: str
    domain: tuple[object, ...] = ()

    @property
    def name(self) -> str:
        """Key of its mark in the cursor."""
        return f"{self.model}.{self.column}"


def _both(model: str, parent: str) -> tuple[Watch, Watch]:
    return Watch(model, "create_date", parent), Watch(model, "write_date", parent)


# A schedule, its postings and an order's lines change without their asset or order being written: each is watched.
WATCHES: Mapping[str, tuple[Watch, ...]] = {
    PERIODS: _both("account.period", "id"),
    ASSETS: (
        *_both("account.asset", "id"),
        *_both("account.asset.line", "asset"),
        Watch("account.move", "write_date", "origin.asset", (("origin", "like", "account.asset.line,%"),)),
    ),
    PURCHASE_ORDERS: (*_both("purchase.purchase", "id"), *_both("purchase.line", "purchase")),
}
RECORDS: Mapping[str, tuple[str, Sequence[str]]] = {
    ASSETS: ("account.asset", models.ASSET_FIELDS),
    PURCHASE_ORDERS: ("purchase.purchase", models.PURCHASE_FIELDS),
    COSTS: ("account.move", models.MOVE_FIELDS),
    PERIODS: ("account.period", models.PERIOD_FIELDS),
}


class TrytonSource:
    """The ``Source`` of one Tryton. Costs are read whole for reconciliation only: they are not Tryton's to report."""

    def __init__(self, client: TrytonClient, settings: TrytonSettings) -> None:
        self._client = client
        self._settings = settings

    async def read_changes(self, position: Mapping[str, str], limit: int) -> Page:
        """See ``Source``. Deleted records are not seen here; neither is a schedule that is only cleared."""
        share = max(1, limit // len(WATCHES))
        items: list[RawItem] = []
        cursors = dict(position)
        more = False
        for stream, watches in WATCHES.items():
            marks, parents, waiting = await self._changed(watches, load_marks(position.get(stream)), share)
            items += await self._records(stream, parents)
            cursors[stream] = dump_marks(marks)
            more = more or waiting
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
        last = 0
        while True:
            page = await self._rows(stream, [("id", ">", last)])
            if not page:
                return
            for row in page:
                if row["id"] <= last:
                    raise Unavailable(f"{stream}: Tryton's page is not in the order asked for: the read is incomplete")
                last = row["id"]
                yield _item(stream, row)

    async def _changed(
        self, watches: Sequence[Watch], marks: dict[str, Mark], limit: int
    ) -> tuple[dict[str, Mark], list[int], bool]:
        if not marks:
            marks = await self._first_marks(watches)
        found: list[tuple[Change, Watch]] = []
        waiting = False
        for watch in watches:
            changes = await self._unseen(watch, marks.get(watch.name, Mark()), limit)
            waiting = waiting or len(changes) >= limit
            found += [(change, watch) for change in changes]
        found.sort(key=lambda pair: pair[0].place)
        parents: dict[int, None] = {}
        taken: dict[str, list[Change]] = {}
        for number, (change, watch) in enumerate(found):
            if len(parents) >= limit and change.parent not in parents:
                waiting = True
                found = found[:number]
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
            )
            stamp = micros(wire.instant(newest[0][watch.column])) - window if newest else -1
            marks[watch.name] = Mark(after=(stamp, 0))
        return {watches[0].name: Mark(), **marks}

    async def _unseen(self, watch: Watch, mark: Mark, limit: int) -> list[Change]:
        stamp, row_id = mark.after
        column = watch.column
        behind: list[object]
        if stamp < 0:
            behind = [(column, "!=", None)]
        else:
            at = moment(stamp)
            behind = ["OR", (column, ">", at), [(column, "=", at), ("id", ">", row_id)]]
        fields = [column] if watch.parent == "id" else [column, watch.parent]
        rows = await self._client.search_read(
            watch.model,
            [*watch.domain, behind],
            fields,
            order=[(column, "ASC"), ("id", "ASC")],
            limit=limit + len(mark.given),
        )
        return mark.unseen(
            Change(micros(wire.instant(row[column])), row["id"], parent)
            for row in rows
            if (parent := _parent(row, watch.parent)) is not None
        )

    async def _records(self, stream: str, ids: Sequence[int]) -> list[RawItem]:
        rows: dict[int, dict[str, wire.Json]] = {}
        for start in range(0, len(ids), self._settings.page_size):
            chunk = ids[start : start + self._settings.page_size]
            rows.update({row["id"]: row for row in await self._rows(stream, [("id", "in", list(chunk))])})
        return [_item(stream, rows[found]) for found in ids if found in rows]

    async def _rows(self, stream: str, domain: Sequence[object]) -> list[dict[str, wire.Json]]:
        if stream not in RECORDS:
            raise Stop(f"the Tryton connector has no stream {stream!r}; it has {', '.join(RECORDS)}")
        model, fields = RECORDS[stream]
        company = ("company", "=", (await self._client.context())["company"])
        own: list[object] = [company]
        if stream == COSTS:
            own += [("journal.code", "=", self._settings.maintenance_journal), ("state", "=", "posted")]
        return await self._client.search_read(
            model, [*own, *domain], fields, order=[("id", "ASC")], limit=self._settings.page_size
        )


def _parent(row: Mapping[str, wire.Json], path: str) -> int | None:
    value: wire.Json = row
    *steps, last = path.split(".")
    for step in steps:
        value = value.get(f"{step}.") if isinstance(value, Mapping) else None
    found = value.get(last) if isinstance(value, Mapping) else None
    return found if isinstance(found, int) else None


def _item(stream: str, row: Mapping[str, wire.Json]) -> RawItem:
    return RawItem(stream=stream, native_id=str(row["id"]), payload=wire.dumps(dict(row)))
