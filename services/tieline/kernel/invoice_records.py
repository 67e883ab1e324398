"""Invoices that do not match their order: what was expected, what was charged. Mirrors Avro as ``model`` does."""

from __future__ import annotations

from enum import StrEnum

from pydantic import Field

from tieline.kernel.order_records import MatchType
from tieline.kernel.vocabulary import Accepted, Amount, Code, Currency, Model, Quantity


class MismatchMeasure(StrEnum):
    """In what an invoice differs from its order line."""

    UNKNOWN = "UNKNOWN"
    QUANTITY = "QUANTITY"
    PRICE = "PRICE"


class InvoiceMismatch(Model):
    """One order line for which something else was invoiced than agreed, all its invoices together."""

    line_id: Code = Field(description="The order line's id in the system of the order.")
    measure: MismatchMeasure = Field(
        description="QUANTITY: more was charged than may be. PRICE: the amount is not that of the quantity charged."
    )
    match_type: MatchType | None = Field(default=None, description="What the line's invoices are checked against.")
    expected_quantity: Quantity = Field(description="Quantity that may be charged: ordered, or received.")
    invoiced_quantity: Quantity = Field(description="Quantity charged so far, less what was taken back.")
    expected_amount: Amount = Field(description="Net amount of the invoiced quantity at the order's price.")
    invoiced_amount: Amount = Field(description="Net amount charged so far, less what was taken back.")
    tolerance_percent: Quantity = Field(description="Tolerance of the landscape that it goes beyond, in percent.")


class PoInvoiceBlocked(Model):
    """An invoice does not match its order beyond the tolerance; it stands, and a person decides on its payment."""

    po_id: Code = Field(description="Canonical id of the purchase order.")
    accepted: Accepted = Field(description="Version, origin and dates of the acceptance of the invoice.")
    invoice: Code = Field(description="The invoice: system/native id.")
    currency: Currency = Field(description="ISO 4217 code of every amount in the record.")
    mismatches: tuple[InvoiceMismatch, ...] = Field(description="What does not match, of the lines it speaks of.")
