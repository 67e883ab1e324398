"""A book: its terms, its values, what is posted for good, and the plan for the rest."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from dataclasses import dataclass, replace
from decimal import Decimal
from enum import StrEnum

from tieline.depreciation.months import first_day, last_day_before, month_of
from tieline.depreciation.schedule import Anchor, ScheduledPeriod, targets
from tieline.depreciation.service import clock_of
from tieline.depreciation.terms import ZERO, BookTerms, check_amount
from tieline.kernel.errors import Rejected


class BookStatus(StrEnum):
    """Whether a book depreciates."""

    IN_USE = "IN_USE"  # also when the asset lies idle (IAS 16.55)
    HELD_FOR_SALE = "HELD_FOR_SALE"
    DISPOSED = "DISPOSED"


class Account(StrEnum):
    """Roles of ledger accounts; the ERP's account determination gives them numbers."""

    ASSET_COST = "ASSET_COST"
    ACCUMULATED_DEPRECIATION = "ACCUMULATED_DEPRECIATION"
    ACCUMULATED_IMPAIRMENT = "ACCUMULATED_IMPAIRMENT"
    DEPRECIATION = "DEPRECIATION"
    IMPAIRMENT = "IMPAIRMENT"
    REVALUATION_SURPLUS = "REVALUATION_SURPLUS"
    REVALUATION_RESULT = "REVALUATION_RESULT"
    RETAINED_EARNINGS = "RETAINED_EARNINGS"
    RECEIVABLE = "RECEIVABLE"
    GAIN_ON_DISPOSAL = "GAIN_ON_DISPOSAL"
    LOSS_ON_DISPOSAL = "LOSS_ON_DISPOSAL"
    DISPOSAL_PROCEEDS = "DISPOSAL_PROCEEDS"
    DISPOSAL_RESIDUAL_VALUE = "DISPOSAL_RESIDUAL_VALUE"
    COST_CLEARING = "COST_CLEARING"


@dataclass(frozen=True, slots=True)
class Entry:
    """One side of a journal: debit positive, credit negative, in the book's currency. A journal sums to zero."""

    account: Account
    amount: Decimal


@dataclass(frozen=True, slots=True, kw_only=True)
class Book:
    """One depreciation book of one asset.

    ``accumulated`` is ordinary depreciation, ``impairment`` what impairments took, net of reversals. ``posted`` lines
    are documents: no event changes them. ``open_from`` is the first day of the first period not yet posted. ``anchor``
    is where the present path starts, ``basis`` where a recomputation by Policy.CURRENT_PERIOD does: the opening, or the
    last revaluation, impairment or capitalised repair. ``unimpaired`` is the book as it would be had it never been
    impaired, kept while it is (IAS 36.117).
    """

    terms: BookTerms
    cost: Decimal
    anchor: Anchor
    basis: Anchor
    open_from: dt.date
    accumulated: Decimal = ZERO
    impairment: Decimal = ZERO
    revaluation_surplus: Decimal = ZERO
    revaluation_loss: Decimal = ZERO
    posted: tuple[ScheduledPeriod, ...] = ()
    status: BookStatus = BookStatus.IN_USE
    unimpaired: Book | None = None

    @property
    def nbv(self) -> Decimal:
        """Net book value."""
        return self.cost - self.accumulated - self.impairment


@dataclass(frozen=True, slots=True)
class Changed:
    """A book after an event, and the journal that the event makes."""

    book: Book
    entries: tuple[Entry, ...]


def open_book(terms: BookTerms, cost: Decimal) -> Book:
    """A book that starts with ``cost`` and nothing posted. Raises Rejected for a cost under salvage or too fine."""
    check_amount(cost, terms.currency, "cost")
    if cost < terms.salvage:
        raise Rejected(f"cost {cost} is under salvage {terms.salvage}", field="cost", remedy="mend one of the two")
    given = sum((entry.quantity for entry in terms.manual), ZERO)
    if given > cost - terms.salvage:
        raise Rejected(
            f"{given} given, {cost - terms.salvage} to depreciate", field="manual", remedy="mend the amounts"
        )
    anchor = Anchor(cost)
    return Book(terms=terms, cost=cost, anchor=anchor, basis=anchor, open_from=first_day(clock_of(terms).first_period))


def plan(book: Book) -> tuple[ScheduledPeriod, ...]:
    """The lines still to post, oldest first; none while held for sale or after disposal.

    A line is what leads from the present net book value to where the path wants it, so that the first one catches up
    whatever a change, a pause or a reinstatement left behind.
    """
    return tuple(_planned(book))


def schedule(book: Book) -> tuple[ScheduledPeriod, ...]:
    """Posted lines, then planned ones."""
    return book.posted + plan(book)


def post(book: Book, through: dt.date) -> Book:
    """The book with every planned line up to and including ``through`` posted."""
    due = tuple(line for line in plan(book) if line.date <= through)
    if due:
        book = replace(
            book,
            accumulated=due[-1].accumulated,
            posted=book.posted + tuple(replace(line, posted=True) for line in due),
        )
    shadow = None if book.unimpaired is None else post(book.unimpaired, through)
    return replace(book, open_from=max(book.open_from, _period_after(book.terms, through)), unimpaired=shadow)


def anchored_now(book: Book, nbv: Decimal) -> Anchor:
    """An anchor of ``nbv`` at the first open period."""
    return Anchor(nbv, month_of(book.open_from))


def require_in_use(book: Book) -> None:
    """Raise Rejected unless the book depreciates."""
    if book.status is not BookStatus.IN_USE:
        raise Rejected(
            f"book {book.terms.book_id} is {book.status}", field="status", remedy="resume or reinstate it first"
        )


def journal(*sides: tuple[Account, Decimal]) -> tuple[Entry, ...]:
    """Entries of the sides that are not zero. The caller's amounts sum to zero."""
    return tuple(Entry(account, amount) for account, amount in sides if amount)


def _planned(book: Book) -> Iterator[ScheduledPeriod]:
    if book.status is not BookStatus.IN_USE:
        return
    nbv, accumulated = book.nbv, book.accumulated
    begun, wanted = False, book.anchor.nbv
    for target in targets(book.terms, book.anchor):
        wanted = target.nbv
        if target.begin < month_of(book.open_from):
            continue
        depreciation = nbv - wanted
        accumulated += depreciation
        nbv, begun = wanted, True
        yield ScheduledPeriod(target.date, depreciation, accumulated, nbv)
    if not begun and nbv != wanted:
        end = month_of(book.open_from) + book.terms.months_per_period
        yield ScheduledPeriod(last_day_before(end), nbv - wanted, accumulated + nbv - wanted, wanted)


def _period_after(terms: BookTerms, through: dt.date) -> dt.date:
    return first_day(clock_of(terms).period_of(through + dt.timedelta(days=1)))
