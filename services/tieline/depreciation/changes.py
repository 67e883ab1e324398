"""What happens to a book during its life: terms, cost, value, and the pause of being held for sale.

Every change takes effect at the first open period: post what is due before it first. Posted lines never change.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import replace
from decimal import Decimal
from enum import StrEnum
from fractions import Fraction

from tieline.depreciation.books import (
    Account,
    Book,
    BookStatus,
    Changed,
    anchored_now,
    journal,
    require_in_use,
)
from tieline.depreciation.settling import reopened_on, settle
from tieline.depreciation.terms import ZERO, BookTerms, Policy, check_amount
from tieline.kernel.currencies import round_to_minor_unit
from tieline.kernel.errors import Rejected


class Restatement(StrEnum):
    """What a revaluation does with accumulated depreciation (IAS 16.35)."""

    ELIMINATION = "ELIMINATION"  # against the cost: the cost becomes the fair value
    PROPORTIONAL = "PROPORTIONAL"  # cost and accumulated depreciation grow alike


def revise_terms(book: Book, terms: BookTerms, policy: Policy) -> Book:
    """The book under new life, method, convention or salvage.

    CURRENT_PERIOD recomputes from the basis on and gives the whole difference to the first open period; it may be
    negative. REMAINING_LIFE spreads the present net book value over what is left of the new life. (NetSuite: "revision
    rules".) The start of service is part of the terms: a new one is a correction, and only CURRENT_PERIOD can make it.
    """
    require_in_use(book)
    if (terms.book_id, terms.currency) != (book.terms.book_id, book.terms.currency):
        raise Rejected("another book or currency", field="terms", remedy="a revision keeps both; open another book")
    if terms.salvage > book.cost:
        raise Rejected(f"salvage {terms.salvage} is over cost {book.cost}", field="salvage", remedy="mend the salvage")
    if policy is Policy.REMAINING_LIFE and terms.start != book.terms.start:
        raise Rejected("a new start over the remaining life", field="start", remedy="use CURRENT_PERIOD")
    shadow = None if book.unimpaired is None else revise_terms(book.unimpaired, terms, policy)
    anchor = book.basis if policy is Policy.CURRENT_PERIOD else anchored_now(book, book.nbv)
    return replace(book, terms=terms, anchor=anchor, unimpaired=shadow)


def adjust_cost(book: Book, amount: Decimal, policy: Policy) -> Changed:
    """The book with its original cost corrected: an invoice difference, a credit (negative).

    CURRENT_PERIOD catches up what the corrected cost would have cost so far; REMAINING_LIFE spreads the correction over
    the remaining life.
    """
    require_in_use(book)
    check_amount(amount, book.terms.currency, "amount")
    if book.nbv + amount < book.terms.salvage or book.cost + amount < book.terms.salvage:
        raise Rejected(f"{amount} leaves less than the salvage", field="amount", remedy="mend the amount or salvage")
    shadow = None if book.unimpaired is None else adjust_cost(book.unimpaired, amount, policy).book
    basis = replace(book.basis, nbv=book.basis.nbv + amount)
    anchor = basis if policy is Policy.CURRENT_PERIOD else anchored_now(book, book.nbv + amount)
    changed = replace(book, cost=book.cost + amount, anchor=anchor, basis=basis, unimpaired=shadow)
    return Changed(changed, journal((Account.ASSET_COST, amount), (Account.COST_CLEARING, -amount)))


def is_capital(amount: Decimal, threshold: Decimal, *, capital_flag: bool) -> bool:
    """Whether a repair is capitalised: somebody said so, and it reaches the threshold; below it stays an expense."""
    return capital_flag and amount >= threshold


def capitalise_repair(book: Book, amount: Decimal, extended_by_periods: int = 0) -> Changed:
    """The book with a repair in its cost and a life longer by ``extended_by_periods``; the schedule changes forward."""
    require_in_use(book)
    check_amount(amount, book.terms.currency, "amount")
    if amount <= 0 or extended_by_periods < 0:
        raise Rejected(
            "a repair adds cost and never takes life", field="amount", remedy="use adjust_cost, revise_terms"
        )
    life_periods = book.terms.life_periods + extended_by_periods
    shadow = None
    if book.unimpaired is not None:
        shadow = capitalise_repair(book.unimpaired, amount, extended_by_periods).book
    anchor = anchored_now(book, book.nbv + amount)
    changed = replace(
        book,
        terms=replace(book.terms, life_periods=life_periods),
        cost=book.cost + amount,
        anchor=anchor,
        basis=anchor,
        unimpaired=shadow,
    )
    return Changed(changed, journal((Account.ASSET_COST, amount), (Account.COST_CLEARING, -amount)))


def impair(book: Book, recoverable: Decimal) -> Changed:
    """The book written down to its recoverable amount, first against the revaluation surplus (IAS 36.59, 60)."""
    require_in_use(book)
    check_amount(recoverable, book.terms.currency, "recoverable")
    loss = book.nbv - recoverable
    if loss <= 0 or recoverable < 0:
        raise Rejected(
            f"recoverable {recoverable}, book value {book.nbv}", field="recoverable", remedy="nothing to impair"
        )
    from_surplus = min(loss, book.revaluation_surplus)
    anchor = anchored_now(book, recoverable)
    changed = replace(
        book,
        impairment=book.impairment + loss,
        revaluation_surplus=book.revaluation_surplus - from_surplus,
        anchor=anchor,
        basis=anchor,
        unimpaired=book.unimpaired or book,
    )
    entries = journal(
        (Account.REVALUATION_SURPLUS, from_surplus),
        (Account.IMPAIRMENT, loss - from_surplus),
        (Account.ACCUMULATED_IMPAIRMENT, -loss),
    )
    return Changed(changed, entries)


def reverse_impairment(book: Book, recoverable: Decimal) -> Changed:
    """The book written up to ``recoverable``, at most to what it would be without any impairment (IAS 36.117).

    The whole reversal is income; a surplus that an impairment used up is not rebuilt.
    """
    require_in_use(book)
    check_amount(recoverable, book.terms.currency, "recoverable")
    if book.unimpaired is None:
        raise Rejected("never impaired", field="recoverable", remedy="a write-up beyond cost is a revaluation")
    nbv = min(recoverable, book.unimpaired.nbv)
    gain = nbv - book.nbv
    if gain <= 0:
        raise Rejected(f"recoverable {recoverable} is no gain", field="recoverable", remedy="nothing to reverse")
    anchor = anchored_now(book, nbv)
    changed = replace(
        book,
        impairment=book.impairment - gain,
        anchor=anchor,
        basis=anchor,
        unimpaired=book.unimpaired if nbv < book.unimpaired.nbv else None,
    )
    return Changed(changed, journal((Account.ACCUMULATED_IMPAIRMENT, gain), (Account.IMPAIRMENT, -gain)))


def revalue(book: Book, fair_value: Decimal, restatement: Restatement = Restatement.ELIMINATION) -> Changed:
    """The book at fair value (IAS 16.31-40).

    A rise goes to the surplus, as far as it does not take back an earlier loss; a fall is a loss, as far as the surplus
    does not bear it. Impairments end: fair value is a new basis.
    """
    require_in_use(book)
    check_amount(fair_value, book.terms.currency, "fair_value")
    if fair_value <= 0:
        raise Rejected(f"fair value {fair_value}", field="fair_value", remedy="use impair or dispose")
    cost = fair_value
    if restatement is Restatement.PROPORTIONAL and book.nbv > 0:
        share = Fraction(fair_value) / Fraction(book.nbv)
        cost = round_to_minor_unit(share * Fraction(book.cost - book.impairment), book.terms.currency)
    change = fair_value - book.nbv
    surplus, loss = _revaluation_sides(book, change)
    anchor = anchored_now(book, fair_value)
    changed = replace(
        book,
        cost=cost,
        accumulated=cost - fair_value,
        impairment=ZERO,
        revaluation_surplus=book.revaluation_surplus + surplus,
        revaluation_loss=book.revaluation_loss + loss,
        anchor=anchor,
        basis=anchor,
        unimpaired=None,
    )
    entries = journal(
        (Account.ASSET_COST, cost - book.cost),
        (Account.ACCUMULATED_DEPRECIATION, book.accumulated - changed.accumulated),
        (Account.ACCUMULATED_IMPAIRMENT, book.impairment),
        (Account.REVALUATION_SURPLUS, -surplus),
        (Account.REVALUATION_RESULT, loss),
    )
    return Changed(changed, entries)


def hold_for_sale(book: Book, on: dt.date) -> Changed:
    """The book with its depreciation ended on ``on``, by the convention's cut-off (IFRS 5.25)."""
    settled = settle(book, on)
    return Changed(replace(settled.book, status=BookStatus.HELD_FOR_SALE), settled.entries)


def resume_use(book: Book, on: dt.date) -> Book:
    """The book in use again; the line of the period around ``on`` catches up what the pause left out (IFRS 5.27)."""
    if book.status is not BookStatus.HELD_FOR_SALE:
        raise Rejected("not held for sale", field="status", remedy="nothing to resume")
    if book.posted and on < book.posted[-1].date:
        raise Rejected(f"posted until {book.posted[-1].date}", field="on", remedy="give a later day")
    return replace(book, status=BookStatus.IN_USE, open_from=reopened_on(book, on))


def _revaluation_sides(book: Book, change: Decimal) -> tuple[Decimal, Decimal]:
    # (rise of the surplus, rise of the loss); their difference is the change of value
    if change >= 0:
        taken_back = min(change, book.revaluation_loss)
        return change - taken_back, -taken_back
    borne = min(-change, book.revaluation_surplus)
    return -borne, -change - borne
