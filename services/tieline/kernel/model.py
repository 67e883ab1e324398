"""The canonical model: what systems report, what the hub accepts, what sinks are told to do.

Every class mirrors one Avro record under ``schemas/avro`` (a test compares them field by field).
All are frozen. In a *report*, ``None`` means "this system does not say", never "empty".
Money is an exact decimal of at most 20 digits, 4 of them after the point, with its currency (Invariant 11).
Dates are calendar dates of the business; instants are UTC.
"""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Literal, TypeAlias

from pydantic import AfterValidator, AwareDatetime, BaseModel, ConfigDict, Field, StringConstraints

if TYPE_CHECKING:
    from tieline.kernel.audit_records import AuditReport
    from tieline.kernel.equipment_records import EquipmentLinkReport
    from tieline.kernel.family_records import FamilyCommand, FamilyReport
    from tieline.kernel.movement_records import MovementReport
    from tieline.kernel.reference_records import ReferenceReport

Text = Annotated[str, StringConstraints(max_length=4000)]
Code = Annotated[str, StringConstraints(min_length=1, max_length=200)]
Currency = Annotated[str, StringConstraints(pattern=r"^[A-Z]{3}$")]
Period = Annotated[str, StringConstraints(pattern=r"^\d{4}-\d{3}$")]


def _exact(digits: int, scale: int) -> AfterValidator:
    usual = Decimal(1).scaleb(-scale)

    def check(value: Decimal) -> Decimal:
        # As Avro gives it: exactly so many digits after the point, which no infinity has. The rest is for the others.
        if value.same_quantum(usual) and value.adjusted() < digits - scale:
            return value
        # Invariant 11: NaN, infinities and over-long numbers never enter the hub as money.
        if not value.is_finite():
            raise ValueError("must be a finite number")
        exponent = value.as_tuple().exponent
        if isinstance(exponent, int) and -exponent > scale:
            raise ValueError(f"must have at most {scale} digits after the point")
        if value.adjusted() >= digits - scale and value != 0:
            raise ValueError(f"must have at most {digits - scale} digits before the point")
        return value

    return AfterValidator(check)


Amount = Annotated[Decimal, _exact(20, 4)]
UnitPrice = Annotated[Decimal, _exact(20, 6)]
Quantity = Annotated[Decimal, _exact(18, 6)]
FxRate = Annotated[Decimal, _exact(18, 9)]


class Model(BaseModel):
    """Base of every record: immutable, closed, strict about types."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


class Money(Model):
    """An amount in a currency, rounded to the currency's minor unit before it is published."""

    amount: Amount = Field(description="Exact decimal, never a float.")
    currency: Currency = Field(description="ISO 4217 code.")


class PhysicalStatus(StrEnum):
    """Where a thing stands in its physical life, as asset management sees it."""

    UNKNOWN = "UNKNOWN"
    ORDERED = "ORDERED"
    IN_STORE = "IN_STORE"
    IN_SERVICE = "IN_SERVICE"
    IN_MAINTENANCE = "IN_MAINTENANCE"
    RETIRED = "RETIRED"
    MISSING = "MISSING"


class FinancialStatus(StrEnum):
    """Where a fixed asset stands in the books."""

    UNKNOWN = "UNKNOWN"
    DRAFT = "DRAFT"
    RUNNING = "RUNNING"
    CLOSED = "CLOSED"


class DisposalKind(StrEnum):
    """How a thing left."""

    UNKNOWN = "UNKNOWN"
    SALE = "SALE"
    SCRAP = "SCRAP"
    DONATION = "DONATION"
    LOSS = "LOSS"
    THEFT = "THEFT"
    TRADE_IN = "TRADE_IN"
    INTERCOMPANY = "INTERCOMPANY"


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


class CostKind(StrEnum):
    """What a maintenance cost line paid for."""

    UNKNOWN = "UNKNOWN"
    LABOUR = "LABOUR"
    PART = "PART"
    SERVICE = "SERVICE"
    TOOL = "TOOL"
    OTHER = "OTHER"


