"""Snipe-IT's records to reports, and our fields to the bodies of its writes. Pure.

Its answers have dates as objects, amounts as text in the instance's format, text HTML-escaped, and custom fields under
their titles; it takes plain dates, numbers and text, ids instead of names, and custom fields under their columns.
"""

from __future__ import annotations

import datetime as dt
import hashlib
from collections.abc import Mapping, Sequence
from decimal import Decimal
from zoneinfo import ZoneInfo

from tieline.connectors.kit.fieldmap import (
    FieldRule,
    Kind,
    Read,
    RecordMap,
    Write,
    constant,
    date,
    money,
    number,
    read_fields,
    reference,
    symbol,
    text,
    validated,
)
from tieline.connectors.kit.paths import Record, value_at
from tieline.connectors.kit.streams import gone_at, parse_record
from tieline.connectors.kit.strict_json import dump_json
from tieline.connectors.snipeit.settings import DEPLOYED, Settings
from tieline.kernel.asset_records import AssetFields, AssetReport, DisposalKind, PhysicalStatus
from tieline.kernel.audit_records import AuditFields, AuditReport, AuditResult
from tieline.kernel.book_records import BookFields
from tieline.kernel.code_lists import SHARED, Codes
from tieline.kernel.cost_records import CostFields, CostKind, CostLine, CostReport
from tieline.kernel.errors import Rejected
from tieline.kernel.protocols import RawItem
from tieline.kernel.reference_records import ReferenceFields, ReferenceReport, ReferenceStatus
from tieline.kernel.reports import Report
from tieline.kernel.vocabulary import Origin

ASSETS, MAINTENANCES, AUDITS, LOCATIONS = "assets", "maintenances", "audits", "locations"
TEXT_LENGTH, ORDER_NUMBER_LENGTH, DECIMALS = 255, 191, 2  # what its columns keep
LOCATION = "location"  # written apart from the other fields where the hub moves by check-out
# What a record says besides its own content, or says anew every day.
_VOLATILE = frozenset({"age", "available_actions", "user_can_checkout", "image", "qr", "qr_code_url", "alt_barcode"})


def asset_map(settings: Settings) -> RecordMap:
    """Where the fields of an asset stand."""
    plain = text(max_length=TEXT_LENGTH, escaped=True)
    custodian = Kind(_custodian, plain.write, "the id of the person who has it; never a name")
    rules = [
        FieldRule("tag", "asset_tag", plain),
        FieldRule("serial_number", "serial", plain, "serial"),
        FieldRule("description", "name", plain),
        FieldRule("location", "location.name", reference("location", escaped=True), "location_id"),
        FieldRule("custodian", "assigned_to.id", custodian, direction="in"),
        FieldRule("physical_status", "status_label.name", _status(settings), "status_id"),
        FieldRule("company", "company.name", reference("company", escaped=True), "company_id"),
        FieldRule("asset_class", "category.name", plain, direction="in", note="set there by the model"),
        FieldRule(
            "acquisition_cost",
            "purchase_cost",
            money(currency=settings.currency, form=settings.form, decimals=DECIMALS),
        ),
        FieldRule("acquisition_date", "purchase_date.date", date(), "purchase_date"),
        FieldRule("po_line_ref", "order_number", text(max_length=ORDER_NUMBER_LENGTH, escaped=True)),
    ]
    rules += [_custom(name, column, settings) for name, column in settings.columns.items()]
    return RecordMap("/hardware", AssetFields, rules, title="Asset")


def book_map(settings: Settings) -> RecordMap:
    """Where the fields of an ERP's book are shown; read only by the hub itself, to see whether they are shown."""
    kinds = {"book_id": text(max_length=TEXT_LENGTH, escaped=True), "as_of": _custom_date(settings)}
    amount = _custom_number(settings)
    rules = [
        FieldRule(name, f"custom.{column}", kinds.get(name, amount), column)
        for name, column in settings.book_fields.items()
    ]
    return RecordMap("/hardware (custom fields)", BookFields, rules, title="Book")


