"""All 4,012 orders of the AdventureWorks sample: the books the processors make equal a separate reading of the files.

The rule, counted here from the files alone, without the product's code:

* Header status 1 is pending, 2 approved, 3 rejected, 4 complete (approved and closed). Every row of the detail is one
  line with one receipt: ReceivedQty came on ModifiedDate, RejectedQty failed, StockedQty was accepted.
* A line costs OrderQty times UnitPrice, rounded to the cent, halves to the even cent. Lines with a unit price of at
  least 40 are class MACHINE, the others PARTS. Machines bear 8 % tax that is not recovered (rounded the same way), and
  it is cost; the tax on parts is recovered and is none.
* Up to 10 units ordered are one record each; more are one record for every 500 units, the last one smaller.
  Accepted units fill the records in turn.
* Machines whose unit costs at least 50.00 are capitalised, the others are low value. A line of parts of at least
  17,319.22 as a whole, which 192 lines cost exactly, is capitalised; all other parts are expensed.
* Accepted units of a line cost their share of the line, rounded down to the cent if they are not all of it.
* Nothing of an order that is not approved is decided: what it received is on hold.
"""

from __future__ import annotations

import csv
import datetime as dt
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import ROUND_DOWN, ROUND_HALF_EVEN, Decimal
from pathlib import Path
from typing import Any

import pytest
from tests.unit.processors.bench import AM, ERP, NOW, Hub, landscape, named, origin

from tieline.kernel.landscape import Landscape
from tieline.kernel.order_records import (
    AcquisitionEvent,
    ApprovalStatus,
    OrderFields,
    OrderLine,
    OrderReport,
    Progress,
    ProposedAsset,
    ReceiptFields,
    ReceiptLine,
    ReceiptReport,
    ReceiptState,
)

FOLDER = Path(__file__).parents[4] / "shared" / "data" / "adventureworks-purchasing"
APPROVAL = {"1": "PENDING", "2": "APPROVED", "3": "REJECTED", "4": "APPROVED"}
CENT, TAX = Decimal("0.01"), Decimal("0.08")
MACHINE_PRICE, MACHINE_LIMIT, PARTS_LIMIT = Decimal(40), Decimal(50), Decimal("17319.22")
EXPLODE, CHUNK = 10, 500
FINANCIAL = ("AssetCapitalised", "AssetCostAdjusted", "AssetReclassified", "AssetCapitalisationReversed")

pytestmark = pytest.mark.skipif(
    not FOLDER.is_dir(), reason="the AdventureWorks files are not here: ../shared/data/adventureworks-purchasing"
)


@dataclass(frozen=True, slots=True)
class Line:
    """One row of PurchaseOrderDetail.csv, read by the rule above."""

    order: str
    row: str
    approved: bool
    day: dt.date
    ordered: Decimal
    price: Decimal
    received: Decimal
    rejected: Decimal
    stocked: Decimal

    @property
    def is_machine(self) -> bool:
        return self.price >= MACHINE_PRICE

    @property
    def amount(self) -> Decimal:
        return (self.ordered * self.price).quantize(CENT, ROUND_HALF_EVEN)

    @property
    def tax(self) -> Decimal:
        return (self.amount * TAX).quantize(CENT, ROUND_HALF_EVEN)

    @property
    def cost(self) -> Decimal:
        return self.amount + self.tax if self.is_machine else self.amount

    @property
    def status(self) -> str:
        if not self.approved:
            return "ON_HOLD"
        if self.is_machine:
            return "CAPITALISED" if self.cost >= MACHINE_LIMIT * self.ordered else "LOW_VALUE"
        return "CAPITALISED" if self.cost >= PARTS_LIMIT else "EXPENSED"

    @property
    def records(self) -> list[Decimal]:
        """Accepted units of each record they fill."""
        if self.ordered <= EXPLODE:
            return [Decimal(1)] * int(self.stocked)
        full, rest = divmod(int(self.stocked), CHUNK)
        return [Decimal(CHUNK)] * full + ([Decimal(rest)] if rest else [])

    @property
    def booked(self) -> Decimal:
        """Cost of the accepted units; nothing while they are on hold."""
        if not self.approved:
            return Decimal(0)
        return (self.cost * self.stocked / self.ordered).quantize(CENT, ROUND_DOWN)


