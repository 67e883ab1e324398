"""The Tryton source against a real Tryton: nothing skipped, nothing invented, whatever moves behind an asset's back."""

from __future__ import annotations

import contextlib
import datetime as dt
import sqlite3
from collections.abc import Callable, Mapping
from decimal import Decimal
from pathlib import Path

import pytest
from tests.parts.tryton import TrytonPart, post_cost, write_asset

from tieline.connectors.tryton import demo, wire
from tieline.connectors.tryton.client import TrytonClient
from tieline.connectors.tryton.connector import connect
from tieline.connectors.tryton.cursors import micros, moment
from tieline.connectors.tryton.mapping import PERIODS, SNAPSHOT_STREAMS, STREAMS
from tieline.kernel.asset_records import AssetReport
from tieline.kernel.book_records import BookReport, DepreciationRunReport
from tieline.kernel.cost_records import CostReport
from tieline.kernel.errors import Stop, Unavailable
from tieline.kernel.order_records import ApprovalStatus, OrderReport
from tieline.kernel.period_records import FiscalPeriodFields, FiscalPeriodReport, PeriodStatus
from tieline.kernel.protocols import Connector, Page, RawItem
from tieline.kernel.reference_records import ReferenceReport

pytestmark = pytest.mark.integration
Position = Mapping[str, str]


@pytest.fixture
def connector(connecting: Callable[..., Connector]) -> Connector:
    return connecting(read_timeout_secs=20, reported_references=[])


async def drain(connector: Connector, position: Position, limit: int = 200) -> tuple[list[RawItem], Position]:
    """Everything there is, page by page, each page from the position of the one before."""
    items: list[RawItem] = []
    page = Page((), position, more=True)
    while page.more:
        page = await connector.source.read_changes(page.position, limit)
        assert len(page.items) <= limit
        items += page.items
    return items, page.position


def ids(items: list[RawItem], stream: str = "assets") -> list[str]:
    return [item.native_id for item in items if item.stream == stream]


async def booked(client: TrytonClient, part: TrytonPart, value: str = "1000.00", **more: str | None) -> str:
    asset = await demo.book_asset(
        client,
        part.known_settings(),
        asset_class="COMPUTER",
        value=Decimal(value),
        start=dt.date(2025, 1, 15),
        comment=more.get("comment"),
        run="draft" not in more,
    )
    return str(asset)


async def test_the_first_read_gives_everything_once_and_the_next_nothing(
    connector: Connector, client: TrytonClient, part: TrytonPart
) -> None:
    made = {await booked(client, part) for _ in range(5)}
    items, position = await drain(connector, {}, limit=12)
    given = ids(items)
    assert made <= set(given)
    assert set(given) == {item.native_id async for item in connector.source.read_all("assets")}
    again, _ = await drain(connector, position)
    assert again == []


async def test_records_of_one_transaction_are_not_lost_at_a_page_border(
    connector: Connector, client: TrytonClient, part: TrytonPart
) -> None:
    _, position = await drain(connector, {})
    first = await booked(client, part, draft=None)
    # One call, one transaction: eleven records with one and the same time stamp.
    copies = await client.write("model.account.asset.copy", [int(first)] * 11, {})
    for limit in (2, 4, 7):
        items, _ = await drain(connector, position, limit=limit)
        assert sorted(ids(items), key=int) == [first, *map(str, copies)]


async def test_a_depreciation_run_is_seen_although_no_asset_is_written(
    connector: Connector, client: TrytonClient, part: TrytonPart
) -> None:
    native = await booked(client, part)
    _, position = await drain(connector, {})
    before = await client.search_read("account.asset", [("id", "=", int(native))], ["write_date", "create_date"])
    await demo.post_depreciation(client, dt.date(2025, 2, 28))
    items, position = await drain(connector, position)
    assert native in ids(items)
    after = await client.search_read("account.asset", [("id", "=", int(native))], ["write_date", "create_date"])
    assert before == after
    found = next(item for item in items if item.native_id == native)
    _, book = connector.map_item(found)
    assert isinstance(book, BookReport)
    posted = [line for line in book.fields.lines if line.posted]
    assert [line.posting_period for line in posted] == ["2025-001", "2025-002"]
    assert all(line.document for line in posted)
    assert book.fields.accumulated == sum((line.depreciation for line in posted), Decimal(0))
    assert book.fields.net_book_value == Decimal("1000.00") - book.fields.accumulated
    assert book.fields.as_of == dt.date(2025, 2, 28)
    assert (await drain(connector, position))[0] == []


async def test_a_new_schedule_is_seen(connector: Connector, client: TrytonClient, part: TrytonPart) -> None:
    native = await booked(client, part, draft=None)
    _, position = await drain(connector, {})
    await client.write("model.account.asset.create_lines", [int(native)])
    items, _ = await drain(connector, position)
    assert ids(items) == [native]