def _custom(name: str, column: str, settings: Settings) -> FieldRule:
    kinds: Mapping[str, Kind] = {
        "quantity": _custom_number(settings),
        "in_service_date": _custom_date(settings),
        "disposal_date": _custom_date(settings),
        "disposal_kind": symbol(DisposalKind, {one: [one] for one in DisposalKind if one != "UNKNOWN"}),
    }
    return FieldRule(name, f"custom.{column}", kinds.get(name, text(max_length=TEXT_LENGTH, escaped=True)), column)


def _custom_date(_settings: Settings) -> Kind:
    # A custom field of format DATE gives a formatted day, for which its own format must be Y-m-d; others give text.
    return date()


def _custom_number(_settings: Settings) -> Kind:
    # A custom field is text: what we wrote with a point comes back so.
    return number(as_text=True)


def _status(settings: Settings) -> Kind:
    """A label; one that is deployable says by ``status_meta`` whether the thing is with somebody."""
    table = {str(status): words for status, words in settings.statuses.items()}
    plain = symbol(PhysicalStatus, table)
    labels = {word.casefold() for words in table.values() for word in words}

    def read(asked: Read) -> object:
        if value_at(asked.record, "status_label.status_meta") == "deployed":
            deployed = f"{asked.value}{DEPLOYED}"
            if deployed.casefold() in labels:
                return plain.read(Read(deployed, asked.path, asked.record))
        return plain.read(asked)

    by_name = reference("status label")
    return Kind(read, lambda asked: by_name.write(Write(plain.write(asked), asked.field, asked.names)), plain.says)


def _custodian(asked: Read) -> str | None:
    is_person = value_at(asked.record, "assigned_to.type") == "user"
    return str(asked.value) if is_person and asked.value is not None else None


# ---- reports ----------------------------------------------------------------------------------------------------


def map_item(settings: Settings, system: str, codes: Codes, item: RawItem) -> Sequence[Report]:
    """The reports in one raw record. Raises ``Rejected`` with the path of what is wrong."""
    record = parse_record(item)
    match item.stream:
        case "assets":
            return [asset_report(settings, system, record, codes)]
        case "maintenances":
            return cost_reports(settings, system, record, codes)
        case "audits":
            return [audit_report(settings, system, record, codes)]
        case "locations":
            return [location_report(settings, system, record, codes)]
        case _:
            raise Rejected(f"there is no stream {item.stream}", field="stream")


def asset_report(settings: Settings, system: str, record: Record, codes: Codes = SHARED) -> AssetReport:
    """One asset of theirs."""
    flat = with_columns(record)
    hub_ref = value_at(flat, f"custom.{settings.reference_field}")
    deleted = value_at(flat, "deleted_at.datetime") is not None
    origin = _origin(settings, system, "asset", flat, hub_ref=str(hub_ref).strip() if hub_ref else None)
    if deleted:
        return AssetReport(origin=origin, fields=AssetFields(), deleted=True)
    fields = canonical(read_fields(AssetFields, asset_map(settings).rules, flat), codes, origin, settings)
    cleared = ("custodian",) if "assigned_to" in flat and fields.custodian is None else ()
    return AssetReport(origin=origin, fields=fields, cleared=cleared)


def canonical(fields: AssetFields, codes: Codes, origin: Origin, settings: Settings) -> AssetFields:
    """The fields with their codes canonical, as of the day their system recorded them."""
    paths = {rule.name: rule.path for rule in asset_map(settings).rules}
    return codes.canonical_fields(fields, origin.recorded_at.date(), place=lambda name: paths.get(name, name))


