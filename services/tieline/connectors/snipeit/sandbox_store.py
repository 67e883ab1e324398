"""What the Snipe-IT sandbox does: hardware, check-outs, audits, maintenances, and the log of all of it.

Every refusal is raised as ``Refusal`` and shown in the vendor's envelope. A handler runs whole within one transaction.
"""

from __future__ import annotations

import datetime as dt
import re
from collections import defaultdict
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from random import Random

from tieline.connectors.kit.sandboxing.answers import Answer, Refusal
from tieline.connectors.kit.sandboxing.faults import Age
from tieline.connectors.kit.sandboxing.journal import Effect
from tieline.connectors.kit.sandboxing.records import Change, Records, Row
from tieline.connectors.snipeit.sandbox_shapes import (
    MAX_RESULTS,
    Instance,
    amount_text,
    custom_objects,
    day_object,
    escaped,
    named,
    status_object,
    time_object,
)
from tieline.kernel.clock import Clock

SORTED_BY = frozenset({"id", "name", "asset_tag", "serial", "created_at", "updated_at", "order_number"})
FILTERS = ("asset_tag", "serial", "order_number", "location_id", "model_id", "company_id", "status_id")
TEXTS = {"name": 255, "asset_tag": 255, "serial": 255, "order_number": 191}
IDS = {"model_id": "model", "status_id": "statuslabel", "company_id": "company", "location_id": "location"}
SEEDS: Mapping[str, tuple[dict[str, object], ...]] = {
    "company": ({"name": "1000"}, {"name": "2000"}, {"name": "ACME"}),
    "statuslabel": (
        {"name": "Pending", "type": "pending"},
        {"name": "Ready to Deploy", "type": "deployable"},
        {"name": "Deployed", "type": "deployable"},
        {"name": "Out for Repair", "type": "undeployable"},
        {"name": "Archived", "type": "archived"},
        {"name": "Lost/Stolen", "type": "archived"},
    ),
    "model": ({"name": "Standard model", "category": "GENERAL"}, {"name": "Machine", "category": "MACHINERY"}),
    "user": ({"name": "Ada Lovelace"}, {"name": "Charles Babbage"}),
}


@dataclass(frozen=True, slots=True)
class Call:
    """One request to a handler."""

    ids: Mapping[str, str]
    query: Mapping[str, str]
    body: Mapping[str, object]
    request_id: str | None = None
    age: Age | None = None

    @property
    def id(self) -> int:
        """The id in the path; 0 for what is none."""
        text = self.ids.get("id", "")
        return int(text) if text.isascii() and text.isdigit() and len(text) < 12 else 0  # noqa: PLR2004  - beyond any


Handler = Callable[["Store", Call, Change], Answer]


class Store:
    """One instance's rows."""

    def __init__(self, records: Records, clock: Clock, instance: Instance) -> None:
        self.records, self.clock, self.instance = records, clock, instance
        self._last: dict[str, int] = {}
        self._having: dict[tuple[str, str], set[int]] = defaultdict(set)
        self._dice = Random(7)  # noqa: S311  - rows of equal time come in no order, repeatably
        with records.transaction():
            places: tuple[dict[str, object], ...] = tuple({"name": name} for name in instance.locations)
            for table, rows in {**SEEDS, "location": places}.items():
                for number, row in enumerate(rows, 1):
                    self.put(table, {"id": number, "created_at": clock(), "updated_at": clock(), **row})

    def put(self, table: str, row: Mapping[str, object]) -> None:
        """Add or replace a row."""
        number = int(str(row["id"]))
        self.records.put(table, number, row)
        self._last[table] = max(self._last.get(table, 0), number)
        if table == "asset":
            for name, value in {**row, **_custom(row)}.items():
                if isinstance(value, str):
                    self._having[name, value].add(number)

    def next_id(self, table: str) -> int:
        """The number of the next row: deleted ones keep theirs."""
        return self._last.get(table, 0) + 1

    def having(self, name: str, value: str, age: Age | None = None) -> list[Row]:
        """Assets with this text in a column, deleted ones too, in the order of their ids."""
        found = (self.records.get("asset", number) for number in sorted(self._having[name, value]))
        if age is not None:
            found = (row for row in self.records.rows("asset", age))
        return [row for row in found if row is not None and {**row, **_custom(row)}.get(name) == value]

    def find(self, table: str, row_id: object, age: Age | None = None) -> Row | None:
        """A row by its id, or None."""
        return self.records.get(table, int(str(row_id)), age) if row_id not in (None, "") else None

    def log(self, change: Change, action: str, item: Row, call: Call, **more: object) -> None:
        """An entry of the activity log, and the journal's."""
        number, now = self.next_id("activity"), self.clock()
        entry = {"id": number, "action_type": action, "item_type": "asset", "item_id": item["id"], "created_at": now}
        self.put("activity", {**entry, "updated_at": now, **more})
        reference = next(iter(_custom(item).values()), None)
        change.note(Effect(_PAST[action], "asset", int(str(item["id"])), _text(reference), call.request_id))

    def page(self, rows: list[Row], query: Mapping[str, str], allowed: frozenset[str]) -> tuple[list[Row], int]:
        """The rows asked for, and how many there are. Rows that sort the same come in another order each time."""
        key = query.get("sort", "created_at")
        key = key if key in allowed else "created_at"
        self._dice.shuffle(rows)
        rows.sort(key=lambda row: _sortable(row.get(key)), reverse=query.get("order") != "asc")
        limit, offset = _whole(query.get("limit")), _whole(query.get("offset"))
        size = limit if 0 < limit <= MAX_RESULTS else MAX_RESULTS  # above the most: the most, without a word
        start = min(offset, len(rows))
        return rows[start : start + size], len(rows)


