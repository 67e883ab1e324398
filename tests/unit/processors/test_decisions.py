"""What people decide about identity: confirm, reject, merge, and undo a merge."""

from __future__ import annotations

import pytest
from tests.unit.processors.bench import (
    AM,
    ERP,
    Hub,
    asset,
    book,
    conflicts,
    cost,
    decided,
    euros,
    held,
    links,
    named,
)

from tieline.kernel.asset_records import AssetMergeEvent, AssetState
from tieline.kernel.book_records import BookState
from tieline.kernel.command_records import WriteAsset, WriteBook
from tieline.kernel.cost_records import CostState
from tieline.kernel.memory import AssetMerge, HeldReport, LinkStatus, XRef

COPY = "unio24/asset/2"


def proposed() -> Hub:
    """Two records of asset management with one serial number, and a cost of the second."""
    hub = Hub()
    hub.say(asset(AM, "1", serial_number="S", location="L1"), asset(AM, "2", serial_number="S", location="L2"))
    hub.say(cost("WO1", "2"))
    assert hub.rows(XRef)[COPY].status is LinkStatus.PROPOSED
    assert set(held(hub)) == {COPY, "unio24/cost-document/WO1"}
    return hub


def duplicates() -> tuple[Hub, str, str]:
    """One thing twice: typed into asset management with a tag, and booked in the ERP without one."""
    hub = Hub()
    hub.say(
        asset(AM, "1", tag="T1", location="L1", description="Pump"),
        asset(ERP, "5", asset_number="FA5", company="ACME", cost_centre="CC1", acquisition_cost=euros("1200.00")),
        book("5", ["01:D1", "02:D2"]),
    )
    return hub, links(hub)["unio24/asset/1"], links(hub)["tryton/asset/5"]


def image(hub: Hub) -> dict[str, object]:
    """What T39 compares: the cross-reference, and of states everything but the versions, which only grow."""
    plain = {"version": 0, "words": {}, "sent": {}}  # of versions, all three
    states = {key: row.model_copy(update=plain) for key, row in hub.rows(AssetState).items()}
    books = {key: row.model_copy(update={"version": 0}) for key, row in hub.rows(BookState).items()}
    return {"xref": hub.rows(XRef), "assets": states, "books": books, "costs": hub.rows(CostState)}


# ---- proposals -------------------------------------------------------------------------------------------------


def test_a_confirmed_copy_goes_with_the_thing_and_changes_none_of_its_fields() -> None:
    hub = proposed()
    thing = links(hub)["unio24/asset/1"]
    hub.say(decided("CONFIRM", mapping=COPY))
    row = hub.rows(XRef)[COPY]
    assert (row.status, row.canonical_id, row.rule, row.linked_by) == (LinkStatus.MERGED_INTO, thing, "person", "ann")
    assert held(hub) == {}
    assert [c.asset_id for c in hub.rows(CostState).values()] == [thing], "its cost is the thing's"
    hub.say(asset(AM, "2", serial_number="S", location="L9"))
    assert (hub.the_asset().fields.location, hub.the_asset().links) == ("L1", {AM: "1"})
    assert hub.dead == []


def test_a_confirmed_record_whose_place_is_free_speaks_for_the_thing() -> None:
    hub = Hub()
    hub.say(asset(AM, "1", serial_number="S"), asset(AM, "2", serial_number="S"), asset(AM, "3", serial_number="X"))
    thing = links(hub)["unio24/asset/1"]
    hub.say(asset(ERP, "5", hub_ref=thing), asset(ERP, "6", hub_ref=thing, location="L6"))
    other = links(hub)["unio24/asset/3"]
    hub.say(decided("CONFIRM", mapping="tryton/asset/6", canonical_id=other))
    assert hub.rows(XRef)["tryton/asset/6"].status is LinkStatus.LINKED
    assert hub.rows(AssetState)[other].links == {AM: "3", ERP: "6"}


def test_two_records_in_the_books_are_never_made_one() -> None:
    hub = Hub()
    hub.say(asset(ERP, "5", serial_number="S"), asset(ERP, "6", serial_number="S"))
    before = hub.memory()
    hub.say(decided("CONFIRM", mapping="tryton/asset/6"))
    assert hub.memory() == before
    assert "stands in the books" in str(hub.dead[0])


