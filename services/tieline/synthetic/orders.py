"""Purchase orders as they are drawn, with their receipts and invoices, and what each unit must cost in the books.

Whatever order the documents come in, the books must hold the same: the cost of what was received is what was invoiced
for it, else the order's price, and each unit has its share to the minor unit, the running total rounded down (T05).
"""

from __future__ import annotations

import datetime as dt
import random
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from fractions import Fraction
from math import floor

from tieline.kernel.order_records import ProposalStatus
from tieline.synthetic.estate import CLASSES, LIMITS
from tieline.synthetic.shape import ERP, Company, Shape
from tieline.synthetic.things import Link, Method, Thing, company_of, fates

BOOKED = frozenset({ProposalStatus.CAPITALISED, ProposalStatus.LOW_VALUE})
TELLS_ASSETS = 3
"""Months after the order in which both systems tell of what was bought: every document of it has come by then."""


class Delivery(StrEnum):
    """How an order is delivered."""

    FULL = "full"
    EARLY = "early"  # told before the order itself
    SPLIT = "split"
    RETURNED = "returned"
    NONE = "none"


class Terms(StrEnum):
    """What an order is."""

    PLAIN = "plain"
    INVOICE_VALUED = "invoice-valued"  # a receipt has no value until the invoice comes (T08)
    BLANKET = "blanket"  # a framework: others call it off, it buys nothing itself (T36)
    CANCELLED = "cancelled"  # a month later, before anything came


class Billing(StrEnum):
    """How an order is invoiced."""

    EXACT = "exact"
    DIFFERENCE = "difference"
    CREDIT = "credit"
    CORRECTED = "corrected"  # a wrong invoice, its reversal, the right one
    NONE = "none"


_SPECIAL = (Terms.INVOICE_VALUED, Terms.BLANKET, Terms.CANCELLED)


@dataclass(frozen=True, slots=True)
class Line:
    """An order line; ``price`` of one unit in minor units. Without ``class_name`` it buys no asset."""

    line_id: str
    class_name: str | None
    quantity: int
    price: int

    @property
    def net(self) -> int:
        """Price of all units."""
        return self.price * self.quantity


@dataclass(frozen=True, slots=True)
class Document:
    """A receipt or an invoice, told in a month: per line its quantity and (for an invoice) net amount."""

    native_id: str
    month: int
    on: dt.date
    parts: tuple[tuple[Line, int, int], ...]
    reversal_of: str | None = None

    @property
    def sign(self) -> int:
        """-1 for a reversal."""
        return 1 if self.reversal_of is None else -1


@dataclass(frozen=True, slots=True)
class Order:
    """A purchase order of a month with all of its documents, those of the year's end included or not."""

    name: str
    company: Company
    month: int
    on: dt.date
    lines: tuple[Line, ...]
    terms: Terms
    delivery: Delivery
    billing: Billing
    receipts: tuple[Document, ...]
    invoices: tuple[Document, ...]

    @property
    def native_id(self) -> str:
        """Native id in the ERP."""
        return f"PO-{self.name}"

    @property
    def closes(self) -> int | None:
        """Month in which the ERP closes it; None if it stays open."""
        is_done = self.delivery not in {Delivery.NONE, Delivery.RETURNED} and self.billing is not Billing.NONE
        return self.month + 2 if is_done else None

    @property
    def cancelled_in(self) -> int | None:
        """Month in which the ERP cancels it, if it does."""
        return self.month + 1 if self.terms is Terms.CANCELLED else None


@dataclass(frozen=True, slots=True)
class Unit:
    """One unit of an asset line; ``cost`` in minor units, None where it is reversed, not valued yet or not there."""

    line: Line
    number: int
    status: ProposalStatus | None
    cost: int | None
    received_on: dt.date | None


def orders_of(shape: Shape, month: int) -> Iterator[Order]:
    """The orders of a month (none before the first)."""
    count = round(shape.assets * shape.rates.orders_a_month) if 1 <= month <= shape.months else 0
    return (_order(shape, month, place) for place in range(count))


def units_of(order: Order, months: int) -> Iterator[Unit]:
    """Every unit of the order's asset lines as it stands after so many months."""
    if order.terms is Terms.BLANKET:
        return
    receipts = [one for one in order.receipts if one.month <= months]
    invoices = [one for one in order.invoices if one.month <= months]
    for line in order.lines:
        if line.class_name is None:
            continue
        days = [one.on for one in receipts if one.sign > 0 for _ in range(_quantity(one, line))]
        received = sum(one.sign * _quantity(one, line) for one in receipts)
        billed = sum(one.sign * _quantity(one, line) for one in invoices)
        charged = sum(one.sign * net for one in invoices for part, _, net in one.parts if part is line)
        cost = Fraction(charged * received, billed) if billed else Fraction(line.price * received)
        for number in range(1, line.quantity + 1):
            if number > len(days):
                yield Unit(line, number, None, None, None)
            elif received == 0:
                yield Unit(line, number, ProposalStatus.REVERSED, None, None)
            elif order.terms is Terms.INVOICE_VALUED and not billed:
                yield Unit(line, number, ProposalStatus.NEW, None, days[number - 1])
            else:
                share = floor(cost * number / received) - floor(cost * (number - 1) / received)
                status = _treated(order.company, cost / received)
                yield Unit(line, number, status, share, days[number - 1])


def bought_things(shape: Shape) -> Iterator[Thing]:
    """Assets that both systems tell of because they were bought in the year."""
    for month in range(1, shape.months - TELLS_ASSETS + 1):
        for order in orders_of(shape, month):
            yield from (_thing(shape, order, unit) for unit in told_units(shape, order))


