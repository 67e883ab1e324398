"""Disposals: how far depreciation runs, what is cleared, what the result is, and how one is taken back."""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction
from typing import Any

import pytest
from tests.unit.depreciation.bench import amounts, balances, book, day, decimals, given, total

from tieline.depreciation.books import Book, BookStatus, plan, post, schedule
from tieline.depreciation.changes import hold_for_sale, impair, revalue, reverse_impairment
from tieline.depreciation.disposals import (
    Disposal,
    DisposalKind,
    ResultRegime,
    dispose,
    reverse_disposal,
    share_of_amount,
    share_of_percent,
    share_of_quantity,
    split,
)
from tieline.depreciation.terms import Convention, Method
from tieline.kernel.errors import Rejected


def sold(before: Book, on: str, proceeds: str = "0.00", **changes: Any) -> Disposal:
    return dispose(before, day(on), DisposalKind.SALE, proceeds=Decimal(proceeds), **changes)


# 1,200 over 12 months from January 2024: 100 a month. What is depreciated when it is sold in June?
@pytest.mark.parametrize(
    ("convention", "on", "accumulated"),
    [
        (Convention.NONE, "2024-06-16", "550.00"),  # 15 of 30 days
        (Convention.FULL_MONTH, "2024-06-30", "500.00"),  # none in the month of disposal
        (Convention.MID_MONTH_1, "2024-06-15", "500.00"),
        (Convention.MID_MONTH_1, "2024-06-16", "600.00"),
        (Convention.MID_MONTH_15, "2024-06-01", "500.00"),  # half of January, four months, half of June
        (Convention.MID_MONTH_15, "2024-06-30", "500.00"),
        (Convention.NEXT_PERIOD, "2024-06-01", "500.00"),  # February to June
    ],
)
def test_t14_month_conventions_hold_on_disposal(convention: Convention, on: str, accumulated: str) -> None:
    gone = sold(book("1200.00", convention=convention), on).gone
    assert gone.accumulated == Decimal(accumulated)


def test_t14_mid_month_gives_half_a_month_to_the_month_of_disposal() -> None:
    kept = sold(book("1200.00", convention=Convention.MID_MONTH_15), "2024-06-20").kept
    assert amounts(kept.posted) == decimals("50.00", "100.00", "100.00", "100.00", "100.00", "50.00")
    assert kept.posted[-1].date == day("2024-06-20")


def test_t14_daily_runs_to_the_day_before_disposal() -> None:
    # 366 days at 1.00: January to May are 152, and 15 of June.
    assert sold(book("366.00", convention=Convention.DAILY), "2024-06-16").gone.accumulated == Decimal("167.00")


# 5,000 over five years, placed in service in 2024 and sold in 2026: 1,000 a full year.
@pytest.mark.parametrize(
    ("convention", "placed", "on", "accumulated"),
    [
        (Convention.HALF_YEAR, "2024-03-01", "2026-01-02", "2000.00"),
        (Convention.HALF_YEAR, "2024-10-01", "2026-12-30", "2000.00"),
        (Convention.HALF_YEAR_START, "2024-03-01", "2026-06-30", "2000.00"),
        (Convention.HALF_YEAR_START, "2024-03-01", "2026-07-01", "2500.00"),
        (Convention.HALF_YEAR_NEXT, "2024-03-01", "2026-06-30", "2000.00"),  # first, first: none
        (Convention.HALF_YEAR_NEXT, "2024-03-01", "2026-07-01", "2500.00"),  # first, second: half
        (Convention.HALF_YEAR_NEXT, "2024-10-01", "2026-06-30", "1500.00"),  # second, first: half
        (Convention.HALF_YEAR_NEXT, "2024-10-01", "2026-07-01", "2000.00"),  # second, second: the full year
        (Convention.MID_QUARTER, "2024-03-01", "2026-05-05", "2250.00"),  # 87.5 %, 100 %, 37.5 %
        (Convention.MID_QUARTER, "2024-12-01", "2026-11-11", "2000.00"),  # 12.5 %, 100 %, 87.5 %
    ],
)
@pytest.mark.parametrize("periods_per_year", [1, 12])
def test_t14_year_conventions_hold_on_disposal(
    convention: Convention, placed: str, on: str, accumulated: str, periods_per_year: int
) -> None:
    before = book(
        "5000.00",
        convention=convention,
        start=day(placed),
        life_periods=5 * periods_per_year,
        periods_per_year=periods_per_year,
    )
    assert sold(before, on).gone.accumulated == Decimal(accumulated)


