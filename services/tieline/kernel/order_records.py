"""Purchase orders, their receipts and invoices, and the assets that they propose."""

from __future__ import annotations

import datetime as dt
from enum import StrEnum

from pydantic import AwareDatetime, Field

from tieline.kernel.vocabulary import Accepted, Amount, Code, Currency, Model, Money, Origin, Quantity, Text, UnitPrice


class ApprovalStatus(StrEnum):
    """Approval of a purchase order; receipt, invoice and closure are other questions."""

    UNKNOWN = "UNKNOWN"
    DRAFT = "DRAFT"
    PENDING = "PENDING"
    APPROVED = "APPROVED"
    REJECTED = "REJECTED"
    CANCELLED = "CANCELLED"


class Progress(StrEnum):
    """How far the receipt or the invoicing of a purchase order has come."""

    UNKNOWN = "UNKNOWN"
    NONE = "NONE"
    PART = "PART"
    ALL = "ALL"


class MatchType(StrEnum):
    """What an invoice is checked against before it is paid (the four kinds of BPI Challenge 2019)."""

    UNKNOWN = "UNKNOWN"
    TWO_WAY = "TWO_WAY"
    THREE_WAY_RECEIPT_FIRST = "THREE_WAY_RECEIPT_FIRST"
    THREE_WAY_INVOICE_FIRST = "THREE_WAY_INVOICE_FIRST"
    CONSIGNMENT = "CONSIGNMENT"


class Treatment(StrEnum):
    """What the books do with what was bought."""

    UNKNOWN = "UNKNOWN"
    CAPITALISE = "CAPITALISE"
    LOW_VALUE = "LOW_VALUE"
    EXPENSE = "EXPENSE"
    UNDER_CONSTRUCTION = "UNDER_CONSTRUCTION"


class ProposalStatus(StrEnum):
    """Where a proposed asset stands on its way into the books."""

    UNKNOWN = "UNKNOWN"
    NEW = "NEW"
    ON_HOLD = "ON_HOLD"
    CAPITALISED = "CAPITALISED"
    LOW_VALUE = "LOW_VALUE"
    EXPENSED = "EXPENSED"
    UNDER_CONSTRUCTION = "UNDER_CONSTRUCTION"
    REVERSED = "REVERSED"


class OrderLine(Model):
    """One line of a purchase order."""

    line_id: Code = Field(description="The ERP's immutable id of the line.")
    line_no: int = Field(description="Position in the order, from 1.")
    item: Text | None = Field(default=None, description="Item code.")
    description: Text = Field(description="What is bought.")
    asset_class: Text | None = Field(default=None, description="Asset class if the line buys an asset, else none.")
    quantity: Quantity = Field(description="Ordered quantity.")
    unit: Text | None = Field(default=None, description="Unit of the quantity.")
    unit_price: UnitPrice = Field(description="Price of one unit in the order's currency.")
    net_amount: Amount = Field(description="Net amount of the line in the order's currency.")
    tax_amount: Amount | None = Field(default=None, description="Tax on the line, all units; none: nothing is said.")
    recoverable_tax: Amount | None = Field(
        default=None, description="Part of the tax that is reclaimed; the rest is cost. None: all of it is reclaimed."
    )
    match_type: MatchType | None = Field(default=None, description="What the invoice is checked against.")
    gr_expected: bool = Field(default=True, description="False when the invoice alone shows that it was delivered.")
    gr_valuated: bool = Field(default=True, description="False when a receipt has no value until the invoice comes.")
    final_delivery: bool = Field(default=False, description="True when nothing more is delivered.")
    final_invoice: bool = Field(default=False, description="True when nothing more is invoiced.")


class OrderFields(Model):
    """A purchase order; owned by the ERP."""

    company: Code = Field(description="Company code.")
    po_number: Text | None = Field(default=None, description="The ERP's order number; drafts may have none.")
    supplier: Text | None = Field(default=None, description="Supplier code.")
    currency: Currency = Field(description="ISO 4217 code of every amount in the record.")
    order_date: dt.date | None = Field(default=None, description="Date of the order.")
    approval_status: ApprovalStatus = Field(description="Approval of the order.")
    net_total: Amount = Field(description="Sum of the lines' net amounts, in the order's currency.")
    lines: tuple[OrderLine, ...] = Field(description="The lines, in order.")
    fulfilment_status: Progress | None = Field(default=None, description="Receipt, as the ERP sees it.")
    invoice_status: Progress | None = Field(default=None, description="Invoicing, as the ERP sees it.")
    closed: bool = Field(default=False, description="True when the ERP expects nothing more of the order.")
    blanket: bool = Field(default=False, description="True for a framework order: call-offs buy, it buys nothing.")


