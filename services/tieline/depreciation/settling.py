"""The end of a book's depreciation: what is due up to a disposal's cut-off, and where a reopened book goes on."""

from __future__ import annotations

import datetime as dt
from dataclasses import replace
from decimal import Decimal

from tieline.depreciation.books import Account, Book, Changed, journal, plan, post, require_in_use
from tieline.depreciation.months import first_day
from tieline.depreciation.schedule import ScheduledPeriod, value_at_cut_off
from tieline.depreciation.service import clock_of
from tieline.kernel.errors import Rejected


def settle(book: Book, on: dt.date) -> Changed:
    """The book depreciated to the cut-off of a disposal on ``on``: its due periods, then a final line dated ``on``.

    The final line is negative where the convention takes back what is already posted (Dynamics 365: "any depreciation
    that is posted in the current year must be reversed"). Raises Rejected for a day before the start or before the last
    posted line.
    """
    before = book.nbv
    book = post_due(book, on)
    book = with_final_line(book, on, final_depreciation(book, on))
    book = replace(book, open_from=reopened_on(book, on))
    total = before - book.nbv
    return Changed(book, journal((Account.DEPRECIATION, total), (Account.ACCUMULATED_DEPRECIATION, -total)))


def post_due(book: Book, on: dt.date) -> Book:
    """The book with every period before the one of ``on`` posted, as far as the cut-off lets it depreciate."""
    require_in_use(book)
    if on < book.terms.start:
        raise Rejected(f"{on} is before the start {book.terms.start}", field="on", remedy="mend the date")
    left = value_at_cut_off(book.terms, book.anchor, on)
    due = [line.date for line in plan(book) if line.date < on and line.nbv >= left]
    return post(book, due[-1]) if due else book


def final_depreciation(book: Book, on: dt.date) -> Decimal:
    """What is still to depreciate up to the cut-off of a disposal on ``on``; negative when too much is posted."""
    return book.nbv - value_at_cut_off(book.terms, book.anchor, on)


def with_final_line(book: Book, on: dt.date, depreciation: Decimal) -> Book:
    """The book with that depreciation posted on the day of an event; unchanged when it is zero."""
    if not depreciation:
        return book
    accumulated = book.accumulated + depreciation
    line = ScheduledPeriod(on, depreciation, accumulated, book.nbv - depreciation, posted=True)
    return replace(book, accumulated=accumulated, posted=(*book.posted, line))


def reopened_on(book: Book, on: dt.date) -> dt.date:
    """The first open day of a book that goes on with the period around ``on``."""
    return max(book.open_from, first_day(clock_of(book.terms).period_of(on)))