@pytest.mark.parametrize(
    ("convention", "placed", "on", "accumulated"),
    [
        (Convention.HALF_YEAR, "2024-03-01", "2024-11-01", "0.00"),
        (Convention.HALF_YEAR_NEXT, "2024-03-01", "2024-05-01", "0.00"),
        (Convention.HALF_YEAR_NEXT, "2024-08-01", "2024-11-01", "0.00"),
        (Convention.MID_QUARTER, "2024-03-01", "2024-03-20", "0.00"),
        (Convention.MID_QUARTER, "2024-03-01", "2024-08-01", "500.00"),  # from mid Q1 to mid Q3
        (Convention.FULL_MONTH, "2024-03-01", "2024-03-31", "0.00"),
        (Convention.MID_MONTH_1, "2024-03-20", "2024-03-21", "0.00"),
    ],
)
def test_t14_disposal_in_the_year_of_acquisition(
    convention: Convention, placed: str, on: str, accumulated: str
) -> None:
    before = book("5000.00", convention=convention, start=day(placed), life_periods=60)
    assert sold(before, on).gone.accumulated == Decimal(accumulated)


def test_t14_what_was_posted_beyond_the_cut_off_is_taken_back() -> None:
    # Twelve years of 1,200: January to March 2026 are posted when a disposal in April ends service with 2025.
    before = post(book("14400.00", convention=Convention.HALF_YEAR_NEXT, life_periods=144), day("2026-03-31"))
    assert before.accumulated == Decimal("2700.00")
    disposal = sold(before, "2026-04-10")
    assert (disposal.kept.posted[-1].date, disposal.kept.posted[-1].depreciation) == (
        day("2026-04-10"),
        Decimal("-300.00"),
    )
    assert disposal.gone.nbv == Decimal("12000.00")
    assert disposal.kept.posted[:-1] == before.posted


def test_t14_what_is_beyond_the_cut_off_is_not_posted_first() -> None:
    before = post(book("14400.00", convention=Convention.HALF_YEAR_NEXT, life_periods=144), day("2025-12-31"))
    assert sold(before, "2026-04-10").kept.posted == before.posted


def macrs(convention: Convention, placed: str) -> Book:
    return book(
        "100.00",
        method=Method.MACRS,
        convention=convention,
        start=day(placed),
        life_periods=5,
        periods_per_year=1,
    )


def test_t14_macrs_takes_half_of_the_year_or_the_quarters_part_and_none_in_the_first_year() -> None:
    assert sold(macrs(Convention.HALF_YEAR, "2024-03-01"), "2025-02-01").gone.accumulated == Decimal("36.00")
    # 5, and 37.5 % of 38.
    assert sold(macrs(Convention.MID_QUARTER, "2024-11-01"), "2025-05-01").gone.accumulated == Decimal("19.25")
    assert sold(macrs(Convention.MID_QUARTER, "2024-02-01"), "2024-11-01").gone.accumulated == 0


def machine(**changes: Any) -> Book:
    """12,000 over 24 months from January 2024, posted to June: 500 a month, 9,000 left."""
    return post(book("12000.00", **({"life_periods": 24} | changes)), day("2024-06-30"))


