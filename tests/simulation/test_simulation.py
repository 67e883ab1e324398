"""The kernel and the processors under seeded accidents: whatever dies or lies, every effect takes place once, in order.

A failing seed replays alone: ``pytest tests/simulation -k "[17]"``. More of them: ``TIELINE_SEEDS=10000``.
"""

from __future__ import annotations

import datetime as dt
import os
from collections import Counter
from collections.abc import Callable
from decimal import Decimal

import pytest
from tests.simulation.estate import AM, ERP, Estate, estate
from tests.simulation.systems import PERSON

from tieline.kernel.asset_records import AssetFields, PhysicalStatus
from tieline.kernel.cost_records import CostFields, CostKind, CostLine
from tieline.kernel.vocabulary import Money

SEEDS = int(os.environ.get("TIELINE_SEEDS", "200"))
OWNED = {AM: ("description", "location", "serial_number"), ERP: ("asset_class", "acquisition_cost")}


@pytest.mark.parametrize("seed", range(SEEDS))
def test_every_effect_takes_place_once_and_in_order(seed: int) -> None:
    with estate(seed) as hub:
        live(hub)
        hub.rest()
        check(hub)
        assert hub.trouble.kills + hub.trouble.breaks > 0, f"seed {seed}: a quiet run proves nothing"


def live(hub: Estate, between: Callable[[], None] = lambda: None) -> None:
    """Some days of work: records entered, on one side or on both, and changed by their owners; costs booked."""
    am, erp = hub.systems[AM], hub.systems[ERP]
    for number in range(hub.dice.randint(4, 8)):
        place = hub.dice.choice([AM, AM, ERP, "both"])
        entered = thing(number, hub.dice.randint(1, 10**6))
        if place in {AM, "both"}:
            seen = {"description": f"Pump {number}", "location": "L0", "physical_status": PhysicalStatus.IN_SERVICE}
            am.create(entered.model_copy(update=seen))
        if place in {ERP, "both"}:
            erp.create(entered)
        between()
        hub.wander(hub.dice.randint(5, 40))
        for _ in range(hub.dice.randint(0, 6)):
            change_something(hub)
            hub.wander(hub.dice.choice([0, 5, 20]))
    hub.wander(150)


def change_something(hub: Estate) -> None:
    """One edit by an owner, or one document of costs."""
    am, erp = hub.systems[AM], hub.systems[ERP]
    match hub.dice.choice(["location", "class", "cost"]):
        case "location" if am.records:
            am.edit(hub.dice.choice(sorted(am.records)), location=f"L{hub.dice.randint(1, 99)}")
        case "class" if erp.records:
            erp.edit(hub.dice.choice(sorted(erp.records)), asset_class=f"C{hub.dice.randint(1, 99)}")
        case "cost" if am.records:
            amount = Decimal(hub.dice.randint(1, 10**5)) / 100
            am.enter_cost(a_cost(hub.dice.choice(sorted(am.records)), str(amount)))


def thing(number: int, cents: int = 100_00) -> AssetFields:
    """What both systems may know of a thing."""
    cost = Money(amount=Decimal(cents) / 100, currency="EUR")
    return AssetFields(serial_number=f"S{number}", asset_class="PUMP", acquisition_cost=cost, company="ACME")


def a_cost(asset_native_id: str, amount: str) -> CostFields:
    """A document of one line."""
    line = CostLine(line_no=1, kind=CostKind.LABOUR, description="work", amount=Decimal(amount))
    return CostFields(
        work_order="WO",
        asset_native_id=asset_native_id,
        company="ACME",
        currency="EUR",
        cost_centre="CC1",
        effective_date=dt.date(2026, 3, 1),
        total=Decimal(amount),
        lines=(line,),
    )


def check(hub: Estate) -> None:
    """The systems' own records and journals are the witness."""
    where = f"seed {hub.seed}"
    letters = [m.at for topic in hub.log.partitions if "dead-letter" in topic for m in hub.log.all_of(topic)]
    assert letters == [], f"{where}: nothing was at fault"
    check_effects(hub)


def check_effects(hub: Estate) -> None:
    """Every record of each system is in the other, once and in its last state, and every document is posted once."""
    where = f"seed {hub.seed}"
    am, erp = hub.systems[AM], hub.systems[ERP]
    serials = {
        name: sorted(str(r.fields.serial_number) for r in hub.systems[name].records.values()) for name in (AM, ERP)
    }
    assert serials[AM] == serials[ERP], f"{where}: every thing once in each system"
    assert len(set(serials[AM])) == len(serials[AM]), f"{where}: no thing twice"
    by_serial = {r.fields.serial_number: r for r in am.records.values()}
    for record in erp.records.values():
        twin = by_serial[record.fields.serial_number]
        for name in (*OWNED[AM], *OWNED[ERP]):
            assert getattr(record.fields, name) == getattr(twin.fields, name), f"{where}: {name} of {record.native_id}"
    for system in (am, erp):
        check_journal(hub, system.name)
    posted = sorted(fields.total for _, fields in erp.posted.values())
    assert posted == sorted(fields.total for _, _, fields in am.costs.values()), f"{where}: every document posted once"
    for name, topics in inputs(hub).items():
        for topic in topics:
            assert hub.log.unread(f"tieline.{name}", topic) == 0, f"{where}: {name} left something of {topic}"


def check_journal(hub: Estate, system: str) -> None:
    """Of each thing: created once, versions only upwards, none twice unless a person changed the record between."""
    created: Counter[str] = Counter()
    last: dict[str, int] = {}
    for effect in hub.systems[system].journal:
        where = f"seed {hub.seed}: {effect} in {system}"
        if effect.by == PERSON:
            last.pop(effect.native_id, None) if effect.what == "changed" else None
            continue
        if effect.what == "changed":
            assert effect.version > last.get(effect.native_id, 0), where
        else:
            created[str(effect.hub_id)] += 1
            assert created[str(effect.hub_id)] == 1, where
        last[effect.native_id] = effect.version


def inputs(hub: Estate) -> dict[str, tuple[str, ...]]:
    """What each consumer reads."""
    found: dict[str, tuple[str, ...]] = {f"sink-{name}": (f"sink.{name}.command.v1",) for name in hub.systems}
    found |= {f"source-{name}": (f"src.{name}.raw.v1",) for name in hub.systems}
    found["identify"] = ("asset.asset.report.v1", "cost.document.report.v1")
    found["accept"] = ("hub.identified.report.v1",)
    found["route"] = ("asset.asset.event.v1", "cost.document.event.v1")
    return found
