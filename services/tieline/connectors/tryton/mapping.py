"""Tryton's records to canonical reports. Pure; a record at fault raises ``Rejected`` with the field's path."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from typing import TypeVar

from tieline.connectors.tryton import comment, costs_text, documents, movements, reference_reports, wire
from tieline.connectors.tryton.building import (
    Context,
    checked,
    months_into,
    origin_of,
    parse,
    path,
    period_name,
    quantity_of,
    year_name,
)
from tieline.connectors.tryton.models import (
    Asset,
    AssetLine,
    Move,
    MoveLine,
    Period,
    PostedDepreciation,
    Purchase,
    PurchaseLine,
    Stamped,
    StockMove,
    SupplierInvoice,
)
from tieline.connectors.tryton.movement_models import AssetMove, AssetRevision, CancellingMove
from tieline.connectors.tryton.reference_models import (
    CostCentre,
    DepreciableTemplate,
    Employee,
    LedgerAccount,
    Supplier,
)
from tieline.kernel.asset_records import AssetFields, AssetReport, DisposalKind, FinancialStatus, PhysicalStatus
from tieline.kernel.book_records import BookFields, BookReport, ScheduleLine
from tieline.kernel.calendars import REGULAR_PERIODS
from tieline.kernel.code_lists import ListName
from tieline.kernel.cost_records import CostFields, CostLine, CostReceiver, CostReport, ReceiverKind
from tieline.kernel.digests import digest_fields
from tieline.kernel.errors import Rejected
from tieline.kernel.order_records import ApprovalStatus, OrderFields, OrderLine, OrderReport
from tieline.kernel.period_records import FiscalPeriodFields, FiscalPeriodReport, PeriodStatus
from tieline.kernel.protocols import RawItem
from tieline.kernel.reference_records import Family
from tieline.kernel.reports import Report

ASSETS, PURCHASE_ORDERS, COSTS, PERIODS = "assets", "purchase-orders", "costs", "fiscal-periods"
SNAPSHOT_STREAMS = (ASSETS, PURCHASE_ORDERS, COSTS)  # what reconciliation compares
RECEIPTS, INVOICES, RUNS = "receipts", "supplier-invoices", "depreciation-runs"
MOVEMENTS, REVISIONS, REVERSALS = "book-movements", "book-revisions", "movement-reversals"
COST_CENTRES, ACCOUNTS, ASSET_CLASSES = "cost-centres", "accounts", "asset-classes"
SUPPLIERS, EMPLOYEES = "suppliers", "employees"
REFERENCES: Mapping[Family, str] = {
    "cost-centre": COST_CENTRES,
    "gl-account": ACCOUNTS,
    "asset-class": ASSET_CLASSES,
    "supplier": SUPPLIERS,
    "employee": EMPLOYEES,
}
STREAMS = (
    *(*SNAPSHOT_STREAMS, PERIODS, RECEIPTS, INVOICES, RUNS),
    *(MOVEMENTS, REVISIONS, REVERSALS),
    *REFERENCES.values(),
)
BOOK_ID = "main"
METHODS = {"linear": "SL"}
FINANCIAL_STATUS = {
    "draft": FinancialStatus.DRAFT,
    "running": FinancialStatus.RUNNING,
    "closed": FinancialStatus.CLOSED,
}
APPROVAL_STATUS = {
    "draft": ApprovalStatus.DRAFT,
    "quotation": ApprovalStatus.PENDING,
    "confirmed": ApprovalStatus.APPROVED,
    "processing": ApprovalStatus.APPROVED,
    "done": ApprovalStatus.APPROVED,
    "cancelled": ApprovalStatus.CANCELLED,
}
# A locked period differs from a closed one only in that nobody can open it again.
PERIOD_STATUS = {"open": PeriodStatus.OPEN, "closed": PeriodStatus.CLOSED, "locked": PeriodStatus.CLOSED}
MAX_SPECIAL_PERIODS = 4
Document = Mapping[str, wire.Json]
RECEIVED_TYPES = frozenset({"goods", "assets"})


def map_item(context: Context, item: RawItem) -> Sequence[Report]:
    """The reports that one stored record makes, asset before book. Raises ``Rejected`` with the field's path."""
    if item.stream not in _REPORTS:
        raise Rejected(f"{item.stream} is not a stream of this connector", field="stream")
    return _REPORTS[item.stream](context, wire.parse_payload(item.payload))


