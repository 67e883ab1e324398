"""How an ERP's own schedules count, in the terms of this room, so that they can be checked line by line.

An ERP tells a book's method, dates and values, not the rules by which it cuts them into lines: those are its dialect.
"""

from __future__ import annotations

import calendar
import datetime as dt
from collections.abc import Sequence
from decimal import Decimal
from enum import StrEnum
from itertools import pairwise

from tieline.depreciation.books import open_book
from tieline.depreciation.checking import LineDifference, schedule_differences
from tieline.depreciation.terms import BookTerms, Convention, DayBasis, Method
from tieline.kernel.book_records import BookFields, ScheduleLine
from tieline.kernel.currencies import Rounding
from tieline.kernel.errors import Rejected

_DAY = dt.timedelta(days=1)
_FEBRUARY = 2
_MONTH_DAYS = 31
_YEAR_DAYS = 365
_MIN_LINES = 3


class Dialect(StrEnum):
    """The rules of an ERP; a connector's manifest names one under ``objects.book.dialect``."""

    LINEAR_365 = "linear-365"  # Tryton's account.asset: equal periods, part periods by days of a year of 365


def check_schedule(dialect: Dialect, held: BookFields) -> tuple[LineDifference, ...] | None:
    """Differences of an ERP's schedule from the one its own terms give, oldest first; None where none can be computed.

    What was depreciated before the first line (an asset taken over half-way) is taken as given. Posted lines are
    documents (T12): where the whole life does not agree but the planned lines spread what the last posted line left,
    the book was revised, and agrees.
    """
    if dialect is not Dialect.LINEAR_365 or held.method != Method.SL or held.start_date is None:
        return None
    lines = sorted(held.lines, key=lambda line: line.date)
    periods = _periods_per_year(lines)
    if periods is None:
        return None
    # Nobody takes back depreciation before the first line: less than nothing is a fault of the line itself.
    opening = max(lines[0].accumulated_after - lines[0].depreciation, Decimal(0))
    try:
        whole = _differences(held, lines, opening, _first_day(held.start_date, periods), periods)
        if whole and _is_revised(held, lines, periods):
            return ()
    except Rejected:
        return None
    return whole


def _is_revised(held: BookFields, lines: Sequence[ScheduleLine], periods: int) -> bool:
    posted = [line for line in lines if line.posted]
    planned = lines[len(posted) :]
    if not posted or not planned or any(line.posted for line in planned):
        return False
    last = posted[-1]
    begin = _february_start(last.date + _DAY, periods)
    return not _differences(held, planned, last.accumulated_after, begin, periods)


def _differences(
    held: BookFields, lines: Sequence[ScheduleLine], opening: Decimal, begin: dt.date, periods: int
) -> tuple[LineDifference, ...]:
    """The lines against what spreads ``gross_cost - opening`` from ``begin`` on; accumulated values as the ERP's."""
    terms = BookTerms(
        book_id=held.book_id,
        currency=held.currency,
        method=Method.SL,
        convention=Convention.NONE if periods > 1 else Convention.DAILY,
        start=begin,
        last_day=_last_day(held.end_date, periods),
        periods_per_year=periods,
        salvage=held.salvage,
        day_basis=DayBasis.NORMALISED_365,
        rounding=Rounding.HALF_EVEN,
    )
    shifted = tuple(line.model_copy(update={"accumulated_after": line.accumulated_after - opening}) for line in lines)
    reference = open_book(terms, held.gross_cost - opening)
    return tuple(
        LineDifference(
            found.period_end, found.field, _raised(found, opening, found.expected), _raised(found, opening, found.held)
        )
        for found in schedule_differences(reference, held.model_copy(update={"lines": shifted}))
    )


def _raised(found: LineDifference, opening: Decimal, value: Decimal | None) -> Decimal | None:
    return value if value is None or found.field != "accumulated_after" else value + opening


def _periods_per_year(lines: Sequence[ScheduleLine]) -> int | None:
    """12 or 1 by how far whole periods lie apart; None where the lines are too few, or neither, to tell.

    The last line ends with the life, not with a period, so its distance says nothing.
    """
    if len(lines) < _MIN_LINES:
        return None
    shortest = min((after.date - before.date).days for before, after in pairwise(lines[:-1]))
    if shortest <= _MONTH_DAYS:
        return 12
    return 1 if shortest >= _YEAR_DAYS else None


def _first_day(start: dt.date, periods: int) -> dt.date:
    """The start that these terms must be told: the ERP never gives the last day of a period a line of its own."""
    last = dt.date(start.year, 12, 31) if periods == 1 else start.replace(day=_days_in_month(start))
    return start + _DAY if start == last else _february_start(start, periods)


def _february_start(start: dt.date, periods: int) -> dt.date:
    # A part of a leap February is its days with the 29th, of 28: one more than a year of 365 has left.
    leap = start.month == _FEBRUARY and calendar.isleap(start.year) and start.day > 1
    return start - _DAY if leap and periods > 1 else start


def _last_day(end: dt.date | None, periods: int) -> dt.date | None:
    # In a yearly schedule a life that ends on 29 February has that day too.
    leap = end is not None and (end.month, end.day) == (_FEBRUARY, 29)
    return end + _DAY if end is not None and leap and periods == 1 else end


def _days_in_month(day: dt.date) -> int:
    return calendar.monthrange(day.year, day.month)[1]
