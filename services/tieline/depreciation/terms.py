"""What a depreciation book is told: method, convention, life, salvage."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum

from tieline.kernel.currencies import Rounding, minor_units
from tieline.kernel.errors import Rejected

ZERO = Decimal(0)
PERIODS_PER_YEAR = (1, 2, 4, 12)


class Method(StrEnum):
    """How the depreciable value is spread over the service life."""

    SL = "SL"  # cost less salvage, evenly
    SL_TO_SALVAGE = "SL_TO_SALVAGE"  # the whole cost evenly, stopping at salvage
    DB = "DB"  # a rate of what is left of cost less salvage
    DB_SWITCH_SL = "DB_SWITCH_SL"  # as DB, then evenly as soon as that is more
    DB_TO_SALVAGE = "DB_TO_SALVAGE"  # a rate of the net book value, stopping at salvage
    DDB = "DDB"  # as DB_TO_SALVAGE at twice the straight-line rate
    WDV = "WDV"  # as DB_TO_SALVAGE at the rate that meets salvage at the end of life
    UOP = "UOP"  # by units of production
    MACRS = "MACRS"  # US tax: DB switching to SL, salvage ignored
    MANUAL = "MANUAL"  # amounts given line by line
    NONE = "NONE"  # not depreciated


class Convention(StrEnum):
    """From and until when depreciation counts; each has a rule for acquisition and one for disposal."""

    NONE = "NONE"  # the day itself, as a fraction of its month; every whole month weighs the same
    DAILY = "DAILY"  # the day itself; every period weighs its days
    FULL_MONTH = "FULL_MONTH"
    MID_MONTH_1 = "MID_MONTH_1"
    MID_MONTH_15 = "MID_MONTH_15"
    HALF_YEAR = "HALF_YEAR"
    HALF_YEAR_START = "HALF_YEAR_START"
    HALF_YEAR_NEXT = "HALF_YEAR_NEXT"
    MID_QUARTER = "MID_QUARTER"
    NEXT_PERIOD = "NEXT_PERIOD"


class DayBasis(StrEnum):
    """How DAILY counts days, and NONE those of a month it begins or ends in."""

    ACTUAL = "ACTUAL"
    NORMALISED_365 = "NORMALISED_365"  # 29 February does not count: every year has 365 days (Tryton)


class Policy(StrEnum):
    """What a change of terms does with what is already posted, which itself never changes."""

    CURRENT_PERIOD = "CURRENT_PERIOD"  # recompute from the start, the difference goes to the first open period
    REMAINING_LIFE = "REMAINING_LIFE"  # spread the present net book value over what is left of the new life


DECLINING = frozenset(
    {Method.DB, Method.DB_SWITCH_SL, Method.DB_TO_SALVAGE, Method.DDB, Method.WDV, Method.MACRS},
)
STRAIGHT = frozenset({Method.SL, Method.SL_TO_SALVAGE})
BY_YEAR = frozenset(
    {Convention.HALF_YEAR, Convention.HALF_YEAR_START, Convention.HALF_YEAR_NEXT, Convention.MID_QUARTER},
)


@dataclass(frozen=True, slots=True)
class DatedQuantity:
    """Units produced in the period that contains ``date`` (UOP), or an amount of depreciation for it (MANUAL)."""

    date: dt.date
    quantity: Decimal


@dataclass(frozen=True, slots=True, kw_only=True)
class BookTerms:
    """The terms of one depreciation book of one asset.

    ``start`` is the day the asset is available for use, never the purchase date (IAS 16.55). ``life_periods`` counts
    periods of ``12 / periods_per_year`` months. ``last_day`` is the last day of service where an ERP gives that instead
    of a number of periods: only for SL, and for NONE and DAILY, whose lives end on a day. ``rate`` is a fraction of the
    balance a year, ``factor`` a multiple of the straight-line rate; declining methods use the one given (DDB: factor 2;
    MACRS: factor 2, for lives over 10 years 1.5, over 20 years 1; WDV: the rate that meets salvage).
    ``fiscal_year_start_month`` is 1..12. ``usage`` is for UOP, with ``units_total``; ``manual`` for MANUAL.

    Raises Rejected, with the field, for terms that give no schedule.
    """

    book_id: str
    currency: str
    method: Method
    start: dt.date
    last_day: dt.date | None = None
    convention: Convention = Convention.FULL_MONTH
    life_periods: int = 0
    periods_per_year: int = 12
    salvage: Decimal = ZERO
    rate: Decimal | None = None
    factor: Decimal | None = None
    units_total: Decimal = ZERO
    usage: tuple[DatedQuantity, ...] = ()
    manual: tuple[DatedQuantity, ...] = ()
    day_basis: DayBasis = DayBasis.ACTUAL
    fiscal_year_start_month: int = 1
    rounding: Rounding = Rounding.HALF_UP

    def __post_init__(self) -> None:
        if self.periods_per_year not in PERIODS_PER_YEAR:
            raise Rejected(
                f"{self.periods_per_year} periods a year", field="periods_per_year", remedy="use 1, 2, 4 or 12"
            )
        if self.fiscal_year_start_month not in range(1, 13):
            raise Rejected("not a month", field="fiscal_year_start_month", remedy="use 1 to 12")
        check_amount(self.salvage, self.currency, "salvage")
        if self.salvage < 0:
            raise Rejected(f"negative salvage {self.salvage}", field="salvage", remedy="use zero or more")
        self._check_life()
        self._check_rate()
        self._check_lists()

    @property
    def months_per_period(self) -> int:
        """Calendar months in a period."""
        return 12 // self.periods_per_year

    @property
    def life_months(self) -> int:
        """Service life in calendar months."""
        return self.life_periods * self.months_per_period

    def _check_life(self) -> None:
        _check_finite(self.units_total, "units_total")
        if self.last_day is not None:
            if self.convention not in {Convention.NONE, Convention.DAILY} or self.method not in STRAIGHT:
                raise Rejected("a life that ends on a day", field="last_day", remedy="use SL with NONE or DAILY")
            if self.last_day < self.start:
                raise Rejected(f"{self.last_day} is before the start", field="last_day", remedy="mend one of the two")
            return
        timeless = self.method in {Method.UOP, Method.MANUAL, Method.NONE}
        if not timeless and self.life_periods < 1:
            raise Rejected(f"{self.method} with no life", field="life_periods", remedy="give at least one period")
        if self.method is Method.UOP and self.units_total <= 0:
            raise Rejected("UOP with no units", field="units_total", remedy="give the units of the whole life")

    def _check_rate(self) -> None:
        for name, number in (("rate", self.rate), ("factor", self.factor)):
            if number is not None:
                _check_finite(number, name)
        # A rate outside 0..1 would pass zero: the balance would change its sign.
        if self.rate is not None and not 0 < self.rate <= 1:
            raise Rejected(f"rate {self.rate} a year", field="rate", remedy="give a fraction over 0 and up to 1")
        if self.factor is not None and self.factor <= 0:
            raise Rejected(f"factor {self.factor}", field="factor", remedy="give more than 0")
        needs_rate = {Method.DB, Method.DB_SWITCH_SL, Method.DB_TO_SALVAGE}
        if self.method in needs_rate and self.rate is None and self.factor is None:
            raise Rejected(f"{self.method} with neither rate nor factor", field="rate", remedy="give one of the two")
        if self.method is Method.WDV and self.rate is None and self.salvage == 0:
            raise Rejected("no rate ever writes down to zero", field="rate", remedy="give a rate or a salvage")
        if self.method is Method.MACRS and self.salvage != 0:
            raise Rejected("MACRS ignores salvage", field="salvage", remedy="set it to zero in the tax book")

    def _check_lists(self) -> None:
        for name, entries in (("usage", self.usage), ("manual", self.manual)):
            for place, entry in enumerate(entries):
                _check_finite(entry.quantity, f"{name}[{place}]")
                if entry.quantity < 0:
                    raise Rejected(f"negative: {entry.quantity}", field=f"{name}[{place}]", remedy="use zero or more")
                if entry.date < self.start:
                    raise Rejected(
                        f"{entry.date} is before the start", field=f"{name}[{place}]", remedy="mend the date"
                    )
        for place, entry in enumerate(self.manual):
            check_amount(entry.quantity, self.currency, f"manual[{place}]")


def check_amount(amount: Decimal, currency: str, field: str) -> None:
    """Raise Rejected unless ``amount`` is finite and in whole minor units of ``currency`` (Invariant 11)."""
    _check_finite(amount, field)
    digits = minor_units(currency)
    if amount != round(amount, digits):
        raise Rejected(f"{amount} is finer than {currency}", field=field, remedy=f"round it to {digits} decimals")


def _check_finite(number: Decimal, field: str) -> None:
    if not number.is_finite():
        raise Rejected(f"{number} is no number", field=field, remedy="give a finite number")
