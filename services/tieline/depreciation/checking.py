"""An ERP's schedule against the reference, line by line and to the minor unit; one book with the same book only."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal

from tieline.depreciation.books import Book, schedule
from tieline.depreciation.months import last_day_before
from tieline.depreciation.service import ServiceClock, clock_of
from tieline.depreciation.terms import ZERO
from tieline.kernel.book_records import BookFields
from tieline.kernel.errors import Rejected


@dataclass(frozen=True, slots=True)
class LineDifference:
    """One value of one period that differs. ``period_end`` is its last day; None stands for a line that is not there.

    ``field`` is ``depreciation``, ``accumulated_after`` or ``net_book_value_after``.
    """

    period_end: dt.date
    field: str
    expected: Decimal | None
    held: Decimal | None


@dataclass(frozen=True, slots=True)
class _Period:
    depreciation: Decimal
    accumulated_after: Decimal
    net_book_value_after: Decimal


_Line = tuple[dt.date, Decimal, Decimal, Decimal]


def schedule_differences(reference: Book, held: BookFields) -> tuple[LineDifference, ...]:
    """Differences of the ERP's lines from the reference, by period, oldest first; empty when they agree.

    Lines meet by the period they fall in, whichever of its days they carry; two in one period are added up. A line of
    zero and no line are the same. Raises Rejected when the two are not the same book in the same currency.
    """
    terms = reference.terms
    for field, ours, theirs in (
        ("book_id", terms.book_id, held.book_id),
        ("currency", terms.currency, held.currency),
    ):
        if ours != theirs:
            raise Rejected(f"{theirs} against {ours}", field=field, remedy="compare a book with the same book")
    clock = clock_of(terms)
    expected = _by_period(clock, [(x.date, x.depreciation, x.accumulated, x.nbv) for x in schedule(reference)])
    found = _by_period(
        clock, [(x.date, x.depreciation, x.accumulated_after, x.net_book_value_after) for x in held.lines]
    )
    return tuple(
        difference
        for month in sorted(expected.keys() | found.keys())
        for difference in _differing(
            last_day_before(month + terms.months_per_period), expected.get(month), found.get(month)
        )
    )


def _by_period(clock: ServiceClock, lines: Sequence[_Line]) -> dict[int, _Period]:
    periods: dict[int, _Period] = {}
    for date, depreciation, accumulated, nbv in sorted(lines, key=lambda line: line[0]):
        month = clock.period_of(date)
        before = periods[month].depreciation if month in periods else ZERO
        periods[month] = _Period(before + depreciation, accumulated, nbv)
    return periods


def _differing(period_end: dt.date, expected: _Period | None, held: _Period | None) -> Iterator[LineDifference]:
    if expected is None or held is None:
        there = expected or held
        if there is not None and there.depreciation:
            ours = None if expected is None else expected.depreciation
            theirs = None if held is None else held.depreciation
            yield LineDifference(period_end, "depreciation", ours, theirs)
        return
    for field in ("depreciation", "accumulated_after", "net_book_value_after"):
        ours, theirs = getattr(expected, field), getattr(held, field)
        if ours != theirs:
            yield LineDifference(period_end, field, ours, theirs)