_PAST = {
    "create": "created",
    "update": "updated",
    "delete": "deleted",
    "restore": "restored",
    "checkout": "checked-out",
    "checkin from": "checked-in",
    "audit": "audited",
}


# ---- hardware ---------------------------------------------------------------------------------------------------


def list_assets(store: Store, call: Call, _change: Change) -> Answer:
    """GET /hardware: without archived and deleted ones, unless ``status`` asks for just those."""
    status = call.query.get("status", "")
    filters = [name for name in (*FILTERS, *store.instance.custom_fields) if call.query.get(name)]
    texts = [name for name in filters if name not in IDS]
    if texts:
        rows = store.having(texts[0], call.query[texts[0]], call.age)
    else:
        rows = list(store.records.rows("asset", call.age))
    rows = [row for row in rows if _is_listed(store, row, status)]
    for name in filters:
        if name not in texts:
            rows = [row for row in rows if str(_custom(row).get(name, row.get(name)) or "") == call.query[name]]
    found, total = store.page(rows, call.query, SORTED_BY)
    return Answer(200, {"total": total, "rows": [asset_shown(store, row, call.age) for row in found]})


def _is_listed(store: Store, row: Row, status: str) -> bool:
    if row["deleted_at"] is not None or status == "Deleted":
        return row["deleted_at"] is not None and status == "Deleted"
    label = store.find("statuslabel", row["status_id"])
    return (label is not None and label["type"] == "archived") == (status == "Archived")


def get_asset(store: Store, call: Call, _change: Change) -> Answer:
    """GET /hardware/{id}: deleted ones too."""
    row = store.find("asset", call.id, call.age)
    if row is None:
        raise Refusal(200, "Asset does not exist.")
    return Answer(200, asset_shown(store, row, call.age))


def create_asset(store: Store, call: Call, change: Change) -> Answer:
    """POST /hardware."""
    for name in ("model_id", "status_id"):
        if not call.body.get(name):
            raise invalid(name, f"The {name.replace('_', ' ')} field is required.")
    number, now = store.next_id("asset"), store.clock()
    blank: dict[str, object] = dict.fromkeys((*TEXTS, *IDS, "purchase_cost", "purchase_date", "assigned_to"))
    row = {
        **blank,
        "id": number,
        "asset_tag": f"AT-{number:05d}",
        "deleted_at": None,
        "last_audit_date": None,
        "custom": {},
        **_checked(store, call.body, None),
        "created_at": now,
        "updated_at": now,
    }
    store.put("asset", row)
    store.log(change, "create", row, call)
    return succeeded("Asset created successfully. :)", flat(row))


def update_asset(store: Store, call: Call, change: Change) -> Answer:
    """PATCH /hardware/{id}."""
    row = _present(store, call)
    changed = {**row, **_checked(store, call.body, row)}
    if changed != row:
        changed["updated_at"] = store.clock()
        store.put("asset", changed)
        store.log(change, "update", changed, call)
    return succeeded("Asset updated successfully.", flat(changed))


def delete_asset(store: Store, call: Call, change: Change) -> Answer:
    """DELETE /hardware/{id}: it stays, marked."""
    row = _present(store, call)
    gone = {**row, "deleted_at": store.clock(), "updated_at": store.clock(), "assigned_to": None}
    store.put("asset", gone)
    store.log(change, "delete", gone, call)
    return succeeded("The asset was deleted successfully.", None)