def digest(report: AssetReport | CostReport) -> str:
    """The hash that recognises this state when it comes back (Invariant 8)."""
    return digest_fields(report.fields)


def asset_report(context: Context, asset: Asset) -> AssetReport:
    """What Tryton says of one asset, asset management's own values in its comment included."""
    said = comment.read_values(asset.comment)
    running = asset.state != "draft"
    stamps = (asset.changed_at, *(line.changed_at for line in asset.lines))
    recorded_on = max(stamps).date()
    fields = {
        "tag": said.get("tag"),
        "serial_number": said.get("serial"),
        "description": said.get("description") or asset.product.template.name,
        "location": _meaning(context, "location", said.get("location"), recorded_on, "comment.location"),
        "condition": said.get("condition"),
        "custodian": said.get("custodian"),
        "physical_status": _member(PhysicalStatus, said.get("physical-status")),
        "asset_number": asset.number,
        "company": asset.company.party.code,
        "asset_class": _asset_class(context, asset.product.code, recorded_on, "product.code"),
        "cost_centre": _meaning(context, "cost-centre", said.get("cost-centre"), recorded_on, "comment.cost-centre"),
        "quantity": quantity_of(asset.quantity, "quantity"),
        "acquisition_cost": {"amount": asset.value, "currency": asset.company.currency.code},
        "acquisition_date": asset.purchase_date,
        # A draft's start date is a plan: only what runs is in service by the books.
        "in_service_date": asset.start_date if running else None,
        "financial_status": FINANCIAL_STATUS[asset.state],
        "disposal_date": asset.move.date if asset.state == "closed" and asset.move else None,
        "disposal_kind": _member(DisposalKind, said.get("disposal-kind")),
        "po_line_ref": po_line_ref(context.system, asset),
    }
    origin = origin_of(context, "asset", str(asset.id), stamps, said.get(comment.HUB_REF))
    return checked(lambda: AssetReport(origin=origin, fields=AssetFields.model_validate(fields)), "fields")


def po_line_ref(system: str, asset: Asset) -> str | None:
    """``system/purchase line/ordinal``: from the comment, which knows the unit, else from the invoice line."""
    said = comment.read_values(asset.comment).get(comment.PO_LINE)
    if said is not None:
        return said if said.count("/") >= 2 else f"{system}/{said if '/' in said else said + '/1'}"  # noqa: PLR2004  - system/line/ordinal
    origin = asset.supplier_invoice_line.origin if asset.supplier_invoice_line else None
    model, _, line = (origin or "").partition(",")
    return f"{system}/{line}/1" if model == "purchase.line" and line else None