def test_t21_a_sale_clears_cost_and_accumulated_and_shows_the_gain() -> None:
    disposal = sold(machine(), "2024-08-10", "9000.00")
    # July is due, August is not.
    assert balances(disposal.depreciation) == {
        "DEPRECIATION": Decimal(500),
        "ACCUMULATED_DEPRECIATION": Decimal(-500),
    }
    assert balances(disposal.clearing) == {
        "ASSET_COST": Decimal(-12000),
        "ACCUMULATED_DEPRECIATION": Decimal(3500),
        "RECEIVABLE": Decimal(9000),
        "GAIN_ON_DISPOSAL": Decimal(-500),
    }
    assert disposal.result == Decimal("500.00")
    assert (disposal.kept.status, disposal.kept.cost, disposal.kept.nbv) == (
        BookStatus.DISPOSED,
        Decimal(0),
        Decimal(0),
    )
    assert plan(disposal.kept) == ()
    assert amounts(disposal.kept.posted) == [Decimal("500.00")] * 7


@pytest.mark.parametrize("kind", [DisposalKind.SCRAP, DisposalKind.DONATION, DisposalKind.LOSS, DisposalKind.THEFT])
def test_t21_without_proceeds_the_book_value_is_a_loss(kind: DisposalKind) -> None:
    disposal = dispose(machine(), day("2024-07-10"), kind)
    assert disposal.kind is kind
    assert balances(disposal.clearing) == {
        "ASSET_COST": Decimal(-12000),
        "ACCUMULATED_DEPRECIATION": Decimal(3000),
        "LOSS_ON_DISPOSAL": Decimal(9000),
    }


def test_t21_the_gross_regime_shows_proceeds_and_residual_value_apart() -> None:
    disposal = sold(machine(), "2024-07-10", "9500.00", regime=ResultRegime.GROSS_RESIDUAL_VALUE)
    assert balances(disposal.clearing) == {
        "ASSET_COST": Decimal(-12000),
        "ACCUMULATED_DEPRECIATION": Decimal(3000),
        "RECEIVABLE": Decimal(9500),
        "DISPOSAL_PROCEEDS": Decimal(-9500),
        "DISPOSAL_RESIDUAL_VALUE": Decimal(9000),
    }


@pytest.mark.parametrize(
    "share",
    [
        share_of_quantity(Decimal(4), Decimal(10)),
        share_of_percent(Decimal(40)),
        share_of_amount(Decimal("4800.00"), Decimal("12000.00")),
    ],
)
def test_t21_a_partial_disposal_clears_its_share_and_the_rest_goes_on(share: Fraction) -> None:
    disposal = sold(machine(), "2024-07-10", "4000.00", share=share)
    assert balances(disposal.clearing) == {
        "ASSET_COST": Decimal(-4800),
        "ACCUMULATED_DEPRECIATION": Decimal(1200),
        "RECEIVABLE": Decimal(4000),
        "GAIN_ON_DISPOSAL": Decimal(-400),
    }
    kept = disposal.kept
    assert (kept.cost, kept.accumulated, kept.nbv) == (Decimal(7200), Decimal(1800), Decimal(5400))
    assert amounts(plan(kept)) == [Decimal("300.00")] * 18
    assert kept.posted == machine().posted


def test_t21_the_part_that_leaves_has_its_own_final_depreciation() -> None:
    # Under mid-month 40 % of half of July is 100; the 60 % that stay go on with 300 a month.
    before = machine(convention=Convention.MID_MONTH_15)
    disposal = sold(before, "2024-07-10", share=share_of_percent(Decimal(40)))
    final = disposal.kept.posted[-1]
    assert (final.date, final.depreciation) == (day("2024-07-10"), Decimal("100.00"))
    # Half of January, five months and the 100.
    assert (final.accumulated, final.nbv) == (Decimal("2850.00"), Decimal("9150.00"))
    assert amounts(plan(disposal.kept))[:2] == decimals("300.00", "300.00")


def test_t21_odd_shares_lose_no_cent() -> None:
    before = post(book("10000.00", life_periods=36, salvage=Decimal("100.01")), day("2024-06-30"))
    disposal = sold(before, "2024-07-10", share=share_of_quantity(Decimal(1), Decimal(3)))
    assert disposal.gone.cost + disposal.kept.cost == Decimal("10000.00")
    assert disposal.gone.accumulated + disposal.kept.accumulated == before.accumulated
    last = plan(disposal.kept)[-1]
    assert last.nbv == disposal.kept.terms.salvage == Decimal("66.67")
    assert last.accumulated == disposal.kept.cost - Decimal("66.67")
    assert sum(entry.amount for entry in disposal.clearing) == 0


