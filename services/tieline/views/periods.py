"""In which period a cost document counts. Pure."""

from __future__ import annotations

from enum import StrEnum

from tieline.kernel.cost_records import CostEvent


class PeriodFrom(StrEnum):
    """Where a period comes from: the ledger's own (YYYY-PPP), else the month of the effective date (YYYY-MM)."""

    POSTING_PERIOD = "posting_period"
    EFFECTIVE_MONTH = "effective_month"


def period_of(event: CostEvent) -> tuple[str, PeriodFrom]:
    """The fiscal period the hub posts the document in; where it knows none, the month the work was done in."""
    period = event.accepted.posting_period
    if period is not None:
        return period, PeriodFrom.POSTING_PERIOD
    return event.fields.effective_date.isoformat()[: len("YYYY-MM")], PeriodFrom.EFFECTIVE_MONTH
