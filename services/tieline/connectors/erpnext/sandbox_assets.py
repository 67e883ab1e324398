"""What ERPNext's own kinds do when they are saved: assets, movements, scrapping, schedules, journal entries."""

from __future__ import annotations

import calendar
import datetime as dt
from collections.abc import Mapping
from decimal import Decimal

from tieline.connectors.erpnext.sandbox_store import DRAFT, SUBMITTED, Doc, Hook, Store, refusal, rows_of
from tieline.connectors.kit.sandboxing.records import Change

SCHEDULE = "Asset Depreciation Schedule"


def invalid(reason: str) -> Exception:
    """``frappe.throw``."""
    return refusal(417, "ValidationError", reason)


def validate_asset(store: Store, doc: Doc, _change: Change) -> None:
    """An asset before it is saved."""
    cost = store.amount(doc.get("gross_purchase_amount"))
    if not cost:
        raise refusal(417, "MandatoryError", "Gross Purchase Amount is mandatory")
    if not doc.get("is_existing_asset") and not doc.get("purchase_receipt") and not doc.get("purchase_invoice"):
        raise invalid("Please create purchase receipt or purchase invoice for the item")
    item = store.records.get("Item", str(doc["item_code"])) or {}
    doc.setdefault("asset_quantity", 1)
    doc.setdefault("calculate_depreciation", 0)
    doc |= {"asset_category": item.get("asset_category"), "status": "Draft"}
    for column in ("custodian", "disposal_date", "cost_center", "available_for_use_date", "journal_entry_for_scrap"):
        doc.setdefault(column, None)


def submit_asset(store: Store, doc: Doc, change: Change) -> None:
    """An asset that is submitted gets its first movement and its schedules."""
    if not doc.get("available_for_use_date"):
        raise invalid("Available for use date is required")
    store.records.put("Asset", str(doc["name"]), {**doc, "status": "Submitted"})
    place = {"asset": doc["name"], "target_location": doc["location"]}
    first = {"purpose": "Receipt", "company": doc["company"], "transaction_date": f"{doc['purchase_date']} 00:00:00"}
    store.insert("Asset Movement", {**first, "assets": [place], "docstatus": SUBMITTED}, change)
    for book in rows_of(doc, "finance_books") if doc.get("calculate_depreciation") else ():
        store.insert(SCHEDULE, {**_schedule(store, doc, book), "docstatus": SUBMITTED}, change)


def _schedule(store: Store, doc: Doc, book: Doc) -> Doc:
    """Straight line by months; the last one takes what rounding left."""
    cost, salvage = (
        store.amount(doc["gross_purchase_amount"]),
        store.amount(book.get("expected_value_after_useful_life")),
    )
    count = int(str(book["total_number_of_depreciations"]))
    part, start = round((cost - salvage) / count, 2), dt.date.fromisoformat(str(doc["available_for_use_date"]))
    rows: list[Doc] = []
    for number in range(count):
        month = start.month - 1 + number
        year, month = start.year + month // 12, month % 12 + 1
        amount = part if number < count - 1 else cost - salvage - part * (count - 1)
        rows.append(
            {
                "schedule_date": dt.date(year, month, calendar.monthrange(year, month)[1]).isoformat(),
                "depreciation_amount": amount,
                "accumulated_depreciation_amount": part * number + amount,
                "journal_entry": None,
            }
        )
    return {
        "asset": doc["name"],
        "finance_book": book.get("finance_book"),
        "gross_purchase_amount": cost,
        "opening_accumulated_depreciation": Decimal(0),
        "expected_value_after_useful_life": salvage,
        "depreciation_method": book.get("depreciation_method", "Straight Line"),
        "status": "Active",
        "depreciation_schedule": rows,
    }


def validate_movement(store: Store, doc: Doc, _change: Change) -> None:
    """A movement is refused for a draft, and from where the asset is not."""
    for row in rows_of(doc, "assets"):
        asset = store.present("Asset", row.get("asset"))
        if doc["purpose"] != "Transfer":
            continue
        if asset["status"] in ("Draft", "Scrapped", "Sold"):
            raise invalid(f"{asset['status']} asset cannot be transferred")
        if asset["company"] != doc["company"]:
            raise invalid(f"Asset {asset['name']} does not belong to company {doc['company']}")
        if row.get("source_location") and row["source_location"] != asset["location"]:
            raise invalid(f"Asset {asset['name']} does not belongs to the location {row['source_location']}")
        if row.get("source_location") == row.get("target_location"):
            raise invalid("Source and Target Location cannot be same")
        if store.records.get("Location", str(row.get("target_location"))) is None:
            raise refusal(417, "LinkValidationError", f"Could not find Target Location: {row.get('target_location')}")


