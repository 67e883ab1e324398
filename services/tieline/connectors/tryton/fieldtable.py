"""Where the canonical fields stand in Tryton. A test feeds marked values through the mapping and compares."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from pydantic import BaseModel

from tieline.connectors.tryton.asset_plan import COMMENT_KEYS
from tieline.connectors.tryton.comment import PO_LINE
from tieline.kernel.asset_records import AssetFields
from tieline.kernel.book_records import BookFields, DepreciationRunFields, ScheduleLine
from tieline.kernel.correspondence import FieldTables, Place, RecordTable
from tieline.kernel.cost_records import CostFields, CostLine
from tieline.kernel.movement_records import MovementFields
from tieline.kernel.order_records import InvoiceFields, InvoiceLine, OrderFields, OrderLine, ReceiptFields, ReceiptLine
from tieline.kernel.reference_records import ReferenceFields

_SIDES = ("lines.debit", "lines.credit")
_COMPANY = Place(("company.party.code",), (), "written only to the company of the settings")
_ASSET_CURRENCY = Place(("company.currency.code",), (), "the company's; another one is refused")
_PERIOD = "lines.move.period"

_ASSET = {
    # What Tryton has no field for stands as "key: value" lines in the comment.
    **{name: Place((f"comment: {key}",), (f"comment: {key}",)) for name, key in COMMENT_KEYS.items()},
    "description": Place(
        ("comment: description", "product.template.name"), ("comment: description",), "else the product's name"
    ),
    "physical_status": Place(
        ("comment: physical-status",),
        ("comment: physical-status", "state"),
        "in service or in maintenance runs a draft",
    ),
    "asset_number": Place(("number",), (), "Tryton gives it when the asset runs"),
    "company": _COMPANY,
    "asset_class": Place(
        ("product.code",),
        ("product", "unit", "end_date"),
        "by asset_classes of the settings; the product's duration gives the end of life",
    ),
    "quantity": Place(("quantity",), ("quantity",)),
    "acquisition_cost": Place(
        ("value", "company.currency.code"), ("value",), "in the company's currency; another one is refused"
    ),
    "acquisition_date": Place(("purchase_date",), ("purchase_date",)),
    "in_service_date": Place(
        ("start_date", "state"),
        ("start_date", "end_date", "state"),
        "a draft's start date is a plan; a date runs a draft",
    ),
    "financial_status": Place(("state",), ()),
    "disposal_date": Place(("move.date", "state"), ("move.date", "state"), "closes the asset on that day"),
    "po_line_ref": Place(
        (f"comment: {PO_LINE}", "supplier_invoice_line.origin"), (f"comment: {PO_LINE}",), "else the invoice line's"
    ),
}
_BOOK = {
    "book_id": Place((), (), "always main: Tryton keeps one book"),
    "currency": _ASSET_CURRENCY,
    "method": Place(("depreciation_method",), (), "linear = SL; others are refused"),
    "gross_cost": Place(("value", "state"), (), "nothing of a closed asset: it is in the books no more"),
    "salvage": Place(("residual_value",)),
    "accumulated": Place(
        ("depreciated_amount", "lines.depreciation", "lines.move.state", "state"),
        (),
        "what was brought in, and posted lines; nothing of a closed asset",
    ),
    "net_book_value": Place(("value", "depreciated_amount", "lines.depreciation", "lines.move.state", "state")),
    "as_of": Place(
        ("lines.date", "lines.move.state", "start_date", "move.date", "state"),
        (),
        "of the last posted line, else the start; of a closed asset, the closing",
    ),
    "start_date": Place(("start_date",)),
    "end_date": Place(("end_date",)),
}
_SCHEDULE = {
    "date": Place(("lines.date",)),
    "posting_period": Place(
        (
            *("lines.move.state", f"{_PERIOD}.start_date"),
            *(f"{_PERIOD}.fiscalyear.{name}" for name in ("name", "start_date", "end_date")),
        ),
        (),
        "of a posted line: its month's place in the fiscal year, which is called by its name or by the year it ends in",
    ),
    "depreciation": Place(("lines.depreciation",)),
    "accumulated_after": Place(("lines.accumulated_depreciation",)),
    "net_book_value_after": Place(("lines.actual_value",)),
    "posted": Place(("lines.move.state",)),
    "document": Place(("lines.move.number", "lines.move.state"), (), "of a posted line"),
}
_UNSAID = Place((), (), "not said")
_ORDER = {
    "company": Place(("company.party.code",)),
    "po_number": Place(("number",)),
    "supplier": Place(("party.code",)),
    "currency": Place(("currency.code",)),
    "order_date": Place(("purchase_date",)),
    "approval_status": Place(
        ("state",), (), "quotation = PENDING; confirmed, processing, done = APPROVED; draft and cancelled as they are"
    ),
    "net_total": Place(("lines.amount",), (), "the sum"),
    "fulfilment_status": _UNSAID,
    "invoice_status": _UNSAID,
    "closed": Place(("state",), (), "done = closed"),
    "blanket": Place((), (), "never: a call-off is an order of its own"),
}
_ORDER_LINE = {
    "line_id": Place(("lines.id",)),
    "line_no": Place((), (), "counted; comments, titles and subtotals are left out"),
    "item": Place(("lines.product.code",)),
    "description": Place(
        ("lines.description", "lines.product.template.name", "lines.product.code"), (), "the first that is filled in"
    ),
    "asset_class": Place(
        ("lines.product.code", "lines.product.template.type"), (), "by asset_classes of the settings, of type assets"
    ),
    "quantity": Place(("lines.quantity",)),
    "unit": Place(("lines.unit.symbol",)),
    "unit_price": Place(("lines.unit_price",)),
    "net_amount": Place(("lines.amount",)),
    "tax_amount": _UNSAID,
    "recoverable_tax": _UNSAID,
    "match_type": _UNSAID,
    "gr_expected": Place(
        ("lines.product.template.type",), (), "of goods and assets; services and what is no product are only invoiced"
    ),
    "gr_valuated": Place((), (), "always"),
    "final_delivery": Place((), (), "never"),
    "final_invoice": Place((), (), "never"),
}
_COST = {
    "work_order": Place(("description: work order", "number"), ("description: work order",), "else the move's number"),
    "asset_native_id": Place(("origin",), (), "written by the asset's number, as the command gives it"),
    "company": _COMPANY,
    "currency": _ASSET_CURRENCY,
    "cost_centre": Place(
        ("description: cost centre", "lines.analytic_lines.account.code"),
        ("description: cost centre", "lines.analytic_lines.account"),
        "in the description where other cost centres bear something of the document",
    ),
    "effective_date": Place(
        ("description: effective", "date"),
        ("date", "period", "lines.analytic_lines.date"),
        "a late document's date and period are those it is posted in, its own is in the description",
    ),
    "total": Place(_SIDES, _SIDES, "the sum; written as the line on the accrual account"),
    "reversal_of": Place(("description: reverses",), ("description: reverses",)),
    "treatment": Place((), (), "not kept: only expenses come here, and what is capital a person posts on the asset"),
    "extends_life_periods": Place((), (), "not kept: see treatment"),
}
_COST_LINE = {
    "line_no": Place((), (), "counted; lines on the expense account of the settings"),
    "kind": Place(("lines.description",), ("lines.description",), "kind x quantity: description"),
    "description": Place(("lines.description",), ("lines.description",), "kind x quantity: description"),
    "quantity": Place(("lines.description",), ("lines.description",), "kind x quantity: description"),
    "amount": Place(
        _SIDES, (*_SIDES, *(f"lines.analytic_lines.{side}" for side in ("debit", "credit"))), "a credit swaps the sides"
    ),
    "source_ref": Place((), (), "not kept: accept has posted each source once before it comes here"),
    "receivers": Place(
        ("description: cost centre", "lines.analytic_lines.account.code"),
        (
            *("description: cost centre", "lines.account", "lines.description", *_SIDES),
            *(f"lines.analytic_lines.{name}" for name in ("account", "date", "debit", "credit")),
        ),
        "cost centres only, a line of the move for each",
    ),
}
_RETURNED = "origin.purchase.origin"
_TAKEN_BACK = tuple(f"{_RETURNED}.lines.moves.{name}" for name in ("effective_date", "quantity"))
_RECEIPT = {
    "order_native_id": Place(("origin.purchase.id", f"{_RETURNED}.id"), (), "of a return order, the one it returns"),
    "order_system": Place((), (), "always its own"),
    "number": Place(("shipment.number",), (), "none without a shipment"),
    "received_on": Place(("effective_date",), (), "of a cancelled receipt, too: it never came"),
    "reversal_of": Place(
        ("state", f"{_RETURNED}.lines.moves.id", *_TAKEN_BACK),
        (),
        "itself when cancelled; of what is sent back, the latest receipts of its line, one report for each",
    ),
}
_PIECES = Place(("quantity", *_TAKEN_BACK), (), "in the order line's unit, another is refused; shared by the receipts")
_RECEIPT_LINE = {
    "line_id": Place(("origin.id", f"{_RETURNED}.lines.id")),
    "quantity": _PIECES,
    "accepted": _PIECES,
    "rejected": Place((), (), "always 0: what is not wanted is sent back"),
    "unit": Place((), (), "not said: always the order line's, another is refused"),
}
_CREDITED = ("origin_invoices.id", "origin_invoices.purchases.id")
_INVOICE = {
    "order_native_id": Place(
        ("purchases.id", "origin_invoices.purchases.id"), (), "whose line it charges; one report for each order"
    ),
    "order_system": Place((), (), "always its own"),
    "number": Place(("number",)),
    "invoiced_on": Place(
        ("invoice_date", "accounting_date", "cancel_move.date"),
        (),
        "else the accounting date; of a cancellation, that of its move",
    ),
    "currency": Place(("currency.code",)),
    "net_total": Place(("lines.amount",), (), "the sum"),
    "reversal_of": Place(
        ("id", "state", "purchases.id", *_CREDITED), (), "invoice|order that is credited; itself when cancelled"
    ),
}
_INVOICE_LINE = {
    "line_id": Place(
        ("lines.origin", "origin_invoices.lines.origin"), (), "of a credit, the line that the invoice charged"
    ),
    "quantity": Place(("lines.quantity",), (), "in the order line's unit, another is refused; turned for a credit"),
    "net_amount": Place(("lines.amount",), (), "turned for a credit"),
    "unit": Place((), (), "not said: always the order line's, another is refused"),
    "tax_amount": _UNSAID,
    "recoverable_tax": _UNSAID,
}
_RUN = {
    "company": Place(("company.party.code",)),
    "book_id": Place((), (), "always main: Tryton keeps one book"),
    "period": Place(
        ("start_date", *(f"fiscalyear.{name}" for name in ("name", "start_date", "end_date"))), (), "as of a posting"
    ),
    "currency": Place(("company.currency.code",)),
    "expected_count": Place(("posted_count",), (), "posted moves in the ledger whose origin is a line of a schedule"),
    "control_total": Place(("posted_debit",), (), "the sum of their debits in the ledger"),
    "status": Place(("draft_count",), (), "RUNNING while one of these moves is not posted"),
}
_REFERENCE = {
    "code": Place(
        ("code", "party.code", "products.code"),
        (),
        "an employee's is the party's; an asset class's the product's, by asset_classes of the settings",
    ),
    "name": Place(("name",), (), "never an employee's"),
    "company": Place(("company.party.code",), (), "none for suppliers and asset classes"),
    "parent": Place(
        ("parent.code", "parent.type", "supervisor.party.code"),
        (),
        "of a cost centre, one of type normal; of an account, one that has a type; of an employee, the supervisor",
    ),
    "valid_from": Place(("start_date",), (), "of accounts and employees; of others not said"),
    "valid_to": Place(("end_date",), (), "of accounts and employees; of others not said"),
    "status": Place(
        ("state", "active", "closed", "products.active"),
        (),
        "inactive or closed = CLOSED; a draft cost centre = LOCKED; an employee is active, the days count",
    ),
    "balance_sheet_relevant": _UNSAID,
}
_LINES = tuple(f"{prefix}{side}" for prefix in ("", "origin.") for side in _SIDES)
_STATEMENT = "lines.account.type.statement"
_BY_MOVE_OR_ASSET = ("", "origin.", "asset.")
_MOVEMENT = {
    "kind": Place(
        (_STATEMENT, "lines.account.code"),
        (),
        "the asset's move is a disposal, one of its update_moves a change of value: REVALUATION against income, "
        "expense or an account of revaluation_surplus_accounts, else ACQUISITION_ADJUSTMENT; a revision is LIFE_CHANGE",
    ),
    "asset_native_id": Place(("origin.id", "origin.origin.id", "asset.id")),
    "book_id": Place((), (), "always main: Tryton keeps one book"),
    "company": Place(tuple(f"{prefix}company.party.code" for prefix in _BY_MOVE_OR_ASSET)),
    "currency": Place(tuple(f"{prefix}company.currency.code" for prefix in _BY_MOVE_OR_ASSET)),
    "effective_date": Place(
        ("date", "create_date", *(f"asset.update_moves.{name}" for name in ("date", "create_date"))),
        (),
        "of the move; of a revision without one, the day it was made",
    ),
    "posting_period": Place(
        ("period.start_date", *(f"period.fiscalyear.{name}" for name in ("name", "start_date", "end_date"))),
        (),
        "as of a posting; none of a revision",
    ),
    "document": Place(("number",), (), "none of a revision"),
    "reason": Place(
        ("description", "create_date", *(f"origin.revisions.{name}" for name in ("description", "create_date"))),
        (),
        "of a change of value, that of the revision made at the same time",
    ),
    "cost_change": Place(
        _LINES, (), "of an update, what its counterpart bears: the first line; of closing, the first line turned"
    ),
    "accumulated_change": Place(
        _LINES,
        (),
        "of closing, the second line turned; an update changes the value alone, whatever account it posts on",
    ),
    "net_book_value_change": Place(_LINES),
    "surplus_change": Place(
        ("lines.account.code", *_SIDES, _STATEMENT), (), "against an account of revaluation_surplus_accounts"
    ),
    "retained_earnings_change": Place((), (), "never: Tryton realises no surplus"),
    "proceeds": Place((), (), "not said: they stand on the customer's invoice"),
    "income": Place((*_SIDES, _STATEMENT), (), "a write-up against income or expense"),
    "expense": Place((*_LINES, _STATEMENT), (), "a write-down against income or expense; the book value at closing"),
    "clearing": Place(
        ("lines.account.code", *_SIDES, _STATEMENT), (), "against any other account of the balance sheet"
    ),
    "disposal_kind": Place(
        ("origin.comment: disposal-kind", "origin.origin.comment: disposal-kind"),
        (),
        "else SALE where a customer's invoice closed it",
    ),
    **dict.fromkeys(("share_numerator", "share_denominator"), Place((), (), "never: Tryton closes an asset whole")),
    **dict.fromkeys(
        ("cost_before", "accumulated_before", "transaction", "counterpart_native_id", "counterpart_company"), _UNSAID
    ),
    **dict.fromkeys(("from_class", "to_class"), Place((), (), "never: an asset keeps its product")),
    "from_life_periods": Place(
        ("asset.revisions.end_date", "asset.start_date", "asset.frequency"),
        (),
        "by the revision before; not said of a first one, which counts where the life is not the product's",
    ),
    "to_life_periods": Place(
        ("end_date", "asset.start_date", "asset.frequency"), (), "a part of a period counts as one"
    ),
    "policy": Place((), (), "always REMAINING_LIFE"),
    "reversal_of": Place((), (), "the origin of the move: the one that is cancelled"),
}
_RECORDS: Mapping[type[BaseModel], tuple[str, Mapping[str, Place]]] = {
    AssetFields: ("account.asset", _ASSET),
    BookFields: ("account.asset", _BOOK),
    ScheduleLine: ("account.asset", _SCHEDULE),
    OrderFields: ("purchase.purchase", _ORDER),
    OrderLine: ("purchase.purchase", _ORDER_LINE),
    CostFields: ("account.move", _COST),
    CostLine: ("account.move", _COST_LINE),
    ReceiptFields: ("stock.move", _RECEIPT),
    ReceiptLine: ("stock.move", _RECEIPT_LINE),
    InvoiceFields: ("account.invoice", _INVOICE),
    InvoiceLine: ("account.invoice", _INVOICE_LINE),
    DepreciationRunFields: ("account.period", _RUN),
    MovementFields: ("account.move, account.asset.revision", _MOVEMENT),
    ReferenceFields: (
        "analytic_account.account, account.account, product.template, party.party, company.employee",
        _REFERENCE,
    ),
}


def tables(settings: Mapping[str, object]) -> FieldTables:
    """The place of every canonical field; the same whatever the settings."""
    del settings
    return {model.__name__: RecordTable(native, places) for model, (native, places) in _RECORDS.items()}


def page(settings: Mapping[str, object]) -> str:
    """Markdown: one table per canonical record, its fields in canonical order. Ends with a newline."""
    del settings
    parts = [
        "# Field mapping: Tryton",
        "Generated from the connector's field table; do not edit. Written anew by `make docs`.",
        "`a.b` is field b of the record that field a points to; `comment: key` is the line `key: value` in that text.",
    ]
    for model, (native, places) in _RECORDS.items():
        rows = "\n".join(_rows(model, places))
        head = "| canonical field | read from | written to | note | meaning |\n|---|---|---|---|---|"
        parts.append(f"## {model.__name__}: `{native}`\n\n{head}\n{rows}")
    return "\n\n".join(parts) + "\n"


def _rows(model: type[BaseModel], places: Mapping[str, Place]) -> Iterator[str]:
    for name, info in model.model_fields.items():
        if name in places:
            place = places[name]
            cells = (name, _names(place.read), _names(place.written), place.note, info.description or "")
            yield f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in cells)} |"


def _names(names: tuple[str, ...]) -> str:
    return ", ".join(f"`{name}`" for name in names)