def table(name: str) -> Iterator[list[str]]:
    """The rows of a file: tab-separated, no header."""
    with (FOLDER / name).open(encoding="ascii", newline="") as file:
        yield from csv.reader(file, delimiter="\t")


def read_lines(headers: dict[str, list[str]]) -> list[Line]:
    """Every line of every order."""
    return [
        Line(
            order=row[0],
            row=row[1],
            approved=APPROVAL[headers[row[0]][2]] == "APPROVED",
            day=dt.date.fromisoformat(row[10][:10]),
            ordered=Decimal(row[3]),
            price=Decimal(row[5]),
            received=Decimal(row[7]),
            rejected=Decimal(row[8]),
            stocked=Decimal(row[9]),
        )
        for row in table("PurchaseOrderDetail.csv")
    ]


def estate() -> Landscape:
    """Two systems, and the rule above as data."""
    dollars = {"currency": "USD"}
    rules: list[dict[str, Any]] = [
        {"name": "machine", "asset_class": "MACHINE", "threshold": "50.00", "treatment": "CAPITALISE", **dollars},
        {"name": "small machine", "asset_class": "MACHINE", "treatment": "LOW_VALUE"},
        {"name": "stock", "threshold": "17319.22", "per": "line", "treatment": "CAPITALISE", **dollars},
        {"name": "parts", "treatment": "EXPENSE"},
    ]
    capitalisation = {"explode_up_to_units": EXPLODE, "chunk_units": CHUNK, "rules": rules}
    # Without the flow that carries shells to asset management: they are no part of the books.
    raw = landscape([("asset", AM, ERP)]).model_dump() | {"capitalisation": capitalisation}
    return Landscape.model_validate(raw)


def order_report(header: list[str], lines: list[Line]) -> OrderReport:
    """An order as an ERP would report it."""
    fields = OrderFields(
        company="AW",
        po_number=header[0],
        supplier=header[4],
        currency="USD",
        order_date=dt.date.fromisoformat(header[6][:10]),
        approval_status=ApprovalStatus(APPROVAL[header[2]]),
        net_total=sum((line.amount for line in lines), Decimal(0)),
        lines=tuple(
            OrderLine(
                line_id=line.row,
                line_no=place,
                description=f"row {line.row}",
                asset_class="MACHINE" if line.is_machine else "PARTS",
                quantity=line.ordered,
                unit_price=line.price,
                net_amount=line.amount,
                tax_amount=line.tax,
                recoverable_tax=Decimal(0) if line.is_machine else line.tax,
            )
            for place, line in enumerate(lines, start=1)
        ),
        fulfilment_status=Progress.ALL if header[2] == "4" else None,
        closed=header[2] == "4",
    )
    return OrderReport(origin=origin(ERP, "purchase-order", header[0]), fields=fields)


def receipt_report(line: Line) -> ReceiptReport:
    """The receipt of a row."""
    part = ReceiptLine(line_id=line.row, quantity=line.received, accepted=line.stocked, rejected=line.rejected)
    fields = ReceiptFields(order_native_id=line.order, received_on=line.day, lines=(part,))
    return ReceiptReport(origin=origin(ERP, "receipt", line.row), fields=fields)


@dataclass(frozen=True, slots=True)
class Told:
    """The files, and the hub after every order and receipt was reported to it."""

    headers: dict[str, list[str]]
    lines: list[Line]
    hub: Hub


@pytest.fixture(scope="module")
def told() -> Told:
    headers = {row[0]: row for row in table("PurchaseOrderHeader.csv")}
    lines = read_lines(headers)
    by_order: dict[str, list[Line]] = {number: [] for number in headers}
    for line in lines:
        by_order[line.order].append(line)
    hub = Hub(estate())
    for number, header in headers.items():
        reports: list[OrderReport | ReceiptReport] = [receipt_report(line) for line in by_order[number]]
        # Every other order is reported after its receipts.
        reports.insert(0 if int(number) % 2 else len(reports), order_report(header, by_order[number]))
        for report in reports:
            hub.publish(report)
        hub.rest()
    return Told(headers, lines, hub)


