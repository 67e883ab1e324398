"""After ``tieline demo seed``: both systems hold the same year, as each of them says by its own API."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from typing import Any

import pytest
from tests.main_job.world import (
    DAY,
    Row,
    World,
    am_schedule,
    amount,
    day,
    erp_schedule,
    eventually,
    faults,
    notes,
)

from tieline.demo.organisation import demo_organisation

pytestmark = [pytest.mark.integration, pytest.mark.timeout(900, func_only=True)]
PLAN = demo_organisation()
ASSETS = 60


def pairs(world: World) -> list[tuple[Row, Row]]:
    """Each asset as (asset management's record, the ERP's), joined by the ERP's number."""
    records, booked = world.am.find_assets(), world.erp.assets()
    by_number = {row["number"]: row for row in booked}
    assert len(by_number) == len(booked), "a number stands twice in the ERP"
    assert {record["erp_asset_number"] for record in records} == set(by_number)
    assert len(records) == len(booked), "a number stands twice in asset management"
    return [(record, by_number[record["erp_asset_number"]]) for record in records]


def test_every_asset_is_in_both_systems_once_with_each_others_numbers(world: World) -> None:
    found = pairs(world)
    assert len(found) == ASSETS == PLAN.assets
    for record, row in found:
        said = notes(row)
        assert (record["tag"], record["external_ref"]) == (said["tag"], said["tieline"])
        assert amount(record["purchase_cost"]) == amount(row["value"])
    assert len({record["external_ref"] for record, _ in found}) == ASSETS
    assert len({record["tag"] for record, _ in found}) == ASSETS


def test_the_sum_of_cost_is_what_was_paid(world: World) -> None:
    paid = sum((thing.cost for thing in (*PLAN.registered, *PLAN.booked)), Decimal(0))
    paid += sum((line.unit_price * len(line.things) for order in PLAN.orders for line in order.lines), Decimal(0))
    assert sum(amount(row["value"]) for row in world.erp.assets()) == paid
    assert sum(amount(record["purchase_cost"]) for record in world.am.find_assets()) == paid


def test_every_schedule_is_the_erps_line_by_line(world: World) -> None:
    panels = {panel["asset_id"]: panel for panel in world.panels()}
    posted = 0
    assert len(panels) == ASSETS
    for record, row in pairs(world):
        panel, lines = panels[record["id"]], erp_schedule(row)
        assert am_schedule(panel) == lines
        assert lines or row["state"] == "closed"
        done = sum((line[1] for line in lines if line[4]), amount(row["depreciated_amount"]))
        in_books = (done, amount(row["value"]) - done) if row["state"] != "closed" else (Decimal(0), Decimal(0))
        assert (amount(panel["accumulated"]), amount(panel["book_value"])) == in_books
        posted += sum(line[4] for line in lines)
    assert posted > ASSETS, "three month ends were posted"


def test_order_lines_for_assets_became_records_and_expenses_none(world: World) -> None:
    bought = world.erp.rows(
        "purchase.line",
        [("type", "=", "line"), ("purchase.state", "in", ["confirmed", "processing", "done"])],
        *("quantity", "product.template.type", "description"),
    )
    wanted = [
        f"tryton/{line['id']}/{ordinal}"
        for line in bought
        if line["product."]["template."]["type"] == "assets"
        for ordinal in range(1, int(line["quantity"]) + 1)
    ]
    refs = [record["po_line_ref"] for record in world.am.find_assets() if record["po_line_ref"]]
    assert sorted(refs) == sorted(wanted)
    assert len(wanted) == len(PLAN.ordered)
    assert sum(line["product."]["template."]["type"] != "assets" for line in bought) == len(PLAN.orders)


def test_every_cost_document_is_posted_once_on_its_cost_centre(world: World) -> None:
    documents, moves = world.rest("cost-documents?limit=200")["items"], world.erp.postings()
    assert len(documents) == len(moves) == len(PLAN.works)
    for document in documents:
        wanted = f"work order: {document['work_order']}"
        (move,) = [move for move in moves if wanted in (move["description"] or "").split(" | ")]
        assert (move["state"], day(move["date"])) == ("posted", document["date"])
        assert _expense(move) == [(document["cost_centre"], amount(line["amount"])) for line in document["lines"]]
        assert sum(amount(line["debit"]) - amount(line["credit"]) for line in move["lines."]) == 0
    paid = sum((cost for work in PLAN.works for _, _, cost in work.costs), Decimal(0))
    assert sum(amount(document["total"]) for document in documents) == paid
    assert sum(value for move in moves for _, value in _expense(move)) == paid


