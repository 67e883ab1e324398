"""Service time: how much of its life an asset has used at a position, in months, days or units."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction

from tieline.depreciation.conventions import life_end, service_end, service_start
from tieline.depreciation.months import days_until, month_of, period_start, position_of, year_start
from tieline.depreciation.terms import BY_YEAR, BookTerms, Convention, Method


@dataclass(frozen=True, slots=True)
class ServiceClock:
    """Service used, from 0 to ``life``, in the unit the method or convention counts: months, days or units.

    Conventions that decide a whole year's share (half-year, mid-quarter) spread it evenly over the periods from the one
    the asset was placed in service to the end of that fiscal year, as Dynamics 365 does.
    """

    terms: BookTerms
    start: Fraction

    @property
    def life(self) -> Fraction:
        """Service of the whole life."""
        if self.terms.method is Method.UOP:
            return Fraction(self.terms.units_total)
        return self._between(self.start, self.end)

    @property
    def end(self) -> Fraction:
        """The position at which the life ends; for UOP and MANUAL, the end of the last entry's period."""
        entries = self.entries
        if entries is None:
            return life_end(self.terms)
        if not entries:
            return self.start
        last = max(entries, key=lambda entry: entry[0])[0]
        return Fraction(last + self.terms.months_per_period)

    @property
    def entries(self) -> list[tuple[int, Decimal]] | None:
        """For UOP and MANUAL: (first month of the period, quantity) of every entry; None for the other methods."""
        match self.terms.method:
            case Method.UOP:
                given = self.terms.usage
            case Method.MANUAL:
                given = self.terms.manual
            case Method.NONE:
                return []
            case _:
                return None
        return [(self.period_of(entry.date), entry.quantity) for entry in given]

    @property
    def first_period(self) -> int:
        """First month of the first period that has a line."""
        position = self.start
        if self._spreads:
            position = position_of(self.terms.start)
        return self._period_at(position)

    def period_of(self, day: dt.date) -> int:
        """First month of the period around ``day``."""
        return self._period_at(Fraction(month_of(day)))

    def used_at(self, position: Fraction) -> Fraction:
        """Service used when the books are at ``position``."""
        entries = self.entries
        if self.terms.method is Method.UOP and entries is not None:
            return self._units_at(position, entries)
        if position <= self.first_period:
            return Fraction(0)
        year_end = self._first_year_end
        if self._spreads and position < year_end:
            share = (position - self.first_period) / (year_end - self.first_period)
            return share * (year_end - self.start)
        return max(Fraction(0), self._between(self.start, position))

    def used_on_disposal(self, day: dt.date) -> Fraction:
        """Service used by an asset disposed of on ``day``, by the convention's cut-off."""
        entries = self.entries
        if self.terms.method is Method.UOP and entries is not None:
            # What was produced is worn, whatever the date: the period of disposal counts as far as it is recorded.
            return self._units_at(Fraction(self.period_of(day) + self.terms.months_per_period), entries)
        return self._between(self.start, service_end(self.terms, day))

    def year_of(self, position: Fraction) -> tuple[Fraction, Fraction]:
        """Service used at the start of the fiscal year around ``position``, and service in that whole year.

        The first may be negative: the part of the first year before the service start.
        """
        year = Fraction(year_start(position, self.terms.fiscal_year_start_month))
        return self._between(self.start, year), self._between(year, year + 12)

    @property
    def _first_year_end(self) -> Fraction:
        placed = position_of(self.terms.start)
        return Fraction(year_start(placed, self.terms.fiscal_year_start_month) + 12)

    @property
    def _spreads(self) -> bool:
        # Half-year-next in the second half has nothing to spread: its service starts with the next year.
        by_time = self.terms.method not in {Method.UOP, Method.MANUAL}
        return by_time and self.terms.convention in BY_YEAR and self.start < self._first_year_end

    def _period_at(self, position: Fraction) -> int:
        return period_start(position, self.terms.months_per_period, self.terms.fiscal_year_start_month)

    def _between(self, begin: Fraction, end: Fraction) -> Fraction:
        if self.terms.convention is Convention.DAILY:
            return days_until(end, self.terms.day_basis) - days_until(begin, self.terms.day_basis)
        return end - begin

    def _units_at(self, position: Fraction, entries: list[tuple[int, Decimal]]) -> Fraction:
        months = self.terms.months_per_period
        produced = sum((Fraction(units) for period, units in entries if period + months <= position), Fraction(0))
        return min(produced, Fraction(self.terms.units_total))


def clock_of(terms: BookTerms) -> ServiceClock:
    """The service clock of a book."""
    if terms.method is Method.MANUAL:
        # The lines are given: no convention moves them.
        return ServiceClock(terms, Fraction(month_of(terms.start)))
    if terms.method is Method.UOP:
        return ServiceClock(terms, Fraction(month_of(terms.start)))
    return ServiceClock(terms, service_start(terms))
