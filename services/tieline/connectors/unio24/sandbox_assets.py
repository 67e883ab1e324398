"""The sandbox's assets: register, finance panel, assignments and condition."""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Mapping
from dataclasses import dataclass, field

from tieline.connectors.unio24.sandbox_checks import (
    CONDITIONS,
    Refusal,
    asset_checks,
    checked,
    one_of,
    panel_checks,
    panel_line_checks,
    required,
    text,
)
from tieline.connectors.unio24.sandbox_store import Document, Store

PAGE_DEFAULT = 50
PAGE_CAP = 200


@dataclass(frozen=True, slots=True)
class Call:
    """One request, parsed."""

    path: Mapping[str, str]
    query: Mapping[str, str]
    body: Document = field(default_factory=dict)
    if_match: str | None = None

    def number(self, name: str = "id") -> int:
        """A record id from the path; raises ``Refusal`` (404) when it cannot be one."""
        raw = self.path[name]
        if not raw.isascii() or not raw.isdigit() or len(raw) > 18:  # noqa: PLR2004  - what SQLite can hold
            raise Refusal(404, f"no such record: {raw[:40]}")
        return int(raw)


@dataclass(frozen=True, slots=True)
class Answer:
    """One answer: status and JSON body."""

    status: int
    body: object


def list_page(
    store: Store, call: Call, table: str, filters: tuple[str, ...] = (), fixed: Mapping[str, str] | None = None
) -> Answer:
    """A page of records. A limit above the cap is lowered without a word, as real systems do."""
    since = call.query.get("modified_since")
    limit = call.query.get("limit", str(PAGE_DEFAULT))
    if not limit.isascii() or not limit.isdigit() or int(limit[:9]) < 1:
        raise Refusal(400, "limit must be a positive number", field="limit")
    after = _opened(call.query["page_token"]) if "page_token" in call.query else None
    size = min(int(limit[:9]), PAGE_CAP)
    where = {name: call.query[name] for name in filters if name in call.query} | dict(fixed or {})
    records = store.page(table, where=where, since=since, after=after, limit=size + 1)
    token = _sealed(records[size - 1]) if len(records) > size else None
    return Answer(200, {"items": records[:size], "next_page_token": token})


def _sealed(record: Document) -> str:
    return base64.urlsafe_b64encode(json.dumps([record["updated_at"], record["id"]]).encode()).decode()


def _opened(token: str) -> tuple[str, int]:
    try:
        at, number = json.loads(base64.urlsafe_b64decode(token.encode()))
        return str(at), int(number)
    except (ValueError, TypeError, binascii.Error):
        raise Refusal(400, "page_token is not one of ours", field="page_token") from None


def list_assets(store: Store, call: Call) -> Answer:
    """GET /assets, also by tag, serial, external_ref, po_line_ref or site."""
    return list_page(store, call, "asset", ("tag", "serial", "external_ref", "po_line_ref", "site"))


def existing_asset(store: Store, number: int) -> Document:
    """The asset; raises ``Refusal`` (404) when there is none."""
    asset = store.get("asset", number)
    if asset is None:
        raise Refusal(404, f"no asset {number}")
    return asset


def get_asset(store: Store, call: Call) -> Answer:
    """GET /assets/{id}."""
    return Answer(200, existing_asset(store, call.number()))


def create_asset(store: Store, call: Call) -> Answer:
    """POST /assets; 409 with the existing id when the external_ref is taken."""
    tidy = checked(call.body, asset_checks())
    required(tidy, "name")
    if tidy.get("purchase_cost") is not None:
        required(tidy, "currency")
    _refuse_taken(store, tidy, own_id=None)
    number, now = store.next_id("asset"), store.now()
    record: Document = {"id": number, "version": 1, "created_at": now, "updated_at": now}
    record |= dict.fromkeys(asset_checks())
    record |= {"status": "in_stock", "quantity": "1.00"}
    record |= {name: value for name, value in tidy.items() if value is not None}
    if record["tag"] is None:
        record["tag"] = f"AT-{number:05d}"
        _refuse_taken(store, {"tag": record["tag"]}, own_id=None)
    store.insert("asset", record)
    store.note("created", "asset", number, tidy)
    return Answer(201, record)


def change_asset(store: Store, number: int, tidy: Document, action: str = "updated") -> Document:
    """Apply tidied values. A change of nothing leaves version and journal alone."""
    asset = existing_asset(store, number)
    changed = {name: value for name, value in tidy.items() if asset.get(name) != value}
    if not changed:
        return asset
    _refuse_taken(store, changed, own_id=number)
    version = asset["version"]
    if not isinstance(version, int):
        raise TypeError("version is a number in every record")
    asset |= {**changed, "version": version + 1, "updated_at": store.now()}
    if asset["name"] is None:
        required(asset, "name")
    store.update("asset", asset)
    store.note(action, "asset", number, changed)
    return asset


def patch_asset(store: Store, call: Call) -> Answer:
    """PATCH /assets/{id}; with If-Match only when the version is still that one."""
    asset = existing_asset(store, call.number())
    if call.if_match is not None and call.if_match.strip('"') != str(asset["version"]):
        raise Refusal(412, f"version is {asset['version']} by now")
    return Answer(200, change_asset(store, call.number(), checked(call.body, asset_checks())))


