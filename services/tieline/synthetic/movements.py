"""What the ERP posts on books besides depreciation: the documents that explain every other change of a book's figures.

A later invoice, a revaluation, an impairment, a disposal and its reversal. With them each book's roll-forward has no
difference (IAS 16.73 e): opening, postings and movements give the closing, to the minor unit.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from tieline.kernel.asset_records import DisposalKind
from tieline.kernel.movement_records import MovementFields, MovementKind, MovementReport
from tieline.kernel.vocabulary import Origin
from tieline.synthetic.assets import cost_after, words
from tieline.synthetic.books import Book, books_of
from tieline.synthetic.estate import class_of
from tieline.synthetic.labels import BookLabel
from tieline.synthetic.shape import ERP, WORKS, Chapter, Kind, Shape, instant
from tieline.synthetic.things import Fate, Thing

_KINDS = {
    Fate.ADJUSTMENT: MovementKind.ACQUISITION_ADJUSTMENT,
    Fate.REVALUATION: MovementKind.REVALUATION,
    Fate.IMPAIRMENT: MovementKind.IMPAIRMENT,
}


@dataclass(frozen=True, slots=True)
class Movement:
    """One document of one book, its amounts in minor units; ``surplus`` is what a disposal realises of it."""

    book: Book
    kind: MovementKind
    month: int
    cost: int
    accumulated: int
    surplus: int = 0
    reversal_of: str | None = None

    @property
    def native_id(self) -> str:
        """Native id in the ERP."""
        return f"MV-{self.book.thing.name}-{self.book.book_id}-{self.month:02}-{self.kind.value}"


def movements_of(shape: Shape, thing: Thing) -> Iterator[Movement]:
    """The documents of both books of an asset, in the order of their months."""
    if not thing.fates:
        return
    for book in books_of(shape, thing):
        for month, fate in thing.fates:
            if book.changes(fate):
                yield _change(book, month, fate)
        yield from _disposal(book)


def movement_reports(shape: Shape, thing: Thing, chapter: Chapter) -> Iterator[MovementReport]:
    """What the ERP says of movements in a chapter."""
    if chapter.kind is not Kind.TRADE or not any(
        chapter.month - 2 <= month <= chapter.month for month, _ in thing.fates
    ):
        return
    for movement in movements_of(shape, thing):
        if movement.month == chapter.month:
            yield _report(shape, movement)


def book_labels(shape: Shape, thing: Thing) -> Iterator[BookLabel]:
    """The books as they must stand at the end."""
    company, month = thing.company, shape.months
    movements = list(movements_of(shape, thing))
    for book in books_of(shape, thing):
        if not any(book.is_told(shape, m) for m in range(1, month + 1)):
            continue
        posted = book.posted(month)
        gross, accumulated = book.gross(month), book.accumulated(month)
        of_book = [one for one in movements if one.book.book_id == book.book_id]
        yield BookLabel(
            asset_native_id=thing.erp_id,
            book_id=book.book_id,
            company=company.code,
            asset_class=class_of(company, thing.class_name),
            currency=company.currency,
            gross=company.amount(gross),
            accumulated=company.amount(accumulated),
            net_book_value=company.amount(gross - accumulated),
            posted_count=len(posted),
            posted_sum=company.amount(sum(amount for _, amount in posted)),
            movements=len(of_book),
            movements_cost=company.amount(sum(one.cost for one in of_book)),
            movements_accumulated=company.amount(sum(one.accumulated for one in of_book)),
        )


def _change(book: Book, month: int, fate: Fate) -> Movement:
    thing = book.thing
    cost, accumulated = 0, 0
    if fate is Fate.ADJUSTMENT:
        cost = cost_after(thing, month) - cost_after(thing, month - 1)
    elif fate is Fate.REVALUATION:
        cost = book.revalued(month) - book.revalued(month - 1)
    else:
        accumulated = book.impaired(month) - book.impaired(month - 1)
    return Movement(book, _KINDS[fate], month, cost, accumulated)


def _disposal(book: Book) -> Iterator[Movement]:
    """Everything leaves the book, and in a reversal all of it comes back (T22)."""
    if book.closes is None:
        return
    last = book.closes - 1
    cost, accumulated, surplus = book.gross(last), book.accumulated(last), book.revalued(last)
    gone = Movement(book, MovementKind.DISPOSAL, book.closes, -cost, -accumulated, -surplus)
    yield gone
    if book.reopens is not None:
        kind = MovementKind.DISPOSAL_REVERSAL
        yield Movement(book, kind, book.reopens, cost, accumulated, surplus, reversal_of=gone.native_id)


def _report(shape: Shape, movement: Movement) -> MovementReport:
    thing = movement.book.thing
    company, amount = thing.company, thing.company.amount
    period = company.period(movement.month)
    day = period.day(shape.dice("movement", movement.native_id))
    change = movement.cost - movement.accumulated
    is_disposal = movement.kind in {MovementKind.DISPOSAL, MovementKind.DISPOSAL_REVERSAL}
    sides = {
        MovementKind.ACQUISITION_ADJUSTMENT: {"clearing": change},
        MovementKind.REVALUATION: {"surplus_change": change},
        MovementKind.IMPAIRMENT: {"expense": -change},
    }.get(movement.kind, {})
    if is_disposal:
        # Half the book value is got for it, the rest is the loss; the surplus is realised (IAS 16.41).
        half = abs(change) // 2 * (1 if change < 0 else -1)
        proceeds = half if _kind(shape, thing) is DisposalKind.SALE else 0
        sides = {"proceeds": proceeds, "expense": -change - proceeds}
        sides |= {"surplus_change": movement.surplus, "retained_earnings_change": -movement.surplus}
    names = ("surplus_change", "retained_earnings_change", "proceeds", "income", "expense", "clearing")
    rest: dict[str, Any] = {name: amount(sides.get(name, 0)) for name in names}
    fields = MovementFields(
        kind=movement.kind,
        asset_native_id=thing.erp_id,
        book_id=movement.book.book_id,
        company=company.code,
        currency=company.currency,
        effective_date=day,
        posting_period=period.name,
        document=movement.native_id,
        cost_change=amount(movement.cost),
        accumulated_change=amount(movement.accumulated),
        net_book_value_change=amount(change),
        disposal_kind=_kind(shape, thing) if is_disposal else None,
        reversal_of=movement.reversal_of,
        **rest,
    )
    origin = Origin(
        system=ERP,
        entity="movement",
        native_id=movement.native_id,
        source_version="1",
        recorded_at=instant(day, 12),
    )
    return MovementReport(origin=origin, fields=fields)


def _kind(shape: Shape, thing: Thing) -> DisposalKind:
    """How the works say it left."""
    said = (word.says.get("disposal_kind") for word in words(shape, thing) if word.system == WORKS)
    return next(kind for kind in said if isinstance(kind, DisposalKind))