class ReceiverKind(StrEnum):
    """What bears a part of a cost in the ERP."""

    UNKNOWN = "UNKNOWN"
    COST_CENTRE = "COST_CENTRE"
    INTERNAL_ORDER = "INTERNAL_ORDER"
    WBS = "WBS"
    ASSET = "ASSET"


class CostTreatment(StrEnum):
    """What the books do with the cost of work: this period's expense, or a part of the asset's cost."""

    UNKNOWN = "UNKNOWN"
    EXPENSE = "EXPENSE"
    CAPITALISE = "CAPITALISE"


class PeriodStatus(StrEnum):
    """Whether a fiscal period takes postings. CLOSING takes no more than CLOSED does; UNKNOWN takes none."""

    UNKNOWN = "UNKNOWN"
    OPEN = "OPEN"
    CLOSING = "CLOSING"
    CLOSED = "CLOSED"


class RunStatus(StrEnum):
    """How far the ERP says a depreciation run has come."""

    UNKNOWN = "UNKNOWN"
    RUNNING = "RUNNING"
    COMPLETED = "COMPLETED"
    FAILED = "FAILED"


class Origin(Model):
    """Which record of which system a report speaks of."""

    system: Code = Field(description="Name of the system in the landscape.")
    entity: Code = Field(
        description="asset, book, movement, purchase-order, purchase-line, receipt, invoice, cost-document, "
        "equipment-link, audit, fiscal-period, depreciation-run or a family of reference records, e.g. cost-centre."
    )
    native_id: Code = Field(description="The system's own, immutable identifier of the record.")
    source_version: Text = Field(description="The system's version of the record: ETag, counter or modification time.")
    recorded_at: AwareDatetime = Field(description="When the system recorded this state (UTC).")
    hub_ref: Text | None = Field(default=None, description="The canonical id that the record itself carries, if any.")


class AssetFields(Model):
    """What is known of one asset. Field groups have owners (kernel/ownership.yaml)."""

    tag: Text | None = Field(default=None, description="Asset management's own number of the thing (label, barcode).")
    serial_number: Text | None = Field(default=None, description="Manufacturer's serial number.")
    description: Text | None = Field(default=None, description="What the thing is, for people.")
    location: Text | None = Field(default=None, description="Code of the place where it stands.")
    condition: Text | None = Field(default=None, description="Condition code of the last inspection.")
    custodian: Text | None = Field(default=None, description="Opaque id of the person in charge; never a name.")
    physical_status: PhysicalStatus | None = Field(default=None, description="Stage of the physical life.")
    asset_number: Text | None = Field(default=None, description="The ERP's number of the fixed asset.")
    company: Text | None = Field(default=None, description="Company code that owns it.")
    asset_class: Text | None = Field(default=None, description="Canonical asset class code.")
    cost_centre: Text | None = Field(default=None, description="Cost centre that bears it.")
    quantity: Quantity | None = Field(default=None, description="Number of units this record stands for.")
    acquisition_cost: Money | None = Field(default=None, description="Gross acquisition cost of the record, all units.")
    acquisition_date: dt.date | None = Field(default=None, description="Date of acquisition.")
    in_service_date: dt.date | None = Field(default=None, description="Date it became available for use.")
    financial_status: FinancialStatus | None = Field(default=None, description="Stage in the books.")
    disposal_date: dt.date | None = Field(default=None, description="Date it left.")
    disposal_kind: DisposalKind | None = Field(default=None, description="How it left.")
    po_line_ref: Text | None = Field(
        default=None, description="Order line and unit it was bought with: system/line id/ordinal, ordinal from 1."
    )


CLEARABLE = frozenset({"custodian"})
"""Fields that a record may say are empty: a thing was given back. Of any other, no value says nothing."""


class AssetReport(Model):
    """One system's word on one asset."""

    origin: Origin = Field(description="Which record of which system this speaks of.")
    fields: AssetFields = Field(description="What the system says of the asset; None where it says nothing.")
    deleted: bool = Field(default=False, description="True when the system says the record is gone.")
    cleared: tuple[str, ...] = Field(
        default=(),
        description="Fields that the record holds and says are empty, of those the hub may empty: custodian. A field "
        "that is merely not said stays as it is.",
    )


