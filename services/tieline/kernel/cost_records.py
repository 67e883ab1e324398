"""Cost documents: what was spent, on what, and who bears it."""

from __future__ import annotations

import datetime as dt
from enum import StrEnum

from pydantic import Field

from tieline.kernel.vocabulary import Accepted, Amount, Code, Currency, Model, Money, Origin, Quantity, Text


class CostKind(StrEnum):
    """What a maintenance cost line paid for."""

    UNKNOWN = "UNKNOWN"
    LABOUR = "LABOUR"
    PART = "PART"
    SERVICE = "SERVICE"
    TOOL = "TOOL"
    OTHER = "OTHER"


class ReceiverKind(StrEnum):
    """What bears a part of a cost in the ERP."""

    UNKNOWN = "UNKNOWN"
    COST_CENTRE = "COST_CENTRE"
    INTERNAL_ORDER = "INTERNAL_ORDER"
    WBS = "WBS"
    ASSET = "ASSET"


class CostTreatment(StrEnum):
    """What the books do with the cost of work: this period's expense, or a part of the asset's cost."""

    UNKNOWN = "UNKNOWN"
    EXPENSE = "EXPENSE"
    CAPITALISE = "CAPITALISE"


class CostReceiver(Model):
    """What bears a share of a cost line; the shares of a line make the whole."""

    kind: ReceiverKind = Field(description="What it is.")
    code: Code = Field(description="Its code: of the cost centre, the order, the WBS element or the asset.")
    share_part: int = Field(description="Numerator of its share, as an exact fraction.")
    share_whole: int = Field(description="Denominator of the share; 3333 of 10000 is 33.33 per cent.")


class CostLine(Model):
    """One cost of a work order."""

    line_no: int = Field(description="Position in the document, from 1.")
    kind: CostKind = Field(description="What the line paid for.")
    description: Text = Field(description="What it is, for people.")
    quantity: Quantity | None = Field(default=None, description="Hours or pieces.")
    amount: Amount = Field(description="Cost in the document's currency; negative for a credit.")
    source_ref: Text | None = Field(
        default=None,
        description="What it stems from, the same by every path it is told: system/kind/id, e.g. "
        "tryton/purchase-line/7 or unio24/stock-issue/31.",
    )
    receivers: tuple[CostReceiver, ...] = Field(
        default=(), description="What bears the line, by share; none: the document's cost centre."
    )


class CostFields(Model):
    """Costs of one work order settled at one time: a financial document, never overwritten."""

    work_order: Code = Field(description="Number of the work order.")
    asset_native_id: Text | None = Field(default=None, description="Native id of the asset in the reporting system.")
    company: Code = Field(description="Company code.")
    currency: Currency = Field(description="ISO 4217 code of every amount in the record.")
    cost_centre: Code = Field(description="Cost centre that bears the cost.")
    effective_date: dt.date = Field(description="Date the work was done; decides the posting period.")
    total: Amount = Field(description="Sum of the lines, in the document's currency.")
    lines: tuple[CostLine, ...] = Field(description="The lines, in order.")
    reversal_of: Text | None = Field(default=None, description="Native id of the document this one reverses.")
    treatment: CostTreatment | None = Field(
        default=None, description="What asset management wants of the books; none: an expense."
    )
    extends_life_periods: int | None = Field(
        default=None,
        description="Periods of its book by which the asset's useful life grows; only of what is to be capitalised.",
    )


class CostReport(Model):
    """Asset management's word on one cost document."""

    origin: Origin = Field(description="Which record of which system this speaks of.")
    fields: CostFields = Field(description="The whole document.")


class CostShare(Model):
    """The part of a cost document that one asset bears."""

    asset_id: Code = Field(description="Canonical id of the asset.")
    amount: Money = Field(description="Its part of the document's total.")


class CostEvent(Model):
    """Shape shared by CostPosted, CostCapitalised and CostReversed."""

    cost_doc_id: Code = Field(description="Canonical id of the cost document.")
    asset_id: Text | None = Field(
        default=None, description="Canonical id of the asset the costs belong to; none for costs without one."
    )
    accepted: Accepted = Field(description="Version, origin and dates of the acceptance.")
    fields: CostFields = Field(description="The whole document; it never changes afterwards.")
    shares: tuple[CostShare, ...] = Field(
        default=(),
        description="What each asset bears, where the work was on equipment of several; adds up to the total.",
    )
    treatment: CostTreatment = Field(
        default=CostTreatment.EXPENSE, description="What the books do with it: what is capitalised is no expense."
    )
    treatment_reason: Text | None = Field(
        default=None, description="Why, where somebody wanted it capitalised; none otherwise."
    )


class CostState(Model):
    """What the hub accepted of one cost document."""

    cost_doc_id: Code = Field(description="Canonical id of the cost document.")
    version: int = Field(description="Version of the document in the hub.")
    asset_id: Text | None = Field(
        default=None, description="Canonical id of the asset the costs belong to; none for costs without one."
    )
    origin_system: Code = Field(description="System whose report it was.")
    origin_native_id: Code = Field(description="Native id of the reported record.")
    fields: CostFields = Field(description="The whole document; it never changes afterwards.")
    posting_date: dt.date | None = Field(
        default=None, description="Date to post on, where the effective date's own period is closed; else none."
    )
    duplicate_of: Text | None = Field(
        default=None,
        description="Document (system/native id) that posted the same before: this one is kept and not posted; none "
        "otherwise.",
    )
    shares: tuple[CostShare, ...] = Field(
        default=(),
        description="What each asset bears, where the work was on equipment of several; adds up to the total.",
    )
    treatment: CostTreatment = Field(
        default=CostTreatment.EXPENSE, description="What the books do with it: what is capitalised is no expense."
    )
    treatment_reason: Text | None = Field(
        default=None, description="Why, where somebody wanted it capitalised; none otherwise."
    )
