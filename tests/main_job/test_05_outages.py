"""Outages and lost answers: nothing is dead-lettered, nothing is lost, nothing happens twice."""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from decimal import Decimal

import pytest
from tests.main_job.world import DAY, Row, World, eventually, faults

pytestmark = [pytest.mark.integration, pytest.mark.timeout(900, func_only=True)]
OUTAGE_SECS = float(os.environ.get("TIELINE_OUTAGE_SECS", "20"))  # five minutes, when somebody asks for them
AFTER_COMMIT = ("error_500_after_commit", "timeout_after_commit", "cut_body")


@pytest.mark.timeout(OUTAGE_SECS + 900, func_only=True)
def test_what_happens_while_the_erp_is_out_arrives_afterwards_in_order(world: World) -> None:
    record = world.register("OUT-1")
    world.until_booked("OUT-1")
    world.settle()
    began = time.monotonic()
    world.estate.tryton.stop()
    for site in ("OUT-A", "OUT-B", "OUT-C"):
        world.am.move(record["id"], site)
    for tag in ("OUT-2", "OUT-3"):
        world.register(tag)
    document = world.am.maintain(record["id"], "While it was out", [("part", "Fuse", Decimal("12.34"))], DAY)
    eventually(lambda: world.ask("status")[0] == 1, "a status that shows the sink waiting")
    time.sleep(max(0.0, began + OUTAGE_SECS - time.monotonic()))
    assert world.letters() == []
    world.estate.tryton.start()
    eventually(lambda: len(world.erp.with_line("location: OUT-C")) == 1, "the last move")
    world.until_booked("OUT-2", "OUT-3")
    wanted = f"work order: {document['work_order']}"

    def postings() -> list[Row]:
        return [move for move in world.erp.postings() if wanted in move["description"].split(" | ")]

    eventually(lambda: len(postings()) == 1, "the costs")
    world.settle()
    assert len(postings()) == 1
    assert [len(world.erp.with_line(f"tag: OUT-{number}")) for number in (1, 2, 3)] == [1, 1, 1]
    versions = world.confirmed("tryton", world.asset("OUT-1")["external_ref"])
    assert versions == sorted(set(versions))
    assert world.letters() == []


@pytest.mark.parametrize("kind", AFTER_COMMIT)
def test_a_write_whose_answer_was_lost_takes_effect_once(world: World, kind: str) -> None:
    rule = {"kind": kind, "seconds": 2}
    with faults(
        world,
        {**rule, "method": "POST", "path": "/api/v1/assets$"},
        {**rule, "method": "PUT", "path": "/finance/main$"},
    ):
        (record,) = _booked_by_hand(world, [f"Lost answer {kind}"])
    assert world.journal_of(record["id"]) == ["created"]
    assert world.journal_of(record["id"], "panel") == ["created"]


def test_a_storm_of_503_delays_and_doubles_nothing(world: World) -> None:
    with faults(world, {"kind": "error_503", "method": "POST|PUT|PATCH", "count": 8}):
        records = _booked_by_hand(world, ["Storm 1", "Storm 2", "Storm 3"])
    for record in records:
        assert world.journal_of(record["id"]) == ["created"]
        assert world.journal_of(record["id"], "panel") == ["created"]


def _booked_by_hand(world: World, comments: Sequence[str]) -> list[Row]:
    """The accountant books these; asset management's records of them, each once, each with its panel."""
    world.settle()  # Tryton on SQLite numbers two people alike: not while the hub writes there
    ids = [world.erp.book("MACHINE", Decimal("9000.00"), comment) for comment in comments]
    numbers = [row["number"] for row in world.erp.assets() if row["id"] in ids]

    def there() -> bool:
        panels = {panel["asset_id"] for panel in world.panels()}
        return all(any(record["id"] in panels for record in _with(world, number)) for number in numbers)

    eventually(there, f"{comments} in asset management with their schedules")
    world.settle()
    assert [len(_with(world, number)) for number in numbers] == [1] * len(numbers)
    assert world.letters() == []
    return [_with(world, number)[0] for number in numbers]


def _with(world: World, number: str) -> list[Row]:
    return [record for record in world.am.find_assets() if record["erp_asset_number"] == number]


def test_after_all_of_it_both_systems_agree(world: World) -> None:
    world.settle()
    code, found = world.ask("reconcile", "run")
    assert (code, found["drifts"], found["in_flight"]) == (0, [], [])
    eventually(lambda: world.ask("status")[0] == 0, "a status without anything to look at")
    _, status = world.ask("status")
    assert {process["open_letters"] for process in status["processes"]} == {0}
