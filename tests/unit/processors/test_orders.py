"""Orders and their documents between the processors: who may say what, what undo leaves, what targets are told."""

from __future__ import annotations

from decimal import Decimal

from tests.unit.processors.bench import AM, ERP, Hub, Stage, conflicts, held, landscape, named, order, origin, ticking
from tests.unit.processors.test_acquisitions import FINANCIAL, INVOICED, RECEIVED, bought, invoice, receipt
from tests.unit.processors.test_capitalise import a_line, an_order

from tieline.kernel.asset_records import AssetReport
from tieline.kernel.command_records import WriteAsset
from tieline.kernel.order_records import InvoiceEvent, ProposedAsset, ReceiptLine, ReceiptState
from tieline.kernel.reports import Report
from tieline.processors.accept import Accept
from tieline.processors.order_tables import OfOrder
from tieline.processors.wiring import build_processor

RECEIPT = receipt("R1", "1")


def row(po_id: str) -> ReceiptState:
    return ReceiptState(po_id=po_id, version=1, origin_system="erp", origin_native_id="R1", fields=RECEIPT.fields)


def test_rows_are_found_by_their_order_and_live_on_its_partition() -> None:
    receipts = OfOrder("procurement.receipt.state.v1", ReceiptState)
    for po_id, native_id in (("p1", "R2"), ("p1", "R1"), ("p10", "R1")):
        receipts.put(po_id, origin("erp", "receipt", native_id), row(po_id))
    assert {found.po_id for found in receipts.of("p1")} == {"p1"}
    assert len(receipts.of("p1")) == 2
    assert [(out.key, out.partition_key) for out in receipts.table.drain()] == [
        ("p1|erp/R2", "p1"),
        ("p1|erp/R1", "p1"),
        ("p10|erp/R1", "p10"),
    ]


def said(native_id: str, *line_ids: str, reversal_of: str | None = None) -> ReceiptState:
    """A receipt of one unit of each of the lines."""
    lines = tuple(
        ReceiptLine(line_id=line_id, quantity=Decimal(1), accepted=Decimal(1), rejected=Decimal(0))
        for line_id in line_ids
    )
    fields = receipt(native_id, "1", lines=lines, reversal_of=reversal_of).fields
    return ReceiptState(po_id="p1", version=1, origin_system="erp", origin_native_id=native_id, fields=fields)


def test_one_line_is_looked_at_with_its_own_documents_and_what_their_reversals_take_back() -> None:
    receipts = OfOrder("procurement.receipt.state.v1", ReceiptState)
    rows = (said("R1", "7"), said("R2", "8"), said("R3", "7", "8"), said("R4", "9", reversal_of="R2"))
    for one in rows:
        receipts.put("p1", origin("erp", "receipt", one.origin_native_id), one)
    assert [found.origin_native_id for found in receipts.of_lines("p1", ["7"])] == ["R1", "R3"]
    assert [found.origin_native_id for found in receipts.of_lines("p1", ["9"])] == ["R2", "R4"]
    assert receipts.touched_by("p1", rows[0]) == {"7"}
    assert receipts.touched_by("p1", rows[1]) == {"8", "9"}, "with it, its reversal counts"
    assert receipts.touched_by("p1", rows[3]) == {"8", "9"}
    receipts.table.delete("p1|erp/R3")
    assert [found.origin_native_id for found in receipts.of_lines("p1", ["7"])] == ["R1"]


def test_document_by_document_the_books_are_those_of_all_documents_at_once() -> None:
    lines = tuple(a_line("3", "300.00", line_id=line_id) for line_id in ("7", "8"))
    documents: list[Report] = [
        receipt("R9", "1", reversal_of="R1", lines=said("R9", "7", "8").fields.lines),
        receipt("R1", "1", lines=said("R1", "7").fields.lines),
        receipt("R2", "1", lines=said("R2", "8", "7").fields.lines),
        invoice("I1", "1", "130.00"),
        invoice("I2", "1", "20.00", reversal_of="I1"),
        receipt("R3", "1", lines=said("R3", "8").fields.lines),
    ]
    before, after = Hub(), Hub()
    before.say(order("1", an_order(*lines)), *documents)
    after.say(*documents, order("1", an_order(*lines)))

    def books(hub: Hub) -> dict[str, tuple[object, ...]]:
        found = {key.partition("|")[2]: row for key, row in hub.rows(ProposedAsset).items()}
        return {key: (row.status, row.quantity, row.cost) for key, row in found.items() if row.cost or row.unit == 0}

    assert books(before) == books(after)
    assert len(books(after)) == 3


def test_a_document_of_a_large_order_is_folded_with_its_own_lines_alone() -> None:
    lines = [a_line("1", "100.00", line_id=f"{number}") for number in range(1, 21)]
    hub = Hub()
    hub.say(
        order("1", an_order(*lines)), *(receipt(f"R{n}", "1", lines=said(f"R{n}", f"{n}").fields.lines) for n in (1, 2))
    )
    accept = getattr(hub.stages["accept"].processor.handle, "__self__", None)
    assert isinstance(accept, Accept)
    [(po_id, row)] = accept.purchasing.orders.items()
    part = accept.purchasing.documents(po_id, ERP, row.fields, frozenset({"2", "unknown"}))
    assert [line.line_id for line in part.order.lines] == ["2"]
    assert [one.origin_native_id for one in part.receipts] == ["R2"]
    # Said anew, it is counted anew.
    hub.say(order("1", an_order(*lines[:1])))
    row = accept.purchasing.orders.get(po_id) or row
    assert accept.purchasing.documents(po_id, ERP, row.fields, frozenset({"2"})).order.lines == ()


