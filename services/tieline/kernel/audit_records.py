"""Physical audits: what was found where, thing by thing. Mirrors Avro as ``model`` does."""

from __future__ import annotations

import datetime as dt
from enum import StrEnum

from pydantic import AwareDatetime, Field

from tieline.kernel.vocabulary import Accepted, Code, Model, Origin, Text


class AuditResult(StrEnum):
    """What a physical audit says of one thing."""

    UNKNOWN = "UNKNOWN"
    VERIFIED = "VERIFIED"
    NOT_FOUND = "NOT_FOUND"
    UNREGISTERED = "UNREGISTERED"


class AuditFields(Model):
    """One thing in one physical audit: a document, never overwritten; owned by asset management."""

    asset_native_id: Text | None = Field(
        default=None, description="Native id of the asset's record in the reporting system; none where UNREGISTERED."
    )
    result: AuditResult = Field(
        description="VERIFIED: it was seen. NOT_FOUND: it was looked for and not seen. UNREGISTERED: it has no record."
    )
    audited_on: dt.date = Field(description="Date on which it was looked for.")
    location: Text | None = Field(default=None, description="Code of the place where it was seen, or looked for.")
    label: Text | None = Field(default=None, description="Tag, barcode or serial number read on the thing.")
    audited_by: Text | None = Field(default=None, description="Opaque id of the person who looked; never a name.")


class AuditReport(Model):
    """Asset management's word on one thing in one physical audit."""

    origin: Origin = Field(description="Which record of which system this speaks of.")
    fields: AuditFields = Field(description="What the audit says of the thing.")


class AuditState(Model):
    """What the hub accepted of one thing in one audit. Key: asset id (or its own key)|system/native id."""

    asset_id: Text | None = Field(default=None, description="Canonical id of the asset; none where UNREGISTERED.")
    version: int = Field(description="Version of the document in the hub; it never changes.")
    origin_system: Code = Field(description="System whose report it was.")
    origin_native_id: Code = Field(description="Native id of the reported record.")
    fields: AuditFields = Field(description="What the audit says of the thing.")
    recorded_at: AwareDatetime = Field(description="When the system recorded it (UTC).")


class AuditEvent(Model):
    """Shape shared by AssetVerified, AssetNotFound and AssetFoundUnregistered."""

    asset_id: Text | None = Field(default=None, description="Canonical id of the asset; none where UNREGISTERED.")
    accepted: Accepted = Field(description="Version, origin and dates of the acceptance.")
    fields: AuditFields = Field(description="What the audit says of the thing.")


EVENT_NAMES: dict[AuditResult, str] = {
    AuditResult.VERIFIED: "AssetVerified",
    AuditResult.NOT_FOUND: "AssetNotFound",
    AuditResult.UNREGISTERED: "AssetFoundUnregistered",
}
