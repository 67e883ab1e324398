"""NetBox's records to reports, and our fields to the bodies of its writes. Pure.

Its answers have choices and other records as objects; it takes values and ids. Places go by slugs: ``site``, or
``site/location``.
"""

from __future__ import annotations

import datetime as dt
import hashlib
from collections.abc import Mapping, Sequence

from tieline.connectors.kit.amounts import ENGLISH
from tieline.connectors.kit.fieldmap import (
    FieldRule,
    Fields,
    Kind,
    Read,
    RecordMap,
    date,
    money,
    number,
    read_fields,
    reference,
    symbol,
    text,
    through,
    validated,
)
from tieline.connectors.kit.paths import Record, value_at
from tieline.connectors.kit.streams import parse_record
from tieline.connectors.kit.strict_json import dump_json
from tieline.connectors.netbox.settings import Settings
from tieline.kernel.asset_records import AssetFields, AssetReport, DisposalKind, PhysicalStatus
from tieline.kernel.book_records import BookFields
from tieline.kernel.code_lists import SHARED, Codes
from tieline.kernel.errors import Rejected
from tieline.kernel.protocols import RawItem
from tieline.kernel.reference_records import ReferenceFields, ReferenceReport, ReferenceStatus
from tieline.kernel.reports import Report
from tieline.kernel.vocabulary import Origin

PLACE = "place"  # a key of bodies that the sink makes site and location of
ETAG = "tieline_etag"
DELETED_ID = "changed_object_id"  # only entries of the log of changes have it
OBJECT_TYPES: Mapping[str, str] = {"dcim.device": "assets", "dcim.site": "sites", "dcim.location": "locations"}
TAG_LENGTH, DESCRIPTION_LENGTH, NAME_LENGTH = 50, 200, 64  # what its columns keep
_PLACE_STATUSES = {"ACTIVE": ["active", "planned", "staging", "decommissioning"], "CLOSED": ["retired"]}
# What a record says of others, or is shown by a person's settings.
_VOLATILE = frozenset({"url", "display", "display_url", ETAG})
_PRIVATE = frozenset({"comments", "config_context", "local_context_data", ETAG})


def asset_map(settings: Settings) -> RecordMap:
    """Where the fields of an asset stand."""
    length = NAME_LENGTH if settings.description_field == "name" else DESCRIPTION_LENGTH
    statuses = {str(status): words for status, words in settings.statuses.items()}
    place = through(reference("place"), lambda asked: Read(_place(asked.record), asked.path, asked.record))
    rules = [
        FieldRule("tag", "asset_tag", text(max_length=TAG_LENGTH)),
        FieldRule("serial_number", "serial", text(max_length=TAG_LENGTH)),
        FieldRule("description", settings.description_field, text(max_length=length)),
        FieldRule("location", "site.slug", place, PLACE, note="`site`, or `site/location`, by slugs"),
        FieldRule("physical_status", "status.value", symbol(PhysicalStatus, statuses), "status"),
        FieldRule("company", "tenant.slug", reference("tenant"), "tenant"),
        FieldRule("asset_class", "role.slug", text(), direction="in", note="given at creation, by `kinds`"),
    ]
    rules += [_custom(name, column, settings) for name, column in settings.custom_fields.items()]
    return RecordMap("/api/dcim/devices/", AssetFields, rules, title="Asset")


def book_map(settings: Settings) -> RecordMap:
    """Where the fields of an ERP's book are shown; read only by the hub itself, to see whether they are shown."""
    kinds = {"book_id": text(), "as_of": date()}
    rules = [
        FieldRule(name, f"custom_fields.{column}", kinds.get(name, number(form=ENGLISH, as_text=True)))
        for name, column in settings.book_fields.items()
    ]
    return RecordMap("/api/dcim/devices/ (custom fields)", BookFields, rules, title="Book")


def _custom(name: str, column: str, settings: Settings) -> FieldRule:
    # What we wrote with a point comes back so; a field of type decimal gives a JSON number.
    kinds: Mapping[str, Kind] = {
        "quantity": number(form=ENGLISH, as_text=True),
        "acquisition_cost": money(currency=settings.currency, form=ENGLISH, as_text=True),
        "acquisition_date": date(),
        "in_service_date": date(),
        "disposal_date": date(),
        "disposal_kind": symbol(DisposalKind, {one: [one] for one in DisposalKind if one != "UNKNOWN"}),
    }
    return FieldRule(name, f"custom_fields.{column}", kinds.get(name, text()))


def _place(record: Record) -> str | None:
    site = value_at(record, "site.slug")
    return None if site is None else place_of(site, value_at(record, "location.slug"))


def place_of(site: object, location: object) -> str:
    """The code of a place: a location's slug is unique within its site only."""
    return f"{site}/{location}" if location else str(site)


# ---- reports ----------------------------------------------------------------------------------------------------


def map_item(settings: Settings, system: str, codes: Codes, item: RawItem) -> Sequence[Report]:
    """The reports in one raw record. Raises ``Rejected`` with the path of what is wrong."""
    record = parse_record(item)
    match item.stream:
        case "assets":
            return [asset_report(settings, system, record, codes)]
        case "sites" | "locations":
            return [place_report(system, item.stream, record, codes)]
        case _:
            raise Rejected(f"there is no stream {item.stream}", field="stream")


