"""The ERP opens and closes fiscal periods; runs of depreciation with their control figures."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Mapping

from tieline.kernel.book_records import DepreciationRunFields, DepreciationRunReport, RunStatus
from tieline.kernel.period_records import FiscalPeriodFields, FiscalPeriodReport, PeriodStatus
from tieline.kernel.vocabulary import Origin
from tieline.synthetic.labels import PeriodLabel, RunLabel
from tieline.synthetic.shape import COMPANIES, ERP, REOPENS, Chapter, Company, Kind, Shape, instant

Figures = Mapping[tuple[Company, str, int], tuple[int, int]]
"""Company, book and month of a run: its lines, and their sum in minor units."""


def period_reports(shape: Shape, chapter: Chapter) -> Iterator[FiscalPeriodReport]:
    """Periods that open or close in a chapter."""
    month = chapter.month
    for company in COMPANIES:
        match chapter.kind:
            case Kind.OPENING:
                yield _opens(company, 1)
            case Kind.CLOSE:
                yield _period(company, month, PeriodStatus.CLOSED, instant(company.period(month).last, 19))
                if not shape.has_gap(month):
                    yield _opens(company, month + 1)
            case Kind.OPEN:
                yield _opens(company, month + 1)
            case Kind.REOPEN if company is REOPENS:
                yield _again(company, month, PeriodStatus.OPEN, 22)
            case Kind.RECLOSE if company is REOPENS:
                yield _again(company, month, PeriodStatus.CLOSED, 23)
            case _:
                continue


def run_reports(figures: Figures, chapter: Chapter) -> Iterator[DepreciationRunReport]:
    """The month's runs, as the ERP has ended them; a run without lines is none."""
    if chapter.kind is not Kind.TRADE:
        return
    for (company, book_id, month), (count, total) in figures.items():
        if month == chapter.month:
            yield _run(company, book_id, month, count, total)


def run_labels(figures: Figures) -> Iterator[RunLabel]:
    """The runs, complete."""
    for (company, book_id, month), (count, total) in figures.items():
        yield RunLabel(
            company=company.code,
            book_id=book_id,
            period=company.period(month).name,
            count=count,
            total=company.amount(total),
        )


def period_labels(shape: Shape) -> Iterator[PeriodLabel]:
    """Every period of the year: all are closed at its end."""
    for company in COMPANIES:
        for month in range(1, shape.months + 1):
            name = company.period(month).name
            yield PeriodLabel(company=company.code, period=name, status=PeriodStatus.CLOSED.value)


def _opens(company: Company, month: int) -> FiscalPeriodReport:
    return _period(company, month, PeriodStatus.OPEN, instant(company.period(month).first, 0))


def _again(company: Company, month: int, status: PeriodStatus, hour: int) -> FiscalPeriodReport:
    """By another account than the usual one, with a reason: whoever audits the year asks for both."""
    report = _period(company, month, status, instant(company.period(month).last, hour))
    said = {"changed_by": "u-0002", "reason": "late documents of the year's end"}
    return report.model_copy(update={"fields": report.fields.model_copy(update=said)})


def _period(company: Company, month: int, status: PeriodStatus, recorded_at: dt.datetime) -> FiscalPeriodReport:
    period = company.period(month)
    origin = Origin(
        system=ERP,
        entity="fiscal-period",
        native_id=f"{company.code}-{period.name}",
        source_version=recorded_at.isoformat(),
        recorded_at=recorded_at,
    )
    fields = FiscalPeriodFields(
        company=company.code,
        period=period.name,
        first_date=period.first,
        last_date=period.last,
        status=status,
        changed_by="u-0001",
    )
    return FiscalPeriodReport(origin=origin, fields=fields)


def _run(company: Company, book_id: str, month: int, count: int, total: int) -> DepreciationRunReport:
    period = company.period(month)
    origin = Origin(
        system=ERP,
        entity="depreciation-run",
        native_id=f"{company.code}-{book_id}-{period.name}",
        source_version="1",
        recorded_at=instant(period.last, 18),
    )
    fields = DepreciationRunFields(
        company=company.code,
        book_id=book_id,
        period=period.name,
        currency=company.currency,
        expected_count=count,
        control_total=company.amount(total),
        status=RunStatus.COMPLETED,
    )
    return DepreciationRunReport(origin=origin, fields=fields)
