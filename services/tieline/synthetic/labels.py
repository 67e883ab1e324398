"""What the hub must hold at the end of the year, by the systems' own ids; canonical ids are the hub's to choose."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from typing import Literal

from pydantic import Field, TypeAdapter

from tieline.kernel.asset_records import AssetFields
from tieline.kernel.order_records import ProposalStatus
from tieline.kernel.vocabulary import Amount, Code, Currency, Model, Period


class Foreign(Model):
    """A foreign edit that must be visible: the owner's value stands (Invariant 9). Values as people read them."""

    field: Code
    system: Code
    owned_value: str
    foreign_value: str


class CentreFrom(Model):
    """A cost centre from a day on (T20)."""

    day: dt.date
    cost_centre: Code


class AssetLabel(Model):
    """One asset. ``links`` are its records by system: none for a unit that is still on order."""

    label: Literal["asset"] = "asset"
    links: dict[str, str]
    fields: AssetFields
    conflicts: tuple[Foreign, ...] = ()
    cost_centres: tuple[CentreFrom, ...] = ()
    bought: bool = False


class BookLabel(Model):
    """One book; amounts in its currency, ``posted_*`` over the postings of the year.

    ``movements*`` over what was posted on it besides: opening, postings and movements give the closing, to the cent.
    """

    label: Literal["book"] = "book"
    asset_native_id: Code
    book_id: Code
    company: Code
    asset_class: Code
    currency: Currency
    gross: Amount
    accumulated: Amount
    net_book_value: Amount
    posted_count: int
    posted_sum: Amount
    movements: int = 0
    movements_cost: Amount = Decimal(0)
    movements_accumulated: Amount = Decimal(0)


class CostLabel(Model):
    """One cost document: posted (``posting_date`` only where its own period was closed), kept as duplicate, or held."""

    label: Literal["cost"] = "cost"
    native_id: Code
    company: Code
    currency: Currency
    total: Amount
    status: Literal["posted", "duplicate", "held"]
    posting_date: dt.date | None = None
    posting_period: Period | None = None


class UnitLabel(Model):
    """One unit of an order line that buys assets; ``cost`` is none once it is reversed."""

    line_id: Code
    unit: int
    status: ProposalStatus
    cost: Amount | None = None


class OrderLabel(Model):
    """One purchase order with what was received and decided of it; a framework order buys nothing itself."""

    label: Literal["order"] = "order"
    native_id: Code
    company: Code
    currency: Currency
    net_total: Amount
    closed: bool
    blanket: bool = False
    cancelled: bool = False
    receipts: int
    invoices: int
    units: tuple[UnitLabel, ...]


class RunLabel(Model):
    """One depreciation run, complete: its lines and their sum."""

    label: Literal["run"] = "run"
    company: Code
    book_id: Code
    period: Period
    count: int
    total: Amount


class PeriodLabel(Model):
    """One fiscal period and whether it is open at the end."""

    label: Literal["period"] = "period"
    company: Code
    period: Period
    status: Code


Label = AssetLabel | BookLabel | CostLabel | OrderLabel | RunLabel | PeriodLabel
LABEL: TypeAdapter[Label] = TypeAdapter(Label)


class Total(Model):
    """Sum of one thing of one company and book (or ``ledger``), of one asset class or period, in one currency."""

    name: Code = Field(description="gross, accumulated, net-book-value, depreciation, cost-posted or acquisition-cost.")
    company: Code
    book_id: Code
    group: Code
    currency: Currency
    total: Decimal


class Summary(Model):
    """Counts and sums over all labels. ``events``: by record name, where the number does not depend on arrival.

    Events of assets that were bought in the year are left out: how often their cost moves depends on which document
    comes first. Their sum does not: it is the cost of the orders' units.
    """

    assets: int
    reports: int
    conflicts: int
    held: int
    events: dict[str, int]
    totals: tuple[Total, ...]
