"""What a merge of duplicates carries along, and what an undone one gives back: words, books, links, conflicts."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from typing import Any

from tests.unit.processors.bench import (
    AM,
    ERP,
    NOW,
    Hub,
    asset,
    asset_events,
    book,
    conflicts,
    cost,
    decided,
    euros,
    links,
    named,
)
from tests.unit.processors.test_acquisitions import bought, invoice, receipt
from tests.unit.processors.test_depreciation_runs import run
from tests.unit.processors.test_depreciation_runs import state as the_run
from tests.unit.processors.test_equipment import link, posted
from tests.unit.processors.test_purchase_tracking import step
from tests.unit.processors.test_references import record

from tieline.kernel.asset_records import AssetState, PhysicalStatus
from tieline.kernel.book_records import BookState
from tieline.kernel.equipment_records import EquipmentLinkState


def at(minutes: int, report: Any) -> Any:
    said = report.origin.model_copy(update={"recorded_at": NOW + dt.timedelta(minutes=minutes)})
    return report.model_copy(update={"origin": said})


def twins(*said: Any) -> tuple[Hub, dict[str, str]]:
    """A thing that the ERP knows as 5 and asset management as 9, and that nothing tells to be one."""
    hub = Hub()
    hub.say(at(-20, asset(ERP, "5", asset_number="FA5", company="ACME")), at(-20, asset(AM, "9", company="ACME")))
    hub.say(*said)
    assert hub.dead == []
    return hub, {"canonical_id": links(hub)["tryton/asset/5"], "other_id": links(hub)["unio24/asset/9"]}


def books_in(hub: Hub, survivor: str) -> dict[str, str]:
    """The pair the other way round: the books move to what asset management has."""
    return {"canonical_id": links(hub)["unio24/asset/9"], "other_id": survivor}


def test_the_older_word_of_a_record_that_moved_stays_older() -> None:
    told = [at(-9, asset(AM, "9", location="A")), at(-8, asset(AM, "9", location="B"))]
    hub, pair = twins(*told)
    hub.say(decided("MERGE", **pair))
    assert asset_events(hub.say(*told)) == []
    assert hub.rows(AssetState)[pair["canonical_id"]].fields.location == "B"


def test_t33_the_lines_of_a_book_that_moved_count_once() -> None:
    hub, pair = twins(book("5", ["01"]), run(1, "100.00"))
    assert the_run(hub).completed
    moved = books_in(hub, pair["canonical_id"])
    hub.say(decided("MERGE", **moved))
    assert (the_run(hub).completed, the_run(hub).posted_count) == (True, 1)
    hub.say(decided("UNMERGE", **moved))
    assert (the_run(hub).completed, the_run(hub).posted_count) == (True, 1)


def test_t39_a_book_that_came_after_the_merge_goes_with_its_record_and_posts_once() -> None:
    hub, pair = twins()
    moved = books_in(hub, pair["canonical_id"])
    hub.say(decided("MERGE", **moved), book("5", ["01"]))
    hub.say(decided("UNMERGE", **moved))
    assert [row.asset_id for row in hub.rows(BookState).values()] == [moved["other_id"]]
    assert named(hub.say(book("5", ["01"])), "DepreciationPosted", "AssetBookChanged") == []


def shares(hub: Hub) -> dict[str, Decimal]:
    return {share.asset_id: share.amount.amount for share in posted(hub)[-1].shares}


def test_t29_links_of_merged_equipment_still_say_who_bears_its_costs() -> None:
    hub, pair = twins(asset(ERP, "6", company="ACME"), link("K1", "6", share_part=1, share_whole=4))
    other = links(hub)["tryton/asset/6"]
    hub.say(decided("MERGE", **pair), cost("WO1", "9", "100.00"))
    assert shares(hub) == {other: Decimal(25), pair["canonical_id"]: Decimal(75)}
    assert named(hub.say(link("K1", "6", share_part=1, share_whole=4)), "EquipmentLinked", "EquipmentLinkChanged") == []
    hub.say(decided("UNMERGE", **pair), cost("WO2", "9", "100.00"))
    assert shares(hub) == {other: Decimal(25), pair["other_id"]: Decimal(75)}
    assert len(hub.rows(EquipmentLinkState)) == 1
    assert hub.dead == []


def test_a_cost_that_was_on_its_way_at_a_merge_is_the_survivors() -> None:
    hub, pair = twins()
    hub.publish(cost("WO1", "9", "100.00"))
    hub.step("identify")
    late = hub.stages["accept"].inbox.pop()
    hub.say(decided("MERGE", **pair))
    hub.stages["accept"].inbox.append(late)
    hub.rest()
    assert posted(hub)[-1].asset_id == pair["canonical_id"]


def test_t29_costs_fall_on_the_asset_that_a_merged_one_is() -> None:
    hub, pair = twins(asset(AM, "8", company="ACME"), link("K1", "5", "8", share_part=1, share_whole=4))
    moved, equipment = books_in(hub, pair["canonical_id"]), links(hub)["unio24/asset/8"]
    [change] = named(hub.say(decided("MERGE", **moved)), "EquipmentLinkChanged")
    assert getattr(change.body, "asset_id", None) == moved["canonical_id"]
    hub.say(cost("WO1", "8", "100.00"))
    assert shares(hub) == {moved["canonical_id"]: Decimal(25), equipment: Decimal(75)}
    hub.say(decided("UNMERGE", **moved), cost("WO2", "8", "100.00"))
    assert shares(hub) == {moved["other_id"]: Decimal(25), equipment: Decimal(75)}


def test_t29_two_things_that_are_one_asset_each_are_not_merged_before_a_link_ends() -> None:
    hub, _ = twins(asset(AM, "8", company="ACME"), asset(ERP, "6", company="ACME"))
    hub.say(link("K1", "6", share_whole=1), link("K2", "6", "8", share_whole=1))
    pair = {"canonical_id": links(hub)["unio24/asset/9"], "other_id": links(hub)["unio24/asset/8"]}
    hub.publish(decided("MERGE", **pair))
    hub.step("identify")
    decision = hub.stages["accept"].inbox[-1]
    hub.rest()
    assert "add up to 2" in str(hub.dead.pop())
    assert hub.rows(AssetState)[pair["other_id"]].merged_into is None
    hub.say(at(1, link("K1", "6", share_whole=1, valid_to=dt.date(2026, 6, 30))))
    hub.say(at(1, link("K2", "6", "8", share_whole=1, valid_from=dt.date(2026, 7, 1))))
    assert hub.dead == []
    hub.stages["accept"].inbox.append(decision)
    hub.rest()
    assert hub.dead == []
    assert {row.equipment_id for row in hub.rows(EquipmentLinkState).values()} == {pair["canonical_id"]}


def test_a_link_that_names_another_equipment_now_is_no_link_of_the_first() -> None:
    hub, _ = twins(asset(AM, "8", company="ACME"), link("K1", "5", share_whole=1))
    hub.say(at(1, link("K1", "5", "8", share_whole=1)))
    assert [row.equipment_id for row in hub.rows(EquipmentLinkState).values()] == [links(hub)["unio24/asset/8"]]
    hub.say(link("K1", "5", share_whole=1))  # the older word
    assert [row.version for row in hub.rows(EquipmentLinkState).values()] == [2]


def test_t19_what_waits_for_a_cost_centre_goes_with_its_record_and_is_heard_once() -> None:
    hub, pair = twins(record("CC2", status="CLOSED"), at(-3, asset(AM, "9", company="ACME", cost_centre="CC2")))
    assert conflicts(hub) == {("cost_centre", AM)}
    hub.say(decided("MERGE", **pair), at(5, record("CC2")))
    assert hub.rows(AssetState)[pair["canonical_id"]].fields.cost_centre == "CC2"
    assert conflicts(hub) == set()
    hub.say(at(6, asset(AM, "9", company="ACME", cost_centre="CC4")), at(7, record("CC2", name="Workshop")))
    assert hub.rows(AssetState)[pair["canonical_id"]].fields.cost_centre == "CC4"


def test_a_foreign_edit_goes_with_its_record_there_and_back() -> None:
    hub, pair = twins(
        at(-5, asset(ERP, "6", serial_number="S", location="L9")),
        at(-4, asset(AM, "8", serial_number="S", location="L1")),
        at(-3, asset(ERP, "6", serial_number="S", location="L2")),
    )
    assert conflicts(hub) == {("location", ERP)}
    moved = {"canonical_id": pair["other_id"], "other_id": links(hub)["tryton/asset/6"]}
    hub.say(decided("MERGE", **moved))
    [row] = [row for row in hub.memory()["hub.conflict.state.v1"].values() if row.field == "location"]
    assert (row.canonical_id, row.foreign_value) == (moved["canonical_id"], "L2")
    hub.say(decided("UNMERGE", **moved))
    [row] = [row for row in hub.memory()["hub.conflict.state.v1"].values() if row.field == "location"]
    assert (row.canonical_id, row.owned_value, row.foreign_value) == (moved["other_id"], "L1", "L2")


def test_an_undone_merge_does_not_take_the_first_use_from_the_purchase() -> None:
    hub = Hub()
    hub.say(bought("1", "1000.00"), receipt("R1", "1"), invoice("I1", "1", "1000.00"))
    used = asset(
        ERP, "6", acquisition_cost=euros("1.00"), po_line_ref="tryton/7/1", in_service_date=dt.date(2026, 12, 1)
    )
    hub.say(used, asset(AM, "9", physical_status=PhysicalStatus.IN_SERVICE))
    assert step(hub, "in service").done_on == dt.date(2026, 12, 1)
    pair = {"canonical_id": links(hub)["unio24/asset/9"], "other_id": links(hub)["tryton/asset/6"]}
    hub.say(decided("MERGE", **pair), decided("UNMERGE", **pair))
    assert hub.dead == []
    assert step(hub, "in service").done_on == dt.date(2026, 12, 1)
