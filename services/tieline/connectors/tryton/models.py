"""The shapes of Tryton's records as this connector reads them.

``FIELDS`` beside each shape are the names asked for. Tryton answers ``a.b`` as a record under ``"a."``.
"""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from typing import Annotated, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from tieline.connectors.tryton import wire


def _number(value: object) -> Decimal:
    if isinstance(value, bool) or not isinstance(value, int | Decimal):
        raise ValueError("must be a number")  # noqa: TRY004  - pydantic turns only ValueError into a place and a reason
    return Decimal(value)


Exact = Annotated[Decimal, BeforeValidator(wire.decimal)]
Day = Annotated[dt.date, BeforeValidator(wire.date)]
Instant = Annotated[dt.datetime, BeforeValidator(wire.instant)]
Number = Annotated[Decimal, BeforeValidator(_number)]


class Row(BaseModel):
    """Base of every shape: what is not asked for is not looked at; types are not bent."""

    model_config = ConfigDict(frozen=True, extra="ignore", strict=True)

    id: int


class Stamped(Row):
    """A row with the times of its making and of its last change."""

    create_date: Instant
    write_date: Instant | None

    @property
    def changed_at(self) -> dt.datetime:
        """When it last changed (UTC); a row never written since it was made has no write date."""
        return self.write_date or self.create_date


class Coded(Row):
    """Anything with a code."""

    code: str | None


class Template(Row):
    """What a product is made of."""

    type: str
    name: str | None = None


class Product(Coded):
    """A product."""

    template: Template = Field(alias="template.")


class Company(Row):
    """A company, known by its party's code."""

    party: Coded = Field(alias="party.")
    currency: Coded = Field(alias="currency.")


class FiscalYear(Row):
    """A fiscal year."""

    name: str
    start_date: Day
    end_date: Day


class FiscalPeriod(Row):
    """A period of a fiscal year."""

    start_date: Day
    fiscalyear: FiscalYear = Field(alias="fiscalyear.")


class PeriodOfYear(Row):
    """A period among those of its year."""

    start_date: Day
    type: Literal["standard", "adjustment"]


class YearOfPeriods(FiscalYear):
    """A fiscal year with all its periods: a period's number is its place among them."""

    periods: tuple[PeriodOfYear, ...] = Field(alias="periods.", strict=False)


class Period(Stamped):
    """``account.period`` with its year; the users are ids, never names."""

    state: Literal["open", "closed", "locked"]
    type: Literal["standard", "adjustment"]
    start_date: Day
    end_date: Day
    create_uid: int | None
    write_uid: int | None
    fiscalyear: YearOfPeriods = Field(alias="fiscalyear.")
    company: Company = Field(alias="company.")


class LineMove(Stamped):
    """The account move behind a depreciation line."""

    number: str | None
    state: Literal["draft", "posted"]
    period: FiscalPeriod = Field(alias="period.")


class AssetLine(Stamped):
    """One line of an asset's schedule."""

    date: Day
    depreciation: Exact
    accumulated_depreciation: Exact
    actual_value: Exact
    move: LineMove | None = Field(alias="move.")


class ClosingMove(Stamped):
    """The account move that closed an asset."""

    date: Day
    number: str | None


class SupplierInvoiceLine(Row):
    """The invoice line an asset was bought with; its origin is ``purchase.line,<id>`` or nothing."""

    origin: str | None


class Asset(Stamped):
    """``account.asset`` with its schedule."""

    number: str | None
    state: Literal["draft", "running", "closed"]
    comment: str | None
    quantity: Number | None
    value: Exact
    depreciated_amount: Exact
    residual_value: Exact
    purchase_date: Day
    start_date: Day
    end_date: Day
    depreciation_method: str
    frequency: str
    product: Product = Field(alias="product.")
    company: Company = Field(alias="company.")
    supplier_invoice_line: SupplierInvoiceLine | None = Field(alias="supplier_invoice_line.")
    move: ClosingMove | None = Field(alias="move.")
    lines: tuple[AssetLine, ...] = Field(alias="lines.", strict=False)


