"""T29: equipment and fixed assets are many to many; costs and disposals fall on the right ones."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.unit.processors.bench import AM, ERP, Hub, asset, cost, euros, held, links, named, origin

from tieline.kernel.asset_records import AssetReport, AssetState, DisposalKind, PhysicalStatus
from tieline.kernel.command_records import PostCost
from tieline.kernel.cost_records import CostEvent, CostState
from tieline.kernel.currencies import split_by_share
from tieline.kernel.equipment_records import EquipmentLinkFields, EquipmentLinkReport, PartialDisposalProposed
from tieline.views.costs import cost_entries

JANUARY, MARCH = dt.date(2026, 1, 1), dt.date(2026, 3, 15)
COMPONENTS = ("11", "12", "13")


def link(native_id: str, asset_native_id: str, equipment: str = "9", **values: Any) -> EquipmentLinkReport:
    shipped: dict[str, Any] = {
        "equipment_native_id": equipment,
        "asset_system": ERP,
        "asset_native_id": asset_native_id,
        "share_part": 1,
        "share_whole": 3,
        "valid_from": JANUARY,
    }
    return EquipmentLinkReport(
        origin=origin(AM, "equipment-link", native_id), fields=EquipmentLinkFields(**(shipped | values))
    )


def machine() -> Hub:
    """One machine of asset management that is three component assets in the books, a third each."""
    hub = Hub()
    hub.say(asset(AM, "9", serial_number="M", company="ACME"))
    hub.say(*(asset(ERP, number, asset_number=f"FA{number}", company="ACME") for number in COMPONENTS))
    hub.say(*(link(f"L{number}", number) for number in COMPONENTS))
    assert hub.dead == []
    return hub


def collective() -> Hub:
    """Forty laptops, each a record of asset management, of which the first is known as the collective asset itself."""
    hub = Hub()
    hub.say(asset(ERP, "50", serial_number="S1", asset_number="FA50", company="ACME", quantity=Decimal(40)))
    hub.say(*(asset(AM, str(n), serial_number=f"S{n}", company="ACME") for n in range(1, 41)))
    hub.say(*(link(f"K{n}", "50", str(n), share_whole=1, quantity=Decimal(1)) for n in range(1, 41)))
    assert hub.dead == []
    return hub


def of(hub: Hub, native_id: str, system: str = ERP) -> str:
    return links(hub)[f"{system}/asset/{native_id}"]


def posted(hub: Hub) -> list[CostEvent]:
    found = [value.body for value in named(hub.written, "CostPosted", "CostReversed")]
    return [body for body in found if isinstance(body, CostEvent)]


def proposals(hub: Hub) -> list[PartialDisposalProposed]:
    found = [value.body for value in named(hub.written, "PartialDisposalProposed")]
    return [body for body in found if isinstance(body, PartialDisposalProposed)]


# ---- costs -----------------------------------------------------------------------------------------------------


def test_t29_a_cost_of_one_machine_is_borne_by_its_three_assets_to_the_cent() -> None:
    hub = machine()
    hub.say(cost("WO1", "9", "100.00"))
    [event] = posted(hub)
    by_asset = {share.asset_id: share.amount for share in event.shares}
    first, *others = sorted(of(hub, number) for number in COMPONENTS)
    assert by_asset[first] == euros("33.34")
    assert [by_asset[other] for other in others] == [euros("33.33"), euros("33.33")]
    [state] = hub.rows(CostState).values()
    assert state.shares == event.shares
    [command] = [c for c in hub.commands[ERP] if isinstance(c, PostCost)]
    assert command.fields.total == Decimal("100.00"), "the document is posted once, as a whole"
    assert command.asset_number is None


def test_t29_a_document_of_several_assets_names_no_single_one() -> None:
    hub = Hub()
    hub.say(asset(AM, "9", serial_number="M"), asset(ERP, "11", serial_number="M", asset_number="FA11"))
    hub.say(asset(ERP, "12", asset_number="FA12"), link("L11", "11"), link("L12", "12", share_part=2))
    assert of(hub, "11") == of(hub, "9", AM)
    hub.say(cost("WO1", "9", "90.00"))
    assert sorted(share.amount.amount for share in posted(hub)[0].shares) == [Decimal("30.00"), Decimal("60.00")]
    [command] = [c for c in hub.commands[ERP] if isinstance(c, PostCost)]
    assert command.asset_number is None, "FA11 bears a third of it only"


def test_t29_the_roll_up_has_each_asset_s_own_part() -> None:
    hub = machine()
    hub.say(cost("WO1", "9", "100.00"))
    entries = cost_entries(posted(hub)[0])
    assert {entry["asset_id"] for entry in entries.values()} == {of(hub, number) for number in COMPONENTS}
    assert sorted(entry["amount"] for entry in entries.values()) == ["33.33", "33.33", "33.34"]


def test_t29_a_reversal_takes_back_each_asset_s_part_although_the_links_changed() -> None:
    hub = machine()
    hub.say(cost("WO1", "9", "100.00"))
    hub.say(link("L11", "11", valid_to=MARCH, share_part=1, share_whole=3))
    hub.say(cost("WO2", "9", "-100.00", reversal_of="WO1"))
    original, reversal = posted(hub)
    assert [(s.asset_id, -s.amount.amount) for s in reversal.shares] == [
        (s.asset_id, s.amount.amount) for s in original.shares
    ]


def test_t29_links_count_on_the_day_of_the_work() -> None:
    hub = machine()
    hub.say(link("L11", "11", valid_to=MARCH))
    hub.say(cost("WO1", "9", "90.00", effective_date=MARCH))
    hub.say(cost("WO2", "9", "90.00", effective_date=MARCH + dt.timedelta(days=1)))
    before, after = posted(hub)
    assert {share.asset_id for share in before.shares} == {of(hub, number) for number in COMPONENTS}
    own = of(hub, "9", AM)
    assert {share.asset_id for share in after.shares} == {own, of(hub, "12"), of(hub, "13")}
    assert {share.amount.amount for share in after.shares} == {Decimal("30.00")}, "what no link covers stays its own"


def test_t29_what_a_laptop_costs_is_the_collective_asset_s() -> None:
    hub = collective()
    hub.say(cost("WO1", "7", "80.00"))
    [event] = posted(hub)
    assert (event.asset_id, event.shares) == (of(hub, "50"), ())
    [command] = [c for c in hub.commands[ERP] if isinstance(c, PostCost)]
    assert command.asset_number == "FA50"


@given(
    st.decimals(-(10**6), 10**6, places=2),
    st.lists(st.integers(1, 1000), min_size=1, max_size=7),
    st.sampled_from(["EUR", "JPY", "KWD"]),
)
def test_t29_the_parts_add_up_and_none_is_a_minor_unit_off(total: Decimal, weights: list[int], currency: str) -> None:
    total = total.quantize(Decimal(1)) if currency == "JPY" else total
    parts = {f"a{n}": Fraction(weight, sum(weights)) for n, weight in enumerate(weights)}
    amounts = split_by_share(total, parts, currency)
    unit = {"EUR": Decimal("0.01"), "JPY": Decimal(1), "KWD": Decimal("0.001")}[currency]
    assert sum(amounts.values()) == total
    assert all(amount % unit == 0 for amount in amounts.values())
    assert all(abs(Fraction(amounts[name]) - Fraction(total) * part) < Fraction(unit) for name, part in parts.items())
    assert {name: -amount for name, amount in split_by_share(-total, parts, currency).items()} == amounts


# ---- links -----------------------------------------------------------------------------------------------------


def test_t29_shares_of_one_day_never_exceed_the_whole() -> None:
    hub = machine()
    hub.say(asset(ERP, "14", asset_number="FA14", company="ACME"))
    hub.say(link("L14", "14", share_part=1, share_whole=100))
    [rejection] = hub.dead
    assert rejection.field == "fields.share_part"
    assert "103/100" not in str(rejection)
    assert "101/100" in str(rejection)
    assert "L11" in (rejection.remedy or "")
    hub.say(link("L11", "11", valid_to=MARCH))
    hub.say(link("L14", "14", valid_from=MARCH + dt.timedelta(days=1)))
    assert len(hub.dead) == 1, "on no day do they exceed it"
    hub.say(link("L11", "11"))
    assert len(hub.dead) == 2, "nor may a change of an older link make them"


@pytest.mark.parametrize(
    ("values", "field"),
    [
        ({"share_part": 0}, "fields.share_part"),
        ({"share_part": 4}, "fields.share_part"),
        ({"quantity": Decimal(0)}, "fields.quantity"),
        ({"valid_to": JANUARY - dt.timedelta(days=1)}, "fields.valid_to"),
    ],
)
def test_a_link_that_cannot_be_is_refused_with_the_field(values: dict[str, Any], field: str) -> None:
    hub = Hub()
    hub.say(asset(AM, "9", serial_number="M"), asset(ERP, "11", asset_number="FA11"), link("L1", "11", **values))
    assert [(rejection.field, rejection.remedy is not None) for rejection in hub.dead] == [(field, True)]


def test_equipment_is_asset_management_s_to_link() -> None:
    hub = Hub()
    said = link("L1", "11")
    hub.say(asset(ERP, "9", serial_number="M"), asset(ERP, "11", asset_number="FA11"))
    hub.say(said.model_copy(update={"origin": origin(ERP, "equipment-link", "L1")}))
    assert [rejection.field for rejection in hub.dead] == ["origin.system"]


def test_an_older_word_on_a_link_changes_nothing() -> None:
    hub = machine()
    old = link("L11", "11", share_whole=30)
    earlier = old.origin.model_copy(update={"recorded_at": old.origin.recorded_at - dt.timedelta(days=1)})
    before = len(hub.written)
    hub.say(old.model_copy(update={"origin": earlier}))
    assert named(hub.written[before:], "EquipmentLinkChanged") == []


@given(st.permutations([0, 1, 2]))
def test_a_link_waits_for_equipment_and_asset_in_any_order(order: list[int]) -> None:
    hub = Hub()
    told: list[AssetReport | EquipmentLinkReport] = [
        asset(AM, "9", serial_number="M"),
        asset(ERP, "11", asset_number="FA11"),
        link("L1", "11"),
    ]
    hub.say(*(told[place] for place in order))
    assert held(hub) == {}
    assert hub.dead == []
    [event] = [value.body.model_dump() for value in named(hub.written, "EquipmentLinked")]
    assert (event["equipment_id"], event["asset_id"]) == (of(hub, "9", AM), of(hub, "11"))


# ---- disposals -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("laptop", ["7", "1"])
def test_t29_a_laptop_that_leaves_is_one_unit_of_the_collective_asset(laptop: str) -> None:
    hub = collective()
    fields: dict[str, Any] = {
        "physical_status": PhysicalStatus.RETIRED,
        "disposal_date": MARCH,
        "disposal_kind": DisposalKind.SCRAP,
    }
    gone = asset(AM, laptop, serial_number=f"S{laptop}", company="ACME", **fields)
    hub.say(gone, gone)
    [proposal] = proposals(hub)
    assert (proposal.asset_id, proposal.quantity, proposal.asset_quantity) == (of(hub, "50"), Decimal(1), Decimal(40))
    assert (proposal.accepted.effective_date, proposal.kind) == (MARCH, DisposalKind.SCRAP)
    whole = hub.rows(AssetState)[of(hub, "50")].fields
    assert (whole.disposal_date, whole.physical_status, whole.quantity) == (None, None, Decimal(40))
    disposed = [value.body.model_dump()["asset_id"] for value in named(hub.written, "AssetDisposed")]
    assert of(hub, "50") not in disposed


def test_t29_the_last_laptop_is_proposed_as_the_others_were() -> None:
    hub = collective()
    hub.say(asset(ERP, "50", serial_number="S1", asset_number="FA50", company="ACME", quantity=Decimal(1)))
    hub.say(asset(AM, "7", serial_number="S7", company="ACME", physical_status=PhysicalStatus.RETIRED))
    [proposal] = proposals(hub)
    assert (proposal.quantity, proposal.asset_quantity) == (Decimal(1), Decimal(1))


def test_t29_the_last_units_that_are_all_of_an_asset_dispose_of_it() -> None:
    hub = Hub()
    hub.say(
        asset(ERP, "50", serial_number="S1", asset_number="FA50", quantity=Decimal(2)),
        asset(AM, "1", serial_number="S1"),
        link("K1", "50", "1", share_whole=1, quantity=Decimal(2)),
        asset(AM, "1", serial_number="S1", physical_status=PhysicalStatus.RETIRED, disposal_date=MARCH),
    )
    assert proposals(hub) == []
    assert hub.the_asset().fields.disposal_date == MARCH
