"""Depreciation books: simple formulas in whole minor units, two books an asset, told by month, quarter or year.

A method is a function of the months that have passed: accumulated depreciation after so many of them. A month's line is
the difference of two such values, so that lines add up to the total without a remainder (T13). Postings are never
changed: a revaluation, an impairment or a later cost change the book, not its lines (T12).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

from tieline.kernel.book_records import BookFields, BookReport, ScheduleLine
from tieline.kernel.vocabulary import Origin
from tieline.synthetic.assets import book_closes, book_reopens, cost_after
from tieline.synthetic.shape import BOOKS, ERP, MAIN, MONTHS, Chapter, Kind, Shape, instant
from tieline.synthetic.things import Fate, Method, Thing

_YEAR_MONTHS = 12
_MACRS_SUMS = (0, 2000, 5200, 7120, 8272, 9424, 10000)
"""Five-year property, half-year convention, in hundredths of a percent, summed up (IRS Publication 946, table A-1)."""
_CHANGES = frozenset({Fate.REVALUATION, Fate.IMPAIRMENT, Fate.ADJUSTMENT})


@dataclass(frozen=True, slots=True)
class Book:
    """One book of one asset; amounts in minor units. ``closes``: the month it is emptied in, ``reopens``: and restored.

    ``opening`` was accumulated before the year; ``amounts`` are the depreciation of its twelve months.
    """

    thing: Thing
    book_id: str
    method: Method
    salvage: int
    opening: int
    amounts: tuple[int, ...]
    closes: int | None
    reopens: int | None

    def is_closed(self, month: int) -> bool:
        """Whether nothing stands in it after a month."""
        if self.closes is None or month < self.closes:
            return False
        return self.reopens is None or month < self.reopens

    def posted(self, month: int) -> list[tuple[int, int]]:
        """Month and amount of each line posted up to a month; while the book was closed, none was."""
        months = (m for m in range(1, month + 1) if not self.is_closed(m))
        return [(m, amount) for m in months if (amount := self.amounts[m - 1])]

    def planned(self, month: int) -> list[tuple[int, int]]:
        """Month and amount of each line that is still to come after a month."""
        if self.is_closed(month):
            return []
        return [(m, amount) for m in range(month + 1, MONTHS + 1) if (amount := self.amounts[m - 1])]

    def gross(self, month: int) -> int:
        """Cost in the book after a month."""
        if self.is_closed(month):
            return 0
        return cost_after(self.thing, month) + self.revalued(month)

    def revalued(self, month: int) -> int:
        """What revaluations have added up to a month: each a twentieth of the first cost."""
        return self.count(Fate.REVALUATION, month) * (self.thing.cost // 20)

    def impaired(self, month: int) -> int:
        """What impairments have taken up to a month: each a quarter of the salvage value."""
        return self.count(Fate.IMPAIRMENT, month) * (self.salvage // 4)

    def accumulated(self, month: int) -> int:
        """Accumulated after a month."""
        if self.is_closed(month):
            return 0
        return self.opening + self.impaired(month) + sum(amount for _, amount in self.posted(month))

    def is_told(self, shape: Shape, month: int) -> bool:
        """Whether the ERP reports it in a month: books are told in it, and there is something new to say."""
        if month < self.thing.start or not shape.tells_books(month):
            return False
        before = self._told_before(shape, month)
        if before is None:
            return True
        if self.is_closed(before) != self.is_closed(month):
            return True
        news = range(before + 1, month + 1)
        changed = any(m in news and self.changes(fate) for m, fate in self.thing.fates)
        return not self.is_closed(month) and (changed or any(m in news for m, _ in self.posted(month)))

    def replaces_plan(self, shape: Shape, month: int) -> bool:
        """Whether what is told in a month changes what is still to come, by more than what was posted of it."""
        before = self._told_before(shape, month)
        if before is None or not self.is_told(shape, month):
            return False
        planned, posted = self.planned(before), self.posted(month)
        has_lines = bool(planned or self.posted(before))
        return has_lines and [line for line in planned if line not in posted] != self.planned(month)

    def _told_before(self, shape: Shape, month: int) -> int | None:
        """The last month before in which books were told."""
        return max((m for m in range(self.thing.start, month) if shape.tells_books(m)), default=None)

    def changes(self, fate: Fate) -> bool:
        """Whether what happens to the asset changes this book."""
        return fate in _CHANGES and (self.book_id == MAIN or fate is Fate.ADJUSTMENT)

    def count(self, fate: Fate, month: int) -> int:
        """How often it has happened up to a month, where this book knows of it."""
        if self.book_id != MAIN:
            return 0
        return sum(1 for when, what in self.thing.fates if what is fate and when <= month)


def depreciated(method: Method, cost: int, salvage: int, life: int, months: int) -> int:
    """Accumulated depreciation after so many months of use, in minor units."""
    base, passed = cost - salvage, max(0, min(months, life))
    match method:
        case Method.SL:
            return base * passed // life
        case Method.DB_SWITCH_SL:
            return _declining(base, passed, life)
        case Method.MACRS:
            year, month = divmod(max(0, min(months, 72)), _YEAR_MONTHS)
            done = cost * _MACRS_SUMS[year] // 10_000
            whole = cost * _MACRS_SUMS[min(year + 1, 6)] // 10_000
            return done + (whole - done) * month // _YEAR_MONTHS
        case Method.UOP:
            return base * _used(passed) // _used(life)
        case Method.LOW_VALUE:
            return base if passed else 0
        case Method.NONE:
            return 0


def _declining(base: int, months: int, life: int) -> int:
    """A year's rate of twice the straight one on what is left, or what is left over the rest if that is more."""
    left, year = base, 0
    while True:
        rest = life - year * _YEAR_MONTHS
        amount = min(left, max(left * 2 * _YEAR_MONTHS // life, left * _YEAR_MONTHS // rest))
        passed = months - year * _YEAR_MONTHS
        if passed <= _YEAR_MONTHS:
            return base - left + amount * passed // min(_YEAR_MONTHS, rest)
        left, year = left - amount, year + 1


def _used(months: int) -> int:
    """Units made after so many months: some 20 a month, never the same."""
    return months * 20 + months * months * 7 % 13


def books_of(shape: Shape, thing: Thing) -> Iterator[Book]:
    """The two books of an asset; they differ in life, in salvage (none for tax) and, for MACRS, in method (T18)."""
    closes, reopens = book_closes(shape, thing), book_reopens(shape, thing)
    for book_id in BOOKS:
        method, life, salvage = thing.method, thing.life, thing.cost // 20
        if book_id != MAIN:
            life, salvage = life // 12 * 8, 0
        elif method is Method.MACRS:
            method = Method.SL
        passed = [thing.age + max(0, month + 1 - thing.start) for month in range(MONTHS + 1)]
        after = [depreciated(method, thing.cost, salvage, life, months) for months in passed]
        amounts = tuple(now - before for before, now in pairwise(after))
        yield Book(thing, book_id, method, salvage, after[0], amounts, closes, reopens)


def book_reports(shape: Shape, thing: Thing, chapter: Chapter) -> Iterator[BookReport]:
    """What the ERP says of the asset's books in a chapter."""
    if chapter.kind is not Kind.TRADE or not shape.tells_books(chapter.month):
        return
    for book in books_of(shape, thing):
        if book.is_told(shape, chapter.month):
            yield _report(book, chapter.month)


def _report(book: Book, month: int) -> BookReport:
    thing, company = book.thing, book.thing.company
    native_id = f"{thing.erp_id}|{book.book_id}"
    gross, accumulated = book.gross(month), book.accumulated(month)
    lines = tuple(_lines(book, month))
    posted = [line for line in lines if line.posted]
    period = company.period(month)
    fields = BookFields(
        book_id=book.book_id,
        currency=company.currency,
        method="MANUAL" if book.method is Method.LOW_VALUE else book.method.value,
        gross_cost=company.amount(gross),
        salvage=company.amount(book.salvage if gross else 0),
        accumulated=company.amount(accumulated),
        net_book_value=company.amount(gross - accumulated),
        as_of=posted[-1].date if posted else company.period(thing.start).first,
        lines=lines,
    )
    origin = Origin(
        system=ERP,
        entity="book",
        native_id=native_id,
        source_version=str(month),
        recorded_at=instant(period.last, 18),
    )
    return BookReport(origin=origin, asset_native_id=thing.erp_id, fields=fields)


def _lines(book: Book, month: int) -> Iterator[ScheduleLine]:
    """The year's lines: those of months up to ``month`` are posted, the others planned until the book closes."""
    company = book.thing.company
    is_closed = book.is_closed(month)
    posted = dict(book.posted(month))
    after = book.accumulated(month) - sum(posted.values()) if not is_closed else book.opening
    gross = book.gross(month) if not is_closed else book.thing.cost
    for when, amount in (*posted.items(), *book.planned(month)):
        after += amount
        period = company.period(when)
        yield ScheduleLine(
            date=period.last,
            posting_period=period.name,
            depreciation=company.amount(amount),
            accumulated_after=company.amount(after),
            net_book_value_after=company.amount(gross - after),
            posted=when in posted,
            document=f"{book.thing.erp_id}.{book.book_id}.{period.name}" if when in posted else None,
        )
