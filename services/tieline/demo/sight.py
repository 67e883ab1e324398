"""What both systems hold, read through their APIs, and whether they tell the same story. Reads no topic."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal

from tieline.kernel.asset_records import AssetFields, AssetReport, FinancialStatus, PhysicalStatus
from tieline.kernel.book_records import BookFields, BookReport
from tieline.kernel.cost_records import CostFields, CostReport
from tieline.kernel.order_records import OrderFields, OrderReport
from tieline.kernel.protocols import Connector
from tieline.kernel.reports import Report

ZERO = Decimal(0)
IN_THE_BOOKS = frozenset({PhysicalStatus.IN_SERVICE, PhysicalStatus.IN_MAINTENANCE, PhysicalStatus.RETIRED})


@dataclass(frozen=True, slots=True)
class Side:
    """One system's records by native id; books by the native id of their asset."""

    assets: Mapping[str, AssetFields]
    books: Mapping[str, BookFields]
    orders: Mapping[str, OrderFields]
    costs: Mapping[str, CostFields]


@dataclass(frozen=True, slots=True)
class Figure:
    """One line of the summary: a count or a sum as each system gives it. ``currency`` is None for counts."""

    name: str
    currency: str | None
    am: Decimal
    erp: Decimal

    @property
    def difference(self) -> Decimal:
        """Asset management minus ERP."""
        return self.am - self.erp


async def read_side(connector: Connector) -> Side:
    """Everything a system holds, now. Errors are the connector's."""
    assets: dict[str, AssetFields] = {}
    books: dict[str, BookFields] = {}
    orders: dict[str, OrderFields] = {}
    costs: dict[str, CostFields] = {}
    async for report in _reports(connector):
        match report:
            case AssetReport():
                assets[report.origin.native_id] = report.fields
            case BookReport():
                books[report.asset_native_id] = report.fields
            case OrderReport():
                orders[report.origin.native_id] = report.fields
            case CostReport():
                costs[report.origin.native_id] = report.fields
    return Side(assets, books, orders, costs)


async def _reports(connector: Connector) -> AsyncIterator[Report]:
    for stream in connector.snapshot_streams:
        async for item in connector.source.read_all(stream):
            for report in connector.map_item(item):
                yield report


def by_number(side: Side) -> dict[str, list[str]]:
    """Native ids per the ERP's asset number; more than one is a duplicate."""
    found: dict[str, list[str]] = {}
    for native_id, fields in side.assets.items():
        if fields.asset_number is not None:
            found.setdefault(fields.asset_number, []).append(native_id)
    return found


def differences(am: Side, erp: Side) -> list[str]:
    """What is not the same in both systems, one sentence each; empty when they tell the same story."""
    return [*_missing(am, erp), *_unequal(am, erp), *_unposted(am, erp)]


def _missing(am: Side, erp: Side) -> list[str]:
    shown, held = by_number(am), by_number(erp)
    found = [f"asset {n} of the ERP is not in asset management" for n in held if n not in shown]
    found += [f"asset management shows number {n}, which the ERP does not know" for n in shown if n not in held]
    for who, numbers in (("asset management", shown), ("the ERP", held)):
        found += [f"number {n} stands {len(ids)} times in {who}" for n, ids in numbers.items() if len(ids) > 1]
    found += [
        f"{fields.tag or native_id} is in use with a cost and not in the ERP"
        for native_id, fields in am.assets.items()
        if fields.asset_number is None and fields.physical_status in IN_THE_BOOKS and fields.acquisition_cost
    ]
    found += [f"ERP asset {native_id} has no number" for native_id, f in erp.assets.items() if f.asset_number is None]
    return found + _order_units(am, erp)


def _order_units(am: Side, erp: Side) -> list[str]:
    refs = [fields.po_line_ref for fields in am.assets.values() if fields.po_line_ref]
    found = [
        f"order unit {ref} has {refs.count(ref)} records in asset management"
        for ref in set(refs)
        if refs.count(ref) > 1
    ]
    for order in erp.orders.values():
        if order.approval_status != "APPROVED":
            continue
        for line in order.lines:
            units = sum(f"/{line.line_id}/" in ref for ref in refs)
            wanted = int(line.quantity) if line.asset_class else 0
            if units != wanted:
                found.append(f"order line {line.line_id} ({line.description}) has {units} of {wanted} asset records")
    return found


