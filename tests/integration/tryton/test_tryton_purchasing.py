"""Receipts, invoices and depreciation runs of a real Tryton, made the way its users make them."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from decimal import Decimal

import pytest
from tests.parts.tryton import TrytonPart

from tieline.connectors.tryton import demo, demo_purchasing
from tieline.connectors.tryton.client import TrytonClient
from tieline.connectors.tryton.mapping import INVOICES, RECEIPTS, RUNS
from tieline.kernel.book_records import BookReport, DepreciationRunReport
from tieline.kernel.order_records import InvoiceReport, OrderReport, ReceiptReport
from tieline.kernel.protocols import Connector, Page
from tieline.kernel.reports import Report

pytestmark = pytest.mark.integration
ORDERED = dt.date(2025, 1, 2)


@pytest.fixture
def connector(connecting: Callable[..., Connector]) -> Connector:
    return connecting(read_timeout_secs=20, reported_references=[])


class Reading:
    """What the source says from one look to the next."""

    def __init__(self, connector: Connector) -> None:
        self._connector = connector
        self._page = Page((), {}, more=True)

    async def reports(self, kind: type[Report]) -> list[Report]:
        """The reports of a kind since the look before."""
        found: list[Report] = []
        more = True
        while more:
            self._page = await self._connector.source.read_changes(self._page.position, 60)
            assert len(self._page.items) <= 60
            found += [report for item in self._page.items for report in self._connector.map_item(item)]
            more = self._page.more
        return [report for report in found if type(report) is kind]


async def order(client: TrytonClient, part: TrytonPart) -> tuple[int, list[int]]:
    """An approved order of three computers and a service."""
    lines = [
        demo.Bought("COMPUTER", Decimal(3), Decimal("500.00")),
        demo.Bought("SUPPLIES", Decimal(2), Decimal("10.50")),
    ]
    made = await demo.create_order(client, part.known_settings(), lines, supplier="Blue River Computers", day=ORDERED)
    await demo.approve_order(client, made[0])
    return made


def goods(reports: list[Report]) -> list[tuple[str, str, str | None]]:
    return [
        (r.origin.native_id, f"{r.fields.lines[0].accepted:f}", r.fields.reversal_of)
        for r in reports
        if isinstance(r, ReceiptReport)
    ]


async def test_part_receipts_and_what_is_sent_back_are_seen(
    connector: Connector, client: TrytonClient, part: TrytonPart
) -> None:
    number, (computers, supplies) = await order(client, part)
    reading = Reading(connector)
    [said] = [r for r in await reading.reports(OrderReport) if r.origin.native_id == str(number)]
    assert isinstance(said, OrderReport)
    assert [(line.line_id, line.gr_expected) for line in said.fields.lines] == [
        (str(computers), True),
        (str(supplies), False),
    ]
    first = await demo_purchasing.receive_goods(client, computers, day=dt.date(2025, 1, 10), quantity=Decimal(2))
    [report] = await reading.reports(ReceiptReport)
    assert isinstance(report, ReceiptReport)
    assert (report.fields.order_native_id, report.fields.received_on) == (str(number), dt.date(2025, 1, 10))
    assert report.fields.number is not None
    second = await demo_purchasing.receive_goods(client, computers, day=dt.date(2025, 1, 12))
    assert goods(await reading.reports(ReceiptReport)) == [(str(second), "1", None)]
    returned = await demo_purchasing.return_order(client, number)
    await demo.approve_order(client, returned)
    [line] = await client.search(
        "purchase.line", [("purchase", "=", returned), ("product.code", "=", "COMPUTER")], limit=1
    )
    back = await demo_purchasing.send_back(client, line, day=dt.date(2025, 2, 1))
    assert goods(await reading.reports(ReceiptReport)) == [
        (f"{back}|{second}", "1", str(second)),
        (f"{back}|{first}", "2", str(first)),
    ]
    assert await reading.reports(ReceiptReport) == []
    whole = [item.native_id async for item in connector.source.read_all(RECEIPTS)]
    assert whole == [str(move) for move in sorted((first, second, back))]


async def test_an_invoice_is_seen_when_posted_credited_and_cancelled(
    connector: Connector, client: TrytonClient, part: TrytonPart
) -> None:
    number, (computers, _) = await order(client, part)
    reading = Reading(connector)
    await reading.reports(InvoiceReport)
    invoice = await demo_purchasing.post_invoice(client, computers, day=dt.date(2025, 1, 15))
    [report] = await reading.reports(InvoiceReport)
    assert isinstance(report, InvoiceReport)
    assert report.origin.native_id == f"{invoice}|{number}"
    assert (report.fields.net_total, report.fields.invoiced_on) == (Decimal("1521.00"), dt.date(2025, 1, 15))
    assert [line.quantity for line in report.fields.lines] == [3, 2]
    credit = await demo_purchasing.credit_invoice(client, invoice, day=dt.date(2025, 1, 20))
    [taken] = await reading.reports(InvoiceReport)
    assert isinstance(taken, InvoiceReport)
    assert (taken.origin.native_id, taken.fields.reversal_of) == (
        f"{credit}|{number}|{invoice}",
        f"{invoice}|{number}",
    )
    assert taken.fields.net_total == Decimal("1521.00")
    other, (line, _) = await order(client, part)
    wrong = await demo_purchasing.post_invoice(client, line, day=dt.date(2025, 1, 16))
    await demo_purchasing.cancel_invoice(client, wrong)
    both = [r for r in await reading.reports(InvoiceReport) if isinstance(r, InvoiceReport)]
    assert [(r.origin.native_id, r.fields.reversal_of) for r in both] == [
        (f"{wrong}|{other}", None),
        (f"{wrong}|{other}|cancelled", f"{wrong}|{other}"),
    ]
    assert len([item async for item in connector.source.read_all(INVOICES)]) == 3


async def test_t33_the_ledger_counts_a_run_as_the_books_have_it(
    connector: Connector, client: TrytonClient, part: TrytonPart
) -> None:
    reading = Reading(connector)
    await reading.reports(DepreciationRunReport)
    for value in ("1000.00", "777.77"):
        await demo.book_asset(
            client, part.known_settings(), asset_class="COMPUTER", value=Decimal(value), start=dt.date(2025, 1, 15)
        )
    await demo.post_depreciation(client, dt.date(2025, 2, 28))
    runs = [r for r in await reading.reports(DepreciationRunReport) if isinstance(r, DepreciationRunReport)]
    books = [
        report
        async for item in connector.source.read_all("assets")
        for report in connector.map_item(item)
        if isinstance(report, BookReport)
    ]
    assert sorted(run.fields.period for run in runs) == ["2025-001", "2025-002"]
    for run in runs:
        posted = [
            line.depreciation
            for book in books
            for line in book.fields.lines
            if line.posted and line.posting_period == run.fields.period
        ]
        assert (run.fields.expected_count, run.fields.control_total) == (len(posted), sum(posted, Decimal(0)))
    assert len([item async for item in connector.source.read_all(RUNS)]) == 2
    assert await connector.source.read_one(RUNS, "1") is None, "a period without depreciation has no run"
