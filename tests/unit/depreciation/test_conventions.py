"""Conventions on acquisition: where the first line falls and what it holds."""

from __future__ import annotations

from decimal import Decimal

import pytest
from tests.unit.depreciation.bench import amounts, book, by_year, day, decimals, total

from tieline.depreciation.books import plan
from tieline.depreciation.tax_year import Addition, macrs_convention, mid_quarter_applies
from tieline.depreciation.terms import Convention, DayBasis, Method


# 1,200 over 12 months: 100 a whole month. 2024 is a leap year, April has 30 days.
@pytest.mark.parametrize(
    ("convention", "start", "first", "last"),
    [
        (Convention.NONE, "2024-04-16", ("2024-04-30", "50.00"), ("2025-04-30", "50.00")),
        (Convention.FULL_MONTH, "2024-04-30", ("2024-04-30", "100.00"), ("2025-03-31", "100.00")),
        (Convention.MID_MONTH_1, "2024-04-15", ("2024-04-30", "100.00"), ("2025-03-31", "100.00")),
        (Convention.MID_MONTH_1, "2024-04-16", ("2024-05-31", "100.00"), ("2025-04-30", "100.00")),
        (Convention.MID_MONTH_15, "2024-04-01", ("2024-04-30", "50.00"), ("2025-04-30", "50.00")),
        (Convention.MID_MONTH_15, "2024-04-30", ("2024-04-30", "50.00"), ("2025-04-30", "50.00")),
        (Convention.NEXT_PERIOD, "2024-04-01", ("2024-05-31", "100.00"), ("2025-04-30", "100.00")),
    ],
)
def test_month_conventions_decide_the_first_month(
    convention: Convention, start: str, first: tuple[str, str], last: tuple[str, str]
) -> None:
    lines = plan(book("1200.00", convention=convention, start=day(start)))
    assert (lines[0].date, lines[0].depreciation) == (day(first[0]), Decimal(first[1]))
    assert (lines[-1].date, lines[-1].depreciation) == (day(last[0]), Decimal(last[1]))
    assert total(lines) == Decimal("1200.00")


# 5,000 over five years: 1,000 a full year.
@pytest.mark.parametrize(
    ("convention", "start", "first_year"),
    [
        (Convention.HALF_YEAR, "2024-01-01", "500.00"),
        (Convention.HALF_YEAR, "2024-12-31", "500.00"),
        (Convention.HALF_YEAR_START, "2024-06-30", "1000.00"),
        (Convention.HALF_YEAR_START, "2024-07-01", "500.00"),
        (Convention.HALF_YEAR_NEXT, "2024-06-30", "1000.00"),
        (Convention.MID_QUARTER, "2024-01-01", "875.00"),
        (Convention.MID_QUARTER, "2024-06-30", "625.00"),
        (Convention.MID_QUARTER, "2024-07-01", "375.00"),
        (Convention.MID_QUARTER, "2024-12-31", "125.00"),
    ],
)
@pytest.mark.parametrize("periods_per_year", [1, 12])
def test_year_conventions_decide_the_first_year(
    convention: Convention, start: str, first_year: str, periods_per_year: int
) -> None:
    lines = plan(
        book(
            "5000.00",
            convention=convention,
            start=day(start),
            life_periods=5 * periods_per_year,
            periods_per_year=periods_per_year,
        )
    )
    years = by_year(lines)
    assert years[2024] == Decimal(first_year)
    assert [years[year] for year in (2025, 2026, 2027)] == [Decimal("1000.00")] * 3
    assert total(lines) == Decimal("5000.00")


def test_half_year_next_starts_with_the_next_year_for_the_second_half() -> None:
    lines = plan(book("1200.00", convention=Convention.HALF_YEAR_NEXT, start=day("2024-07-01")))
    assert lines[0].date == day("2025-01-31")
    assert amounts(lines) == [Decimal("100.00")] * 12


def test_halves_and_quarters_are_those_of_the_fiscal_year() -> None:
    # The year begins in April: October is its second half, and Q3.
    half = plan(
        book(
            "5000.00",
            convention=Convention.HALF_YEAR_START,
            start=day("2024-10-01"),
            life_periods=5,
            periods_per_year=1,
            fiscal_year_start_month=4,
        )
    )
    assert (half[0].date, half[0].depreciation) == (day("2025-03-31"), Decimal("500.00"))
    quarter = plan(
        book(
            "5000.00",
            convention=Convention.MID_QUARTER,
            start=day("2024-10-01"),
            life_periods=5,
            periods_per_year=1,
            fiscal_year_start_month=4,
        )
    )
    assert quarter[0].depreciation == Decimal("375.00")


def test_quarterly_lines_end_with_the_quarter() -> None:
    lines = plan(book("1200.00", start=day("2024-02-10"), life_periods=4, periods_per_year=4))
    assert [line.date for line in lines] == [
        day(end) for end in ("2024-03-31", "2024-06-30", "2024-09-30", "2024-12-31", "2025-03-31")
    ]
    assert amounts(lines) == decimals("200.00", "300.00", "300.00", "300.00", "100.00")


