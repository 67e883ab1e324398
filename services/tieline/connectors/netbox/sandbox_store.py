"""What the NetBox sandbox holds and shows: devices and what they refer to, and the log of every change.

Every refusal is raised as ``Refusal`` and shown as Django REST framework does: all fields at fault at once.
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal, InvalidOperation
from functools import partial

from multidict import MultiMapping

from tieline.connectors.kit.sandboxing.answers import Refusal
from tieline.connectors.kit.sandboxing.faults import Age
from tieline.connectors.kit.sandboxing.journal import Effect
from tieline.connectors.kit.sandboxing.records import Change, Records, Row
from tieline.kernel.clock import Clock

STATUSES = ("offline", "active", "planned", "staged", "failed", "inventory", "decommissioning")
PLACE_STATUSES = ("planned", "staging", "active", "decommissioning", "retired")
TEXTS = {"name": 64, "serial": 50, "asset_tag": 50, "description": 200, "comments": 100_000}
NULLABLE = frozenset({"name", "asset_tag"})  # other texts are blank instead
PARENTS = {"device_type": "devicetype", "role": "devicerole", "tenant": "tenant", "site": "site"} | {
    "location": "location",
    "rack": "rack",
}
REQUIRED = ("device_type", "role", "site")
PATHS = {
    "device": "dcim/devices",
    "site": "dcim/sites",
    "location": "dcim/locations",
    "rack": "dcim/racks",
    "tenant": "tenancy/tenants",
    "devicetype": "dcim/device-types",
    "devicerole": "dcim/device-roles",
}
SEEDS: Mapping[str, Sequence[Mapping[str, object]]] = {
    "site": (
        {"name": "Headquarters", "slug": "hq", "status": "active"},
        {"name": "Works & Yard", "slug": "works", "status": "active"},
    ),
    "location": (
        {"name": "Store", "slug": "store", "site": 1, "parent": None, "status": "active"},
        {"name": "Hall 1", "slug": "hall-1", "site": 2, "parent": None, "status": "active"},
        {"name": "Bay 3", "slug": "bay-3", "site": 2, "parent": 2, "status": "active"},
    ),
    "rack": ({"name": "R1", "site": 1, "location": 1}, {"name": "R2", "site": 2, "location": 2}),
    "tenant": ({"name": "Company 1000", "slug": "1000"}, {"name": "Company 2000", "slug": "2000"}),
    "devicetype": ({"name": "LX-9", "slug": "lx-9"}, {"name": "PX-1", "slug": "px-1"}),
    "devicerole": ({"name": "General", "slug": "GENERAL"}, {"name": "Machinery", "slug": "MACHINERY"}),
}


@dataclass(frozen=True, slots=True)
class CustomField:
    """A custom field of devices: its type, whether its values are unique, and what its filter finds."""

    kind: str = "text"
    is_unique: bool = False
    filter_logic: str = "exact"


DEFAULT_FIELDS: Mapping[str, CustomField] = {
    "hub_reference": CustomField(is_unique=True),
    **{
        name: CustomField()
        for name in ("cost_centre", "asset_number", "cost", "book", "accumulated", "net_book_value", "order_line")
    },
    "as_of": CustomField("date"),
    "bought_on": CustomField("date"),
    "cost_decimal": CustomField("decimal"),
}


@dataclass(frozen=True, slots=True)
class Instance:
    """How one instance is set up."""

    custom_fields: Mapping[str, CustomField] = field(default_factory=lambda: DEFAULT_FIELDS)
    statuses: Sequence[str] = STATUSES
    has_etags: bool = True
    """From 4.6 on."""
    log_app: str = "core"
    """The log's part of the API: core from 4.1 on, extras before."""
    max_page_size: int = 1000


@dataclass(frozen=True, slots=True)
class Call:
    """One request to a handler."""

    ids: Mapping[str, str]
    query: MultiMapping[str]
    body: object
    headers: Mapping[str, str] = field(default_factory=dict)
    base: str = "http://localhost"
    url: str = ""
    request_id: str | None = None
    age: Age | None = None

    @property
    def id(self) -> int:
        """The id in the path; 0 for what is none."""
        text = self.ids.get("id", "")
        return int(text) if text.isascii() and text.isdigit() and len(text) < 12 else 0  # noqa: PLR2004  - beyond any


@dataclass(slots=True)
class Happened:
    """What a webhook would tell: event, table, the record as it is shown after."""

    event: str
    table: str
    data: Mapping[str, object]


