"""What an ERP posted on a depreciation book besides ordinary depreciation: book movements, and the roll-forward.

A movement is an immutable document of one book of one asset. Like the canonical model, every class mirrors one Avro
record. Amounts are in the document's currency; a change is positive when it makes its figure larger.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from enum import StrEnum

from pydantic import AwareDatetime, Field

from tieline.kernel.asset_records import DisposalKind
from tieline.kernel.vocabulary import Accepted, Amount, Code, Currency, Model, Origin, Period, Text


class MovementKind(StrEnum):
    """What happened to a book."""

    UNKNOWN = "UNKNOWN"
    ACQUISITION_ADJUSTMENT = "ACQUISITION_ADJUSTMENT"
    REVALUATION = "REVALUATION"
    IMPAIRMENT = "IMPAIRMENT"
    IMPAIRMENT_REVERSAL = "IMPAIRMENT_REVERSAL"
    LIFE_CHANGE = "LIFE_CHANGE"
    HELD_FOR_SALE = "HELD_FOR_SALE"
    RETURNED_TO_USE = "RETURNED_TO_USE"
    SPLIT = "SPLIT"
    MERGE = "MERGE"
    RECLASSIFICATION = "RECLASSIFICATION"
    TRANSFER = "TRANSFER"
    DISPOSAL = "DISPOSAL"
    DISPOSAL_REVERSAL = "DISPOSAL_REVERSAL"
    SETTLEMENT = "SETTLEMENT"


EVENT_NAMES: Mapping[MovementKind, str] = {
    MovementKind.ACQUISITION_ADJUSTMENT: "BookCostAdjusted",
    MovementKind.REVALUATION: "AssetRevalued",
    MovementKind.IMPAIRMENT: "AssetImpaired",
    MovementKind.IMPAIRMENT_REVERSAL: "ImpairmentReversed",
    MovementKind.LIFE_CHANGE: "UsefulLifeChanged",
    MovementKind.HELD_FOR_SALE: "AssetHeldForSale",
    MovementKind.RETURNED_TO_USE: "AssetReturnedToUse",
    MovementKind.SPLIT: "AssetSplit",
    MovementKind.MERGE: "AssetCombined",  # AssetMerged says that two records are one thing
    MovementKind.RECLASSIFICATION: "AssetReclassifiedInBooks",
    MovementKind.TRANSFER: "AssetTransferred",
    MovementKind.DISPOSAL: "DisposalPosted",
    MovementKind.DISPOSAL_REVERSAL: "DisposalReversed",
    MovementKind.SETTLEMENT: "AssetUnderConstructionSettled",
}
"""The event of each kind; all have the shape of ``MovementEvent``."""


class RevisionPolicy(StrEnum):
    """What a new life does with the depreciation that is due; what is posted never changes."""

    UNKNOWN = "UNKNOWN"
    CURRENT_PERIOD = "CURRENT_PERIOD"
    REMAINING_LIFE = "REMAINING_LIFE"


SIDES = (
    "cost_change",
    "accumulated_change",
    "net_book_value_change",
    "surplus_change",
    "retained_earnings_change",
    "proceeds",
    "income",
    "expense",
    "clearing",
)
"""Fields of a movement that are amounts, each of one side of the books."""


class MovementFields(Model):
    """One movement of one book: a financial document, never overwritten; owned by the ERP.

    Its sides balance: net book value change + proceeds + expense = income + surplus change + retained earnings change +
    clearing.
    """

    kind: MovementKind = Field(description="What happened.")
    asset_native_id: Code = Field(description="Native id of the asset in the reporting system.")
    book_id: Code = Field(description="Depreciation area, e.g. main.")
    company: Code = Field(description="Company code in whose books it is posted.")
    currency: Currency = Field(description="ISO 4217 code of every amount in the record.")
    effective_date: dt.date = Field(description="Asset value date: the day from which it holds.")
    posting_period: Period | None = Field(
        default=None, description="Fiscal year and period it is posted in, YYYY-PPP; none: that of the effective date."
    )
    document: Text | None = Field(default=None, description="Number for people.")
    reason: Text | None = Field(default=None, description="Why, where the system says so.")
    cost_change: Amount = Field(description="Change of the acquisition cost.")
    accumulated_change: Amount = Field(
        description="Change of the accumulated depreciation, impairments included; positive takes from the book value."
    )
    net_book_value_change: Amount = Field(description="cost_change - accumulated_change.")
    surplus_change: Amount = Field(description="Change of the revaluation surplus in equity.")
    retained_earnings_change: Amount = Field(description="Surplus realised into retained earnings (IAS 16.41).")
    proceeds: Amount = Field(description="What is received for it.")
    income: Amount = Field(description="Gain, or under the gross regime the proceeds; negative in a reversal only.")
    expense: Amount = Field(
        description="Loss or write-down, or under the gross regime the residual value; negative in a reversal only."
    )
    clearing: Amount = Field(
        description="Book value that comes from a clearing account (an invoice, the counterpart); negative: goes there."
    )
    disposal_kind: DisposalKind | None = Field(default=None, description="How it left, for a disposal.")
    share_numerator: int | None = Field(default=None, description="With the denominator: which part of the book moves.")
    share_denominator: int | None = Field(default=None, description="See share_numerator; none: the whole.")
    cost_before: Amount | None = Field(default=None, description="Acquisition cost of the whole of which a part moves.")
    accumulated_before: Amount | None = Field(
        default=None,
        description="Accumulated depreciation of that whole, were all of it depreciated to the day the part moves.",
    )
    transaction: Text | None = Field(
        default=None, description="What giver and receiver are posted under: the same in both documents."
    )
    counterpart_native_id: Text | None = Field(
        default=None, description="Native id of the other asset of a split, merge or transfer."
    )
    counterpart_company: Text | None = Field(default=None, description="Company code of the other asset.")
    from_class: Text | None = Field(default=None, description="Asset class before a reclassification.")
    to_class: Text | None = Field(default=None, description="Asset class after it.")
    from_life_periods: int | None = Field(default=None, description="Useful life before, in the book's periods.")
    to_life_periods: int | None = Field(default=None, description="Useful life from now on, in the book's periods.")
    policy: RevisionPolicy | None = Field(
        default=None,
        description="CURRENT_PERIOD gives the difference to the first open period, REMAINING_LIFE spreads it.",
    )
    reversal_of: Text | None = Field(default=None, description="Native id of the movement that this one takes back.")


class MovementReport(Model):
    """The ERP's word on one movement."""

    origin: Origin = Field(description="Which record of which system this speaks of.")
    fields: MovementFields = Field(description="The whole document.")