def asset_report(settings: Settings, system: str, record: Record, codes: Codes = SHARED) -> AssetReport:
    """One device of theirs, or the entry of the log that says that it is gone."""
    if DELETED_ID in record:
        before = f"prechange_data.custom_fields.{settings.reference_field}"
        origin = _origin(system, "asset", native_id(record), record, hub_ref=value_at(record, before))
        return AssetReport(origin=origin, fields=AssetFields(), deleted=True)
    held = value_at(record, f"custom_fields.{settings.reference_field}")
    origin = _origin(system, "asset", native_id(record), record, hub_ref=held)
    rules = asset_map(settings).rules
    paths = {rule.name: rule.path for rule in rules}
    fields = codes.canonical_fields(
        read_fields(AssetFields, rules, record),
        origin.recorded_at.date(),
        place=lambda name: paths.get(name, name),
    )
    return AssetReport(origin=origin, fields=fields)


def place_report(system: str, stream: str, record: Record, codes: Codes) -> ReferenceReport:
    """One site or location; it goes by its slugs, and by its id once it is gone."""
    origin = _origin(system, "location", f"{stream}-{native_id(record)}", record)
    if DELETED_ID in record:
        fields = ReferenceFields(code=origin.native_id, status=ReferenceStatus.CLOSED)
        return ReferenceReport(origin=origin, fields=fields, deleted=True)
    slug, name, day = _text(record, "slug"), _text(record, "name"), origin.recorded_at.date()
    code, above = slug, None
    if stream == "locations":
        site, parent = _text(record, "site.slug"), value_at(record, "parent.slug")
        code, above = place_of(site, slug), codes.canonical("location", place_of(site, parent), day, place="parent")
    status = symbol(ReferenceStatus, _PLACE_STATUSES).read(Read(value_at(record, "status.value"), "status", record))
    values: Mapping[str, object] = {
        "code": codes.canonical("location", code, day, place="slug"),
        "name": name,
        "parent": above,
        "status": status or ReferenceStatus.ACTIVE,  # locations have had one since 3.3 only
    }
    return ReferenceReport(origin=origin, fields=validated(ReferenceFields, values))


# ---- their records ----------------------------------------------------------------------------------------------


def record_id(record: Record) -> str:
    """The record's own id as text; raises ``Rejected`` when it has none."""
    return _number(record, "id")


def native_id(record: Record) -> str:
    """The id of what a record speaks of: its own, or that of what an entry of the log says is gone."""
    return _number(record, DELETED_ID if DELETED_ID in record else "id")


def without_private(record: Record) -> Record:
    """The record without names of people, free comments, and configurations that may hold secrets (T40)."""
    if DELETED_ID in record:
        before = {key: value_at(record, f"prechange_data.{key}") for key in ("slug", "custom_fields")}
        kept = ("id", "time", "action", "changed_object_type", DELETED_ID)
        return {**{key: record.get(key) for key in kept}, "prechange_data": before}
    owner = value_at(record, "owner.id")
    kept_record = {key: value for key, value in record.items() if key not in _PRIVATE}
    return {**kept_record, "owner": {"id": owner}} if owner is not None else kept_record


def modified_at(record: Record) -> dt.datetime:
    """When it was changed last (UTC). Raises ``Rejected`` naming the key."""
    path = next((one for one in ("time", "last_updated", "created") if record.get(one) is not None), "last_updated")
    try:
        at = dt.datetime.fromisoformat(str(record.get(path)))
    except ValueError:
        raise Rejected("is not a time like 2026-01-31T12:00:00.000000Z", field=path) from None
    return at.replace(tzinfo=dt.UTC) if at.tzinfo is None else at.astimezone(dt.UTC)


def version_of(record: Record) -> str:
    """Its time of change and a hash of what is its own: two changes at one time are two versions."""
    if DELETED_ID in record:
        return f"deleted-{record.get('id')}"
    content = {
        key: value["id"] if isinstance(value, Mapping) and "id" in value else value
        for key, value in without_private(record).items()
        if key not in _VOLATILE and not key.endswith("_count")
    }
    return f"{record.get('last_updated')}#{hashlib.blake2b(dump_json(content), digest_size=6).hexdigest()}"


def _origin(system: str, entity: str, own_id: str, record: Record, *, hub_ref: object = None) -> Origin:
    values: Mapping[str, object] = {
        "system": system,
        "entity": entity,
        "native_id": own_id,
        "source_version": version_of(record),
        "recorded_at": modified_at(record),
        "hub_ref": str(hub_ref).strip() or None if hub_ref is not None else None,
    }
    return validated(Origin, values)


def _text(record: Record, path: str) -> str:
    found = text().read(Read(value_at(record, path), path, record))
    if found is None:
        raise Rejected("every place needs one", field=path)
    return str(found)


def _number(record: Record, path: str) -> str:
    value = record.get(path)
    if isinstance(value, bool) or not isinstance(value, int):
        raise Rejected("every record needs an id", field=path)
    return str(value)


def maps_of(settings: Settings) -> Sequence[RecordMap]:
    """Every map, for the field page and the catalogue."""
    site: Fields = [
        FieldRule("code", "slug", text()),
        FieldRule("name", "name", text()),
        FieldRule("status", "status.value", symbol(ReferenceStatus, _PLACE_STATUSES)),
    ]
    location: Fields = [
        FieldRule("code", "slug", text(), note="`site/location`, by slugs"),
        FieldRule("name", "name", text()),
        FieldRule("parent", "parent.slug", text(), note="without one, its site"),
        FieldRule("status", "status.value", symbol(ReferenceStatus, _PLACE_STATUSES)),
    ]
    return [
        asset_map(settings),
        *([book_map(settings)] if settings.book_fields else []),
        RecordMap("/api/dcim/sites/", ReferenceFields, site, title="Site", writes=False),
        RecordMap("/api/dcim/locations/", ReferenceFields, location, title="Location", writes=False),
    ]