def delete_asset(store: Store, call: Call) -> Answer:
    """DELETE /assets/{id}: gone for good, with its finance panels."""
    number = call.number()
    existing_asset(store, number)
    for panel in store.find("panel", asset_id=number):
        store.delete("panel", int(str(panel["id"])))
    store.delete("asset", number)
    store.note("deleted", "asset", number, {})
    return Answer(204, None)


def _refuse_taken(store: Store, tidy: Mapping[str, object], own_id: int | None) -> None:
    reference, tag = tidy.get("external_ref"), tidy.get("tag")
    for other in store.find("asset", external_ref=reference) if reference is not None else []:
        if other["id"] != own_id:
            raise Refusal(409, "external_ref is taken", field="external_ref", existing_id=other["id"])
    for other in store.find("asset", tag=tag) if tag is not None else []:
        if other["id"] != own_id:
            raise Refusal(422, "tag is taken", field="tag")


def put_panel(store: Store, call: Call) -> Answer:
    """PUT /assets/{id}/finance/{book}: the whole panel with its schedule, replaced."""
    number, book = call.number(), call.path["book"]
    existing_asset(store, number)
    lines = call.body.get("lines")
    if not isinstance(lines, list):
        raise Refusal(422, "lines: must be a list", field="lines")
    named = checked({name: value for name, value in call.body.items() if name != "lines"}, panel_checks())
    tidy: Document = {**dict.fromkeys(panel_checks()), **named}
    required(tidy, "currency", "cost", "book_value", "accumulated", "as_of")
    tidy["lines"] = [_panel_line(line, place) for place, line in enumerate(lines)]
    known = store.find("panel", asset_id=number, book=book)
    if known and all(known[0].get(name) == value for name, value in tidy.items()):
        return Answer(200, known[0])
    version = int(str(known[0]["version"])) + 1 if known else 1
    panel: Document = {
        "id": known[0]["id"] if known else store.next_id("panel"),
        "asset_id": number,
        "book": book,
        "version": version,
        "updated_at": store.now(),
        **tidy,
    }
    (store.update if known else store.insert)("panel", panel)
    store.note("replaced" if known else "created", "panel", number, {"book": book, "lines": len(lines)})
    return Answer(200 if known else 201, panel)


def _panel_line(line: object, place: int) -> Document:
    if not isinstance(line, dict):
        raise Refusal(422, f"lines.{place}: must be an object", field=f"lines.{place}")
    tidy = checked(line, panel_line_checks(), place=f"lines.{place}.")
    required(tidy, "date", "depreciation", place=f"lines.{place}.")
    return {**dict.fromkeys(panel_line_checks()), **tidy}


def get_panel(store: Store, call: Call) -> Answer:
    """GET /assets/{id}/finance/{book}."""
    known = store.find("panel", asset_id=call.number(), book=call.path["book"])
    if not known:
        raise Refusal(404, "no such finance panel")
    return Answer(200, known[0])


def list_panels(store: Store, call: Call) -> Answer:
    """GET /finance: the finance panels of all assets."""
    return list_page(store, call, "panel")


def remember(store: Store, asset_id: int, event: str, detail: Mapping[str, object]) -> Document:
    """Write an event of an asset into its history."""
    number = store.next_id("history")
    return store.insert(
        "history", {"id": number, "updated_at": store.now(), "asset_id": asset_id, "event": event, **detail}
    )


def check_out(store: Store, call: Call) -> Answer:
    """POST /assets/{id}/check-out {custodian, site?}: assigns it; 409 when somebody has it."""
    asset = existing_asset(store, call.number())
    tidy = checked(call.body, {"custodian": text(50), "site": text(50)})
    required(tidy, "custodian")
    if asset["custodian"] is not None:
        raise Refusal(409, f"checked out to {asset['custodian']}", field="custodian")
    after = change_asset(store, call.number(), {**tidy, "status": "in_use"}, "checked_out")
    remember(store, call.number(), "check-out", tidy)
    return Answer(200, after)


def check_in(store: Store, call: Call) -> Answer:
    """POST /assets/{id}/check-in {site?, condition?}: returns it to stock."""
    asset = existing_asset(store, call.number())
    tidy = checked(call.body, {"site": text(50), "condition": one_of(CONDITIONS)})
    if asset["custodian"] is None:
        raise Refusal(409, "is not checked out", field="custodian")
    after = change_asset(store, call.number(), {**tidy, "custodian": None, "status": "in_stock"}, "checked_in")
    remember(store, call.number(), "check-in", {"custodian": asset["custodian"], **tidy})
    return Answer(200, after)


def report_condition(store: Store, call: Call) -> Answer:
    """POST /assets/{id}/condition-reports {condition, note?}."""
    existing_asset(store, call.number())
    tidy = checked(call.body, {"condition": one_of(CONDITIONS), "note": text(500)})
    required(tidy, "condition")
    change_asset(store, call.number(), {"condition": tidy["condition"]}, "condition_reported")
    return Answer(201, remember(store, call.number(), "condition", tidy))


def get_history(store: Store, call: Call) -> Answer:
    """GET /assets/{id}/history: assignments, conditions and audits, oldest first."""
    existing_asset(store, call.number())
    return Answer(200, {"items": store.find("history", asset_id=call.number())})
