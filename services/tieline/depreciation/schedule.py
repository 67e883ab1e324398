"""Schedules: the path of a book's value, cut into periods and rounded to the currency's minor unit.

Every line is rounded by itself; a line that ends at a point of the path absorbs the difference, so that the sum is
exact (Invariant 11). Points are the end of life, and the ends of fiscal years if method or convention decide years.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction

from tieline.depreciation.methods import ValuePath, value_path
from tieline.depreciation.months import last_day_before
from tieline.depreciation.service import ServiceClock, clock_of
from tieline.depreciation.terms import BY_YEAR, BookTerms, Method
from tieline.kernel.currencies import round_to_minor_unit


@dataclass(frozen=True, slots=True)
class ScheduledPeriod:
    """One line of a schedule. ``date`` is the last day of the period, or the day of the event that ended it.

    ``accumulated`` and ``nbv`` are after the line. A negative ``depreciation`` gives back what was posted too much.
    """

    date: dt.date
    depreciation: Decimal
    accumulated: Decimal
    nbv: Decimal
    posted: bool = False


@dataclass(frozen=True, slots=True)
class Anchor:
    """Where a path starts: the net book value at ``month``, the first of a period; None is the start of service."""

    nbv: Decimal
    month: int | None = None


@dataclass(frozen=True, slots=True)
class Target:
    """The net book value that the books should show at the end of a period of months ``begin`` to before ``end``."""

    begin: int
    end: int
    nbv: Decimal

    @property
    def date(self) -> dt.date:
        """Last day of the period."""
        return last_day_before(self.end)


def targets(terms: BookTerms, anchor: Anchor) -> Iterator[Target]:
    """The net book value at the end of every period from the anchor until the value is final."""
    clock = clock_of(terms)
    begin, used, path = _set_out(terms, clock, anchor)
    nbv = anchor.nbv
    final = round_to_minor_unit(path.final, terms.currency, terms.rounding)
    # Lines that are given end with the last of them; the others when their value is final.
    given = terms.method in {Method.UOP, Method.MANUAL}
    while nbv != final and not (given and begin >= clock.end):
        end = begin + terms.months_per_period
        reached = max(used, clock.used_at(Fraction(end)))
        nbv = _advance(path, nbv, used, reached, terms)
        yield Target(begin, end, nbv)
        begin, used = end, reached


def value_at_cut_off(terms: BookTerms, anchor: Anchor, day: dt.date) -> Decimal:
    """The net book value that an asset disposed of on ``day`` is left with by its convention's cut-off."""
    clock = clock_of(terms)
    _, used, path = _set_out(terms, clock, anchor)
    cut_off = max(used, clock.used_on_disposal(day))
    if terms.convention in BY_YEAR:
        # The convention decides the amount of the year of disposal: the final line absorbs the roundings of its lines.
        return round_to_minor_unit(path.at(cut_off), terms.currency, terms.rounding)
    nbv = anchor.nbv
    for target in targets(terms, anchor):
        reached = max(used, clock.used_at(Fraction(target.end)))
        if reached > cut_off:
            break
        nbv, used = target.nbv, reached
    return _advance(path, nbv, used, cut_off, terms)


def _set_out(terms: BookTerms, clock: ServiceClock, anchor: Anchor) -> tuple[int, Fraction, ValuePath]:
    begin = clock.first_period if anchor.month is None else max(anchor.month, clock.first_period)
    used = clock.used_at(Fraction(begin))
    return begin, used, value_path(terms, clock, used, Fraction(anchor.nbv))


def _advance(path: ValuePath, nbv: Decimal, used: Fraction, reached: Fraction, terms: BookTerms) -> Decimal:
    if reached <= used and reached < path.end:
        return nbv
    mark, value = path.next_landing(reached)
    landing = round_to_minor_unit(value, terms.currency, terms.rounding)
    if reached >= mark:
        return landing
    # Never past the next landing, however the roundings of the lines add up: the value never rises again.
    worn = round_to_minor_unit(path.at(used) - path.at(reached), terms.currency, terms.rounding)
    return max(nbv - worn, landing)
