"""The time line of depreciation: positions in months since year 0, exact.

A day is the fraction ``(day - 1) / days in its month``; a whole position is the first day of a month.
"""

from __future__ import annotations

import calendar
import datetime as dt
from fractions import Fraction
from math import floor

from tieline.depreciation.terms import DayBasis

# Days before each month of a year of 365, February with 28.
_DAYS_BEFORE = (0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334)
_FEBRUARY = 1


def position_of(day: dt.date) -> Fraction:
    """Where the start of ``day`` lies."""
    return month_of(day) + Fraction(day.day - 1, calendar.monthrange(day.year, day.month)[1])


def normalised_position(position: Fraction) -> Fraction:
    """The same day in a year of 365 days: 29 February falls together with 1 March."""
    month = floor(position)
    year, month_in_year = divmod(month, 12)
    if month_in_year != _FEBRUARY:
        return position
    days = (position - month) * calendar.monthrange(year, month_in_year + 1)[1]
    return month + min(days / 28, Fraction(1))


def same_day_later(day: dt.date, months: int) -> dt.date:
    """The day of the same number ``months`` later; the first of the next month where a month is too short for it."""
    month = month_of(day) + months
    if day.day > calendar.monthrange(month // 12, month % 12 + 1)[1]:
        return first_day(month + 1)
    return first_day(month).replace(day=day.day)


def month_of(day: dt.date) -> int:
    """The position of the first day of the month of ``day``."""
    return day.year * 12 + day.month - 1


def first_day(month: int) -> dt.date:
    """The day at a whole position."""
    return dt.date(month // 12, month % 12 + 1, 1)


def last_day_before(month: int) -> dt.date:
    """The day before a whole position: the date of a period that ends there."""
    return first_day(month) - dt.timedelta(days=1)


def year_start(position: Fraction, start_month: int) -> int:
    """The first month of the fiscal year around ``position``; years begin with month ``start_month`` (1..12)."""
    return period_start(position, 12, start_month)


def period_start(position: Fraction, months: int, start_month: int) -> int:
    """The first month of the period of ``months`` around ``position``; periods divide the fiscal year."""
    offset = start_month - 1
    return floor((position - offset) / months) * months + offset


def days_until(position: Fraction, basis: DayBasis) -> Fraction:
    """Days from a fixed day in the past to ``position``; only differences mean something."""
    month = floor(position)
    year, month_in_year = divmod(month, 12)
    days = (position - month) * calendar.monthrange(year, month_in_year + 1)[1]
    if basis is DayBasis.ACTUAL:
        return first_day(month).toordinal() + days
    return 365 * year + _DAYS_BEFORE[month_in_year] + days