class OrderReport(Model):
    """The ERP's word on one purchase order."""

    origin: Origin = Field(description="Which record of which system this speaks of.")
    fields: OrderFields = Field(description="The whole order, lines included.")


class ReceiptLine(Model):
    """What one receipt says of one order line."""

    line_id: Code = Field(description="The order line's id in the system of the order.")
    quantity: Quantity = Field(description="Quantity received: accepted and rejected together.")
    accepted: Quantity = Field(description="Quantity that passed the inspection.")
    rejected: Quantity = Field(description="Quantity that did not.")
    unit: Text | None = Field(default=None, description="Unit of the quantities; none: the order line's.")


class ReceiptFields(Model):
    """A receipt of goods: a document that adds to others, never overwritten."""

    order_native_id: Code = Field(description="Native id of the purchase order.")
    order_system: Text | None = Field(default=None, description="System of the order; none: the reporting one.")
    number: Text | None = Field(default=None, description="Number for people.")
    received_on: dt.date = Field(description="Date the goods arrived; the date of capitalisation.")
    lines: tuple[ReceiptLine, ...] = Field(description="The lines, in order.")
    reversal_of: Text | None = Field(
        default=None, description="Native id of the receipt that this one takes back, as far as its lines say."
    )


class ReceiptReport(Model):
    """The receiving system's word on one receipt."""

    origin: Origin = Field(description="Which record of which system this speaks of.")
    fields: ReceiptFields = Field(description="The receipt.")


class InvoiceLine(Model):
    """What one supplier invoice charges for one order line."""

    line_id: Code = Field(description="The order line's id in the system of the order.")
    quantity: Quantity = Field(description="Quantity charged; zero for a charge or credit on the price alone.")
    net_amount: Amount = Field(description="Net amount; negative for a credit.")
    tax_amount: Amount | None = Field(default=None, description="Tax on the line; none: nothing is said.")
    recoverable_tax: Amount | None = Field(
        default=None, description="Part of the tax that is reclaimed; the rest is cost. None: all of it is reclaimed."
    )
    unit: Text | None = Field(default=None, description="Unit of the quantity; none: the order line's.")


class InvoiceFields(Model):
    """A supplier's invoice matched to one order: a document that adds to others, never overwritten."""

    order_native_id: Code = Field(description="Native id of the purchase order.")
    order_system: Text | None = Field(default=None, description="System of the order; none: the reporting one.")
    number: Text | None = Field(default=None, description="Number for people.")
    invoiced_on: dt.date = Field(description="Date of the invoice.")
    currency: Currency = Field(description="ISO 4217 code of every amount in the record.")
    net_total: Amount = Field(description="Sum of the lines' net amounts.")
    lines: tuple[InvoiceLine, ...] = Field(description="The lines, in order.")
    reversal_of: Text | None = Field(
        default=None, description="Native id of the invoice that this one takes back, as far as its lines say."
    )


class InvoiceReport(Model):
    """The ERP's word on one supplier invoice."""

    origin: Origin = Field(description="Which record of which system this speaks of.")
    fields: InvoiceFields = Field(description="The invoice.")


class AcquiredRecord(Model):
    """What was acquired so far for one asset record of an order line."""

    unit_ref: Code = Field(description="line id/unit, unit from 1: the asset record among those of its order line.")
    quantity: Quantity = Field(description="Units acquired.")
    cost: Money = Field(description="Their cost.")
    acquired_on: dt.date = Field(description="Date of the first acquisition.")


class OrderEvent(Model):
    """Shape shared by PoApproved, PoChanged, PoLineCancelled, PoClosed and PoReopened."""

    po_id: Code = Field(description="Canonical id of the purchase order.")
    accepted: Accepted = Field(description="Version, origin and dates of the acceptance.")
    fields: OrderFields = Field(description="The whole order as it is now.")
    records: tuple[AcquiredRecord, ...] = Field(
        default=(), description="Asset records with an acquisition: their cost is no longer the order's price."
    )
    cancelled_lines: tuple[str, ...] = Field(
        default=(),
        description="Ids of order lines that this version took off an approved order, or that went with the whole "
        "order.",
    )