class ScheduleLine(Model):
    """One period of a depreciation schedule."""

    date: dt.date = Field(description="Date of the depreciation.")
    posting_period: Period | None = Field(default=None, description="Fiscal year and period, YYYY-PPP.")
    depreciation: Amount = Field(description="Depreciation of this period, in the book's currency.")
    accumulated_after: Amount = Field(description="Accumulated depreciation after this period, in the book's currency.")
    net_book_value_after: Amount = Field(description="Net book value after this period, in the book's currency.")
    posted: bool = Field(description="True when the ERP has posted it.")
    document: Text | None = Field(default=None, description="Number or id of the posted document.")


class BookFields(Model):
    """One depreciation book of one asset, with its whole schedule; owned by the ERP throughout."""

    book_id: Code = Field(description="Depreciation area, e.g. main.")
    currency: Currency = Field(description="Currency of every amount in the book.")
    method: Text = Field(description="Canonical depreciation method, e.g. SL.")
    gross_cost: Amount = Field(description="Acquisition cost in this book, in its currency.")
    salvage: Amount = Field(description="Value kept at the end of life, in the book's currency.")
    accumulated: Amount = Field(description="Accumulated depreciation posted so far, in the book's currency.")
    net_book_value: Amount = Field(description="gross_cost - accumulated, in the book's currency.")
    as_of: dt.date = Field(description="Date of the last posting behind the valuation, else the start date.")
    start_date: dt.date | None = Field(default=None, description="Start of depreciation.")
    end_date: dt.date | None = Field(default=None, description="End of depreciation.")
    lines: tuple[ScheduleLine, ...] = Field(description="The whole schedule, oldest first; replaces any earlier one.")


class BookReport(Model):
    """The ERP's word on one book of one asset. ``origin.native_id`` is ``<asset native id>|<book id>``."""

    origin: Origin = Field(description="Which record of which system this speaks of.")
    asset_native_id: Code = Field(description="Native id of the asset in the reporting system.")
    fields: BookFields = Field(description="The whole book, schedule included.")


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


class CostReceiver(Model):
    """What bears a share of a cost line; the shares of a line make the whole."""

    kind: ReceiverKind = Field(description="What it is.")
    code: Code = Field(description="Its code: of the cost centre, the order, the WBS element or the asset.")
    share_part: int = Field(description="Numerator of its share, as an exact fraction.")
    share_whole: int = Field(description="Denominator of the share; 3333 of 10000 is 33.33 per cent.")


class CostLine(Model):
    """One cost of a work order."""

    line_no: int = Field(description="Position in the document, from 1.")
    kind: CostKind = Field(description="What the line paid for.")
    description: Text = Field(description="What it is, for people.")
    quantity: Quantity | None = Field(default=None, description="Hours or pieces.")
    amount: Amount = Field(description="Cost in the document's currency; negative for a credit.")
    source_ref: Text | None = Field(
        default=None,
        description="What it stems from, the same by every path it is told: system/kind/id, e.g. "
        "tryton/purchase-line/7 or unio24/stock-issue/31.",
    )
    receivers: tuple[CostReceiver, ...] = Field(
        default=(), description="What bears the line, by share; none: the document's cost centre."
    )


class CostFields(Model):
    """Costs of one work order settled at one time: a financial document, never overwritten."""

    work_order: Code = Field(description="Number of the work order.")
    asset_native_id: Text | None = Field(default=None, description="Native id of the asset in the reporting system.")
    company: Code = Field(description="Company code.")
    currency: Currency = Field(description="ISO 4217 code of every amount in the record.")
    cost_centre: Code = Field(description="Cost centre that bears the cost.")
    effective_date: dt.date = Field(description="Date the work was done; decides the posting period.")
    total: Amount = Field(description="Sum of the lines, in the document's currency.")
    lines: tuple[CostLine, ...] = Field(description="The lines, in order.")
    reversal_of: Text | None = Field(default=None, description="Native id of the document this one reverses.")
    treatment: CostTreatment | None = Field(
        default=None, description="What asset management wants of the books; none: an expense."
    )
    extends_life_periods: int | None = Field(
        default=None,
        description="Periods of its book by which the asset's useful life grows; only of what is to be capitalised.",
    )