def _expense(move: Row) -> list[tuple[str, Decimal]]:
    """Cost centre and amount of each line on the expense account; the analytic line has the whole amount."""
    found: list[tuple[str, Decimal]] = []
    for line in sorted(move["lines."], key=lambda line: int(line["id"])):
        if line["account."]["code"] == "MAINT-EXPENSE":
            (analytic,) = line["analytic_lines."]
            value = amount(line["debit"]) - amount(line["credit"])
            assert amount(analytic["debit"]) - amount(analytic["credit"]) == value
            found.append((analytic["account."]["code"], value))
    return found


def test_retired_assets_are_closed_in_the_erp_on_their_day(world: World) -> None:
    retired = {disposal.thing: disposal.day.isoformat() for disposal in PLAN.disposals}
    found = pairs(world)
    assert {r["tag"]: r["retired_date"] for r, _ in found if r["status"] == "retired"} == retired
    closed = {notes(row)["tag"]: day(row["move."]["date"]) for _, row in found if row["state"] == "closed"}
    assert closed == retired


def test_a_second_seed_adds_nothing(world: World) -> None:
    def everything() -> tuple[Any, ...]:
        return world.am.journal()[-1]["seq"], world.am.stats(), world.erp.count()

    before = everything()
    world.estate.tieline("demo", "seed", timeout_secs=240)
    assert everything() == before


def test_a_recalculated_schedule_replaces_the_one_before(world: World) -> None:
    (row,) = world.erp.with_line(f"Seeded as {PLAN.booked[0].mark}")
    before = erp_schedule(row)
    end = dt.date.fromisoformat(day(row["end_date"]) or "")
    world.erp.recalculate(row, end.replace(year=end.year - 1))
    (after,) = world.erp.with_line(f"Seeded as {PLAN.booked[0].mark}")
    wanted = erp_schedule(after)
    assert len(before) - len(wanted) == 12
    assert [line for line in wanted if line[4]] == [line for line in before if line[4]]
    (record,) = [r for r in world.am.find_assets() if r["erp_asset_number"] == row["number"]]
    eventually(lambda: am_schedule(world.am.panel(record["id"])) == wanted, "the new schedule in asset management")
    assert sum(panel["asset_id"] == record["id"] for panel in world.panels()) == 1


def test_a_lost_webhook_is_made_up_for_by_the_poll(world: World) -> None:
    with faults(world, {"kind": "lose_webhook", "method": "POST", "path": "/assets$"}):
        world.register("LOST-1")
        world.until_booked("LOST-1")


def test_a_doubled_webhook_doubles_nothing(world: World) -> None:
    rules = ({"kind": "duplicate_webhook", "method": method, "count": None} for method in ("POST", "PATCH"))
    with faults(world, *rules):
        record = world.register("TWICE-1")
        world.until_booked("TWICE-1")
        world.am.move(record["id"], "HAM-PORT")
        eventually(lambda: len(world.erp.with_line("location: HAM-PORT")) > 0, "the move in the ERP")
        document = world.am.maintain(record["id"], "Twice", [("labour", "Technician", Decimal("10.00"))], DAY)
        eventually(lambda: bool(_postings(world, document)), "the costs in the ERP")
        world.settle()
    assert len(world.erp.with_line("tag: TWICE-1")) == 1
    assert len(_postings(world, document)) == 1
    assert world.journal_of(record["id"]) == ["created", "updated", "updated"]  # by us, the hub's numbers, by us
    assert world.journal_of(record["id"], "panel") == ["created"]


def _postings(world: World, document: Row) -> list[Row]:
    wanted = f"work order: {document['work_order']}"
    return [move for move in world.erp.postings() if wanted in (move["description"] or "").split(" | ")]
