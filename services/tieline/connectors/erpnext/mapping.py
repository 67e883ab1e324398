"""ERPNext's documents to reports, and our fields to the bodies of its writes. Pure.

Amounts are JSON numbers, days plain text, times text in the site's zone without saying so, references names.
"""

from __future__ import annotations

import datetime as dt
import hashlib
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Literal

from tieline.connectors.erpnext.settings import Settings
from tieline.connectors.kit.fieldmap import (
    FieldRule,
    Fields,
    Kind,
    Read,
    RecordMap,
    date,
    exact,
    money,
    number,
    read_fields,
    symbol,
    text,
    through,
    validated,
)
from tieline.connectors.kit.paths import Record
from tieline.connectors.kit.streams import gone_at, parse_record
from tieline.connectors.kit.strict_json import dump_json
from tieline.kernel.asset_records import AssetFields, AssetReport, DisposalKind, FinancialStatus
from tieline.kernel.book_records import BookFields, BookReport, ScheduleLine
from tieline.kernel.code_lists import SHARED, Codes
from tieline.kernel.errors import Rejected
from tieline.kernel.order_records import ApprovalStatus, OrderFields, OrderLine, OrderReport, Progress
from tieline.kernel.protocols import RawItem
from tieline.kernel.reference_records import ReferenceFields, ReferenceReport, ReferenceStatus
from tieline.kernel.reports import Report
from tieline.kernel.vocabulary import Origin

DATA_LENGTH = 140  # of a Data field, unless it is made longer
SCHEDULES, ROWS, ITEMS = "tieline_schedules", "tieline_rows", "tieline_items"
"""Where the source puts documents and rows that belong to a document: a list gives none of them."""
_STATUSES: Mapping[str, Sequence[str]] = {
    "DRAFT": ["Draft"],
    "RUNNING": [
        "Submitted",
        "Partially Depreciated",
        "Fully Depreciated",
        "In Maintenance",
        "Out of Order",
        "Issue",
        "Receipt",
        "Work In Progress",
    ],
    "CLOSED": ["Sold", "Scrapped", "Capitalized", "Decapitalized"],
}
# Status of an order; what is delivered and billed is other columns.
_APPROVAL: Mapping[str, Sequence[str]] = {
    "DRAFT": ["Draft"],
    "APPROVED": ["On Hold", "To Receive and Bill", "To Bill", "To Receive", "Completed", "Closed", "Delivered"],
    "CANCELLED": ["Cancelled"],
}
_METHODS = {"Straight Line": "SL"}  # of any other, the code list method tells
# Users go by their mail addresses; who is to be asked about an order is a person, too (T40).
_PEOPLE = frozenset({"owner", "modified_by", "contact_person", "contact_display", "contact_mobile", "contact_email"})
# What a document says besides its own content.
_VOLATILE = _PEOPLE | {"_user_tags", "_comments", "_assign", "_liked_by", "_seen", "doctype"}
LOCATIONS, CENTRES, ORDERS, ASSETS = "locations", "cost-centres", "purchase-orders", "assets"
DOCTYPES: Mapping[str, str] = {
    LOCATIONS: "Location",
    CENTRES: "Cost Center",
    ORDERS: "Purchase Order",
    ASSETS: "Asset",
}


def company(settings: Settings) -> Kind:
    """A company by its code; there it goes by its name."""
    plain = text(max_length=DATA_LENGTH)
    codes = {name: code for code, name in settings.companies.items()}

    def read(asked: Read) -> object:
        name = plain.read(asked)
        return codes.get(str(name), name) if name is not None else None

    return Kind(read, lambda asked: settings.companies.get(str(asked.value), asked.value), "by `companies`")


