"""Updates, closings and cancellations as movements: kinds, sides, lives; from recorded rows, changed for a case."""

from __future__ import annotations

import datetime as dt
import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from tieline.connectors.tryton import wire
from tieline.connectors.tryton.mapping import Context, map_item
from tieline.kernel.errors import Rejected
from tieline.kernel.movement_records import MovementKind, MovementReport, RevisionPolicy
from tieline.kernel.protocols import RawItem
from tieline.processors.movement_checks import check_movement, check_reversal_pair

GOLDEN = Path(__file__).parents[3] / "golden" / "tryton"
CONTEXT = Context("tryton", {}, "MAINT-EXPENSE", surplus_accounts=frozenset({"SURPLUS"}))


def recorded(case: str) -> tuple[str, dict[str, Any]]:
    stream = json.loads((GOLDEN / case / "expected.json").read_text(encoding="utf-8"))["stream"]
    return stream, wire.loads((GOLDEN / case / "given.json").read_bytes())


def movement(stream: str, document: dict[str, Any]) -> MovementReport:
    """The one movement of a record; the hub can take it."""
    [report] = map_item(CONTEXT, RawItem(stream, "1", wire.dumps(document)))
    assert isinstance(report, MovementReport)
    check_movement(report.fields)
    return report


def posted_against(case: str, code: str, statement: str) -> dict[str, Any]:
    """An update of a recorded case, its counterpart (the first line by id) another account."""
    _, document = recorded(case)
    counterpart = min(document["lines."], key=lambda line: line["id"])
    counterpart["account."] = {"id": 9, "code": code, "type.": {"id": 9, "statement": statement}}
    return document


@pytest.mark.parametrize(
    ("case", "code", "statement", "kind", "side"),
    [
        ("movement-written-up", "4.1.1", "income", MovementKind.REVALUATION, ("income", "50")),
        # A write-down is an expense, whatever the account of the income statement is called.
        ("movement-written-down", "4.1.1", "income", MovementKind.REVALUATION, ("expense", "300")),
        ("movement-written-up", "SURPLUS", "balance", MovementKind.REVALUATION, ("surplus_change", "50")),
        ("movement-written-down", "SURPLUS", "balance", MovementKind.REVALUATION, ("surplus_change", "-300")),
        ("movement-written-up", "2.1.1", "balance", MovementKind.ACQUISITION_ADJUSTMENT, ("clearing", "50")),
        ("movement-written-down", "2.1.1", "balance", MovementKind.ACQUISITION_ADJUSTMENT, ("clearing", "-300")),
    ],
)
def test_the_counterpart_tells_what_a_change_of_value_is(
    case: str, code: str, statement: str, kind: MovementKind, side: tuple[str, str]
) -> None:
    fields = movement("book-movements", posted_against(case, code, statement)).fields
    change = Decimal(50 if case == "movement-written-up" else -300)
    assert (fields.kind, fields.cost_change, fields.accumulated_change) == (kind, change, Decimal(0))
    assert getattr(fields, side[0]) == Decimal(side[1])


@pytest.mark.parametrize("case", ["movement-written-down", "movement-written-up", "movement-disposal"])
def test_the_order_in_which_lines_come_tells_nothing(case: str) -> None:
    stream, document = recorded(case)
    turned = {**document, "lines.": document["lines."][::-1]}
    assert movement(stream, document) == movement(stream, turned)


def test_t22_a_cancelled_disposal_is_its_exact_opposite() -> None:
    gone, back = movement(*recorded("movement-disposal")), movement(*recorded("movement-disposal-cancelled"))
    assert back.fields.reversal_of == gone.origin.native_id
    check_reversal_pair(gone.fields, back.fields)


def test_t22_a_cancelled_change_of_value_is_its_exact_opposite() -> None:
    _, update = recorded("movement-written-down")
    _, cancelling = recorded("movement-disposal-cancelled")
    down, back = movement("book-movements", update), movement("movement-reversals", {**cancelling, "origin.": update})
    assert back.fields.kind is MovementKind.REVALUATION
    check_reversal_pair(down.fields, back.fields)


