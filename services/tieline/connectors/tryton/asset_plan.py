"""What has to be done so that an asset in Tryton agrees with a command. Pure."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum

from tieline.connectors.kit.kept import lost_text
from tieline.connectors.tryton import comment
from tieline.connectors.tryton.models import Asset
from tieline.kernel.asset_records import AssetFields, FinancialStatus, PhysicalStatus
from tieline.kernel.command_records import WriteAsset
from tieline.kernel.errors import Rejected

# What asset management says and Tryton has no field for: field of the model to key of the comment.
COMMENT_KEYS = {
    "tag": "tag",
    "serial_number": "serial",
    "description": "description",
    "location": "location",
    "condition": "condition",
    "custodian": "custodian",
    "physical_status": "physical-status",
    "cost_centre": "cost-centre",
    "disposal_kind": "disposal-kind",
}
NOT_YET_IN_SERVICE = frozenset({PhysicalStatus.ORDERED, PhysicalStatus.IN_STORE})
IN_SERVICE = frozenset({PhysicalStatus.IN_SERVICE, PhysicalStatus.IN_MAINTENANCE})


class Found(Enum):
    """How the record was found; decides how much of it is ours to change."""

    BY_ID = "by its id"
    BY_HUB_REF = "by the hub's reference in its comment"
    ADOPTED = "by order line, serial number or tag, made by somebody else"


@dataclass(frozen=True, slots=True)
class Plan:
    """Steps in the order in which they are taken; an empty plan means the record agrees already."""

    comment: str | None = None
    values: Mapping[str, object] = field(default_factory=dict)
    run: bool = False
    close_on: dt.date | None = None

    @property
    def empty(self) -> bool:
        """True when nothing is to be done."""
        return self.comment is None and not self.values and not self.run and self.close_on is None


def plan_changes(system: str, command: WriteAsset, asset: Asset, found: Found, product_code: str | None) -> Plan:
    """The steps for one asset. Raises ``Rejected`` for a change that Tryton's state of the asset forbids."""
    text = comment.write_values(asset.comment, comment_values(system, command, asset))
    # The books are Tryton's: a record that somebody else made is adopted as it is.
    values = {} if found is Found.ADOPTED else _book_changes(command, asset, product_code)
    if values and asset.state != "draft":
        # Met again without its id, it is a creation done earlier: what Tryton did with it since is Tryton's word.
        if found is Found.BY_ID:
            raise _locked(asset, values)
        values = {}
    close_on = _close_on(command, asset, found)
    return Plan(
        comment=text if text != (asset.comment or "") else None,
        values={name: wanted for name, (wanted, _) in values.items()},
        run=asset.state == "draft" and (_shall_run(command, found) or close_on is not None),
        close_on=close_on,
    )


def check_comment(sent: str, asset: Asset) -> None:
    """Raise ``Rejected`` naming the value of which Tryton kept less than was sent (T27)."""
    held = comment.read_values(asset.comment)
    for key, value in comment.read_values(sent).items():
        fault = lost_text(value, held.get(key, ""))
        if fault is not None:
            raise Rejected(
                f"Tryton kept less of it than was sent: {fault}",
                field=f"comment.{key}",
                remedy="lift the limit of the asset's comment in Tryton, or shorten the value at its source",
            )


def comment_values(system: str, command: WriteAsset, asset: Asset | None) -> dict[str, str | None]:
    """The comment's keys and what they shall hold, None for what shall go.

    A field without a value says nothing unless it was cleared: what stands there stays.
    """
    values: dict[str, str | None] = {comment.HUB_REF: command.asset_id}
    for name, key in COMMENT_KEYS.items():
        value = getattr(command.fields, name)
        if asset is not None and name not in command.writable_fields:
            continue
        if value is not None or name in command.cleared_fields:
            values[key] = None if value is None else str(value)
    ref = command.fields.po_line_ref
    if ref is not None and (
        asset is None or ("po_line_ref" in command.writable_fields and not _bought_with(system, ref, asset))
    ):
        values[comment.PO_LINE] = ref.removeprefix(f"{system}/")
    return values


def dates(fields: AssetFields) -> tuple[dt.date, dt.date]:
    """Purchase and start date. Raises ``Rejected`` when the command knows no date at all."""
    purchase = fields.acquisition_date or fields.in_service_date
    if purchase is None:
        raise Rejected(
            "is missing: Tryton needs a purchase date", field="fields.acquisition_date", remedy="enter it at the source"
        )
    return purchase, fields.in_service_date or purchase


def _bought_with(system: str, ref: str, asset: Asset) -> bool:
    line = asset.supplier_invoice_line
    model, _, purchase_line = ((line.origin or "") if line else "").partition(",")
    return model == "purchase.line" and ref == f"{system}/{purchase_line}/1"


def _shall_run(command: WriteAsset, found: Found) -> bool:
    # Depreciation begins when the thing can be used (IAS 16), not when it is ordered.
    fields = command.fields
    if found is Found.ADOPTED or fields.financial_status is FinancialStatus.DRAFT:
        return False
    if fields.in_service_date is not None or fields.physical_status in IN_SERVICE:
        return True
    return found is Found.BY_HUB_REF and fields.physical_status not in NOT_YET_IN_SERVICE


def _book_changes(command: WriteAsset, asset: Asset, product_code: str | None) -> dict[str, tuple[object, object]]:
    """Field of the model to (what the command wants, what Tryton holds), where it differs and may be written."""
    fields = command.fields
    pairs: dict[str, tuple[object, object]] = {
        "asset_class": (product_code if fields.asset_class else None, asset.product.code),
        "quantity": (fields.quantity, asset.quantity),
        "acquisition_cost": (fields.acquisition_cost.amount if fields.acquisition_cost else None, asset.value),
        "acquisition_date": (fields.acquisition_date, asset.purchase_date),
        "in_service_date": (fields.in_service_date, asset.start_date),
    }
    return {
        name: (wanted, now)
        for name, (wanted, now) in pairs.items()
        if name in command.writable_fields and wanted is not None and wanted != now
    }


def _locked(asset: Asset, values: Mapping[str, tuple[object, object]]) -> Rejected:
    name, (wanted, now) = next(iter(values.items()))
    return Rejected(
        f"cannot become {wanted}: the asset is {asset.state} in Tryton with {now}",
        field=f"fields.{name}",
        remedy="an accountant revalues or corrects the asset in Tryton; its report then settles the matter",
    )


def _close_on(command: WriteAsset, asset: Asset, found: Found) -> dt.date | None:
    wanted = command.fields.disposal_date
    if wanted is None or "disposal_date" not in command.writable_fields:
        return None
    if asset.state == "closed":
        closed = asset.move.date if asset.move else None
        if closed != wanted and found is Found.BY_ID and "disposal_date" in command.writable_fields:
            raise Rejected(
                f"cannot become {wanted}: the asset was closed on {closed}",
                field="fields.disposal_date",
                remedy="correct the disposal at its source, or cancel the closing move in Tryton",
            )
        return None
    later = [line.date for line in asset.lines if line.move and line.move.state == "posted" and line.date > wanted]
    if later:
        raise Rejected(
            f"lies before depreciation that is already posted ({max(later)})",
            field="fields.disposal_date",
            remedy="cancel the depreciation posted after the disposal in Tryton, or correct the date at its source",
        )
    return wanted
