"""Do the systems agree? Nothing to report when they do; exactly what was planted when they do not; repaired after."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import httpx
import pytest
from tests.main_job.world import Row, World, amount, eventually, notes

from tieline.demo.organisation import demo_organisation

pytestmark = [pytest.mark.integration, pytest.mark.timeout(900, func_only=True)]
PLAN = demo_organisation()
_BUSY = {work.thing for work in PLAN.works} | {disposal.thing for disposal in PLAN.disposals}
PRICED, PLACED, DELETED, COPIED, *MOVED = [thing for thing in PLAN.registered if thing.mark not in _BUSY]
COPIED_FIELDS = (
    *("name", "serial", "site", "condition", "status", "category", "company", "cost_centre"),
    *("purchase_cost", "currency", "purchase_date", "in_service_date"),
)


def test_a_seeded_estate_has_no_drift(world: World) -> None:
    world.settle()
    code, found = world.ask("reconcile", "run")
    assert (code, found["drifts"], found["in_flight"]) == (0, [], [])
    assert found["run"]["conclusive"]
    assert found["run"]["consistency_percent"] == "100.00"
    assert {(total["unexplained"], total["unexplained_count"]) for total in found["totals"]} == {("0.00", 0)}
    (cost,) = [t for t in found["totals"] if (t["system"], t["entity"], t["measure"]) == ("unio24", "asset", "cost")]
    records = world.am.find_assets()
    assert cost["held"]["count"] == len(records)
    assert Decimal(cost["held"]["amount"]) == sum(amount(record["purchase_cost"]) for record in records)


def test_exactly_what_was_planted_is_found_and_repaired(world: World) -> None:
    priced, deleted, copied = (world.asset(thing.mark) for thing in (PRICED, DELETED, COPIED))
    (placed,) = world.erp.with_line(f"tag: {PLACED.mark}")
    world.am.edit(priced["id"], purchase_cost="1.00")  # the ERP vouches for it
    text = placed["comment"].replace(f"location: {PLACED.site}", "location: NOWHERE")
    world.erp.call("model.account.asset.write", [placed["id"]], {"comment": text})
    world.am.delete(deleted["id"])
    copy = world.am.create_asset(**{name: copied[name] for name in COPIED_FIELDS if copied[name] is not None})
    planted = {
        ("MISMATCH", "unio24", "asset", str(priced["id"]), "acquisition_cost"),
        ("MISMATCH", "tryton", "asset", str(placed["id"]), "location"),
        ("GHOST", "unio24", "asset", str(deleted["id"]), None),
        ("EXTRA", "unio24", "asset", str(copy["id"]), None),
    }
    world.settle()
    first, second = _run(world), _run(world)
    for code, found in (first, second):
        assert _named(found) == planted
        assert (code, len(found["drifts"]), found["in_flight"]) == (1, 4, [])
        assert {(total["unexplained"], total["unexplained_count"]) for total in found["totals"]} == {("0.00", 0)}
    assert [drift["drift_id"] for drift in first[1]["drifts"]] == [drift["drift_id"] for drift in second[1]["drifts"]]
    assert _only(second[1], "acquisition_cost")["expected"] == f"{PRICED.cost:.2f} EUR"
    assert _only(second[1], "location")["expected"] == PLACED.site
    _nothing_travelled(world, copy)
    _repair(world)
    _repaired(world, priced, deleted, copy)
    code, found = _run(world)
    assert (code, found["drifts"], found["in_flight"]) == (0, [], [])


def _run(world: World) -> tuple[int, Any]:
    return world.ask("reconcile", "run")


def _named(found: Any) -> set[tuple[object, ...]]:
    names = ("kind", "system", "entity", "native_id", "field")
    return {tuple(drift[name] for name in names) for drift in found["drifts"]}


def _only(found: Any, field: str) -> Row:
    (drift,) = [drift for drift in found["drifts"] if drift["field"] == field]
    return dict(drift)


def _nothing_travelled(world: World, copy: Row) -> None:
    assert len(world.erp.with_line(f"serial: {COPIED.serial}")) == 1
    assert world.journal_of(copy["id"]) == ["created"]
    (row,) = world.erp.with_line(f"tag: {PRICED.mark}")
    assert amount(row["value"]) == PRICED.cost
    assert world.asset(PLACED.mark)["site"] == PLACED.site


def _repair(world: World) -> None:
    code, plan = world.ask("reconcile", "repair")
    assert code == 1
    assert sorted(step["action"] for step in plan["steps"]) == ["person", "write", "write", "write"]
    code, removing = world.ask("reconcile", "repair", "--allow-removal")
    assert sorted(step["action"] for step in removing["steps"]) == ["remove", "write", "write", "write"]
    assert removing["plan_hash"] != plan["plan_hash"]
    # A plan that nobody looked at is not applied.
    before = world.am.journal()[-1]["seq"]
    code, refused = world.ask("reconcile", "repair", "--apply", "--allow-removal", "--plan-hash", plan["plan_hash"])
    assert (code, refused["sent"]) == (2, 0)
    assert "the plan has changed" in refused["refused"]
    world.settle()
    assert world.am.journal()[-1]["seq"] == before
    code, done = world.ask("reconcile", "repair", "--apply", "--allow-removal", "--plan-hash", removing["plan_hash"])
    assert (code, done["refused"]) == (0, None)
    assert done["sent"] == sum(len(step["commands"]) for step in removing["steps"])


def _repaired(world: World, priced: Row, deleted: Row, copy: Row) -> None:
    world.until_booked(DELETED.mark)
    eventually(lambda: amount(world.am.asset(priced["id"])["purchase_cost"]) == PRICED.cost, "the price")
    eventually(lambda: len(world.erp.with_line("location: NOWHERE")) == 0, "the place")
    eventually(lambda: not [r for r in world.am.find_assets() if r["id"] == copy["id"]], "the copy's removal")
    with pytest.raises(httpx.HTTPStatusError, match="no asset"):
        world.am.asset(copy["id"])
    world.settle()
    again = world.asset(DELETED.mark)
    assert again["id"] != deleted["id"]
    same = ("tag", "serial", "site", "status", "erp_asset_number", "external_ref", "currency", "purchase_date")
    assert {name: again[name] for name in same} == {name: deleted[name] for name in same}
    assert amount(again["purchase_cost"]) == amount(deleted["purchase_cost"]) == DELETED.cost
    (row,) = world.erp.with_line(f"tag: {PLACED.mark}")
    assert notes(row)["location"] == PLACED.site


def test_what_is_under_way_is_not_drift(world: World) -> None:
    moved = MOVED[:3]
    sink = world.estate.parts["sink-tryton"]
    sink.stop()
    try:
        for thing in moved:
            world.am.move(world.asset(thing.mark)["id"], "MUC-STORE-2")
        code, found = _run(world)
    finally:
        sink.start()
    waiting = {str(row["id"]) for thing in moved for row in world.erp.with_line(f"tag: {thing.mark}")}
    assert (code, found["drifts"]) == (0, [])
    assert {(drift["system"], drift["native_id"], drift["field"]) for drift in found["in_flight"]} == {
        ("tryton", native_id, "location") for native_id in waiting
    }
    assert all("its command waits at sink.tryton.command.v1/" in drift["cause"] for drift in found["in_flight"])
    eventually(lambda: len(world.erp.with_line("location: MUC-STORE-2")) == 3, "the moves in the ERP")
    world.settle()
    code, found = _run(world)
    assert (code, found["drifts"], found["in_flight"]) == (0, [], [])