class Store:
    """One instance's rows. ``happened`` is what the request under way has changed."""

    def __init__(self, records: Records, clock: Clock, instance: Instance) -> None:
        self.records, self.clock, self.instance = records, clock, instance
        self.happened: list[Happened] = []
        self._last: dict[str, int] = {}
        long_ago = clock() - dt.timedelta(days=30)
        with records.transaction():
            for table, rows in SEEDS.items():
                for row in rows:
                    self._put(table, {**row, "id": self.next_id(table), "created": long_ago, "last_updated": long_ago})

    def next_id(self, table: str) -> int:
        """The next of a sequence: no id comes twice, whatever was deleted."""
        self._last[table] = self._last.get(table, 0) + 1
        return self._last[table]

    def find(self, table: str, row_id: object, age: Age | None = None) -> Row | None:
        """A row by its id, or None."""
        return self.records.get(table, row_id, age) if isinstance(row_id, int) else None

    def present(self, table: str, call: Call) -> Row:
        """The row that the path names; raises the 404."""
        row = self.find(table, call.id, call.age)
        if row is None:
            raise Refusal(404, f"No {_NAMES.get(table, table)} matches the given query.")
        return row

    def save(self, table: str, row: Row, before: Row | None, call: Call, change: Change) -> Row:
        """Add or replace a row, dated now, and log it."""
        now = self.clock()
        saved = {**row, "last_updated": now, **({} if before else {"created": now, "id": self.next_id(table)})}
        self._put(table, saved)
        self._log(change, table, before, saved, call)
        return saved

    def remove(self, table: str, row: Row, call: Call, change: Change) -> None:
        """Take a row out, and log it."""
        self.records.remove(table, int(str(row["id"])))
        self._log(change, table, row, None, call)

    def _put(self, table: str, row: Row) -> None:
        self.records.put(table, int(str(row["id"])), row)

    def _log(self, change: Change, table: str, before: Row | None, after: Row | None, call: Call) -> None:
        row = after or before or {}
        action = "delete" if after is None else "create" if before is None else "update"
        label = f"{action.capitalize()}d"
        number = self.next_id("objectchange")
        entry = {
            "id": number,
            "time": self.clock(),
            "user": {"id": 1, "username": "alovelace"},
            "user_name": "alovelace",
            "request_id": call.request_id,
            "action": {"value": action, "label": label},
            "changed_object_type": f"dcim.{table}",
            "changed_object_id": row["id"],
            "prechange_data": before,
            "postchange_data": after,
        }
        self.records.put("objectchange", number, entry)
        reference = custom_of(row).get("hub_reference")
        change.note(Effect(label.lower(), table, int(str(row["id"])), str(reference or "") or None, call.request_id))
        self.happened.append(Happened(label.lower(), table, shown(self, table, row, call)))


_NAMES = {"device": "Device", "site": "Site", "location": "Location"}


def custom_of(row: Row) -> Mapping[str, object]:
    """A row's custom fields."""
    held = row.get("custom_fields")
    return held if isinstance(held, Mapping) else {}


# ---- what answers show -------------------------------------------------------------------------------------------


def shown(store: Store, table: str, row: Row, call: Call) -> dict[str, object]:
    """A record as answers show it: choices and other records as objects, times in UTC."""
    found: dict[str, object] = {"id": row["id"], **_links(table, row, call)}
    for name, value in row.items():
        if name in PARENTS or name == "parent":
            other = PARENTS.get(name, table)
            found[name] = _brief(other, store.find(other, value), call)
        elif name == "status":
            found[name] = {"value": value, "label": str(value).capitalize()}
        else:
            found[name] = _plain(value)
    if table == "device":
        found["custom_fields"] = {name: custom_of(row).get(name) for name in store.instance.custom_fields}
        found |= {"interface_count": 0, "local_context_data": None, "config_context": {"ntp": ["192.0.2.1"]}}
    lean = {*call.query.getall("omit", []), *call.query.getall("exclude", [])}
    return {name: value for name, value in found.items() if name not in lean}


def _links(table: str, row: Row, call: Call) -> dict[str, object]:
    name = row.get("name") or f"{table} {row['id']}"
    return {"url": f"{call.base}/api/{PATHS.get(table, table)}/{row['id']}/", "display": name}


