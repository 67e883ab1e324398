"""What the Snipe-IT sandbox shows: times as objects, amounts as text, text HTML-escaped, references as objects."""

from __future__ import annotations

import datetime as dt
import html
from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from zoneinfo import ZoneInfo

from tieline.connectors.kit.sandboxing.records import Row

MAX_RESULTS = 500
# The last five are the demo organisation's.
LOCATIONS = (
    *("Headquarters", "Laboratory", "Warehouse & Yard"),
    *("BER-HQ", "BER-LAB", "HAM-PORT", "MUC-PLANT", "MUC-STORE"),
)


@dataclass(frozen=True, slots=True)
class CustomField:
    """A custom field: the title that answers name it by, and whether its values are unique among undeleted assets."""

    title: str
    is_unique: bool = False


DEFAULT_FIELDS: Mapping[str, CustomField] = {
    "_snipeit_hub_reference_1": CustomField("Hub reference", is_unique=True),
    "_snipeit_cost_centre_2": CustomField("Cost centre"),
    "_snipeit_asset_number_3": CustomField("Asset number"),
    "_snipeit_in_service_date_4": CustomField("In service date"),
    "_snipeit_disposal_date_5": CustomField("Disposal date"),
    "_snipeit_disposal_kind_6": CustomField("Disposal kind"),
    "_snipeit_book_7": CustomField("Book"),
    "_snipeit_accumulated_8": CustomField("Accumulated depreciation"),
    "_snipeit_net_book_value_9": CustomField("Net book value"),
    "_snipeit_as_of_10": CustomField("Book value as of"),
}


@dataclass(frozen=True, slots=True)
class Instance:
    """How one instance is set up."""

    custom_fields: Mapping[str, CustomField] = field(default_factory=lambda: DEFAULT_FIELDS)
    locations: tuple[str, ...] = LOCATIONS
    is_continental: bool = False
    zone: ZoneInfo = ZoneInfo("UTC")  # noqa: RUF009  - frozen
    has_completion: bool = True
    """Whether maintenances have a time of completion of their own, as from version 8.4 on."""


def escaped(text: object) -> str:
    """As Laravel's ``e()``: & < > and both quotes."""
    return html.escape(str(text or ""), quote=True).replace("&#x27;", "&#039;")


def amount_text(amount: object, instance: Instance) -> str | None:
    """``1,234.56``, or ``1.234,56``; always two digits after the point."""
    if amount is None:
        return None
    shown = f"{Decimal(str(amount)):,.2f}"
    return shown.translate(str.maketrans(",.", ".,")) if instance.is_continental else shown


def time_object(at: object, instance: Instance) -> dict[str, str] | None:
    """An instant, without its zone, as an object."""
    if not isinstance(at, dt.datetime):
        return None
    local = at.astimezone(instance.zone)
    return {"datetime": local.strftime("%Y-%m-%d %H:%M:%S"), "formatted": local.strftime("%a %b %d, %Y %I:%M%p")}


def day_object(day: object) -> dict[str, str] | None:
    """A day as an object."""
    return {"date": str(day), "formatted": str(day)} if day else None


def named(row: Row | None) -> dict[str, object] | None:
    """What a record refers to."""
    return None if row is None else {"id": row["id"], "name": escaped(row["name"])}


def status_object(row: Row, label: Row | None) -> dict[str, object] | None:
    """The status label, with what it amounts to."""
    if label is None:
        return None
    kind = str(label["type"])
    meta = "deployed" if kind == "deployable" and row.get("assigned_to") is not None else kind
    return {**(named(label) or {}), "status_type": kind, "status_meta": meta}


def custom_objects(row: Row, instance: Instance) -> dict[str, object]:
    """Custom fields by title."""
    held = row["custom"]
    values = held if isinstance(held, Mapping) else {}
    return {
        one.title: {
            "field": column,
            "value": escaped(values.get(column)),
            "field_format": "ANY",
            "element": "text",
        }
        for column, one in instance.custom_fields.items()
    }