def book_report(context: Context, asset: Asset) -> BookReport | None:
    """The asset's one book with its whole schedule; None while it has no schedule.

    What is closed is in the books no more (IAS 16.67): its closing move took cost and accumulated depreciation out.
    """
    if not asset.lines:
        return None
    lines = sorted(asset.lines, key=lambda line: (line.date, line.id))
    posted = [line for line in lines if line.move is not None and line.move.state == "posted"]
    accumulated = asset.depreciated_amount + sum((line.depreciation for line in posted), Decimal(0))
    as_of = posted[-1].date if posted else asset.start_date
    gross = asset.value
    if asset.state == "closed" and asset.move is not None:
        gross, accumulated, as_of = Decimal(0), Decimal(0), asset.move.date
    method = _method(context, asset.depreciation_method, as_of)
    native_id = str(asset.id)
    stamps = (asset.changed_at, *(s for line in lines for s in _line_stamps(line)))
    origin = origin_of(context, "book", f"{native_id}|{BOOK_ID}", stamps, None)

    def build() -> BookReport:
        fields = BookFields(
            book_id=BOOK_ID,
            currency=asset.company.currency.code or "",
            method=method,
            gross_cost=gross,
            salvage=asset.residual_value,
            accumulated=accumulated,
            net_book_value=gross - accumulated,
            as_of=as_of,
            start_date=asset.start_date,
            end_date=asset.end_date,
            lines=tuple(_schedule_line(line) for line in lines),
        )
        return BookReport(origin=origin, asset_native_id=native_id, fields=fields)

    return checked(build, "fields")


def order_report(context: Context, purchase: Purchase) -> OrderReport:
    """What Tryton says of one purchase order; lines that buy nothing (comments, titles, subtotals) are left out."""
    bought = [(place, line) for place, line in enumerate(purchase.lines) if line.type == "line"]
    stamps = (purchase.changed_at, *(line.changed_at for line in purchase.lines))
    day = purchase.purchase_date or max(stamps).date()
    lines = tuple(_order_line(context, number, day, place, line) for number, (place, line) in enumerate(bought, 1))
    origin = origin_of(context, "purchase-order", str(purchase.id), stamps, None)

    def build() -> OrderReport:
        fields = OrderFields(
            company=purchase.company.party.code or "",
            po_number=purchase.number,
            supplier=purchase.party.code,
            currency=purchase.currency.code or "",
            order_date=purchase.purchase_date,
            approval_status=APPROVAL_STATUS[purchase.state],
            net_total=sum((line.net_amount for line in lines), Decimal(0)),
            lines=lines,
            closed=purchase.state == "done",
        )
        return OrderReport(origin=origin, fields=fields)

    return checked(build, "fields")


def cost_report(context: Context, move: Move) -> CostReport:
    """What Tryton says of one posting of maintenance costs: the lines on the expense account, credits negative."""
    said = costs_text.read_document(move.description)
    expenses = sorted(
        (line for line in move.lines if line.account.code == context.expense_account), key=lambda line: line.id
    )
    centres = [_centres(context, line, move.date) for line in expenses]
    model, _, asset = (move.origin or "").partition(",")
    stamps = (move.changed_at, *(line.changed_at for line in move.lines))
    origin = origin_of(context, "cost-document", str(move.id), stamps, said.hub_ref)

    def build() -> CostReport:
        lines = tuple(
            _cost_line(number, line.description, line.debit - line.credit, _receivers(found, said.cost_centre))
            for number, (line, found) in enumerate(zip(expenses, centres, strict=True), 1)
        )
        fields = CostFields(
            # A posting made by hand names no work order: its own number stands in.
            work_order=said.work_order or move.number or str(move.id),
            asset_native_id=asset if model == "account.asset" and asset else None,
            company=move.company.party.code or "",
            currency=move.company.currency.code or "",
            cost_centre=said.cost_centre or ",".join(sorted(set().union(*centres))) or "UNASSIGNED",
            effective_date=said.effective_date or move.date,
            total=sum((line.amount for line in lines), Decimal(0)),
            lines=lines,
            reversal_of=said.reversal_of,
        )
        return CostReport(origin=origin, fields=fields)

    return checked(build, "fields")


def period_report(context: Context, period: Period) -> FiscalPeriodReport:
    """What Tryton says of one fiscal period; an adjustment period is a special one, 013 to 016.

    Who opened or closed it last is a number; why, Tryton does not keep.
    """
    origin = origin_of(context, "fiscal-period", str(period.id), (period.changed_at,), None)
    changed_by = period.write_uid if period.write_date is not None else period.create_uid

    def build() -> FiscalPeriodReport:
        fields = FiscalPeriodFields(
            company=period.company.party.code or "",
            period=f"{year_name(period.fiscalyear)}-{_number_in_year(period):03d}",
            first_date=period.start_date,
            last_date=period.end_date,
            status=PERIOD_STATUS[period.state],
            changed_by=None if changed_by is None else str(changed_by),
        )
        return FiscalPeriodReport(origin=origin, fields=fields)

    return checked(build, "fields")


