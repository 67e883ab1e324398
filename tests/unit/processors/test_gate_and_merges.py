"""Where merges of duplicates and the period gate meet: what waits for a period goes with its thing."""

from __future__ import annotations

import datetime as dt
from typing import Any

from tests.unit.processors.bench import AM, ERP, Hub, asset, cost, decided, euros, line, links, named, origin

from tieline.kernel.asset_records import AssetState
from tieline.kernel.command_records import PostCost
from tieline.kernel.cost_records import CostState
from tieline.kernel.memory import PeriodHold
from tieline.kernel.period_records import FiscalPeriodFields, FiscalPeriodReport, PeriodStatus

MARCH = dt.date(2026, 3, 17)
JULY = dt.datetime(2026, 7, 1, tzinfo=dt.UTC)


def period(status: PeriodStatus, recorded_at: dt.datetime = JULY) -> FiscalPeriodReport:
    said = origin(ERP, "fiscal-period", "3").model_copy(update={"recorded_at": recorded_at})
    fields = FiscalPeriodFields(
        company="ACME",
        period="2026-003",
        first_date=dt.date(2026, 3, 1),
        last_date=dt.date(2026, 3, 31),
        status=status,
    )
    return FiscalPeriodReport(origin=said, fields=fields)


def held_disposal() -> tuple[Hub, str, str]:
    """An asset in the books whose disposal waits for March, and the same thing once more without a number."""
    hub = Hub()
    hub.say(
        period(PeriodStatus.CLOSED),
        asset(ERP, "5", asset_number="FA5", company="ACME", tag="T1", acquisition_cost=euros("1200.00")),
        asset(AM, "1", tag="T1", location="L1"),
        asset(AM, "2", tag="T2", description="Pump"),
        disposal(),
    )
    assert len(hub.rows(PeriodHold)) == 1
    booked, typed = links(hub)["tryton/asset/5"], links(hub)["unio24/asset/2"]
    assert links(hub)["unio24/asset/1"] == booked
    return hub, booked, typed


def disposal(**more: Any) -> Any:
    return asset(AM, "1", tag="T1", location="L1", disposal_date=MARCH, **more)


def booked_and_waiting() -> Hub:
    """One asset in the books, and another that waits for its period."""
    hub = Hub()
    hub.say(
        period(PeriodStatus.CLOSED),
        asset(ERP, "5", asset_number="FA5", company="ACME"),
        asset(
            AM,
            "1",
            tag="T1",
            company="ACME",
            in_service_date=MARCH,
            asset_class="PUMP",
            acquisition_cost=euros("1200.00"),
        ),
    )
    return hub


def test_a_release_after_a_merge_leaves_the_merged_asset_merged() -> None:
    hub, booked, typed = held_disposal()
    hub.say(decided("MERGE", canonical_id=typed, other_id=booked))
    hub.say(period(PeriodStatus.OPEN))
    assert hub.rows(PeriodHold) == {}
    assert hub.rows(AssetState)[booked].merged_into == typed
    assert hub.dead == []


def duplicates_with_a_held_cost() -> tuple[Hub, str, str]:
    """One thing twice; of what asset management says of its one, a cost and a disposal wait for March."""
    hub = Hub()
    hub.say(
        period(PeriodStatus.CLOSED),
        asset(ERP, "5", asset_number="FA5", company="ACME", acquisition_cost=euros("1200.00")),
        asset(AM, "1", tag="T1", company="ACME", location="L1"),
        cost("WO1", "1", effective_date=MARCH),
    )
    hub.say(asset(AM, "1", tag="T1", company="ACME", location="L2"))
    assert [row.place for row in hub.rows(PeriodHold).values()] == [1, 2]
    return hub, links(hub)["tryton/asset/5"], links(hub)["unio24/asset/1"]


def lanes(hub: Hub) -> set[str]:
    return {row.lane for row in hub.rows(PeriodHold).values()}


