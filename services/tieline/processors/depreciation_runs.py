"""A depreciation run is complete when all of its lines are here, not when nothing more comes (T33).

The ERP says how many lines a run of a company, book and period has, and their sum; both are held against the posted
lines that the hub accepted. What is missing is said in the run's state until count and sum agree to the cent.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from decimal import Decimal

from tieline.kernel.asset_records import AssetState
from tieline.kernel.book_records import (
    BookState,
    DepreciationRunEvent,
    DepreciationRunFields,
    DepreciationRunReport,
    DepreciationRunState,
    RunStatus,
    ScheduleLine,
)
from tieline.kernel.records import Outbound, Typed
from tieline.kernel.tables import Table
from tieline.kernel.vocabulary import Accepted, Money

RUN_REPORTS = "depreciation.run.report.v1"
RUN_EVENTS = "depreciation.run.event.v1"

PeriodOf = Callable[[str | None, str, ScheduleLine], str | None]
"""Fiscal period of a posted line, from company, book and the line."""

STATUS_EVENTS: Mapping[RunStatus, str] = {
    RunStatus.RUNNING: "DepreciationRunStarted",
    RunStatus.FAILED: "DepreciationRunFailed",
    RunStatus.COMPLETED: "DepreciationRunPosted",
}
"""What the ERP says of a run. That every line of it is here is for the hub to say: DepreciationRunCompleted."""

_Sum = tuple[int, Decimal]
_NOTHING: _Sum = (0, Decimal(0))


class DepreciationRuns:
    """Runs, and the sums of posted lines they are held against; follows the tables of assets and books."""

    def __init__(self, period_of: PeriodOf, default_company: str | None) -> None:
        self._period_of = period_of
        self._default_company = default_company
        self._companies: dict[str, str | None] = {}
        self._books: dict[str, dict[str, BookState]] = {}
        self._counted: dict[str, dict[str, _Sum]] = {}  # book: run and currency, and what it adds there
        self._sums: dict[str, _Sum] = {}  # run and currency
        self._moved: set[str] = set()
        self.table: Table[DepreciationRunState] = Table("depreciation.run.state.v1", DepreciationRunState)

    def follow_asset(self, key: str, _old: AssetState | None, new: AssetState | None) -> None:
        """See ``Table.on_change``: an asset's company decides whose run its lines belong to."""
        company = new.fields.company if new else None
        if self._companies.get(key) != company:
            self._companies[key] = company
            for book_key, book in self._books.get(key, {}).items():
                self._count(book_key, book)

    def follow_book(self, key: str, _old: BookState | None, new: BookState | None) -> None:
        """See ``Table.on_change``."""
        books = self._books.setdefault(key.split("|", 1)[0], {})
        if new is not None:
            books[key] = new
        else:
            books.pop(key, None)
        self._count(key, new)

    def take(self, report: DepreciationRunReport) -> list[Outbound]:
        """Remember what the ERP says of a run, unless it is an older word (Invariant 4)."""
        fields, origin = report.fields, report.origin
        run_id = _run_id(fields.company, fields.book_id, fields.period)
        known = self.table.get(run_id)
        if known is not None and (known.fields == fields or origin.recorded_at < known.recorded_at):
            return []
        settled = self._settle(
            DepreciationRunState(
                run_id=run_id,
                version=known.version if known else 0,
                fields=fields,
                origin_system=origin.system,
                origin_native_id=origin.native_id,
                recorded_at=origin.recorded_at,
                posted_count=0,
                posted_total=Money(amount=Decimal(0), currency=fields.currency),
                completed=known.completed if known else False,
            )
        )
        name, row = STATUS_EVENTS.get(fields.status), self.table.get(run_id)
        if name is None or row is None or (known is not None and known.fields.status is fields.status):
            return settled
        return [_run_event(name, row, "status"), *settled]

    def settle(self) -> list[Outbound]:
        """What the lines accepted since the last call say of the runs that are known."""
        moved, self._moved = sorted(self._moved), set()
        rows = (self.table.get(run_id) for run_id in moved)
        return [out for row in rows if row is not None for out in self._settle(row)]

    def _settle(self, row: DepreciationRunState) -> list[Outbound]:
        fields = row.fields
        count, total = self._sums.get(f"{row.run_id}|{fields.currency}", _NOTHING)
        missing = _missing(fields, count, total)
        posted = {"posted_count": count, "posted_total": Money(amount=total, currency=fields.currency)}
        new = row.model_copy(update={**posted, "missing": missing, "completed": missing is None})
        if new == self.table.get(row.run_id):
            return []
        new = new.model_copy(update={"version": row.version + 1})
        self.table.put(row.run_id, new)
        if row.completed or not new.completed:
            return []
        return [_run_event("DepreciationRunCompleted", new, "completed")]

    def _count(self, key: str, book: BookState | None) -> None:
        """Bring the sums from the lines that a book had to those it has now; only a run that they differ in moves."""
        before, now = self._counted.pop(key, {}), self._sums_of(book) if book is not None else {}
        for name in before.keys() | now.keys():
            (count, total), (count_now, total_now) = before.get(name, _NOTHING), now.get(name, _NOTHING)
            if (count, total) != (count_now, total_now):
                self._add(name, (count_now - count, total_now - total))
        if book is not None:
            self._counted[key] = now

    def _sums_of(self, book: BookState) -> dict[str, _Sum]:
        """What the book's posted lines add to each run and currency."""
        company = self._companies.get(book.asset_id) or self._default_company
        found: dict[str, _Sum] = {}
        for line in book.fields.lines:
            period = self._period_of(company, book.fields.book_id, line) if line.posted and company else None
            if company is not None and period is not None:
                name = f"{_run_id(company, book.fields.book_id, period)}|{book.fields.currency}"
                count, total = found.get(name, _NOTHING)
                found[name] = (count + 1, total + line.depreciation)
        return found

    def _add(self, name: str, added: _Sum) -> None:
        count, total = self._sums.get(name, _NOTHING)
        if count + added[0]:
            self._sums[name] = (count + added[0], total + added[1])
        else:
            self._sums.pop(name, None)
        self._moved.add(name.rpartition("|")[0])


def _run_event(name: str, row: DepreciationRunState, changed: str) -> Outbound:
    accepted = Accepted(
        version=row.version,
        origin_system=row.origin_system,
        origin_native_id=row.origin_native_id,
        effective_date=row.recorded_at.date(),
        recorded_at=row.recorded_at,
        posting_period=row.fields.period,
        changed_fields=(changed,),
    )
    event = DepreciationRunEvent(run_id=row.run_id, accepted=accepted, fields=row.fields)
    return Outbound(RUN_EVENTS, row.run_id, Typed(name, event))


def _run_id(company: str, book_id: str, period: str) -> str:
    return f"{company}|{book_id}|{period}"


def _missing(fields: DepreciationRunFields, count: int, total: Decimal) -> str | None:
    """Why the run is not complete; None when it is."""
    if fields.status is not RunStatus.COMPLETED:
        return f"the ERP says the run is {fields.status.lower()}"
    if count == fields.expected_count and total == fields.control_total:
        return None
    # Invariant 11: a sum stays the sum of its parts; too much is as wrong as too little.
    return (
        f"{count} of {fields.expected_count} lines are here, {total} of {fields.control_total} {fields.currency}: "
        f"{fields.expected_count - count} lines and {fields.control_total - total} missing"
    )
