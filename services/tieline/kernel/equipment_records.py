"""Equipment and fixed assets, many to many (T29): one machine with three component assets, forty laptops in one."""

from __future__ import annotations

import datetime as dt

from pydantic import AwareDatetime, Field

from tieline.kernel.asset_records import DisposalKind
from tieline.kernel.vocabulary import Accepted, Code, Model, Origin, Quantity


class EquipmentLinkFields(Model):
    """Which part of a piece of equipment is which fixed asset, from when to when; owned by asset management."""

    equipment_native_id: Code = Field(description="Native id of the equipment's record in the reporting system.")
    asset_system: Code = Field(description="System of the fixed asset's record.")
    asset_native_id: Code = Field(description="Native id of the fixed asset's record there.")
    share_part: int = Field(description="Numerator of the equipment's share that the asset is, as an exact fraction.")
    share_whole: int = Field(description="Denominator of the share; 1 of 3 is a third.")
    quantity: Quantity | None = Field(
        default=None, description="Units of the asset that the equipment is, e.g. 1 of a collective asset of 40."
    )
    valid_from: dt.date = Field(description="First day on which it holds.")
    valid_to: dt.date | None = Field(
        default=None, description="Last day on which it holds; none: until further notice."
    )


class EquipmentLinkReport(Model):
    """Asset management's word on one link of equipment and fixed asset."""

    origin: Origin = Field(description="Which record of which system this speaks of.")
    fields: EquipmentLinkFields = Field(description="The whole link.")


class EquipmentLinkState(Model):
    """What the hub accepted of one link. Key: equipment id|system/native id."""

    equipment_id: Code = Field(description="Canonical id of the equipment: of its record in asset management.")
    asset_id: Code = Field(description="Canonical id of the fixed asset.")
    version: int = Field(description="Version of the link in the hub.")
    origin_system: Code = Field(description="System whose report it was.")
    origin_native_id: Code = Field(description="Native id of the reported record.")
    fields: EquipmentLinkFields = Field(description="The whole link as it is now.")
    recorded_at: AwareDatetime = Field(description="When the system recorded this state (UTC).")
    left_on: dt.date | None = Field(
        default=None, description="Date for which the units' disposal was proposed; none while the equipment is there."
    )


class EquipmentLinkEvent(Model):
    """Shape shared by EquipmentLinked and EquipmentLinkChanged."""

    equipment_id: Code = Field(description="Canonical id of the equipment: of its record in asset management.")
    asset_id: Code = Field(description="Canonical id of the fixed asset.")
    accepted: Accepted = Field(description="Version, origin and dates of the acceptance.")
    fields: EquipmentLinkFields = Field(description="The whole link as it is now.")


class PartialDisposalProposed(Model):
    """Equipment left that is units of a fixed asset: the ERP may dispose of so many, and of no more."""

    equipment_id: Code = Field(description="Canonical id of the equipment: of its record in asset management.")
    asset_id: Code = Field(description="Canonical id of the fixed asset.")
    accepted: Accepted = Field(description="Version, origin and dates of the acceptance.")
    quantity: Quantity = Field(description="Units that left.")
    asset_quantity: Quantity | None = Field(default=None, description="Units of the asset before, where known.")
    kind: DisposalKind | None = Field(default=None, description="How they left, where it is said.")
