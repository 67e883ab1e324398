"""The sandbox's physical audits: a site's assets are expected, scanned one by one, and what was not scanned is missing.

Every scan, and at the close everything not found, is a numbered line of the audit; a line never changes.
"""

from __future__ import annotations

from typing import Any

from tieline.connectors.unio24.sandbox_assets import Answer, Call, change_asset, list_page, remember
from tieline.connectors.unio24.sandbox_checks import Refusal, checked, date, flag, required, text
from tieline.connectors.unio24.sandbox_store import Document, Store


def list_audits(store: Store, call: Call) -> Answer:
    """GET /audits."""
    return list_page(store, call, "audit")


def get_audit(store: Store, call: Call) -> Answer:
    """GET /audits/{id}."""
    return Answer(200, _existing(store, call))


def open_audit(store: Store, call: Call) -> Answer:
    """POST /audits {site, auditor?}: expects every asset of the site that is not retired."""
    tidy = checked(call.body, {"site": text(50), "auditor": text(50)})
    required(tidy, "site")
    expected = [asset["id"] for asset in store.find("asset", site=tidy["site"]) if asset["status"] != "retired"]
    number, now = store.next_id("audit"), store.now()
    audit: Document = {
        "id": number,
        "version": 1,
        "created_at": now,
        "updated_at": now,
        "state": "open",
        "site": tidy["site"],
        "auditor": tidy.get("auditor"),
        "expected": expected,
        "scans": [],
        "not_found": [],
        "lines": [],
    }
    store.insert("audit", audit)
    store.note("opened", "audit", number, tidy)
    return Answer(201, audit)


def scan(store: Store, call: Call) -> Answer:
    """POST /audits/{id}/scans {barcode, at?}: found (by tag or serial), and moved to the audited site, or not found."""
    audit = _open_audit(store, call)
    tidy = checked(call.body, {"barcode": text(100), "at": date})
    required(tidy, "barcode")
    found = store.find("asset", tag=tidy["barcode"]) or store.find("asset", serial=tidy["barcode"])
    asset_id = int(str(found[0]["id"])) if found else None
    entry: Document = {"barcode": tidy["barcode"], "found": bool(found), "asset_id": asset_id}
    line = _line(audit, "found" if found else "unknown", tidy.get("at") or _today(store), asset_id, tidy["barcode"])
    _change(store, audit, {"scans": [*_listed(audit, "scans"), entry], "lines": [*_listed(audit, "lines"), line]})
    if asset_id is not None:
        change_asset(store, asset_id, {"site": audit["site"]}, "scanned")
        remember(store, asset_id, "scan", {"audit_id": audit["id"]})
    return Answer(201, entry)


def close_audit(store: Store, call: Call) -> Answer:
    """POST /audits/{id}/close {mark_lost?}: what was expected and not scanned is not found, and lost if so asked."""
    audit = _open_audit(store, call)
    tidy = checked(call.body, {"mark_lost": flag})
    seen = {entry["asset_id"] for entry in _listed(audit, "scans")}
    expected = [number for number in _listed(audit, "expected") if number not in seen]
    missing = [number for number in expected if store.get("asset", number) is not None]
    for number in missing if tidy.get("mark_lost") else []:
        change_asset(store, number, {"status": "lost"}, "not_found")
    for number in missing:
        line = _line(audit, "missing", _today(store), number, None)
        audit = audit | {"lines": [*_listed(audit, "lines"), line]}
    after = _change(store, audit, {"state": "closed", "not_found": missing})
    store.note("closed", "audit", call.number(), {"not_found": missing})
    return Answer(200, after)


def _existing(store: Store, call: Call) -> Document:
    audit = store.get("audit", call.number())
    if audit is None:
        raise Refusal(404, "no such audit")
    return audit


def _open_audit(store: Store, call: Call) -> Document:
    audit = _existing(store, call)
    if audit["state"] != "open":
        raise Refusal(409, "the audit is closed", field="state")
    return audit


def _change(store: Store, audit: Document, changed: Document) -> Document:
    version = int(str(audit["version"])) + 1
    return store.update("audit", audit | changed | {"version": version, "updated_at": store.now()})


def _line(audit: Document, result: str, on: object, asset_id: object, barcode: object) -> Document:
    number = len(_listed(audit, "lines")) + 1
    return {"line": number, "result": result, "date": on, "asset_id": asset_id, "barcode": barcode}


def _listed(audit: Document, name: str) -> list[Any]:
    found = audit[name]
    if not isinstance(found, list):
        raise TypeError(f"{name} is a list in every audit")
    return found


def _today(store: Store) -> str:
    return store.now()[:10]
