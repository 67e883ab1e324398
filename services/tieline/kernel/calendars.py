"""Fiscal calendars as data: which fiscal period a business date falls in, and which dates a period has. Pure.

A period is never a calendar month by accident: months from any month on, or weeks (4-4-5 and its kin, with 52 or 53 of
them). Special periods 13 to 16 lie in the last regular period's dates and are used only on request, never by a date.
"""

from __future__ import annotations

import calendar
import datetime as dt
import re
from dataclasses import dataclass
from enum import IntEnum, StrEnum
from functools import lru_cache
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

REGULAR_PERIODS = 12
FIRST_YEAR, LAST_YEAR = 1000, 9998  # a fiscal year has four digits and may end in the calendar year after it
WEEK = dt.timedelta(weeks=1)
DAY = dt.timedelta(days=1)
SHORT_YEAR_WEEKS = 52
_KEY = re.compile(r"(?P<year>\d{4})-(?P<period>\d{3})")


@dataclass(frozen=True, slots=True, order=True)
class FiscalPeriodKey:
    """A period of a fiscal year. Its text is ``YYYY-PPP``; texts and keys have the same order."""

    year: int
    period: int

    def __str__(self) -> str:
        return f"{self.year:04d}-{self.period:03d}"

    @classmethod
    def parse(cls, text: str) -> FiscalPeriodKey:
        """The key of ``YYYY-PPP``. Raises ``ValueError`` for another text."""
        found = _KEY.fullmatch(text)
        if found is None:
            raise ValueError(f"{text!r} is no fiscal period; expected YYYY-PPP, e.g. 2026-003")
        return cls(int(found["year"]), int(found["period"]))


class NamedAfter(StrEnum):
    """Which calendar year gives a fiscal year that spans two its name."""

    START = "start"
    END = "end"


class Weekday(StrEnum):
    """Days of the week."""

    MONDAY = "monday"
    TUESDAY = "tuesday"
    WEDNESDAY = "wednesday"
    THURSDAY = "thursday"
    FRIDAY = "friday"
    SATURDAY = "saturday"
    SUNDAY = "sunday"


class Month(IntEnum):
    """Months that the definitions name."""

    JANUARY = 1
    DECEMBER = 12


