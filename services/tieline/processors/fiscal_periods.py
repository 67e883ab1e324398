"""What the hub knows of fiscal periods, and where a document posts by its own date. The ERP says which are open."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass

from tieline.kernel.calendars import REGULAR_PERIODS, FiscalPeriodKey
from tieline.kernel.errors import Rejected
from tieline.kernel.landscape import Fiscal, FiscalCompany, Late
from tieline.kernel.period_records import (
    FiscalPeriodFields,
    FiscalPeriodReport,
    FiscalPeriodState,
    PeriodEvent,
    PeriodStatus,
)
from tieline.kernel.records import Outbound, Typed
from tieline.kernel.tables import Table
from tieline.processors.accepting import Posts, accepted_as

PERIOD_REPORTS = "reference.fiscal-period.report.v1"
PERIOD_EVENTS = "reference.fiscal-period.event.v1"
EVERY_BOOK = "*"
NO_COMPANY = "its company is not known, and so is its period; the landscape can name one: fiscal.default_company"
_EVENT_NAMES: Mapping[PeriodStatus, str] = {
    PeriodStatus.OPEN: "PeriodOpened",
    PeriodStatus.CLOSING: "PeriodClosing",
    PeriodStatus.CLOSED: "PeriodClosed",
    PeriodStatus.UNKNOWN: "PeriodClosed",
}
_WORDS: Mapping[PeriodStatus | None, str] = {
    PeriodStatus.CLOSING: "is being closed",
    PeriodStatus.CLOSED: "is closed",
    PeriodStatus.UNKNOWN: "has a status the hub does not know",
    None: "was never reported",
}


@dataclass(frozen=True, slots=True)
class Waits:
    """The document may not be posted now. ``company`` and ``period`` say what would release it, where a period does."""

    reason: str
    effective_date: dt.date
    company: str | None = None
    period: str | None = None


class FiscalPeriods:
    """The status of every period that was ever reported."""

    def __init__(self, fiscal: Fiscal) -> None:
        self._fiscal = fiscal
        self._status: dict[tuple[str, str], dict[FiscalPeriodKey, PeriodStatus]] = {}
        self.table: Table[FiscalPeriodState] = Table(
            "reference.fiscal-period.state.v1", FiscalPeriodState, on_change=self._follow
        )

    def take(self, report: FiscalPeriodReport) -> list[Outbound]:
        """Remember what the ERP says of a period; an event for each change of status, none for an older word (4).

        Raises ``Rejected`` when the period's dates are not those of the landscape's calendar.
        """
        fields, origin = report.fields, report.origin
        self._check_dates(fields)
        period_id = f"{fields.company}|{fields.book or EVERY_BOOK}|{fields.period}"
        known = self.table.get(period_id)
        if known is not None and origin.recorded_at < known.recorded_at:
            return []
        if known is not None and known.fields == fields:
            if origin.recorded_at > known.recorded_at:  # an older word that comes after this one is still older
                self.table.put(period_id, known.model_copy(update={"recorded_at": origin.recorded_at}))
            return []
        version = (known.version if known else 0) + 1
        self.table.put(
            period_id,
            FiscalPeriodState(period_id=period_id, version=version, fields=fields, recorded_at=origin.recorded_at),
        )
        before = known.fields.status if known else None
        if before is fields.status:
            return []
        reopened = before is not None and fields.status is PeriodStatus.OPEN
        changed = tuple(
            name
            for name in FiscalPeriodFields.model_fields
            if known is None or getattr(known.fields, name) != getattr(fields, name)
        )
        accepted = accepted_as(version, origin, origin.recorded_at.date(), changed)
        event = PeriodEvent(period_id=period_id, accepted=accepted, fields=fields)
        name = "PeriodReopened" if reopened else _EVENT_NAMES[fields.status]
        return [Outbound(PERIOD_EVENTS, period_id, Typed(name, event))]

    def decide(self, company: str | None, effective_date: dt.date, field: str) -> Posts | Waits:
        """Where a document of this date posts. The date alone decides, never today's (Invariant 10).

        Raises ``Rejected`` with ``field`` for a date no fiscal year has.
        """
        company = company or self._fiscal.default_company
        required = self._fiscal.periods == "required"
        if company is None:
            return Waits(NO_COMPANY, effective_date) if required else Posts(None)
        try:
            own = self._own_period(company, effective_date)
        except ValueError as error:
            raise Rejected(str(error), field=field, remedy="correct the date at its source") from error
        status = self._status_of(company, own)
        if status is PeriodStatus.OPEN or (status is None and not required):
            return Posts(str(own))
        if self._fiscal.late is Late.NEXT_OPEN and (later := self._next_open(company, own)) is not None:
            first, _ = self._fiscal.calendar_of(company, self._ledger(company)).dates_of(later)
            return Posts(str(later), first)
        return Waits(f"period {own} of {company} {_WORDS[status]}", effective_date, company, str(own))

    def period_of(self, company: str | None, day: dt.date, book: str | None = None) -> str | None:
        """The fiscal period of a date, open or not; None where no company or no fiscal year is known."""
        company = company or self._fiscal.default_company
        if company is None:
            return None
        try:
            return str(self._own_period(company, day, book))
        except ValueError:
            return None

    def _own_period(self, company: str, day: dt.date, book: str | None = None) -> FiscalPeriodKey:
        return self._fiscal.calendar_of(company, book or self._ledger(company)).period_of(day)

    def _ledger(self, company: str) -> str | None:
        return self._fiscal.companies.get(company, FiscalCompany()).ledger

    def _status_of(self, company: str, key: FiscalPeriodKey) -> PeriodStatus | None:
        """A book's own word goes before the company's."""
        return self._known(company).get(key)

    def _known(self, company: str) -> dict[FiscalPeriodKey, PeriodStatus]:
        own = self._status.get((company, self._ledger(company) or EVERY_BOOK), {})
        return {**self._status.get((company, EVERY_BOOK), {}), **own}

    def _next_open(self, company: str, after: FiscalPeriodKey) -> FiscalPeriodKey | None:
        """The first later period that is known to be open. A special period takes only what asks for it."""
        return min(
            (
                key
                for key, status in self._known(company).items()
                if key > after and key.period <= REGULAR_PERIODS and status is PeriodStatus.OPEN
            ),
            default=None,
        )

    def _check_dates(self, fields: FiscalPeriodFields) -> None:
        """The calendar that documents are placed by must be the one the ERP keeps."""
        key = FiscalPeriodKey.parse(fields.period)
        try:
            first, last = self._fiscal.calendar_of(fields.company, fields.book).dates_of(key)
        except ValueError as error:
            raise Rejected(str(error), field="fields.period", remedy=_REMEDY) from error
        special = key.period > REGULAR_PERIODS
        fits = first <= fields.first_date <= fields.last_date <= last
        if not fits or (not special and (fields.first_date, fields.last_date) != (first, last)):
            raise Rejected(
                f"period {fields.period} of {fields.company} is {fields.first_date} to {fields.last_date} there, and "
                f"{first} to {last} by the landscape's calendar",
                field="fields.period",
                remedy=_REMEDY,
            )

    def _follow(self, _key: str, old: FiscalPeriodState | None, new: FiscalPeriodState | None) -> None:
        for row in (old, new):
            if row is None:
                continue
            periods = self._status.setdefault((row.fields.company, row.fields.book or EVERY_BOOK), {})
            if row is new:
                periods[FiscalPeriodKey.parse(row.fields.period)] = row.fields.status
            else:
                periods.pop(FiscalPeriodKey.parse(row.fields.period), None)


_REMEDY = "name the company's calendar under fiscal.companies in the landscape, then replay"