class CostReport(Model):
    """Asset management's word on one cost document."""

    origin: Origin = Field(description="Which record of which system this speaks of.")
    fields: CostFields = Field(description="The whole document.")


class FiscalPeriodFields(Model):
    """One fiscal period of one company and book; owned by the ERP."""

    company: Code = Field(description="Company code.")
    book: Text | None = Field(default=None, description="Book the status is of; none for the company's every book.")
    period: Period = Field(description="Fiscal year and period, YYYY-PPP; 013 to 016 are special periods.")
    first_date: dt.date = Field(description="First date of the period.")
    last_date: dt.date = Field(description="Last date of the period.")
    status: PeriodStatus = Field(description="Whether it takes postings.")
    changed_by: Text | None = Field(
        default=None,
        description="Who last changed the status: the system's own opaque id of the account, never a name.",
    )
    reason: Text | None = Field(default=None, description="Why the status was changed, where the system says so.")


class FiscalPeriodReport(Model):
    """The ERP's word on one fiscal period."""

    origin: Origin = Field(description="Which record of which system this speaks of.")
    fields: FiscalPeriodFields = Field(description="The period as the system has it.")


class DepreciationRunFields(Model):
    """One depreciation run of one company, book and period; owned by the ERP."""

    company: Code = Field(description="Company code.")
    book_id: Code = Field(description="Depreciation area, e.g. main.")
    period: Period = Field(description="Fiscal year and period, YYYY-PPP.")
    currency: Currency = Field(description="ISO 4217 code of every amount in the record.")
    expected_count: int = Field(description="Depreciation lines the run posted.")
    control_total: Amount = Field(description="Sum of their amounts, in the run's currency.")
    status: RunStatus = Field(description="How far the ERP says it has come.")


class DepreciationRunReport(Model):
    """The ERP's word on one depreciation run."""

    origin: Origin = Field(description="Which record of which system this speaks of.")
    fields: DepreciationRunFields = Field(description="The run, with its control figures.")


# ---- what the hub accepted -----------------------------------------------------------------------------------


class Accepted(Model):
    """What every accepted event says beside its fields."""

    version: int = Field(description="Version of the entity in the hub; grows by one with each accepted change.")
    origin_system: Code = Field(description="System whose report caused it.")
    origin_native_id: Code = Field(description="Native id of the reported record.")
    effective_date: dt.date = Field(description="Business date from which it holds.")
    recorded_at: AwareDatetime = Field(description="When the source recorded it (UTC).")
    posting_period: Period | None = Field(default=None, description="Fiscal period of a financial event.")
    changed_fields: tuple[str, ...] = Field(description="Names of the fields this event changed.")
    posting_date: dt.date | None = Field(
        default=None, description="Date to post on, where the effective date's own period is closed; else none."
    )
    returned_fields: tuple[str, ...] = Field(
        default=(),
        description="Fields to write back to the origin system too: an older value is on its way there.",
    )


class AssetEvent(Model):
    """Shape of every event of one asset by itself, from AssetRegistered to AssetDisposed (``merging.name_event``)."""

    asset_id: Code = Field(description="Canonical id of the asset.")
    accepted: Accepted = Field(description="Version, origin and dates of the acceptance.")
    fields: AssetFields = Field(description="The whole after-image.")
    links: dict[str, str] = Field(description="Native id of the asset per system, as far as known.")


class AssetMergeEvent(Model):
    """Shape shared by AssetMerged and AssetSeparated: an asset counts as another one, or no longer."""

    asset_id: Code = Field(description="Canonical id of the asset.")
    accepted: Accepted = Field(description="Version, origin and dates of the acceptance.")
    survivor_id: Code = Field(description="Canonical id of the asset it counts as, or counted as.")
    by: Code = Field(description="Account that decided.")
    reason: Text = Field(description="Why, in the person's words.")


