"""Where a purchase stands, when its steps are due, and what it waits for."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest
from tests.unit.processors.bench import ERP, Hub, landscape, order
from tests.unit.processors.test_acquisitions import INVOICED, RECEIVED, bought, estate, invoice, receipt
from tests.unit.processors.test_capitalise import a_line, an_order

from tieline.kernel.landscape import Landscape, ProcureToPay
from tieline.kernel.order_records import InvoiceState, OrderReport, OrderState, ProposedAsset, ReceiptState
from tieline.kernel.procurement_records import PurchaseStep
from tieline.kernel.reports import Report
from tieline.processors.acquisitions import Documents
from tieline.processors.procure_to_pay import next_step, track

ORDERED = dt.date(2026, 11, 2)
DUE = ProcureToPay(
    approved_days=1, received_days=10, invoiced_days=20, capitalised_days=3, in_service_days=7, closed_days=30
)


def steps(*said: Report, hub: Hub | None = None, **changes: Any) -> tuple[PurchaseStep, ...]:
    """The steps of order 1 after these reports."""
    hub = hub or Hub()
    hub.say(*said)
    [state] = hub.rows(OrderState).values()
    documents = Documents(
        po_id=state.po_id,
        system=ERP,
        order=state.fields,
        receipts=list(hub.rows(ReceiptState).values()),
        invoices=list(hub.rows(InvoiceState).values()),
        known=list(hub.rows(ProposedAsset).values()),
    )
    return track(documents, DUE, **changes)


def standing(*said: Report, **changes: Any) -> dict[str, str]:
    return {step.name: step.status.value for step in steps(*said, **changes)}


def closed() -> OrderReport:
    return order("1", an_order(a_line("3", "3000.00")).model_copy(update={"closed": True}))


def test_an_order_that_is_not_approved_waits_for_that() -> None:
    found = steps(bought(approval="PENDING"))
    assert next_step(found) == found[0]
    assert (found[0].waits_for, found[0].due_on) == ("the approval: the order is pending", dt.date(2026, 11, 3))
    assert [step.status.value for step in found[1:]] == ["WAITING"] * 5


def test_an_approved_order_waits_for_all_of_its_receipt() -> None:
    found = next_step(steps(bought()))
    assert found is not None
    assert (found.name, found.waits_for, found.due_on) == ("received", "the receipt of 3 of 3", dt.date(2026, 11, 12))
    assert not found.is_late(dt.date(2026, 11, 12))
    assert found.is_late(dt.date(2026, 11, 13))
    partly = next_step(steps(bought(), receipt("R1", "2")))
    assert partly is not None
    assert (partly.name, partly.status.value, partly.waits_for) == ("received", "PARTLY", "the receipt of 1 of 3")


def test_what_will_not_be_delivered_any_more_is_not_waited_for() -> None:
    assert standing(bought(final_delivery=True), receipt("R1", "2"))["received"] == "DONE"


def test_more_of_one_line_does_not_make_up_for_another() -> None:
    other = a_line("1", "10.00", line_id="8")
    found = steps(order("1", an_order(a_line("3", "3000.00"), other)), receipt("R1", "4"))
    assert found[1].waits_for == "the receipt of 1 of 4"


def test_each_step_is_due_after_the_one_before_it() -> None:
    found = {step.name: step for step in steps(bought(), receipt("R1", "3"))}
    assert (found["received"].done_on, found["capitalised"].done_on) == (RECEIVED, RECEIVED)
    assert found["invoiced"].due_on == dt.date(2026, 11, 25)
    assert found["invoiced"].waits_for == "the invoice for 3 of 3"
    assert found["in service"].due_on == dt.date(2026, 11, 12)
    assert found["in service"].waits_for == "the first use of 3 of 3"
    assert found["closed"].waits_for == "first to be invoiced"


def test_the_whole_way_to_the_end() -> None:
    used = {f"tryton/7/{unit}": dt.date(2026, 12, unit) for unit in (1, 2, 3)}
    said = (bought(), receipt("R1", "3"), invoice("I1", "3", "3000.00"))
    open_one = next_step(steps(*said, in_service=used))
    assert open_one is not None
    assert (open_one.name, open_one.waits_for) == ("closed", "the closing of the order")
    assert open_one.due_on == dt.date(2027, 1, 2), "thirty days after the last unit came into service"
    done = steps(*said, closed(), in_service=used)
    assert next_step(done) is None
    assert [step.done_on for step in done[:5]] == [ORDERED, RECEIVED, INVOICED, RECEIVED, dt.date(2026, 12, 3)]


def test_a_unit_that_is_held_keeps_the_decision_open_and_says_why() -> None:
    hub = Hub(estate(rules=[{"name": "site", "asset_class": "BUILDING", "treatment": "CAPITALISE"}]))
    found = {step.name: step for step in steps(bought(), receipt("R1", "3"), hub=hub)}
    assert found["received"].status.value == "DONE"
    assert found["capitalised"].waits_for == "no rule of the landscape speaks of it"
    assert found["in service"].waits_for == "first to be capitalised"


def test_what_is_used_early_does_not_end_the_step_while_more_is_to_come() -> None:
    used = {"tryton/7/1": dt.date(2026, 12, 1)}
    assert standing(bought(), receipt("R1", "1"), in_service=used)["in service"] == "PARTLY"


def test_a_reversal_opens_the_step_again() -> None:
    said = (bought(), receipt("R1", "3"), receipt("R9", "1", reversal_of="R1"))
    assert standing(*said)["received"] == "PARTLY"
    assert standing(*said)["capitalised"] == "PARTLY"


@pytest.mark.parametrize("approval", ["REJECTED", "CANCELLED"])
def test_an_order_that_came_to_nothing_waits_for_nothing(approval: str) -> None:
    assert set(standing(bought(approval=approval)).values()) == {"NOT_NEEDED"}


def test_an_order_without_assets_needs_no_decision() -> None:
    found = standing(bought(asset_class=None), receipt("R1", "3"), invoice("I1", "3", "3000.00"))
    assert found == {
        "approved": "DONE",
        "received": "DONE",
        "invoiced": "DONE",
        "capitalised": "NOT_NEEDED",
        "in service": "NOT_NEEDED",
        "closed": "WAITING",
    }


def test_where_the_invoice_is_the_receipt_none_is_waited_for() -> None:
    line = a_line("2", "200.00").model_copy(update={"gr_expected": False})
    ordered = order("1", an_order(line))
    assert [(s.name, s.due_on) for s in steps(ordered) if s.name == "invoiced"] == [("invoiced", dt.date(2026, 11, 22))]
    found = {step.name: step for step in steps(ordered, invoice("I1", "2", "200.00"))}
    assert [found[name].status.value for name in ("received", "invoiced", "capitalised")] == [
        "NOT_NEEDED",
        "DONE",
        "DONE",
    ]
    assert found["in service"].due_on == dt.date(2026, 11, 27), "seven days after the invoice"


def test_the_due_times_come_from_the_landscape() -> None:
    raw = landscape().model_dump() | {"procure_to_pay": {"received_days": 2}}
    due = Landscape.model_validate(raw).procure_to_pay
    assert (due.received_days, due.approved_days) == (2, 5)
    with pytest.raises(ValueError, match="received_days"):
        Landscape.model_validate(landscape().model_dump() | {"procure_to_pay": {"received_days": -1}})