def test_what_waits_for_a_period_waits_for_the_survivor_after_a_merge() -> None:
    hub, survivor, merged = duplicates_with_a_held_cost()
    hub.say(decided("MERGE", canonical_id=survivor, other_id=merged))
    assert lanes(hub) == {f"asset/{survivor}"}
    hub.say(asset(AM, "1", tag="T1", company="ACME", location="L3"))
    hub.say(period(PeriodStatus.OPEN))
    assert hub.rows(PeriodHold) == {}
    assert hub.rows(AssetState)[survivor].fields.location == "L3", "the newest word is the last"
    assert hub.rows(AssetState)[merged].merged_into == survivor
    assert [state.asset_id for state in hub.rows(CostState).values()] == [survivor]
    [posted] = [command for command in hub.commands[ERP] if isinstance(command, PostCost)]
    assert (posted.asset_id, posted.asset_number) == (survivor, "FA5")
    assert hub.dead == []


def test_t39_what_waits_for_a_period_goes_back_when_the_merge_is_undone() -> None:
    hub, survivor, merged = duplicates_with_a_held_cost()
    hub.say(decided("MERGE", canonical_id=survivor, other_id=merged))
    hub.say(decided("UNMERGE", canonical_id=survivor, other_id=merged))
    assert lanes(hub) == {f"asset/{merged}"}
    hub.say(period(PeriodStatus.OPEN))
    states = hub.rows(AssetState)
    assert (states[merged].fields.location, states[survivor].fields.location) == ("L2", None)
    assert (states[merged].links, states[survivor].links) == ({AM: "1"}, {ERP: "5"})
    assert [state.asset_id for state in hub.rows(CostState).values()] == [merged]
    assert hub.dead == []


def test_an_asset_that_was_never_accepted_reaches_the_survivor_when_its_period_opens() -> None:
    hub = booked_and_waiting()
    survivor, merged = links(hub)["tryton/asset/5"], links(hub)["unio24/asset/1"]
    assert lanes(hub) == {f"asset/{merged}"}
    hub.say(decided("MERGE", canonical_id=survivor, other_id=merged))
    written = hub.say(period(PeriodStatus.OPEN))
    assert set(hub.rows(AssetState)) == {survivor}, "no second asset comes of it"
    assert named(written, "AssetRegistered") == []
    assert hub.the_asset().fields.tag == "T1"


def test_a_merge_into_an_asset_that_waits_is_said_to_be_undone_and_can_be_replayed() -> None:
    hub = booked_and_waiting()
    booked, waiting = links(hub)["tryton/asset/5"], links(hub)["unio24/asset/1"]
    hub.publish(decided("MERGE", canonical_id=waiting, other_id=booked))
    hub.step("identify")
    decision = hub.stages["accept"].inbox[-1]
    hub.rest()
    assert "nothing of" in str(hub.dead.pop())
    hub.say(period(PeriodStatus.OPEN))
    hub.stages["accept"].inbox.append(decision)
    hub.rest()
    assert hub.rows(AssetState)[booked].merged_into == waiting
    assert hub.rows(AssetState)[waiting].links == {AM: "1", ERP: "5"}


def test_a_cost_from_an_order_that_was_on_its_way_at_a_merge_is_not_lost() -> None:
    hub = Hub()
    hub.say(asset(ERP, "5", asset_number="FA5"), line(acquisition_cost=euros("10.00")))
    survivor, merged = links(hub)["tryton/asset/5"], links(hub)["tryton/purchase-line/7/1"]
    assert survivor != merged
    hub.publish(line(acquisition_cost=euros("12.00")))
    hub.step("identify")
    late = hub.stages["accept"].inbox.pop()
    hub.say(decided("MERGE", canonical_id=survivor, other_id=merged))
    hub.stages["accept"].inbox.append(late)
    hub.rest()
    assert hub.rows(AssetState)[survivor].fields.acquisition_cost == euros("12.00")
