"""Control totals: what the hub expects at a system, what it holds, and the differences that explain the gap.

Both sides are summed here from the records themselves, the explanation from the findings alone; what is left over must
be 0.00 (Invariant 11). Errors that cancel out in a sum are still differences: totals check the comparison, they never
replace it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal

from tieline.reconciliation.bench import Bench, asset_native_of
from tieline.reconciliation.findings import ZERO, Effect, Finding, asset_effects, book_effects, cost_effects

Place = tuple[str, str, str, str]
Sums = dict[Place, tuple[int, Decimal]]


@dataclass(frozen=True, slots=True)
class Total:
    """One control total. ``difference`` is system minus hub; ``explained`` is what the findings say of it."""

    system: str
    entity: str
    measure: str
    company: str
    currency: str
    hub_count: int
    hub: Decimal
    system_count: int
    held: Decimal
    explained_count: int
    explained: Decimal

    @property
    def difference(self) -> Decimal:
        """System minus hub."""
        return self.held - self.hub

    @property
    def unexplained(self) -> Decimal:
        """What no finding explains; must be zero."""
        return self.difference - self.explained

    @property
    def unexplained_count(self) -> int:
        """Records that no finding explains; must be zero."""
        return self.system_count - self.hub_count - self.explained_count


def control_totals(bench: Bench, findings: Iterable[Finding]) -> Sequence[Total]:
    """The totals of one system per entity, measure, company and currency, in a stable order."""
    hub = _sum(_expected(bench))
    held = _sum(_held(bench))
    explained = _sum(effect for finding in findings for effect in finding.effects)
    nothing = (0, ZERO)
    return [
        Total(bench.system, *place, *hub.get(place, nothing), *held.get(place, nothing), *explained.get(place, nothing))
        for place in sorted({*hub, *held, *explained})
    ]


def _expected(bench: Bench) -> Iterator[Effect]:
    evidence = bench.evidence
    for asset in evidence.assets.values():
        if bench.asset_in_scope(asset.row):
            yield from bench.asset_effects(asset.row, asset.row.fields)
    for book in evidence.books.values():
        if bench.book_in_scope(book.row):
            yield from book_effects(book.row.fields, bench.company_of(book.row.asset_id))
    for cost in evidence.costs.values():
        if bench.cost_in_scope(cost.row):
            yield from cost_effects(cost.row.fields)


def _held(bench: Bench) -> Iterator[Effect]:
    for native, row in bench.assets.items():
        if row.asset is None:
            continue
        asset_id = bench.asset_of.get(native)
        if asset_id is not None:
            yield from bench.asset_effects(bench.evidence.assets[asset_id].row, row.asset)
        else:
            yield from asset_effects(row.asset, row.asset.company, with_cost="acquisition_cost" in bench.fields)
    for native, row in bench.books.items():
        if row.book is not None:
            yield from book_effects(row.book, _company_of_book(bench, native))
    for row in bench.costs.values():
        if row.cost_document is not None:
            yield from cost_effects(row.cost_document)


def _company_of_book(bench: Bench, native: str) -> str | None:
    asset_native = asset_native_of(native)
    asset_id = bench.asset_of.get(asset_native)
    if asset_id is not None:
        return bench.company_of(asset_id)
    unknown = bench.assets.get(asset_native)
    return unknown.asset.company if unknown is not None and unknown.asset is not None else None


def _sum(effects: Iterable[Effect]) -> Sums:
    sums: Sums = {}
    for effect in effects:
        place = (effect.entity, effect.measure, effect.company, effect.currency)
        count, amount = sums.get(place, (0, ZERO))
        sums[place] = (count + effect.count, amount + effect.amount)
    return sums
