"""The organisation's shape: companies and their periods, rates, chapters of the year. Pure.

The year is told in chapters. Within a chapter reports may come in any order across keys; a chapter begins when the hub
has come to rest after the one before, as months do. What a label says would otherwise depend on chance: whether a
document meets its period open or closed, and whether a foreign edit comes before or after its owner has spoken.
"""

from __future__ import annotations

import datetime as dt
import random
from collections.abc import Iterator
from dataclasses import dataclass, field
from decimal import Decimal
from enum import StrEnum
from functools import cache

YEAR = 2026
MONTHS = 12
ERP, WORKS = "erp", "works"
MAIN, TAX = "main", "tax"
BOOKS = (MAIN, TAX)
_FIRST_WEEK = dt.date(2025, 12, 28)  # the 4-4-5 year 2026 begins after the last Saturday of December 2025
_WEEKS = (4, 4, 5) * 4
_DAY = dt.timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Period:
    """A fiscal period; its first and last date belong to it."""

    name: str
    first: dt.date
    last: dt.date

    def day(self, dice: random.Random) -> dt.date:
        """Some day of it."""
        return self.first + dt.timedelta(days=dice.randrange((self.last - self.first).days + 1))


@dataclass(frozen=True, slots=True)
class Company:
    """A company: code, currency with its minor digits, and which fiscal calendar it keeps (``estate`` writes it)."""

    code: str
    currency: str
    digits: int
    calendar: str

    def period(self, month: int) -> Period:
        """The fiscal period that stands for the n-th month of the synthetic year (1 to 12)."""
        return _period(self.calendar, month)

    def amount(self, minor: int) -> Decimal:
        """So many minor units as an exact amount (Invariant 11)."""
        return Decimal(minor).scaleb(-self.digits)


@cache
def _period(calendar: str, month: int) -> Period:
    if calendar == "weeks-445":
        first = _FIRST_WEEK + dt.timedelta(weeks=sum(_WEEKS[: month - 1]))
        return Period(f"{YEAR}-{month:03}", first, first + dt.timedelta(weeks=_WEEKS[month - 1]) - _DAY)
    first = dt.date(YEAR, month, 1)
    last = (dt.date(YEAR, month + 1, 1) if month < MONTHS else dt.date(YEAR + 1, 1, 1)) - _DAY
    if calendar == "april-to-march":  # named after the year it begins in: January 2026 is 2025-010 (T11)
        name = f"{YEAR - 1}-{month + 9:03}" if month < 4 else f"{YEAR}-{month - 3:03}"  # noqa: PLR2004  - April
        return Period(name, first, last)
    return Period(f"{YEAR}-{month:03}", first, last)


COMPANIES = (
    Company("DE10", "EUR", 2, "calendar-year"),
    Company("US20", "USD", 2, "april-to-march"),
    Company("JP30", "JPY", 0, "weeks-445"),
)
REOPENS = COMPANIES[0]
"""The company that opens its last period once more, for what came too late; in the others it stays held."""
SHARES = (50, 30, 20)
"""Percent of the assets of each company."""


@dataclass(frozen=True, slots=True)
class Rates:
    """How often what happens: shares of one. The defaults are assumed for an organisation of 50,000 assets."""

    move: float = 0.03
    disposal: float = 0.006
    reinstatement: float = 0.1  # of disposals: taken back two months later
    revaluation: float = 0.002
    adjustment: float = 0.02  # a later invoice changes the cost
    late: float = 0.04  # of cost documents and disposals: told when their period is closed
    duplicate: float = 0.01  # of reports
    out_of_order: float = 0.005  # of an asset's months: an older version after a newer one
    conflict: float = 0.003  # a system edits a field that the other one owns
    reversal: float = 0.001  # of cost documents
    twice: float = 0.005  # of cost documents: the same cost comes by a second path (T30)
    identical: float = 0.05  # of assets: nothing but their numbers tells them apart (T01)
    orders_a_month: float = 0.04  # per asset
    asset_lines: float = 0.05  # of order lines buy assets: 1.5 % new ones a month
    special_orders: float = 0.12  # of orders: framework orders, cancelled ones, and such as the invoice alone values
    costs_a_month: float = 0.16  # work-order cost documents per asset


@dataclass(frozen=True, slots=True)
class Shape:
    """What is generated; the same shape gives the same reports and labels, to the byte."""

    assets: int = 50_000
    seed: int = 1
    months: int = MONTHS
    book_reports_a_year: int = 12
    rates: Rates = field(default_factory=Rates)

    def __post_init__(self) -> None:
        if self.assets < 1 or not 1 <= self.months <= MONTHS or self.book_reports_a_year not in {1, 4, 12}:
            raise ValueError("at least 1 asset, 1 to 12 months, and 12, 4 or 1 book reports a year")

    def dice(self, *name: object) -> random.Random:
        """Dice of one thing: the same however much else is generated."""
        return random.Random("/".join(map(str, (self.seed, *name))))  # noqa: S311  - reproducible data, no secrets

    def tells_books(self, month: int) -> bool:
        """Whether books are reported in this month."""
        return month % (MONTHS // self.book_reports_a_year) == 0 or month == self.months

    def has_gap(self, month: int) -> bool:
        """Whether, after this month is closed, a time comes in which nothing is open."""
        return month % 3 == 0 or month == self.months


class Kind(StrEnum):
    """What a chapter is about."""

    OPENING = "opening"  # the first period opens, both systems tell of every asset
    TRADE = "trade"  # a month's business
    CLOSE = "close"  # its periods close; the next ones open at once, or later if there is a gap
    GAP = "gap"  # late documents while no period is open
    OPEN = "open"  # the next periods open after a gap
    REOPEN = "reopen"  # after the last gap: one company's last period opens once more
    RECLOSE = "reclose"  # and closes for good


@dataclass(frozen=True, slots=True)
class Chapter:
    """A stretch of time; ``month`` 1 to 12."""

    month: int
    kind: Kind

    @property
    def name(self) -> str:
        """``03-trade``."""
        return f"{self.month:02}-{self.kind}"


def chapters(shape: Shape) -> Iterator[Chapter]:
    """The year's chapters, in order."""
    yield Chapter(1, Kind.OPENING)
    for month in range(1, shape.months + 1):
        yield Chapter(month, Kind.TRADE)
        yield Chapter(month, Kind.CLOSE)
        if shape.has_gap(month):
            yield Chapter(month, Kind.GAP)
            if month < shape.months:
                yield Chapter(month, Kind.OPEN)
    yield Chapter(shape.months, Kind.REOPEN)
    yield Chapter(shape.months, Kind.RECLOSE)


def instant(day: dt.date, hour: int, second: int = 0) -> dt.datetime:
    """A moment of a day, in UTC."""
    return dt.datetime(day.year, day.month, day.day, hour, tzinfo=dt.UTC) + dt.timedelta(seconds=second)
