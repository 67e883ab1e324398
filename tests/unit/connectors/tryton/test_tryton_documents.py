"""Receipts, invoices and runs: what is one document, what takes back what, and who counts a run."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping, Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any, cast

import pytest

from tieline.connectors.tryton.mapping import Context, map_item
from tieline.connectors.tryton.runs import RunReader
from tieline.kernel.book_records import DepreciationRunReport, RunStatus
from tieline.kernel.errors import Rejected, Unavailable
from tieline.kernel.order_records import InvoiceReport, ReceiptReport
from tieline.kernel.protocols import RawItem

GOLDEN = Path(__file__).parents[3] / "golden" / "tryton"
CONTEXT = Context("tryton", {}, "MAINT-EXPENSE")


def golden(name: str) -> dict[str, Any]:
    return cast("dict[str, Any]", json.loads((GOLDEN / name / "given.json").read_text(encoding="utf-8")))


def day(number: int, month: int = 1) -> dict[str, Any]:
    return {"__class__": "date", "year": 2025, "month": month, "day": number}


def receipts(document: Mapping[str, Any]) -> list[ReceiptReport]:
    found = map_item(CONTEXT, RawItem("receipts", "1", json.dumps(document).encode()))
    return [report for report in found if isinstance(report, ReceiptReport)]


def invoices(document: Mapping[str, Any]) -> list[InvoiceReport]:
    found = map_item(CONTEXT, RawItem("supplier-invoices", "1", json.dumps(document).encode()))
    return [report for report in found if isinstance(report, InvoiceReport)]


def taken_back(document: Mapping[str, Any]) -> list[tuple[str | None, str]]:
    """Receipt and quantity of each reversal."""
    return [(r.fields.reversal_of, f"{r.fields.lines[0].accepted:f}") for r in receipts(document)]


def sent_back(quantity: float) -> dict[str, Any]:
    """So much of receipts 1 (two pieces) and 3 (one piece, later), on the order's own line."""
    document = golden("receipt-sent-back-on-a-return-order")
    returned = document["origin."]["purchase."]["origin."]["lines."][0]
    own = {"id": document["id"], "state": "done", "quantity": quantity, "effective_date": document["effective_date"]}
    moves = [*returned["moves."], {**own, "from_location.": document["from_location."]}]
    line = {**document["origin."], "id": returned["id"], "moves.": moves, "purchase.": {"id": 1, "origin.": None}}
    return {**document, "quantity": quantity, "origin.": line}


# ---- goods ----------------------------------------------------------------------------------------------------


def test_what_is_sent_back_is_of_the_latest_receipts() -> None:
    assert taken_back(sent_back(1.0)) == [("3", "1")]
    assert taken_back(sent_back(2.0)) == [("3", "1"), ("1", "1")]
    assert {report.fields.order_native_id for report in receipts(sent_back(2.0))} == {"1"}


def test_what_was_sent_back_before_is_not_sent_back_twice() -> None:
    document = sent_back(1.0)
    earlier = {**document["origin."]["moves."][-1], "id": 4, "quantity": 2.0, "effective_date": day(20)}
    document["origin."]["moves."].append(earlier)
    assert taken_back(document) == [("1", "1")]
    later = {**earlier, "effective_date": day(20, 3)}
    document["origin."]["moves."][-1] = later
    assert taken_back(document) == [("3", "1")], "what goes back later changes nothing that was said"


def test_two_shipments_of_one_return_order_share_the_receipts() -> None:
    document = golden("receipt-sent-back-on-a-return-order")
    document["quantity"] = 1.0
    own = document["origin."]["moves."][0]
    assert (own["id"], own["quantity"]) == (document["id"], 3.0)
    document["origin."]["moves."] = [{**own, "quantity": 1.0}, {**own, "id": 4, "quantity": 2.0}]
    assert taken_back(document) == [("1", "1")]


def test_what_came_after_a_return_was_not_sent_back_by_it() -> None:
    document = sent_back(1.0)
    for move in document["origin."]["moves."]:
        if move["id"] == 3:
            move["effective_date"] = day(1, 3)
    assert taken_back(document) == [("1", "1")]


def test_goods_moved_inside_the_house_are_no_receipt() -> None:
    document = golden("receipt-on-a-shipment")
    assert receipts({**document, "from_location.": document["to_location."]}) == []


# ---- invoices -------------------------------------------------------------------------------------------------


