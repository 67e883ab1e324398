"""What is sent: versions of assets and of their books, told by the ERP, and cost documents, told by asset management.

Each version can be told from every other where it arrives: an asset's by its cost, a book's by the number of its lines,
a document by its work order.
"""

from __future__ import annotations

import datetime as dt
import random
from collections.abc import Iterable, Iterator, Sequence
from decimal import Decimal
from typing import Literal, NamedTuple

from tests.chaos.history import Version
from tests.chaos.hub import ERP, WORKS

from tieline.kernel.asset_records import AssetFields, AssetReport, FinancialStatus
from tieline.kernel.book_records import BookFields, BookReport, ScheduleLine
from tieline.kernel.cost_records import CostFields, CostKind, CostLine, CostReport
from tieline.kernel.records import Outbound, Typed
from tieline.kernel.reports import Report
from tieline.kernel.vocabulary import Money, Origin

Flow = Literal["assets", "books", "costs"]
FLOWS: Sequence[Flow] = ("assets", "books", "costs")
WHOLE_STATE: frozenset[Flow] = frozenset({"assets", "books"})
"""Each effect shows all there is: a version that waited while a newer one came is passed over for it."""
REPORTS = {"assets": "asset.asset.report.v1", "books": "asset.book.report.v1", "costs": "cost.document.report.v1"}
EVENTS = {"assets": "asset.asset.event.v1", "books": "asset.book.event.v1", "costs": "cost.document.event.v1"}
AGAIN_PERCENT = 5
"""So much is said again, beside what is said."""
BOOK = "main"
_DAY = dt.date(2026, 2, 2)
_MOMENT = dt.datetime(2026, 3, 1, tzinfo=dt.UTC)
_GROSS = Decimal("12000.00")
_MONTHLY = Decimal("10.00")


class Item(NamedTuple):
    """One version of one thing of a flow. ``thing`` counts from 0."""

    flow: Flow
    thing: int
    number: int

    @property
    def version(self) -> Version:
        """As the history has it."""
        return Version(f"{self.flow}/{self.thing}", self.number)


def make_load(count: int, seed: int) -> tuple[list[Item], list[Item]]:
    """So many items: a quarter new assets, a quarter later versions of them, a quarter books, a quarter documents.

    The first list is of the assets that have books: the hub passes over what changes in a book before every system
    knows its asset, so the second list, which is the rest, is sent when that is so. It is mixed, but each thing's
    versions are in order.
    """
    dice = random.Random(f"load/{seed}")  # noqa: S311  - reproducible data, no secrets
    assets = max(count // 4, 1)
    # Few assets have many versions of their book: order is what is watched.
    with_books = max(assets // 4, 1)
    kinds = ["new"] * (assets - with_books) + ["change", "book", "cost"] * ((count - assets) // 3 + 1)
    kinds = kinds[: count - with_books]
    first = [Item("assets", thing, 1) for thing in range(with_books)]
    return first, list(_number(dice.sample(kinds, k=len(kinds)), with_books, dice))


def _number(kinds: Sequence[str], with_books: int, dice: random.Random) -> Iterator[Item]:
    assets = [1] * with_books
    books: dict[int, int] = {}
    costs = 0
    for kind in kinds:
        if kind == "new":
            assets.append(1)
            yield Item("assets", len(assets) - 1, 1)
        elif kind == "change":
            thing = dice.randrange(len(assets))
            assets[thing] += 1
            yield Item("assets", thing, assets[thing])
        elif kind == "book":
            thing = dice.randrange(with_books)
            books[thing] = books.get(thing, 0) + 1
            yield Item("books", thing, books[thing])
        else:
            costs += 1
            yield Item("costs", costs - 1, 1)


def say_again(sent: Sequence[Item], count: int, dice: random.Random) -> list[Item]:
    """What a source says again that reads once more: so many of what was sent, old words and the newest, in any order.

    Nothing may come of it.
    """
    return dice.choices(sent, k=count) if sent else []


def outbound(item: Item) -> Outbound:
    """The report of it, as a connector publishes it."""
    report = _REPORT[item.flow](item)
    key = f"{report.origin.system}/{report.origin.native_id}"
    return Outbound(REPORTS[item.flow], key, Typed(type(report).__name__, report))


def asset_cost(thing: int, number: int) -> Decimal:
    """Different for every version of every asset, to the cent."""
    return Decimal(10 + thing) * 1000 + Decimal(number) / 100


def asset_version(cost: Decimal) -> Version:
    """The inverse of ``asset_cost``."""
    thing, rest = divmod(cost, 1000)
    return Item("assets", int(thing) - 10, int(rest * 100)).version


def work_order(thing: int) -> str:
    """Number of a document's work order."""
    return f"WO-{thing}"


def _origin(system: str, entity: str, native_id: str, number: int) -> Origin:
    return Origin(
        system=system,
        entity=entity,
        native_id=native_id,
        source_version=str(number),
        recorded_at=_MOMENT + dt.timedelta(seconds=number),
    )


def _asset(item: Item) -> Report:
    fields = AssetFields(
        description=f"Pump {item.thing}",
        asset_number=str(item.thing),
        company="ACME",
        asset_class="MACHINE",
        acquisition_cost=Money(amount=asset_cost(item.thing, item.number), currency="EUR"),
        acquisition_date=_DAY,
        in_service_date=_DAY,
        financial_status=FinancialStatus.RUNNING,
    )
    return AssetReport(origin=_origin(ERP, "asset", str(item.thing), item.number), fields=fields)


def _book(item: Item) -> Report:
    lines = [
        ScheduleLine(
            date=dt.date(2027 + month // 12, month % 12 + 1, 28),
            depreciation=_MONTHLY,
            accumulated_after=_MONTHLY * (month + 1),
            net_book_value_after=_GROSS - _MONTHLY * (month + 1),
            posted=False,
        )
        for month in range(item.number)
    ]
    fields = BookFields(
        book_id=BOOK,
        currency="EUR",
        method="SL",
        gross_cost=_GROSS,
        salvage=_GROSS - _MONTHLY * item.number,
        accumulated=Decimal("0.00"),
        net_book_value=_GROSS,
        as_of=_DAY,
        start_date=_DAY,
        lines=tuple(lines),
    )
    native_id = str(item.thing)
    origin = _origin(ERP, "book", f"{native_id}|{BOOK}", item.number)
    return BookReport(origin=origin, asset_native_id=native_id, fields=fields)


def _cost(item: Item) -> Report:
    amount = Decimal(item.thing + 1) + Decimal("0.25")
    line = CostLine(line_no=1, kind=CostKind.LABOUR, description="work", amount=amount)
    fields = CostFields(
        work_order=work_order(item.thing),
        company="ACME",
        currency="EUR",
        cost_centre="CC-100",
        effective_date=_DAY,
        total=amount,
        lines=(line,),
    )
    return CostReport(origin=_origin(WORKS, "cost-document", str(item.thing), item.number), fields=fields)


_REPORT = {"assets": _asset, "books": _book, "costs": _cost}


def last_of(items: Iterable[Item]) -> set[Version]:
    """The versions that must have taken effect in the end: every one, or the newest where an effect shows all."""
    newest = {(item.flow, item.version.key): item.version for item in sorted(items, key=lambda one: one.version.number)}
    return {item.version for item in items if item.flow not in WHOLE_STATE} | set(newest.values())
