"""Which system is told what."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from typing import Any

import pytest
from tests.unit.processors.bench import (
    AM,
    ERP,
    FLOWS,
    NOW,
    Hub,
    Stage,
    asset,
    book,
    cost,
    encode,
    euros,
    landscape,
    line,
    named,
    order,
    ticking,
)
from tests.unit.processors.test_capitalise import a_line, an_order

from tieline.kernel.asset_records import AssetEvent, AssetFields, AssetReport, AssetState, PhysicalStatus
from tieline.kernel.command_records import PostCost, WriteAsset, WriteBook
from tieline.kernel.errors import Rejected, Stop
from tieline.kernel.records import Inbound, Outbound, Typed
from tieline.kernel.vocabulary import Accepted, Money
from tieline.processors.wiring import build_processor

BOUGHT: dict[str, Any] = {"acquisition_cost": euros("900.00"), "asset_class": "COMPUTER", "company": "ACME"}
WORKING: dict[str, Any] = {"physical_status": PhysicalStatus.IN_SERVICE}


def writes(written: list[Outbound], target: str) -> list[WriteAsset]:
    """Asset commands to one target."""
    found = named([o for o in written if o.topic == f"sink.{target}.command.v1"], "WriteAsset")
    return [v.body for v in found if isinstance(v.body, WriteAsset)]


def test_an_asset_goes_to_the_other_system_and_never_back() -> None:
    hub = Hub()
    written = hub.say(asset(ERP, "5", asset_number="FA1", **BOUGHT))
    [command] = writes(written, AM)
    assert writes(written, ERP) == []
    assert command.dispatch.command_id == f"unio24/asset/{command.asset_id}/1"
    assert (command.dispatch.target, command.dispatch.version, command.native_id) == (AM, 1, None)
    [outbound] = [o for o in written if o.topic == "sink.unio24.command.v1"]
    assert outbound.key == command.asset_id


def test_the_erp_is_told_once_a_thing_is_in_service_with_a_cost() -> None:
    hub = Hub()
    assert writes(hub.say(asset(AM, "9", tag="T")), ERP) == []
    assert writes(hub.say(asset(AM, "9", tag="T", **BOUGHT)), ERP) == []
    [command] = writes(hub.say(asset(AM, "9", tag="T", **BOUGHT, **WORKING)), ERP)
    assert command.fields.tag == "T"
    assert command.fields.acquisition_cost == euros("900.00"), "the whole goes, not the change"


def test_a_command_says_from_which_day_the_change_holds() -> None:
    hub = Hub()
    bought = {**BOUGHT, **WORKING, "acquisition_date": dt.date(2026, 5, 4)}
    [command] = writes(hub.say(asset(AM, "9", tag="T", **bought)), ERP)
    assert command.effective_date == dt.date(2026, 5, 4)
    [moved] = writes(hub.say(asset(AM, "9", tag="T", location="L2", **bought)), ERP)
    assert moved.effective_date == NOW.date(), "the day it was recorded"


def test_what_an_order_line_completes_goes_to_the_erp_only_when_asset_management_speaks() -> None:
    hub = Hub()
    hub.say(asset(AM, "9", po_line_ref="tryton/7/1", **WORKING))
    written = hub.say(line("7/1", **BOUGHT))
    assert writes(written, ERP) == []
    assert len(writes(written, AM)) == 1
    [command] = writes(hub.say(asset(AM, "9", po_line_ref="tryton/7/1", location="L1", **WORKING)), ERP)
    assert command.fields.acquisition_cost == euros("900.00")


def test_a_record_that_the_erp_holds_is_kept_up_to_date_even_as_a_draft() -> None:
    hub = Hub()
    hub.say(asset(ERP, "5", serial_number="S"), asset(AM, "9", serial_number="S"))
    [command] = writes(hub.say(asset(AM, "9", serial_number="S", location="L2")), ERP)
    assert command.native_id == "5"


def test_a_link_alone_is_no_news_for_who_holds_the_asset() -> None:
    hub = Hub()
    hub.say(asset(ERP, "5", serial_number="S", asset_number="F"), asset(AM, "9", serial_number="S"))
    assert writes(hub.say(asset(ERP, "5", deleted=True)), AM) == []


def test_the_target_keeps_what_it_owns_and_has_said() -> None:
    hub = Hub()
    hub.say(asset(ERP, "5", serial_number="S", asset_number="FA1", company="ACME"))
    hub.say(asset(AM, "9", serial_number="S", cost_centre="CC1", location="L1"))
    [command] = writes(hub.say(asset(AM, "9", serial_number="S", cost_centre="CC2", location="L1")), ERP)
    assert {"location", "serial_number", "cost_centre"} <= set(command.writable_fields)
    assert not {"asset_number", "company", "asset_class"} & set(command.writable_fields)


def route_stage() -> Stage:
    return Stage(build_processor("route", landscape(), ticking()))


def moved(version: int, system: str = AM, **fields: Any) -> AssetEvent:
    accepted = Accepted(
        version=version,
        origin_system=system,
        origin_native_id="9",
        effective_date=NOW.date(),
        recorded_at=NOW,
        changed_fields=tuple(fields),
    )
    values: dict[str, Any] = {"asset_number": "FA1", "company": "ACME", **fields}
    return AssetEvent(asset_id="a1", accepted=accepted, fields=AssetFields(**values), links={AM: "9", ERP: "5"})


def hand_over(stage: Stage, name: str, body: Any, topic: str = "asset.asset.event.v1") -> list[Outbound]:
    return stage.handle(Inbound(topic, 0, 0, b"a1", encode(Typed(name, body))))


def state(version: int, **said_by: str) -> AssetState:
    return AssetState(asset_id="a1", version=version, fields=AssetFields(), said_by=said_by, links={})


def test_an_older_followed_state_still_protects_the_owner_and_lets_the_news_through() -> None:
    stage = route_stage()
    stage.table(AssetState).load("a1", state(3, asset_number=ERP, company=ERP, cost_centre=ERP))
    [command] = writes(hand_over(stage, "AssetMoved", moved(4, cost_centre="CC9")), ERP)
    assert "cost_centre" in command.writable_fields
    assert not {"asset_number", "company"} & set(command.writable_fields)


def test_a_newer_followed_state_protects_what_the_owner_has_said_since() -> None:
    stage = route_stage()
    stage.table(AssetState).load("a1", state(5, cost_centre=ERP))
    [command] = writes(hand_over(stage, "AssetMoved", moved(4, cost_centre="CC9")), ERP)
    assert "cost_centre" not in command.writable_fields


def test_without_a_followed_state_the_news_is_the_origins() -> None:
    [command] = writes(hand_over(route_stage(), "AssetMoved", moved(1, cost_centre="CC9")), ERP)
    assert "cost_centre" in command.writable_fields
    assert "asset_class" not in command.writable_fields


@pytest.mark.parametrize("kind", ["asset", "book", "purchase-order", "cost-document"])
def test_without_its_flow_nothing_moves(kind: str) -> None:
    without = [flow for flow in FLOWS if flow[0] != kind]
    hub = Hub(landscape(without))
    hub.say(
        asset(ERP, "5", serial_number="S", asset_number="FA1"),
        asset(AM, "9", serial_number="S", location="L1"),
        book("5"),
        cost("WO1", "9"),
        order("1", an_order()),
    )
    kinds = {"asset": "WriteAsset", "book": "WriteBook", "cost-document": "PostCost", "purchase-order": "AssetReport"}
    seen = {out.value.name for out in hub.written if isinstance(out.value, Typed)} & set(kinds.values())
    # Without asset flows order lines still travel: their records in asset management come with the order.
    assert seen == set(kinds.values()) - ({kinds[kind]} if kind != "asset" else set())
    if kind == "asset":
        assert all(w.fields.po_line_ref for w in writes(hub.written, AM))
        assert writes(hub.written, ERP) == []


def test_a_book_is_shown_in_asset_management() -> None:
    hub = Hub()
    hub.say(asset(ERP, "5", asset_number="FA1"), asset(AM, "9", asset_number="FA1"))
    written = hub.say(book("5", ["01:D1"]))
    [command] = [v.body for v in named(written, "WriteBook") if isinstance(v.body, WriteBook)]
    assert (command.native_id, command.fields.accumulated) == ("9", Decimal(100))
    assert command.dispatch.command_id == f"unio24/book/{command.asset_id}|main/1"
    [outbound] = [o for o in written if o.topic == "sink.unio24.command.v1"]
    assert outbound.key == command.asset_id, "behind the asset's own commands"


def test_t18_two_books_of_one_asset_are_two_effects_in_one_order() -> None:
    hub = Hub()
    hub.say(asset(ERP, "5", asset_number="FA1"), asset(AM, "9", asset_number="FA1"))
    written = hub.say(book("5", ["01:D1"]), book("5", ["01:T1"], book_id="tax"))
    commands = [v.body for v in named(written, "WriteBook") if isinstance(v.body, WriteBook)]
    assert [(c.fields.book_id, c.dispatch.version) for c in commands] == [("main", 1), ("tax", 1)]
    assert len({c.dispatch.command_id for c in commands}) == 2
    assert {o.key for o in written if o.topic == "sink.unio24.command.v1"} == {commands[0].asset_id}


def posted(written: list[Outbound]) -> PostCost:
    [command] = [v.body for v in named(written, "PostCost") if isinstance(v.body, PostCost)]
    return command


def test_costs_are_posted_in_the_erp_with_its_number_of_the_asset() -> None:
    hub = Hub()
    hub.say(asset(ERP, "5", asset_number="FA1"), asset(AM, "9", asset_number="FA1"))
    command = posted(hub.say(cost("WO1", "9")))
    assert (command.asset_number, command.asset_id) == ("FA1", hub.the_asset().asset_id)
    assert command.dispatch.command_id == f"tryton/cost-document/{command.cost_doc_id}/1"


def test_costs_without_an_asset_are_posted_without_a_number() -> None:
    hub = Hub()
    command = posted(hub.say(cost("WO1")))
    assert (command.asset_number, command.asset_id) == (None, None)


def test_another_erps_number_is_not_passed_off_as_the_targets() -> None:
    hub = Hub(landscape(sap="erp"))
    hub.say(asset("sap", "5", asset_number="FA1"), asset(AM, "9", asset_number="FA1"))
    assert posted(hub.say(cost("WO1", "9"))).asset_number is None


def test_an_approved_order_becomes_records_in_asset_management() -> None:
    hub = Hub()
    written = hub.say(order("1", an_order(a_line("3", "1000.00"))))
    reports = [o for o in written if o.topic == "asset.asset.report.v1"]
    assert [o.key for o in reports] == ["tryton/7/1", "tryton/7/2", "tryton/7/3"]
    assert all(isinstance(o.value, Typed) and isinstance(o.value.body, AssetReport) for o in reports)
    commands = writes(written, AM)
    costs = [c.fields.acquisition_cost for c in commands]
    assert [c.amount for c in costs if isinstance(c, Money)] == [
        euros(a).amount for a in ("333.34", "333.33", "333.33")
    ]
    assert writes(written, ERP) == []
    assert writes(hub.say(order("1", an_order(a_line("3", "1000.00")))), AM) == []


def test_a_changed_price_reaches_what_the_order_made() -> None:
    hub = Hub()
    hub.say(order("1", an_order(a_line("1", "900.00"))))
    [command] = writes(hub.say(order("1", an_order(a_line("1", "950.00")))), AM)
    assert command.fields.acquisition_cost == euros("950.00")
    assert command.dispatch.version == 2


def test_a_cancelled_order_takes_nothing_back() -> None:
    hub = Hub()
    hub.say(order("1", an_order(a_line("1", "900.00"))))
    before = hub.rows(AssetState)
    written = hub.say(order("1", an_order(a_line("1", "900.00"), approval="CANCELLED")))
    assert writes(written, AM) == []
    assert hub.rows(AssetState) == before


def test_what_is_no_event_is_refused() -> None:
    with pytest.raises(Rejected, match="not an event"):
        hand_over(route_stage(), "AssetReport", asset(AM, "1"))


def test_there_are_three_processors() -> None:
    for name in ("identify", "accept", "route"):
        assert build_processor(name, landscape(), ticking()).name == name
    with pytest.raises(Stop, match="no processor 'x'"):
        build_processor("x", landscape(), ticking())


def test_identify_reads_the_results_of_every_system() -> None:
    inputs = build_processor("identify", landscape(sap="erp"), ticking()).inputs
    assert {f"sink.{s}.result.v1" for s in (ERP, AM, "sap")} <= set(inputs)


def test_a_disposal_reaches_the_erp_with_its_date() -> None:
    hub = Hub()
    hub.say(asset(ERP, "5", serial_number="S", asset_number="FA1"), asset(AM, "9", serial_number="S"))
    gone = asset(AM, "9", serial_number="S", disposal_date=dt.date(2026, 5, 1), physical_status=PhysicalStatus.RETIRED)
    [command] = writes(hub.say(gone), ERP)
    assert command.fields.disposal_date == dt.date(2026, 5, 1)
    assert {"disposal_date", "physical_status"} <= set(command.writable_fields)


def test_a_book_waits_for_its_asset_in_the_target_and_comes_with_the_link() -> None:
    hub = Hub()
    assert named(hub.say(asset(ERP, "5", serial_number="S"), book("5")), "WriteBook") == []
    [command] = [v.body for v in named(hub.say(asset(AM, "9", serial_number="S")), "WriteBook")]
    assert isinstance(command, WriteBook)
    assert command.native_id == "9"


def test_an_older_event_does_not_set_back_what_is_known_of_the_asset() -> None:
    stage = route_stage()
    ahead = state(5).model_copy(update={"fields": AssetFields(asset_number="FA9"), "links": {AM: "9"}})
    stage.table(AssetState).load("a1", ahead)
    hand_over(stage, "AssetMoved", moved(4, cost_centre="CC9"))
    assert stage.table(AssetState).get("a1") == ahead


def test_what_the_target_itself_said_is_not_written_back_to_it() -> None:
    stage = route_stage()
    stage.table(AssetState).load("a1", state(3, cost_centre=AM, asset_number=ERP, location=ERP))
    [command] = writes(hand_over(stage, "AssetChanged", moved(4, ERP, asset_number="FA2", cost_centre="CC1")), AM)
    assert "cost_centre" in command.writable_fields, "the ERP has changed it just now"
    stage.table(AssetState).load("a1", state(5, cost_centre=AM, location=ERP))
    [command] = writes(hand_over(stage, "AssetChanged", moved(5, ERP, asset_number="FA2")), AM)
    assert "cost_centre" not in command.writable_fields
    assert "location" in command.writable_fields


def test_what_an_order_proposed_is_written_where_the_asset_is_made_although_the_state_lags() -> None:
    hub = Hub()
    hub.say(line(**BOUGHT))
    [made] = [v.body for v in named(hub.written, "AssetRegistered") if isinstance(v.body, AssetEvent)]
    hub.say(asset(AM, "9", hub_ref=made.asset_id, **WORKING))
    [moved] = [v.body for v in named(hub.written, "AssetPlacedInService") if isinstance(v.body, AssetEvent)]
    route = Stage(build_processor("route", landscape(), ticking()))  # it has read no state yet
    told = [
        _pass(route, Typed(name, event)) for name, event in (("AssetRegistered", made), ("AssetPlacedInService", moved))
    ]
    [command] = writes(told[-1], ERP)
    assert "acquisition_cost" in command.writable_fields


def _pass(stage: Stage, value: Typed) -> list[Outbound]:
    return stage.handle(Inbound("asset.asset.event.v1", 0, 0, b"a1", encode(value)))