def restore_asset(store: Store, call: Call, change: Change) -> Answer:
    """POST /hardware/{id}/restore."""
    row = store.find("asset", call.id)
    if row is None or row["deleted_at"] is None:
        raise Refusal(200, "This asset is not deleted.")
    back = {**row, "deleted_at": None, "updated_at": store.clock()}
    store.put("asset", back)
    store.log(change, "restore", back, call)
    return succeeded("Asset restored successfully.", None)


def check_out(store: Store, call: Call, change: Change) -> Answer:
    """POST /hardware/{id}/checkout to a location or a person; only what is deployable and in."""
    row = _present(store, call)
    label = store.find("statuslabel", call.body.get("status_id") or row["status_id"])
    if row["assigned_to"] is not None or label is None or label["type"] != "deployable":
        raise Refusal(200, "That asset is not available for checkout!", payload={"asset": escaped(row["asset_tag"])})
    kind = "user" if call.body.get("checkout_to_type") == "user" else "location"
    target = store.find(kind, call.body.get(f"assigned_{kind}"))
    if target is None:
        raise Refusal(200, "Checkout target is invalid", payload={"target_type": kind})
    out = {**row, "assigned_to": {"id": target["id"], "type": kind}, "updated_at": store.clock()}
    out |= {"status_id": label["id"], **({"location_id": target["id"]} if kind == "location" else {})}
    store.put("asset", out)
    store.log(change, "checkout", out, call)
    return succeeded("Asset checked out successfully.", {"asset": escaped(row["asset_tag"])})


def check_in(store: Store, call: Call, change: Change) -> Answer:
    """POST /hardware/{id}/checkin."""
    row = _present(store, call)
    if row["assigned_to"] is None:
        raise Refusal(200, "That asset is already checked in.")
    back = {**row, "assigned_to": None, "updated_at": store.clock()}
    back["location_id"] = call.body.get("location_id") or row["location_id"]
    store.put("asset", back)
    store.log(change, "checkin from", back, call)
    return succeeded("Asset checked in successfully.", {"asset_tag": escaped(row["asset_tag"])})


def audit_asset(store: Store, call: Call, change: Change) -> Answer:
    """POST /hardware/{id}/audit."""
    row = _present(store, call)
    seen = {**row, "last_audit_date": store.clock(), "updated_at": store.clock()}
    store.put("asset", seen)
    store.log(change, "audit", seen, call, location_id=call.body.get("location_id") or row["location_id"])
    return succeeded("Asset audit successfully logged.", {"id": row["id"], "asset_tag": escaped(row["asset_tag"])})


def _present(store: Store, call: Call) -> Row:
    row = store.find("asset", call.id)
    if row is None or row["deleted_at"] is not None:
        raise Refusal(200, "Asset not found")
    return row


def _checked(store: Store, body: Mapping[str, object], held: Row | None) -> dict[str, object]:
    """What a body sets; what it does not know it passes over. Raises the refusal of the first field at fault."""
    found: dict[str, object] = {}
    for name, most in TEXTS.items():
        if name in body:
            found[name] = _text(body[name])
            if len(_text(body[name]) or "") > most:
                raise invalid(name, f"The {name} may not be greater than {most} characters.")
    for name, table in IDS.items():
        if name in body:
            found[name] = body[name]
            if body[name] is not None and store.find(table, body[name]) is None:
                raise invalid(name, f"The selected {name} is invalid.")
    if "purchase_cost" in body:
        found["purchase_cost"] = _cost(body["purchase_cost"])
    if "purchase_date" in body:
        found["purchase_date"] = _day(body["purchase_date"])
    known = {name: _text(body[name]) for name in store.instance.custom_fields if name in body}
    found["custom"] = {**(_custom(held) if held is not None else {}), **known}
    _refuse_doubles(store, found, held)
    return found


def _refuse_doubles(store: Store, found: Mapping[str, object], held: Row | None) -> None:
    own = None if held is None else held["id"]

    def is_taken(name: str, value: object) -> bool:
        rows = store.having(name, str(value)) if value else []
        return any(row["deleted_at"] is None and row["id"] != own for row in rows)

    for name in ("asset_tag", "serial"):
        if is_taken(name, found.get(name)):
            raise invalid(name, f"The {name.replace('_', ' ')} must be unique.")
    for column, one in store.instance.custom_fields.items():
        if one.is_unique and is_taken(column, _custom(found).get(column)):
            raise invalid(column, f"The {one.title} has already been taken.")


