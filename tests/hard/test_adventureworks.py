"""Real input: approved orders of the AdventureWorks sample, entered into Tryton, become asset records, each once.

The rule, counted here from the files alone, without the product's code:

* Orders of Microsoft's sample company: the first 400 by PurchaseOrderID whose status is 2 (approved) or 4 (complete);
  60 of them in the suite, all with ``TIELINE_ORDERS=400``.
* A line buys assets if its OrderQty is at most 10 and its UnitPrice at least 40; every other line is an expense.
  Asset lines are ordered as product COMPUTER, expenses as SUPPLIES.
* A line's amount is OrderQty times UnitPrice (four digits), rounded to the cent, halves to the even cent: Tryton's way.
* An asset line gives one record a unit (whole quantities up to 10); their costs differ by a cent at most and add up to
  the line's amount. An expense line gives none.
"""

from __future__ import annotations

import asyncio
import csv
import datetime as dt
import os
import time
from collections.abc import Callable, Coroutine, Iterator, Sequence
from dataclasses import dataclass
from decimal import ROUND_HALF_EVEN, Decimal
from itertools import islice
from pathlib import Path
from typing import Any, TypeVar

import pytest
from tests.hard.looking import creations, dead_letters, patiently, read_books, twice
from tests.parts.estate import ROOT, Estate, eventually, start_estate

from tieline.connectors.tryton.client import TrytonClient
from tieline.connectors.tryton.wire import Quantity
from tieline.connectors.unio24.demo import Document, Unio24User
from tieline.demo.watching import watching
from tieline.stack.parts import KafkaPart, RegistryPart

FOLDER = ROOT.parent / "shared" / "data" / "adventureworks-purchasing"
ORDERS = int(os.environ.get("TIELINE_ORDERS", "60"))
SOURCE_ORDERS = 400
APPROVED = frozenset({"2", "4"})
MOST_UNITS, LEAST_PRICE = 10, Decimal(40)
CENT = Decimal("0.01")
# Small enough that Tryton's one writer is free again soon.
BATCH = 20
ARRIVAL_SECS = 600
S = TypeVar("S")
T = TypeVar("T")

pytestmark = [
    pytest.mark.integration,
    pytest.mark.timeout(1_800),
    pytest.mark.skipif(
        not FOLDER.is_dir(), reason="the AdventureWorks files are not here: ../shared/data/adventureworks-purchasing"
    ),
]


@dataclass(frozen=True, slots=True)
class Line:
    """One line of PurchaseOrderDetail.csv; ``mark`` names it in both systems."""

    mark: str
    quantity: Decimal
    unit_price: Decimal

    @property
    def is_asset(self) -> bool:
        """By the rule above."""
        return self.quantity <= MOST_UNITS and self.unit_price >= LEAST_PRICE

    @property
    def amount(self) -> Decimal:
        """Net amount, as Tryton rounds it."""
        return (self.quantity * self.unit_price).quantize(CENT, ROUND_HALF_EVEN)

    @property
    def records(self) -> int:
        """Asset records it must give."""
        if not self.is_asset:
            return 0
        return int(self.quantity) if self.quantity == int(self.quantity) else 1


@dataclass(frozen=True, slots=True)
class Order:
    """One approved order."""

    day: dt.date
    lines: Sequence[Line]


def rows(name: str) -> Iterator[list[str]]:
    """The rows of a file: tab-separated, no header."""
    with (FOLDER / name).open(encoding="ascii", newline="") as file:
        yield from csv.reader(file, delimiter="\t")


def read_orders(count: int) -> list[Order]:
    """The first ``count`` of the chosen orders, with all their lines."""
    approved = sorted((int(row[0]), row[6][:10]) for row in rows("PurchaseOrderHeader.csv") if row[2] in APPROVED)
    lines: dict[int, list[Line]] = {}
    for row in rows("PurchaseOrderDetail.csv"):
        line = Line(f"AW {row[0]}/{row[1]}", Decimal(row[3]), Decimal(row[5]))
        lines.setdefault(int(row[0]), []).append(line)
    chosen = approved[:SOURCE_ORDERS][:count]
    return [Order(dt.date.fromisoformat(day), lines[number]) for number, day in chosen]


class Desk:
    """Enters orders in bulk: many purchases a call, then quoted and confirmed together."""

    def __init__(self, client: TrytonClient) -> None:
        self._client = client
        self._header: dict[str, object] = {}
        self._products: dict[str, tuple[int, int]] = {}

    async def prepare(self) -> None:
        """Look up once what every order needs."""
        client = self._client
        party = (await client.search_read("party.party", [("name", "=", "Blue River Computers")], ["addresses"]))[0]
        company = (await client.search_read("company.company", [("party.code", "=", "ACME")], ["currency"]))[0]
        self._header = {
            "company": company["id"],
            "currency": company["currency"],
            "party": party["id"],
            "invoice_address": party["addresses"][0],
            "payment_term": (await client.search("account.invoice.payment_term", [], limit=1))[0],
            "invoice_method": "order",
        }
        for code in ("COMPUTER", "SUPPLIES"):
            product = (await client.search_read("product.product", [("code", "=", code)], ["template.purchase_uom"]))[0]
            self._products[code] = product["id"], product["template."]["purchase_uom"]

    async def create(self, orders: Sequence[Order]) -> list[int]:
        """Draft purchases: their ids."""
        values = [
            {**self._header, "purchase_date": order.day, "lines": [("create", [self._line(ln) for ln in order.lines])]}
            for order in orders
        ]
        made: list[int] = await self._client.write("model.purchase.purchase.create", values)
        return made

    def _line(self, line: Line) -> dict[str, object]:
        product, unit = self._products["COMPUTER" if line.is_asset else "SUPPLIES"]
        return {
            "type": "line",
            "product": product,
            "unit": unit,
            "quantity": Quantity(line.quantity),
            "unit_price": line.unit_price,
            "description": line.mark,
        }

    async def quote(self, orders: Sequence[int]) -> None:
        await self._client.write("model.purchase.purchase.quote", list(orders))

    async def confirm(self, orders: Sequence[int]) -> None:
        await self._client.write("model.purchase.purchase.confirm", list(orders))

    async def marks(self) -> dict[str, str]:
        """Tryton's line id to the mark of each line there is."""
        found = await self._client.search_read("purchase.line", [("type", "=", "line")], ["description"])
        return {str(row["id"]): row["description"] for row in found}

    async def states(self) -> set[str]:
        """States of the orders there are."""
        return {row["state"] for row in await self._client.search_read("purchase.purchase", [], ["state"])}