class MovementEvent(Model):
    """Shape shared by the events of book movements, from AssetRevalued to DisposalReversed."""

    asset_id: Code = Field(description="Canonical id of the asset.")
    movement_id: Code = Field(description="The document: system/native id.")
    accepted: Accepted = Field(description="Version, origin and dates of the acceptance.")
    counterpart_id: Text | None = Field(
        default=None, description="Canonical id of the other asset, where there is one."
    )
    fields: MovementFields = Field(description="The whole document; it never changes afterwards.")


class MovementState(Model):
    """What the hub accepted of one movement. Key: system/native id."""

    movement_id: Code = Field(description="The document: system/native id.")
    version: int = Field(description="Version of the document in the hub.")
    asset_id: Code = Field(description="Canonical id of the asset.")
    counterpart_id: Text | None = Field(
        default=None, description="Canonical id of the other asset, where there is one."
    )
    origin_system: Code = Field(description="System whose report it was.")
    origin_native_id: Code = Field(description="Native id of the reported record.")
    recorded_at: AwareDatetime = Field(description="When the system recorded it (UTC).")
    posting_period: Period | None = Field(default=None, description="Fiscal period it is posted in, where known.")
    fields: MovementFields = Field(description="The whole document; it never changes afterwards.")


class RollForward(Model):
    """From a book's opening to its latest figures (IAS 16.73 e). Key: system/asset native id|book id.

    Opening, movements and posted depreciation in between must give the closing; what they do not is unexplained.
    """

    asset_id: Code = Field(description="Canonical id of the asset.")
    system: Code = Field(description="System that keeps the book.")
    asset_native_id: Code = Field(description="Native id of the asset there.")
    book_id: Code = Field(description="Depreciation area, e.g. main.")
    currency: Currency = Field(description="ISO 4217 code of every amount in the record.")
    opening_at: AwareDatetime = Field(description="When the system recorded the first figures (UTC).")
    opening_cost: Amount = Field(description="Acquisition cost in them.")
    opening_accumulated: Amount = Field(description="Accumulated depreciation in them.")
    opening_depreciation: Amount = Field(description="Sum of the lines that were posted in them.")
    closing_at: AwareDatetime = Field(description="When the system recorded the latest figures (UTC).")
    closing_cost: Amount = Field(description="Acquisition cost in them.")
    closing_accumulated: Amount = Field(description="Accumulated depreciation in them.")
    posted_depreciation: Amount = Field(description="Sum of the lines posted in between.")
    movements: int = Field(description="Movements recorded in between.")
    movements_cost: Amount = Field(description="Sum of their changes of the cost.")
    movements_accumulated: Amount = Field(description="Sum of their changes of accumulated depreciation.")
    unexplained_cost: Amount = Field(description="Closing cost that opening and movements do not give.")
    unexplained_accumulated: Amount = Field(
        description="Closing accumulated depreciation that opening, posted lines and movements do not give."
    )