class AssetBookChanged(Model):
    """Shape shared by AssetBookChanged and DepreciationScheduleReplaced: a book as it is after the change."""

    asset_id: Code = Field(description="Canonical id of the asset.")
    accepted: Accepted = Field(description="Version, origin and dates of the acceptance.")
    fields: BookFields = Field(description="The whole book as it is now, schedule included.")


class DepreciationPosted(Model):
    """One depreciation the ERP posted: a financial document, published once."""

    asset_id: Code = Field(description="Canonical id of the asset.")
    book_id: Code = Field(description="Depreciation area, e.g. main.")
    accepted: Accepted = Field(description="Version, origin and dates of the acceptance.")
    amount: Money = Field(description="Depreciation posted by this document, in the book's currency.")
    accumulated_after: Amount = Field(
        description="Accumulated depreciation after this posting, in the currency of the amount."
    )
    net_book_value_after: Amount = Field(
        description="Net book value after this posting, in the currency of the amount."
    )
    scheduled_date: dt.date = Field(description="Date the schedule gave it.")
    document: Text | None = Field(default=None, description="Number or id of the posted document.")


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


class CostShare(Model):
    """The part of a cost document that one asset bears."""

    asset_id: Code = Field(description="Canonical id of the asset.")
    amount: Money = Field(description="Its part of the document's total.")


class CostEvent(Model):
    """Shape shared by CostPosted, CostCapitalised and CostReversed."""

    cost_doc_id: Code = Field(description="Canonical id of the cost document.")
    asset_id: Text | None = Field(
        default=None, description="Canonical id of the asset the costs belong to; none for costs without one."
    )
    accepted: Accepted = Field(description="Version, origin and dates of the acceptance.")
    fields: CostFields = Field(description="The whole document; it never changes afterwards.")
    shares: tuple[CostShare, ...] = Field(
        default=(),
        description="What each asset bears, where the work was on equipment of several; adds up to the total.",
    )
    treatment: CostTreatment = Field(
        default=CostTreatment.EXPENSE, description="What the books do with it: what is capitalised is no expense."
    )
    treatment_reason: Text | None = Field(
        default=None, description="Why, where somebody wanted it capitalised; none otherwise."
    )


class PeriodEvent(Model):
    """Shape shared by PeriodOpened, PeriodClosing, PeriodClosed and PeriodReopened."""

    period_id: Code = Field(description="company|book|period; * stands for every book.")
    accepted: Accepted = Field(description="Version, origin and dates of the acceptance.")
    fields: FiscalPeriodFields = Field(description="The period from now on: its status, who set it and why.")


class DepreciationRunEvent(Model):
    """Shape shared by DepreciationRunStarted, -Posted and -Failed (the ERP's word) and -Completed (the hub's)."""

    run_id: Code = Field(description="company|book|period.")
    accepted: Accepted = Field(description="Version, origin and dates of the acceptance.")
    fields: DepreciationRunFields = Field(description="The run, with its control figures.")


class Word(Model):
    """What one system said of one field, and what it had seen by then: a dotted version vector, in the hub's versions.

    The hub is the only way by which one system learns of another, so one number tells what a system has seen.
    """

    system: Code = Field(description="System that said it.")
    version: int = Field(description="Version of the asset in the hub that took it over, or that it was refused at.")
    seen: int = Field(description="Version of the asset in the hub that the system had seen when it said it.")
    digest: Code = Field(description="Hash of the value.")
    stands: bool = Field(default=True, description="False for a word that was refused.")
    returns: bool = Field(default=False, description="True for a word that was written back to its own system.")


class AssetState(Model):
    """What the hub believes of one asset."""

    asset_id: Code = Field(description="Canonical id of the asset.")
    version: int = Field(description="Version of the asset in the hub: one more with each accepted change.")
    fields: AssetFields = Field(description="What the hub believes, each field as its last rightful speaker said it.")
    said_by: dict[str, str] = Field(description="System that last set each field.")
    links: dict[str, str] = Field(description="Native id of the asset per system, as far as known.")
    said_at: dict[str, AwareDatetime] = Field(
        default={},
        description="When its system recorded the value of a field, where its rule (LWW_BY_VERSION, open) or "
        "disposal asks.",
    )
    merged_into: Text | None = Field(default=None, description="Canonical id of the asset it counts as since a merge.")
    heard_at: dict[str, AwareDatetime] = Field(
        default={},
        description="When its system recorded the last word the hub took of each record of it: system/native id to "
        "instant.",
    )
    words: dict[str, tuple[Word, ...]] = Field(
        default={},
        description="The last words on each field that was said anew or refused since the asset was registered, oldest "
        "first.",
    )
    sent: dict[str, int] = Field(
        default={}, description="Version last sent to each system: up to it a write may be under way there."
    )