def test_an_invoice_of_two_orders_is_one_document_of_each() -> None:
    document = golden("invoice-posted")
    first, second = document["lines."]
    other = {"id": 9, "lines.": [{"id": 77, "unit.": first["unit."]}]}
    document["lines."] = [first, {**second, "origin": "purchase.line,77"}]
    document["purchases."].append(other)
    found = invoices(document)
    assert [(r.origin.native_id, r.fields.order_native_id, r.fields.net_total) for r in found] == [
        ("1|1", "1", Decimal("1500.00")),
        ("1|9", "9", Decimal("21.00")),
    ]


def test_lines_of_no_order_are_not_told() -> None:
    document = golden("invoice-posted")
    document["lines."][0]["origin"] = None
    [report] = invoices(document)
    assert [line.line_id for line in report.fields.lines] == ["2"]


def test_a_cancelled_credit_note_charges_again_what_it_took_off() -> None:
    document = golden("invoice-credit-note")
    document["state"] = "cancelled"
    document["cancel_move."] = {"id": 5, "date": day(25), "origin": "account.move,4"}
    credit, again = invoices(document)
    assert (credit.fields.reversal_of, again.fields.reversal_of) == ("1|1", None)
    assert again.fields.lines == credit.fields.lines
    assert again.origin.native_id == f"{credit.origin.native_id}|cancelled"


def test_an_invoice_cancelled_by_its_credit_note_is_not_reversed_twice() -> None:
    document = golden("invoice-cancelled")
    assert len(invoices(document)) == 2
    document["cancel_move."]["origin"] = "account.invoice,8"
    assert len(invoices(document)) == 1, "the credit note reports itself"


def test_a_line_of_an_order_that_the_invoice_does_not_name_is_refused() -> None:
    document = golden("invoice-posted")
    document["purchases."] = []
    with pytest.raises(Rejected) as caught:
        invoices(document)
    assert caught.value.field == "lines[0].origin"


# ---- runs -----------------------------------------------------------------------------------------------------


class Ledger:
    """A general ledger of three depreciation moves, given in pages of two lines."""

    def __init__(self, *debits: str, drafts: int = 0) -> None:
        self.debits, self.drafts = debits, drafts
        self.stamp = golden("depreciation-run")["changed_at"]

    async def search_read(self, model: str, domain: Sequence[Any], *_: Any, limit: int, **__: Any) -> list[Any]:
        if model == "account.move":
            return [{"id": 1, "create_date": self.stamp, "write_date": None}] if self.debits or self.drafts else []
        last = next(rest[1] for field, *rest in domain if field == "id")
        rows = [{"id": n, "debit": {"__class__": "Decimal", "decimal": d}} for n, d in enumerate(self.debits, 1)]
        return [row for row in rows if row["id"] > last][:limit]

    async def read(self, method: str, domain: Sequence[Any]) -> object:
        assert method == "model.account.move.search_count"
        return len(self.debits) if ("state", "=", "posted") in domain else self.drafts


def figures(ledger: Any) -> dict[str, Any] | None:
    period = {k: v for k, v in golden("depreciation-run").items() if k not in {"posted_count", "posted_debit"}}
    return asyncio.run(RunReader(ledger, page_size=2).with_figures(period))


def reported(document: Mapping[str, Any]) -> DepreciationRunReport:
    [report] = map_item(CONTEXT, RawItem("depreciation-runs", "1", json.dumps(document).encode()))
    assert isinstance(report, DepreciationRunReport)
    return report


def test_t33_a_run_is_counted_in_the_ledger_page_by_page() -> None:
    found = figures(Ledger("10.10", "20.20", "0.03"))
    assert found is not None
    fields = reported(found).fields
    assert (fields.expected_count, fields.control_total, fields.period) == (3, Decimal("30.33"), "2025-001")
    assert fields.status is RunStatus.COMPLETED


def test_a_run_with_moves_that_are_not_posted_is_running() -> None:
    found = figures(Ledger("10.10", drafts=1))
    assert found is not None
    assert reported(found).fields.status is RunStatus.RUNNING


def test_a_period_without_depreciation_has_no_run() -> None:
    assert figures(Ledger()) is None


def test_a_page_in_the_wrong_order_is_no_total() -> None:
    class Shuffled(Ledger):
        async def search_read(self, model: str, *args: Any, **more: Any) -> list[Any]:
            rows = await super().search_read(model, *args, **more)
            return rows[::-1]

    with pytest.raises(Unavailable):
        figures(Shuffled("1.00", "2.00"))