def test_t16_over_29_february_the_two_day_bases_differ_by_known_cents() -> None:
    def lines(basis: DayBasis) -> dict[str, Decimal]:
        found = plan(
            book(
                "1460.00",
                convention=Convention.DAILY,
                day_basis=basis,
                start=day("2024-02-15"),
                life_periods=24,
            )
        )
        assert total(found) == Decimal("1460.00")
        return {f"{line.date:%Y-%m}": line.depreciation for line in found}

    # 730 normalised days at 2.00; 731 real ones (366 + 365) at 1460/731 = 1.997264…
    normalised, actual = lines(DayBasis.NORMALISED_365), lines(DayBasis.ACTUAL)
    # 15 to 28 February: 14 days at 2.00; 15 to 29 February: 15 days.
    assert (normalised["2024-02"], actual["2024-02"]) == (Decimal("28.00"), Decimal("29.96"))
    assert (normalised["2024-03"], actual["2024-03"]) == (Decimal("62.00"), Decimal("61.92"))
    assert (normalised["2025-02"], actual["2025-02"]) == (Decimal("56.00"), Decimal("55.92"))
    assert normalised["2026-02"] == Decimal("28.00")


def test_t16_a_start_on_29_february_is_the_end_of_a_normalised_february() -> None:
    lines = plan(
        book("730.00", convention=Convention.DAILY, day_basis=DayBasis.NORMALISED_365, start=day("2024-02-29"))
    )
    assert [(line.date, line.depreciation) for line in lines[:2]] == [
        (day("2024-02-29"), Decimal("0.00")),
        (day("2024-03-31"), Decimal("62.00")),
    ]
    assert total(lines) == Decimal("730.00")


def test_t16_part_months_are_counted_in_normalised_days_too() -> None:
    # Equal whole months, first and last by their days, February with 28: as Tryton's monthly frequency has it.
    def lines(basis: DayBasis) -> list[Decimal]:
        return amounts(plan(book("1200.00", convention=Convention.NONE, day_basis=basis, start=day("2024-02-15"))))

    # 15 to 29 February is 14 of 28 normalised days: 50.00. In real ones 15 of 29 and, a year later, 14 of 28: together
    # 11 and 15/29 + 14/28 months, 1,200 / 12.017241… = 99.86 each and 51.65 for the first.
    assert lines(DayBasis.NORMALISED_365) == decimals("50.00", *["100.00"] * 11, "50.00")
    actual = lines(DayBasis.ACTUAL)
    assert actual[:2] == decimals("51.65", "99.86")
    assert sum(actual) == Decimal("1200.00")


def test_a_life_may_end_on_a_given_day() -> None:
    # 16 April to 15 June: half a month, a month, half a month of two.
    lines = plan(
        book("200.00", convention=Convention.NONE, start=day("2024-04-16"), last_day=day("2024-06-15"), life_periods=0)
    )
    assert amounts(lines) == decimals("50.00", "100.00", "50.00")


Q1 = Addition(day("2024-02-01"), Decimal(60_000))


def test_t15_the_test_runs_over_the_year_and_switches_all_of_it() -> None:
    at_the_limit = [Q1, Addition(day("2024-10-01"), Decimal(40_000))]
    over = [*at_the_limit, Addition(day("2024-12-31"), Decimal(1))]
    assert macrs_convention(Q1.placed_on, at_the_limit, 1) is Convention.HALF_YEAR
    # One more unit of basis in the last quarter changes the asset of February.
    assert macrs_convention(Q1.placed_on, over, 1) is Convention.MID_QUARTER
    first_year = plan(
        book(
            "60000.00",
            method=Method.MACRS,
            start=Q1.placed_on,
            convention=macrs_convention(Q1.placed_on, over, 1),
            life_periods=5,
            periods_per_year=1,
        )
    )[0]
    assert first_year.depreciation == Decimal("21000.00")  # 40 % of 87.5 %


def test_t15_what_left_within_the_year_and_real_property_do_not_count() -> None:
    year = day("2024-01-01")
    in_q4 = day("2024-11-01")
    assert mid_quarter_applies([Q1, Addition(in_q4, Decimal(90_000))], year)
    assert not mid_quarter_applies([Q1, Addition(in_q4, Decimal(90_000), disposed_on=day("2024-12-31"))], year)
    assert mid_quarter_applies([Q1, Addition(in_q4, Decimal(90_000), disposed_on=day("2025-01-01"))], year)
    assert not mid_quarter_applies([Q1, Addition(in_q4, Decimal(90_000), real_property=True)], year)
    assert not mid_quarter_applies([Q1, Addition(day("2025-10-01"), Decimal(90_000))], year)


def test_t15_the_quarter_is_that_of_the_tax_year() -> None:
    additions = [Addition(day("2024-05-01"), Decimal(10)), Addition(day("2025-01-15"), Decimal(10))]
    assert macrs_convention(day("2024-05-01"), additions, 4) is Convention.MID_QUARTER
    assert macrs_convention(day("2024-05-01"), additions, 1) is Convention.HALF_YEAR
