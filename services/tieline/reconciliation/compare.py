"""The whole comparison: every requested system against the hub's state, each difference once, in a stable order."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from decimal import ROUND_DOWN, Decimal

from tieline.reconciliation.assets import compare_assets, unreadable_record
from tieline.reconciliation.bench import Bench, entity_of
from tieline.reconciliation.books import compare_books
from tieline.reconciliation.costs import compare_costs
from tieline.reconciliation.evidence import ASSET, LEDGER_BALANCE, Evidence
from tieline.reconciliation.findings import Finding, in_order
from tieline.reconciliation.ledger import LedgerCheck, compare_ledger
from tieline.reconciliation.schedules import ScheduleCheck, compare_schedules
from tieline.reconciliation.scope import Scope
from tieline.reconciliation.totals import Total, control_totals


@dataclass(frozen=True, slots=True)
class Comparison:
    """What a run found. ``findings`` are in a stable order; ``compared`` counts records, both sides together."""

    run_id: str
    findings: Sequence[Finding]
    totals: Sequence[Total]
    compared: int
    ledgers: Sequence[LedgerCheck] = ()
    schedule_checks: Sequence[ScheduleCheck] = ()

    @property
    def drifts(self) -> Sequence[Finding]:
        """Differences that nothing under way explains."""
        return [finding for finding in self.findings if not finding.in_flight and not finding.is_advice]

    @property
    def schedules(self) -> Sequence[Finding]:
        """Lines of ERP schedules that are not the reference's: for the accountant to look at, no drift."""
        return [finding for finding in self.findings if finding.is_advice]

    @property
    def in_flight(self) -> Sequence[Finding]:
        """Differences that something under way explains."""
        return [finding for finding in self.findings if finding.in_flight]

    @property
    def unexplained(self) -> Sequence[Total]:
        """Control totals that do not tie; a fault of this comparison itself, never shown as clean."""
        return [total for total in self.totals if total.unexplained_count or total.unexplained]

    @property
    def consistency_percent(self) -> Decimal:
        """Share of compared records without drift, two digits, rounded down: 100.00 means every one (K01)."""
        drifted = len({finding.record for finding in self.drifts})
        share = Decimal(self.compared - drifted) * 100 / self.compared if self.compared else Decimal(100)
        return share.quantize(Decimal("0.01"), rounding=ROUND_DOWN)


def compare(evidence: Evidence, scope: Scope) -> Comparison:
    """Compare every system of the run. Pure: the same evidence gives the same comparison."""
    findings: list[Finding] = []
    totals: list[Total] = []
    ledgers: list[LedgerCheck] = []
    schedule_checks: list[ScheduleCheck] = []
    compared = 0
    for system in sorted(evidence.systems):
        bench = Bench(evidence, scope, system)
        ledger, gaps = compare_ledger(bench)
        schedules, advice = compare_schedules(bench)
        found = [*_compare_system(bench), *gaps]
        findings += [*found, *advice]
        ledgers += ledger
        schedule_checks += [schedules] if schedules else []
        totals += control_totals(bench, found)
        compared += _count(bench, found)
    return Comparison(evidence.run_id, in_order(findings), totals, compared, ledgers, schedule_checks)


def _compare_system(bench: Bench) -> Iterator[Finding]:
    yield from compare_assets(bench)
    yield from compare_books(bench)
    yield from compare_costs(bench)
    for row in bench.evidence.unreadable(bench.system):
        if (row.entity, row.native_id) not in bench.told:
            xref = bench.asset_links.of_native(row.native_id) if entity_of(row) == ASSET else None
            yield unreadable_record(bench, row, entity_of(row), xref.canonical_id if xref else None)


def _count(bench: Bench, findings: Sequence[Finding]) -> int:
    """Records compared: those expected here, and those only the system has."""
    evidence = bench.evidence
    expected = {
        (bench.system, "asset", a.row.asset_id) for a in evidence.assets.values() if bench.asset_in_scope(a.row)
    }
    expected |= {(bench.system, "book", key) for key, b in evidence.books.items() if bench.book_in_scope(b.row)}
    expected |= {
        (bench.system, "cost-document", c.row.cost_doc_id)
        for c in evidence.costs.values()
        if bench.cost_in_scope(c.row)
    }
    expected |= {(bench.system, LEDGER_BALANCE, native) for native in bench.balances}
    return len(expected | {finding.record for finding in findings})