async def test_an_edit_by_hand_is_seen(connector: Connector, client: TrytonClient, part: TrytonPart) -> None:
    native = await booked(client, part, comment="serial: SN-1")
    _, position = await drain(connector, {})
    await demo.edit(client, "account.asset", int(native), {"comment": "serial: SN-2\nlocation: Depot"})
    items, _ = await drain(connector, position)
    [report, _] = connector.map_item(items[0])
    assert isinstance(report, AssetReport)
    assert (report.fields.serial_number, report.fields.location) == ("SN-2", "Depot")
    assert len(items) == 1


async def test_an_order_is_seen_from_draft_to_approval_with_its_lines(
    connector: Connector, client: TrytonClient, part: TrytonPart
) -> None:
    _, position = await drain(connector, {})
    bought = [
        demo.Bought("COMPUTER", Decimal(2), Decimal("999.995"), "Two laptops"),
        demo.Bought("SUPPLIES", Decimal(5), Decimal("0.5555")),
    ]
    order, lines = await demo.create_order(
        client, part.known_settings(), bought, supplier="Blue River Computers", day=dt.date(2025, 5, 2)
    )
    seen: list[OrderReport] = []
    for step in (None, demo.quote_order, demo.confirm_order):
        if step is not None:
            await step(client, order)
        items, position = await drain(connector, position)
        item = next(item for item in items if item.stream == "purchase-orders")
        [report] = connector.map_item(item)
        assert isinstance(report, OrderReport)
        seen.append(report)
    statuses = [report.fields.approval_status for report in seen]
    assert statuses == [ApprovalStatus.DRAFT, ApprovalStatus.PENDING, ApprovalStatus.APPROVED]
    fields = seen[-1].fields
    assert fields.po_number
    assert fields.order_date == dt.date(2025, 5, 2)
    assert [line.line_id for line in fields.lines] == [str(line) for line in lines]
    assert [line.asset_class for line in fields.lines] == ["COMPUTER", None]
    assert [line.unit_price for line in fields.lines] == [Decimal("999.995"), Decimal("0.5555")]
    assert [line.net_amount for line in fields.lines] == [Decimal("1999.99"), Decimal("2.78")]
    assert fields.net_total == Decimal("2002.77")


async def test_an_order_line_changed_alone_is_seen(
    connector: Connector, client: TrytonClient, part: TrytonPart
) -> None:
    order, [line] = await demo.create_order(
        client,
        part.known_settings(),
        [demo.Bought("COMPUTER", Decimal(1), Decimal(10))],
        supplier="Blue River Computers",
    )
    _, position = await drain(connector, {})
    await demo.edit(client, "purchase.line", line, {"unit_price": Decimal(11)})
    items, _ = await drain(connector, position)
    assert ids(items, "purchase-orders") == [str(order)]


async def test_what_commits_late_is_still_found(
    connector: Connector, client: TrytonClient, part: TrytonPart, folder: Path
) -> None:
    """A stamp is the time of a transaction's first write; its commit may show it behind newer ones."""
    late, newer = await booked(client, part, draft=None), await booked(client, part, draft=None)
    await demo.edit(client, "account.asset", int(late), {"comment": "first"})
    _, position = await drain(connector, {})
    await demo.edit(client, "account.asset", int(newer), {"comment": "newer"})
    items, position = await drain(connector, position)
    assert ids(items) == [newer]
    rows = await client.search_read("account.asset", [("id", "=", int(newer))], ["write_date"])
    seen = wire.instant(rows[0]["write_date"])
    with contextlib.closing(sqlite3.connect(folder / "data" / "tieline.sqlite", timeout=20)) as database:
        database.execute(
            "update account_asset set write_date = ?, comment = 'late' where id = ?",
            (moment(micros(seen) - 20_000_000).strftime("%Y-%m-%d %H:%M:%S.%f"), int(late)),
        )
        database.commit()
    items, position = await drain(connector, position)
    assert ids(items) == [late]
    assert (await drain(connector, position))[0] == []


async def test_one_record_is_read_as_it_is_now(connector: Connector, client: TrytonClient, part: TrytonPart) -> None:
    native = await booked(client, part, draft=None)
    item = await connector.source.read_one("assets", native)
    assert item is not None
    assert item.native_id == native
    await demo.delete(client, "account.asset", int(native))
    for unknown in (native, "999999999", "12|main", "", "x"):
        assert await connector.source.read_one("assets", unknown) is None
    with pytest.raises(Stop, match="no stream 'parties'"):
        await connector.source.read_one("parties", "1")


async def test_a_period_is_reported_when_it_is_closed_and_when_it_is_opened_again(
    connector: Connector, client: TrytonClient
) -> None:
    items, position = await drain(connector, {})
    day = dt.date(2024, 3, 1)  # before any asset: Tryton closes no period with depreciation due
    assert {f"2024-{month:03}" for month in range(1, 13)} <= {said.period for said in periods(connector, items)}
    await demo.close_period(client, day)
    try:
        closed, position = await drain(connector, position)
    finally:
        await demo.reopen_period(client, day)
    opened, _ = await drain(connector, position)
    for items, status in ((closed, PeriodStatus.CLOSED), (opened, PeriodStatus.OPEN)):
        [said] = periods(connector, items)
        assert (said.company, said.period, said.status) == ("ACME", "2024-003", status)
        assert (said.first_date, said.last_date) == (day, dt.date(2024, 3, 31))
        assert said.changed_by is not None
        assert said.changed_by.isdecimal()


