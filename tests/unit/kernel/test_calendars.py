"""Fiscal calendars. Expected dates are worked out by hand or published by those who use the calendar."""

from __future__ import annotations

import datetime as dt

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from tieline.kernel.calendars import CALENDAR_YEAR, FiscalPeriodKey, MonthCalendar, NamedAfter, WeekCalendar, Weekday

APRIL = MonthCalendar(kind="months", start_month=4)
APRIL_BY_END = MonthCalendar(kind="months", start_month=4, named_after=NamedAfter.END)
# The National Retail Federation's calendar: 4-5-4, to the Saturday nearest to the end of January.
RETAIL = WeekCalendar(
    kind="weeks",
    pattern="4-5-4",
    last_weekday=Weekday.SATURDAY,
    last_month=1,
    year_end="nearest",
    named_after=NamedAfter.START,
)
# A maker of computers and telephones, by its annual reports: to the last Saturday of September, the extra week in
# the first quarter.
SEPTEMBER = WeekCalendar(
    kind="weeks", pattern="4-4-5", last_weekday=Weekday.SATURDAY, last_month=9, year_end="last", extra_week_in=3
)
# To the Saturday nearest to the end of December: a year may end in January.
DECEMBER = WeekCalendar(kind="weeks", pattern="5-4-4", last_weekday=Weekday.SATURDAY, last_month=12, year_end="nearest")
ALL = (CALENDAR_YEAR, APRIL, APRIL_BY_END, RETAIL, SEPTEMBER, DECEMBER)


def day(text: str) -> dt.date:
    return dt.date.fromisoformat(text)


@pytest.mark.parametrize(
    ("calendar", "date", "expected"),
    [
        (CALENDAR_YEAR, "2026-01-01", "2026-001"),
        (CALENDAR_YEAR, "2026-12-31", "2026-012"),
        (APRIL, "2026-04-01", "2026-001"),
        (APRIL, "2026-12-31", "2026-009"),
        (APRIL, "2027-01-01", "2026-010"),
        (APRIL, "2027-03-31", "2026-012"),
        (APRIL_BY_END, "2026-03-31", "2026-012"),
        (APRIL_BY_END, "2026-04-01", "2027-001"),
        (APRIL_BY_END, "2027-01-15", "2027-010"),
    ],
)
def test_t11_a_january_date_lands_in_period_010_of_an_april_year(
    calendar: MonthCalendar, date: str, expected: str
) -> None:
    assert str(calendar.period_of(day(date))) == expected


@pytest.mark.parametrize(
    ("date", "expected"),
    [
        ("2023-01-28", "2022-012"),  # the last Saturday of a year of 52 weeks
        ("2023-01-29", "2023-001"),
        ("2023-12-30", "2023-011"),
        ("2023-12-31", "2023-012"),
        ("2024-01-27", "2023-012"),
        ("2024-02-03", "2023-012"),  # the 53rd week
        ("2024-02-04", "2024-001"),
        ("2024-03-02", "2024-001"),
        ("2024-03-03", "2024-002"),  # February had four weeks, March has five
        ("2024-04-06", "2024-002"),
        ("2024-04-07", "2024-003"),
        ("2025-02-01", "2024-012"),
        ("2025-02-02", "2025-001"),
    ],
)
def test_t11_the_retail_year_of_53_weeks(date: str, expected: str) -> None:
    assert str(RETAIL.period_of(day(date))) == expected


@pytest.mark.parametrize(
    ("date", "expected"),
    [
        ("2022-09-24", "2022-012"),
        ("2022-09-25", "2023-001"),
        ("2022-12-31", "2023-003"),  # a first quarter of 14 weeks
        ("2023-01-01", "2023-004"),
        ("2023-04-01", "2023-006"),
        ("2023-07-01", "2023-009"),
        ("2023-09-30", "2023-012"),
        ("2023-10-01", "2024-001"),
        ("2023-12-30", "2024-003"),
        ("2024-09-28", "2024-012"),
    ],
)
def test_t11_the_extra_week_falls_where_the_company_puts_it(date: str, expected: str) -> None:
    assert str(SEPTEMBER.period_of(day(date))) == expected