def _unequal(am: Side, erp: Side) -> list[str]:
    found: list[str] = []
    shown, held = by_number(am), by_number(erp)
    for number in sorted(shown.keys() & held.keys()):
        mine, theirs = am.assets[shown[number][0]], erp.assets[held[number][0]]
        for name in ("acquisition_cost", "tag", "serial_number", "location", "cost_centre", "disposal_date"):
            ours, other = getattr(mine, name), getattr(theirs, name)
            if ours != other:
                found.append(f"asset {number}: {name} is {_say(ours)} in asset management, {_say(other)} in the ERP")
        if (mine.physical_status is PhysicalStatus.RETIRED) != (theirs.financial_status is FinancialStatus.CLOSED):
            found.append(
                f"asset {number} is {mine.physical_status} in asset management, {theirs.financial_status} in the ERP"
            )
        panel, book = am.books.get(shown[number][0]), erp.books.get(held[number][0])
        if book is not None and panel != book:
            found.append(f"asset {number}: the finance panel does not show the ERP's book")
    return found


def _unposted(am: Side, erp: Side) -> list[str]:
    found: list[str] = []
    written, posted = _by_work_order(am), _by_work_order(erp)
    for work_order in sorted(written.keys() | posted.keys()):
        ours, other = written.get(work_order, []), posted.get(work_order, [])
        if sorted(ours) != sorted(other):
            documents = f"{len(ours)} cost documents of {sum(ours, ZERO)}"
            found.append(f"{work_order}: {documents}, {len(other)} postings of {sum(other, ZERO)}")
    return found


def _by_work_order(side: Side) -> dict[str, list[Decimal]]:
    found: dict[str, list[Decimal]] = {}
    for cost in side.costs.values():
        found.setdefault(cost.work_order, []).append(cost.total)
    return found


def _say(value: object) -> str:
    amount = getattr(value, "amount", None)
    return (
        "nothing"
        if value is None
        else f"{amount} {getattr(value, 'currency', '')}"
        if amount is not None
        else str(value)
    )


def figures(am: Side, erp: Side) -> Sequence[Figure]:
    """Counts and sums of what both systems should hold alike, per currency."""
    shown, held = by_number(am), by_number(erp)
    am_ids, erp_ids = [i for ids in shown.values() for i in ids], [i for ids in held.values() for i in ids]
    lines = [
        _count("fixed assets", len(am_ids), len(erp_ids)),
        _count(
            "retired / closed",
            sum(am.assets[i].physical_status is PhysicalStatus.RETIRED for i in am_ids),
            sum(erp.assets[i].financial_status is FinancialStatus.CLOSED for i in erp_ids),
        ),
        *_sums("acquisition cost", _costs(am, am_ids), _costs(erp, erp_ids)),
        _count("books", len(am.books), len(erp.books)),
        *_sums("accumulated depreciation", _books(am, "accumulated"), _books(erp, "accumulated")),
        *_sums("net book value", _books(am, "net_book_value"), _books(erp, "net_book_value")),
        _count("depreciation postings", _posted(am), _posted(erp)),
        _count("cost documents", len(am.costs), len(erp.costs)),
        *_sums("maintenance cost", _maintenance(am), _maintenance(erp)),
    ]
    return [line for line in lines if line.am or line.erp or line.currency is None]


def _count(name: str, am: int, erp: int) -> Figure:
    return Figure(name, None, Decimal(am), Decimal(erp))


def _sums(name: str, am: Sequence[tuple[str, Decimal]], erp: Sequence[tuple[str, Decimal]]) -> list[Figure]:
    currencies = sorted({currency for currency, _ in (*am, *erp)})
    return [
        Figure(name, code, sum((a for c, a in am if c == code), ZERO), sum((a for c, a in erp if c == code), ZERO))
        for code in currencies
    ]


def _costs(side: Side, ids: Sequence[str]) -> list[tuple[str, Decimal]]:
    costs = [side.assets[native_id].acquisition_cost for native_id in ids]
    return [(cost.currency, cost.amount) for cost in costs if cost is not None]


def _books(side: Side, measure: str) -> list[tuple[str, Decimal]]:
    return [(book.currency, getattr(book, measure)) for book in side.books.values()]


def _posted(side: Side) -> int:
    return sum(line.posted for book in side.books.values() for line in book.lines)


def _maintenance(side: Side) -> list[tuple[str, Decimal]]:
    return [(cost.currency, cost.total) for cost in side.costs.values()]
