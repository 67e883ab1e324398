"""One cost, told by several paths, is posted once."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal

from tests.unit.processors.bench import AM, ERP, Hub, conflicts, cost, named, order, origin
from tests.unit.processors.test_capitalise import a_line, an_order

from tieline.kernel.cost_records import CostKind, CostLine, CostReport, CostState
from tieline.kernel.memory import Conflict
from tieline.kernel.order_records import InvoiceFields, InvoiceLine, InvoiceReport

ISSUE, BOUGHT = f"{AM}/stock-issue/31", f"{ERP}/purchase-line/7"


def document(native_id: str, *lines: tuple[str, str | None], reversal_of: str | None = None) -> CostReport:
    """A cost document of lines of amount and source."""
    parts = tuple(
        CostLine(line_no=n, kind=CostKind.PART, description="part", amount=Decimal(amount), source_ref=ref)
        for n, (amount, ref) in enumerate(lines, 1)
    )
    total = sum((part.amount for part in parts), Decimal(0))
    return cost(native_id, None, total=total, lines=parts, reversal_of=reversal_of)


def invoice(native_id: str, line_id: str = "7", **changes: object) -> InvoiceReport:
    charged = InvoiceLine(line_id=line_id, quantity=Decimal(1), net_amount=Decimal("100.00"))
    values = {
        "order_native_id": "1",
        "invoiced_on": dt.date(2026, 11, 4),
        "currency": "EUR",
        "net_total": Decimal("100.00"),
        "lines": (charged,),
    }
    return InvoiceReport(
        origin=origin(ERP, "invoice", native_id), fields=InvoiceFields.model_validate(values | changes)
    )


def posted(hub: Hub) -> list[str]:
    """Native ids of the documents for which an event was published, in order."""
    events = named(hub.written, "CostPosted", "CostReversed")
    return [event.body.accepted.origin_native_id for event in events if hasattr(event.body, "accepted")]


def test_t30_a_stock_issue_that_a_work_order_posted_is_not_posted_again() -> None:
    hub = Hub()
    hub.say(document("WO1", ("40.00", ISSUE), ("60.00", None)), document("SI31", ("40.00", ISSUE)))
    assert posted(hub) == ["WO1"]
    assert [c.fields.work_order for c in hub.commands[ERP] if hasattr(c, "cost_doc_id")] == ["WO1"]  # type: ignore[attr-defined]  # by the filter
    [row] = [row for row in hub.rows(CostState).values() if row.origin_native_id == "SI31"]
    assert row.duplicate_of == f"{AM}/WO1"
    [conflict] = hub.rows(Conflict).values()
    assert (conflict.canonical_id, conflict.field, conflict.owned_value) == (
        row.cost_doc_id,
        "source_ref",
        f"posted by {AM}/WO1",
    )
    assert hub.dead == []


def test_t30_a_document_of_which_a_part_was_posted_is_left_to_a_person() -> None:
    hub = Hub()
    hub.say(document("SI31", ("40.00", ISSUE)), document("WO1", ("40.00", ISSUE), ("60.00", None)))
    assert posted(hub) == ["SI31"]
    [conflict] = hub.rows(Conflict).values()
    assert f"1 by {AM}/SI31" in (conflict.foreign_value or "")
    hub.say(document("WO1R", ("-40.00", ISSUE), ("-60.00", None), reversal_of="WO1"), document("WO2", ("60.00", None)))
    assert posted(hub) == ["SI31", "WO2"]  # what was never posted is not taken back
    assert conflicts(hub) == set()


def test_t30_what_the_suppliers_invoice_posted_is_not_posted_by_a_work_order() -> None:
    hub = Hub()
    hub.say(order("1", an_order(a_line("7", "100.00"))), invoice("I1"), document("WO1", ("100.00", BOUGHT)))
    assert posted(hub) == []
    assert conflicts(hub) == {("source_ref", AM)}


def test_t30_an_invoice_for_what_a_work_order_posted_is_visible() -> None:
    hub = Hub()
    hub.say(order("1", an_order(a_line("7", "100.00"))), document("WO1", ("100.00", BOUGHT)), invoice("I1"))
    assert posted(hub) == ["WO1"]
    assert conflicts(hub) == {("source_ref", ERP)}
    hub.say(document("WO1R", ("-100.00", BOUGHT), reversal_of="WO1"))
    assert posted(hub) == ["WO1", "WO1R"]
    assert conflicts(hub) == set()


def test_t30_a_conflict_that_a_second_invoice_tells_of_stands_since_the_first() -> None:
    hub = Hub()
    hub.say(order("1", an_order(a_line("7", "100.00"))), document("WO1", ("100.00", BOUGHT)), invoice("I1"))
    [first] = [row for row in hub.rows(Conflict).values() if row.field == "source_ref"]
    hub.say(invoice("I2"))
    [second] = [row for row in hub.rows(Conflict).values() if row.field == "source_ref"]
    assert "invoice tryton/I2 charges it too" in str(second.foreign_value)
    assert second.detected_at == first.detected_at


def test_t30_a_reversed_document_gives_its_source_back() -> None:
    hub = Hub()
    hub.say(document("WO1", ("40.00", ISSUE)), document("WO1R", ("-40.00", ISSUE), reversal_of="WO1"))
    hub.say(document("WO2", ("40.00", ISSUE)))
    assert posted(hub) == ["WO1", "WO1R", "WO2"]


def test_t30_a_document_sent_again_is_no_duplicate_of_itself() -> None:
    hub = Hub()
    hub.say(document("WO1", ("20.00", ISSUE), ("20.00", ISSUE)), document("WO1", ("20.00", ISSUE), ("20.00", ISSUE)))
    assert posted(hub) == ["WO1"]
    assert conflicts(hub) == set()


def test_t30_lines_without_a_source_are_never_taken_for_each_other() -> None:
    hub = Hub()
    hub.say(document("WO1", ("40.00", None)), document("WO2", ("40.00", None)))
    assert posted(hub) == ["WO1", "WO2"]
