"""What storekeepers and accounts payable do in Tryton, done through its API: for the demo and the tests."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal

from tieline.connectors.tryton.client import TrytonClient
from tieline.connectors.tryton.wire import Json, Quantity

CREDIT_WIZARD = "wizard.account.invoice.credit"
RETURN_WIZARD = "wizard.purchase.return_purchase"
_WAREHOUSE = ("origin.purchase.warehouse", "origin.purchase.warehouse.storage_location")


async def open_moves(client: TrytonClient, order_line: int) -> list[int]:
    """The stock moves of an order line that are not done: Tryton drafts them when the order is confirmed."""
    return await client.search("stock.move", [("origin", "=", f"purchase.line,{order_line}"), ("state", "=", "draft")])


async def receive_goods(
    client: TrytonClient, order_line: int, *, day: dt.date, quantity: Decimal | None = None, shipment: bool = True
) -> int:
    """Receive what is open of an order line, or so much of it, on a supplier's shipment or without one: the move."""
    [move] = await open_moves(client, order_line)
    changes: dict[str, object] = {"effective_date": day}
    if quantity is not None:
        changes["quantity"] = Quantity(quantity)
    await client.write("model.stock.move.write", [move], changes)
    if not shipment:
        await client.write("model.stock.move.do", [move])
        return move
    rows = await client.search_read(
        "stock.move", [("id", "=", move)], ["company", "to_location", "origin.purchase.party", *_WAREHOUSE]
    )
    order = rows[0]["origin."]["purchase."]
    values = {
        "company": rows[0]["company"],
        "supplier": order["party"],
        "warehouse": order["warehouse"],
        "warehouse_input": rows[0]["to_location"],
        "warehouse_storage": order["warehouse."]["storage_location"],
        "effective_date": day,
        "incoming_moves": [("add", [move])],
    }
    [made] = await client.write("model.stock.shipment.in.create", [values])
    for step in ("receive", "do"):
        await client.write(f"model.stock.shipment.in.{step}", [made])
    return move


async def send_back(client: TrytonClient, order_line: int, *, day: dt.date) -> int:
    """Send back what is open of a return order's line, out of the stock: the move."""
    rows = await client.search_read("stock.move", [("origin", "=", f"purchase.line,{order_line}")], ["shipment"])
    [(move, shipment)] = [(int(row["id"]), int(row["shipment"].partition(",")[2])) for row in rows]
    await client.write("model.stock.shipment.in.return.write", [shipment], {"effective_date": day})
    for step in ("assign_try", "do"):
        await client.write(f"model.stock.shipment.in.return.{step}", [shipment])
    return move


async def return_order(client: TrytonClient, order: int) -> int:
    """A draft return order of everything in an order: its id."""
    context: dict[str, Json] = {"active_model": "purchase.purchase", "active_id": order, "active_ids": [order]}
    session, _, _ = await client.write(f"{RETURN_WIZARD}.create", **context)
    try:
        await client.write(f"{RETURN_WIZARD}.execute", session, {"start": {}}, "return_", **context)
    finally:
        await client.write(f"{RETURN_WIZARD}.delete", session)
    [made] = await client.search("purchase.purchase", [("origin", "=", f"purchase.purchase,{order}")])
    return made


async def post_invoice(client: TrytonClient, order_line: int, *, day: dt.date) -> int:
    """Post the draft invoice that Tryton made for an order line: its id."""
    rows = await client.search_read(
        "account.invoice.line",
        [("origin", "=", f"purchase.line,{order_line}"), ("invoice.state", "=", "draft")],
        ["invoice"],
        limit=1,
    )
    invoice = int(rows[0]["invoice"])
    await client.write("model.account.invoice.write", [invoice], {"invoice_date": day})
    await client.write("model.account.invoice.post", [invoice])
    return invoice


async def credit_invoice(client: TrytonClient, invoice: int, *, day: dt.date) -> int:
    """Post a credit note of a whole invoice: its id."""
    context: dict[str, Json] = {"active_model": "account.invoice", "active_id": invoice, "active_ids": [invoice]}
    session, _, _ = await client.write(f"{CREDIT_WIZARD}.create", **context)
    try:
        start = {"with_refund": False, "with_refund_allowed": False, "invoice_date": day}
        await client.write(f"{CREDIT_WIZARD}.execute", session, {"start": start}, "credit", **context)
    finally:
        await client.write(f"{CREDIT_WIZARD}.delete", session)
    [made] = await client.search("account.invoice", [("origin_invoices", "=", invoice)])
    await client.write("model.account.invoice.write", [made], {"invoice_date": day})
    await client.write("model.account.invoice.post", [made])
    return made


async def cancel_invoice(client: TrytonClient, invoice: int) -> None:
    """Cancel a posted invoice: Tryton posts a move that undoes its own."""
    await client.write("model.account.invoice.cancel", [invoice])
