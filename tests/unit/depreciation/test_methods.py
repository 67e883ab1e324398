"""Methods against schedules worked out by hand from their definitions."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from tests.unit.depreciation.bench import amounts, book, by_year, day, decimals, given, terms, total

from tieline.depreciation.books import plan
from tieline.depreciation.terms import Convention, Method
from tieline.kernel.errors import Rejected


def test_t13_the_last_line_absorbs_the_rounding() -> None:
    lines = plan(book("10000.00", life_periods=36))
    # 10,000 / 36 = 277.777…: 35 times 277.78 = 9,722.30, and 277.70 are left.
    assert amounts(lines) == [Decimal("277.78")] * 35 + [Decimal("277.70")]
    assert total(lines) == Decimal("10000.00")
    assert lines[-1].nbv == 0


def test_t13_a_remainder_that_was_left_over_is_in_the_last_line_too() -> None:
    # 10,000 / 30 = 333.33…: 29 times 333.33 = 9,666.57, and 333.43 are left, not a 31st line.
    lines = plan(book("10000.00", life_periods=30))
    assert amounts(lines) == [Decimal("333.33")] * 29 + [Decimal("333.43")]


@pytest.mark.parametrize(
    ("currency", "cost", "line", "last"),
    [("JPY", "100000", "2778", "2770"), ("EUR", "1000.00", "27.78", "27.70"), ("KWD", "1000.000", "27.778", "27.770")],
)
def test_t13_lines_are_whole_minor_units(currency: str, cost: str, line: str, last: str) -> None:
    lines = plan(book(cost, currency=currency, life_periods=36))
    assert amounts(lines) == [Decimal(line)] * 35 + [Decimal(last)]
    assert total(lines) == Decimal(cost)


def test_t13_roundings_up_never_go_below_salvage() -> None:
    # 20 yen in 36 months: 0.56 rounds to 1, so twenty lines use up what there is.
    lines = plan(book("120", currency="JPY", salvage=Decimal(100), life_periods=36))
    assert amounts(lines) == [Decimal(1)] * 20
    assert lines[-1].nbv == 100
    # 59 yen in 36 months: 1.64 rounds to 2, and the thirtieth line has only 1 left to take.
    lines = plan(book("159", currency="JPY", salvage=Decimal(100), life_periods=36))
    assert amounts(lines) == [Decimal(2)] * 29 + [Decimal(1)]


def test_straight_line_to_salvage_runs_at_the_pace_of_the_whole_cost_and_stops() -> None:
    # 1,200 over 12 months is 100 a month; salvage 350 leaves 850: eight months and a half.
    to_salvage = plan(book("1200.00", method=Method.SL_TO_SALVAGE, salvage=Decimal(350)))
    assert amounts(to_salvage) == decimals(*["100.00"] * 8, "50.00")
    straight = plan(book("1200.00", method=Method.SL, salvage=Decimal(350)))
    assert amounts(straight) == [Decimal("70.83")] * 11 + [Decimal("70.87")]


def yearly(cost: str, **changes: Any) -> list[Decimal]:
    return amounts(plan(book(cost, periods_per_year=1, **changes)))


def test_declining_balance_takes_its_rate_of_what_is_left_of_the_depreciable_base() -> None:
    # Base 900: 40 % is 360, then 216, then the rest.
    lines = yearly("1000.00", method=Method.DB, rate=Decimal("0.4"), salvage=Decimal(100), life_periods=3)
    assert lines == decimals("360.00", "216.00", "324.00")


def test_declining_balance_switches_to_straight_line_when_that_is_more() -> None:
    # 40 %: 400, 240, then 144 against 360 / 3 = 120, then 86.40 against 216 / 2 = 108.
    lines = yearly("1000.00", method=Method.DB_SWITCH_SL, rate=Decimal("0.4"), life_periods=5)
    assert lines == decimals("400.00", "240.00", "144.00", "108.00", "108.00")


def test_double_declining_balance_works_on_book_value_and_stops_at_salvage() -> None:
    # Two fifths of 1,000, 600, 360, then only 16 are left above 200.
    lines = yearly("1000.00", method=Method.DDB, salvage=Decimal(200), life_periods=5)
    assert lines == decimals("400.00", "240.00", "144.00", "16.00")


def test_declining_balance_to_salvage_uses_its_factor() -> None:
    # 150 % over 5 years is 30 %: 300, 210, 147, 102.90, then what is left above 100.
    lines = yearly("1000.00", method=Method.DB_TO_SALVAGE, factor=Decimal("1.5"), salvage=Decimal(100), life_periods=5)
    assert lines == decimals("300.00", "210.00", "147.00", "102.90", "140.10")


def test_written_down_value_meets_salvage_at_its_own_rate() -> None:
    # 1,000 to 125 in three years is one half a year: (1/2)³ = 1/8.
    lines = yearly("1000.00", method=Method.WDV, salvage=Decimal(125), life_periods=3)
    assert lines == decimals("500.00", "250.00", "125.00")


def test_the_switch_to_straight_line_leaves_the_salvage() -> None:
    # As 1,000 without salvage.
    lines = yearly("1100.00", method=Method.DB_SWITCH_SL, rate=Decimal("0.4"), life_periods=5, salvage=Decimal(100))
    assert lines == decimals("400.00", "240.00", "144.00", "108.00", "108.00")


def test_a_factor_never_takes_more_than_the_balance_of_a_year() -> None:
    # Twice the straight-line rate of a year of life is 200 %: all of it, over the whole year.
    assert amounts(plan(book("1200.00", method=Method.DDB))) == [Decimal("100.00")] * 12


def test_declining_balance_within_a_year_is_even() -> None:
    # Half of 1,200 in the first year: 50 a month; then half of 600: 25 a month.
    lines = plan(book("1200.00", method=Method.DB_TO_SALVAGE, rate=Decimal("0.5"), life_periods=36))
    assert amounts(lines)[:13] == decimals(*["50.00"] * 12, "25.00")


def test_units_of_production_follow_the_units() -> None:
    # 1,000 of depreciable base over 400 units: 2.50 each.
    use = given(("2024-01-15", "100"), ("2024-02-20", "60"), ("2024-04-02", "240"))
    lines = plan(
        book("1100.00", method=Method.UOP, salvage=Decimal(100), units_total=Decimal(400), usage=use, life_periods=0)
    )
    assert amounts(lines) == decimals("250.00", "150.00", "0.00", "600.00")
    assert [line.date for line in lines] == [day(f"2024-{end}") for end in ("01-31", "02-29", "03-31", "04-30")]


def test_units_beyond_the_total_depreciate_nothing_more() -> None:
    use = given(("2024-01-15", "300"), ("2024-02-20", "300"))
    lines = plan(book("1000.00", method=Method.UOP, units_total=Decimal(400), usage=use, life_periods=0))
    assert amounts(lines) == decimals("750.00", "250.00")


def test_manual_lines_are_as_given() -> None:
    lines = plan(book("1000.00", method=Method.MANUAL, manual=given(("2024-01-31", "10.01"), ("2024-03-31", "700"))))
    assert amounts(lines) == decimals("10.01", "0.00", "700.00")
    assert lines[-1].nbv == Decimal("289.99")


def test_land_has_no_lines() -> None:
    assert plan(book("1000.00", method=Method.NONE, life_periods=0)) == ()


# IRS Publication 946, tables, 5-year property, in percent.
HALF_YEAR = decimals("20.00", "32.00", "19.20", "11.52", "11.52", "5.76")
MID_QUARTER_4 = decimals("5.00", "38.00", "22.80", "13.68", "10.94", "9.58")


def macrs(placed: str, convention: Convention, years: int = 5) -> list[Decimal]:
    return yearly("100.00", method=Method.MACRS, start=day(placed), convention=convention, life_periods=years)


def test_macrs_half_year_gives_the_published_percentages() -> None:
    assert macrs("2024-03-09", Convention.HALF_YEAR) == HALF_YEAR


def test_macrs_mid_quarter_gives_the_published_percentages() -> None:
    assert macrs("2024-10-01", Convention.MID_QUARTER) == MID_QUARTER_4


def test_macrs_takes_150_percent_over_fifteen_years_and_straight_line_over_real_property() -> None:
    # Table A-1, 15 years: 5.00, 9.50, 8.55, 7.70, 6.93, 6.23, then 5.90/5.91, 2.95 in the sixteenth year.
    fifteen = macrs("2024-03-09", Convention.HALF_YEAR, years=15)
    assert fifteen[:3] == decimals("5.00", "9.50", "8.55")
    assert all(abs(share - Decimal("5.905")) <= Decimal("0.01") for share in fifteen[6:15])
    assert abs(fifteen[15] - Decimal("2.95")) <= Decimal("0.01")
    # 39 years from the middle of the first month: 11.5 of 468 months, then 12 of them (table A-7a: 2.564 %).
    real = plan(
        book(
            "100000.00",
            method=Method.MACRS,
            convention=Convention.MID_MONTH_15,
            life_periods=39 * 12,
            start=day("2024-01-20"),
        )
    )
    assert by_year(real)[2024] == Decimal("2457.26")
    assert by_year(real)[2025] == Decimal("2564.11")  # 2,564.10 and a cent of rounding from year 1


def test_macrs_in_months_gives_the_same_years() -> None:
    lines = plan(
        book(
            "100000.00",
            method=Method.MACRS,
            start=day("2024-04-10"),
            convention=Convention.HALF_YEAR,
            life_periods=60,
        )
    )
    assert list(by_year(lines).values()) == [share * 1000 for share in HALF_YEAR]
    # The first year's half is spread over the nine months that the asset is there.
    assert amounts(lines)[:9] == decimals(*["2222.22"] * 8, "2222.24")


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"life_periods": 0}, "life_periods"),
        ({"periods_per_year": 5}, "periods_per_year"),
        ({"salvage": Decimal(-1)}, "salvage"),
        ({"salvage": Decimal("0.001")}, "salvage"),
        ({"salvage": Decimal("NaN")}, "salvage"),
        ({"method": Method.DB}, "rate"),
        ({"method": Method.DB, "rate": Decimal(40)}, "rate"),
        ({"method": Method.DDB, "factor": Decimal(0)}, "factor"),
        ({"method": Method.WDV}, "rate"),
        ({"method": Method.UOP}, "units_total"),
        ({"method": Method.MACRS, "salvage": Decimal(1)}, "salvage"),
        ({"method": Method.MANUAL, "manual": given(("2023-12-31", "1"))}, "manual[0]"),
        ({"method": Method.MANUAL, "manual": given(("2024-12-31", "-1"))}, "manual[0]"),
        ({"last_day": day("2024-12-31")}, "last_day"),
        ({"last_day": day("2023-12-31"), "convention": Convention.DAILY}, "last_day"),
        ({"units_total": Decimal("Infinity")}, "units_total"),
        ({"rate": Decimal("NaN")}, "rate"),
        ({"fiscal_year_start_month": 0}, "fiscal_year_start_month"),
    ],
)
def test_terms_without_a_schedule_are_refused_with_their_field(changes: dict[str, Any], field: str) -> None:
    with pytest.raises(Rejected) as refusal:
        terms(**changes)
    assert refusal.value.field == field
    assert refusal.value.remedy


@pytest.mark.parametrize(
    ("cost", "changes", "field"),
    [
        ("99.99", {"salvage": Decimal(100)}, "cost"),
        ("99.999", {}, "cost"),
        ("100.00", {"method": Method.MANUAL, "manual": given(("2024-01-31", "100.01"))}, "manual"),
    ],
)
def test_a_cost_that_cannot_carry_its_terms_is_refused(cost: str, changes: dict[str, Any], field: str) -> None:
    with pytest.raises(Rejected) as refusal:
        book(cost, **changes)
    assert refusal.value.field == field