class PurchaseLine(Stamped):
    """``purchase.line``; a line of type comment, title or subtotal buys nothing."""

    type: str
    description: str | None
    quantity: Number | None
    unit_price: Exact | None
    amount: Exact | None
    product: Product | None = Field(alias="product.")
    unit: SymbolRow | None = Field(alias="unit.")


class SymbolRow(Row):
    """A unit of measure."""

    symbol: str | None


class Purchase(Stamped):
    """``purchase.purchase`` with its lines."""

    number: str | None
    state: Literal["draft", "quotation", "confirmed", "processing", "done", "cancelled"]
    purchase_date: Day | None
    party: Coded = Field(alias="party.")
    currency: Coded = Field(alias="currency.")
    company: Company = Field(alias="company.")
    lines: tuple[PurchaseLine, ...] = Field(alias="lines.", strict=False)


class AnalyticLine(Stamped):
    """The cost centre of a move line."""

    account: Coded = Field(alias="account.")


class MoveLine(Stamped):
    """One line of an account move."""

    debit: Exact
    credit: Exact
    description: str | None
    account: Coded = Field(alias="account.")
    analytic_lines: tuple[AnalyticLine, ...] = Field(alias="analytic_lines.", strict=False)


class Move(Stamped):
    """``account.move`` of the maintenance journal."""

    number: str | None
    state: Literal["draft", "posted"]
    date: Day
    description: str | None
    origin: str | None
    company: Company = Field(alias="company.")
    lines: tuple[MoveLine, ...] = Field(alias="lines.", strict=False)


class LocationOfType(Row):
    """A stock location."""

    type: str


class Numbered(Row):
    """Anything with a number for people."""

    number: str | None


class MoveOfLine(Row):
    """A stock move of a purchase line, as far as a return must know of it."""

    state: str
    quantity: Number
    effective_date: Day | None
    from_location: LocationOfType = Field(alias="from_location.")


class ReceivedLine(Row):
    """A purchase line with its stock moves."""

    product: int | None
    moves: tuple[MoveOfLine, ...] = Field(alias="moves.", strict=False)


class ReturnedPurchase(Row):
    """The order that a return order sends goods of back."""

    lines: tuple[ReceivedLine, ...] = Field(alias="lines.", strict=False)


class PurchaseOfMove(Row):
    """The order of a stock move; with ``origin``, a return order and the order it returns."""

    origin: ReturnedPurchase | None = Field(alias="origin.")


class LineOfMove(ReceivedLine):
    """The purchase line that a stock move delivers, or sends back."""

    unit: SymbolRow | None = Field(alias="unit.")
    purchase: PurchaseOfMove = Field(alias="purchase.")


class StockMove(Stamped):
    """``stock.move`` between a supplier and the stock, for a purchase line."""

    state: Literal["done", "cancelled"]
    quantity: Number
    effective_date: Day
    unit: SymbolRow = Field(alias="unit.")
    from_location: LocationOfType = Field(alias="from_location.")
    to_location: LocationOfType = Field(alias="to_location.")
    shipment: Numbered | None = Field(alias="shipment.")
    line: LineOfMove = Field(alias="origin.")


class LineOfOrder(Row):
    """A purchase line, as far as an invoice must know of it."""

    unit: SymbolRow | None = Field(alias="unit.")


class OrderOfInvoice(Row):
    """An order that an invoice charges."""

    lines: tuple[LineOfOrder, ...] = Field(alias="lines.", strict=False)


class CreditedLine(Row):
    """A line of an invoice that a credit note takes back; its origin is ``purchase.line,<id>``."""

    origin: str | None


class CreditedInvoice(Row):
    """An invoice that a credit note takes back."""

    lines: tuple[CreditedLine, ...] = Field(alias="lines.", strict=False)
    purchases: tuple[OrderOfInvoice, ...] = Field(alias="purchases.", strict=False)


class CancellingMove(Row):
    """The account move that undid an invoice; of a refund, its origin is the credit note."""

    date: Day
    origin: str | None


class SupplierInvoiceLineOf(Row):
    """A line of a supplier's invoice; its origin is a purchase line, or the invoice line it credits."""

    type: str
    quantity: Number | None
    amount: Exact | None
    origin: str | None
    unit: SymbolRow | None = Field(alias="unit.")