def asset_map(settings: Settings) -> RecordMap:
    """Where the fields of an asset stand."""
    plain = text(max_length=DATA_LENGTH)
    disposal = symbol(DisposalKind, {"SALE": ["Sold"], "SCRAP": ["Scrapped"]})

    def closed_only(asked: Read) -> Read:
        return asked if asked.value in ("Sold", "Scrapped") else Read(None, asked.path, asked.record)

    rules = [
        FieldRule("description", "asset_name", plain),
        FieldRule("asset_number", "name", plain, direction="in"),
        FieldRule("company", "company", company(settings)),
        FieldRule("asset_class", "asset_category", plain, direction="in", note="set there by the item"),
        FieldRule("location", "location", plain, note="of a submitted asset by an Asset Movement"),
        FieldRule("cost_centre", "cost_center", plain),
        FieldRule("custodian", "custodian", plain, direction="in", note="the employee's id"),
        FieldRule("quantity", "asset_quantity", number(decimals=0)),
        FieldRule("acquisition_cost", settings.cost_field, money(currency=settings.currency)),
        FieldRule("acquisition_date", "purchase_date", date()),
        FieldRule("in_service_date", "available_for_use_date", date()),
        FieldRule("financial_status", "status", symbol(FinancialStatus, _STATUSES), direction="in"),
        FieldRule("disposal_date", "disposal_date", date(), direction="in", note="set there by scrapping"),
        FieldRule("disposal_kind", "status", through(disposal, closed_only), direction="in"),
    ]
    rules += [FieldRule(str(name), column, plain) for name, column in settings.custom_fields.items()]
    return RecordMap("Asset", AssetFields, rules, title="Asset")


# ---- reports ----------------------------------------------------------------------------------------------------


def map_item(settings: Settings, system: str, codes: Codes, item: RawItem) -> Sequence[Report]:
    """The reports in one raw record. Raises ``Rejected`` with the path of what is wrong."""
    record = parse_record(item)
    match item.stream:
        case "assets":
            asset = asset_report(settings, system, record, codes)
            return [asset] if asset.deleted else [asset, *book_reports(settings, system, record, codes)]
        case "purchase-orders":
            return [] if gone_at(record) else [order_report(settings, system, record, codes)]
        case "locations":
            return [reference_report(settings, system, record, codes, "location")]
        case "cost-centres":
            return [reference_report(settings, system, record, codes, "cost-centre")]
        case _:
            raise Rejected(f"there is no stream {item.stream}", field="stream")


def asset_report(settings: Settings, system: str, record: Record, codes: Codes = SHARED) -> AssetReport:
    """One asset of theirs; a cancelled one counts as gone."""
    if gone_at(record) is not None:
        return AssetReport(origin=_gone(system, "asset", record), fields=AssetFields(), deleted=True)
    hub_ref = text().read(Read(record.get(settings.reference_field), settings.reference_field, record))
    origin = _origin(settings, system, "asset", record, hub_ref=hub_ref)
    if _docstatus(record) == 2:  # noqa: PLR2004  - cancelled
        return AssetReport(origin=origin, fields=AssetFields(), deleted=True)
    rules = asset_map(settings).rules
    paths = {rule.name: rule.path for rule in rules}
    fields = codes.canonical_fields(
        read_fields(AssetFields, rules, record),
        origin.recorded_at.date(),
        place=lambda name: paths.get(name, name),
    )
    cleared = ("custodian",) if "custodian" in record and fields.custodian is None else ()
    return AssetReport(origin=origin, fields=fields, cleared=cleared)


def book_reports(settings: Settings, system: str, record: Record, codes: Codes) -> Sequence[BookReport]:
    """One book for each active depreciation schedule of the asset."""
    found = record.get(SCHEDULES)
    schedules = [one for one in found if isinstance(one, Mapping)] if isinstance(found, list) else []
    return [_book(settings, system, record, schedule, codes) for schedule in schedules]


def _book(settings: Settings, system: str, asset: Record, schedule: Record, codes: Codes) -> BookReport:
    origin = _origin(settings, system, "book", asset)
    book = str(schedule.get("finance_book") or settings.default_book)
    place = f"{SCHEDULES}[{schedule.get('name')}]."
    # The schedule keeps the cost it was made of; a version before 16 calls it gross.
    cost = _amount(schedule, "net_purchase_amount", place, schedule.get("gross_purchase_amount"))
    rows = schedule.get(ROWS)
    lines = [_line(row, cost, place) for row in rows if isinstance(row, Mapping)] if isinstance(rows, list) else []
    posted = [line for line in lines if line.posted]
    opening = _amount(schedule, "opening_accumulated_depreciation", place, 0)
    start = _day(asset, "available_for_use_date")
    as_of = posted[-1].date if posted else start
    accumulated = posted[-1].accumulated_after if posted else opening
    method = str(schedule.get("depreciation_method") or "")
    if codes.has("method"):
        method = codes.canonical("method", method, as_of, place=f"{place}depreciation_method")
    elif method not in _METHODS:
        remedy = "add it to the code list method of this system in the landscape"
        raise Rejected(f"{method} is a method it does not know", field=f"{place}depreciation_method", remedy=remedy)
    values: Mapping[str, object] = {
        "book_id": book,
        "currency": settings.currency,
        "method": _METHODS.get(method, method),
        "gross_cost": cost,
        "salvage": _amount(schedule, "expected_value_after_useful_life", place, 0),
        "accumulated": accumulated,
        "net_book_value": cost - accumulated,
        "as_of": as_of,
        "start_date": start,
        "end_date": lines[-1].date if lines else None,
        "lines": tuple(lines),
    }
    own = {"native_id": f"{origin.native_id}|{book}", "source_version": version_of(schedule, with_rows=True)}
    return BookReport(
        origin=origin.model_copy(update=own),
        asset_native_id=origin.native_id,
        fields=validated(BookFields, values, {"as_of": "available_for_use_date"}),
    )


