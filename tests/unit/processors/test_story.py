"""Properties of the three processors together: one thing stays one, and two systems come to agree."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from typing import Any

from hypothesis import example, given, settings
from hypothesis import strategies as st
from tests.unit.processors.bench import (
    AM,
    ERP,
    Hub,
    asset,
    asset_events,
    book,
    conflicts,
    cost,
    euros,
    held,
    landscape,
    line,
    links,
    named,
    order,
    settled,
)
from tests.unit.processors.offices import Office, an_edit, come_to_rest, estate, moves, play
from tests.unit.processors.test_capitalise import a_line, an_order

from tieline.kernel.asset_records import AssetReport, AssetState, PhysicalStatus
from tieline.kernel.command_records import CommandSettled, WriteAsset
from tieline.kernel.cost_records import CostState
from tieline.kernel.memory import LinkStatus, XRef
from tieline.kernel.ownership import load_ownership
from tieline.kernel.reports import Report

PO_LINE = "tryton/7/1"
ORDERED = line("7/1", description="Laptop", acquisition_cost=euros("900.00"), asset_class="COMPUTER")
TYPED_IN = asset(AM, "9", po_line_ref=PO_LINE, serial_number="SN 1", tag="T1", location="L1")
BOOKED = asset(ERP, "5", po_line_ref=PO_LINE, serial_number="sn1", asset_number="FA1", company="ACME")
NUMBERED = asset(AM, "9", po_line_ref=PO_LINE, serial_number="SN1", tag="T1", asset_number="FA1")
IN_SERVICE = asset(AM, "9", po_line_ref=PO_LINE, tag="T1", physical_status=PhysicalStatus.IN_SERVICE)
COSTS = cost("WO1", "9")
DEPRECIATION = book("5", ["01:D1", "02:D2"])

STORY: tuple[Report, ...] = (ORDERED, TYPED_IN, BOOKED, NUMBERED, IN_SERVICE, COSTS, DEPRECIATION)


@settings(max_examples=100, deadline=None)
@given(st.permutations(STORY), st.lists(st.sampled_from(STORY), max_size=6))
def test_one_thing_ordered_typed_in_and_booked_is_one_thing_in_every_order(
    told: Sequence[Report], again: Sequence[Report]
) -> None:
    hub = Hub()
    hub.say(*told, *again)
    assert hub.dead == []
    assert held(hub) == {}
    of_assets = {key: id_ for key, id_ in links(hub).items() if "/asset/" in key or "/purchase-line/" in key}
    assert set(of_assets) == {"tryton/purchase-line/7/1", "unio24/asset/9", "tryton/asset/5"}
    assert len(set(of_assets.values())) == 1
    state = hub.the_asset()
    assert state.links == {AM: "9", ERP: "5"}
    assert (state.fields.location, state.fields.asset_number) == ("L1", "FA1")
    assert [c.asset_id for c in hub.rows(CostState).values()] == [state.asset_id]
    assert len(named(hub.written, "DepreciationPosted")) == 2
    assert len(named(hub.written, "CostPosted")) == 1


@settings(max_examples=100, deadline=None)
@given(st.lists(st.sampled_from([TYPED_IN, BOOKED, ORDERED, COSTS, DEPRECIATION]), min_size=2, max_size=8), st.data())
def test_one_thing_stays_one_however_the_stages_interleave(reports: list[Report], data: st.DataObject) -> None:
    hub = Hub()
    for report in reports:
        hub.publish(report)
    while any(stage.inbox for stage in hub.stages.values()):
        hub.step(data.draw(st.sampled_from([name for name, stage in hub.stages.items() if stage.inbox])))
    assert hub.dead == []
    spoken_of = any(isinstance(report, AssetReport) for report in reports)
    assert len(hub.rows(AssetState)) == (1 if spoken_of else 0)


@settings(max_examples=100, deadline=None)
@given(told=st.permutations(["report", "result", "again"]), carries_the_reference=st.booleans())
def test_what_a_sink_makes_is_the_same_thing_whichever_of_report_and_result_comes_first(
    told: Sequence[str], *, carries_the_reference: bool
) -> None:
    hub = Hub()
    hub.say(ORDERED)
    [command] = [v.body for v in named(hub.written, "WriteAsset")]
    assert isinstance(command, WriteAsset)
    made = (
        asset(AM, "9", hub_ref=command.asset_id, tag="T1")
        if carries_the_reference
        else asset(AM, "9", po_line_ref=PO_LINE)
    )
    steps: dict[str, Report | CommandSettled] = {
        "report": made,
        "again": made,
        "result": settled(AM, command.asset_id, "9"),
    }
    hub.say(*(steps[name] for name in told))
    assert hub.dead == []
    assert set(links(hub).values()) == {command.asset_id}
    assert hub.the_asset().links == {AM: "9"}


SETTLED_STORY = (*STORY, order("1", an_order(a_line("2", "700.00", line_id="8"))))


@settings(max_examples=100, deadline=None)
@given(st.permutations(SETTLED_STORY), st.data())
def test_what_is_told_again_changes_nothing(told: Sequence[Report], data: st.DataObject) -> None:
    hub = Hub()
    hub.say(*told)
    last_words = {(type(r), r.origin.system, r.origin.entity, r.origin.native_id): r for r in told}
    hub.say(*last_words.values())
    before = hub.memory()
    again = data.draw(st.lists(st.sampled_from(list(last_words.values())), max_size=12))
    written = hub.say(*again)
    assert {out.topic for out in written} <= {"hub.identified.report.v1"}
    assert hub.memory() == before
    assert hub.dead == []


@given(st.permutations([asset(AM, "9", serial_number="S"), cost("A", "9"), cost("B", "9"), cost("C")]))
def test_a_held_cost_is_posted_once_its_asset_appears(told: Sequence[Report]) -> None:
    hub = Hub()
    hub.say(*told)
    assert held(hub) == {}
    states = {s.origin_native_id: s.asset_id for s in hub.rows(CostState).values()}
    assert states == {"A": hub.the_asset().asset_id, "B": hub.the_asset().asset_id, "C": None}
    assert len(named(hub.written, "PostCost")) == 3


# ---- two systems that are edited at will -----------------------------------------------------------------------


EDITS: dict[str, Sequence[Any]] = {
    "location": ["L1", "L2", "L3"],
    "description": ["Pump", "Pump 2"],
    "company": ["ACME", "OTHER"],
    "in_service_date": [dt.date(2026, 4, 1), dt.date(2026, 4, 2)],
    "physical_status": [PhysicalStatus.IN_SERVICE, PhysicalStatus.IN_MAINTENANCE],
}
CENTRES = ["CC1", "CC2", "CC3"]
# A person changes in the ERP what the hub has just written, before the ERP has answered.
CROSSING_STATUS = ("cross", ERP, ("physical_status", PhysicalStatus.IN_MAINTENANCE))
CROSSING_CENTRE = ("cross", ERP, ("cost_centre", "CC2"))
RULES = load_ownership().rules


def check_agreement(hub: Hub, offices: dict[str, Office], fields: Sequence[str]) -> None:
    """Whoever differs from the hub is a conflict; never where both may speak, nor where the owner differs."""
    assert hub.dead == []
    state = hub.the_asset()
    for name, office in offices.items():
        for field in fields:
            agrees = getattr(office.fields, field) == getattr(state.fields, field)
            assert agrees or (field, name) in conflicts(hub), f"{name}: {field}"
            # A record that says another company stands apart with its cost centre, which is that company's (T19).
            is_apart = ("company", name) in conflicts(hub)
            assert agrees or is_apart or field != "cost_centre", f"{name}: a field that both may change"
            assert agrees or RULES[field].owner != landscape().role_of(name), f"{name}: {field} is its own"


@example(script=["hub", CROSSING_STATUS], erp_has_it=False)
@settings(max_examples=100, deadline=None)
@given(script=moves(EDITS), erp_has_it=st.booleans())
def test_two_systems_edited_at_will_come_to_agree_or_differ_visibly(script: Sequence[Any], *, erp_has_it: bool) -> None:
    hub, offices = estate(erp_has_it=erp_has_it)
    offices[AM].poll()
    offices[ERP].poll()
    play(hub, offices, script)
    come_to_rest(hub, offices)
    check_agreement(hub, offices, list(EDITS))
    assert hub.the_asset().fields.serial_number == "S"
    rows = [row for row in hub.rows(XRef).values() if row.status is LinkStatus.LINKED]
    assert len({row.canonical_id for row in rows}) == 1


@example(
    [
        ("edit", AM, ("cost_centre", "CC1")),
        "fetch unio24",
        "tell unio24",
        *["hub"] * 9,
        "deliver tryton",
        CROSSING_CENTRE,
    ]
)
# The ERP's person moves the thing, is read, and moves it on before our first write is answered there.
@example(
    [
        ("edit", AM, ("location", "L2")),
        ("edit", ERP, ("location", "L2")),
        "fetch tryton",
        "tell tryton",
        ("edit", ERP, ("location", "L1")),
    ]
)
@settings(max_examples=100, deadline=None)
@given(moves({"cost_centre": CENTRES, "location": ["L1", "L2"]}))
def test_a_field_that_both_may_change_does_not_swing_for_ever(script: Sequence[Any]) -> None:
    hub, offices = estate(erp_has_it=True)
    offices[AM].poll()
    offices[ERP].poll()
    play(hub, offices, script)
    come_to_rest(hub, offices)
    check_agreement(hub, offices, ["cost_centre", "location"])


ALL_EDITS = EDITS | {"cost_centre": CENTRES}


# The owner goes back to what the other one had said; between the two, our write of another field passed there.
@example(
    edits=[
        (ERP, ("location", "L2")),
        (AM, ("location", "L1")),
        (ERP, ("description", "Pump")),
        (AM, ("location", "L2")),
    ],
    erp_has_it=False,
)
@settings(max_examples=60, deadline=None)
@given(edits=st.lists(st.tuples(st.sampled_from([AM, ERP]), an_edit(ALL_EDITS)), max_size=8), erp_has_it=st.booleans())
def test_edits_one_after_the_other_end_in_agreement_or_in_a_conflict(
    edits: Sequence[tuple[str, tuple[str, Any]]], *, erp_has_it: bool
) -> None:
    hub, offices = estate(erp_has_it=erp_has_it)
    come_to_rest(hub, offices)
    for name, (field, value) in edits:
        offices[name].edit(**{field: value})
        come_to_rest(hub, offices)
        check_agreement(hub, offices, list(ALL_EDITS))


@settings(max_examples=100, deadline=None)
@given(moves({"location": ["L1", "L2", "L3"], "company": ["ACME", "OTHER", "THIRD"]}))
def test_owners_who_keep_to_their_own_fields_always_agree_in_the_end(script: Sequence[Any]) -> None:
    hub, offices = estate(erp_has_it=True)
    offices[AM].edit(location="L0")
    offices[ERP].edit(company="ZERO")
    come_to_rest(hub, offices)
    owners = {"location": AM, "company": ERP}
    play(hub, offices, [m for m in script if isinstance(m, str) or owners[m[2][0]] == m[1]])
    come_to_rest(hub, offices)
    check_agreement(hub, offices, ["location", "company"])
    assert conflicts(hub) == set()


def test_a_two_way_flow_falls_silent_after_one_write() -> None:
    hub, offices = estate(erp_has_it=True)
    offices[AM].poll()
    offices[ERP].poll()
    come_to_rest(hub, offices)
    events = len(asset_events(hub.written))
    offices[AM].edit(location="L9")
    come_to_rest(hub, offices)
    assert len(asset_events(hub.written)) == events + 1
    for _ in range(20):
        for office in offices.values():
            office.told = None  # the sources read everything again
        come_to_rest(hub, offices)
    assert len(asset_events(hub.written)) == events + 1
    in_the_books = offices[ERP].fields
    assert in_the_books is not None
    assert in_the_books.location == "L9"
