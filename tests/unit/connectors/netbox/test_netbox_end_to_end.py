"""Through source and sink against the sandbox, under a seeded storm of faults: its journal has every effect once."""

from __future__ import annotations

import datetime as dt
from collections import Counter
from decimal import Decimal

import pytest
from tests.unit.connectors.netbox.netbox_parts import deliver, drain, fields, running, write

from tieline.connectors.kit.sandboxing.script import read_script
from tieline.connectors.netbox import sandbox as acts
from tieline.connectors.netbox.sandbox import PLAYABLE
from tieline.connectors.netbox.sandbox_store import custom_of
from tieline.kernel.asset_records import AssetReport, PhysicalStatus

COUNT = 20
STORM = [
    {"kind": "timeout_after_commit", "method": "POST|PATCH", "probability": 0.15, "count": None, "seconds": 0},
    {"kind": "error_500_after_commit", "method": "POST|PATCH", "probability": 0.15, "count": None},
    {"kind": "error_500_before", "probability": 0.05, "count": None},
    {"kind": "cut_body", "probability": 0.1, "count": None},
    {"kind": "timeout_before", "probability": 0.05, "count": None, "seconds": 0},
    {"kind": "stale_read", "method": "GET", "path": "/devices/\\d", "probability": 0.05, "count": None},
    {"kind": "error_503", "nth": 60, "count": 4, "retry_after": 0},
    {"kind": "answer", "method": "GET", "probability": 0.03, "count": None, "text": "<html>down</html>"},
]


@pytest.mark.parametrize("seed", [1])
async def test_commands_land_once_and_sums_and_counts_tie(seed: int) -> None:
    async with running() as part:
        connector = part.connect()
        part.faults.rules.extend(read_script({"seed": seed, "faults": STORM}, PLAYABLE))
        for number in range(1, COUNT + 1):
            written = await deliver(connector, write(f"a-{number}", fields(number)))
            moved = fields(number, location="works/bay-3")
            part.moved += dt.timedelta(seconds=1)
            await deliver(connector, write(f"a-{number}", moved, version=2), written.native_id)
            if number % 4 == 0:
                part.moved += dt.timedelta(seconds=1)
                retired = moved.model_copy(update={"physical_status": PhysicalStatus.RETIRED})
                await deliver(connector, write(f"a-{number}", retired, version=3), written.native_id)
        assert sum(rule.hits for rule in part.faults.rules) > COUNT, "the storm blew"
        part.faults.rules.clear()
        held = part.devices()
        assert Counter(custom_of(row)["hub_reference"] for row in held) == {f"a-{n}": 1 for n in range(1, COUNT + 1)}
        wanted = sum((Decimal(n) + Decimal("0.07") for n in range(1, COUNT + 1)), Decimal(0))
        assert sum(Decimal(str(custom_of(row)["cost"])) for row in held) == wanted
        made = Counter(action for action, _ in part.effects())
        assert made == {"created": COUNT, "updated": COUNT + COUNT // 4}, "0 doubles, by the system's own journal"
        assert {(row["site"], row["location"]) for row in held} == {(2, 3)}
        statuses = Counter(row["status"] for row in held)
        assert statuses == {"planned": COUNT - COUNT // 4, "decommissioning": COUNT // 4}


@pytest.mark.parametrize("seed", [3])
async def test_what_people_do_arrives_once_read_under_the_same_storm(seed: int) -> None:
    async with running() as part:
        connector = part.connect(page_size=5)
        part.faults.rules.extend(read_script({"seed": seed, "faults": STORM}, PLAYABLE))
        ids = [part.create(serial=f"D-{n}", custom_fields={"cost": f"{n}.10"}) for n in range(1, 24)]
        items, position = await drain(connector, {})
        for turn, native_id in enumerate(ids[:6]):
            part.moved += dt.timedelta(seconds=20)
            part.do(acts.update_device, {"site": 2, "location": 2 + turn % 2}, native_id)
        part.do(acts.delete_device, {}, ids[-1])
        more, _ = await drain(connector, position)
        part.faults.rules.clear()
        reports = [report for item in (*items, *more) for report in connector.map_item(item)]
        last = {one.origin.native_id: one for one in reports if isinstance(one, AssetReport)}
        assert {native_id for native_id, one in last.items() if one.deleted} == {ids[-1]}
        cost = [one.fields.acquisition_cost for one in last.values() if not one.deleted]
        assert sum((one.amount for one in cost if one), Decimal(0)) == sum(
            (Decimal(f"{n}.10") for n in range(1, 23)), Decimal(0)
        )
        assert [last[native_id].fields.location for native_id in ids[:3]] == [
            "works/hall-1",
            "works/bay-3",
            "works/hall-1",
        ]
        assert {item.stream for item in items} == {"sites", "locations", "assets"}
