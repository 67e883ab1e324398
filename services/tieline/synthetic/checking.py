"""Does the hub hold what the labels say? Each difference is a line for people; none: all ties to 0.00. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from decimal import Decimal

from tieline.kernel.asset_records import AssetFields
from tieline.kernel.order_records import ProposalStatus
from tieline.synthetic.gathering import NOTHING, Gathered, HeldBook, HeldMovements
from tieline.synthetic.labels import (
    AssetLabel,
    BookLabel,
    CostLabel,
    Foreign,
    Label,
    OrderLabel,
    PeriodLabel,
    RunLabel,
    Summary,
    Total,
    UnitLabel,
)
from tieline.synthetic.orders import BOOKED
from tieline.synthetic.shape import ERP
from tieline.synthetic.totals import Place, Totals


def differences(labels: Iterable[Label], summary: Summary, found: Gathered) -> Iterator[str]:
    """What the hub holds otherwise than the labels say, one sentence each."""
    checker = _Checker(found)
    for label in labels:
        yield from checker.check(label)
    yield from checker.check_summary(summary)


_OF_BOOKS = ("roll_forward.", "counterpart.")
"""Fields of the conflicts that tell of a book's change without its document, and of half a movement."""


class _Checker:
    """The rows found, by the systems' own ids; what labels speak of is ticked off."""

    def __init__(self, found: Gathered) -> None:
        self._found = found
        self._by_erp_id = {row.links[ERP]: key for key, row in found.assets.items() if ERP in row.links}
        self._by_order_line = {row.fields.po_line_ref: key for key, row in found.assets.items() if not row.links}
        self._by_po_number = {row.po_number: key for key, row in found.orders.items()}
        self._receipts, self._invoices = Counter(found.receipts.values()), Counter(found.invoices.values())
        self._held = {native_id for native_id, entity in found.held.values() if entity == "cost-document"}
        self._units = _units_by_order(found)
        self._conflicts = {(row.canonical_id, row.field, row.system): row for row in found.conflicts.values()}
        self._totals = Totals()
        self._bought: set[str] = set()

    def check(self, label: Label) -> Iterator[str]:
        """Differences of one label."""
        match label:
            case AssetLabel():
                yield from self._asset(label)
            case BookLabel():
                yield from self._book(label)
            case CostLabel():
                yield from self._cost(label)
            case OrderLabel():
                yield from self._order(label)
            case RunLabel():
                yield from self._run(label)
            case PeriodLabel():
                status = self._found.periods.get(f"{label.company}|*|{label.period}")
                if status != label.status:
                    yield f"period {label.period} of {label.company} is {status}, not {label.status}"

    def check_summary(self, summary: Summary) -> Iterator[str]:
        """Differences of counts and sums."""
        found = self._found
        counts = Counter(found.events)
        for asset_id in self._bought:
            counts.subtract(found.asset_events.get(asset_id, Counter()))
        for name, expected in summary.events.items():
            if counts[name] != expected:
                yield f"{counts[name]} events {name}, not {expected}"
        for what, size, expected in (
            ("assets", len(found.assets), summary.assets),
            (
                "conflicts",
                sum(1 for row in found.conflicts.values() if row.field in AssetFields.model_fields),
                summary.conflicts,
            ),
            ("conflicts of books", sum(1 for row in found.conflicts.values() if row.field.startswith(_OF_BOOKS)), 0),
            ("held documents", len(found.held), summary.held),
        ):
            if size != expected:
                yield f"{size} {what}, not {expected}"
        for (company, period, currency), total in found.posted_costs.items():
            self._totals.add(("cost-posted", company, "ledger", period, currency), total)
        yield from _compare_totals(self._totals.rows(), summary.totals)

    def _asset(self, label: AssetLabel) -> Iterator[str]:
        name = label.links.get(ERP) or label.fields.po_line_ref or "?"
        key = self._by_erp_id.get(name) if label.links else self._by_order_line.get(name)
        if key is None:
            yield f"asset {name} is not there"
            return
        row = self._found.assets[key]
        if label.bought:
            self._bought.add(key)
        if row.links != label.links:
            yield f"asset {name} has the records {row.links}, not {label.links}"
        for field in AssetFields.model_fields:
            here, there = getattr(row.fields, field), getattr(label.fields, field)
            if here != there:
                yield f"asset {name}: {field} is {here}, not {there}"
        for conflict in label.conflicts:
            yield from self._conflict(name, key, conflict)
        if label.cost_centres and not label.bought:
            said = [one.cost_centre for one in label.cost_centres]
            heard = _runs([centre for _, centre in self._found.centres.get(key, [])])
            if heard != said:
                yield f"asset {name}: cost centres were {heard}, not {said}"
        cost = row.fields.acquisition_cost
        if cost is not None:
            fields = row.fields
            group = fields.asset_class or ""
            place = ("acquisition-cost", fields.company or "", "ledger", group, cost.currency)
            self._totals.add(place, cost.amount)

    def _conflict(self, name: str, key: str, label: Foreign) -> Iterator[str]:
        row = self._conflicts.get((key, label.field, label.system))
        values = (row.owned_value, row.foreign_value) if row else None
        if values != (label.owned_value, label.foreign_value):
            yield f"asset {name}: conflict of {label.system} on {label.field} is {values}, not {label}"

    def _book(self, label: BookLabel) -> Iterator[str]:
        name = f"book {label.book_id} of {label.asset_native_id}"
        asset_id = self._by_erp_id.get(label.asset_native_id, "")
        row = self._found.books.get(f"{asset_id}|{label.book_id}")
        if row is None:
            yield f"{name} is not there"
            return
        expected = HeldBook(
            asset_id,
            label.book_id,
            label.gross,
            label.accumulated,
            label.net_book_value,
            label.posted_count,
            label.posted_sum,
        )
        if row != expected:
            yield f"{name} is {row}, not {expected}"
        count, total = self._found.postings.get((asset_id, label.book_id), (0, NOTHING))
        if (count, total) != (label.posted_count, label.posted_sum):
            yield f"{name}: {count} postings of {total}, not {label.posted_count} of {label.posted_sum}"
        movements = HeldMovements(label.movements, label.movements_cost, label.movements_accumulated)
        heard = self._found.movements.get((asset_id, label.book_id), HeldMovements())
        if heard != movements:
            yield f"{name}: its movements are {heard}, not {movements}"
        unexplained = self._found.unexplained.get((asset_id, label.book_id))
        if unexplained != (NOTHING, NOTHING):
            yield f"{name}: no movement explains {unexplained} of its cost and accumulated depreciation"
        where = (label.company, label.book_id, label.asset_class, label.currency)
        for what, amount in (
            ("gross", row.gross),
            ("accumulated", row.accumulated),
            ("net-book-value", row.net_book_value),
            ("depreciation", total),
        ):
            self._totals.add((what, *where), amount)

    def _cost(self, label: CostLabel) -> Iterator[str]:
        row = self._found.costs.get(label.native_id)
        if row is None:
            status = "held" if label.native_id in self._held else "unknown"
            if status != label.status:
                yield f"cost {label.native_id} is {status}, not {label.status}"
            return
        if (row.status, row.posting_date, row.total) != (label.status, label.posting_date, label.total):
            expected = (label.status, label.posting_date, label.total)
            yield f"cost {label.native_id} is {(row.status, row.posting_date, row.total)}, not {expected}"

    def _order(self, label: OrderLabel) -> Iterator[str]:
        key = self._by_po_number.get(label.native_id, "")
        row = self._found.orders.get(key)
        if row is None:
            yield f"order {label.native_id} is not there"
            return
        here = (row.net_total, row.closed, row.blanket, row.cancelled)
        there = (label.net_total, label.closed, label.blanket, label.cancelled)
        if here != there:
            yield f"order {label.native_id} is {here}, not {there} (total, closed, blanket, cancelled)"
        documents, wanted = (self._receipts[key], self._invoices[key]), (label.receipts, label.invoices)
        if documents != wanted:
            yield f"order {label.native_id} has {documents} receipts and invoices, not {wanted}"
        units = self._units.get(key, {})
        for unit in label.units:
            yield from self._unit(label, unit, units.pop((unit.line_id, unit.unit), None))
        if units:
            yield f"order {label.native_id} has further units {sorted(units)}"

    def _unit(
        self, order: OrderLabel, unit: UnitLabel, found: tuple[ProposalStatus, Decimal | None] | None
    ) -> Iterator[str]:
        name = f"unit {unit.unit} of {unit.line_id}"
        if found != (unit.status, unit.cost):
            yield f"{name} is {found}, not {(unit.status, unit.cost)}"
        acquired = self._found.acquired.get(f"{ERP}/{unit.line_id}/{unit.unit}", NOTHING)
        expected = unit.cost if unit.status in BOOKED and unit.cost is not None else NOTHING
        if acquired != expected:
            yield f"{name}: the documents in the books add up to {acquired} {order.currency}, not {expected}"

    def _run(self, label: RunLabel) -> Iterator[str]:
        name = f"run {label.company}|{label.book_id}|{label.period}"
        row = self._found.runs.get(f"{label.company}|{label.book_id}|{label.period}")
        if row is None:
            yield f"{name} is not there"
        elif (row.completed, row.posted_count, row.posted_total.amount) != (True, label.count, label.total):
            yield f"{name}: {row.missing or f'{row.posted_count} lines of {row.posted_total.amount}'}"


def _runs(values: list[str]) -> list[str]:
    """The values without immediate repetitions."""
    return [value for place, value in enumerate(values) if place == 0 or values[place - 1] != value]


def _units_by_order(found: Gathered) -> dict[str, dict[tuple[str, int], tuple[ProposalStatus, Decimal | None]]]:
    units: dict[str, dict[tuple[str, int], tuple[ProposalStatus, Decimal | None]]] = {}
    for row in found.units.values():
        units.setdefault(row.po_id, {})[row.line_id, row.unit] = (row.status, row.cost)
    return units


def _compare_totals(here: Iterable[Total], there: Iterable[Total]) -> Iterator[str]:
    found = {_place(total): total.total for total in here}
    expected = {_place(total): total.total for total in there}
    for place in sorted(found.keys() | expected.keys()):
        is_, shall = found.get(place, NOTHING), expected.get(place, NOTHING)
        if is_ != shall:
            yield f"sum of {' '.join(place)} is {is_}, not {shall}: {is_ - shall} too much"


def _place(total: Total) -> Place:
    return total.name, total.company, total.book_id, total.group, total.currency