def told_units(shape: Shape, order: Order) -> list[Unit]:
    """Units that become assets within the year."""
    if order.month + TELLS_ASSETS > shape.months:
        return []
    return [unit for unit in units_of(order, shape.months) if unit.status in BOOKED]


def unit_ref(unit: Unit) -> str:
    """``system/line id/unit``."""
    return f"{ERP}/{unit.line.line_id}/{unit.number}"


def _thing(shape: Shape, order: Order, unit: Unit) -> Thing:
    name = f"{order.name}-{unit.line.line_id.rsplit('-', 1)[1]}-{unit.number}"
    start = order.month + TELLS_ASSETS
    return Thing(
        name=name,
        company=order.company,
        class_name=unit.line.class_name or "",
        number=f"B-{name}",
        link=Link.ORDER,
        identical=False,
        cost=unit.cost or 0,
        method=Method.LOW_VALUE if unit.status is ProposalStatus.LOW_VALUE else Method.SL,
        life=60,
        age=0,
        start=start,
        fates=fates(shape, ("fates", name), start + 1),
        po_line_ref=unit_ref(unit),
        acquired_on=unit.received_on,
    )


def _treated(company: Company, unit_cost: Fraction) -> ProposalStatus:
    capitalise, low_value = LIMITS[company.currency]
    if unit_cost >= capitalise:
        return ProposalStatus.CAPITALISED
    return ProposalStatus.LOW_VALUE if unit_cost >= low_value else ProposalStatus.EXPENSED


def _quantity(document: Document, line: Line) -> int:
    return sum(quantity for part, quantity, _ in document.parts if part is line)


def _order(shape: Shape, month: int, place: int) -> Order:
    dice = shape.dice("order", month, place)
    company, _ = company_of(dice.randrange(10))
    name = f"{month:02}-{place:05}"
    lines = tuple(
        _line(shape, dice, company, f"{name}-{number}") for number in range(1, dice.choice((1, 2, 3, 3, 4, 5)) + 1)
    )
    delivery = dice.choices(tuple(Delivery), (60, 5, 20, 5, 10))[0]
    billing = dice.choices(tuple(Billing), (60, 15, 10, 5, 10))[0]
    terms = dice.choice(_SPECIAL) if dice.random() < shape.rates.special_orders else Terms.PLAIN
    if terms is Terms.CANCELLED:
        delivery, billing = Delivery.NONE, Billing.NONE
    days = {n: company.period(n).day(dice) for n in range(month, min(month + 2, shape.months) + 1)}
    told = (month if delivery is Delivery.EARLY else month + 1, month + 2)
    receipts = tuple(_receipts(name, told, lines, delivery, days))
    invoices = tuple(_invoices(name, told, lines, billing, days))
    return Order(name, company, month, days[month], lines, terms, delivery, billing, receipts, invoices)


def _line(shape: Shape, dice: random.Random, company: Company, name: str) -> Line:
    buys_asset = dice.random() < shape.rates.asset_lines
    low, high = LIMITS[company.currency][1] // 2, LIMITS[company.currency][0] * 3
    quantity = dice.randrange(1, 5) if buys_asset else dice.randrange(1, 50)
    price = dice.randrange(low, high) if buys_asset else dice.randrange(100, low)
    return Line(f"POL-{name}", dice.choice(CLASSES) if buys_asset else None, quantity, price)


def _receipts(
    name: str, told: tuple[int, int], lines: tuple[Line, ...], delivery: Delivery, days: dict[int, dt.date]
) -> Iterator[Document]:
    """The receipts of the order, told in the first month or the second, as far as the year goes."""
    whole = tuple((line, line.quantity, 0) for line in lines)
    first, second = told
    if delivery is Delivery.NONE or first not in days:
        return
    if delivery is Delivery.SPLIT:
        yield Document(f"GR-{name}-1", first, days[first], tuple((ln, (n + 1) // 2, 0) for ln, n, _ in whole))
        rest = tuple((ln, n // 2, 0) for ln, n, _ in whole if n // 2)
        if rest and second in days:
            yield Document(f"GR-{name}-2", second, days[second], rest)
        return
    yield Document(f"GR-{name}-1", first, days[first], whole)
    if delivery is Delivery.RETURNED and second in days:
        yield Document(f"GR-{name}-2", second, days[second], whole, f"GR-{name}-1")


def _invoices(
    name: str, told: tuple[int, int], lines: tuple[Line, ...], billing: Billing, days: dict[int, dt.date]
) -> Iterator[Document]:
    """The invoices of the order, told in the first month or the second, as far as the year goes."""
    right = tuple((line, line.quantity, line.net) for line in lines)
    first, second = told
    if billing is Billing.NONE or first not in days:
        return
    charged = right
    if billing is Billing.DIFFERENCE:
        charged = tuple((line, n, net + max(net // 33, 1)) for line, n, net in right)
    elif billing is Billing.CORRECTED:
        charged = tuple((line, n, net * 2) for line, n, net in right)
    yield Document(f"IV-{name}-1", first, days[first], charged)
    if second not in days:
        return
    if billing is Billing.CREDIT:
        yield Document(f"IV-{name}-2", second, days[second], tuple((line, 0, -(net // 21)) for line, _, net in right))
    elif billing is Billing.CORRECTED:
        yield Document(f"IV-{name}-2", second, days[second], charged, f"IV-{name}-1")
        yield Document(f"IV-{name}-3", second, days[second], right)