class BookState(Model):
    """What the hub believes of one book."""

    asset_id: Code = Field(description="Canonical id of the asset.")
    version: int = Field(description="Version of the book in the hub: one more with each accepted change.")
    fields: BookFields = Field(description="The whole book as it is now, schedule included.")
    recorded_at: AwareDatetime | None = Field(
        default=None,
        description="When its system recorded the last word the hub took of it; none for a row of before 2026-11.",
    )


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


class CostState(Model):
    """What the hub accepted of one cost document."""

    cost_doc_id: Code = Field(description="Canonical id of the cost document.")
    version: int = Field(description="Version of the document in the hub.")
    asset_id: Text | None = Field(
        default=None, description="Canonical id of the asset the costs belong to; none for costs without one."
    )
    origin_system: Code = Field(description="System whose report it was.")
    origin_native_id: Code = Field(description="Native id of the reported record.")
    fields: CostFields = Field(description="The whole document; it never changes afterwards.")
    posting_date: dt.date | None = Field(
        default=None, description="Date to post on, where the effective date's own period is closed; else none."
    )
    duplicate_of: Text | None = Field(
        default=None,
        description="Document (system/native id) that posted the same before: this one is kept and not posted; none "
        "otherwise.",
    )
    shares: tuple[CostShare, ...] = Field(
        default=(),
        description="What each asset bears, where the work was on equipment of several; adds up to the total.",
    )
    treatment: CostTreatment = Field(
        default=CostTreatment.EXPENSE, description="What the books do with it: what is capitalised is no expense."
    )
    treatment_reason: Text | None = Field(
        default=None, description="Why, where somebody wanted it capitalised; none otherwise."
    )


class FiscalPeriodState(Model):
    """What the hub knows of one fiscal period."""

    period_id: Code = Field(description="company|book|period; * stands for every book.")
    version: int = Field(description="Version of the period in the hub.")
    fields: FiscalPeriodFields = Field(description="The period as last reported.")
    recorded_at: AwareDatetime = Field(description="When the system recorded this state (UTC).")


class DepreciationRunState(Model):
    """What the hub knows of one depreciation run, and what is missing of it. Key: company|book|period."""

    run_id: Code = Field(description="company|book|period.")
    version: int = Field(description="Version of the run in the hub.")
    fields: DepreciationRunFields = Field(description="The run as last reported.")
    origin_system: Code = Field(description="System whose report it was.")
    origin_native_id: Code = Field(description="Native id of the reported record.")
    recorded_at: AwareDatetime = Field(description="When the system recorded this state (UTC).")
    posted_count: int = Field(description="Posted lines of the run that the hub accepted.")
    posted_total: Money = Field(description="Sum of their amounts.")
    completed: bool = Field(description="True when count and sum agree with the control figures, and the ERP is done.")
    missing: Text | None = Field(default=None, description="What is missing or too much; none once it is complete.")


# ---- what sinks are told, and what they answered -------------------------------------------------------------


class Dispatch(Model):
    """What every command says beside its content."""

    command_id: Code = Field(description="Same for the same effect: target, entity, id, version and repair.")
    target: Code = Field(description="System that must do it.")
    version: int = Field(description="Version of the entity this command brings the target to.")
    repair_id: Text | None = Field(default=None, description="Drift that this command repairs; none in normal flow.")


