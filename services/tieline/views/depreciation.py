"""What of an asset the ERP has depreciated, per book: from posting events to entries, from entries to the answer. Pure.

A book is a valuation of its own of the same thing, so books are never added up.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import TypedDict

from tieline.kernel.book_records import DepreciationPosted
from tieline.views.money import plain, sum_by_currency, sums_as_json


class PostingEntry(TypedDict):
    """One posted depreciation. Amounts are decimals as text; a reversal is a posting with the sign turned."""

    asset_id: str
    book_id: str
    version: int
    date: str
    amount: str
    currency: str
    net_book_value: str


def posting_key(event: DepreciationPosted) -> str:
    """The same for the same posting, however often its event is read.

    The document alone does not do: not every ERP numbers its postings, and two of one day may be alike in amount (T01).
    What is accumulated after them, and the book's version that brought them, tells them apart.
    """
    accumulated = format(event.accumulated_after, "f")
    amount = format(event.amount.amount, "f")
    parts = (event.asset_id, event.book_id, str(event.accepted.version), event.scheduled_date.isoformat())
    return "|".join((*parts, amount, accumulated, event.document or ""))


def posting_entry(event: DepreciationPosted) -> PostingEntry:
    """The entry of a posted depreciation."""
    return PostingEntry(
        asset_id=event.asset_id,
        book_id=event.book_id,
        version=event.accepted.version,
        date=event.scheduled_date.isoformat(),
        amount=format(event.amount.amount, "f"),
        currency=event.amount.currency,
        net_book_value=format(event.net_book_value_after, "f"),
    )


@dataclass(frozen=True, slots=True)
class Depreciation:
    """One book of one asset: the sum of its postings, and the net book value after the one with the latest date."""

    book_id: str
    postings: int
    depreciation: Mapping[str, Decimal]
    net_book_value: Decimal
    currency: str
    as_of: dt.date


def depreciation_by_book(entries: Iterable[PostingEntry]) -> tuple[Depreciation, ...]:
    """The books of one asset, in order of their id. The order of the entries does not matter."""
    books: dict[str, list[PostingEntry]] = {}
    for entry in entries:
        books.setdefault(entry["book_id"], []).append(entry)
    return tuple(_book(book_id, found) for book_id, found in sorted(books.items()))


def _book(book_id: str, entries: list[PostingEntry]) -> Depreciation:
    # Of two postings of one day in one version of the book, the later leaves less.
    last = max(entries, key=lambda entry: (entry["date"], entry["version"], -Decimal(entry["net_book_value"])))
    return Depreciation(
        book_id=book_id,
        postings=len(entries),
        depreciation=sum_by_currency((entry["currency"], entry["amount"]) for entry in entries),
        net_book_value=Decimal(last["net_book_value"]),
        currency=last["currency"],
        as_of=dt.date.fromisoformat(last["date"]),
    )


def as_json(books: Iterable[Depreciation]) -> dict[str, object]:
    """The answer's shape, by book id."""
    return {
        book.book_id: {
            "postings": book.postings,
            "posted": sums_as_json(book.depreciation),
            "net_book_value": {book.currency: plain(book.net_book_value)},
            "as_of": book.as_of.isoformat(),
        }
        for book in books
    }