def submit_movement(store: Store, doc: Doc, change: Change) -> None:
    """The movement with the latest time decides the place; of equal ones the elder, which nobody promises."""
    for row in rows_of(doc, "assets"):
        moves = [one for one in store.records.rows("Asset Movement") if one["docstatus"] == SUBMITTED]
        moves = [one for one in moves if any(part["asset"] == row["asset"] for part in rows_of(one, "assets"))]
        latest = max(moves, key=lambda one: str(one["transaction_date"]))
        place = next(part for part in rows_of(latest, "assets") if part["asset"] == row["asset"])["target_location"]
        asset = store.present("Asset", row["asset"])
        if asset["location"] != place:
            store.put("Asset", {**asset, "location": place}, change)


def validate_entry(store: Store, doc: Doc, _change: Change) -> None:
    """Debit is credit, nothing is negative, accounts and cost centres are there."""
    sums = {"debit": Decimal(0), "credit": Decimal(0)}
    for row in rows_of(doc, "accounts"):
        if store.records.get("Account", str(row.get("account"))) is None:
            raise refusal(417, "LinkValidationError", f"Could not find Account: {row.get('account')}")
        centre = row.get("cost_center")
        if centre is not None and store.records.get("Cost Center", str(centre)) is None:
            raise refusal(417, "LinkValidationError", f"Could not find Cost Center: {centre}")
        for side in sums:
            amount = store.amount(row.get(f"{side}_in_account_currency"))
            if amount < 0:
                raise invalid("Both Debit and Credit values cannot be negative")
            sums[side] += amount
    if not sums["debit"]:
        raise invalid("Both Debit and Credit values cannot be zero")
    if sums["debit"] != sums["credit"]:
        raise invalid("Total Debit must be equal to Total Credit")
    doc |= {"total_debit": sums["debit"], "total_credit": sums["credit"]}


def scrap(store: Store, body: Doc, change: Change) -> None:
    """``scrap_asset``: once, and only what is submitted."""
    asset = store.present("Asset", body.get("asset_name"))
    if asset["docstatus"] != SUBMITTED:
        raise invalid(f"Asset {asset['name']} must be submitted")
    if asset["status"] in ("Cancelled", "Sold", "Scrapped"):
        raise invalid(f"Asset {asset['name']} cannot be scrapped, as it is already {asset['status']}")
    day = str(body.get("scrap_date") or store.now().date())
    store.put("Asset", {**asset, "status": "Scrapped", "disposal_date": day}, change, "scrapped")


def depreciate(store: Store, body: Doc, change: Change) -> None:
    """``make_depreciation_entry``: every row that is due. It saves the rows and the asset, not the schedule."""
    schedule = store.present(SCHEDULE, body.get("depr_schedule_name"))
    rows = rows_of(schedule, "depreciation_schedule")
    for row in rows:
        if row["journal_entry"] is None and str(row["schedule_date"]) <= str(body.get("date")):
            row["journal_entry"] = f"ACC-JV-{row['name']}"
    store.records.put(SCHEDULE, str(schedule["name"]), {**schedule, "depreciation_schedule": rows})
    posted = [row for row in rows if row["journal_entry"]]
    status = "Fully Depreciated" if len(posted) == len(rows) else "Partially Depreciated"
    store.put("Asset", {**store.present("Asset", schedule["asset"]), "status": status}, change, "depreciated")


def cancel_asset(store: Store, doc: Doc, _change: Change) -> None:
    """An asset that is cancelled."""
    store.records.put("Asset", str(doc["name"]), {**doc, "status": "Cancelled"})


HOOKS: Mapping[tuple[str, str], Hook] = {
    ("Asset", "validate"): validate_asset,
    ("Asset", "on_submit"): submit_asset,
    ("Asset", "on_cancel"): cancel_asset,
    ("Asset Movement", "validate"): validate_movement,
    ("Asset Movement", "on_submit"): submit_movement,
    ("Journal Entry", "validate"): validate_entry,
}
METHODS: Mapping[str, Hook] = {
    "erpnext.assets.doctype.asset.depreciation.scrap_asset": scrap,
    "erpnext.assets.doctype.asset.depreciation.make_depreciation_entry": depreciate,
}
SEEDS: Mapping[str, list[Doc]] = {
    "Company": [{"name": "Acme"}, {"name": "Beta"}],
    "Item": [
        {"name": "PRESS", "asset_category": "Machinery", "is_fixed_asset": 1},
        {"name": "LAPTOP", "asset_category": "Computers", "is_fixed_asset": 1},
    ],
    "Location": [{"name": name, "location_name": name, "is_group": 0} for name in ("Hall 1", "Hall 2", "Yard & Gate")],
    "Cost Center": [
        {"name": "Main - A", "cost_center_name": "Main", "company": "Acme", "is_group": 0, "disabled": 0},
        {"name": "Plant - A", "cost_center_name": "Plant", "company": "Acme", "is_group": 0, "disabled": 0},
    ],
    "Account": [{"name": "Repairs - A"}, {"name": "Clearing - A"}],
}


def seed(store: Store) -> None:
    """A site as it is set up."""
    with store.records.transaction():
        for kind, docs in SEEDS.items():
            for doc in docs:
                at = {"creation": store.now(), "modified": store.now(), "docstatus": DRAFT}
                store.records.put(kind, str(doc["name"]), {**doc, **at})