def test_t21_no_part_is_worth_less_than_nothing() -> None:
    # 1.40 fully depreciated, half posted and half final: twice 0.035 would round to a cent too much.
    before = post(book("1.40", convention=Convention.MID_MONTH_15, life_periods=1), day("2024-01-31"))
    disposal = sold(before, "2024-02-10", share=Fraction(1, 20))
    assert (disposal.gone.cost, disposal.gone.nbv) == (Decimal("0.07"), Decimal("0.00"))
    assert plan(disposal.kept)[-1].nbv == 0


def test_t21_an_impairment_never_takes_more_than_a_part_has_worn() -> None:
    gone, kept = split(impair(book("1.40"), Decimal("0.70")).book, Fraction(1, 20))
    assert (gone.cost, gone.nbv, gone.impairment, gone.accumulated) == tuple(decimals("0.07", "0.04", "0.03", "0.00"))
    assert kept.impairment == Decimal("0.67")


def test_t21_a_whole_disposal_needs_no_terms_for_what_is_kept() -> None:
    before = book("1000.00", method=Method.WDV, salvage=Decimal(125), life_periods=3, periods_per_year=1)
    disposal = sold(before, "2025-01-01")
    assert disposal.gone.nbv == Decimal("500.00")
    assert reverse_disposal(disposal.kept, disposal, day("2025-01-02")).book.terms == before.terms


def test_t21_t22_the_limit_of_an_impairments_reversal_is_shared_and_comes_back() -> None:
    impaired = impair(machine(), Decimal("6000.00")).book
    disposal = sold(impaired, "2024-07-10", share=share_of_percent(Decimal(40)))
    assert reverse_impairment(disposal.kept, Decimal("9999.00")).book.nbv == Decimal("5400.00")
    restored = reverse_disposal(disposal.kept, disposal, day("2024-07-20")).book
    assert reverse_impairment(restored, Decimal("9999.00")).book.nbv == Decimal("9000.00")


def test_t21_given_amounts_are_shared_too() -> None:
    before = book("100.00", method=Method.MANUAL, manual=given(("2024-01-31", "0.01"), ("2024-02-28", "99.99")))
    gone, kept = split(before, Fraction(1, 3))
    assert amounts(plan(gone)) == decimals("0.00", "33.33")
    assert amounts(plan(kept)) == decimals("0.01", "66.66")


def test_t21_impairment_and_surplus_leave_with_the_asset() -> None:
    impaired = impair(machine(), Decimal("6000.00")).book
    assert balances(sold(impaired, "2024-07-10").clearing) == {
        "ASSET_COST": Decimal(-12000),
        "ACCUMULATED_DEPRECIATION": Decimal(3000),
        "ACCUMULATED_IMPAIRMENT": Decimal(3000),
        "LOSS_ON_DISPOSAL": Decimal(6000),
    }
    revalued = revalue(machine(), Decimal("10000.00")).book
    assert balances(sold(revalued, "2024-07-10", "10000.00").clearing) == {
        "ASSET_COST": Decimal(-10000),
        "RECEIVABLE": Decimal(10000),
        "REVALUATION_SURPLUS": Decimal(1000),
        "RETAINED_EARNINGS": Decimal(-1000),
    }


def test_t21_a_held_asset_is_sold_without_further_depreciation() -> None:
    held = hold_for_sale(machine(), day("2024-07-10")).book
    disposal = sold(held, "2024-12-10", "9000.00")
    assert disposal.depreciation == ()
    assert disposal.result == 0
    assert reverse_disposal(disposal.kept, disposal, day("2024-12-20")).book.status is BookStatus.HELD_FOR_SALE


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"share": Fraction(0)}, "share"),
        ({"share": Fraction(3, 2)}, "share"),
        ({"proceeds": Decimal("0.001")}, "proceeds"),
        ({"proceeds": Decimal(-1)}, "proceeds"),
        ({"on": day("2023-12-31")}, "on"),
        ({"kind": DisposalKind.DONATION, "proceeds": Decimal(1)}, "proceeds"),
    ],
)
def test_t21_a_disposal_that_cannot_be_is_refused(changes: dict[str, Any], field: str) -> None:
    values: dict[str, Any] = {"on": day("2024-07-10"), "kind": DisposalKind.SALE} | changes
    with pytest.raises(Rejected) as refusal:
        dispose(machine(), **values)
    assert refusal.value.field == field


