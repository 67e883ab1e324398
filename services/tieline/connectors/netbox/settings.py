"""Settings of one NetBox instance."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, SecretStr, StringConstraints, model_validator

from tieline.connectors.kit.settings import HttpSettings
from tieline.connectors.kit.settings import read_settings as checked_settings
from tieline.kernel.asset_records import PhysicalStatus

FieldName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_]+$", max_length=50)]
CustomField = Literal[
    "asset_number",
    "condition",
    "cost_centre",
    "quantity",
    "acquisition_cost",
    "acquisition_date",
    "in_service_date",
    "disposal_date",
    "disposal_kind",
    "po_line_ref",
]
BookField = Literal["book_id", "gross_cost", "accumulated", "net_book_value", "as_of"]


def _statuses(table: dict[PhysicalStatus, list[str]]) -> dict[PhysicalStatus, list[str]]:
    if PhysicalStatus.UNKNOWN in table:
        raise ValueError("UNKNOWN is what no status means")
    if not table or not all(table.values()):
        raise ValueError("name at least one status of a device for each physical status")
    return table


class DeviceKind(BaseModel):
    """What a new device must say that it is."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    device_type: int = Field(ge=1, description="Id of the device type.")
    role: int = Field(ge=1, description="Id of the device role.")


class Settings(HttpSettings):
    """How to reach NetBox, and what its statuses, places and custom fields mean."""

    token: SecretStr = Field(
        description="API token of the integration user: nbt_<key>.<token> (v2), or 40 characters (v1, before 4.7)."
    )
    page_size: int = Field(
        default=500, ge=2, le=1000, description="Records per page; above MAX_PAGE_SIZE NetBox gives that many."
    )
    change_log: Literal["core", "extras", "none"] = Field(
        default="core",
        description="Part of the API with the log of changes, by which deletions are known: core from 4.1 on, extras "
        "before. none, or an outage longer than NetBox keeps its log: reconciliation finds them.",
    )
    reference_field: FieldName = Field(
        description="Name of the custom field with the hub's reference: text of 36 characters, on devices, not hidden "
        "from filters."
    )
    reference_is_unique: bool = Field(
        default=False, description="Whether that field enforces unique values: a creation then needs no search before."
    )
    description_field: Literal["description", "name"] = Field(
        default="description", description="Where the description stands: 200 characters, or the name's 64."
    )
    custom_fields: dict[CustomField, FieldName] = Field(
        default_factory=dict,
        description="Names of the custom fields that hold these canonical fields. Amounts need fields of type text: "
        "those of type decimal go through binary fractions.",
    )
    book_fields: dict[BookField, FieldName] = Field(
        default_factory=dict, description="Names of the custom fields, of type text, that show the ERP's book."
    )
    book: str = Field(default="", description="Book that book_fields show; none: the first that comes.")
    currency: Annotated[str, StringConstraints(pattern=r"^[A-Z]{3}$")] | None = Field(
        default=None, description="ISO 4217 currency of acquisition_cost; needed where that has a custom field."
    )
    statuses: Annotated[dict[PhysicalStatus, list[str]], AfterValidator(_statuses)] = Field(
        default={
            PhysicalStatus.ORDERED: ["planned"],
            PhysicalStatus.IN_STORE: ["inventory", "staged"],
            PhysicalStatus.IN_SERVICE: ["active", "offline"],
            PhysicalStatus.IN_MAINTENANCE: ["failed"],
            PhysicalStatus.RETIRED: ["decommissioning"],
        },
        description="Statuses of devices by physical status, the written one first. MISSING needs one of your own.",
    )
    kinds: dict[str, DeviceKind] = Field(
        default_factory=dict, description="Device type and role of a new device by canonical asset class."
    )
    default_kind: DeviceKind | None = Field(default=None, description="The same for every other asset class.")
    default_place: str | None = Field(
        default=None, description="Site, or site/location, by slugs, of a new device whose place nobody says."
    )
    webhook_secret: SecretStr | None = Field(default=None, description="Secret of the webhook, in NetBox.")
    webhook_port: int | None = Field(
        default=None, ge=1, le=65_535, description="Port to receive webhooks on; none means polling only."
    )
    webhook_path: str = Field(
        default="/webhooks/netbox", pattern=r"^/[A-Za-z0-9/_.-]*$", description="Path to receive webhooks on."
    )

    @model_validator(mode="after")
    def _is_complete(self) -> Self:
        if "acquisition_cost" in self.custom_fields and self.currency is None:
            raise ValueError("acquisition_cost has a custom field, so currency is needed")
        if self.webhook_port is not None and self.webhook_secret is None:
            raise ValueError("webhook_secret is needed where webhook_port is set")
        return self


def read_settings(system: str, settings: Mapping[str, object]) -> Settings:
    """Checked settings; raises ``Stop`` naming each faulty one, never its value (Invariant 14)."""
    return checked_settings(Settings, system, settings)