def test_what_contradicts_the_books_of_one_line_stays_visible_while_another_is_received() -> None:
    hub = Hub()
    lines = [a_line("3", "300.00", line_id=line_id) for line_id in ("7", "8")]
    hub.say(order("1", an_order(*lines)), receipt("R1", "1"))
    hub.say(order("1", an_order(*lines, approval="CANCELLED")))
    assert conflicts(hub) == {("acquisitions", "tryton")}
    hub.say(receipt("R2", "1", lines=said("R2", "8").fields.lines))
    assert conflicts(hub) == {("acquisitions", "tryton")}
    hub.say(order("1", an_order(*lines)))
    assert conflicts(hub) == set()


def test_an_aborted_transaction_leaves_no_row_behind() -> None:
    receipts = OfOrder("procurement.receipt.state.v1", ReceiptState)
    receipts.put("p1", origin("erp", "receipt", "R1"), row("p1"))
    receipts.table.commit()
    receipts.put("p1", origin("erp", "receipt", "R2"), row("p1"))
    receipts.table.rollback()
    assert len(receipts.of("p1")) == 1
    receipts.table.delete("p1|erp/R1")
    receipts.table.rollback()
    assert len(receipts.of("p1")) == 1


def test_a_restart_from_the_log_goes_on_where_the_books_stood() -> None:
    hub = Hub()
    hub.say(bought(), receipt("R1", "2"))
    restarted = Stage(build_processor("accept", landscape(), ticking()))
    for old, new in zip(hub.stages["accept"].processor.tables, restarted.processor.tables, strict=True):
        for key, value in old.items():
            new.load(key, value)
    restarted.inbox.extend(hub.stages["accept"].inbox)
    hub.stages["accept"] = restarted
    written = hub.say(receipt("R1", "2"), receipt("R2", "1"))
    assert [value.name for value in named(written, *FINANCIAL)] == ["AssetCapitalised"], "the third unit only"


def test_asset_management_is_told_the_cost_that_the_invoice_gave() -> None:
    hub = Hub()
    hub.say(bought("1", "1000.00"), receipt("R1", "1"))
    hub.say(invoice("I1", "1", "1100.00"))
    command = hub.commands[AM][-1]
    assert isinstance(command, WriteAsset)
    assert command.fields.acquisition_cost is not None
    assert command.fields.acquisition_cost.amount == Decimal("1100.00")
    assert command.fields.acquisition_date == RECEIVED
    assert command.fields.description == "Laptop", "the shell is the same record"
    [report] = [v.body for v in named(hub.written[-40:], "AssetReport") if isinstance(v.body, AssetReport)][-1:]
    assert (report.origin.entity, report.origin.native_id) == ("purchase-line", "7/1")


def test_without_a_flow_of_orders_no_record_is_told_a_cost() -> None:
    hub = Hub(landscape([("asset", AM, "tryton")]))
    hub.say(bought(), receipt("R1", "3"))
    assert len(hub.rows(ProposedAsset)) == 3, "the books are kept all the same"
    assert named(hub.written, "AssetReport") == []


def test_only_the_erp_says_invoices_and_any_system_may_receive() -> None:
    hub = Hub()
    hub.say(bought())
    bill = invoice("I1", "3", "3000.00", order_system="tryton")
    hub.say(bill.model_copy(update={"origin": origin(AM, "invoice", "I1")}))
    assert [dead.field for dead in hub.dead] == ["origin.system"]
    hub.dead.clear()
    wrong = receipt("R1", "3").model_copy(update={"origin": origin("tryton", "invoice", "R1")})
    hub.say(wrong)
    assert [dead.field for dead in hub.dead] == ["origin.entity"]


def test_documents_of_an_order_that_was_refused_wait_for_its_correction() -> None:
    hub = Hub()
    wrong = an_order().model_copy(update={"net_total": Decimal(1)})
    hub.say(order("1", wrong), receipt("R1", "3"))
    assert (len(hub.dead), len(hub.rows(ReceiptState)), len(hub.rows(ProposedAsset))) == (1, 1, 0)
    hub.say(bought())
    assert len(hub.rows(ProposedAsset)) == 3


def test_each_document_is_one_event_with_its_own_date() -> None:
    hub = Hub()
    hub.say(bought(), receipt("R1", "3"), receipt("R9", "1", reversal_of="R1"))
    written = hub.say(invoice("I1", "2", "2000.00"), invoice("I9", "2", "2000.00", reversal_of="I1"))
    names = ("GoodsReceived", "GoodsReceiptReversed", "InvoiceMatched", "InvoiceReversed")
    assert [value.name for value in named(hub.written, *names)] == list(names)
    topics = {out.topic for out in written if out.topic.startswith("procurement.invoice")}
    assert topics == {"procurement.invoice.event.v1", "procurement.invoice.state.v1"}
    events = [value.body for value in named(written, "InvoiceMatched", "InvoiceReversed")]
    assert [e.accepted.effective_date for e in events if isinstance(e, InvoiceEvent)] == [INVOICED, INVOICED]
    assert held(hub) == {}