class SupplierInvoice(Stamped):
    """``account.invoice`` of type in, posted at some time."""

    number: str | None
    state: Literal["posted", "paid", "cancelled"]
    invoice_date: Day | None
    accounting_date: Day | None
    currency: Coded = Field(alias="currency.")
    cancel_move: CancellingMove | None = Field(alias="cancel_move.")
    lines: tuple[SupplierInvoiceLineOf, ...] = Field(alias="lines.", strict=False)
    purchases: tuple[OrderOfInvoice, ...] = Field(alias="purchases.", strict=False)
    credited: tuple[CreditedInvoice, ...] = Field(alias="origin_invoices.", strict=False)


class PostedDepreciation(FiscalPeriod):
    """``account.period`` with what the general ledger holds of depreciation in it; see ``runs``."""

    company: Company = Field(alias="company.")
    posted_count: int
    posted_debit: Exact
    draft_count: int
    changed_at: Instant


_STAMPS = ("create_date", "write_date")
_COMPANY = ("company.party.code", "company.currency.code")


def _under(prefix: str, names: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(f"{prefix}.{name}" for name in names)


ASSET_FIELDS: tuple[str, ...] = (
    *("number", "state", "comment", "quantity", "value", "depreciated_amount", "residual_value"),
    *("purchase_date", "start_date", "end_date", "depreciation_method", "frequency", "_timestamp"),
    *_STAMPS,
    *_COMPANY,
    *("product.code", "product.template.type", "product.template.name"),
    "supplier_invoice_line.origin",
    *_under("move", ("date", "number", *_STAMPS)),
    *_under("lines", ("date", "depreciation", "accumulated_depreciation", "actual_value", *_STAMPS)),
    *_under("lines.move", ("number", "state", *_STAMPS, "period.start_date")),
    *_under("lines.move.period.fiscalyear", ("name", "start_date", "end_date")),
)
PURCHASE_FIELDS: tuple[str, ...] = (
    *("number", "state", "purchase_date", "party.code", "currency.code", *_STAMPS, *_COMPANY),
    *_under("lines", ("type", "description", "quantity", "unit_price", "amount", "unit.symbol", *_STAMPS)),
    *("lines.product.code", "lines.product.template.type", "lines.product.template.name"),
)
MOVE_FIELDS: tuple[str, ...] = (
    *("number", "state", "date", "description", "origin", *_STAMPS, *_COMPANY),
    *_under("lines", ("debit", "credit", "description", "account.code", *_STAMPS)),
    *_under("lines.analytic_lines", ("account.code", *_STAMPS)),
)
PERIOD_FIELDS: tuple[str, ...] = (
    *("state", "type", "start_date", "end_date", "create_uid", "write_uid", *_STAMPS, *_COMPANY),
    *_under("fiscalyear", ("name", "start_date", "end_date")),
    *_under("fiscalyear.periods", ("start_date", "type")),
)
_MOVE_OF_LINE = ("state", "quantity", "effective_date", "from_location.type")
RECEIPT_FIELDS: tuple[str, ...] = (
    *("state", "quantity", "effective_date", "unit.symbol", *_STAMPS),
    *("from_location.type", "to_location.type", "shipment.number"),
    *("origin.product", "origin.unit.symbol", *_under("origin.moves", _MOVE_OF_LINE)),
    *("origin.purchase.origin.lines.product", *_under("origin.purchase.origin.lines.moves", _MOVE_OF_LINE)),
)
INVOICE_FIELDS: tuple[str, ...] = (
    *("number", "state", "invoice_date", "accounting_date", "currency.code", *_STAMPS),
    *_under("cancel_move", ("date", "origin")),
    *_under("lines", ("type", "quantity", "amount", "origin", "unit.symbol")),
    "purchases.lines.unit.symbol",
    *_under("origin_invoices", ("lines.origin", "purchases.lines.unit.symbol")),
)
RUN_FIELDS: tuple[str, ...] = (
    *("start_date", *_COMPANY),
    *_under("fiscalyear", ("name", "start_date", "end_date")),
)