def test_t11_a_year_that_ends_early_in_january_keeps_its_name() -> None:
    # 2026 ends on Saturday 2 January 2027, two days after the end of December; 2027 on Saturday 1 January 2028.
    assert str(DECEMBER.period_of(day("2027-01-02"))) == "2026-012"
    assert str(DECEMBER.period_of(day("2027-01-03"))) == "2027-001"
    assert str(DECEMBER.period_of(day("2028-01-01"))) == "2027-012"
    assert DECEMBER.dates_of(FiscalPeriodKey(2027, 1)) == (day("2027-01-03"), day("2027-02-06"))


@pytest.mark.parametrize(
    ("calendar", "period", "first", "last"),
    [
        (CALENDAR_YEAR, "2024-002", "2024-02-01", "2024-02-29"),
        (APRIL, "2026-010", "2027-01-01", "2027-01-31"),
        (APRIL_BY_END, "2027-012", "2027-03-01", "2027-03-31"),
        (RETAIL, "2023-012", "2023-12-31", "2024-02-03"),
        (SEPTEMBER, "2023-003", "2022-11-20", "2022-12-31"),
        (APRIL, "2026-013", "2027-03-01", "2027-03-31"),
        (RETAIL, "2023-016", "2023-12-31", "2024-02-03"),
    ],
)
def test_t11_the_dates_of_a_period(calendar: MonthCalendar, period: str, first: str, last: str) -> None:
    assert calendar.dates_of(FiscalPeriodKey.parse(period)) == (day(first), day(last))


@settings(deadline=None)
@given(st.sampled_from(ALL), st.dates(day("1950-01-01"), day("2150-12-31")))
def test_t11_a_date_lies_in_its_period_and_never_in_a_special_one(
    calendar: MonthCalendar | WeekCalendar, date: dt.date
) -> None:
    key = calendar.period_of(date)
    first, last = calendar.dates_of(key)
    assert first <= date <= last
    assert key.period <= 12
    assert calendar.period_of(first) == calendar.period_of(last) == key
    assert calendar.period_of(last + dt.timedelta(days=1)) > key, "no gap and no overlap"
    assert FiscalPeriodKey.parse(str(key)) == key


@settings(deadline=None)
@given(st.integers(1950, 2150))
def test_a_year_of_weeks_has_52_or_53_of_them(year: int) -> None:
    for calendar in (RETAIL, SEPTEMBER, DECEMBER):
        first, _ = calendar.dates_of(FiscalPeriodKey(year, 1))
        _, last = calendar.dates_of(FiscalPeriodKey(year, 12))
        assert ((last - first).days + 1) in {52 * 7, 53 * 7}


@pytest.mark.parametrize("period", ["2026-000", "2026-017", "0999-001", "9999-001"])
def test_a_period_that_does_not_exist_has_no_dates(period: str) -> None:
    for calendar in ALL:
        with pytest.raises(ValueError, match=r"no period|outside"):
            calendar.dates_of(FiscalPeriodKey.parse(period))


def test_special_periods_exist_only_as_far_as_the_calendar_has_them() -> None:
    without = MonthCalendar(kind="months", start_month=1, special_periods=0)
    with pytest.raises(ValueError, match="001 to 012"):
        without.dates_of(FiscalPeriodKey(2026, 13))


@pytest.mark.parametrize("date", [dt.date(1, 1, 1), dt.date(999, 3, 1), dt.date.max])
def test_a_date_outside_any_year_with_four_digits_is_refused(date: dt.date) -> None:
    for calendar in (APRIL, RETAIL, DECEMBER):
        with pytest.raises(ValueError, match="outside"):
            calendar.period_of(date)


@pytest.mark.parametrize("text", ["2026-3", "2026-0003", "26-003", "2026-003 ", ""])
def test_another_text_is_no_period(text: str) -> None:
    with pytest.raises(ValueError, match="YYYY-PPP"):
        FiscalPeriodKey.parse(text)


def test_a_misspelt_calendar_is_an_error() -> None:
    with pytest.raises(ValidationError):
        MonthCalendar.model_validate({"kind": "months", "start_month": 4, "named": "end"})
