"""The mid-quarter test of MACRS: it looks at a whole tax year's additions, never at one asset (IRS Publication 946)."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal

from tieline.depreciation.months import position_of, year_start
from tieline.depreciation.terms import ZERO, Convention

MID_QUARTER_SHARE = Decimal("0.40")
_FIRST_MONTH_OF_LAST_QUARTER = 9


@dataclass(frozen=True, slots=True)
class Addition:
    """Property placed in service: its depreciable basis, and the day it left again if it did.

    ``real_property`` (residential rental and non-residential real property) takes no part in the test.
    """

    placed_on: dt.date
    basis: Decimal
    disposed_on: dt.date | None = None
    real_property: bool = False


def mid_quarter_applies(additions: Iterable[Addition], year_begins: dt.date) -> bool:
    """Whether more than 40 % of the basis placed in the tax year that begins on that first of a month came in its Q4.

    Property placed in service and disposed of within the year does not count, on either side. Additions of other years
    are passed over.
    """
    first = position_of(year_begins)
    whole, last_quarter = ZERO, ZERO
    for addition in additions:
        placed = position_of(addition.placed_on)
        if addition.real_property or not first <= placed < first + 12:
            continue
        if addition.disposed_on is not None and position_of(addition.disposed_on) < first + 12:
            continue
        whole += addition.basis
        if placed >= first + _FIRST_MONTH_OF_LAST_QUARTER:
            last_quarter += addition.basis
    return last_quarter > MID_QUARTER_SHARE * whole


def macrs_convention(placed_on: dt.date, additions: Iterable[Addition], fiscal_year_start_month: int) -> Convention:
    """The convention of everything but real property placed in service in the tax year around ``placed_on``."""
    year, month = divmod(year_start(position_of(placed_on), fiscal_year_start_month), 12)
    applies = mid_quarter_applies(additions, dt.date(year, month + 1, 1))
    return Convention.MID_QUARTER if applies else Convention.HALF_YEAR
