"""Fiscal periods: what an ERP reports of them, and what the hub holds."""

from __future__ import annotations

import datetime as dt
from enum import StrEnum

from pydantic import AwareDatetime, Field

from tieline.kernel.vocabulary import Accepted, Code, Model, Origin, Period, Text


class PeriodStatus(StrEnum):
    """Whether a fiscal period takes postings. CLOSING takes no more than CLOSED does; UNKNOWN takes none."""

    UNKNOWN = "UNKNOWN"
    OPEN = "OPEN"
    CLOSING = "CLOSING"
    CLOSED = "CLOSED"


class FiscalPeriodFields(Model):
    """One fiscal period of one company and book; owned by the ERP."""

    company: Code = Field(description="Company code.")
    book: Text | None = Field(default=None, description="Book the status is of; none for the company's every book.")
    period: Period = Field(description="Fiscal year and period, YYYY-PPP; 013 to 016 are special periods.")
    first_date: dt.date = Field(description="First date of the period.")
    last_date: dt.date = Field(description="Last date of the period.")
    status: PeriodStatus = Field(description="Whether it takes postings.")
    changed_by: Text | None = Field(
        default=None,
        description="Who last changed the status: the system's own opaque id of the account, never a name.",
    )
    reason: Text | None = Field(default=None, description="Why the status was changed, where the system says so.")


class FiscalPeriodReport(Model):
    """The ERP's word on one fiscal period."""

    origin: Origin = Field(description="Which record of which system this speaks of.")
    fields: FiscalPeriodFields = Field(description="The period as the system has it.")


class PeriodEvent(Model):
    """Shape shared by PeriodOpened, PeriodClosing, PeriodClosed and PeriodReopened."""

    period_id: Code = Field(description="company|book|period; * stands for every book.")
    accepted: Accepted = Field(description="Version, origin and dates of the acceptance.")
    fields: FiscalPeriodFields = Field(description="The period from now on: its status, who set it and why.")


class FiscalPeriodState(Model):
    """What the hub knows of one fiscal period."""

    period_id: Code = Field(description="company|book|period; * stands for every book.")
    version: int = Field(description="Version of the period in the hub.")
    fields: FiscalPeriodFields = Field(description="The period as last reported.")
    recorded_at: AwareDatetime = Field(description="When the system recorded this state (UTC).")
