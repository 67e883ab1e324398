"""Books of assets, their schedules, what was posted of them, and the runs that post."""

from __future__ import annotations

import datetime as dt
from enum import StrEnum

from pydantic import AwareDatetime, Field

from tieline.kernel.vocabulary import Accepted, Amount, Code, Currency, Model, Money, Origin, Period, Text


class RunStatus(StrEnum):
    """How far the ERP says a depreciation run has come."""

    UNKNOWN = "UNKNOWN"
    RUNNING = "RUNNING"
    COMPLETED = "COMPLETED"
    FAILED = "FAILED"


class ScheduleLine(Model):
    """One period of a depreciation schedule."""

    date: dt.date = Field(description="Date of the depreciation.")
    posting_period: Period | None = Field(default=None, description="Fiscal year and period, YYYY-PPP.")
    depreciation: Amount = Field(description="Depreciation of this period, in the book's currency.")
    accumulated_after: Amount = Field(description="Accumulated depreciation after this period, in the book's currency.")
    net_book_value_after: Amount = Field(description="Net book value after this period, in the book's currency.")
    posted: bool = Field(description="True when the ERP has posted it.")
    document: Text | None = Field(default=None, description="Number or id of the posted document.")


class BookFields(Model):
    """One depreciation book of one asset, with its whole schedule; owned by the ERP throughout."""

    book_id: Code = Field(description="Depreciation area, e.g. main.")
    currency: Currency = Field(description="Currency of every amount in the book.")
    method: Text = Field(description="Canonical depreciation method, e.g. SL.")
    gross_cost: Amount = Field(description="Acquisition cost in this book, in its currency.")
    salvage: Amount = Field(description="Value kept at the end of life, in the book's currency.")
    accumulated: Amount = Field(description="Accumulated depreciation posted so far, in the book's currency.")
    net_book_value: Amount = Field(description="gross_cost - accumulated, in the book's currency.")
    as_of: dt.date = Field(description="Date of the last posting behind the valuation, else the start date.")
    start_date: dt.date | None = Field(default=None, description="Start of depreciation.")
    end_date: dt.date | None = Field(default=None, description="End of depreciation.")
    lines: tuple[ScheduleLine, ...] = Field(description="The whole schedule, oldest first; replaces any earlier one.")


class BookReport(Model):
    """The ERP's word on one book of one asset. ``origin.native_id`` is ``<asset native id>|<book id>``."""

    origin: Origin = Field(description="Which record of which system this speaks of.")
    asset_native_id: Code = Field(description="Native id of the asset in the reporting system.")
    fields: BookFields = Field(description="The whole book, schedule included.")


class DepreciationRunFields(Model):
    """One depreciation run of one company, book and period; owned by the ERP."""

    company: Code = Field(description="Company code.")
    book_id: Code = Field(description="Depreciation area, e.g. main.")
    period: Period = Field(description="Fiscal year and period, YYYY-PPP.")
    currency: Currency = Field(description="ISO 4217 code of every amount in the record.")
    expected_count: int = Field(description="Depreciation lines the run posted.")
    control_total: Amount = Field(description="Sum of their amounts, in the run's currency.")
    status: RunStatus = Field(description="How far the ERP says it has come.")


class DepreciationRunReport(Model):
    """The ERP's word on one depreciation run."""

    origin: Origin = Field(description="Which record of which system this speaks of.")
    fields: DepreciationRunFields = Field(description="The run, with its control figures.")


class AssetBookChanged(Model):
    """Shape shared by AssetBookChanged and DepreciationScheduleReplaced: a book as it is after the change."""

    asset_id: Code = Field(description="Canonical id of the asset.")
    accepted: Accepted = Field(description="Version, origin and dates of the acceptance.")
    fields: BookFields = Field(description="The whole book as it is now, schedule included.")


class DepreciationPosted(Model):
    """One depreciation the ERP posted: a financial document, published once."""

    asset_id: Code = Field(description="Canonical id of the asset.")
    book_id: Code = Field(description="Depreciation area, e.g. main.")
    accepted: Accepted = Field(description="Version, origin and dates of the acceptance.")
    amount: Money = Field(description="Depreciation posted by this document, in the book's currency.")
    accumulated_after: Amount = Field(
        description="Accumulated depreciation after this posting, in the currency of the amount."
    )
    net_book_value_after: Amount = Field(
        description="Net book value after this posting, in the currency of the amount."
    )
    scheduled_date: dt.date = Field(description="Date the schedule gave it.")
    document: Text | None = Field(default=None, description="Number or id of the posted document.")


class DepreciationRunEvent(Model):
    """Shape shared by DepreciationRunStarted, -Posted and -Failed (the ERP's word) and -Completed (the hub's)."""

    run_id: Code = Field(description="company|book|period.")
    accepted: Accepted = Field(description="Version, origin and dates of the acceptance.")
    fields: DepreciationRunFields = Field(description="The run, with its control figures.")


class BookState(Model):
    """What the hub believes of one book."""

    asset_id: Code = Field(description="Canonical id of the asset.")
    version: int = Field(description="Version of the book in the hub: one more with each accepted change.")
    fields: BookFields = Field(description="The whole book as it is now, schedule included.")
    recorded_at: AwareDatetime | None = Field(
        default=None,
        description="When its system recorded the last word the hub took of it; none for a row of before 2026-11.",
    )


class DepreciationRunState(Model):
    """What the hub knows of one depreciation run, and what is missing of it. Key: company|book|period."""

    run_id: Code = Field(description="company|book|period.")
    version: int = Field(description="Version of the run in the hub.")
    fields: DepreciationRunFields = Field(description="The run as last reported.")
    origin_system: Code = Field(description="System whose report it was.")
    origin_native_id: Code = Field(description="Native id of the reported record.")
    recorded_at: AwareDatetime = Field(description="When the system recorded this state (UTC).")
    posted_count: int = Field(description="Posted lines of the run that the hub accepted.")
    posted_total: Money = Field(description="Sum of their amounts.")
    completed: bool = Field(description="True when count and sum agree with the control figures, and the ERP is done.")
    missing: Text | None = Field(default=None, description="What is missing or too much; none once it is complete.")