def test_t21_shares_over_the_whole_are_refused() -> None:
    for refused in (Decimal(0), Decimal(-1), Decimal("100.01"), Decimal("NaN")):
        with pytest.raises(Rejected):
            share_of_percent(refused)


def test_t22_reversal_restores_the_value_and_the_missing_depreciation() -> None:
    disposal = sold(machine(), "2024-07-10", "9500.00")
    reversal = reverse_disposal(disposal.kept, disposal, day("2024-10-05"))
    assert reversal.book.nbv == Decimal("9000.00")
    assert reversal.book.posted == machine().posted
    lines = plan(reversal.book)
    # July to October in the line of October, then as ever.
    assert [(line.date, line.depreciation) for line in lines[:2]] == [
        (day("2024-10-31"), Decimal("2000.00")),
        (day("2024-11-30"), Decimal("500.00")),
    ]
    assert total(schedule(reversal.book)) == Decimal("12000.00")
    both = [*disposal.clearing, *reversal.entries]
    assert set(balances(both).values()) == {Decimal(0)}


def test_t22_a_reversal_within_the_month_only_completes_it() -> None:
    disposal = sold(machine(convention=Convention.MID_MONTH_15), "2024-07-10")
    restored = reverse_disposal(disposal.kept, disposal, day("2024-07-20")).book
    # 250 are posted as final depreciation; the line of July brings the other half.
    assert restored.posted[-1].depreciation == Decimal("250.00")
    assert amounts(plan(restored))[:2] == decimals("250.00", "500.00")


def test_t22_disposing_again_gives_what_one_disposal_would() -> None:
    first = sold(machine(), "2024-07-10", "9500.00")
    restored = reverse_disposal(first.kept, first, day("2024-10-05")).book
    second = sold(restored, "2024-12-20", "6000.00")
    direct = sold(machine(), "2024-12-20", "6000.00")
    assert second.gone.accumulated == direct.gone.accumulated == Decimal("5500.00")
    assert second.clearing == direct.clearing
    assert second.result == Decimal("-500.00")


def test_t22_a_partial_disposal_is_taken_back_into_what_went_on_meanwhile() -> None:
    disposal = sold(machine(), "2024-07-10", "4000.00", share=share_of_percent(Decimal(40)))
    today = post(disposal.kept, day("2024-09-30"))
    restored = reverse_disposal(today, disposal, day("2024-10-05")).book
    # 60 % have three months more; the 40 % miss them.
    assert restored.nbv == Decimal("8100.00")
    assert amounts(plan(restored))[:2] == decimals("1100.00", "500.00")
    assert restored.cost == Decimal("12000.00")


def test_t22_only_the_latest_disposal_is_reversed_and_only_once() -> None:
    first = sold(machine(), "2024-07-10", share=share_of_percent(Decimal(40)))
    second = sold(first.kept, "2024-07-20", share=share_of_percent(Decimal(50)))
    with pytest.raises(Rejected):
        reverse_disposal(second.kept, first, day("2024-08-01"))
    back = reverse_disposal(second.kept, second, day("2024-08-01")).book
    whole = reverse_disposal(back, first, day("2024-08-02")).book
    assert whole.nbv == Decimal("9000.00")
    with pytest.raises(Rejected):
        reverse_disposal(whole, first, day("2024-08-03"))
    with pytest.raises(Rejected):
        reverse_disposal(first.kept, first, day("2024-07-09"))


def test_t22_a_disposed_book_is_not_disposed_of_again() -> None:
    gone = sold(machine(), "2024-07-10").kept
    with pytest.raises(Rejected) as refusal:
        sold(gone, "2024-07-11")
    assert refusal.value.field == "status"
