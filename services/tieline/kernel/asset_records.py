"""Assets: what systems report of them, what the hub accepted, and what it holds."""

from __future__ import annotations

import datetime as dt
from enum import StrEnum

from pydantic import AwareDatetime, Field

from tieline.kernel.vocabulary import Accepted, Code, Model, Money, Origin, Quantity, Text


class PhysicalStatus(StrEnum):
    """Where a thing stands in its physical life, as asset management sees it."""

    UNKNOWN = "UNKNOWN"
    ORDERED = "ORDERED"
    IN_STORE = "IN_STORE"
    IN_SERVICE = "IN_SERVICE"
    IN_MAINTENANCE = "IN_MAINTENANCE"
    RETIRED = "RETIRED"
    MISSING = "MISSING"


class FinancialStatus(StrEnum):
    """Where a fixed asset stands in the books."""

    UNKNOWN = "UNKNOWN"
    DRAFT = "DRAFT"
    RUNNING = "RUNNING"
    CLOSED = "CLOSED"


class DisposalKind(StrEnum):
    """How a thing left."""

    UNKNOWN = "UNKNOWN"
    SALE = "SALE"
    SCRAP = "SCRAP"
    DONATION = "DONATION"
    LOSS = "LOSS"
    THEFT = "THEFT"
    TRADE_IN = "TRADE_IN"
    INTERCOMPANY = "INTERCOMPANY"


class AssetFields(Model):
    """What is known of one asset. Field groups have owners (kernel/ownership.yaml)."""

    tag: Text | None = Field(default=None, description="Asset management's own number of the thing (label, barcode).")
    serial_number: Text | None = Field(default=None, description="Manufacturer's serial number.")
    description: Text | None = Field(default=None, description="What the thing is, for people.")
    location: Text | None = Field(default=None, description="Code of the place where it stands.")
    condition: Text | None = Field(default=None, description="Condition code of the last inspection.")
    custodian: Text | None = Field(default=None, description="Opaque id of the person in charge; never a name.")
    physical_status: PhysicalStatus | None = Field(default=None, description="Stage of the physical life.")
    asset_number: Text | None = Field(default=None, description="The ERP's number of the fixed asset.")
    company: Text | None = Field(default=None, description="Company code that owns it.")
    asset_class: Text | None = Field(default=None, description="Canonical asset class code.")
    cost_centre: Text | None = Field(default=None, description="Cost centre that bears it.")
    quantity: Quantity | None = Field(default=None, description="Number of units this record stands for.")
    acquisition_cost: Money | None = Field(default=None, description="Gross acquisition cost of the record, all units.")
    acquisition_date: dt.date | None = Field(default=None, description="Date of acquisition.")
    in_service_date: dt.date | None = Field(default=None, description="Date it became available for use.")
    financial_status: FinancialStatus | None = Field(default=None, description="Stage in the books.")
    disposal_date: dt.date | None = Field(default=None, description="Date it left.")
    disposal_kind: DisposalKind | None = Field(default=None, description="How it left.")
    po_line_ref: Text | None = Field(
        default=None, description="Order line and unit it was bought with: system/line id/ordinal, ordinal from 1."
    )


CLEARABLE = frozenset({"custodian"})
"""Fields that a record may say are empty: a thing was given back. Of any other, no value says nothing."""


class AssetReport(Model):
    """One system's word on one asset."""

    origin: Origin = Field(description="Which record of which system this speaks of.")
    fields: AssetFields = Field(description="What the system says of the asset; None where it says nothing.")
    deleted: bool = Field(default=False, description="True when the system says the record is gone.")
    cleared: tuple[str, ...] = Field(
        default=(),
        description="Fields that the record holds and says are empty, of those the hub may empty: custodian. A field "
        "that is merely not said stays as it is.",
    )


class AssetEvent(Model):
    """Shape of every event of one asset by itself, from AssetRegistered to AssetDisposed (``merging.name_event``)."""

    asset_id: Code = Field(description="Canonical id of the asset.")
    accepted: Accepted = Field(description="Version, origin and dates of the acceptance.")
    fields: AssetFields = Field(description="The whole after-image.")
    links: dict[str, str] = Field(description="Native id of the asset per system, as far as known.")


class AssetMergeEvent(Model):
    """Shape shared by AssetMerged and AssetSeparated: an asset counts as another one, or no longer."""

    asset_id: Code = Field(description="Canonical id of the asset.")
    accepted: Accepted = Field(description="Version, origin and dates of the acceptance.")
    survivor_id: Code = Field(description="Canonical id of the asset it counts as, or counted as.")
    by: Code = Field(description="Account that decided.")
    reason: Text = Field(description="Why, in the person's words.")


class Word(Model):
    """What one system said of one field, and what it had seen by then: a dotted version vector, in the hub's versions.

    The hub is the only way by which one system learns of another, so one number tells what a system has seen.
    """

    system: Code = Field(description="System that said it.")
    version: int = Field(description="Version of the asset in the hub that took it over, or that it was refused at.")
    seen: int = Field(description="Version of the asset in the hub that the system had seen when it said it.")
    digest: Code = Field(description="Hash of the value.")
    stands: bool = Field(default=True, description="False for a word that was refused.")
    returns: bool = Field(default=False, description="True for a word that was written back to its own system.")


class AssetState(Model):
    """What the hub believes of one asset."""

    asset_id: Code = Field(description="Canonical id of the asset.")
    version: int = Field(description="Version of the asset in the hub: one more with each accepted change.")
    fields: AssetFields = Field(description="What the hub believes, each field as its last rightful speaker said it.")
    said_by: dict[str, str] = Field(description="System that last set each field.")
    links: dict[str, str] = Field(description="Native id of the asset per system, as far as known.")
    said_at: dict[str, AwareDatetime] = Field(
        default={},
        description="When its system recorded the value of a field, where its rule (LWW_BY_VERSION, open) or "
        "disposal asks.",
    )
    merged_into: Text | None = Field(default=None, description="Canonical id of the asset it counts as since a merge.")
    heard_at: dict[str, AwareDatetime] = Field(
        default={},
        description="When its system recorded the last word the hub took of each record of it: system/native id to "
        "instant.",
    )
    words: dict[str, tuple[Word, ...]] = Field(
        default={},
        description="The last words on each field that was said anew or refused since the asset was registered, oldest "
        "first.",
    )
    sent: dict[str, int] = Field(
        default={}, description="Version last sent to each system: up to it a write may be under way there."
    )