def test_a_rejected_pair_is_never_proposed_again() -> None:
    hub = proposed()
    thing = links(hub)["unio24/asset/1"]
    hub.say(decided("REJECT", mapping=COPY))
    row = hub.rows(XRef)[COPY]
    assert (row.status, row.rejected) == (LinkStatus.LINKED, (thing,))
    assert row.canonical_id != thing
    assert held(hub) == {}
    assert [c.asset_id for c in hub.rows(CostState).values()] == [row.canonical_id]
    hub.say(asset(AM, "2", serial_number="S", location="L3"), asset(AM, "1", serial_number="S"))
    assert {s.fields.location for s in hub.rows(AssetState).values()} == {"L1", "L3"}
    assert held(hub) == {}


def test_a_rejected_record_may_be_another_known_thing() -> None:
    hub = Hub()
    hub.say(asset(AM, "1", serial_number="S1", po_line_ref="tryton/7/1"), asset(AM, "2", serial_number="S2"))
    hub.say(asset(AM, "3", serial_number="S2", po_line_ref="tryton/7/1"))
    first, second = links(hub)["unio24/asset/1"], links(hub)["unio24/asset/2"]
    assert links(hub)["unio24/asset/3"] == first
    hub.say(decided("REJECT", mapping="unio24/asset/3"))
    row = hub.rows(XRef)["unio24/asset/3"]
    assert (row.status, row.canonical_id, row.rule) == (LinkStatus.PROPOSED, second, "serial")
    hub.say(asset(AM, "3", serial_number="S2", po_line_ref="tryton/7/1", location="L"))
    assert links(hub)["unio24/asset/3"] == second, "a new report does not forget what was rejected"
    assert "record 2" in hub.rows(HeldReport)["unio24/asset/3"].reason


@pytest.mark.parametrize("action", ["CONFIRM", "REJECT"])
def test_only_a_proposal_can_be_decided_and_only_once(action: str) -> None:
    hub = proposed()
    hub.say(decided(action, mapping=COPY))
    before = hub.memory()
    hub.say(decided(action, mapping=COPY), decided(action, mapping="unio24/asset/1"), decided(action, mapping="x"))
    assert hub.memory() == before
    assert len(hub.dead) == 3


# ---- merges ----------------------------------------------------------------------------------------------------


def test_reports_of_both_records_go_under_the_survivor() -> None:
    hub, survivor, merged = duplicates()
    written = hub.say(decided("MERGE", canonical_id=survivor, other_id=merged))
    state = hub.rows(AssetState)[survivor]
    assert state.links == {AM: "1", ERP: "5"}
    assert (state.fields.location, state.fields.asset_number, state.fields.cost_centre) == ("L1", "FA5", "CC1")
    kept = hub.rows(AssetState)[merged]
    assert (kept.merged_into, kept.fields.asset_number) == (survivor, "FA5"), "marked, not removed"
    assert [v.name for v in named(written, "AssetMerged", "AssetSeparated")] == ["AssetMerged"]
    sent = [v.body for v in named(written, "WriteAsset", "WriteBook")]
    assert [c.native_id for c in sent if isinstance(c, WriteBook)] == ["1"], "its depreciation is shown there"
    assert [c.fields.asset_number for c in sent if isinstance(c, WriteAsset) and c.dispatch.target == AM] == ["FA5"]
    hub.say(asset(ERP, "5", asset_number="FA5", company="ACME", cost_centre="CC2"), asset(AM, "1", tag="T1b"))
    state = hub.rows(AssetState)[survivor]
    assert (state.fields.cost_centre, state.fields.tag) == ("CC2", "T1b")
    assert hub.rows(AssetState)[merged] == kept
    assert hub.dead == []


def test_a_merge_publishes_no_posting_again() -> None:
    hub, survivor, merged = duplicates()
    hub.say(decided("MERGE", canonical_id=survivor, other_id=merged))
    hub.say(book("5", ["01:D1", "02:D2"]))
    assert len(named(hub.written, "DepreciationPosted")) == 2
    hub.say(book("5", ["01:D1", "02:D2", "03:D3"]))
    assert len(named(hub.written, "DepreciationPosted")) == 3
    hub.say(decided("UNMERGE", canonical_id=survivor, other_id=merged))
    hub.say(book("5", ["01:D1", "02:D2", "03:D3"]))
    assert len(named(hub.written, "DepreciationPosted")) == 3
    assert set(hub.rows(BookState)) == {f"{merged}|main"}
    assert hub.dead == []


