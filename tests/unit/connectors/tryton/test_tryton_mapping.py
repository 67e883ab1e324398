"""Golden cases of the mapping: records as a real Tryton gave them, and what must be refused with its place."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tieline.connectors.tryton.comment import KEYS
from tieline.connectors.tryton.mapping import STREAMS, Context, map_item, path
from tieline.kernel.errors import Rejected
from tieline.kernel.order_records import ApprovalStatus, OrderReport
from tieline.kernel.protocols import RawItem

CASES = sorted((Path(__file__).parents[3] / "golden" / "tryton").iterdir())
CLASSES = ("COMPUTER", "VEHICLE", "MACHINE", "FURNITURE")


@pytest.fixture
def context() -> Context:
    return Context("tryton", {code: code for code in CLASSES}, "MAINT-EXPENSE")


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_golden_case(case: Path, context: Context) -> None:
    expected = json.loads((case / "expected.json").read_text(encoding="utf-8"))
    item = RawItem(expected["stream"], "x", (case / "given.json").read_bytes())
    if "rejected" in expected:
        with pytest.raises(Rejected) as caught:
            map_item(context, item)
        assert {"field": caught.value.field, "reason": caught.value.reason} == expected["rejected"]
    else:
        found = [report.model_dump(mode="json", exclude_none=True) for report in map_item(context, item)]
        assert found == expected["reports"]


def test_there_are_golden_cases_of_both_sorts() -> None:
    bad = [case for case in CASES if case.name.startswith("bad-")]
    assert len(CASES) - len(bad) >= 12
    assert len(bad) >= 30


def test_every_stream_has_a_golden_case() -> None:
    streams = {json.loads((case / "expected.json").read_text(encoding="utf-8"))["stream"] for case in CASES}
    assert set(STREAMS) <= streams


@pytest.mark.parametrize(("state", "closed"), [("processing", False), ("done", True)])
def test_an_order_that_is_done_is_closed(context: Context, state: str, *, closed: bool) -> None:
    document = json.loads((case_named("order-approved") / "given.json").read_text(encoding="utf-8"))
    document["state"] = state
    [report] = map_item(context, RawItem("purchase-orders", "1", json.dumps(document).encode()))
    assert isinstance(report, OrderReport)
    assert (report.fields.closed, report.fields.approval_status) == (closed, ApprovalStatus.APPROVED)


@pytest.mark.parametrize(
    ("comment", "expected"),
    [
        ("po: 12", "erp/12/1"),
        ("PO: 12/3", "erp/12/3"),
        ("po: other/7/2", "other/7/2"),
        ("bought, see po 12", None),
    ],
)
def test_an_order_line_is_read_from_the_comment(comment: str, expected: str | None) -> None:
    document = json.loads((case_named("asset-draft") / "given.json").read_text(encoding="utf-8"))
    document["comment"] = comment
    item = RawItem("assets", "1", json.dumps(document).encode())
    [report] = map_item(Context("erp", {code: code for code in CLASSES}, "MAINT-EXPENSE"), item)
    assert report.model_dump()["fields"]["po_line_ref"] == expected


def case_named(name: str) -> Path:
    return next(case for case in CASES if case.name == name)


def test_a_path_reads_like_the_document() -> None:
    assert path(("lines.", 2, "move.", "number")) == "lines[2].move.number"
    assert path(("amount",), "fields") == "fields.amount"
    assert "serial" in KEYS
