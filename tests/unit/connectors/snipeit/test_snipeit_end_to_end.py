"""Through source and sink against the sandbox, under a seeded storm of faults: its journal has every effect once."""

from __future__ import annotations

import datetime as dt
from collections import Counter
from decimal import Decimal

import pytest
from tests.unit.connectors.snipeit.snipeit_parts import REFERENCE, deliver, drain, fields, running, write

from tieline.connectors.kit.sandboxing.script import read_script
from tieline.connectors.snipeit import sandbox_store as acts
from tieline.connectors.snipeit.sandbox import PLAYABLE
from tieline.kernel.asset_records import AssetReport, PhysicalStatus
from tieline.kernel.cost_records import CostReport

COUNT = 20
STORM = [
    {"kind": "timeout_after_commit", "method": "POST|PATCH", "probability": 0.15, "count": None, "seconds": 0},
    {"kind": "error_500_after_commit", "method": "POST|PATCH", "probability": 0.15, "count": None},
    {"kind": "error_500_before", "probability": 0.05, "count": None},
    {"kind": "cut_body", "probability": 0.1, "count": None},
    {"kind": "timeout_before", "probability": 0.05, "count": None, "seconds": 0},
    {"kind": "error_429", "nth": 30, "count": 6, "retry_after": 0},
    {"kind": "error_503", "nth": 60, "count": 4, "retry_after": 0},
    {"kind": "answer", "method": "GET", "probability": 0.03, "count": None, "text": "<html>down</html>"},
]

# A poll is ten requests and more, and is made again from its beginning when one of them fails.
DRIZZLE = [{**rule, "probability": 0.03} if "probability" in rule else rule for rule in STORM]


@pytest.mark.parametrize("seed", [1])
async def test_commands_land_once_and_sums_and_counts_tie(seed: int) -> None:
    async with running() as part:
        connector = part.connect()
        part.faults.rules.extend(read_script({"seed": seed, "faults": STORM}, PLAYABLE))
        for number in range(1, COUNT + 1):
            written = await deliver(connector, write(f"a-{number}", fields(number)))
            moved = fields(number, location="Warehouse & Yard")
            await deliver(connector, write(f"a-{number}", moved, version=2), written.native_id)
            if number % 4 == 0:
                retired = moved.model_copy(update={"physical_status": PhysicalStatus.RETIRED})
                await deliver(connector, write(f"a-{number}", retired, version=3), written.native_id)
        assert sum(rule.hits for rule in part.faults.rules) > COUNT, "the storm blew"
        part.faults.rules.clear()
        held = part.assets()
        assert Counter(str(row["custom"][REFERENCE]) for row in held) == {f"a-{n}": 1 for n in range(1, COUNT + 1)}  # type: ignore[index]  # a row's custom fields
        wanted = sum((Decimal(n) + Decimal("0.07") for n in range(1, COUNT + 1)), Decimal(0))
        assert sum(Decimal(str(row["purchase_cost"])) for row in held) == wanted
        made = Counter(action for action, _ in part.effects())
        assert made == {"created": COUNT, "updated": COUNT + COUNT // 4}, "0 doubles, by the system's own journal"
        assert Counter(row["status_id"] for row in held) == {1: COUNT - COUNT // 4, 5: COUNT // 4}


@pytest.mark.parametrize("seed", [3])
async def test_what_people_do_arrives_once_read_under_the_same_storm(seed: int) -> None:
    async with running() as part:
        connector = part.connect(page_size=5, maintenance_cost_centre="CC-1")
        part.faults.rules.extend(read_script({"seed": seed, "faults": DRIZZLE}, PLAYABLE))
        ids = [part.create(name=f"Drill {n}", purchase_cost=f"{n}.10", company_id=1) for n in range(1, 24)]
        items, position = await drain(connector, {})
        for turn, native_id in enumerate(ids[:6]):
            part.moved += dt.timedelta(seconds=20)
            part.do(acts.update_asset, {"location_id": 1 + turn % 3}, native_id)
            work = {"asset_id": native_id, "title": "Oil", "asset_maintenance_type": "Repair", "cost": f"{turn}.25"}
            part.do(acts.create_maintenance, {**work, "completion_date": "2026-11-20"})
            part.do(acts.audit_asset, {}, native_id)
        part.do(acts.delete_asset, {}, ids[-1])
        more, _ = await drain(connector, position)
        part.faults.rules.clear()
        reports = [report for item in (*items, *more) for report in connector.map_item(item)]
        last = {one.origin.native_id: one for one in reports if isinstance(one, AssetReport)}
        assert {native_id for native_id, one in last.items() if one.deleted} == {ids[-1]}
        cost = [one.fields.acquisition_cost for one in last.values() if not one.deleted]
        assert sum((one.amount for one in cost if one), Decimal(0)) == sum(
            (Decimal(f"{n}.10") for n in range(1, 23)), Decimal(0)
        )
        assert last[ids[1]].fields.location == "Laboratory"
        costs = {one.origin.native_id: one.fields.total for one in reports if isinstance(one, CostReport)}
        assert sum(costs.values(), Decimal(0)) == Decimal("16.50")
        seen = {report.origin.native_id for report in reports if report.origin.entity == "audit"}
        assert len(seen) == 6