class _Shape(BaseModel):
    """What both kinds of calendar share: closed and immutable."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    special_periods: int = Field(
        default=4, ge=0, le=4, description="Closing periods after the twelfth: 4 gives 013 to 016."
    )

    def _regular(self, key: FiscalPeriodKey) -> int:
        """The regular period whose dates the key has. Raises ``ValueError`` for a period that does not exist."""
        _check_year(key.year)
        last = REGULAR_PERIODS + self.special_periods
        if not 1 <= key.period <= last:
            raise ValueError(f"{key} is no period of this calendar; a year has 001 to {last:03d}")
        return min(key.period, REGULAR_PERIODS)


class MonthCalendar(_Shape):
    """Twelve periods of one calendar month each, from any month on."""

    kind: Literal["months"] = Field(description="Each period is a calendar month.")
    start_month: int = Field(ge=1, le=12, description="Month of period 001; 1 is January, 4 April.")
    named_after: NamedAfter = Field(
        default=NamedAfter.START, description="start: April 2026 to March 2027 is 2026; end: it is 2027."
    )

    def period_of(self, day: dt.date) -> FiscalPeriodKey:
        """The regular period of a date. Raises ``ValueError`` outside the fiscal years 1000 to 9998."""
        began = day.year if day.month >= self.start_month else day.year - 1
        year = began + self._name_offset()
        _check_year(year)
        return FiscalPeriodKey(year, (day.month - self.start_month) % REGULAR_PERIODS + 1)

    def dates_of(self, key: FiscalPeriodKey) -> tuple[dt.date, dt.date]:
        """First and last date of a period; a special one has those of period 012. Raises ``ValueError``."""
        months = self.start_month - 1 + self._regular(key) - 1
        year = key.year - self._name_offset() + months // REGULAR_PERIODS
        month = months % REGULAR_PERIODS + 1
        return dt.date(year, month, 1), dt.date(year, month, calendar.monthrange(year, month)[1])

    def _name_offset(self) -> int:
        return int(self.named_after is NamedAfter.END and self.start_month != Month.JANUARY)


class WeekCalendar(_Shape):
    """Whole weeks: quarters of 13 in a pattern, the year ending on one weekday at the end of one month.

    A year has 52 weeks, or 53 when the weekday falls so; the extra week makes one period longer.
    """

    kind: Literal["weeks"] = Field(description="Each period is four or five whole weeks.")
    pattern: Literal["4-4-5", "4-5-4", "5-4-4"] = Field(description="Weeks of the three periods of a quarter.")
    last_weekday: Weekday = Field(description="Weekday on which the year, and so every period, ends.")
    last_month: int = Field(ge=1, le=12, description="Month at whose end the year ends; 1 is January.")
    year_end: Literal["last", "nearest"] = Field(
        description="last: the last such weekday in the month; nearest: the one nearest to the month's last day."
    )
    named_after: NamedAfter = Field(
        default=NamedAfter.END, description="end: the year that ends in January 2027 is 2027; start: it is 2026."
    )
    extra_week_in: int = Field(default=12, ge=1, le=12, description="Period that has the 53rd week, if there is one.")

    def period_of(self, day: dt.date) -> FiscalPeriodKey:
        """The regular period of a date. Raises ``ValueError`` outside the fiscal years 1000 to 9998."""
        # The year ends in this calendar year, the next, or (the nearest weekday in early January) the one before.
        for closing in (day.year - 1, day.year, day.year + 1):
            if FIRST_YEAR < closing <= LAST_YEAR and day <= self._ends(closing):
                break
        else:
            raise ValueError(f"{day} is outside the fiscal years {FIRST_YEAR} to {LAST_YEAR}")
        for number, (_, last) in enumerate(self._periods(closing), start=1):
            if day <= last:
                return FiscalPeriodKey(closing - self._name_offset(), number)
        raise AssertionError("a year's last period ends on the year's last day")

    def dates_of(self, key: FiscalPeriodKey) -> tuple[dt.date, dt.date]:
        """First and last date of a period; a special one has those of period 012. Raises ``ValueError``."""
        regular = self._regular(key)
        return self._periods(key.year + self._name_offset())[regular - 1]

    def _ends(self, closing: int) -> dt.date:
        """Last day of the year whose end belongs to the calendar year ``closing``."""
        last = dt.date(closing, self.last_month, calendar.monthrange(closing, self.last_month)[1])
        back = (last.weekday() - tuple(Weekday).index(self.last_weekday)) % 7
        # Three days after the month's end are nearer than four before it.
        nearer_after = self.year_end == "nearest" and back > 3  # noqa: PLR2004  - half a week
        return last + dt.timedelta(days=7 - back) if nearer_after else last - dt.timedelta(days=back)

    def _periods(self, closing: int) -> tuple[tuple[dt.date, dt.date], ...]:
        first = self._ends(closing - 1) + DAY
        return _weeks_as_dates(first, self._ends(closing), self.pattern, self.extra_week_in)

    def _name_offset(self) -> int:
        return int(self.named_after is NamedAfter.START and self.last_month != Month.DECEMBER)


Calendar = Annotated[MonthCalendar | WeekCalendar, Field(discriminator="kind")]
CALENDAR_YEAR = MonthCalendar(kind="months", start_month=1)


@lru_cache(maxsize=256)
def _weeks_as_dates(
    first: dt.date, year_last: dt.date, pattern: str, extra_week_in: int
) -> tuple[tuple[dt.date, dt.date], ...]:
    """First and last date of the twelve periods."""
    weeks = [int(count) for count in pattern.split("-")] * 4
    weeks[extra_week_in - 1] += (year_last + DAY - first) // WEEK - SHORT_YEAR_WEEKS
    periods = []
    for count in weeks:
        last = first + count * WEEK - DAY
        periods.append((first, last))
        first = last + DAY
    return tuple(periods)


def _check_year(year: int) -> None:
    if not FIRST_YEAR <= year <= LAST_YEAR:
        raise ValueError(f"{year} is outside the fiscal years {FIRST_YEAR} to {LAST_YEAR}")
