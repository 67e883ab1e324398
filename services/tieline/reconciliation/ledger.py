"""Subledger against general ledger: a record that was made is not yet an entry that was posted (T35)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal

from tieline.kernel.asset_records import AssetFields, FinancialStatus
from tieline.kernel.book_records import BookFields
from tieline.kernel.ledger_records import ControlMeasure, LedgerBalance
from tieline.kernel.memory import DriftKind, Observed
from tieline.kernel.ownership import ERP
from tieline.reconciliation.bench import Bench, asset_native_of
from tieline.reconciliation.evidence import ASSET, BOOK, LEDGER_BALANCE
from tieline.reconciliation.findings import ZERO, Finding, Remedy, as_text

NO_FIGURE = "its connector gives no control account"


@dataclass(frozen=True, slots=True)
class LedgerCheck:
    """One control account. ``subledger`` is the sum of the system's own records, ``ledger`` what the account says.

    Both are positive for what assets usually are. Where nothing was compared, ``not_compared`` says why, and there are
    no figures: that is not the same as equal.
    """

    system: str
    company: str = ""
    account: str = ""
    currency: str = ""
    measure: str = ""
    as_of: str = ""
    records: int = 0
    subledger: Decimal | None = None
    ledger: Decimal | None = None
    not_compared: str | None = None

    @property
    def gap(self) -> Decimal | None:
        """Ledger minus subledger; None where they were not compared."""
        return None if self.subledger is None or self.ledger is None else self.ledger - self.subledger


def compare_ledger(bench: Bench) -> tuple[Sequence[LedgerCheck], Sequence[Finding]]:
    """Every control account of an ERP, and a finding for each that does not agree to the cent."""
    if not bench.balances:
        is_erp = bench.scope.role(bench.system) == ERP
        return ([LedgerCheck(bench.system, not_compared=NO_FIGURE)] if is_erp else []), ()
    checks: list[LedgerCheck] = []
    findings: list[Finding] = []
    for row in bench.balances.values():
        held = row.ledger_balance
        if held is None:
            continue
        check = _check(bench, held)
        checks.append(check)
        if check.gap:
            findings.append(_finding(bench, row, held, check))
    return checks, findings


def _check(bench: Bench, held: LedgerBalance) -> LedgerCheck:
    where = LedgerCheck(
        system=bench.system,
        company=held.company,
        account=held.account,
        currency=held.currency,
        measure=held.measure.value.lower().replace("_", " "),
        as_of=held.as_of.isoformat(),
    )
    blind = sum(1 for row in bench.evidence.unreadable(bench.system) if _hides_value(row))
    if blind:
        # Invariant 12: a record that cannot be read may be the very one that is missing in the sum.
        return replace(where, not_compared=f"{blind} of its records cannot be read")
    if held.measure is ControlMeasure.UNKNOWN:
        return replace(where, not_compared="what the account controls is not known here")
    amounts = list(_costs(bench, held) if held.measure is ControlMeasure.COST else _depreciations(bench, held))
    sign = -1 if held.measure is ControlMeasure.ACCUMULATED_DEPRECIATION else 1
    return replace(where, records=len(amounts), subledger=sum(amounts, ZERO), ledger=sign * held.balance)


def _costs(bench: Bench, held: LedgerBalance) -> Iterator[Decimal]:
    """Costs of running assets on the account: a draft is not booked yet, a closed one no longer."""
    if held.book_id is not None:
        yield from (book.gross_cost for book in _books(bench, held))
        return
    for row in bench.assets.values():
        cost = row.asset.acquisition_cost if row.asset is not None and _is_on(row.asset, held) else None
        if cost is not None and cost.currency == held.currency:
            yield cost.amount


def _depreciations(bench: Bench, held: LedgerBalance) -> Iterator[Decimal]:
    return (book.accumulated for book in _books(bench, held))


def _books(bench: Bench, held: LedgerBalance) -> Iterator[BookFields]:
    for row in bench.books.values():
        book, asset = row.book, bench.assets.get(asset_native_of(row.native_id))
        if book is None or asset is None or asset.asset is None or held.book_id not in {None, book.book_id}:
            continue
        if book.currency == held.currency and _is_on(asset.asset, held):
            yield book


def _is_on(asset: AssetFields, held: LedgerBalance) -> bool:
    in_class = not held.asset_classes or asset.asset_class in held.asset_classes
    return in_class and asset.company == held.company and asset.financial_status is FinancialStatus.RUNNING


def _hides_value(row: Observed) -> bool:
    return row.entity.removesuffix("s") in {ASSET, BOOK}


def _finding(bench: Bench, row: Observed, held: LedgerBalance, check: LedgerCheck) -> Finding:
    assert check.gap is not None  # noqa: S101  - compare_ledger asks only for a gap
    moved = held.balance_before != held.balance
    cause = f"the account moved during the read, from {as_text(held.balance_before)} to {as_text(held.balance)}"
    return bench.find(
        DriftKind.IN_FLIGHT if moved else DriftKind.LEDGER_GAP,
        LEDGER_BALANCE,
        native_id=row.native_id,
        field=check.measure,
        expected=f"{as_text(check.subledger)} {held.currency} by {check.records} records of {held.company}",
        found=f"{as_text(check.ledger)} {held.currency} on account {held.account} as of {check.as_of}",
        owner=bench.system,
        cause=cause if moved else "what was recorded and what was posted differ",
        remedy=Remedy.PERSON,
        amount=(check.gap, held.currency),
    )