def _number_in_year(period: Period) -> int:
    """The period's number: its month where periods are months (as of a posting), else its place among its kind."""
    year = period.fiscalyear
    kin = sorted((found.start_date, found.id) for found in year.periods if found.type == period.type)
    standard = period.type == "standard"
    if standard and all(day.day == year.start_date.day for day, _ in kin):
        return months_into(year, period.start_date) + 1
    place = kin.index((period.start_date, period.id)) + 1 if (period.start_date, period.id) in kin else 0
    if not 1 <= place <= (REGULAR_PERIODS if standard else MAX_SPECIAL_PERIODS):
        raise Rejected(
            f"is number {place} of {len(kin)} {period.type} periods; a year has at most {REGULAR_PERIODS} standard and "
            f"{MAX_SPECIAL_PERIODS} adjustment periods",
            field="fiscalyear.periods",
            remedy="correct the periods of the fiscal year in Tryton",
        )
    return place if standard else REGULAR_PERIODS + place


def _centres(context: Context, line: MoveLine, day: dt.date) -> frozenset[str]:
    codes = (found.account.code for found in line.analytic_lines if found.account.code)
    place = "lines.analytic_lines.account.code"
    return frozenset(context.codes.canonical("cost-centre", code, day, place=place) for code in codes)


def _receivers(centres: frozenset[str], of_document: str | None) -> tuple[CostReceiver, ...]:
    """Who bears a line of a move that says whose document it is: one centre, as the hub writes it; else nobody said."""
    if of_document is None or len(centres) != 1 or centres == {of_document}:
        return ()
    [code] = centres
    return (CostReceiver(kind=ReceiverKind.COST_CENTRE, code=code, share_part=1, share_whole=1),)


def _cost_line(number: int, text: str | None, amount: Decimal, receivers: tuple[CostReceiver, ...]) -> CostLine:
    said = costs_text.read_line(text)
    return CostLine(
        line_no=number,
        kind=said.kind,
        description=said.description,
        quantity=said.quantity,
        amount=amount,
        receivers=receivers,
    )


def _order_line(context: Context, number: int, day: dt.date, place: int, line: PurchaseLine) -> OrderLine:
    where = f"lines[{place}]"
    product = line.product
    buys_asset = product is not None and product.template.type == "assets"
    code = product.code if product else None
    required = {"quantity": line.quantity, "unit_price": line.unit_price, "amount": line.amount}
    for name, value in required.items():
        if value is None:
            raise Rejected("is missing", field=f"{where}.{name}", remedy="complete the line of the order in Tryton")

    def build() -> OrderLine:
        return OrderLine(
            line_id=str(line.id),
            line_no=number,
            item=code,
            description=line.description or (product.template.name if product else None) or code or "",
            asset_class=_asset_class(context, code, day, f"{where}.product.code") if buys_asset else None,
            quantity=quantity_of(line.quantity, f"{where}.quantity") or Decimal(0),
            unit=_meaning(context, "unit", line.unit.symbol if line.unit else None, day, f"{where}.unit.symbol"),
            unit_price=line.unit_price or Decimal(0),
            net_amount=line.amount or Decimal(0),
            # Of a service, or of what is no product, Tryton makes no stock move: its invoice alone tells of it.
            gr_expected=product is not None and product.template.type in RECEIVED_TYPES,
        )

    return checked(build, where)