def asset_shown(store: Store, row: Row, age: Age | None = None) -> dict[str, object]:
    """An asset as answers show it."""
    model = store.find("model", row["model_id"])
    place = named(store.find("location", row["location_id"]))
    status = status_object(row, store.find("statuslabel", row["status_id"]))
    del age  # what it refers to does not change here
    return {
        "id": row["id"],
        **{name: escaped(row[name]) for name in ("name", "asset_tag", "serial")},
        "model": named(model),
        "order_number": escaped(row["order_number"]) or None,
        "status_label": status,
        "category": None if model is None else {"id": model["id"], "name": escaped(model["category"])},
        "company": named(store.find("company", row["company_id"])),
        "location": place,
        "rtd_location": place,
        "assigned_to": _assigned(store, row),
        "created_at": time_object(row["created_at"], store.instance),
        "updated_at": time_object(row["updated_at"], store.instance),
        "deleted_at": time_object(row["deleted_at"], store.instance),
        "last_audit_date": time_object(row["last_audit_date"], store.instance),
        "purchase_date": day_object(row["purchase_date"]),
        "purchase_cost": amount_text(row["purchase_cost"], store.instance),
        "age": "some time ago",
        "user_can_checkout": row["assigned_to"] is None,
        "custom_fields": custom_objects(row, store.instance),
        "available_actions": {"update": row["deleted_at"] is None},
    }


def _assigned(store: Store, row: Row) -> dict[str, object] | None:
    held = row["assigned_to"]
    if not isinstance(held, Mapping):
        return None
    target = store.find(str(held["type"]), held["id"])
    more = {"username": "somebody", "email": "somebody@example.com"} if held["type"] == "user" else {}
    return {**(named(target) or {}), **more, "type": held["type"]}


# ---- beside it --------------------------------------------------------------------------------------------------


def lister(table: str) -> Handler:
    """GET of a list of references: locations, companies, status labels, models."""

    def handle(store: Store, call: Call, _change: Change) -> Answer:
        allowed = frozenset({"id", "name", "created_at"})
        found, total = store.page(list(store.records.rows(table, call.age)), call.query, allowed)
        return Answer(200, {"total": total, "rows": [_shown(store, row) for row in found]})

    return handle


def getter(table: str) -> Handler:
    """GET of one of them."""

    def handle(store: Store, call: Call, _change: Change) -> Answer:
        row = store.find(table, call.id, call.age)
        if row is None:
            raise Refusal(200, f"{table.capitalize()} not found")
        return Answer(200, _shown(store, row))

    return handle


def creator(table: str) -> Handler:
    """POST of one of them, by its name."""

    def handle(store: Store, call: Call, change: Change) -> Answer:
        if not call.body.get("name"):
            raise invalid("name", "The name field is required.")
        number, now = store.next_id(table), store.clock()
        row = {**call.body, "id": number, "created_at": now, "updated_at": now}
        store.put(table, row)
        change.note(Effect("created", table, number, None, call.request_id))
        return succeeded(f"{table.capitalize()} created successfully.", {"id": number})

    return handle


def _shown(store: Store, row: Row) -> dict[str, object]:
    times = {name: time_object(row[name], store.instance) for name in ("created_at", "updated_at")}
    parent = store.find("location", row.get("parent_id"))
    more = {"type": row["type"]} if "type" in row else {}
    return {"id": row["id"], "name": escaped(row["name"]), "parent": named(parent), **more, **times}


def create_maintenance(store: Store, call: Call, change: Change) -> Answer:
    """POST /maintenances."""
    if store.find("asset", call.body.get("asset_id")) is None:
        raise invalid("asset_id", "The selected asset id is invalid.")
    number, now = store.next_id("maintenance"), store.clock()
    row = {**call.body, "cost": _cost(call.body.get("cost")), "id": number, "created_at": now, "updated_at": now}
    store.put("maintenance", row)
    change.note(Effect("created", "maintenance", number, None, call.request_id))
    return succeeded("Asset maintenance created successfully.", {"id": number})


def update_maintenance(store: Store, call: Call, change: Change) -> Answer:
    """PATCH /maintenances/{id}."""
    row = store.find("maintenance", call.id)
    if row is None:
        raise Refusal(200, "Maintenance not found")
    cost = {"cost": _cost(call.body["cost"])} if "cost" in call.body else {}
    store.put("maintenance", {**row, **call.body, **cost, "updated_at": store.clock()})
    change.note(Effect("updated", "maintenance", call.id, None, call.request_id))
    return succeeded("Asset maintenance updated successfully.", {"id": call.id})


def list_maintenances(store: Store, call: Call, _change: Change) -> Answer:
    """GET /maintenances; it does not sort by the time of change."""
    rows = list(store.records.rows("maintenance", call.age))
    found, total = store.page(rows, call.query, frozenset({"id", "title", "cost", "created_at"}))
    return Answer(200, {"total": total, "rows": [maintenance_shown(store, row) for row in found]})


