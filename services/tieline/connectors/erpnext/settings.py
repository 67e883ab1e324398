"""Settings of one ERPNext site."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Literal
from zoneinfo import ZoneInfo

from pydantic import AfterValidator, Field, SecretStr, StringConstraints

from tieline.connectors.kit.settings import HttpSettings
from tieline.connectors.kit.settings import read_settings as checked_settings
from tieline.kernel.cost_records import CostKind
from tieline.kernel.errors import Stop
from tieline.kernel.quotas import zone_of

FieldName = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]*$", max_length=61)]
CustomField = Literal["tag", "serial_number", "condition", "po_line_ref"]
Named = Annotated[str, StringConstraints(min_length=1, max_length=140)]


def _zone(name: str) -> str:
    zone_of(name)
    return name


class Settings(HttpSettings):
    """How to reach ERPNext, and what its names mean."""

    api_key: SecretStr = Field(description="API key of the integration user.")
    api_secret: SecretStr = Field(description="API secret of the integration user.")
    # Names of records go into the address, whose length a web server bounds, commonly by 8 KiB.
    page_size: int = Field(default=100, ge=2, le=150, description="Records asked for per page.")
    overlap_secs: float = Field(
        default=30, ge=0, le=86_400, description="How far each poll reads back: what is saved is seen when committed."
    )
    time_zone: Annotated[str, AfterValidator(_zone)] = Field(
        default="UTC", description="Time zone of the site (System Settings): its times carry none."
    )
    currency: Annotated[str, StringConstraints(pattern=r"^[A-Z]{3}$")] = Field(
        description="ISO 4217 default currency of the companies: assets and journal entries carry none."
    )
    reference_field: FieldName = Field(
        default="custom_hub_reference",
        description="Custom field (Data, No Copy) of Asset and Journal Entry with the hub's reference, 36 characters.",
    )
    reference_is_unique: bool = Field(
        default=False, description="Whether that field is marked Unique in both: nothing is then looked for before it."
    )
    cost_field: Literal["gross_purchase_amount", "net_purchase_amount"] = Field(
        default="gross_purchase_amount", description="Field of an asset's cost: net_purchase_amount from version 16 on."
    )
    custom_fields: dict[CustomField, FieldName] = Field(
        default_factory=dict, description="Custom fields of Asset that hold these canonical fields."
    )
    editable_when_submitted: frozenset[FieldName] = Field(
        default=frozenset({"asset_name"}),
        description="Fields of Asset with Allow on Submit; the others are fixed once it is submitted.",
    )
    submit: bool = Field(
        default=True, description="Submit an asset once its date in service is known; else a person does."
    )
    companies: dict[str, Named] = Field(
        default_factory=dict, description="Names of companies there by company code; any other has its code as name."
    )
    items: dict[str, Named] = Field(
        default_factory=dict, description="Item code of a new asset of a canonical asset class."
    )
    default_item: Named | None = Field(default=None, description="Item code of every other asset class.")
    new_asset: dict[FieldName, str | int] = Field(
        default={"is_existing_asset": 1},
        description="What every new asset says besides: without a purchase document it must be an existing one "
        "(asset_type: Existing Asset, from version 16 on).",
    )
    default_book: str = Field(default="main", description="Canonical book of schedules without a finance book.")
    cost_accounts: dict[CostKind, Named] = Field(
        default_factory=dict, description="Expense account of each kind of cost; without any, no costs are posted."
    )
    clearing_account: Named | None = Field(default=None, description="Account that costs are credited to.")
    webhook_secret: SecretStr | None = Field(default=None, description="Secret of the site's webhooks.")
    webhook_port: int | None = Field(
        default=None, ge=1, le=65_535, description="Port to receive webhooks on; none means polling only."
    )
    webhook_path: str = Field(
        default="/webhooks/erpnext", pattern=r"^/[A-Za-z0-9/_.-]*$", description="Path to receive webhooks on."
    )

    @property
    def zone(self) -> ZoneInfo:
        """Its time zone."""
        return ZoneInfo(self.time_zone)


def read_settings(system: str, settings: Mapping[str, object]) -> Settings:
    """Checked settings; raises ``Stop`` naming each faulty one, never its value (Invariant 14)."""
    checked = checked_settings(Settings, system, settings)
    if checked.webhook_port is not None and checked.webhook_secret is None:
        raise Stop(f"settings of system {system}: webhook_secret is needed where webhook_port is set")
    if checked.cost_accounts and checked.clearing_account is None:
        raise Stop(f"settings of system {system}: clearing_account is needed where cost_accounts are set")
    return checked