def _brief(table: str, row: Row | None, call: Call) -> dict[str, object] | None:
    if row is None:
        return None
    slug = {"slug": row["slug"]} if "slug" in row else {}
    return {"id": row["id"], **_links(table, row, call), "name": row["name"], **slug, "description": ""}


def _plain(value: object) -> object:
    if isinstance(value, dt.datetime):
        return value.astimezone(dt.UTC).isoformat().replace("+00:00", "Z")
    if isinstance(value, Mapping):
        return {key: _plain(one) for key, one in value.items()}
    return value


# ---- which rows a list has ---------------------------------------------------------------------------------------

_COMPARED: Mapping[str, Callable[[object, object], bool]] = {
    "": lambda held, asked: held == asked,
    "n": lambda held, asked: held != asked,
    "gt": lambda held, asked: held is not None and held > asked,  # type: ignore[operator]  # numbers or times, both
    "gte": lambda held, asked: held is not None and held >= asked,  # type: ignore[operator]  # as above
    "lt": lambda held, asked: held is not None and held < asked,  # type: ignore[operator]  # as above
    "lte": lambda held, asked: held is not None and held <= asked,  # type: ignore[operator]  # as above
    "ic": lambda held, asked: str(asked).casefold() in str(held or "").casefold(),
}


def selected(store: Store, table: str, call: Call) -> list[Row]:
    """Rows that pass every filter, in the order asked for. What is no filter is passed over without a word."""
    rows = store.records.rows(table, call.age)
    for name in dict.fromkeys(call.query.keys()):
        passes = _filter(store, table, name, call.query.getall(name))
        rows = rows if passes is None else [row for row in rows if passes(row)]
    keys = [key for key in call.query.get("ordering", "").split(",") if key]
    for key in reversed(keys or (["id"] if table == "objectchange" else ["name"])):
        rows.sort(key=lambda row: _sortable(row.get(key.lstrip("-"))), reverse=key.startswith("-"))
    return rows


def _filter(store: Store, table: str, name: str, values: Sequence[str]) -> Callable[[Row], bool] | None:
    """Whether a row has one of the values; None for what is no filter."""
    if name.startswith("cf_") and table == "device":
        one = store.instance.custom_fields.get(name[3:])
        if one is None or one.filter_logic == "disabled":
            return None
        same = _COMPARED["ic" if one.filter_logic == "loose" and one.kind == "text" else ""]
        return lambda row: any(same(custom_of(row).get(name[3:]), value) for value in values)
    column, _, how = name.partition("__")
    if name in ("time_after", "time_before"):
        column, how = "time", {"after": "gte", "before": "lte"}[name[5:]]
    column = column.removesuffix("_id") if column.removesuffix("_id") in PARENTS else column
    known = ("id", "last_updated", "created", "time", "status", "action", "slug", "changed_object_type")
    if how not in _COMPARED or column not in (*known, "changed_object_id", *TEXTS, *PARENTS):
        return None
    wanted = [_asked(name, column, value) for value in values]
    return lambda row: any(_COMPARED[how](_column(row, column), value) for value in wanted)


def _column(row: Row, column: str) -> object:
    held = row.get(column)
    return held.get("value") if column == "action" and isinstance(held, Mapping) else held


def _asked(name: str, column: str, value: str) -> object:
    try:
        if column in ("last_updated", "created", "time"):
            at = dt.datetime.fromisoformat(value)
            return at if at.tzinfo else at.replace(tzinfo=dt.UTC)
        return int(value) if column in ("id", "changed_object_id", *PARENTS) else value
    except ValueError:
        kind = "date/time" if column in ("last_updated", "created", "time") else "number"
        raise invalid(**{name: f"Enter a valid {kind}."}) from None


def _sortable(value: object) -> tuple[int, float, str]:
    if isinstance(value, dt.datetime):
        return 1, value.timestamp(), ""
    return (1, float(value), "") if isinstance(value, int) else (2, 0.0, str(value or ""))


# ---- what a write may say ----------------------------------------------------------------------------------------


def invalid(**said: str) -> Refusal:
    """A validation error, with the texts of every field at fault."""
    return Refusal(400, "invalid", errors={name: [text] for name, text in said.items()})