def get_maintenance(store: Store, call: Call, _change: Change) -> Answer:
    """GET /maintenances/{id}."""
    row = store.find("maintenance", call.id, call.age)
    if row is None:
        raise Refusal(200, "Maintenance not found")
    return Answer(200, maintenance_shown(store, row))


def maintenance_shown(store: Store, row: Row) -> dict[str, object]:
    """A maintenance as answers show it."""
    asset = store.find("asset", row["asset_id"]) or {}
    finished = row.get("completion_date")
    completed = None if finished is None else dt.datetime.fromisoformat(f"{finished}T12:00:00+00:00")
    own = {"completed_at": time_object(completed, store.instance)} if store.instance.has_completion else {}
    return {
        "id": row["id"],
        "asset": {
            "id": row["asset_id"],
            "name": escaped(asset.get("name")),
            "asset_tag": escaped(asset.get("asset_tag")),
        },
        "company": named(store.find("company", asset.get("company_id"))),
        "title": escaped(row.get("title")),
        "cost": amount_text(row["cost"], store.instance),
        "asset_maintenance_type": escaped(row.get("asset_maintenance_type")),
        "completion_date": day_object(finished),
        **own,
        "created_at": time_object(row["created_at"], store.instance),
        "updated_at": time_object(row["updated_at"], store.instance),
    }


def list_activity(store: Store, call: Call, _change: Change) -> Answer:
    """GET /reports/activity."""
    rows = list(store.records.rows("activity", call.age))
    for name in ("action_type", "item_type"):
        if call.query.get(name):
            rows = [row for row in rows if row[name] == call.query[name]]
    found, total = store.page(rows, call.query, frozenset({"id", "created_at", "action_type"}))
    return Answer(200, {"total": total, "rows": [_entry_shown(store, row) for row in found]})


def _entry_shown(store: Store, row: Row) -> dict[str, object]:
    asset = store.find("asset", row["item_id"]) or {}
    return {
        "id": row["id"],
        "item": {"id": row["item_id"], "name": escaped(asset.get("name")), "type": "asset"},
        "location": named(store.find("location", row.get("location_id"))),
        "action_type": row["action_type"],
        "admin": {"id": 1, "name": "Ada Lovelace", "first_name": "Ada", "last_name": "Lovelace"},
        "created_at": time_object(row["created_at"], store.instance),
        "updated_at": time_object(row["updated_at"], store.instance),
        "action_date": time_object(row["created_at"], store.instance),
    }


# ---- parts ------------------------------------------------------------------------------------------------------


def invalid(field: str, reason: str) -> Refusal:
    """A validation error: HTTP 200 all the same."""
    return Refusal(200, reason, messages={field: [reason]})


def succeeded(message: str, payload: object) -> Answer:
    """The envelope of a success."""
    return Answer(200, {"status": "success", "messages": message, "payload": payload})


def flat(row: Row) -> dict[str, object]:
    """An asset as a write's answer shows it: its columns, not what a read shows."""
    plain = {name: value for name, value in row.items() if name not in ("custom", "assigned_to")}
    return {
        **{name: value.isoformat() if isinstance(value, dt.datetime) else value for name, value in plain.items()},
        "purchase_cost": None if row["purchase_cost"] is None else str(row["purchase_cost"]),
        **_custom(row),
    }


def _custom(row: Mapping[str, object]) -> Mapping[str, object]:
    held = row.get("custom")
    return held if isinstance(held, Mapping) else {}


def _text(value: object) -> str | None:
    return None if value is None else str(value)


def _cost(value: object) -> Decimal | None:
    if value in (None, ""):
        return None
    try:
        return round(Decimal(str(value)), 2)  # the column has two digits after the point, and rounds without a word
    except InvalidOperation:
        raise invalid("purchase_cost", "The purchase cost must be a number.") from None


def _day(value: object) -> str | None:
    if value is not None and not re.fullmatch(r"\d{4}-\d\d-\d\d", str(value)):
        raise invalid("purchase_date", "The purchase date does not match the format Y-m-d.")
    return _text(value)


def _whole(text: str | None) -> int:
    return int(text) if text is not None and text.isascii() and text.isdigit() and len(text) < 10 else 0  # noqa: PLR2004


def _sortable(value: object) -> tuple[float, str]:
    if isinstance(value, dt.datetime):
        return value.replace(microsecond=0).timestamp(), ""  # its columns keep whole seconds
    return (float(value), "") if isinstance(value, int) else (0.0, str(value or ""))