def test_the_files_are_the_known_ones(told: Told) -> None:
    assert Counter(header[2] for header in told.headers.values()) == {"1": 225, "2": 12, "3": 86, "4": 3689}
    assert len(told.lines) == 8845
    assert all(line.received == line.rejected + line.stocked for line in told.lines)
    assert sum(line.cost == PARTS_LIMIT and not line.is_machine for line in told.lines) == 192


def test_every_receipt_is_there_once_with_its_rejects(told: Told) -> None:
    assert told.hub.dead == []
    states = told.hub.rows(ReceiptState).values()
    assert len(states) == len(told.lines)
    [received, accepted, rejected] = [
        sum((getattr(part, name) for state in states for part in state.fields.lines), Decimal(0))
        for name in ("quantity", "accepted", "rejected")
    ]
    assert received == sum(line.received for line in told.lines)
    assert rejected == sum(line.rejected for line in told.lines)
    assert accepted == sum(line.stocked for line in told.lines)


def test_every_line_is_in_the_books_as_a_separate_reading_of_the_files_has_it(told: Told) -> None:
    found: dict[str, list[ProposedAsset]] = {}
    for row in told.hub.rows(ProposedAsset).values():
        found.setdefault(row.line_id, []).append(row)
    for line in told.lines:
        rows = sorted(found.pop(line.row, []), key=lambda row: row.unit)
        assert [row.quantity for row in rows] == line.records, line
        assert {row.status.value for row in rows} <= {line.status}, line
        assert {row.acquired_on for row in rows} <= {line.day}, line
        assert sum((row.cost.amount for row in rows if row.cost), Decimal(0)) == line.booked, line
        share = line.cost / line.ordered
        assert all(abs(row.cost.amount - share * row.quantity) < CENT for row in rows if row.cost), line
    assert found == {}


def test_the_totals_by_class_and_status_are_those_of_the_files(told: Told) -> None:
    wanted: dict[tuple[str, str], list[Decimal]] = {}
    for line in told.lines:
        if line.records:
            total = wanted.setdefault(("MACHINE" if line.is_machine else "PARTS", line.status), [Decimal(0)] * 3)
            total[0] += len(line.records)
            total[1] += line.stocked
            total[2] += line.booked
    classes = {line.row: "MACHINE" if line.is_machine else "PARTS" for line in told.lines}
    found: dict[tuple[str, str], list[Decimal]] = {}
    for row in told.hub.rows(ProposedAsset).values():
        total = found.setdefault((classes[row.line_id], row.status.value), [Decimal(0)] * 3)
        total[0] += 1
        total[1] += row.quantity
        total[2] += row.cost.amount if row.cost else 0
    assert found == wanted
    assert set(wanted) == {
        *(("MACHINE", status) for status in ("CAPITALISED", "LOW_VALUE", "ON_HOLD")),
        *(("PARTS", status) for status in ("CAPITALISED", "EXPENSED", "ON_HOLD")),
    }


def test_the_financial_documents_add_up_to_the_books(told: Told) -> None:
    events = [v.body for v in named(told.hub.written, *FINANCIAL) if isinstance(v.body, AcquisitionEvent)]
    assert {v.name for v in named(told.hub.written, *FINANCIAL)} == {"AssetCapitalised"}
    capital = [line for line in told.lines if line.status in {"CAPITALISED", "LOW_VALUE"}]
    assert len(events) == sum(len(line.records) for line in capital)
    assert sum((event.amount.amount for event in events), Decimal(0)) == sum(line.booked for line in capital)
    assert {event.accepted.recorded_at for event in events} == {NOW}


def test_t02_what_is_sent_again_changes_nothing(told: Told) -> None:
    before = told.hub.memory()
    for line in told.lines[::20]:
        report = receipt_report(line)
        again = report.model_copy(update={"origin": report.origin.model_copy(update={"source_version": "2"})})
        assert [out.topic for out in told.hub.say(again)] == ["hub.identified.report.v1"]
    assert told.hub.memory() == before
