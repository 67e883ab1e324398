"""Terms and books for the tests of depreciation, and a few words to read a schedule with."""

from __future__ import annotations

import datetime as dt
from collections import defaultdict
from collections.abc import Iterable
from decimal import Decimal
from typing import Any

from tieline.depreciation.books import Book, Entry, open_book
from tieline.depreciation.schedule import ScheduledPeriod
from tieline.depreciation.terms import BookTerms, Convention, DatedQuantity, Method


def day(text: str) -> dt.date:
    return dt.date.fromisoformat(text)


def terms(**changes: Any) -> BookTerms:
    """1,200 a year over one year from 1 January 2024, straight line, unless changed."""
    values: dict[str, Any] = {
        "book_id": "main",
        "currency": "EUR",
        "method": Method.SL,
        "convention": Convention.FULL_MONTH,
        "start": day("2024-01-01"),
        "life_periods": 12,
    }
    return BookTerms(**(values | changes))


def book(cost: str, **changes: Any) -> Book:
    return open_book(terms(**changes), Decimal(cost))


def given(*entries: tuple[str, str]) -> tuple[DatedQuantity, ...]:
    return tuple(DatedQuantity(day(date), Decimal(quantity)) for date, quantity in entries)


def amounts(lines: Iterable[ScheduledPeriod]) -> list[Decimal]:
    return [line.depreciation for line in lines]


def decimals(*texts: str) -> list[Decimal]:
    return [Decimal(text) for text in texts]


def total(lines: Iterable[ScheduledPeriod]) -> Decimal:
    return sum((line.depreciation for line in lines), Decimal(0))


def by_year(lines: Iterable[ScheduledPeriod]) -> dict[int, Decimal]:
    """Depreciation by calendar year."""
    sums: dict[int, Decimal] = defaultdict(Decimal)
    for line in lines:
        sums[line.date.year] += line.depreciation
    return dict(sums)


def balances(entries: Iterable[Entry]) -> dict[str, Decimal]:
    """Sum by account, debit positive."""
    sums: dict[str, Decimal] = defaultdict(Decimal)
    for entry in entries:
        sums[entry.account.value] += entry.amount
    return dict(sums)
