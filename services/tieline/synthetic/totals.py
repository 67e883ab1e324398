"""Sums by company, book, group and currency, and the summary of all labels. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from decimal import Decimal

from tieline.kernel.movement_records import EVENT_NAMES
from tieline.synthetic.assets import words
from tieline.synthetic.books import books_of
from tieline.synthetic.costs import costs_of
from tieline.synthetic.labels import AssetLabel, BookLabel, CostLabel, Label, Summary, Total
from tieline.synthetic.movements import movements_of
from tieline.synthetic.orders import orders_of
from tieline.synthetic.shape import COMPANIES
from tieline.synthetic.year import Year

Place = tuple[str, str, str, str, str]
"""Name of the sum, company, book, group, currency."""


class Totals:
    """Sums as they grow."""

    def __init__(self) -> None:
        self._sums: dict[Place, Decimal] = {}

    def add(self, place: Place, amount: Decimal) -> None:
        """Add an amount."""
        self._sums[place] = self._sums.get(place, Decimal(0)) + amount

    def add_label(self, label: Label) -> None:
        """Add what a label says."""
        match label:
            case BookLabel():
                where = (label.company, label.book_id, label.asset_class, label.currency)
                self.add(("gross", *where), label.gross)
                self.add(("accumulated", *where), label.accumulated)
                self.add(("net-book-value", *where), label.net_book_value)
                self.add(("depreciation", *where), label.posted_sum)
            case AssetLabel() if label.fields.acquisition_cost is not None:
                cost, fields = label.fields.acquisition_cost, label.fields
                where = (fields.company or "", "ledger", fields.asset_class or "", cost.currency)
                self.add(("acquisition-cost", *where), cost.amount)
            case CostLabel() if label.status == "posted":
                where = (label.company, "ledger", label.posting_period or "", label.currency)
                self.add(("cost-posted", *where), label.total)
            case _:
                return

    def rows(self) -> Iterator[Total]:
        """The sums, by name and place."""
        for (name, company, book_id, group, currency), total in sorted(self._sums.items()):
            yield Total(name=name, company=company, book_id=book_id, group=group, currency=currency, total=total)


def summarise(year: Year, labels: Iterable[Label], reports: int) -> Summary:
    """Counts and sums over all labels; ``reports`` is how many were told."""
    totals = Totals()
    assets = conflicts = held = 0
    for label in labels:
        totals.add_label(label)
        assets += isinstance(label, AssetLabel)
        conflicts += len(label.conflicts) if isinstance(label, AssetLabel) else 0
        held += isinstance(label, CostLabel) and label.status == "held"
    held += sum(1 for thing in year.things for word in words(year.shape, thing) if word.held)
    return Summary(
        assets=assets,
        reports=reports,
        conflicts=conflicts,
        held=held,
        events=dict(sorted(count_events(year).items())),
        totals=tuple(totals.rows()),
    )


def count_events(year: Year) -> Counter[str]:
    """How many events of each name the year must give; events of assets without those bought in the year."""
    shape, found = year.shape, Counter[str]()
    for thing in year.things:
        if thing.po_line_ref is None:
            found.update(name for word in words(shape, thing) if not word.held for name in word.events)
        for book in books_of(shape, thing):
            replaced = sum(book.replaces_plan(shape, month) for month in range(1, shape.months + 1))
            found["DepreciationScheduleReplaced"] += replaced
            found["AssetBookChanged"] += (
                sum(book.is_told(shape, month) for month in range(1, shape.months + 1)) - replaced
            )
            found["DepreciationPosted"] += len(book.posted(shape.months))
        found.update(EVENT_NAMES[one.kind] for one in movements_of(shape, thing))
    found["DepreciationRunPosted"] = found["DepreciationRunCompleted"] = len(year.figures)
    found["PeriodOpened"] = len(COMPANIES) * shape.months
    found["PeriodReopened"] = 1
    found["PeriodClosed"] = found["PeriodOpened"] + found["PeriodReopened"]
    for month in range(1, shape.months + 1):
        for order in orders_of(shape, month):
            found["PoApproved"] += 1
            ends = order.closes or order.cancelled_in
            found["PoClosed"] += ends is not None and ends <= shape.months
            for one in order.receipts:
                found["GoodsReceived" if one.reversal_of is None else "GoodsReceiptReversed"] += 1
            for one in order.invoices:
                found["InvoiceMatched" if one.reversal_of is None else "InvoiceReversed"] += 1
        for cost in costs_of(shape, month):
            if cost.status == "posted":
                found["CostPosted" if cost.reversal_of is None else "CostReversed"] += 1
    return found
