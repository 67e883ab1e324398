"""Through source and sink against the sandbox, under a seeded storm of faults: its journal has every effect once."""

from __future__ import annotations

import datetime as dt
from collections import Counter
from decimal import Decimal

from tests.unit.connectors.erpnext.erpnext_parts import REFERENCE, cost, deliver, drain, fields, running, write

from tieline.connectors.erpnext.sandbox import PLAYABLE
from tieline.connectors.kit.sandboxing.script import read_script
from tieline.kernel.asset_records import AssetReport, DisposalKind

COUNT = 16
STORM = [
    {"kind": "timeout_after_commit", "method": "POST|PUT", "probability": 0.15, "count": None, "seconds": 0},
    {"kind": "error_500_after_commit", "method": "POST|PUT", "probability": 0.15, "count": None},
    {"kind": "error_500_before", "probability": 0.05, "count": None},
    {"kind": "cut_body", "probability": 0.1, "count": None},
    {"kind": "timeout_before", "probability": 0.05, "count": None, "seconds": 0},
    {"kind": "error_429", "nth": 30, "count": 6, "retry_after": 0},
    {"kind": "error_503", "nth": 60, "count": 4, "retry_after": 0},
    {"kind": "answer", "method": "GET", "probability": 0.03, "count": None, "text": "<html>down</html>"},
]
DRIZZLE = [{**rule, "probability": 0.03} if "probability" in rule else rule for rule in STORM]


async def test_commands_land_once_and_sums_and_counts_tie() -> None:
    async with running() as part:
        connector = part.connect()
        part.faults.rules.extend(read_script({"seed": 1, "faults": STORM}, PLAYABLE))
        for number in range(1, COUNT + 1):
            written = await deliver(connector, write(f"a-{number}", fields(number)))
            moved = fields(number, location="Hall 2")
            await deliver(connector, write(f"a-{number}", moved, version=2), written.native_id)
            if number % 4 == 0:
                left = {"disposal_date": dt.date(2026, 11, 2), "disposal_kind": DisposalKind.SCRAP}
                await deliver(
                    connector, write(f"a-{number}", moved.model_copy(update=left), version=3), written.native_id
                )
            await deliver(connector, cost(number))
        assert sum(rule.hits for rule in part.faults.rules) > COUNT, "the storm blew"
        part.faults.rules.clear()
        held = part.rows("Asset")
        assert Counter(str(row[REFERENCE]) for row in held) == {f"a-{n}": 1 for n in range(1, COUNT + 1)}
        wanted = sum((Decimal(n) + Decimal("0.07") for n in range(1, COUNT + 1)), Decimal(0))
        assert sum(Decimal(str(row["gross_purchase_amount"])) for row in held) == wanted
        assert Counter((row["status"], row["location"]) for row in held) == {
            ("Submitted", "Hall 2"): COUNT - COUNT // 4,
            ("Scrapped", "Hall 2"): COUNT // 4,
        }
        made = Counter(part.effects())
        assert made == {
            ("created", "Asset"): COUNT,
            ("created", "Asset Movement"): 2 * COUNT,  # the first by the submission
            ("updated", "Asset"): COUNT,  # its place
            ("scrapped", "Asset"): COUNT // 4,
            ("created", "Journal Entry"): COUNT,
        }, "0 doubles, by the system's own journal"
        posted = sum((Decimal(str(row["total_debit"])) for row in part.rows("Journal Entry")), Decimal(0))
        assert posted == sum((Decimal(f"{n}.11") for n in range(1, COUNT + 1)), Decimal(0))


async def test_what_people_do_arrives_once_read_under_the_same_storm() -> None:
    async with running() as part:
        connector = part.connect(page_size=5)
        part.faults.rules.extend(read_script({"seed": 3, "faults": DRIZZLE}, PLAYABLE))
        names = [part.create(asset_name=f"Drill {n}", gross_purchase_amount=Decimal(f"{n}.10")) for n in range(1, 19)]
        items, position = await drain(connector, {})
        for turn, name in enumerate(names[:6]):
            part.moved += dt.timedelta(seconds=20)
            part.save(name, location=("Hall 2", "Yard & Gate")[turn % 2])
        part.delete(names[7])
        more, _ = await drain(connector, position)
        part.faults.rules.clear()
        reports = [report for item in (*items, *more) for report in connector.map_item(item)]
        last = {one.origin.native_id: one for one in reports if isinstance(one, AssetReport)}
        assert {name for name, one in last.items() if one.deleted} == {names[7]}
        held = [one.fields.acquisition_cost for one in last.values() if not one.deleted]
        assert sum((one.amount for one in held if one), Decimal(0)) == sum(
            (Decimal(f"{n}.10") for n in range(1, 19) if n != 8), Decimal(0)
        )
        assert [last[name].fields.location for name in names[:3]] == ["Hall 2", "Yard & Gate", "Hall 2"]