def cost_reports(settings: Settings, system: str, record: Record, codes: Codes) -> Sequence[CostReport]:
    """The cost of a maintenance that is over; none of one that is under way or free: its cost may still change."""
    # From version 8.4 on there is a time of completion, and the older day is only what is expected; before, it is it.
    over = "completed_at.datetime" if "completed_at" in record else "completion_date.date"
    if gone_at(record) is not None or value_at(record, over) is None or value_at(record, "cost") in (None, ""):
        return []
    origin = _origin(settings, system, "cost-document", record)
    fields = read_fields(CostFields, cost_map(settings).rules, record, lines=())
    kind = settings.maintenance_kinds.get(_plain(record, "asset_maintenance_type") or "", CostKind.UNKNOWN)
    title = _plain(record, "title") or "no title"
    line = validated(CostLine, {"line_no": 1, "kind": kind, "description": title, "amount": fields.total})
    fields = codes.canonical_fields(fields.model_copy(update={"lines": (line,)}), fields.effective_date, place=str)
    return [CostReport(origin=origin, fields=fields)]


def cost_map(settings: Settings) -> RecordMap:
    """Where the fields of a maintenance stand."""
    always = {"currency": settings.currency, "cost_centre": settings.maintenance_cost_centre}
    rules = [
        FieldRule("work_order", "id", _ESCAPED),
        FieldRule("asset_native_id", "asset.id", _ESCAPED),
        FieldRule("company", "company.name", _ESCAPED),
        FieldRule("effective_date", "completed_at.datetime", date(), note="from version 8.4 on"),
        FieldRule("effective_date", "completion_date.date", date(), note="before version 8.4"),
        FieldRule("total", "cost", number(form=settings.form)),
        *(FieldRule(name, "", constant(value)) for name, value in always.items()),
    ]
    if settings.maintenance_company is not None:
        rules.append(FieldRule("company", "", constant(settings.maintenance_company), note="of an asset without one"))
    return RecordMap("/maintenances", CostFields, rules, title="Maintenance", writes=False)


def audit_report(settings: Settings, system: str, record: Record, codes: Codes) -> AuditReport:
    """One entry of the activity log that says that a thing was seen."""
    fields = read_fields(AuditFields, AUDIT_MAP.rules, record)
    fields = codes.canonical_fields(fields, fields.audited_on, place=lambda _: "location.name")
    return AuditReport(origin=_origin(settings, system, "audit", record), fields=fields)


def location_report(settings: Settings, system: str, record: Record, codes: Codes) -> ReferenceReport:
    """One location; it goes by its name."""
    gone = gone_at(record)
    if gone is not None:
        native = str(record["tieline_gone"])
        said = {
            "system": system,
            "entity": LOCATION,
            "native_id": native,
            "source_version": "gone",
            "recorded_at": gone,
        }
        fields = ReferenceFields(code=native, status=ReferenceStatus.CLOSED)
        return ReferenceReport(origin=validated(Origin, said), fields=fields, deleted=True)
    origin = _origin(settings, system, LOCATION, record)
    fields = read_fields(ReferenceFields, LOCATION_MAP.rules, record)
    day = origin.recorded_at.date()
    coded = {
        name: codes.canonical("location", value, day, place=path)
        for name, path in (("code", "name"), ("parent", "parent.name"))
        if (value := getattr(fields, name)) is not None
    }
    return ReferenceReport(origin=origin, fields=fields.model_copy(update=coded))


_ESCAPED = text(escaped=True)
AUDIT_MAP = RecordMap(
    "/reports/activity",
    AuditFields,
    (
        FieldRule("asset_native_id", "item.id", _ESCAPED),
        FieldRule("audited_on", "action_date.datetime", date()),
        FieldRule("audited_on", "created_at.datetime", date(), note="in older versions"),
        FieldRule("location", "location.name", _ESCAPED),
        FieldRule("audited_by", "admin.id", _ESCAPED),
        FieldRule("result", "", constant(AuditResult.VERIFIED)),
    ),
    title="Audit",
    writes=False,
)
LOCATION_MAP = RecordMap(
    "/locations",
    ReferenceFields,
    (
        FieldRule("code", "name", _ESCAPED),
        FieldRule("name", "name", _ESCAPED),
        FieldRule("parent", "parent.name", _ESCAPED),
        FieldRule("status", "", constant(ReferenceStatus.ACTIVE)),
    ),
    title="Location",
    writes=False,
)


