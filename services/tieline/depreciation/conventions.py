"""Conventions: from when and until when depreciation counts, on acquisition and on disposal.

The rules are those of Dynamics 365 Finance ("Fixed asset depreciation conventions", and for HALF_YEAR_NEXT on disposal
the rules of its class AssetDepBookTableDepConv_HalfYearNext). DAILY and NEXT_PERIOD are not among them: NEXT_PERIOD
starts with the period after the acquisition and, as its mirror, counts the period of disposal in full. Neither does
Dynamics say how HALF_YEAR_START ends; here as it begins: a disposal in the first half counts to the start of the year,
one in the second half to its middle.
"""

from __future__ import annotations

import datetime as dt
from fractions import Fraction
from math import floor

from tieline.depreciation.months import normalised_position, period_start, position_of, same_day_later, year_start
from tieline.depreciation.terms import BookTerms, Convention, DayBasis, Method

_HALF_YEAR_MONTHS = 6
_QUARTER_MONTHS = 3
_MID_QUARTER = Fraction(3, 2)
_MID_MONTH = Fraction(1, 2)
_FIRST_HALF_DAYS = 15


def service_start(terms: BookTerms) -> Fraction:
    """Where service is deemed to start for an asset placed in service on ``terms.start``; a position in months."""
    placed = position_of(terms.start)
    year = year_start(placed, terms.fiscal_year_start_month)
    first_half = placed < year + _HALF_YEAR_MONTHS
    match terms.convention:
        case Convention.HALF_YEAR:
            return Fraction(year + _HALF_YEAR_MONTHS)
        case Convention.HALF_YEAR_START:
            return Fraction(year if first_half else year + _HALF_YEAR_MONTHS)
        case Convention.HALF_YEAR_NEXT:
            return Fraction(year if first_half else year + 12)
        case Convention.NEXT_PERIOD:
            return _next_period(placed, terms)
        case _:
            return _within_year(terms.start, terms)


def service_end(terms: BookTerms, disposed_on: dt.date) -> Fraction:
    """Where service is deemed to end for an asset disposed of on that day; a position in months.

    It may lie before the service start: then there was no service. A day of disposal itself does not count (NONE,
    DAILY), so that an asset sold on its first day has no depreciation. MACRS allows none for property placed in service
    and disposed of in one tax year (IRS Publication 946).
    """
    start = service_start(terms)
    disposed = position_of(disposed_on)
    year = year_start(disposed, terms.fiscal_year_start_month)
    placed_year = year_start(position_of(terms.start), terms.fiscal_year_start_month)
    if terms.method is Method.MACRS and year == placed_year:
        return start
    first_half = disposed < year + _HALF_YEAR_MONTHS
    match terms.convention:
        case Convention.HALF_YEAR:
            end = Fraction(year + _HALF_YEAR_MONTHS)
        case Convention.HALF_YEAR_START:
            end = Fraction(year if first_half else year + _HALF_YEAR_MONTHS)
        case Convention.HALF_YEAR_NEXT:
            end = _half_year_next_end(terms, year, first_half=first_half)
        case Convention.NEXT_PERIOD:
            end = _next_period(disposed, terms)
        case _:
            end = _within_year(disposed_on, terms)
    return end


def life_end(terms: BookTerms) -> Fraction:
    """Where the life of a book by time ends; a position in months. NONE and DAILY end on a day, as they begin."""
    if terms.convention not in {Convention.NONE, Convention.DAILY}:
        return service_start(terms) + terms.life_months
    if terms.last_day is not None:
        return _within_year(terms.last_day + dt.timedelta(days=1), terms)
    return _within_year(same_day_later(terms.start, terms.life_months), terms)


def _half_year_next_end(terms: BookTerms, year: int, *, first_half: bool) -> Fraction:
    # Same halves: none for the first, the full year for the second. Different halves: half of the year.
    placed = position_of(terms.start)
    placed_first = placed < year_start(placed, terms.fiscal_year_start_month) + _HALF_YEAR_MONTHS
    if placed_first is not first_half:
        return Fraction(year + _HALF_YEAR_MONTHS)
    return Fraction(year if first_half else year + 12)


def _within_year(day: dt.date, terms: BookTerms) -> Fraction:
    # The conventions whose acquisition and disposal rules move a date in the same way.
    position = position_of(day)
    match terms.convention:
        case Convention.FULL_MONTH:
            return Fraction(floor(position))
        case Convention.MID_MONTH_1:
            return Fraction(floor(position) if day.day <= _FIRST_HALF_DAYS else floor(position) + 1)
        case Convention.MID_MONTH_15:
            return floor(position) + _MID_MONTH
        case Convention.MID_QUARTER:
            return period_start(position, _QUARTER_MONTHS, terms.fiscal_year_start_month) + _MID_QUARTER
        case Convention.NONE if terms.day_basis is DayBasis.NORMALISED_365:
            return normalised_position(position)
        case _:
            return position


def _next_period(position: Fraction, terms: BookTerms) -> Fraction:
    months = terms.months_per_period
    start = period_start(position, months, terms.fiscal_year_start_month)
    return Fraction(start + months)