def periods(connector: Connector, items: list[RawItem]) -> list[FiscalPeriodFields]:
    reports = [report for item in items if item.stream == PERIODS for report in connector.map_item(item)]
    return [report.fields for report in reports if isinstance(report, FiscalPeriodReport)]


async def test_a_whole_read_gives_each_record_once_and_maps(connector: Connector, part: TrytonPart) -> None:
    small = connect("tryton", part.settings(page_size=3))
    await connector.sink.write(post_cost(), None)
    kinds: set[type[object]] = set()
    for stream in STREAMS:
        items = [item async for item in small.source.read_all(stream)]
        assert len({item.native_id for item in items}) == len(items)
        assert items == [item async for item in connector.source.read_all(stream)]
        kinds |= {type(report) for item in items for report in small.map_item(item)}
    assert kinds == {
        AssetReport,
        BookReport,
        OrderReport,
        CostReport,
        FiscalPeriodReport,
        DepreciationRunReport,
        ReferenceReport,
    }
    assert small.snapshot_streams == SNAPSHOT_STREAMS
    closing = small.close()
    assert hasattr(closing, "__await__")
    await closing


async def test_a_whole_read_that_breaks_off_says_so(client: TrytonClient, part: TrytonPart) -> None:
    for _ in range(3):
        await booked(client, part, draft=None)
    small = connect("tryton", part.settings(page_size=1))
    given: list[RawItem] = []
    with pytest.raises(Unavailable):  # noqa: PT012  - the error comes amid the loop
        async for item in small.source.read_all("assets"):
            given.append(item)
            if len(given) == 2:
                part.kill()
    part.start()
    items = [item async for item in small.source.read_all("assets")]
    assert len(items) > len(given)
    closing = small.close()
    assert hasattr(closing, "__await__")
    await closing


async def test_an_outage_is_no_ones_fault_and_loses_nothing(
    connector: Connector, client: TrytonClient, part: TrytonPart
) -> None:
    _, position = await drain(connector, {})
    native = await booked(client, part, draft=None)
    part.kill()
    with pytest.raises(Unavailable):
        await connector.source.read_changes(position, 10)
    part.start()
    items, _ = await drain(connector, position)
    assert ids(items) == [native]


async def test_a_frozen_system_is_an_outage(part: TrytonPart) -> None:
    hasty = connect("tryton", part.settings(read_timeout_secs=0.5, connect_timeout_secs=0.5))
    part.pause()
    try:
        with pytest.raises(Unavailable):
            await hasty.source.read_changes({}, 10)
    finally:
        part.resume()
    closing = hasty.close()
    assert hasattr(closing, "__await__")
    await closing


async def test_a_position_of_somebody_else_is_refused(connector: Connector) -> None:
    with pytest.raises(Stop, match="not one of the Tryton connector"):
        await connector.source.read_changes({"assets": "2026-01-01"}, 10)


@pytest.mark.parametrize(
    ("value", "day", "lines"),
    [
        ("1234.56", dt.date(2025, 1, 15), 37),
        ("0.35", dt.date(2025, 1, 1), 36),
        ("99999999.99", dt.date(2024, 2, 29), 36),
    ],
)
async def test_a_schedule_comes_to_the_cost_to_the_cent(
    connector: Connector, value: str, day: dt.date, lines: int
) -> None:
    cost = {"amount": Decimal(value), "currency": "EUR"}
    command = write_asset(acquisition_cost=cost, acquisition_date=day, in_service_date=day)
    native = (await connector.sink.write(command, None)).native_id
    item = await connector.source.read_one("assets", native)
    assert item is not None
    _, book = connector.map_item(item)
    assert isinstance(book, BookReport)
    schedule = book.fields.lines
    assert len(schedule) == lines
    assert sum((line.depreciation for line in schedule), Decimal(0)) == Decimal(value)
    accumulated = Decimal(0)
    for line in schedule:
        accumulated += line.depreciation
        assert line.accumulated_after == accumulated
        assert line.net_book_value_after == Decimal(value) - accumulated
    assert [line.date for line in schedule] == sorted(line.date for line in schedule)


async def test_the_known_good_schedule(connector: Connector, client: TrytonClient, part: TrytonPart) -> None:
    """1000.00 to 100.00 in two years: 24 lines of 37.50."""
    native = await demo.book_asset(
        client,
        part.known_settings(),
        asset_class="COMPUTER",
        value=Decimal("1000.00"),
        start=dt.date(2025, 1, 1),
        end=dt.date(2026, 12, 31),
        run=False,
    )
    await demo.edit(client, "account.asset", native, {"residual_value": Decimal(100)})
    await demo.run_asset(client, native)
    item = await connector.source.read_one("assets", str(native))
    assert item is not None
    _, book = connector.map_item(item)
    assert isinstance(book, BookReport)
    assert [line.depreciation for line in book.fields.lines] == [Decimal("37.50")] * 24
    assert (book.fields.salvage, book.fields.lines[-1].net_book_value_after) == (Decimal(100), Decimal(100))