def checked_device(store: Store, body: Mapping[str, object], held: Row | None) -> dict[str, object]:
    """The device after a write. Raises the refusal that names every field at fault."""
    faults: dict[str, str] = {}
    blank = {name: None if name in NULLABLE else "" for name in TEXTS} | dict.fromkeys(PARENTS)
    row: dict[str, object] = {**blank, "status": "active", "position": None, "face": "", "custom_fields": {}}
    row |= held or {}
    readers: dict[str, Callable[[str, object], object]] = {
        **dict.fromkeys(TEXTS, _checked_text),
        **dict.fromkeys(PARENTS, partial(_checked_parent, store)),
    }
    for name in [name for name in body if name in readers]:
        try:
            row[name] = readers[name](name, body[name])
        except ValueError as error:
            faults[name] = str(error)
    row |= {name: body[name] for name in ("position", "face") if name in body}
    status = body.get("status", row["status"])
    if status not in store.instance.statuses:
        faults["status"] = f'"{status}" is not a valid choice.'
    for name in REQUIRED:
        if row[name] is None and name not in faults:
            faults[name] = "This field is required." if name not in body else "This field may not be null."
    if faults:
        raise invalid(**faults)
    row |= {"status": status, "custom_fields": {**custom_of(row), **_checked_custom(store, body, held)}}
    _refuse_contradictions(store, row, held)
    return row


def _checked_text(name: str, value: object) -> object:
    if value is None:
        if name not in NULLABLE:
            raise ValueError("This field may not be null.")
        return None
    if isinstance(value, bool) or not isinstance(value, str | int | Decimal):
        raise ValueError("Not a valid string.")  # noqa: TRY004  - the text of a validation error
    if len(str(value).strip()) > TEXTS[name]:
        raise ValueError(f"Ensure this field has no more than {TEXTS[name]} characters.")
    return str(value).strip()  # it trims without a word


def _checked_parent(store: Store, name: str, value: object) -> object:
    if value is not None and store.find(PARENTS[name], value) is None:
        raise ValueError(f"Related object not found using the provided numeric ID: {value}")
    return value


def _checked_custom(store: Store, body: Mapping[str, object], held: Row | None) -> dict[str, object]:
    given = body.get("custom_fields")
    values = given if isinstance(given, Mapping) else {}
    found: dict[str, object] = {}
    for name, value in values.items():
        one = store.instance.custom_fields.get(str(name))
        if one is None:
            raise invalid(__all__=f"Unknown field name '{name}' in custom field data.")
        found[str(name)] = _custom_value(str(name), one, value)
        taken = one.is_unique and value not in (None, "")
        if taken and any(custom_of(row).get(str(name)) == value for row in _others(store, held)):
            raise invalid(__all__=f"Custom field '{name}' must have a unique value.")
    return found


def _custom_value(name: str, one: CustomField, value: object) -> object:
    if value in (None, ""):
        return None
    fault = f"Invalid value for custom field '{name}': "
    if one.kind == "decimal":
        try:
            return float(Decimal(str(value)))  # the trap: it is kept as a binary fraction
        except InvalidOperation:
            raise invalid(__all__=fault + "Value must be a decimal.") from None
    if not isinstance(value, str):
        raise invalid(__all__=fault + "Value must be a string.")
    if one.kind == "date" and not re.fullmatch(r"\d{4}-\d\d-\d\d", value):
        raise invalid(__all__=fault + "Date values must be in ISO 8601 format (YYYY-MM-DD).")
    return value


def _refuse_contradictions(store: Store, row: dict[str, object], held: Row | None) -> None:
    rack, location = store.find("rack", row["rack"]), store.find("location", row["location"])
    if rack is not None and location is None:
        location = store.find("location", rack["location"])
        row["location"] = rack["location"]  # inherited without a word
    if location is not None and location["site"] != row["site"]:
        raise invalid(location=f"Location {location['name']} does not belong to the site.")
    if rack is not None and rack["site"] != row["site"]:
        raise invalid(rack=f"Rack {rack['name']} does not belong to the site.")
    if rack is not None and location is not None and rack["location"] != location["id"]:
        raise invalid(rack=f"Rack {rack['name']} does not belong to location {location['name']}.")
    for other in _others(store, held):
        if row["asset_tag"] and other["asset_tag"] == row["asset_tag"]:
            raise invalid(asset_tag="device with this asset tag already exists.")
        same = all(other[name] == row[name] for name in ("site", "tenant"))
        if row["name"] and same and str(other["name"] or "").casefold() == str(row["name"]).casefold():
            raise invalid(__all__="Device name must be unique per site.")


def _others(store: Store, held: Row | None) -> Iterator[Row]:
    return (row for row in store.records.rows("device") if held is None or row["id"] != held["id"])
