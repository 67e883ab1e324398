"""The contract of orders, receipts and invoices: what is written is read, also what was written before they came."""

from __future__ import annotations

import datetime as dt
import io
import json
from decimal import Decimal
from typing import Any

import fastavro
import pytest

from tieline.kernel.codecs import model_of
from tieline.kernel.declarations import parsed_schema, schema_text
from tieline.kernel.order_records import (
    AcquiredRecord,
    AcquisitionEvent,
    ApprovalStatus,
    InvoiceFields,
    InvoiceLine,
    InvoiceReport,
    MatchType,
    OrderEvent,
    OrderFields,
    OrderLine,
    Progress,
    ProposalStatus,
    ProposedAsset,
    ReceiptFields,
    ReceiptLine,
    ReceiptReport,
    Treatment,
)
from tieline.kernel.vocabulary import Accepted, Model, Money, Origin

NOW = dt.datetime(2026, 11, 21, 12, tzinfo=dt.UTC)
DAY = dt.date(2026, 11, 5)
ORIGIN = Origin(system="erp", entity="receipt", native_id="R1", source_version="1", recorded_at=NOW)
ACCEPTED = Accepted(
    version=2,
    origin_system="erp",
    origin_native_id="R1",
    effective_date=DAY,
    recorded_at=NOW,
    changed_fields=("cost",),
)
RECORD = AcquiredRecord(
    unit_ref="7/1", quantity=Decimal(1), cost=Money(amount=Decimal("1033.34"), currency="EUR"), acquired_on=DAY
)
LINE = OrderLine(
    line_id="7",
    line_no=1,
    description="Laptop",
    asset_class="COMPUTER",
    quantity=Decimal(3),
    unit_price=Decimal(1000),
    net_amount=Decimal(3000),
    tax_amount=Decimal(100),
    recoverable_tax=Decimal(0),
    match_type=MatchType.THREE_WAY_RECEIPT_FIRST,
    gr_valuated=False,
    final_delivery=True,
)
ORDER = OrderFields(
    company="ACME",
    currency="EUR",
    approval_status=ApprovalStatus.APPROVED,
    net_total=Decimal(3000),
    lines=(LINE,),
    fulfilment_status=Progress.PART,
    closed=True,
)
BODIES: dict[str, Model] = {
    "PoChanged": OrderEvent(po_id="p1", accepted=ACCEPTED, fields=ORDER, records=(RECORD,)),
    "ReceiptReport": ReceiptReport(
        origin=ORIGIN,
        fields=ReceiptFields(
            order_native_id="1",
            received_on=DAY,
            lines=(ReceiptLine(line_id="7", quantity=Decimal(3), accepted=Decimal(2), rejected=Decimal(1)),),
            reversal_of="R0",
        ),
    ),
    "InvoiceReport": InvoiceReport(
        origin=ORIGIN,
        fields=InvoiceFields(
            order_native_id="1",
            invoiced_on=DAY,
            currency="EUR",
            net_total=Decimal("-5.00"),
            lines=(InvoiceLine(line_id="7", quantity=Decimal(0), net_amount=Decimal("-5.00")),),
        ),
    ),
    "AssetCostAdjusted": AcquisitionEvent(
        po_id="p1",
        proposal="7/erp/R1/1",
        po_line_ref="erp/7/1",
        accepted=ACCEPTED,
        treatment=Treatment.CAPITALISE,
        rule="asset",
        quantity=Decimal(0),
        amount=Money(amount=Decimal("33.34"), currency="EUR"),
        cost_after=Money(amount=Decimal("1033.34"), currency="EUR"),
        record=RECORD,
        document="erp/I1",
        document_date=DAY,
        prior_year=True,
        reason="by rule asset",
    ),
    "ProposedAsset": ProposedAsset(
        po_id="p1",
        version=1,
        line_id="7",
        document="erp/R1",
        unit=0,
        quantity=Decimal("2.5"),
        status=ProposalStatus.ON_HOLD,
        reason="no whole number of units",
    ),
}


def write(schema: Any, body: Any) -> io.BytesIO:
    out = io.BytesIO()
    fastavro.schemaless_writer(out, schema, body)
    out.seek(0)
    return out


@pytest.mark.parametrize("name", BODIES)
def test_what_is_written_is_read_the_same(name: str) -> None:
    schema = parsed_schema(name)
    content: Any = fastavro.schemaless_reader(write(schema, BODIES[name].model_dump()), schema, schema)
    assert model_of(name).model_validate(content, strict=False) == BODIES[name]


def test_orders_from_before_and_readers_from_before_are_understood() -> None:
    added = {
        "OrderEvent": {"records"},
        "OrderFields": {"fulfilment_status", "invoice_status", "closed", "blanket"},
        "OrderLine": {
            *("tax_amount", "recoverable_tax", "match_type"),
            *("gr_expected", "gr_valuated", "final_delivery", "final_invoice"),
        },
    }
    old = json.loads(schema_text("PoChanged"))
    fields = next(field["type"] for field in old["fields"] if field["name"] == "fields")
    lines = next(field["type"]["items"] for field in fields["fields"] if field["name"] == "lines")
    old["fields"] = [f for f in old["fields"] if f["name"] not in added["OrderEvent"]]
    fields["fields"] = [f for f in fields["fields"] if f["name"] not in added["OrderFields"]]
    lines["fields"] = [f for f in lines["fields"] if f["name"] not in added["OrderLine"]]
    writer = fastavro.parse_schema(old, named_schemas={})

    body = BODIES["PoChanged"].model_dump()
    before: Any = fastavro.schemaless_reader(write(writer, body), writer, parsed_schema("PoChanged"))
    read = OrderEvent.model_validate(before, strict=False)
    assert (read.records, read.fields.closed, read.fields.invoice_status) == ((), False, None)
    [line] = read.fields.lines
    assert (line.gr_expected, line.gr_valuated, line.final_delivery, line.tax_amount) == (True, True, False, None)
    assert line.net_amount == Decimal(3000)

    after: Any = fastavro.schemaless_reader(write(parsed_schema("PoChanged"), body), parsed_schema("PoChanged"), writer)
    assert after["fields"]["lines"][0]["net_amount"] == Decimal(3000)
    assert "records" not in after
