"""An ERP's schedules against the reference: reported line by line, never repaired, for the ERP owns its books.

A schedule that differs is no drift: hub and system agree on what the schedule is. It is a question to the accountant.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby

from tieline.depreciation.checking import LineDifference
from tieline.depreciation.dialects import check_schedule
from tieline.kernel.asset_records import FinancialStatus
from tieline.kernel.book_records import BookFields
from tieline.kernel.memory import DriftKind, Observed
from tieline.reconciliation.bench import Bench, asset_native_of
from tieline.reconciliation.evidence import BOOK
from tieline.reconciliation.findings import ZERO, Finding, Remedy, as_text

_WORDS = {"depreciation": "", "accumulated_after": "accumulated ", "net_book_value_after": "net "}


@dataclass(frozen=True, slots=True)
class ScheduleCheck:
    """How many schedules of a system were compared with the reference, and how many cannot be computed."""

    system: str
    compared: int
    left_out: int


def compare_schedules(bench: Bench) -> tuple[ScheduleCheck | None, Sequence[Finding]]:
    """Every running book of the system that owns it; None where no dialect is declared for the system.

    A closed asset's schedule was cut by its disposal, a draft's is a wish: both are left alone. A book that is under
    way is looked at by the next run.
    """
    dialect = bench.scope.dialects.get(bench.system)
    if dialect is None or bench.system not in bench.scope.givers(BOOK):
        return None, ()
    findings: list[Finding] = []
    compared = left_out = 0
    for row in bench.books.values():
        asset = bench.assets.get(asset_native_of(row.native_id))
        running = asset is not None and asset.asset is not None and asset.asset.financial_status
        if row.book is None or running is not FinancialStatus.RUNNING:
            continue
        found = check_schedule(dialect, row.book)
        if found is None:
            left_out += 1
            continue
        compared += 1
        findings += _findings(bench, row, row.book, found)
    return ScheduleCheck(bench.system, compared, left_out), [each for each in findings if not each.in_flight]


def _findings(bench: Bench, row: Observed, book: BookFields, found: Sequence[LineDifference]) -> list[Finding]:
    asset_id = bench.asset_of.get(asset_native_of(row.native_id))
    lines = [(period_end, list(group)) for period_end, group in groupby(found, key=lambda each: each.period_end)]
    findings = []
    for period_end, differences in lines:
        first = differences[0]
        off = (first.held or ZERO) - (first.expected or ZERO) if first.field == "depreciation" else None
        findings.append(
            bench.find(
                DriftKind.SCHEDULE,
                BOOK,
                canonical_id=asset_id,
                native_id=row.native_id,
                field=f"schedule {period_end.isoformat()}",
                expected=_values([(each.field, as_text(each.expected)) for each in differences]),
                found=_values([(each.field, as_text(each.held)) for each in differences]),
                owner="erp",
                cause="not the line that the book's own terms give",
                remedy=Remedy.PERSON,
                amount=(off, book.currency) if off else None,
                state_key=f"{asset_id}|{book.book_id}" if asset_id else None,
            )
        )
    return findings


def _values(values: Sequence[tuple[str, str | None]]) -> str:
    return ", ".join(f"{_WORDS[field]}{text or 'no line'}" for field, text in values)
