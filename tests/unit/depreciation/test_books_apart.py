"""Two books of one asset stay apart, and an ERP's schedule is checked against its own book."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

import pytest
from tests.unit.depreciation.bench import amounts, book, by_year, day

from tieline.depreciation.books import Book, plan, post, schedule
from tieline.depreciation.changes import revise_terms
from tieline.depreciation.checking import LineDifference, schedule_differences
from tieline.depreciation.disposals import DisposalKind, dispose
from tieline.depreciation.terms import Convention, DayBasis, Method, Policy
from tieline.kernel.book_records import BookFields, ScheduleLine
from tieline.kernel.errors import Rejected

IFRS = book("10000.00", book_id="ifrs", start=day("2024-03-15"), life_periods=60)
TAX = book(
    "10000.00",
    book_id="tax",
    method=Method.MACRS,
    convention=Convention.HALF_YEAR,
    start=day("2024-03-15"),
    life_periods=5,
    periods_per_year=1,
)


def held(reference: Book) -> BookFields:
    """What an ERP would hold that calculates as the reference does."""
    lines = tuple(
        ScheduleLine(
            date=line.date,
            depreciation=line.depreciation,
            accumulated_after=line.accumulated,
            net_book_value_after=line.nbv,
            posted=line.posted,
        )
        for line in schedule(reference)
    )
    return BookFields(
        book_id=reference.terms.book_id,
        currency=reference.terms.currency,
        method=reference.terms.method.value,
        gross_cost=reference.cost,
        salvage=reference.terms.salvage,
        accumulated=reference.accumulated,
        net_book_value=reference.nbv,
        as_of=reference.terms.start,
        lines=lines,
    )


def changed(fields: BookFields, place: int, **changes: Decimal) -> BookFields:
    lines = list(fields.lines)
    lines[place] = lines[place].model_copy(update=changes)
    return fields.model_copy(update={"lines": tuple(lines)})


def test_t18_the_same_asset_has_two_values() -> None:
    # Straight line: ten months of 166.67. MACRS: 20 %.
    assert post(IFRS, day("2024-12-31")).nbv == Decimal("8333.30")
    assert post(TAX, day("2024-12-31")).nbv == Decimal("8000.00")


def test_t18_the_same_event_has_two_results() -> None:
    sale = {
        reference.terms.book_id: dispose(reference, day("2025-06-10"), DisposalKind.SALE, proceeds=Decimal("7000.00"))
        for reference in (IFRS, TAX)
    }
    # Fifteen months of 166.67; 20 % and half of 32 %.
    assert sale["ifrs"].result == Decimal("-499.95")
    assert sale["tax"].result == Decimal("600.00")


def test_t18_a_revision_of_one_book_leaves_the_other() -> None:
    with pytest.raises(Rejected):
        revise_terms(IFRS, TAX.terms, Policy.CURRENT_PERIOD)
    revise_terms(IFRS, replace(IFRS.terms, life_periods=30), Policy.CURRENT_PERIOD)
    assert by_year(plan(TAX))[2025] == Decimal("3200.00")


def test_t18_a_book_is_compared_with_the_same_book_only() -> None:
    assert schedule_differences(TAX, held(TAX)) == ()
    with pytest.raises(Rejected) as refusal:
        schedule_differences(IFRS, held(TAX))
    assert refusal.value.field == "book_id"
    with pytest.raises(Rejected) as refusal:
        schedule_differences(IFRS, held(IFRS).model_copy(update={"currency": "USD"}))
    assert refusal.value.field == "currency"


def test_a_cent_in_one_line_is_found() -> None:
    wrong = changed(held(IFRS), 3, depreciation=Decimal("166.68"))
    assert schedule_differences(IFRS, wrong) == (
        LineDifference(day("2024-06-30"), "depreciation", Decimal("166.67"), Decimal("166.68")),
    )
    wrong = changed(held(IFRS), 3, accumulated_after=Decimal("666.69"), net_book_value_after=Decimal("9333.31"))
    assert [(found.field, found.held) for found in schedule_differences(IFRS, wrong)] == [
        ("accumulated_after", Decimal("666.69")),
        ("net_book_value_after", Decimal("9333.31")),
    ]


def test_missing_and_extra_lines_are_found() -> None:
    whole = held(IFRS)
    short = whole.model_copy(update={"lines": whole.lines[:-1]})
    assert schedule_differences(IFRS, short) == (
        LineDifference(day("2029-02-28"), "depreciation", Decimal("166.47"), None),
    )
    late = whole.lines[-1].model_copy(update={"date": day("2029-03-31")})
    longer = whole.model_copy(update={"lines": (*whole.lines, late)})
    assert schedule_differences(IFRS, longer) == (
        LineDifference(day("2029-03-31"), "depreciation", None, Decimal("166.47")),
    )


def test_lines_meet_by_period_whatever_their_day_and_number() -> None:
    whole = held(IFRS)
    first = whole.lines[0]
    split = (
        first.model_copy(update={"date": day("2024-03-15"), "depreciation": Decimal("100.00")}),
        first.model_copy(update={"date": day("2024-03-20"), "depreciation": Decimal("66.67")}),
    )
    idle = whole.lines[-1].model_copy(update={"date": day("2029-03-31"), "depreciation": Decimal("0.00")})
    assert schedule_differences(IFRS, whole.model_copy(update={"lines": (*split, *whole.lines[1:], idle)})) == ()


def test_a_schedule_as_tryton_writes_it_agrees() -> None:
    # From the definition of Tryton's monthly linear schedule, 20 January to 19 April 2024, 1,000.00: twelve of 31 days,
    # two whole months, nineteen of 30 days, which is 3.020430… months; 331.08 for a whole one. The end of life takes
    # what the roundings leave.
    reference = book(
        "1000.00",
        convention=Convention.NONE,
        day_basis=DayBasis.NORMALISED_365,
        start=day("2024-01-20"),
        last_day=day("2024-04-19"),
    )
    assert amounts(plan(reference)) == [Decimal(text) for text in ("128.16", "331.08", "331.08", "209.68")]
