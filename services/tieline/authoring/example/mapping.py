"""Their records to canonical ones and back. Pure; every refusal names the field."""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection, Mapping
from types import MappingProxyType
from typing import Any

from pydantic import ValidationError

from tieline.authoring.example.client import Record
from tieline.connectors.kit.amounts import PLAIN, parse_amount
from tieline.connectors.kit.strict_json import JsonError, parse_json
from tieline.kernel.asset_records import AssetFields, AssetReport, PhysicalStatus
from tieline.kernel.errors import Rejected
from tieline.kernel.protocols import RawItem
from tieline.kernel.vocabulary import Money, Origin

STREAM = "assets"
REFERENCE = "external_ref"
"""Their field that keeps our id of the asset."""
MAX_ITEM_BYTES = 1_000_000
_TEXTS: Mapping[str, str] = MappingProxyType(
    {"description": "name", "serial_number": "serial", "location": "site", "company": "company"}
)
_STATUSES: Mapping[str, PhysicalStatus] = MappingProxyType(
    {
        "ordered": PhysicalStatus.ORDERED,
        "stored": PhysicalStatus.IN_STORE,
        "used": PhysicalStatus.IN_SERVICE,
        "retired": PhysicalStatus.RETIRED,
    }
)
_WORDS: Mapping[PhysicalStatus, str] = MappingProxyType({status: word for word, status in _STATUSES.items()})


def map_item(system: str, item: RawItem) -> list[AssetReport]:
    """The report of one record. Raises ``Rejected`` with the field's path."""
    if item.stream != STREAM:
        raise Rejected(f"there is no stream {item.stream}", field="stream")
    try:
        record = parse_json(item.payload, max_bytes=MAX_ITEM_BYTES)
    except JsonError as error:
        raise Rejected(f"the record is not acceptable JSON: {error}", field="$") from None
    if not isinstance(record, dict):
        raise Rejected("is not an object", field="$")
    return [asset_report(system, record)]


def asset_report(system: str, record: Record) -> AssetReport:
    """What a record says of its asset. Raises ``Rejected`` with the field's path."""
    recorded_at = instant(record, "updated_at")
    fields = {name: record.get(theirs) for name, theirs in _TEXTS.items()}
    fields |= {
        # Invariant 9: a word that nobody knows is UNKNOWN, which the hub holds; it is never taken for one we know.
        "physical_status": _STATUSES.get(str(record.get("status")), PhysicalStatus.UNKNOWN),
        "acquisition_cost": _cost(record),
        "acquisition_date": _day(record, "bought_on"),
    }
    try:
        origin = Origin(
            system=system,
            entity="asset",
            native_id=str(record.get("id", "")),
            source_version=str(record.get("version", "")),
            recorded_at=recorded_at,
            hub_ref=record.get(REFERENCE),
        )
        return AssetReport(origin=origin, fields=AssetFields(**fields))
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        raise Rejected(first["msg"], field=".".join(str(part) for part in first["loc"])) from None


def native_asset(fields: AssetFields, only: Collection[str]) -> dict[str, object]:
    """Their keys and values for these fields; what has no value is left out."""
    found: dict[str, object] = {theirs: getattr(fields, name) for name, theirs in _TEXTS.items() if name in only}
    if "physical_status" in only and fields.physical_status is not None:
        if fields.physical_status not in _WORDS:
            raise Rejected(f"has no word for {fields.physical_status}", field="fields.physical_status")
        found["status"] = _WORDS[fields.physical_status]
    if "acquisition_cost" in only and fields.acquisition_cost is not None:
        found |= {"cost": format(fields.acquisition_cost.amount, "f"), "currency": fields.acquisition_cost.currency}
    if "acquisition_date" in only and fields.acquisition_date is not None:
        found["bought_on"] = fields.acquisition_date.isoformat()
    return {name: value for name, value in found.items() if value is not None}


def instant(record: Record, name: str) -> dt.datetime:
    """A time with its zone. Raises ``Rejected``."""
    try:
        at = dt.datetime.fromisoformat(str(record.get(name)))
    except ValueError:
        raise Rejected("is not a time", field=name) from None
    if at.tzinfo is None:
        raise Rejected("has no time zone", field=name)
    return at.astimezone(dt.UTC)


def _day(record: Record, name: str) -> dt.date | None:
    if record.get(name) is None:
        return None
    try:
        return dt.date.fromisoformat(str(record[name]))
    except ValueError:
        raise Rejected("is not a date", field=name) from None


def _cost(record: Record) -> Money | None:
    text: Any = record.get("cost")
    if text is None:
        return None
    if not isinstance(text, str):
        raise Rejected("must be text: a number may have lost digits on its way", field="cost")  # Invariant 11
    currency = str(record.get("currency"))
    amount = parse_amount(text, PLAIN, field="cost", currency=currency)
    try:
        return Money(amount=amount, currency=currency)
    except ValidationError as error:
        raise Rejected(error.errors(include_url=False)[0]["msg"], field="cost") from None