def _line(row: Record, cost: Decimal, place: str) -> ScheduleLine:
    accumulated = _amount(row, "accumulated_depreciation_amount", place)
    document = row.get("journal_entry") or None
    values: Mapping[str, object] = {
        "date": _day(row, "schedule_date"),
        "depreciation": _amount(row, "depreciation_amount", place),
        "accumulated_after": accumulated,
        "net_book_value_after": cost - accumulated,
        "posted": document is not None,
        "document": document,
    }
    return validated(ScheduleLine, values, {"date": f"{place}schedule_date"})


def order_report(settings: Settings, system: str, record: Record, codes: Codes) -> OrderReport:
    """One purchase order with its lines, in the order's own currency."""
    origin = _origin(settings, system, "purchase-order", record)
    day = _day(record, "transaction_date")
    asked = Read(record.get("status"), "status", record)
    rows = record.get(ITEMS)
    lines = [_order_line(row, codes, day) for row in rows if isinstance(row, Mapping)] if isinstance(rows, list) else []
    values: Mapping[str, object] = {
        "company": company(settings).read(Read(record.get("company"), "company", record)),
        "po_number": origin.native_id,
        "supplier": record.get("supplier") or None,
        "currency": record.get("currency"),
        "order_date": day,
        "approval_status": symbol(ApprovalStatus, _APPROVAL).read(asked) or ApprovalStatus.UNKNOWN,
        "net_total": _amount(record, "net_total"),
        "lines": tuple(lines),
        "fulfilment_status": _progress(record, "per_received"),
        "invoice_status": _progress(record, "per_billed"),
        "closed": asked.value in ("Closed", "Completed"),
    }
    return OrderReport(origin=origin, fields=validated(OrderFields, values))


def _order_line(row: Record, codes: Codes, day: dt.date | None) -> OrderLine:
    is_asset = row.get("is_fixed_asset") == 1
    category, unit = row.get("asset_category") or None, row.get("uom") or None
    values: Mapping[str, object] = {
        "line_id": row.get("name"),
        "line_no": row.get("idx"),
        "item": row.get("item_code") or None,
        "description": row.get("item_name") or row.get("item_code"),
        "asset_class": codes.canonical("asset-class", str(category), day, place="items.asset_category")
        if is_asset and category
        else None,
        "quantity": _amount(row, "qty", "items."),
        "unit": codes.canonical("unit", str(unit), day, place="items.uom") if unit else None,
        "unit_price": _amount(row, "net_rate", "items."),
        "net_amount": _amount(row, "net_amount", "items."),
    }
    return validated(OrderLine, values, {name: f"items.{name}" for name in values})


def _progress(record: Record, path: str) -> Progress | None:
    """A percentage as a stage."""
    if record.get(path) is None:
        return None
    percent = exact(record[path], path)
    return Progress.NONE if percent <= 0 else Progress.PART if percent < 100 else Progress.ALL  # noqa: PLR2004


def reference_report(
    settings: Settings, system: str, record: Record, codes: Codes, family: Literal["location", "cost-centre"]
) -> ReferenceReport:
    """One location or cost centre; it goes by its name, which has the company's abbreviation at its end."""
    if gone_at(record) is not None:
        origin = _gone(system, family, record)
        fields = ReferenceFields(code=origin.native_id, status=ReferenceStatus.CLOSED)
        return ReferenceReport(origin=origin, fields=fields, deleted=True)
    origin = _origin(settings, system, family, record)
    day = origin.recorded_at.date()
    kind = "location" if family == "location" else "cost_center"
    column, name = f"parent_{kind}", origin.native_id
    parent = record.get(column) or None
    # Nothing is posted to a group of cost centres.
    is_locked = record.get("disabled") == 1 or (family == "cost-centre" and record.get("is_group") == 1)
    values: Mapping[str, object] = {
        "code": codes.canonical(family, name, day, place="name"),
        "name": record.get(f"{kind}_name") or None,
        "company": company(settings).read(Read(record.get("company"), "company", record)),
        "parent": codes.canonical(family, str(parent), day, place=column) if parent else None,
        "status": ReferenceStatus.LOCKED if is_locked else ReferenceStatus.ACTIVE,
    }
    return ReferenceReport(origin=origin, fields=validated(ReferenceFields, values))