def _schedule_line(line: AssetLine) -> ScheduleLine:
    posted = line.move is not None and line.move.state == "posted"
    return ScheduleLine(
        date=line.date,
        posting_period=posting_period(line) if posted else None,
        depreciation=line.depreciation,
        accumulated_after=line.accumulated_depreciation,
        net_book_value_after=line.actual_value,
        posted=posted,
        document=line.move.number if posted and line.move else None,
    )


def posting_period(line: AssetLine) -> str | None:
    """``YYYY-PPP`` of the move's own period: its place in its fiscal year, which need not start in January."""
    if line.move is None:
        return None
    return period_name(line.move.period)


def _line_stamps(line: AssetLine) -> tuple[dt.datetime, ...]:
    return (line.changed_at, line.move.changed_at) if line.move else (line.changed_at,)


def _meaning(context: Context, name: ListName, code: str | None, day: dt.date, field: str) -> str | None:
    return context.codes.canonical(name, code, day, place=field) if code else code


def _method(context: Context, method: str, day: dt.date) -> str:
    if context.codes.has("method"):
        return context.codes.canonical("method", method, day, place="depreciation_method")
    if method not in METHODS:
        raise Rejected(
            f"{method} is a method this connector does not know",
            field="depreciation_method",
            remedy="add it to the code list method of this system in the landscape",
        )
    return METHODS[method]


def _asset_class(context: Context, product: str | None, day: dt.date, field: str) -> str:
    if product and context.codes.has("asset-class"):
        return context.codes.canonical("asset-class", product, day, place=field)
    found = context.product_classes.get(product or "")
    if found is None:
        raise Rejected(
            f"product {product!r} stands for no asset class",
            field=field,
            remedy="name the product under asset_classes in the landscape",
        )
    return found


Member = TypeVar("Member", PhysicalStatus, DisposalKind)


def _member(kind: type[Member], value: str | None) -> Member | None:
    # A word a person typed that is no member says nothing: it must not stop the asset.
    try:
        return kind(value.strip().upper()) if value else None
    except ValueError:
        return None


def _asset_reports(context: Context, document: Document) -> Sequence[Report]:
    asset = parse(Asset, document)
    book = book_report(context, asset)
    return (asset_report(context, asset), book) if book else (asset_report(context, asset),)


_REPORTS: Mapping[str, Callable[[Context, Document], Sequence[Report]]] = {
    ASSETS: _asset_reports,
    PURCHASE_ORDERS: lambda context, found: (order_report(context, parse(Purchase, found)),),
    COSTS: lambda context, found: (cost_report(context, parse(Move, found)),),
    PERIODS: lambda context, found: (period_report(context, parse(Period, found)),),
    RECEIPTS: lambda context, found: documents.receipt_reports(context, parse(StockMove, found)),
    INVOICES: lambda context, found: documents.invoice_reports(context, parse(SupplierInvoice, found)),
    RUNS: lambda context, found: (documents.run_report(context, parse(PostedDepreciation, found)),),
    MOVEMENTS: lambda context, found: (movements.movement_report(context, parse(AssetMove, found)),),
    REVISIONS: lambda context, found: movements.revision_reports(context, parse(AssetRevision, found)),
    REVERSALS: lambda context, found: (movements.reversal_report(context, parse(CancellingMove, found)),),
    COST_CENTRES: lambda context, found: (reference_reports.centre_report(context, parse(CostCentre, found)),),
    ACCOUNTS: lambda context, found: (reference_reports.account_report(context, parse(LedgerAccount, found)),),
    ASSET_CLASSES: lambda context, found: reference_reports.class_reports(context, parse(DepreciableTemplate, found)),
    SUPPLIERS: lambda context, found: (reference_reports.supplier_report(context, parse(Supplier, found)),),
    EMPLOYEES: lambda context, found: (reference_reports.employee_report(context, parse(Employee, found)),),
}

__all__ = ["COSTS", "STREAMS", "Context", "Stamped", "map_item", "parse", "path"]
