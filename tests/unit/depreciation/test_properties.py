"""What holds for every book: the sum is the depreciable base, value never rises and never falls under salvage."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from fractions import Fraction
from itertools import pairwise
from typing import Any

from hypothesis import assume, given, settings
from hypothesis import strategies as st

from tieline.depreciation.books import Book, open_book, plan, post, schedule
from tieline.depreciation.changes import revise_terms
from tieline.depreciation.disposals import DisposalKind, dispose, reverse_disposal
from tieline.depreciation.terms import BookTerms, Convention, DayBasis, Method, Policy

BY_TIME = [
    Method.SL,
    Method.SL_TO_SALVAGE,
    Method.DB,
    Method.DB_SWITCH_SL,
    Method.DB_TO_SALVAGE,
    Method.DDB,
    Method.WDV,
    Method.MACRS,
]
DIGITS = {"JPY": 0, "EUR": 2, "KWD": 3}


@st.composite
def books(draw: st.DrawFn) -> Book:
    """A book by time, with nothing posted."""
    method = draw(st.sampled_from(BY_TIME))
    currency = draw(st.sampled_from(sorted(DIGITS)))
    per_year = draw(st.sampled_from([1, 2, 4, 12]))
    units = draw(st.integers(1, 5_000_000))
    # No rate writes down to zero, and MACRS ignores salvage.
    salvage = 0 if method is Method.MACRS else draw(st.integers(int(method is Method.WDV), units))
    changes: dict[str, Any] = {}
    if method in {Method.DB, Method.DB_SWITCH_SL, Method.DB_TO_SALVAGE}:
        changes["rate"] = Decimal(draw(st.integers(1, 100))) / 100
    terms = BookTerms(
        book_id="main",
        currency=currency,
        method=method,
        start=draw(st.dates(dt.date(2019, 1, 1), dt.date(2025, 12, 31))),
        convention=draw(st.sampled_from(list(Convention))),
        life_periods=draw(st.integers(1, 8 * per_year)),
        periods_per_year=per_year,
        salvage=Decimal(salvage).scaleb(-DIGITS[currency]),
        day_basis=draw(st.sampled_from(list(DayBasis))),
        fiscal_year_start_month=draw(st.sampled_from([1, 4, 7])),
        **changes,
    )
    return open_book(terms, Decimal(units).scaleb(-DIGITS[currency]))


@settings(deadline=None)  # the machine is shared: how long a case takes says nothing about the schedule
@given(books())
def test_t13_the_sum_is_the_depreciable_base_and_every_line_a_step_down(book: Book) -> None:
    lines = plan(book)
    salvage = book.terms.salvage
    assert sum((line.depreciation for line in lines), Decimal(0)) == book.cost - salvage
    values = [book.cost, *(line.nbv for line in lines)]
    assert all(before >= after >= salvage for before, after in pairwise(values))
    assert all(line.accumulated + line.nbv == book.cost for line in lines)
    assert all(line.depreciation == round(line.depreciation, DIGITS[book.terms.currency]) for line in lines)
    assert [line.date for line in lines] == sorted({line.date for line in lines})


@settings(deadline=None)  # the machine is shared: how long a case takes says nothing about the schedule
@given(books(), st.integers(0, 40), st.integers(1, 96), st.sampled_from(list(Policy)))
def test_t12_any_new_life_keeps_what_is_posted_and_the_sum(book: Book, posted: int, life: int, policy: Policy) -> None:
    lines = plan(book)
    assume(lines)
    before = post(book, lines[posted % len(lines)].date)
    after = revise_terms(before, BookTerms(**(_fields(book.terms) | {"life_periods": life})), policy)
    assert after.posted == before.posted
    total = sum((line.depreciation for line in schedule(after)), Decimal(0))
    assert total == book.cost - book.terms.salvage


@settings(deadline=None)  # the machine is shared: how long a case takes says nothing about the schedule
@given(
    books(),
    st.integers(0, 3000),
    st.integers(0, 400),
    st.fractions(Fraction(1, 20), Fraction(1), max_denominator=20),
    st.sampled_from([Decimal(0), Decimal(1000)]),
)
def test_t21_t22_journals_balance_and_a_reversal_brings_back_the_schedule(
    book: Book, days: int, later: int, share: Fraction, proceeds: Decimal
) -> None:
    # The derived rate of WDV needs a salvage that survives the split; a share of a few cents rounds to none.
    assume(book.terms.method is not Method.WDV or book.terms.salvage * 20 > book.cost)
    assume(book.terms.salvage == 0 or book.terms.salvage > 10)
    on = book.terms.start + dt.timedelta(days=days)
    disposal = dispose(book, on, DisposalKind.SALE, proceeds=proceeds, share=share)
    assert sum(entry.amount for entry in disposal.depreciation) == 0
    assert sum(entry.amount for entry in disposal.clearing) == 0
    assert disposal.gone.cost + disposal.kept.cost == book.cost
    assert disposal.gone.nbv >= 0
    restored = reverse_disposal(disposal.kept, disposal, on + dt.timedelta(days=later)).book
    assert restored.cost == book.cost
    assert sum((line.depreciation for line in schedule(restored)), Decimal(0)) == book.cost - book.terms.salvage
    # From the period of the reversal on, the lines end where they would have without the disposal.
    undisturbed = {line.date: line.nbv for line in plan(book)}
    for line in plan(restored):
        assert line.nbv == undisturbed.get(line.date, book.terms.salvage)


def _fields(terms: BookTerms) -> dict[str, Any]:
    return {name: getattr(terms, name) for name in BookTerms.__dataclass_fields__}
