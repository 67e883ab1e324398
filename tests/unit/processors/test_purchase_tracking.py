"""The rows that say where purchases stand: written when something moves, and only then."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal

from tests.unit.processors.bench import AM, ERP, Hub, Stage, asset, decode, landscape, order, ticking
from tests.unit.processors.test_acquisitions import bought, invoice, receipt
from tests.unit.processors.test_capitalise import a_line, an_order

from tieline.kernel.asset_records import PhysicalStatus
from tieline.kernel.landscape import ProcureToPay
from tieline.kernel.order_records import (
    InvoiceState,
    OrderState,
    ProposedAsset,
    ReceiptLine,
    ReceiptReport,
    ReceiptState,
)
from tieline.kernel.procurement_records import PurchaseProcess, PurchaseStep
from tieline.processors.acquisitions import Documents
from tieline.processors.procure_to_pay import track
from tieline.processors.wiring import build_processor

ORDERED = dt.date(2026, 11, 2)


def row(hub: Hub) -> PurchaseProcess:
    [found] = hub.rows(PurchaseProcess).values()
    return found


def step(hub: Hub, name: str) -> PurchaseStep:
    return next(found for found in row(hub).steps if found.name == name)


def of_line(native_id: str, line_id: str, quantity: str = "1", **changes: str) -> ReceiptReport:
    amount = Decimal(quantity)
    part = ReceiptLine(line_id=line_id, quantity=amount, accepted=amount, rejected=Decimal(0))
    return receipt(native_id, quantity, lines=(part,), **changes)


def test_an_order_says_what_it_waits_for_since_when_and_until_when() -> None:
    hub = Hub()
    hub.say(bought())
    found = row(hub)
    assert (found.po_number, found.company, found.next_step, found.version) == ("PO1", "ACME", "received", 1)
    waiting = found.waiting()
    assert waiting is not None
    assert (waiting.waits_for, waiting.begins_on, waiting.due_on) == (
        "the receipt of 3 of 3",
        ORDERED,
        dt.date(2026, 12, 2),
    )
    assert found.late(dt.date(2026, 12, 2)) is None
    assert found.late(dt.date(2026, 12, 3)) == waiting


def test_the_row_follows_receipts_and_invoices() -> None:
    hub = Hub()
    hub.say(bought(), receipt("R1", "2"))
    assert (row(hub).next_step, step(hub, "received").waits_for) == ("received", "the receipt of 1 of 3")
    hub.say(receipt("R2", "1"))
    assert row(hub).next_step == "invoiced"
    hub.say(invoice("I1", "3", "3000.00"))
    assert (row(hub).next_step, step(hub, "in service").waits_for) == ("in service", "the first use of 3 of 3")
    hub.say(receipt("R3", "1", reversal_of="R2"))
    assert (row(hub).next_step, row(hub).version) == ("received", 5)


def test_the_first_use_of_the_asset_moves_the_order_it_was_bought_on() -> None:
    hub = Hub()
    hub.say(bought("1", "1000.00"), receipt("R1", "1"), invoice("I1", "1", "1000.00"))
    assert row(hub).next_step == "in service"
    [asset_id] = {command.asset_id for command in hub.commands[AM] if hasattr(command, "asset_id")}
    used = dt.date(2026, 12, 1)
    hub.say(asset(AM, "A1", hub_ref=asset_id, in_service_date=used, physical_status=PhysicalStatus.IN_SERVICE))
    assert (row(hub).next_step, step(hub, "in service").done_on) == ("closed", used)


def test_what_changes_nothing_writes_no_row() -> None:
    hub = Hub()
    hub.say(bought(), receipt("R1", "3"))
    written = hub.say(receipt("R1", "3"), bought())
    assert [out.topic for out in written if out.topic == "procurement.process.state.v1"] == []


def test_documents_of_an_unknown_order_have_no_row() -> None:
    hub = Hub()
    hub.say(receipt("R1", "3"))
    assert hub.rows(PurchaseProcess) == {}


def test_document_by_document_the_row_is_that_of_all_documents_at_once() -> None:
    hub = Hub()
    lines = [a_line("3", "300.00", line_id=line_id) for line_id in ("7", "8", "9")]
    hub.say(order("1", an_order(*lines)))
    for said in (
        of_line("R9", "8", reversal_of="R1"),  # comes before what it takes back, and speaks of another line
        of_line("R1", "7"),
        of_line("R2", "8", "3"),
        invoice("I1", "2", "210.00"),
        of_line("R3", "9", "2"),
        order("1", an_order(*lines[:2])),
        of_line("R4", "7", "2"),
    ):
        hub.say(said)
        [state] = hub.rows(OrderState).values()
        documents = Documents(
            po_id=state.po_id,
            system=ERP,
            order=state.fields,
            receipts=list(hub.rows(ReceiptState).values()),
            invoices=list(hub.rows(InvoiceState).values()),
            known=list(hub.rows(ProposedAsset).values()),
        )
        assert row(hub).steps == track(documents, ProcureToPay())


def test_after_a_restart_rows_that_are_missing_are_written() -> None:
    hub = Hub()
    hub.say(bought(), receipt("R1", "1"))
    restarted = Stage(build_processor("accept", landscape(), ticking()))
    for old, new in zip(hub.stages["accept"].processor.tables, restarted.processor.tables, strict=True):
        for key, value in old.items():
            if new.kind is not PurchaseProcess:  # as it is when an older release kept no such rows
                new.load(key, value)
    hub.stages["accept"] = restarted
    hub.publish(asset(AM, "A1", tag="T1"))
    hub.step("identify")
    record = restarted.inbox.popleft()
    assert record.value is not None
    list(restarted.processor.handle(record, decode(record.value)))
    assert len(hub.rows(PurchaseProcess)) == 1
    for table in restarted.processor.tables:
        table.rollback()
    assert hub.rows(PurchaseProcess) == {}, "it goes with its transaction"
    hub.say(asset(AM, "A2", tag="T2"))
    assert step(hub, "received").waits_for == "the receipt of 2 of 3"


def test_an_aborted_transaction_leaves_the_row_as_it_was() -> None:
    hub = Hub()
    hub.say(bought(), receipt("R1", "1"))
    before = row(hub)
    accept = hub.stages["accept"].processor
    hub.publish(receipt("R2", "2"))
    hub.step("identify")
    record = hub.stages["accept"].inbox.popleft()
    assert record.value is not None
    list(accept.handle(record, decode(record.value)))
    assert row(hub) != before
    for table in accept.tables:
        table.rollback()
    assert row(hub) == before
    hub.say(receipt("R3", "1"))
    assert step(hub, "received").waits_for == "the receipt of 1 of 3"
