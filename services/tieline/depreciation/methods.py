"""Methods: the net book value as a function of service used, exact, before any rounding.

Declining methods work by fiscal year: a year's amount is the rate times the balance at the year's start (at the anchor,
in the year of a change), and runs evenly within the year. MACRS is computed from its definition (IRS Publication 946,
"Figuring the Deduction Without Tables"), not from the tables.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal, localcontext
from fractions import Fraction

from tieline.depreciation.months import position_of
from tieline.depreciation.service import ServiceClock
from tieline.depreciation.terms import BY_YEAR, DECLINING, BookTerms, Method

_TWO = Fraction(2)
_MACRS_150_OVER_YEARS = 10
_MACRS_SL_OVER_YEARS = 20
_ROOT_DIGITS = 50


@dataclass(frozen=True, slots=True)
class ValuePath:
    """Net book value by service used: straight between ``points``, ``final`` from the last one on.

    Points are (service, value), service rising, value never rising; a schedule line that ends at a point lands on it.
    """

    points: tuple[tuple[Fraction, Fraction], ...]
    final: Fraction

    @property
    def end(self) -> Fraction:
        """Service at which the value is final."""
        return self.points[-1][0]

    def at(self, service: Fraction) -> Fraction:
        """The value when ``service`` is used."""
        if service >= self.end:
            return self.final
        place = bisect_left(self.points, (service,))
        after, low = self.points[place]
        if place == 0 or after == service:
            return low
        before, high = self.points[place - 1]
        return high - (high - low) * (service - before) / (after - before)

    def next_landing(self, service: Fraction) -> tuple[Fraction, Fraction]:
        """The first point at or after ``service``, with its value."""
        if service >= self.end:
            return self.end, self.final
        point = self.points[bisect_left(self.points, (service,))]
        return (self.end, self.final) if point[0] == self.end else point


def value_path(terms: BookTerms, clock: ServiceClock, used: Fraction, value: Fraction) -> ValuePath:
    """The path from ``value`` when ``used`` of the service is used, to the end of life."""
    floor = min(Fraction(terms.salvage), value)
    if terms.method is Method.NONE:
        return ValuePath(((used, value),), value)
    if terms.method is Method.MANUAL:
        return _manual(clock, used, value, floor)
    if used >= clock.life:
        return ValuePath(((used, value),), floor)
    if terms.method in DECLINING:
        return _declining(terms, clock, used, value, floor)
    base = value if terms.method is Method.SL_TO_SALVAGE else value - floor
    return _straight(terms, clock, used, value, floor, slope=base / (clock.life - used))


def annual_rate(terms: BookTerms, clock: ServiceClock, used: Fraction, value: Fraction) -> Fraction:
    """Fraction of the balance that a declining method takes in a full year; at most 1."""
    if terms.rate is not None:
        return Fraction(terms.rate)
    years = Fraction(terms.life_periods, terms.periods_per_year)
    if terms.method is Method.WDV and terms.factor is None:
        left = years * (clock.life - used) / clock.life
        return _written_down_rate(Fraction(terms.salvage), value, left)
    return min(_factor(terms, years) / years, Fraction(1))


def _factor(terms: BookTerms, years: Fraction) -> Fraction:
    if terms.factor is not None:
        return Fraction(terms.factor)
    if terms.method is Method.MACRS and years > _MACRS_SL_OVER_YEARS:
        return Fraction(1)
    if terms.method is Method.MACRS and years > _MACRS_150_OVER_YEARS:
        return Fraction(3, 2)
    return _TWO


def _written_down_rate(salvage: Fraction, value: Fraction, years: Fraction) -> Fraction:
    # 1 - (salvage / value) ** (1 / years); the root is irrational, 50 digits outlast any rounding to cents.
    if salvage >= value:
        return Fraction(0)
    ratio = salvage / value
    with localcontext() as context:
        context.prec = _ROOT_DIGITS
        exponent = Decimal(years.denominator) / Decimal(years.numerator)
        root = (Decimal(ratio.numerator) / Decimal(ratio.denominator)) ** exponent
    return 1 - Fraction(root)


def _straight(
    terms: BookTerms, clock: ServiceClock, used: Fraction, value: Fraction, floor: Fraction, *, slope: Fraction
) -> ValuePath:
    if slope == 0:
        return ValuePath(((used, value),), floor)
    end = used + (value - floor) / slope
    points = [(used, value)]
    # A convention that decides a year's share makes the year's amount exact, not only that of the whole life.
    if terms.convention in BY_YEAR and terms.method is not Method.UOP:
        marks = (begin + length for begin, length in _years(clock))
        points += [(mark, value - slope * (mark - used)) for mark in marks if used < mark < end]
    return ValuePath((*points, (end, floor)), floor)


def _declining(terms: BookTerms, clock: ServiceClock, used: Fraction, value: Fraction, floor: Fraction) -> ValuePath:
    rate = annual_rate(terms, clock, used, value)
    switches = terms.method in {Method.DB_SWITCH_SL, Method.MACRS}
    untouched = floor if terms.method in {Method.DB, Method.DB_SWITCH_SL} else Fraction(0)
    points = [(used, value)]
    for year_begin, year_length in _years(clock):
        begin, end = max(year_begin, used), min(year_begin + year_length, clock.life)
        if end <= begin:
            continue
        amount = rate * (value - untouched) * (end - begin) / year_length
        if switches:
            amount = max(amount, (value - floor) * (end - begin) / (clock.life - begin))
        if amount > 0 and value - amount <= floor:
            points.append((begin + (end - begin) * (value - floor) / amount, floor))
            return ValuePath(tuple(points), floor)
        value -= amount
        points.append((end, value))
    return ValuePath(tuple(points), floor)


def _manual(clock: ServiceClock, used: Fraction, value: Fraction, floor: Fraction) -> ValuePath:
    amounts: dict[int, Fraction] = {}
    for period, amount in clock.entries or ():
        amounts[period] = amounts.get(period, Fraction(0)) + Fraction(amount)
    points = [(used, value)]
    for period in sorted(amounts):
        begin = clock.used_at(Fraction(period))
        end = clock.used_at(Fraction(period + clock.terms.months_per_period))
        if end <= used:
            continue
        if begin > points[-1][0]:
            points.append((begin, value))  # nothing between two entries
        value = max(value - amounts[period], floor)
        points.append((end, value))
    return ValuePath(tuple(points), value)


def _years(clock: ServiceClock) -> Iterator[tuple[Fraction, Fraction]]:
    # (service used at its start, service in the whole of it) of every fiscal year from the first to the end of life
    position = min(clock.start, position_of(clock.terms.start))
    begin, length = clock.year_of(position)
    while begin < clock.life:
        yield begin, length
        position += 12
        begin, length = clock.year_of(position)