class WriteAsset(Model):
    """Make the target's record of this asset agree with ``fields``: create it, change it, close it.

    On a record that exists, only ``writable_fields`` may be changed: the target owns the others and may be ahead of us.
    """

    dispatch: Dispatch = Field(description="Command id, target, version and repair.")
    asset_id: Code = Field(description="Canonical id of the asset.")
    native_id: Text | None = Field(default=None, description="The target's id of the asset, where the hub knew it.")
    fields: AssetFields = Field(description="What the record shall say.")
    writable_fields: tuple[str, ...] = Field(
        description="Fields the sink may change on a record that exists (the target owns the others); all at creation."
    )
    effective_date: dt.date | None = Field(
        default=None, description="Business date of the change; the target's codes are those of that day."
    )
    cleared_fields: tuple[str, ...] = Field(
        default=(), description="Writable fields that shall be empty; of any other, no value says nothing."
    )


class WriteBook(Model):
    """Show this book and schedule, read-only, at the target's record of the asset; replaces any earlier one."""

    dispatch: Dispatch = Field(description="Command id, target, version and repair.")
    asset_id: Code = Field(description="Canonical id of the asset.")
    native_id: Text | None = Field(default=None, description="The target system's id of the record.")
    fields: BookFields = Field(description="The book to show, schedule included.")


class CostPosting(Model):
    """A part of a cost line, as one receiver bears it."""

    line_no: int = Field(description="Position of the line in the document, from 1.")
    kind: CostKind = Field(description="What the line paid for.")
    receiver_kind: ReceiverKind = Field(description="What the receiver is.")
    receiver: Code = Field(description="Its code.")
    amount: Money = Field(description="Its part of the line; negative for a credit.")


class PostCost(Model):
    """Post this cost document once."""

    dispatch: Dispatch = Field(description="Command id, target, version and repair.")
    cost_doc_id: Code = Field(description="Canonical id of the cost document.")
    asset_id: Text | None = Field(
        default=None, description="Canonical id of the asset the costs belong to; none for costs without one."
    )
    asset_number: Text | None = Field(default=None, description="The target's own number of the asset, where known.")
    fields: CostFields = Field(description="The document to post.")
    posting_date: dt.date | None = Field(
        default=None, description="Date to post on, where the effective date's own period is closed; else none."
    )
    postings: tuple[CostPosting, ...] = Field(
        default=(), description="What each receiver bears of each line, in order; none: the document's cost centre all."
    )


class RemoveRecord(Model):
    """Remove one surplus record by its native id; only a person's repair plan issues it."""

    dispatch: Dispatch = Field(description="Command id, target, version and repair.")
    entity: Code = Field(description="Kind of entity.")
    record_id: Code = Field(description="Canonical or native id used as the ledger key.")
    native_id: Code = Field(description="The target system's id of the record.")


Command: TypeAlias = "WriteAsset | WriteBook | PostCost | RemoveRecord | FamilyCommand"
"""Every command there is; a name in quotes, as ``Report`` is."""


class SettledAs(StrEnum):
    """How a command ended."""

    UNKNOWN = "UNKNOWN"
    CONFIRMED = "CONFIRMED"
    REJECTED = "REJECTED"
    SUPERSEDED = "SUPERSEDED"


class CommandSettled(Model):
    """A sink's answer to one command."""

    command_id: Code = Field(description="The command this answers.")
    target: Code = Field(description="The target system.")
    entity: Code = Field(description="Kind of entity.")
    canonical_id: Code = Field(description="Canonical id of the entity.")
    version: int = Field(description="Version of the entity that the command was to bring the target to.")
    outcome: SettledAs = Field(description="How the command ended.")
    native_id: Text | None = Field(default=None, description="The target system's id of the record.")
    number: Text | None = Field(default=None, description="The target's number for people, if it has one.")
    reason: Text | None = Field(default=None, description="Why, when it did not simply succeed.")


Report: TypeAlias = (
    "AssetReport | BookReport | OrderReport | ReceiptReport | InvoiceReport | CostReport | FiscalPeriodReport "
    "| DepreciationRunReport | MovementReport | AuditReport | EquipmentLinkReport | ReferenceReport | FamilyReport"
)
"""Every report there is; a name in quotes, because families with a module of their own import this one."""
Entity = Literal["asset", "book", "purchase-order", "cost-document"]