def test_t39_an_undone_merge_leaves_everything_as_it_was() -> None:
    hub, survivor, merged = duplicates()
    before = image(hub)
    hub.say(decided("MERGE", canonical_id=survivor, other_id=merged))
    assert image(hub) != before
    hub.say(decided("UNMERGE", canonical_id=survivor, other_id=merged))
    assert image(hub) == before
    assert hub.rows(AssetMerge) == {}
    assert conflicts(hub) == set()
    merges = [v.body for v in named(hub.written, "AssetMerged", "AssetSeparated")]
    assert all(isinstance(m, AssetMergeEvent) and (m.by, m.reason) == ("ann", "looked at both") for m in merges)
    hub.say(asset(ERP, "5", asset_number="FA5", company="NEW"), asset(AM, "1", location="L7"))
    states = hub.rows(AssetState)
    assert (states[merged].fields.company, states[merged].fields.location) == ("NEW", None)
    assert (states[survivor].fields.company, states[survivor].fields.location) == (None, "L7")


def test_t39_what_was_said_since_the_merge_stays_with_whom_said_it() -> None:
    hub, survivor, merged = duplicates()
    hub.say(decided("MERGE", canonical_id=survivor, other_id=merged))
    hub.say(asset(ERP, "5", asset_number="FA5", company="LATER"), asset(AM, "1", tag="T1", location="L8"))
    hub.say(decided("UNMERGE", canonical_id=survivor, other_id=merged))
    states = hub.rows(AssetState)
    assert (states[merged].fields.company, states[survivor].fields.company) == ("LATER", None)
    assert (states[merged].fields.location, states[survivor].fields.location) == (None, "L8")


def test_a_second_record_of_one_system_keeps_its_costs_and_gets_its_place_back() -> None:
    hub = Hub()
    hub.say(asset(AM, "1", tag="T1", location="L1"), asset(AM, "2", tag="T2", location="L2"))
    survivor, merged = links(hub)["unio24/asset/1"], links(hub)["unio24/asset/2"]
    before = image(hub)
    hub.say(decided("MERGE", canonical_id=survivor, other_id=merged))
    assert hub.rows(XRef)[COPY].status is LinkStatus.MERGED_INTO
    hub.say(cost("WO1", "2"), asset(AM, "2", tag="T2", location="L3"))
    assert [c.asset_id for c in hub.rows(CostState).values()] == [survivor]
    assert hub.rows(AssetState)[survivor].fields.location == "L1"
    hub.say(decided("UNMERGE", canonical_id=survivor, other_id=merged))
    after = image(hub)
    assert {k: v for k, v in hub.rows(XRef).items() if "/asset/" in k} == before["xref"]
    assert after["assets"] == before["assets"]


def test_merges_are_undone_in_the_reverse_order() -> None:
    hub = Hub()
    hub.say(*(asset(AM, n, tag=f"T{n}") for n in "123"))
    one, two, three = (links(hub)[f"unio24/asset/{n}"] for n in "123")
    before = image(hub)
    hub.say(decided("MERGE", canonical_id=two, other_id=one), decided("MERGE", canonical_id=three, other_id=two))
    assert set(links(hub).values()) == {three}
    hub.say(decided("UNMERGE", canonical_id=three, other_id=one))
    assert "reverse order" in str(hub.dead[0])
    hub.say(decided("UNMERGE", canonical_id=three, other_id=two), decided("UNMERGE", canonical_id=two, other_id=one))
    assert image(hub) == before


def test_a_merge_that_cannot_be_changes_nothing() -> None:
    hub = Hub()
    hub.say(asset(ERP, "5", asset_number="F5"), asset(ERP, "6", asset_number="F6"), asset(AM, "1", tag="T"))
    five, six, one = (links(hub)[key] for key in ("tryton/asset/5", "tryton/asset/6", "unio24/asset/1"))
    before = hub.memory()
    hub.say(
        decided("MERGE", canonical_id=five, other_id=six),
        decided("MERGE", canonical_id=five, other_id=five),
        decided("MERGE", canonical_id=five, other_id="unknown"),
        decided("UNMERGE", canonical_id=five, other_id=one),
    )
    assert hub.memory() == before
    assert len(hub.dead) == 4
    assert "both stand in the books" in str(hub.dead[0])


def test_what_was_on_its_way_when_the_merge_was_decided_reaches_the_survivor() -> None:
    hub, survivor, merged = duplicates()
    hub.publish(asset(ERP, "5", asset_number="FA5", company="LATE"))
    hub.step("identify")
    late = hub.stages["accept"].inbox.pop()
    hub.say(decided("MERGE", canonical_id=survivor, other_id=merged))
    hub.stages["accept"].inbox.append(late)
    hub.rest()
    assert hub.rows(AssetState)[survivor].fields.company == "LATE"
    assert hub.rows(AssetState)[merged].fields.company == "ACME"