class ReceiptEvent(Model):
    """Shape shared by GoodsReceived and GoodsReceiptReversed."""

    po_id: Code = Field(description="Canonical id of the purchase order.")
    accepted: Accepted = Field(description="Version, origin and dates of the acceptance.")
    fields: ReceiptFields = Field(description="The receipt.")


class InvoiceEvent(Model):
    """Shape shared by InvoiceMatched and InvoiceReversed."""

    po_id: Code = Field(description="Canonical id of the purchase order.")
    accepted: Accepted = Field(description="Version, origin and dates of the acceptance.")
    fields: InvoiceFields = Field(description="The invoice.")


class AcquisitionEvent(Model):
    """Shape shared by AssetCapitalised, AssetCostAdjusted, AssetReclassified and AssetCapitalisationReversed.

    A financial document: the amounts of one proposal's documents add up to its cost in the books. The effective date
    is the date of the acquisition, however late the document came.
    """

    po_id: Code = Field(description="Canonical id of the purchase order.")
    proposal: Code = Field(description="line id/receipt/unit.")
    po_line_ref: Code = Field(description="Asset record it belongs to: system/line id/unit.")
    accepted: Accepted = Field(description="Version, origin and dates of the acceptance.")
    treatment: Treatment = Field(description="What the books do with it.")
    rule: Text | None = Field(default=None, description="Rule of the landscape that decided the treatment.")
    quantity: Quantity = Field(description="Change of the quantity in the books; negative for a reversal.")
    amount: Money = Field(description="Change of the cost in the books.")
    cost_after: Money = Field(description="The proposal's cost in the books afterwards.")
    record: AcquiredRecord = Field(description="The asset record as a whole afterwards, all its receipts together.")
    document: Code = Field(description="Document that caused it: system/native id.")
    document_date: dt.date = Field(description="Date of that document.")
    prior_year: bool = Field(description="True when the document's fiscal year is later than the acquisition's.")
    reason: Text = Field(description="Why, for people.")


class OrderState(Model):
    """What the hub believes of one purchase order."""

    po_id: Code = Field(description="Canonical id of the purchase order.")
    version: int = Field(description="Version of the order in the hub: one more with each accepted change.")
    fields: OrderFields = Field(description="The whole order as it is now.")
    recorded_at: AwareDatetime | None = Field(
        default=None,
        description="When its system recorded the last word the hub took of it; none for a row of before 2026-11.",
    )


class ReceiptState(Model):
    """What the hub accepted of one receipt. Key: purchase order id|system/native id."""

    po_id: Code = Field(description="Canonical id of the purchase order.")
    version: int = Field(description="Version of the entity in the hub.")
    origin_system: Code = Field(description="System whose report caused it.")
    origin_native_id: Code = Field(description="Native id of the reported record.")
    fields: ReceiptFields = Field(description="The receipt.")


class InvoiceState(Model):
    """What the hub accepted of one supplier invoice. Key: purchase order id|system/native id."""

    po_id: Code = Field(description="Canonical id of the purchase order.")
    version: int = Field(description="Version of the entity in the hub.")
    origin_system: Code = Field(description="System whose report caused it.")
    origin_native_id: Code = Field(description="Native id of the reported record.")
    fields: InvoiceFields = Field(description="The invoice.")


class ProposedAsset(Model):
    """What one receipt delivered for one asset record. Key: purchase order id|line id/receipt/unit."""

    po_id: Code = Field(description="Canonical id of the purchase order.")
    version: int = Field(description="Version of the entity in the hub.")
    po_line_ref: Text | None = Field(default=None, description="Asset record: system/line id/unit; none while held.")
    line_id: Code = Field(description="The order line.")
    document: Code = Field(description="Receipt (or invoice, where none is expected) behind it: system/native id.")
    unit: int = Field(description="Asset record among those of its line, from 1; 0 while that is not decided.")
    quantity: Quantity = Field(description="Units.")
    status: ProposalStatus = Field(description="Where it stands on its way into the books.")
    treatment: Treatment | None = Field(default=None, description="What the books do with it; none while undecided.")
    rule: Text | None = Field(default=None, description="Rule of the landscape that decided the treatment.")
    cost: Money | None = Field(default=None, description="Cost in the books, or expensed; none while undecided.")
    acquired_on: dt.date | None = Field(default=None, description="Date of the receipt (or invoice).")
    reason: Text = Field(description="Why it has this status.")
    conflict: Text | None = Field(default=None, description="What contradicts it since; for a person to settle.")
