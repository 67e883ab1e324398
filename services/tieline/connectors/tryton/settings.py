"""What the landscape says about one Tryton."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Annotated

from pydantic import AnyHttpUrl, BaseModel, ConfigDict, Field, SecretStr, StringConstraints, ValidationError

from tieline.kernel.errors import Stop
from tieline.kernel.ledger_records import ControlMeasure

Code = Annotated[str, StringConstraints(min_length=1, max_length=200)]


class AssetClass(BaseModel):
    """How one canonical asset class is kept in Tryton."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    product: Code = Field(description="Code of the depreciable product of type assets that stands for the class.")


class DueDepreciation(StrEnum):
    """What happens before a disposal to depreciation that is due and not posted."""

    POST_ALL = "post-all"
    REQUIRE = "require"


class ControlAccount(BaseModel):
    """One account of the general ledger that controls assets."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    account: Code = Field(description="Code of the account; with sub-accounts, their sum counts.")
    measure: ControlMeasure = Field(description="COST or ACCUMULATED_DEPRECIATION of the running assets.")
    asset_classes: tuple[Code, ...] = Field(
        default=(), description="Canonical classes booked on the account; none: every class."
    )


class TrytonSettings(BaseModel):
    """Settings of the connector; the landscape's ``settings`` of a system with ``connector: tryton``."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    endpoint: AnyHttpUrl = Field(description="Base URL of the Tryton server, without the database.")
    database: Code = Field(description="Name of the database.")
    user: Code = Field(description="Log-in of the API user: groups Accounting, Purchase and Stock.")
    password: SecretStr = Field(description="The user's password; a secret reference in the landscape.")
    company: Code = Field(description="Code of the company's party; the canonical company code.")
    asset_classes: dict[Code, AssetClass] = Field(
        min_length=1,
        description=(
            "Canonical asset class to the product it is booked under; one product per class. Where the landscape has a "
            "code list asset-class for this system, that list, of product codes, takes its place."
        ),
    )
    asset_journal: Code = Field(default="ASSET", description="Code of the journal that depreciation is posted in.")
    maintenance_journal: Code = Field(default="MAINT", description="Code of the journal of maintenance costs.")
    maintenance_expense_account: Code = Field(
        default="MAINT-EXPENSE", description="Code of the account that bears maintenance costs."
    )
    maintenance_accrual_account: Code = Field(
        default="MAINT-ACCRUAL", description="Code of the account the maintenance costs are owed on."
    )
    due_depreciation: DueDepreciation = Field(
        default=DueDepreciation.REQUIRE,
        description=(
            "Before a disposal: post-all runs Tryton's month-end wizard up to the disposal date, which posts the due "
            "depreciation of every running asset; require refuses the disposal until an accountant has posted it."
        ),
    )
    control_accounts: tuple[ControlAccount, ...] = Field(
        default=(),
        description=(
            "Accounts that reconciliation compares with the sum of the assets booked on them; none: the ledger is "
            "reported as not compared."
        ),
    )
    connect_timeout_secs: float = Field(default=5, gt=0, le=120, description="Longest wait for a connection.")
    read_timeout_secs: float = Field(
        default=60, gt=0, le=600, description="Longest silence while an answer is awaited."
    )
    max_connections: int = Field(default=4, ge=1, le=64, description="Calls of one process in flight at one time.")
    page_size: int = Field(default=200, ge=1, le=1000, description="Records read with one call.")
    max_response_bytes: int = Field(
        default=64 * 1024 * 1024, ge=1024, description="An answer larger than this is refused, not read."
    )
    late_commit_window_secs: float = Field(
        default=60,
        ge=0,
        le=3600,
        description=(
            "Tryton stamps a change when its transaction writes, not when it commits: so far back is looked again."
        ),
    )

    def product_codes(self) -> dict[str, str]:
        """Product code to canonical class."""
        return {entry.product: name for name, entry in self.asset_classes.items()}


def read_settings(system: str, settings: Mapping[str, object]) -> TrytonSettings:
    """Validate one system's settings. Raises ``Stop`` with place and reason of the first fault, never a value."""
    try:
        found = TrytonSettings.model_validate(dict(settings))
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False)[0]
        where = ".".join(str(part) for part in first["loc"])
        raise Stop(f"systems.{system}.settings.{where}: {first['msg']}; see the fields of TrytonSettings") from None
    products = [entry.product for entry in found.asset_classes.values()]
    twice = next((code for code in products if products.count(code) > 1), None)
    if twice is not None:
        raise Stop(
            f"systems.{system}.settings.asset_classes: product {twice} stands for two classes; give each its own"
        )
    codes = [entry.account for entry in found.control_accounts]
    twice = next((code for code in codes if codes.count(code) > 1), None)
    if twice is not None:
        raise Stop(f"systems.{system}.settings.control_accounts: {twice} stands there twice; name it once")
    return found