# ---- their documents --------------------------------------------------------------------------------------------


def without_people(record: Record) -> Record:
    """The document without mail addresses and names of people; of an asset's custodian there is only an id."""
    return {key: value for key, value in record.items() if key not in _PEOPLE}


def modified_at(record: Record, settings: Settings) -> dt.datetime:
    """When it was saved last (UTC). Raises ``Rejected`` naming the key."""
    try:
        local = dt.datetime.fromisoformat(str(record.get("modified")))
        return local.replace(tzinfo=settings.zone).astimezone(dt.UTC)
    except (ValueError, OverflowError):
        raise Rejected("is not a time like 2026-01-31 12:00:00.000000", field="modified") from None


def site_time(at: dt.datetime, settings: Settings) -> str:
    """An instant as the site writes it."""
    return at.astimezone(settings.zone).replace(tzinfo=None).isoformat(" ", "microseconds")


def version_of(record: Record, *, with_rows: bool = False) -> str:
    """Its time of saving and a hash of its own content."""
    apart = _VOLATILE if with_rows else _VOLATILE | {SCHEDULES}
    content = {key: value for key, value in record.items() if key not in apart}
    return f"{record.get('modified')}#{hashlib.blake2b(dump_json(content), digest_size=6).hexdigest()}"


def _origin(settings: Settings, system: str, entity: str, record: Record, *, hub_ref: object = None) -> Origin:
    values: Mapping[str, object] = {
        "system": system,
        "entity": entity,
        "native_id": record.get("name"),
        "source_version": version_of(record),
        "recorded_at": modified_at(record, settings),
        "hub_ref": hub_ref,
    }
    return validated(Origin, values, {"native_id": "name"})


def _gone(system: str, entity: str, record: Record) -> Origin:
    values = {"system": system, "entity": entity, "native_id": record.get("tieline_gone"), "source_version": "gone"}
    return validated(Origin, {**values, "recorded_at": gone_at(record)})


def _docstatus(record: Record) -> int:
    found = record.get("docstatus")
    if found not in (0, 1, 2) or not isinstance(found, int):
        raise Rejected("is none of 0, 1 and 2", field="docstatus")
    return found


def _amount(record: Record, path: str, place: str = "", otherwise: object = None) -> Decimal:
    """The amount, or what it is where none is said. Raises ``Rejected`` where that is nothing either."""
    value = record.get(path)
    return exact(otherwise if value is None else value, f"{place}{path}")


def _day(record: Record, path: str) -> dt.date | None:
    found = date().read(Read(record.get(path), path, record))
    return found if isinstance(found, dt.date) else None


def maps_of(settings: Settings) -> Sequence[RecordMap]:
    """Every map, for the field page and the catalogue."""
    plain = text()

    def told(model: object, native: str, title: str, places: Mapping[str, str]) -> RecordMap:
        rules: Fields = [FieldRule(name, path, plain, direction="in") for name, path in places.items()]
        return RecordMap(native, model, rules, title=title, writes=False)  # type: ignore[arg-type]  # a record's class

    book = {"book_id": "finance_book", "method": "depreciation_method", "gross_cost": "gross_purchase_amount"}
    book |= {"salvage": "expected_value_after_useful_life", "lines": "depreciation_schedule"}
    order = {"company": "company", "po_number": "name", "supplier": "supplier", "currency": "currency"}
    order |= {"order_date": "transaction_date", "approval_status": "status", "net_total": "net_total", "lines": "items"}
    order |= {"fulfilment_status": "per_received", "invoice_status": "per_billed"}
    place = {"code": "name", "name": "location_name or cost_center_name", "company": "company", "status": "disabled"}
    return [
        asset_map(settings),
        told(BookFields, "Asset Depreciation Schedule", "Book", book),
        told(OrderFields, "Purchase Order", "Purchase order", order),
        told(ReferenceFields, "Location, Cost Center", "Reference record", place),
    ]
