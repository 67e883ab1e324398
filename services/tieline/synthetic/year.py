"""The year as it reaches the hub: every report in the order it arrives, and the labels of what must come of them."""

from __future__ import annotations

import random
from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Literal

from tieline.kernel.asset_records import AssetReport
from tieline.kernel.book_records import BookReport, DepreciationRunReport
from tieline.kernel.cost_records import CostReport
from tieline.kernel.movement_records import MovementReport
from tieline.kernel.order_records import InvoiceReport, OrderReport, ReceiptReport
from tieline.kernel.period_records import FiscalPeriodReport
from tieline.kernel.records import Outbound, Typed
from tieline.kernel.reports import Report
from tieline.synthetic.assets import asset_label, asset_reports
from tieline.synthetic.books import book_reports, books_of
from tieline.synthetic.costs import cost_label, cost_reports, costs_of
from tieline.synthetic.labels import Label
from tieline.synthetic.movements import book_labels, movement_reports
from tieline.synthetic.orders import bought_things, orders_of
from tieline.synthetic.periods import period_labels, period_reports, run_labels, run_reports
from tieline.synthetic.purchases import order_label, purchase_reports, shell_labels
from tieline.synthetic.shape import Chapter, Company, Shape, chapters
from tieline.synthetic.things import Thing, opening_things

TOPICS: dict[type[object], str] = {
    AssetReport: "asset.asset.report.v1",
    BookReport: "asset.book.report.v1",
    OrderReport: "procurement.purchase-order.report.v1",
    ReceiptReport: "procurement.receipt.report.v1",
    InvoiceReport: "procurement.invoice.report.v1",
    CostReport: "cost.document.report.v1",
    DepreciationRunReport: "depreciation.run.report.v1",
    FiscalPeriodReport: "reference.fiscal-period.report.v1",
    MovementReport: "asset.movement.report.v1",
}
WINDOW = 20_000
"""Reports among which arrival is shuffled; also the most that are kept in memory."""
PAGE = 3


@dataclass(frozen=True, slots=True)
class Arrival:
    """How reports arrive within their chapter.

    ``shuffled``: in a random order across keys; within a key as they were told. ``duplicates_percent`` of them come
    once more, later in their chapter. ``mint``: part of each event id; another one is another extract (T02).
    """

    order: Literal["told", "shuffled"] = "told"
    duplicates_percent: float | None = None
    mint: str = ""


@dataclass(frozen=True, slots=True)
class Told:
    """One report, and the chapter in which it arrives."""

    chapter: Chapter
    report: Report


@dataclass(frozen=True, slots=True)
class Year:
    """The year of one organisation. Memory grows with assets and orders (about a kilobyte each), not with reports."""

    shape: Shape
    things: tuple[Thing, ...]
    figures: dict[tuple[Company, str, int], tuple[int, int]] = field(default_factory=dict)

    def reports(self, arrival: Arrival | None = None) -> Iterator[Told]:
        """Every report of the year, chapter by chapter."""
        arrival = arrival or Arrival()
        for chapter in chapters(self.shape):
            dice = self.shape.dice("arrival", arrival.order, chapter.name)
            rate = self.shape.rates.duplicate
            percent = arrival.duplicates_percent
            share = rate if percent is None else percent / 100
            told = _repeated(self._tell(chapter), share, dice)
            ordered = told if arrival.order == "told" else _shuffled(told, dice)
            yield from (Told(chapter, report) for report in ordered)

    def labels(self) -> Iterator[Label]:
        """What the hub must hold at the end."""
        yield from period_labels(self.shape)
        yield from run_labels(self.figures)
        for thing in self.things:
            yield asset_label(self.shape, thing)
            yield from book_labels(self.shape, thing)
        for month in range(1, self.shape.months + 1):
            for order in orders_of(self.shape, month):
                yield order_label(self.shape, order)
                yield from shell_labels(self.shape, order)
            yield from (cost_label(cost) for cost in costs_of(self.shape, month))

    def _tell(self, chapter: Chapter) -> Iterator[Report]:
        yield from period_reports(self.shape, chapter)
        yield from run_reports(self.figures, chapter)
        for thing in self.things:
            yield from asset_reports(self.shape, thing, chapter)
            yield from book_reports(self.shape, thing, chapter)
            yield from movement_reports(self.shape, thing, chapter)
        yield from purchase_reports(self.shape, chapter)
        yield from cost_reports(self.shape, chapter)


def make_year(shape: Shape) -> Year:
    """Draw the organisation."""
    year = Year(shape, (*opening_things(shape), *bought_things(shape)))
    for thing in year.things:
        for book in books_of(shape, thing):
            for month, amount in book.posted(shape.months):
                key = (thing.company, book.book_id, month)
                count, total = year.figures.get(key, (0, 0))
                year.figures[key] = (count + 1, total + amount)
    return year


def outbound(report: Report, mint: str = "") -> Outbound:
    """The report as a connector publishes it: on its topic, under its record's key, with an event id."""
    origin = report.origin
    record = f"{origin.system}/{origin.entity}/{origin.native_id}/{origin.source_version}"
    headers = {"ce_id": f"synthetic{mint}:{record}"}
    body = Typed(type(report).__name__, report)
    return Outbound(TOPICS[type(report)], key_of(report), body, headers)


def key_of(report: Report) -> str:
    """``system/native id``."""
    return f"{report.origin.system}/{report.origin.native_id}"


def _repeated(told: Iterable[Report], share: float, dice: random.Random) -> Iterator[Report]:
    """The reports, some of them once more: a little later, as a connector reads a page again."""
    again: deque[Report] = deque()
    for report in told:
        yield report
        if dice.random() < share:
            again.append(report)
        if len(again) > PAGE:
            yield again.popleft()
    yield from again


def _shuffled(told: Iterable[Report], dice: random.Random) -> Iterator[Report]:
    """The reports in a random order across keys, each key's in the order they were told."""
    keys: list[str] = []
    waiting: dict[str, deque[Report]] = {}
    for report in told:
        keys.append(key_of(report))
        waiting.setdefault(keys[-1], deque()).append(report)
        if len(keys) > WINDOW:
            yield _take(keys, waiting, dice)
    while keys:
        yield _take(keys, waiting, dice)


def _take(keys: list[str], waiting: dict[str, deque[Report]], dice: random.Random) -> Report:
    place = dice.randrange(len(keys))
    keys[place], keys[-1] = keys[-1], keys[place]
    key = keys.pop()
    report = waiting[key].popleft()
    if not waiting[key]:
        del waiting[key]
    return report