class Office:
    """The desk, and the loop its calls run on."""

    def __init__(self, estate: Estate) -> None:
        self._runner = asyncio.Runner()
        self.client = TrytonClient(estate.tryton.known_settings(max_connections=1, read_timeout_secs=300))
        self.desk = Desk(self.client)

    def run(self, call: Coroutine[Any, Any, T]) -> T:
        return self._runner.run(call)

    def _persist(self, step: Callable[[Sequence[S]], Coroutine[Any, Any, T]], batch: Sequence[S]) -> T:
        return patiently(lambda: self.run(step(batch)))

    def enter(self, orders: Sequence[Order]) -> dict[str, float]:
        """Enter and approve every order; seconds per step."""
        secs = {"create": 0.0, "quote": 0.0, "confirm": 0.0}
        self.run(self.desk.prepare())
        waiting = iter(orders)
        while batch := list(islice(waiting, BATCH)):
            began = time.monotonic()
            made = self._persist(self.desk.create, batch)
            created = time.monotonic()
            self._persist(self.desk.quote, made)
            quoted = time.monotonic()
            self._persist(self.desk.confirm, made)
            secs["create"] += created - began
            secs["quote"] += quoted - created
            secs["confirm"] += time.monotonic() - quoted
        return secs

    def close(self) -> None:
        self.run(self.client.close())
        self._runner.close()


@pytest.fixture
def estate(tmp_path: Path, empty_kafka: KafkaPart, registry_part: RegistryPart) -> Iterator[Estate]:
    with start_estate(tmp_path / "estate", empty_kafka, registry_part) as estate:
        yield estate


def test_every_unit_of_an_asset_line_becomes_one_record_and_no_expense_does(
    estate: Estate, capsys: pytest.CaptureFixture[str]
) -> None:
    orders = read_orders(ORDERS)
    lines = [line for order in orders for line in order.lines]
    wanted = sum(line.records for line in lines)
    assert len(orders) == ORDERS
    office = Office(estate)
    try:
        with estate.unio24.user() as manager:
            began = time.monotonic()
            secs = office.enter(orders)
            entered = time.monotonic()
            eventually(
                lambda: manager.stats()["assets"]["count"] >= wanted,
                f"{wanted} asset records",
                timeout_secs=ARRIVAL_SECS,
            )
            arrived = time.monotonic()
            with watching(estate.hub, "unio24", "tryton", timeout_secs=ARRIVAL_SECS, say=print) as watcher:
                watcher.until_idle()
            idle = time.monotonic()
            with capsys.disabled():
                tell(f"\n{len(orders)} orders, {len(lines)} lines, {wanted} asset records")
                tell(f"  entered in {entered - began:.1f} s: " + ", ".join(f"{k} {v:.1f}" for k, v in secs.items()))
                tell(f"  all records there {arrived - entered:.1f} s later; hub idle after {idle - arrived:.1f} s more")
            assert office.run(office.desk.states()) == {"processing"}
            check_records(lines, manager.find_assets(), office.run(office.desk.marks()))
            check_nothing_else(estate, office, manager, wanted)
    finally:
        office.close()


def tell(text: str) -> None:
    print(text)  # noqa: T201  - the durations are asked for


def check_records(lines: Sequence[Line], assets: Sequence[Document], marks: dict[str, str]) -> None:
    """One record per line and ordinal; costs to the cent, per line and in sum."""
    found: dict[str, dict[int, Decimal]] = {}
    for asset in assets:
        system, line_id, ordinal = asset["po_line_ref"].split("/")
        mark = marks[line_id]
        assert (system, asset["name"], asset["category"], asset["status"], asset["currency"]) == (
            *("tryton", mark, "COMPUTER", "ordered"),
            "EUR",
        )
        costs = found.setdefault(mark, {})
        assert int(ordinal) not in costs, f"{mark} unit {ordinal} has two records"
        costs[int(ordinal)] = Decimal(asset["purchase_cost"])
    assert {mark: sorted(costs) for mark, costs in found.items()} == {
        line.mark: list(range(1, line.records + 1)) for line in lines if line.is_asset
    }
    for line in lines:
        costs = found.get(line.mark, {})
        assert sum(costs.values(), Decimal(0)) == (line.amount if line.is_asset else 0), line
        assert max(costs.values(), default=Decimal(0)) - min(costs.values(), default=Decimal(0)) <= CENT, line
    total = sum((line.amount for line in lines if line.is_asset), Decimal(0))
    assert sum((Decimal(asset["purchase_cost"]) for asset in assets), Decimal(0)) == total


def check_nothing_else(estate: Estate, office: Office, manager: Unio24User, wanted: int) -> None:
    """Nothing was ever created twice, nothing is a fixed asset yet, nothing was dead-lettered."""
    made = creations(manager)
    assert (len(made), twice(made)) == (wanted, [])
    books = office.run(read_books(office.client))
    assert list(books.assets) == []
    assert dead_letters(estate.hub) == []