def maps_of(settings: Settings) -> Sequence[RecordMap]:
    """Every map, for the field page and the catalogue."""
    maps = [asset_map(settings), *([book_map(settings)] if settings.book_fields else [])]
    if settings.maintenance_cost_centre is not None:
        maps.append(cost_map(settings))
    return [*maps, AUDIT_MAP, LOCATION_MAP]


# ---- their records ----------------------------------------------------------------------------------------------


def with_columns(record: Record) -> Record:
    """The record with its custom fields by column under ``custom``: they come by title, which people change."""
    fields = record.get("custom_fields")
    named = fields.values() if isinstance(fields, Mapping) else ()
    columns = {str(one["field"]): one.get("value") for one in named if isinstance(one, Mapping) and "field" in one}
    return {**record, "custom": columns}


def native_id(record: Record) -> str:
    """The record's id as text; raises ``Rejected`` when it has none."""
    found = _number(record, "id")
    if found is None:
        raise Rejected("every record needs an id", field="id")
    return found


def without_people(record: Record) -> Record:
    """The record without names, mail addresses and phone numbers of people: their ids stay (T40)."""
    kept = dict(record)
    for key in ("assigned_to", "created_by", "admin", "user_id", "responsible_party", "completed_by", "manager"):
        person = kept.get(key)
        if isinstance(person, Mapping) and person.get("type", "user") == "user":
            kept[key] = {name: person[name] for name in ("id", "type") if name in person}
    target = kept.get("target")
    if isinstance(target, Mapping) and target.get("type") == "user":
        kept["target"] = {"id": target.get("id"), "type": "user"}
    return kept


def modified_at(record: Record, zone: ZoneInfo) -> dt.datetime:
    """When it was changed last (UTC). Raises ``Rejected`` naming the key."""
    return _instant(record, "updated_at.datetime|created_at.datetime", zone)


def version_of(record: Record) -> str:
    """Its time of change, to the second, and a hash: two changes in one second are two versions."""
    content = {key: value for key, value in record.items() if key not in _VOLATILE and key != "custom"}
    at = value_at(record, "updated_at.datetime") or value_at(record, "created_at.datetime")
    return f"{at}#{hashlib.blake2b(dump_json(content), digest_size=6).hexdigest()}"


def _origin(settings: Settings, system: str, entity: str, record: Record, *, hub_ref: str | None = None) -> Origin:
    values: Mapping[str, object] = {
        "system": system,
        "entity": entity,
        "native_id": native_id(record),
        "source_version": version_of(record),
        "recorded_at": modified_at(record, settings.zone),
        "hub_ref": hub_ref,
    }
    return validated(Origin, values)


def _instant(record: Record, paths: str, zone: ZoneInfo) -> dt.datetime:
    path = next((one for one in paths.split("|") if value_at(record, one) is not None), paths.split("|", maxsplit=1)[0])
    try:
        local = dt.datetime.strptime(str(value_at(record, path)), "%Y-%m-%d %H:%M:%S").replace(tzinfo=zone)
        return local.astimezone(dt.UTC)
    except (ValueError, OverflowError):
        raise Rejected("is not a time like 2026-01-31 12:00:00", field=path) from None


def _plain(record: Record, path: str) -> str | None:
    found = _ESCAPED.read(Read(value_at(record, path), path, record))
    return None if found is None else str(found)


def _number(record: Record, path: str) -> str | None:
    value = value_at(record, path)
    return None if isinstance(value, bool) or not isinstance(value, int | str | Decimal) or value == "" else str(value)
