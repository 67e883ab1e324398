"""Settings of one Snipe-IT instance."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Literal
from zoneinfo import ZoneInfo

from pydantic import AfterValidator, Field, SecretStr, StringConstraints

from tieline.connectors.kit.amounts import CONTINENTAL, ENGLISH, NumberFormat
from tieline.connectors.kit.settings import HttpSettings
from tieline.connectors.kit.settings import read_settings as checked_settings
from tieline.kernel.asset_records import PhysicalStatus
from tieline.kernel.cost_records import CostKind
from tieline.kernel.quotas import zone_of

Column = Annotated[str, StringConstraints(pattern=r"^_snipeit_[a-z0-9_]+$", max_length=80)]
CustomField = Literal[
    "asset_number",
    "condition",
    "cost_centre",
    "quantity",
    "in_service_date",
    "disposal_date",
    "disposal_kind",
]
BookField = Literal["book_id", "gross_cost", "accumulated", "net_book_value", "as_of"]
DEPLOYED = " (deployed)"
_FORMATS: Mapping[str, NumberFormat] = {"1,234.56": ENGLISH, "1.234,56": CONTINENTAL}


def _zone(name: str) -> str:
    zone_of(name)
    return name


def _statuses(table: dict[PhysicalStatus, list[str]]) -> dict[PhysicalStatus, list[str]]:
    if PhysicalStatus.UNKNOWN in table:
        raise ValueError("UNKNOWN is what no label means")
    if not table or not all(table.values()):
        raise ValueError("name at least one label for each status")
    if any(words[0].endswith(DEPLOYED) for words in table.values()):
        raise ValueError(f"the first label of a status is written, so it is a label alone, without{DEPLOYED}")
    return table


class Settings(HttpSettings):
    """How to reach Snipe-IT, and what its labels, numbers and custom fields mean."""

    token: SecretStr = Field(description="Personal access token of the integration user.")
    page_size: int = Field(
        default=500, ge=2, le=500, description="Records per page; above 500 Snipe-IT gives 500 without a word."
    )
    time_zone: Annotated[str, AfterValidator(_zone)] = Field(
        default="UTC", description="Time zone of Snipe-IT (APP_TIMEZONE): its times carry none."
    )
    number_format: Literal["1,234.56", "1.234,56"] = Field(
        default="1,234.56", description="Its digit separator, under Settings, Localization."
    )
    currency: Annotated[str, StringConstraints(pattern=r"^[A-Z]{3}$")] = Field(
        description="ISO 4217 currency of its costs: its records carry none."
    )
    reference_field: Column = Field(
        description="Column of the custom field with the hub's reference, 36 characters; in every model's fieldset."
    )
    reference_is_unique: bool = Field(
        default=False,
        description="Whether that field is marked unique there: a creation then needs no search before it.",
    )
    custom_fields: dict[CustomField, Column] = Field(
        default_factory=dict, description="Columns of the custom fields that hold these canonical fields."
    )
    book_fields: dict[BookField, Column] = Field(
        default_factory=dict, description="Columns of the custom fields that show these fields of the ERP's book."
    )
    book: str = Field(default="", description="Book that book_fields show; none: the first that comes.")
    statuses: Annotated[dict[PhysicalStatus, list[str]], AfterValidator(_statuses)] = Field(
        default={
            PhysicalStatus.ORDERED: ["Pending"],
            PhysicalStatus.IN_STORE: ["Ready to Deploy"],
            PhysicalStatus.IN_SERVICE: ["Deployed", f"Ready to Deploy{DEPLOYED}"],
            PhysicalStatus.IN_MAINTENANCE: ["Out for Repair"],
            PhysicalStatus.RETIRED: ["Archived"],
            PhysicalStatus.MISSING: ["Lost/Stolen"],
        },
        description="Names of status labels by physical status, the written one first; with (deployed) behind it, "
        "a label of what is checked out.",
    )
    initial_status: PhysicalStatus = Field(
        default=PhysicalStatus.ORDERED, description="Physical status of a new asset of which the hub knows none."
    )
    models: dict[str, int] = Field(
        default_factory=dict, description="Id of the model that a new asset of a canonical asset class gets."
    )
    default_model: int | None = Field(default=None, ge=1, description="Id of the model for every other asset class.")
    move_by: Literal["location", "checkout"] = Field(
        default="location", description="How the hub moves an asset: by its location, or by a check-out to a location."
    )
    maintenance_cost_centre: str | None = Field(
        default=None, description="Cost centre that bears maintenance; none: maintenances are not read."
    )
    maintenance_company: str | None = Field(
        default=None, description="Company that bears maintenance of assets without one."
    )
    maintenance_kinds: dict[str, CostKind] = Field(
        default={
            "Maintenance": CostKind.SERVICE,
            "Repair": CostKind.SERVICE,
            "Upgrade": CostKind.PART,
            "PAT Test": CostKind.SERVICE,
            "Calibration": CostKind.SERVICE,
            "Software Support": CostKind.SERVICE,
            "Hardware Support": CostKind.SERVICE,
            "Configuration Change": CostKind.SERVICE,
        },
        description="What a maintenance of a type paid for; any other type is held.",
    )

    @property
    def form(self) -> NumberFormat:
        """How it writes numbers."""
        return _FORMATS[self.number_format]

    @property
    def zone(self) -> ZoneInfo:
        """Its time zone."""
        return ZoneInfo(self.time_zone)

    @property
    def columns(self) -> Mapping[str, str]:
        """Columns of custom fields by canonical field of an asset."""
        return {str(name): column for name, column in self.custom_fields.items()}


def read_settings(system: str, settings: Mapping[str, object]) -> Settings:
    """Checked settings; raises ``Stop`` naming each faulty one, never its value (Invariant 14)."""
    return checked_settings(Settings, system, settings)
