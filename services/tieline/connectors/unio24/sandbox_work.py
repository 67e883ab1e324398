"""The sandbox's maintenance: work orders, and the immutable cost documents that completing one creates."""

from __future__ import annotations

from decimal import Decimal

from tieline.connectors.kit.sandboxing.answers import Answer, Refusal
from tieline.connectors.unio24.sandbox_assets import Call, existing_asset, list_page
from tieline.connectors.unio24.sandbox_checks import (
    COST_KINDS,
    cents,
    checked,
    currency,
    date,
    decimal,
    one_of,
    required,
    text,
)
from tieline.connectors.unio24.sandbox_store import Document, Store


def open_work_order(store: Store, call: Call) -> Answer:
    """POST /work-orders {asset_id, description, currency?}: the currency is the asset's unless given."""
    asset_id = call.body.get("asset_id")
    if not isinstance(asset_id, int):
        raise Refusal(422, "asset_id: must be a number", field="asset_id")
    asset = existing_asset(store, asset_id)
    body = {name: value for name, value in call.body.items() if name != "asset_id"}
    tidy = checked(body, {"description": text(500), "currency": currency})
    required(tidy, "description")
    number = store.next_id("work_order")
    order: Document = {
        "id": number,
        "number": f"WO-{number:05d}",
        "updated_at": store.now(),
        "state": "open",
        "asset_id": asset_id,
        "description": tidy["description"],
        "currency": tidy.get("currency") or asset["currency"] or "EUR",
        "lines": [],
        "cost_document_id": None,
    }
    store.insert("work_order", order)
    store.note("opened", "work_order", number, tidy)
    return Answer(201, order)


def _open_order(store: Store, call: Call) -> Document:
    order = store.get("work_order", call.number())
    if order is None:
        raise Refusal(404, "no such work order")
    if order["state"] != "open":
        raise Refusal(409, "the work order is completed; its costs are corrected by a reversal", field="state")
    return order


def get_work_order(store: Store, call: Call) -> Answer:
    """GET /work-orders/{id}."""
    order = store.get("work_order", call.number())
    if order is None:
        raise Refusal(404, "no such work order")
    return Answer(200, order)


def add_cost_line(store: Store, call: Call) -> Answer:
    """POST /work-orders/{id}/lines {kind, description, quantity?, rate? | amount, source_ref?}: quantity x rate."""
    order = _open_order(store, call)
    checks = {
        "kind": one_of(COST_KINDS),
        "description": text(500),
        "quantity": decimal(6),
        "rate": decimal(6),
        "amount": decimal(4),
        "source_ref": text(100),
    }
    tidy = checked(call.body, checks)
    required(tidy, "kind", "description")
    if tidy.get("amount") is None:
        required(tidy, "quantity", "rate")
        product = Decimal(str(tidy["quantity"])) * Decimal(str(tidy["rate"]))
        tidy["amount"] = format(cents(product, str(order["currency"])), "f")
    lines = order["lines"]
    if not isinstance(lines, list):
        raise TypeError("lines is a list in every record")
    line: Document = {"line": len(lines) + 1, **dict.fromkeys(checks), **tidy}
    store.update("work_order", order | {"lines": [*lines, line], "updated_at": store.now()})
    store.note("line_added", "work_order", call.number(), line)
    return Answer(201, line)


def complete_work_order(store: Store, call: Call) -> Answer:
    """POST /work-orders/{id}/complete {date, cost_centre?}: closes it; its lines become one cost document."""
    order = _open_order(store, call)
    tidy = checked(call.body, {"date": date, "cost_centre": text(50)})
    required(tidy, "date")
    lines = order["lines"]
    if not isinstance(lines, list) or not lines:
        raise Refusal(422, "lines: a work order without costs cannot be completed", field="lines")
    asset = existing_asset(store, int(str(order["asset_id"])))
    document = _new_document(
        store,
        {
            "work_order": order["number"],
            "asset_id": order["asset_id"],
            "company": asset["company"],
            "currency": order["currency"],
            "cost_centre": tidy.get("cost_centre") or asset["cost_centre"],
            "date": tidy["date"],
            "lines": lines,
            "reversal_of": None,
        },
    )
    after = order | {"state": "completed", "updated_at": store.now(), "cost_document_id": document["id"]}
    store.update("work_order", after)
    store.note("completed", "work_order", call.number(), tidy)
    return Answer(200, after)


def _new_document(store: Store, content: Document) -> Document:
    number, now = store.next_id("cost_document"), store.now()
    lines = content["lines"]
    if not isinstance(lines, list):
        raise TypeError("lines is a list in every record")
    total = sum((Decimal(str(line["amount"])) for line in lines), Decimal(0))
    document: Document = {
        "id": number,
        "number": f"CD-{number:05d}",
        "version": 1,
        "created_at": now,
        "updated_at": now,
        **content,
        "total": format(total, "f"),
    }
    store.insert("cost_document", document)
    store.note("created", "cost_document", number, {"total": document["total"], "reversal_of": content["reversal_of"]})
    return document


def reverse_cost_document(store: Store, call: Call) -> Answer:
    """POST /cost-documents/{id}/reverse {date}: a new document with every amount negated; once only."""
    original = _cost_document(store, call)
    tidy = checked(call.body, {"date": date})
    required(tidy, "date")
    reversed_by = store.find("cost_document", reversal_of=call.number())
    if reversed_by:
        raise Refusal(409, "is reversed already", field="reversal_of", existing_id=reversed_by[0]["id"])
    if original["reversal_of"] is not None:
        raise Refusal(409, "is itself a reversal", field="reversal_of")
    lines = original["lines"]
    if not isinstance(lines, list):
        raise TypeError("lines is a list in every record")
    negated = [{**line, "amount": format(-Decimal(str(line["amount"])), "f")} for line in lines]
    kept = {name: original[name] for name in ("work_order", "asset_id", "company", "currency", "cost_centre")}
    document = _new_document(store, {**kept, **tidy, "lines": negated, "reversal_of": original["id"]})
    return Answer(201, document)


def _cost_document(store: Store, call: Call) -> Document:
    document = store.get("cost_document", call.number())
    if document is None:
        raise Refusal(404, "no such cost document")
    return document


def get_cost_document(store: Store, call: Call) -> Answer:
    """GET /cost-documents/{id}. There is no way to change one."""
    return Answer(200, _cost_document(store, call))


def list_cost_documents(store: Store, call: Call) -> Answer:
    """GET /cost-documents."""
    return list_page(store, call, "cost_document", ())
