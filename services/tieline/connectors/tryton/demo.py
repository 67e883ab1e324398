"""What people do in Tryton, done through its API: for the demo and the tests. The hub itself calls none of this."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

from tieline.connectors.tryton.assets import end_date
from tieline.connectors.tryton.client import TrytonClient
from tieline.connectors.tryton.closing import post_depreciation
from tieline.connectors.tryton.reference import AssetProduct, Reference
from tieline.connectors.tryton.settings import TrytonSettings
from tieline.connectors.tryton.wire import Json, Quantity
from tieline.kernel.errors import Rejected

__all__ = ["post_depreciation"]


@dataclass(frozen=True, slots=True)
class Bought:
    """One line of an order: product code, quantity, price of one unit in the company's currency."""

    product: str
    quantity: Decimal
    unit_price: Decimal
    description: str | None = None


async def create_order(
    client: TrytonClient,
    settings: TrytonSettings,
    lines: Sequence[Bought],
    *,
    supplier: str,
    day: dt.date | None = None,
) -> tuple[int, list[int]]:
    """A draft purchase order with the supplier of this name: its id and the ids of its lines, in order."""
    reference = Reference(client, settings)
    parties = await client.search_read("party.party", [("name", "=", supplier)], ["addresses"], limit=1)
    if not parties:
        raise Rejected(f"Tryton has no supplier {supplier!r}", field="supplier")
    terms = await client.search("account.invoice.payment_term", [], limit=1)
    company = await client.search_read("company.company", [("id", "=", await reference.company())], ["currency"])
    values = {
        "company": await reference.company(),
        "party": parties[0]["id"],
        "invoice_address": parties[0]["addresses"][0],
        "currency": company[0]["currency"],
        "payment_term": terms[0] if terms else None,
        "purchase_date": day,
        "invoice_method": "order",
        "lines": [("create", [await _order_line(client, line) for line in lines])],
    }
    order = (await client.write("model.purchase.purchase.create", [values]))[0]
    made = await client.search_read("purchase.line", [("purchase", "=", order)], [], order=[("id", "ASC")])
    return order, [row["id"] for row in made]


async def quote_order(client: TrytonClient, order: int) -> None:
    """Give a draft order its number and wait for approval."""
    await client.write("model.purchase.purchase.quote", [order])


async def confirm_order(client: TrytonClient, order: int) -> None:
    """Approve a quoted order; Tryton processes it at once and drafts the supplier's invoice."""
    await client.write("model.purchase.purchase.confirm", [order])


async def approve_order(client: TrytonClient, order: int) -> None:
    """Quote and confirm a draft order."""
    await quote_order(client, order)
    await confirm_order(client, order)


async def invoice_line_of(client: TrytonClient, purchase_line: int) -> int | None:
    """The supplier's invoice line that bills this order line; none before the order is confirmed."""
    found = await client.search("account.invoice.line", [("origin", "=", f"purchase.line,{purchase_line}")], limit=1)
    return found[0] if found else None


async def book_asset(
    client: TrytonClient,
    settings: TrytonSettings,
    *,
    asset_class: str,
    value: Decimal,
    start: dt.date,
    comment: str | None = None,
    supplier_invoice_line: int | None = None,
    end: dt.date | None = None,
    run: bool = True,
) -> int:
    """An asset as an accountant books it: its id. With an invoice line, as one is bought on that line."""
    reference = Reference(client, settings)
    product = await reference.asset_product(asset_class)
    values = {
        **await _asset_values(reference, settings, product),
        "quantity": Quantity(Decimal(1)),
        "value": value,
        "purchase_date": start,
        "start_date": start,
        "end_date": end or end_date(start, product),
        "comment": comment,
        "supplier_invoice_line": supplier_invoice_line,
    }
    asset = (await client.write("model.account.asset.create", [values]))[0]
    if run:
        await run_asset(client, asset)
    return int(asset)


async def run_asset(client: TrytonClient, asset: int) -> None:
    """Put a draft asset into the books: Tryton numbers it and makes its schedule."""
    await client.write("model.account.asset.run", [asset])


async def edit(client: TrytonClient, model: str, record: int, values: dict[str, object]) -> None:
    """Change fields of a record by hand."""
    await client.write(f"model.{model}.write", [record], values)


async def delete(client: TrytonClient, model: str, record: int) -> None:
    """Delete a record by hand; Tryton allows it for drafts."""
    await client.write(f"model.{model}.delete", [record])


async def close_period(client: TrytonClient, day: dt.date) -> None:
    """Close the period that holds this day."""
    await client.write("model.account.period.close", await _periods(client, day))


async def reopen_period(client: TrytonClient, day: dt.date) -> None:
    """Open it again."""
    await client.write("model.account.period.reopen", await _periods(client, day))


async def _periods(client: TrytonClient, day: dt.date) -> list[int]:
    return await client.search(
        "account.period", [("start_date", "<=", day), ("end_date", ">=", day), ("type", "=", "standard")]
    )


async def _order_line(client: TrytonClient, line: Bought) -> dict[str, object]:
    products = await client.search_read("product.product", [("code", "=", line.product)], ["template.purchase_uom"])
    if not products:
        raise Rejected(f"Tryton has no product {line.product!r}", field="lines.product")
    return {
        "type": "line",
        "product": products[0]["id"],
        "unit": products[0]["template."]["purchase_uom"],
        "quantity": Quantity(line.quantity),
        "unit_price": line.unit_price,
        "description": line.description,
    }


async def _asset_values(reference: Reference, settings: TrytonSettings, product: AssetProduct) -> dict[str, Json]:
    return {
        "company": await reference.company(),
        "product": product.id,
        "unit": product.unit,
        "account_journal": await reference.journal(settings.asset_journal),
        "frequency": "monthly",
    }
