"""What happens to a book during its life. Worked by hand on 12,000 over 24 months: 500 a month from January 2024."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest
from tests.unit.depreciation.bench import amounts, balances, book, day, decimals, given, total

from tieline.depreciation.books import Book, BookStatus, open_book, plan, post, schedule
from tieline.depreciation.changes import (
    Restatement,
    adjust_cost,
    capitalise_repair,
    hold_for_sale,
    impair,
    is_capital,
    resume_use,
    revalue,
    reverse_impairment,
    revise_terms,
)
from tieline.depreciation.terms import Convention, Method, Policy
from tieline.kernel.errors import Rejected


def machine(posted_through: str, **changes: Any) -> Book:
    return post(book("12000.00", **({"life_periods": 24} | changes)), day(posted_through))


def revised(before: Book, policy: Policy, **changes: Any) -> Book:
    return revise_terms(before, replace(before.terms, **changes), policy)


@pytest.mark.parametrize(
    ("policy", "life", "first", "then"),
    [
        # 9,000 over 30 months; 333.33 a month should have made 2,333.31 by July, 3,000 are posted.
        (Policy.REMAINING_LIFE, 36, "300.00", "300.00"),
        (Policy.CURRENT_PERIOD, 36, "-666.69", "333.33"),
        # 9,000 over 6 months; 1,000 a month should have made 7,000 by July.
        (Policy.REMAINING_LIFE, 12, "1500.00", "1500.00"),
        (Policy.CURRENT_PERIOD, 12, "4000.00", "1000.00"),
    ],
)
def test_t12_a_new_life_leaves_posted_lines_and_follows_its_policy(
    policy: Policy, life: int, first: str, then: str
) -> None:
    before = machine("2024-06-30")
    after = revised(before, policy, life_periods=life)
    assert after.posted == before.posted
    assert amounts(after.posted) == [Decimal("500.00")] * 6
    lines = plan(after)
    assert lines[0].date == day("2024-07-31")
    assert [lines[0].depreciation, lines[1].depreciation] == decimals(first, then)
    assert len(lines) == life - 6
    assert total(schedule(after)) == Decimal("12000.00")


@pytest.mark.parametrize("policy", list(Policy))
def test_t12_a_life_already_over_ends_in_the_open_period(policy: Policy) -> None:
    lines = plan(revised(machine("2024-06-30"), policy, life_periods=4))
    assert [(line.date, line.depreciation) for line in lines] == [(day("2024-07-31"), Decimal("9000.00"))]


def test_t12_a_new_salvage_follows_its_policy() -> None:
    before = machine("2024-06-30")
    # 9,000 less 1,800 over 18 months; or 10,200 / 24 = 425 a month since January.
    assert amounts(plan(revised(before, Policy.REMAINING_LIFE, salvage=Decimal(1800)))) == [Decimal("400.00")] * 18
    caught_up = amounts(plan(revised(before, Policy.CURRENT_PERIOD, salvage=Decimal(1800))))
    assert caught_up == [Decimal("-25.00")] + [Decimal("425.00")] * 17


def test_t12_a_new_method_starts_from_the_present_value() -> None:
    after = revised(
        machine("2024-12-31"), Policy.REMAINING_LIFE, method=Method.DB_TO_SALVAGE, rate=Decimal("0.5"), life_periods=60
    )
    # Half of 6,000 in 2025, half of 3,000 in 2026.
    assert amounts(plan(after))[::12][:2] == decimals("250.00", "125.00")


def test_t12_a_written_down_rate_is_found_anew_over_the_remaining_life() -> None:
    before = book("1000.00", method=Method.WDV, salvage=Decimal(125), life_periods=3, periods_per_year=1)
    # 500 to 125 in two years is one half again.
    after = revised(post(before, day("2024-12-31")), Policy.REMAINING_LIFE)
    assert amounts(schedule(after)) == decimals("500.00", "250.00", "125.00")


def test_t12_a_salvage_over_the_book_value_stops_depreciation() -> None:
    assert plan(revised(machine("2024-06-30"), Policy.REMAINING_LIFE, salvage=Decimal(9500))) == ()


@pytest.mark.parametrize(
    ("changes", "policy", "field"),
    [
        ({"book_id": "tax"}, Policy.CURRENT_PERIOD, "terms"),
        ({"currency": "USD"}, Policy.CURRENT_PERIOD, "terms"),
        ({"salvage": Decimal(12001)}, Policy.CURRENT_PERIOD, "salvage"),
        ({"start": day("2024-02-01")}, Policy.REMAINING_LIFE, "start"),
    ],
)
def test_revisions_that_make_another_book_are_refused(changes: dict[str, Any], policy: Policy, field: str) -> None:
    with pytest.raises(Rejected) as refusal:
        revised(machine("2024-06-30"), policy, **changes)
    assert refusal.value.field == field


def test_a_corrected_start_catches_up_in_the_open_period() -> None:
    # Available from March: by July five months are due, six are posted.
    lines = plan(revised(machine("2024-06-30"), Policy.CURRENT_PERIOD, start=day("2024-03-01")))
    assert amounts(lines)[:2] == decimals("-500.00", "500.00")
    assert lines[-1].date == day("2026-02-28")


def test_a_late_invoice_difference_follows_its_policy() -> None:
    before = machine("2024-06-30")
    # 12,240 / 24 = 510 a month: by July 3,570. Or 9,240 over 18 months.
    caught_up = adjust_cost(before, Decimal("240.00"), Policy.CURRENT_PERIOD)
    assert amounts(plan(caught_up.book))[:2] == decimals("570.00", "510.00")
    spread = adjust_cost(before, Decimal("240.00"), Policy.REMAINING_LIFE).book
    assert amounts(plan(spread))[0] == Decimal("513.33")
    assert total(schedule(spread)) == total(schedule(caught_up.book)) == Decimal("12240.00")
    assert balances(caught_up.entries) == {"ASSET_COST": Decimal(240), "COST_CLEARING": Decimal(-240)}
    with pytest.raises(Rejected):
        adjust_cost(before, Decimal("-9000.01"), Policy.CURRENT_PERIOD)


def test_t31_a_capitalised_repair_changes_the_schedule_forward_only() -> None:
    before = machine("2024-06-30")
    repaired = capitalise_repair(before, Decimal("3000.00"), extended_by_periods=6)
    assert repaired.book.posted == before.posted
    # 9,000 and 3,000 over 18 and 6 months.
    assert amounts(plan(repaired.book)) == [Decimal("500.00")] * 24
    assert balances(repaired.entries) == {"ASSET_COST": Decimal(3000), "COST_CLEARING": Decimal(-3000)}
    # A later recomputation does not reach back before the repair: 12,000 over the 30 months left of 36.
    later = revised(repaired.book, Policy.CURRENT_PERIOD, life_periods=36)
    assert amounts(plan(later)) == [Decimal("400.00")] * 30


@pytest.mark.parametrize(
    ("amount", "flag", "capital"), [("1000.00", True, True), ("999.99", True, False), ("5000.00", False, False)]
)
def test_t31_below_the_threshold_or_without_the_flag_a_repair_is_expense(
    amount: str,
    flag: bool,  # noqa: FBT001 - pytest passes parameters by name
    capital: bool,  # noqa: FBT001 - the same
) -> None:
    assert is_capital(Decimal(amount), Decimal("1000.00"), capital_flag=flag) is capital


def test_t17_depreciation_starts_when_available_for_use() -> None:
    lines = plan(book("12000.00", start=day("2024-03-20"), convention=Convention.NEXT_PERIOD, life_periods=24))
    assert lines[0].date == day("2024-04-30")


def test_t17_idle_months_cost_under_straight_line_and_nothing_under_units() -> None:
    use = given(("2024-01-31", "10"), ("2024-02-29", "0"), ("2024-03-31", "10"))
    straight = plan(book("1200.00", usage=use))
    assert amounts(straight)[:3] == decimals("100.00", "100.00", "100.00")
    by_units = plan(book("1200.00", method=Method.UOP, usage=use, units_total=Decimal(120)))
    assert amounts(by_units) == decimals("100.00", "0.00", "100.00")


def test_t17_held_for_sale_stops_and_return_catches_up() -> None:
    held = hold_for_sale(machine("2024-03-31"), day("2024-05-10"))
    # April is due; under FULL_MONTH May is not.
    assert amounts(held.book.posted) == [Decimal("500.00")] * 4
    assert balances(held.entries) == {"DEPRECIATION": Decimal(500), "ACCUMULATED_DEPRECIATION": Decimal(-500)}
    assert plan(held.book) == ()
    assert post(held.book, day("2024-07-31")).nbv == Decimal("10000.00")
    back = resume_use(held.book, day("2024-08-20"))
    lines = plan(back)
    # May, June, July and August in the line of August.
    assert [(line.date, line.depreciation) for line in lines[:2]] == [
        (day("2024-08-31"), Decimal("2000.00")),
        (day("2024-09-30"), Decimal("500.00")),
    ]
    assert total(schedule(back)) == Decimal("12000.00")


def test_t17_held_for_sale_within_a_month_depreciates_to_the_day() -> None:
    # 730 days at 1.00; May has 31 days, nine of them before the tenth.
    before = book("731.00", convention=Convention.DAILY, life_periods=24)
    held = hold_for_sale(post(before, day("2024-04-30")), day("2024-05-10")).book
    assert (held.posted[-1].date, held.posted[-1].depreciation) == (day("2024-05-10"), Decimal("9.00"))
    # Back in the same month, its line brings the rest of it.
    back = plan(resume_use(held, day("2024-05-20")))
    assert (back[0].date, back[0].depreciation) == (day("2024-05-31"), Decimal("22.00"))


def test_t17_only_a_held_book_returns_and_only_later() -> None:
    with pytest.raises(Rejected):
        resume_use(machine("2024-03-31"), day("2024-08-20"))
    held = hold_for_sale(machine("2024-04-30"), day("2024-05-10")).book
    with pytest.raises(Rejected):
        resume_use(held, day("2024-04-01"))
    with pytest.raises(Rejected):
        hold_for_sale(held, day("2024-05-11"))


def test_an_impairment_lowers_what_is_left_to_depreciate() -> None:
    impaired = impair(machine("2024-12-31"), Decimal("4800.00"))
    assert impaired.book.nbv == Decimal("4800.00")
    assert amounts(plan(impaired.book)) == [Decimal("400.00")] * 12
    assert balances(impaired.entries) == {"IMPAIRMENT": Decimal(1200), "ACCUMULATED_IMPAIRMENT": Decimal(-1200)}
    last = plan(impaired.book)[-1]
    # Accumulated depreciation and impairment together are the cost.
    assert (last.accumulated, last.nbv) == (Decimal("10800.00"), Decimal(0))


def test_an_impairment_reverses_at_most_to_the_value_without_it() -> None:
    impaired = post(impair(machine("2024-12-31"), Decimal("4800.00")).book, day("2025-03-31"))
    assert impaired.nbv == Decimal("3600.00")
    # Without the impairment 15 months of 500 would leave 4,500.
    whole = reverse_impairment(impaired, Decimal("5000.00"))
    assert whole.book.nbv == Decimal("4500.00")
    assert amounts(plan(whole.book)) == [Decimal("500.00")] * 9
    assert balances(whole.entries) == {"ACCUMULATED_IMPAIRMENT": Decimal(900), "IMPAIRMENT": Decimal(-900)}
    with pytest.raises(Rejected):
        reverse_impairment(whole.book, Decimal("5000.00"))
    part = reverse_impairment(impaired, Decimal("4050.00")).book
    assert amounts(plan(part)) == [Decimal("450.00")] * 9
    assert reverse_impairment(part, Decimal("9999.00")).book.nbv == Decimal("4500.00")


def test_the_limit_of_a_reversal_follows_changes_made_meanwhile() -> None:
    impaired = impair(machine("2024-12-31"), Decimal("4800.00")).book
    longer = post(revised(impaired, Policy.REMAINING_LIFE, life_periods=36), day("2025-12-31"))
    # Without the impairment: 6,000 over 24 months, 12 of them gone.
    assert reverse_impairment(longer, Decimal("9999.00")).book.nbv == Decimal("3000.00")


def test_a_second_impairment_keeps_the_limit_of_the_first() -> None:
    once = impair(machine("2024-12-31"), Decimal("4800.00")).book
    twice = impair(once, Decimal("1000.00")).book
    assert reverse_impairment(twice, Decimal("9999.00")).book.nbv == Decimal("6000.00")


def test_the_limit_of_a_reversal_is_caught_up_after_a_pause() -> None:
    impaired = impair(machine("2024-12-31"), Decimal("4800.00")).book
    held = post(hold_for_sale(impaired, day("2025-02-10")).book, day("2025-03-31"))
    back = post(resume_use(held, day("2025-04-10")), day("2025-04-30"))
    assert back.nbv == Decimal("3200.00")
    assert reverse_impairment(back, Decimal("9999.00")).book.nbv == Decimal("4000.00")


def test_a_revaluation_is_a_new_basis() -> None:
    before = machine("2024-12-31")
    up = revalue(before, Decimal("9000.00"))
    assert (up.book.cost, up.book.accumulated, up.book.nbv) == (Decimal(9000), Decimal(0), Decimal(9000))
    assert amounts(plan(up.book)) == [Decimal("750.00")] * 12
    assert up.book.posted == before.posted
    assert balances(up.entries) == {
        "ASSET_COST": Decimal(-3000),
        "ACCUMULATED_DEPRECIATION": Decimal(6000),
        "REVALUATION_SURPLUS": Decimal(-3000),
    }
    alike = revalue(before, Decimal("9000.00"), Restatement.PROPORTIONAL)
    assert (alike.book.cost, alike.book.accumulated) == (Decimal(18000), Decimal(9000))
    assert amounts(plan(alike.book)) == [Decimal("750.00")] * 12
    assert sum(balances(alike.entries).values()) == 0


def test_a_fall_uses_the_surplus_first_and_a_rise_takes_back_the_loss_first() -> None:
    up = revalue(machine("2024-12-31"), Decimal("9000.00")).book
    down = revalue(up, Decimal("5000.00"))
    assert balances(down.entries) == {
        "ASSET_COST": Decimal(-4000),
        "REVALUATION_SURPLUS": Decimal(3000),
        "REVALUATION_RESULT": Decimal(1000),
    }
    again = revalue(down.book, Decimal("7000.00"))
    assert balances(again.entries) == {
        "ASSET_COST": Decimal(2000),
        "REVALUATION_SURPLUS": Decimal(-1000),
        "REVALUATION_RESULT": Decimal(-1000),
    }
    impaired = impair(up, Decimal("5000.00"))
    assert balances(impaired.entries) == {
        "REVALUATION_SURPLUS": Decimal(3000),
        "IMPAIRMENT": Decimal(1000),
        "ACCUMULATED_IMPAIRMENT": Decimal(-4000),
    }


@pytest.mark.parametrize("recoverable", ["6000.00", "6000.01", "-1.00"])
def test_an_impairment_without_a_loss_is_refused(recoverable: str) -> None:
    with pytest.raises(Rejected):
        impair(machine("2024-12-31"), Decimal(recoverable))


def test_reversing_what_was_never_impaired_is_refused() -> None:
    with pytest.raises(Rejected):
        reverse_impairment(machine("2024-12-31"), Decimal("7000.00"))


def test_posting_is_stepwise_and_never_twice() -> None:
    fresh = open_book(machine("2023-12-31").terms, Decimal("12000.00"))
    once = post(fresh, day("2024-06-30"))
    assert post(post(fresh, day("2024-03-31")), day("2024-06-30")) == once
    assert post(once, day("2024-06-30")) == once
    assert once.status is BookStatus.IN_USE
    assert schedule(once)[6:] == plan(fresh)[6:]
