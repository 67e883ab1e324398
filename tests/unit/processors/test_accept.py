"""What of a report becomes the hub's word."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from typing import Any

import pytest
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
    euros,
    landscape,
    line,
    named,
    order,
    settled,
)
from tests.unit.processors.test_capitalise import a_line, an_order

from tieline.kernel.asset_records import AssetReport, AssetState, DisposalKind, PhysicalStatus
from tieline.kernel.book_records import BookReport, BookState, DepreciationPosted
from tieline.kernel.command_records import WriteAsset
from tieline.kernel.cost_records import CostEvent, CostReport, CostState
from tieline.kernel.digests import digest_fields
from tieline.kernel.memory import Conflict, LedgerEntry, Stage
from tieline.kernel.order_records import OrderEvent, OrderReport
from tieline.kernel.records import Typed

EVENT_TOPICS = (
    "asset.asset.event.v1",
    "asset.book.event.v1",
    "depreciation.posting.event.v1",
    "procurement.purchase-order.event.v1",
    "cost.document.event.v1",
)


def pair(hub: Hub, am: dict[str, Any], erp: dict[str, Any]) -> str:
    """One thing with a record in both systems; what each says of it at first."""
    hub.say(asset(AM, "9", serial_number="S", **am), asset(ERP, "5", serial_number="S", **erp))
    return hub.the_asset().asset_id


BEFORE = NOW - dt.timedelta(minutes=1)


def wrote(report: AssetReport, asset_id: str, stage: Stage = Stage.CONFIRMED, **changes: Any) -> LedgerEntry:
    """The ledger of a sink whose target answered with exactly these fields."""
    values: dict[str, Any] = {
        "target": report.origin.system,
        "entity": "asset",
        "canonical_id": asset_id,
        "command_id": "c",
        "version": 1,
        "applied_version": 1,
        "stage": stage,
        "native_id": report.origin.native_id,
        "digest": digest_fields(report.fields),
        "at": NOW,
    }
    return LedgerEntry(**(values | changes))


# ---- events ----------------------------------------------------------------------------------------------------


def test_the_first_report_registers_the_asset() -> None:
    hub = Hub()
    [(name, event)] = asset_events(hub.say(asset(AM, "9", location="L1", tag="T")))
    assert name == "AssetRegistered"
    assert event.accepted.version == 1
    assert event.accepted.origin_system == AM
    assert event.accepted.origin_native_id == "9"
    assert event.accepted.effective_date == NOW.date()
    assert set(event.accepted.changed_fields) >= {"tag", "location"}
    assert event.links == {AM: "9"}
    assert hub.the_asset().said_by == {"tag": AM, "location": AM}


@pytest.mark.parametrize(
    ("change", "name", "effective"),
    [
        ({"disposal_date": dt.date(2026, 5, 1)}, "AssetDisposed", dt.date(2026, 5, 1)),
        ({"physical_status": PhysicalStatus.RETIRED}, "AssetDisposed", NOW.date()),
        ({"in_service_date": dt.date(2026, 4, 1)}, "AssetPlacedInService", dt.date(2026, 4, 1)),
        ({"physical_status": PhysicalStatus.IN_SERVICE}, "AssetPlacedInService", NOW.date()),
        ({"location": "L2"}, "AssetMoved", NOW.date()),
        ({"custodian": "e17"}, "AssetAssigned", NOW.date()),
        ({"custodian": "e17", "location": "L2"}, "AssetMoved", NOW.date()),
        ({"cost_centre": "CC2"}, "AssetCostCentreChanged", NOW.date()),
        ({"cost_centre": "CC2", "location": "L2", "custodian": "e17"}, "AssetCostCentreChanged", NOW.date()),
        ({"description": "Pump"}, "AssetChanged", NOW.date()),
        ({"location": "L2", "disposal_date": dt.date(2026, 5, 1)}, "AssetDisposed", dt.date(2026, 5, 1)),
    ],
)
def test_an_event_is_named_by_what_happened(change: dict[str, Any], name: str, effective: dt.date) -> None:
    hub = Hub()
    hub.say(asset(AM, "9", location="L1"))
    [(found, event)] = asset_events(hub.say(asset(AM, "9", **({"location": "L1"} | change))))
    assert (found, event.accepted.effective_date, event.accepted.version) == (name, effective, 2)
    assert set(event.accepted.changed_fields) == set(change)


def test_a_corrected_date_is_not_a_second_disposal() -> None:
    hub = Hub()
    hub.say(asset(AM, "9"), asset(AM, "9", disposal_date=dt.date(2026, 5, 1)))
    [(name, _)] = asset_events(hub.say(asset(AM, "9", disposal_date=dt.date(2026, 5, 2))))
    assert name == "AssetChanged"


def test_silence_empties_nothing() -> None:
    hub = Hub()
    hub.say(asset(AM, "9", location="L1", tag="T"))
    assert asset_events(hub.say(asset(AM, "9", tag="T"))) == []
    assert hub.the_asset().fields.location == "L1"


def test_a_code_that_is_not_known_replaces_none_that_is() -> None:
    hub = Hub()
    hub.say(asset(AM, "9", physical_status=PhysicalStatus.IN_SERVICE, location="UNKNOWN"))
    hub.say(asset(AM, "9", physical_status=PhysicalStatus.UNKNOWN, location="UNKNOWN"))
    assert hub.the_asset().fields.physical_status is PhysicalStatus.IN_SERVICE
    assert hub.the_asset().fields.location == "UNKNOWN", "a place may be called so"


# ---- ownership -------------------------------------------------------------------------------------------------


def test_the_owners_word_stands_and_the_foreign_edit_is_visible() -> None:
    hub = Hub()
    pair(hub, {"location": "L1"}, {})
    written = hub.say(asset(ERP, "5", serial_number="S", location="L2"))
    assert asset_events(written) == []
    assert hub.the_asset().fields.location == "L1"
    [row] = hub.rows(Conflict).values()
    assert (row.field, row.owner, row.system, row.owned_value, row.foreign_value) == ("location", AM, ERP, "L1", "L2")


def test_a_conflict_is_written_once_keeps_its_first_date_and_ends_with_agreement() -> None:
    hub = Hub()
    pair(hub, {"location": "L1"}, {})
    hub.say(asset(ERP, "5", serial_number="S", location="L2"))
    [first] = hub.rows(Conflict).values()
    assert hub.say(asset(ERP, "5", serial_number="S", location="L2"))[1:] == []
    hub.say(asset(ERP, "5", serial_number="S", location="L3"))
    [second] = hub.rows(Conflict).values()
    assert (second.foreign_value, second.detected_at) == ("L3", first.detected_at)
    hub.say(asset(ERP, "5", serial_number="S", location="L1"))
    assert conflicts(hub) == set()


def test_a_conflict_ends_when_the_owner_takes_the_other_value_over() -> None:
    hub = Hub()
    pair(hub, {"location": "L1"}, {})
    hub.say(asset(ERP, "5", serial_number="S", location="L2"))
    hub.say(asset(AM, "9", serial_number="S", location="L2"))
    assert conflicts(hub) == set()


def test_the_same_amount_with_other_zeros_is_no_new_conflict() -> None:
    hub = Hub()
    pair(hub, {}, {"acquisition_cost": euros("1200.00")})
    hub.say(asset(AM, "9", serial_number="S", acquisition_cost=euros("1100.00")))
    [row] = hub.rows(Conflict).values()
    assert (row.owned_value, row.foreign_value) == ("1200 EUR", "1100 EUR")
    written = hub.say(asset(AM, "9", serial_number="S", acquisition_cost=euros("1100.0000")))
    assert [o for o in written if o.topic == "hub.conflict.state.v1"] == []


def test_a_proposer_fills_a_blank_and_changes_its_own_word_until_the_owner_speaks() -> None:
    hub = Hub()
    pair(hub, {"in_service_date": dt.date(2026, 4, 1)}, {})
    hub.say(asset(AM, "9", serial_number="S", in_service_date=dt.date(2026, 4, 2)))
    assert hub.the_asset().fields.in_service_date == dt.date(2026, 4, 2)
    hub.say(asset(ERP, "5", serial_number="S", in_service_date=dt.date(2026, 4, 2)))
    assert hub.the_asset().said_by["in_service_date"] == ERP, "the owner repeats it: it has spoken"
    hub.say(asset(AM, "9", serial_number="S", in_service_date=dt.date(2026, 4, 3)))
    assert hub.the_asset().fields.in_service_date == dt.date(2026, 4, 2)
    assert conflicts(hub) == {("in_service_date", AM)}


def test_that_the_owner_vouches_is_kept_without_an_event() -> None:
    hub = Hub()
    pair(hub, {"company": "ACME"}, {})
    version = hub.the_asset().version
    written = hub.say(asset(ERP, "5", serial_number="S", company="ACME"))
    assert asset_events(written) == []
    assert (hub.the_asset().version, hub.the_asset().said_by["company"]) == (version, ERP)
    assert [
        o for o in hub.say(asset(ERP, "5", serial_number="S", company="ACME")) if o.topic.endswith("state.v1")
    ] == []


def test_asset_management_may_always_move_the_cost_centre() -> None:
    hub = Hub()
    asset_id = pair(hub, {}, {"cost_centre": "CC1"})
    hub.follow(wrote(asset(AM, "9", cost_centre="CC1"), asset_id, applied_version=2, at=BEFORE))
    hub.say(asset(AM, "9", serial_number="S", cost_centre="CC2"))
    assert (hub.the_asset().fields.cost_centre, hub.the_asset().said_by["cost_centre"]) == ("CC2", AM)
    hub.follow(wrote(asset(ERP, "5", cost_centre="CC2"), asset_id, applied_version=3, at=BEFORE))
    hub.say(asset(ERP, "5", serial_number="S", cost_centre="CC3"))
    assert (hub.the_asset().fields.cost_centre, hub.the_asset().said_by["cost_centre"]) == ("CC3", ERP)
    assert conflicts(hub) == set()


def test_a_cost_centre_that_is_moved_and_moved_back_is_followed_although_the_last_write_was_the_same() -> None:
    hub = Hub()
    asset_id = pair(hub, {}, {"cost_centre": "CC1"})
    back = asset(AM, "9", serial_number="S", cost_centre="CC1")
    hub.follow(wrote(back, asset_id, applied_version=2, at=BEFORE))
    hub.say(asset(AM, "9", serial_number="S", cost_centre="CC2"), asset(ERP, "5", serial_number="S", cost_centre="CC2"))
    hub.say(back)
    assert hub.the_asset().fields.cost_centre == "CC1"


def test_an_order_line_proposes_and_gives_way_to_both_systems() -> None:
    hub = Hub()
    hub.say(line(description="Laptop 15", acquisition_cost=euros("900.00"), physical_status=PhysicalStatus.ORDERED))
    assert hub.the_asset().links == {}, "an order line is no record of the asset"
    hub.say(line(description="Laptop 16", acquisition_cost=euros("950.00"), physical_status=PhysicalStatus.ORDERED))
    assert hub.the_asset().fields.acquisition_cost == euros("950.00"), "the order was changed"
    hub.say(asset(AM, "9", po_line_ref="tryton/7/1", description="Laptop", acquisition_cost=euros("950.00")))
    hub.say(line(description="Laptop 16", acquisition_cost=euros("960.00"), physical_status=PhysicalStatus.ORDERED))
    state = hub.the_asset()
    assert (state.fields.description, state.fields.acquisition_cost) == ("Laptop", euros("960.00"))
    hub.say(asset(ERP, "5", po_line_ref="tryton/7/1", acquisition_cost=euros("955.00")))
    hub.say(line(description="Laptop 16", acquisition_cost=euros("970.00"), physical_status=PhysicalStatus.ORDERED))
    assert hub.the_asset().fields.acquisition_cost == euros("955.00")
    assert hub.the_asset().links == {AM: "9", ERP: "5"}
    assert conflicts(hub) == set(), "an order that differs is no foreign edit"


def test_a_system_outside_the_landscape_is_refused() -> None:
    hub = Hub()
    hub.say(asset("ghost", "1"))
    assert hub.dead[0].field == "origin.system"
    assert hub.rows(AssetState) == {}


# ---- deletion --------------------------------------------------------------------------------------------------


def test_a_deletion_ends_the_link_and_nothing_else() -> None:
    hub = Hub()
    pair(hub, {"location": "L1"}, {"location": "L2"})
    assert conflicts(hub) == {("location", ERP)}
    before = hub.the_asset()
    [(name, event)] = asset_events(hub.say(asset(ERP, "5", deleted=True, location="L7", company="X")))
    assert (name, event.links, event.fields) == ("AssetChanged", {AM: "9"}, before.fields)
    assert hub.the_asset().version == before.version + 1
    assert conflicts(hub) == set(), "who is gone contradicts no longer"
    assert asset_events(hub.say(asset(ERP, "5", deleted=True))) == []


def test_the_deletion_of_a_record_that_gave_its_place_ends_no_link() -> None:
    hub = Hub()
    asset_id = pair(hub, {}, {})
    hub.say(settled(ERP, asset_id, "77"), asset(ERP, "77"))
    assert hub.the_asset().links[ERP] == "77"
    hub.say(asset(ERP, "5", deleted=True))
    assert hub.the_asset().links[ERP] == "77"


# ---- echoes ----------------------------------------------------------------------------------------------------


def test_an_echo_in_the_targets_own_form_changes_nothing() -> None:
    hub = Hub()
    asset_id = pair(hub, {"location": "a long name of a place"}, {})
    echo = asset(ERP, "5", serial_number="S", location="a long name")
    hub.follow(wrote(echo, asset_id))
    for _ in range(20):
        assert asset_events(hub.say(echo)) == []
    assert conflicts(hub) == set()
    assert hub.the_asset().fields.location == "a long name of a place"


@pytest.mark.parametrize(
    ("written", "held_there"),
    [
        ({"location": "Hall  2 east"}, {"location": "hall 2 EAST"}),
        ({"location": "a long name of a place"}, {"location": "a long name"}),
        ({"acquisition_cost": euros("900.0049")}, {"acquisition_cost": euros("900.00")}),
        ({"quantity": Decimal("2.666667")}, {"quantity": Decimal("2.67")}),
    ],
)
def test_t27_the_targets_form_of_what_we_wrote_is_no_edit(written: dict[str, Any], held_there: dict[str, Any]) -> None:
    hub = Hub()
    asset_id = pair(hub, written, {})
    echo = asset(ERP, "5", serial_number="S", **held_there)
    hub.follow(wrote(echo, asset_id, applied_version=hub.the_asset().version))
    before = hub.the_asset()
    for _ in range(20):
        assert asset_events(hub.say(echo)) == []
    assert (hub.the_asset().fields, conflicts(hub)) == (before.fields, set())


@pytest.mark.parametrize(
    ("ours", "edited"),
    [
        ({"location": "Hall 2"}, {"location": "Hall 3"}),
        ({"location": "Hall 2"}, {"location": "Hall"}),
        ({"physical_status": PhysicalStatus.IN_SERVICE}, {"physical_status": PhysicalStatus.MISSING}),
    ],
)
def test_a_foreign_edit_between_our_write_and_its_answer_is_seen(ours: dict[str, Any], edited: dict[str, Any]) -> None:
    hub = Hub()
    asset_id = pair(hub, ours, {})
    answered = asset(ERP, "5", serial_number="S", **edited)
    hub.follow(wrote(answered, asset_id, applied_version=hub.the_asset().version))
    assert asset_events(hub.say(answered)) == []
    assert conflicts(hub) == {(field, ERP) for field in edited}


def test_a_proposal_between_our_write_and_its_answer_reaches_the_other_side() -> None:
    hub = Hub()
    asset_id = pair(hub, {"location": "L1"}, {"cost_centre": "CC1"})
    answered = asset(AM, "9", serial_number="S", location="L1", cost_centre="CC2")
    hub.follow(wrote(answered, asset_id, applied_version=hub.the_asset().version))
    [(_, event)] = asset_events(hub.say(answered))
    assert event.fields.cost_centre == "CC2"
    command = hub.commands[ERP][-1]
    assert isinstance(command, WriteAsset)
    assert (command.fields.cost_centre, "cost_centre" in command.writable_fields) == ("CC2", True)


def test_a_stale_echo_does_not_speak_for_the_owner() -> None:
    hub = Hub()
    asset_id = pair(hub, {"in_service_date": dt.date(2026, 4, 1)}, {})
    echo = asset(ERP, "5", serial_number="S", in_service_date=dt.date(2026, 4, 1))
    hub.follow(wrote(echo, asset_id, stage=Stage.INTENT))  # the next write is under way already
    hub.say(asset(AM, "9", serial_number="S", in_service_date=dt.date(2026, 4, 9)))
    assert asset_events(hub.say(echo)) == []
    assert hub.the_asset().fields.in_service_date == dt.date(2026, 4, 9)
    assert hub.the_asset().said_by["in_service_date"] == AM


def test_an_echo_brings_what_the_target_gave_at_creation() -> None:
    hub = Hub()
    hub.say(asset(AM, "9", location="L1"))
    asset_id = hub.the_asset().asset_id
    echo = asset(ERP, "5", asset_number="FA1", location="L1")
    hub.follow(wrote(echo, asset_id))
    hub.say(settled(ERP, asset_id, "5"))
    [(_, event)] = asset_events(hub.say(echo))
    assert event.fields.asset_number == "FA1"
    assert event.links == {AM: "9", ERP: "5"}


def test_a_system_that_returns_to_what_we_wrote_is_heard() -> None:
    hub = Hub()
    asset_id = pair(hub, {"location": "L1"}, {"cost_centre": "CC1"})
    written = asset(AM, "9", serial_number="S", location="L1", cost_centre="CC1")
    hub.follow(wrote(written, asset_id))
    hub.say(asset(AM, "9", serial_number="S", location="L2", cost_centre="CC2"))
    hub.say(written)
    state = hub.the_asset()
    assert (state.fields.location, state.fields.cost_centre) == ("L1", "CC1")


# ---- books -----------------------------------------------------------------------------------------------------


def with_asset() -> Hub:
    hub = Hub()
    hub.say(asset(ERP, "5", asset_number="FA1"), asset(AM, "9", asset_number="FA1"))
    return hub


def postings(written: list[Any]) -> list[DepreciationPosted]:
    return [v.body for v in named(written, "DepreciationPosted") if isinstance(v.body, DepreciationPosted)]


def test_a_book_replaces_the_earlier_one_and_postings_are_published_once() -> None:
    hub = with_asset()
    first = hub.say(book("5", ["01:D1", "02:D2"]))
    assert len(named(first, "AssetBookChanged")) == 1
    assert [(p.scheduled_date.month, p.document, p.amount) for p in postings(first)] == [
        (1, "D1", euros("100")),
        (2, "D2", euros("100")),
    ]
    second = hub.say(book("5", ["01:D1", "02:D2", "03:D3"]))
    [posting] = postings(second)
    assert (posting.scheduled_date.month, posting.accepted.posting_period) == (3, "2026-003")
    assert posting.accepted.effective_date == dt.date(2026, 3, 28)
    assert (posting.accumulated_after, posting.net_book_value_after) == (Decimal(300), Decimal(900))
    [state] = hub.rows(BookState).values()
    assert (state.version, state.fields.accumulated) == (2, Decimal(300))
    assert [o for o in hub.say(book("5", ["01:D1", "02:D2", "03:D3"])) if o.topic != "hub.identified.report.v1"] == []


def test_a_book_lies_with_its_asset() -> None:
    hub = with_asset()
    [row] = [o for o in hub.say(book("5")) if o.topic == "asset.book.state.v1"]
    asset_id = hub.the_asset().asset_id
    assert (row.key, row.partition_key) == (f"{asset_id}|main", asset_id)


def test_two_books_of_one_asset_do_not_meet() -> None:
    hub = with_asset()
    hub.say(book("5", ["01:D1"]), book("5", book_id="tax"))
    assert {state.fields.book_id for state in hub.rows(BookState).values()} == {"main", "tax"}


@pytest.mark.parametrize("posted", [["01:D1"], ["02:D2"], [], ["01:D1", "02:D9"]])
def test_a_posting_that_disappears_is_refused(posted: list[str]) -> None:
    hub = with_asset()
    hub.say(book("5", ["01:D1", "02:D2"]))
    before = hub.memory()
    hub.say(book("5", posted))
    assert hub.memory() == before
    assert hub.dead[0].field == "fields.lines"
    assert hub.dead[0].remedy


def test_a_posting_whose_document_gets_its_number_later_is_not_a_second_one() -> None:
    hub = with_asset()
    hub.say(book("5", ["01"]))
    assert postings(hub.say(book("5", ["01:D1"]))) == []
    assert hub.dead == []


def test_two_postings_alike_in_everything_are_two() -> None:
    hub = with_asset()
    report = book("5", ["01"])
    twice = (report.fields.lines[0], *report.fields.lines)
    both = report.model_copy(update={"fields": report.fields.model_copy(update={"lines": twice})})
    assert len(postings(hub.say(report))) == 1
    assert len(postings(hub.say(both))) == 1
    renamed = both.model_copy(update={"fields": both.fields.model_copy(update={"method": "DB"})})
    assert len(postings(hub.say(renamed))) == 0
    assert hub.dead == []


@pytest.mark.parametrize(
    ("report", "field"),
    [
        (book("5", net_book_value=Decimal(1)), "fields.net_book_value"),
        (order("1", an_order().model_copy(update={"net_total": Decimal(1)})), "fields.net_total"),
        (cost("W", None, "1.00", total=Decimal("1.01")), "fields.total"),
    ],
)
def test_a_sum_that_is_not_the_sum_of_its_parts_is_refused(
    report: BookReport | OrderReport | CostReport, field: str
) -> None:
    hub = with_asset()
    assert [o for o in hub.say(report) if o.topic in EVENT_TOPICS] == []
    assert hub.dead[0].field == field


def as_said_by(system: str, report: Any) -> Any:
    return report.model_copy(update={"origin": report.origin.model_copy(update={"system": system})})


@pytest.mark.parametrize(
    "report", [as_said_by(AM, book("9")), as_said_by(AM, order("1", an_order())), as_said_by(ERP, cost())]
)
def test_a_document_from_a_system_that_does_not_own_it_is_refused(report: Any) -> None:
    hub = with_asset()
    assert [o for o in hub.say(report) if o.topic in EVENT_TOPICS] == []
    assert hub.dead[0].field == "origin.system"


# ---- orders and costs ------------------------------------------------------------------------------------------


def order_events(written: list[Any]) -> list[str]:
    return [v.name for v in (out.value for out in written) if isinstance(v, Typed) and isinstance(v.body, OrderEvent)]


def test_an_order_is_approved_once_and_changes_often() -> None:
    hub = Hub()
    assert order_events(hub.say(order("1", an_order(approval="DRAFT")))) == ["PoChanged"]
    assert order_events(hub.say(order("1", an_order()))) == ["PoApproved"]
    assert order_events(hub.say(order("1", an_order()))) == []
    assert order_events(hub.say(order("1", an_order(a_line("2", "700.00"))))) == ["PoChanged"]
    assert order_events(hub.say(order("1", an_order(approval="CANCELLED")))) == ["PoClosed"]


def cost_events(written: list[Any]) -> list[tuple[str, CostEvent]]:
    return [(v.name, v.body) for v in named(written, "CostPosted", "CostReversed") if isinstance(v.body, CostEvent)]


def test_a_cost_document_is_posted_once_and_never_changed() -> None:
    hub = Hub()
    [(name, event)] = cost_events(hub.say(cost("WO1")))
    assert (name, event.accepted.effective_date) == ("CostPosted", dt.date(2026, 11, 3))
    assert cost_events(hub.say(cost("WO1"))) == []
    assert cost_events(hub.say(cost("WO1", None, "99.00"))) == []
    assert "reversal" in (hub.dead[0].remedy or "")
    [state] = hub.rows(CostState).values()
    assert state.fields.total == Decimal("100.50")


def test_a_reversal_is_a_document_of_its_own() -> None:
    hub = Hub()
    hub.say(cost("WO1"))
    [(name, event)] = cost_events(hub.say(cost("WO1R", None, "-80.00", "-20.50", reversal_of="WO1")))
    assert name == "CostReversed"
    assert sum((s.fields.total for s in hub.rows(CostState).values()), Decimal(0)) == 0
    assert event.fields.reversal_of == "WO1"


def test_a_held_cost_is_posted_to_its_asset_when_the_asset_appears() -> None:
    hub = Hub()
    assert cost_events(hub.say(cost("WO1", "9"))) == []
    [(_, event)] = cost_events(hub.say(asset(AM, "9", tag="T")))
    assert event.asset_id == hub.the_asset().asset_id


def test_a_second_erp_is_told_apart() -> None:
    hub = Hub(landscape(sap="erp"))
    hub.say(asset("sap", "1", asset_number="A1", company="ONE"), asset(ERP, "1", asset_number="A1", company="TWO"))
    assert len(hub.rows(AssetState)) == 2


def test_t23_a_disposal_that_arrives_before_the_rest_is_not_undone_by_it() -> None:
    hub = Hub()
    gone = dt.date(2026, 10, 31)
    [(name, _)] = asset_events(
        hub.say(asset(ERP, "5", serial_number="S", disposal_date=gone, disposal_kind=DisposalKind.SALE))
    )
    assert name == "AssetRegistered"
    hub.say(asset(AM, "9", serial_number="S", location="L1", in_service_date=dt.date(2026, 1, 1)))
    hub.say(asset(ERP, "5", serial_number="S", asset_number="FA1", company="ACME"))  # read before it was disposed of
    state = hub.the_asset()
    assert (state.fields.disposal_date, state.fields.disposal_kind) == (gone, DisposalKind.SALE)
    assert (state.fields.asset_number, state.fields.location) == ("FA1", "L1")
    writes = [c for c in hub.commands[AM] if isinstance(c, WriteAsset)]
    assert writes[-1].fields.disposal_date == gone


def test_t23_a_stale_proposal_does_not_bring_a_disposed_asset_back() -> None:
    hub = Hub()
    pair(hub, {"in_service_date": dt.date(2026, 1, 1)}, {"disposal_date": dt.date(2026, 10, 31)})
    hub.say(asset(AM, "9", serial_number="S", disposal_date=dt.date(2027, 1, 1)))
    assert hub.the_asset().fields.disposal_date == dt.date(2026, 10, 31)
    assert conflicts(hub) == {("disposal_date", AM)}