def test_what_a_customer_bought_is_a_sale_unless_the_comment_says_otherwise() -> None:
    stream, document = recorded("movement-disposal")
    asset = {**document["origin."], "customer_invoice_line": 7}
    assert movement(stream, {**document, "origin.": asset}).fields.disposal_kind == "SCRAP"
    assert movement(stream, {**document, "origin.": {**asset, "comment": "Sold."}}).fields.disposal_kind == "SALE"


def test_a_disposal_of_what_is_worn_out_has_two_lines() -> None:
    stream, document = recorded("movement-disposal")
    value, worn, _ = sorted(document["lines."], key=lambda line: line["id"])
    worn["debit"] = value["credit"]
    fields = movement(stream, {**document, "lines.": [value, worn]}).fields
    assert (fields.cost_change, fields.accumulated_change, fields.expense) == (
        Decimal(-1200),
        Decimal(-1200),
        Decimal(0),
    )


def day(year: int, month: int, number: int) -> dict[str, object]:
    return {"__class__": "date", "year": year, "month": month, "day": number}


def revised(end: dict[str, object], *, before: dict[str, object] | None, **asset: Any) -> list[MovementReport]:
    """What a revision to this end says, of an asset that starts on 2025-01-01, without a move."""
    stream, document = recorded("revision-of-a-life")
    revisions = [{**document["asset."]["revisions."][0], "end_date": before}] if before else []
    of = {**document["asset."], "update_moves.": [], "revisions.": revisions, **asset}
    found = map_item(CONTEXT, RawItem(stream, "1", wire.dumps({**document, "end_date": end, "asset.": of})))
    return [report for report in found if isinstance(report, MovementReport)]


@pytest.mark.parametrize(
    ("before", "end", "expected"),
    [
        (day(2027, 12, 31), day(2028, 12, 31), (36, 48)),
        (day(2028, 12, 31), day(2027, 12, 31), (48, 36)),  # back to the product's usual life is a change, too
        (day(2027, 12, 31), day(2028, 1, 1), (36, 37)),  # a part of a period counts as one
        (day(2027, 12, 31), day(2027, 12, 10), None),  # within the last period of the book
        (day(2028, 12, 31), day(2028, 12, 31), None),
        (None, day(2027, 12, 31), None),  # the life that the product's 36 months give
        (None, day(2028, 12, 31), (None, 48)),
    ],
)
def test_t12_a_new_end_is_a_new_life_in_whole_periods(
    before: dict[str, object] | None, end: dict[str, object], expected: tuple[int | None, int] | None
) -> None:
    said = [report.fields for report in revised(end, before=before)]
    for fields in revised(end, before=before):
        check_movement(fields.fields)
    lives = [(fields.from_life_periods, fields.to_life_periods) for fields in said]
    assert lives == ([] if expected is None else [expected])
    assert {fields.policy for fields in said} <= {RevisionPolicy.REMAINING_LIFE}


def test_a_book_of_years_counts_years() -> None:
    [longer] = revised(day(2029, 6, 30), before=day(2027, 12, 31), frequency="yearly")
    assert (longer.fields.from_life_periods, longer.fields.to_life_periods) == (3, 5)


def test_a_revision_without_a_move_holds_from_the_day_it_was_made() -> None:
    [longer] = revised(day(2028, 12, 31), before=day(2027, 12, 31))
    assert longer.fields.effective_date == dt.date(2026, 11, 21)
    assert longer.origin.native_id == "revision|6"


def test_a_currency_that_is_none_is_refused_with_its_place() -> None:
    for case in ("movement-disposal", "movement-disposal-cancelled", "revision-of-a-life"):
        stream, document = recorded(case)
        text = wire.dumps(document).replace(b'"EUR"', b'"euro"')
        with pytest.raises(Rejected) as caught:
            map_item(CONTEXT, RawItem(stream, "1", text))
        assert caught.value.field == "fields.currency"
