"""Which reports speak of the same thing; what is held, and what releases it."""

from __future__ import annotations

from typing import Any

import pytest
from tests.unit.processors.bench import (
    AM,
    ERP,
    Hub,
    asset,
    book,
    cost,
    decode,
    held,
    landscape,
    line,
    links,
    order,
    settled,
)
from tests.unit.processors.test_capitalise import an_order

from tieline.kernel.asset_records import AssetReport
from tieline.kernel.book_records import BookReport
from tieline.kernel.cost_records import CostReport
from tieline.kernel.errors import Rejected
from tieline.kernel.memory import HeldReport, LinkStatus, XRef
from tieline.kernel.records import Inbound, Outbound, Typed

IDENTIFIED = "hub.identified.report.v1"


def identified(written: list[Outbound]) -> list[tuple[str, str]]:
    """Kind and key of what was identified, in order."""
    found = []
    for out in written:
        if out.topic == IDENTIFIED:
            assert isinstance(out.value, bytes)
            assert isinstance(out.key, str)
            assert out.headers["tl_canonical_id"] == out.key
            found.append((decode(out.value).name, out.key))
    return found


def asset_with(native_id: str, fields: dict[str, Any]) -> AssetReport:
    return asset(AM, native_id, **fields)


def xref(hub: Hub, key: str) -> XRef:
    return hub.rows(XRef)[key]


def test_a_new_record_gets_an_id_of_its_own_and_keeps_it() -> None:
    hub = Hub()
    [(_, first)] = identified(hub.say(asset(AM, "1", tag="T1")))
    [(_, again)] = identified(hub.say(asset(AM, "1", tag="T2", location="L")))
    assert first == again
    row = xref(hub, "unio24/asset/1")
    assert (row.rule, row.status, row.match_keys) == ("minted", LinkStatus.LINKED, ("tag/T2",))


def test_the_report_goes_on_byte_for_byte_with_its_headers() -> None:
    hub = Hub()
    value = b'AssetReport\n{"origin": {"system": "unio24", "entity": "asset", "native_id": "1", "source_version": "",\n'
    value += b' "recorded_at": "2026-01-01T00:00:00Z"},   "fields": {}}'
    headers = (("ce_type", b"tieline.AssetReport"), ("ce_correlationid", b"c9"), ("secret", b"x"))
    stage = hub.stages["identify"]
    [out] = [
        o
        for o in stage.handle(Inbound("asset.asset.report.v1", 3, 41, b"unio24/1", value, headers))
        if o.topic == IDENTIFIED
    ]
    assert out.value == value
    assert out.headers["ce_type"] == b"tieline.AssetReport"
    assert out.headers["ce_correlationid"] == b"c9"
    assert out.headers["tl_origin_record"] == "asset.asset.report.v1/3/41"
    assert "secret" not in out.headers


@pytest.mark.parametrize(
    ("first", "second", "rule"),
    [
        (asset(ERP, "1", asset_number="FA1", company="ACME"), asset(AM, "9", asset_number="FA1"), "peer-number"),
        (asset(AM, "9", tag="T1"), asset(ERP, "1", tag="T1"), "peer-number"),
        (line("7/1"), asset(ERP, "1", po_line_ref="tryton/7/1"), "po-line"),
        (asset(AM, "9", serial_number="SN 1"), asset(ERP, "1", serial_number=" sn1"), "serial"),
    ],
)
def test_a_second_record_of_the_same_thing_is_recognised(first: AssetReport, second: AssetReport, rule: str) -> None:
    hub = Hub()
    hub.say(first, second)
    assert len(set(links(hub).values())) == 1
    assert xref(hub, f"{second.origin.system}/asset/{second.origin.native_id}").rule == rule


def test_the_id_that_a_record_carries_counts_before_every_other_key() -> None:
    hub = Hub()
    hub.say(asset(AM, "1", serial_number="S1"), asset(AM, "2", serial_number="S2"))
    wanted = links(hub)["unio24/asset/1"]
    hub.say(asset(ERP, "5", hub_ref=wanted, serial_number="S2"))
    assert (xref(hub, "tryton/asset/5").canonical_id, xref(hub, "tryton/asset/5").rule) == (wanted, "hub-ref")


def test_an_unknown_id_or_one_of_another_kind_is_ignored() -> None:
    hub = Hub()
    hub.say(order("PO1", an_order()))
    order_id = links(hub)["tryton/purchase-order/PO1"]
    hub.say(asset(AM, "1", hub_ref="0198-never-minted"), asset(AM, "2", hub_ref=order_id))
    assert {xref(hub, f"unio24/asset/{n}").rule for n in "12"} == {"minted"}
    assert links(hub)["unio24/asset/2"] != order_id


def test_identical_records_without_a_key_stay_as_many_things_as_they_are() -> None:
    hub = Hub()
    hub.say(*(asset(AM, str(n), description="Chair", location="Hall") for n in range(20)))
    assert len(set(links(hub).values())) == 20


def test_a_number_is_no_key_within_its_own_system() -> None:
    hub = Hub()
    hub.say(asset(AM, "1", tag="T1"), asset(AM, "2", tag="T1"))
    assert len(set(links(hub).values())) == 2
    assert held(hub) == {}


@pytest.mark.parametrize("key", [{"serial_number": "S1"}, {"po_line_ref": "tryton/7/1"}])
def test_a_surplus_copy_in_one_system_waits_for_a_person(key: dict[str, str]) -> None:
    hub = Hub()
    hub.say(asset_with("1", key))
    assert identified(hub.say(asset_with("2", key))) == []
    row = xref(hub, "unio24/asset/2")
    assert (row.status, row.canonical_id) == (LinkStatus.PROPOSED, links(hub)["unio24/asset/1"])
    waiting = hub.rows(HeldReport)["unio24/asset/2"]
    assert waiting.waits_for == "person"
    assert "record 1" in waiting.reason


def test_a_copied_reference_waits_for_a_person() -> None:
    hub = Hub()
    hub.say(asset(AM, "1"))
    hub.say(asset(AM, "2", hub_ref=links(hub)["unio24/asset/1"]))
    assert xref(hub, "unio24/asset/2").rule == "hub-ref"
    assert held(hub) == {"unio24/asset/2": "person"}


def test_a_number_that_two_records_of_one_system_carry_names_neither() -> None:
    hub = Hub()
    hub.say(asset(ERP, "1", asset_number="FA1", company="ACME"), asset(ERP, "2", asset_number="FA1", company="ACME"))
    assert len(identified(hub.say(asset(AM, "9", asset_number="FA1", company="ACME")))) == 1
    assert len(set(links(hub).values())) == 3
    assert xref(hub, "unio24/asset/9").rule == "minted"
    assert held(hub) == {}


def test_behind_an_ambiguous_number_the_next_key_counts() -> None:
    hub = Hub()
    hub.say(asset(ERP, "1", asset_number="FA1"), asset(ERP, "2", asset_number="FA1", serial_number="S2"))
    hub.say(asset(AM, "9", asset_number="FA1", serial_number="S2"))
    assert (xref(hub, "unio24/asset/9").canonical_id, xref(hub, "unio24/asset/9").rule) == (
        links(hub)["tryton/asset/2"],
        "serial",
    )


def test_a_second_record_with_a_taken_number_is_not_held_by_what_the_other_side_carries() -> None:
    hub = Hub()
    hub.say(asset(ERP, "1", asset_number="FA1"), asset(AM, "9", asset_number="FA1"))
    assert len(identified(hub.say(asset(ERP, "2", asset_number="FA1")))) == 1
    ids = links(hub)
    assert ids["tryton/asset/1"] == ids["unio24/asset/9"] != ids["tryton/asset/2"]
    assert held(hub) == {}


def test_a_number_that_fits_things_of_two_systems_waits_for_a_person() -> None:
    hub = Hub(landscape(other="asset-management"))
    hub.say(asset(AM, "1", tag="T", serial_number="S1"), asset("other", "2", serial_number="S2"))
    hub.say(asset("other", "2", tag="T", serial_number="S2"))
    assert identified(hub.say(asset(ERP, "5", tag="T"))) == []
    assert xref(hub, "tryton/asset/5").status is LinkStatus.PROPOSED
    assert "fits 2 assets" in hub.rows(HeldReport)["tryton/asset/5"].reason


def test_a_newer_report_replaces_the_held_one_and_keeps_its_place() -> None:
    hub = Hub()
    hub.say(asset(AM, "1", serial_number="S"), asset(AM, "2", serial_number="S", location="old"))
    before = hub.rows(HeldReport)["unio24/asset/2"]
    hub.say(asset(AM, "2", serial_number="S", location="new"))
    after = hub.rows(HeldReport)["unio24/asset/2"]
    assert after.since == before.since
    assert after.offset > before.offset
    assert b"new" in after.value


def test_a_surplus_copy_that_is_corrected_becomes_a_thing_of_its_own() -> None:
    hub = Hub()
    hub.say(asset(AM, "1", serial_number="S"), asset(AM, "2", serial_number="S"))
    assert len(identified(hub.say(asset(AM, "2", serial_number="S2")))) == 1
    assert held(hub) == {}
    assert len(set(links(hub).values())) == 2


def test_two_things_that_turn_out_to_be_one_stay_two_for_a_person_to_merge() -> None:
    hub = Hub()
    hub.say(asset(AM, "1", tag="T"), asset(ERP, "5", asset_number="FA"))
    before = links(hub)
    assert len(identified(hub.say(asset(ERP, "5", asset_number="FA", tag="T")))) == 1
    assert links(hub) == before
    assert held(hub) == {}


# ---- results ---------------------------------------------------------------------------------------------------


def test_a_result_links_what_the_target_made_before_its_report_comes() -> None:
    hub = Hub()
    hub.say(asset(AM, "1", location="L"))
    thing = links(hub)["unio24/asset/1"]
    hub.say(settled(ERP, thing, "77"))
    assert (xref(hub, "tryton/asset/77").canonical_id, xref(hub, "tryton/asset/77").rule) == (thing, "result")
    assert identified(hub.say(asset(ERP, "77", asset_number="FA1"))) == [("AssetReport", thing)]


@pytest.mark.parametrize("outcome", ["REJECTED", "SUPERSEDED", "UNKNOWN"])
def test_only_a_confirmed_result_links(outcome: str) -> None:
    hub = Hub()
    hub.say(asset(AM, "1"))
    hub.say(settled(ERP, links(hub)["unio24/asset/1"], "77", outcome=outcome))
    assert "tryton/asset/77" not in links(hub)


def test_a_result_is_authoritative_over_an_earlier_link_of_that_system() -> None:
    hub = Hub()
    hub.say(asset(AM, "1", serial_number="S"), asset(ERP, "55", serial_number="S"))
    hub.say(asset(ERP, "77", serial_number="S"))  # a surplus copy, as far as anybody can tell
    thing = links(hub)["unio24/asset/1"]
    written = hub.say(settled(ERP, thing, "77"))
    assert identified(written) == [("AssetReport", thing)], "the held report is not lost"
    assert xref(hub, "tryton/asset/77").status is LinkStatus.LINKED
    assert xref(hub, "tryton/asset/55").status is LinkStatus.RETIRED
    assert held(hub) == {}
    hub.say(asset(ERP, "55", serial_number="S", location="here"))
    assert held(hub) == {"tryton/asset/55": "person"}, "what gave its place is not made a thing of its own"


def test_a_record_that_gave_its_place_is_remembered_without_any_key() -> None:
    hub = Hub()
    hub.say(asset(AM, "1"))
    thing = links(hub)["unio24/asset/1"]
    for native_id in ("55", "77", "88"):
        hub.say(settled(ERP, thing, native_id))
    standing = {n: xref(hub, f"tryton/asset/{n}").status for n in ("55", "77", "88")}
    assert standing == {"55": LinkStatus.RETIRED, "77": LinkStatus.RETIRED, "88": LinkStatus.LINKED}
    assert identified(hub.say(asset(ERP, "55", location="here"))) == []
    assert held(hub) == {"tryton/asset/55": "person"}
    assert xref(hub, "tryton/asset/55").canonical_id == thing


def test_a_result_for_a_record_that_is_another_thing_is_refused() -> None:
    hub = Hub()
    hub.say(asset(AM, "1"), asset(ERP, "77"))
    before = hub.memory()
    hub.say(settled(ERP, links(hub)["unio24/asset/1"], "77"))
    assert hub.memory() == before
    assert "is " + links(hub)["tryton/asset/77"] in str(hub.dead[0])


def test_a_result_for_an_id_nobody_minted_is_refused() -> None:
    hub = Hub()
    hub.say(settled(ERP, "0198-invented", "77"))
    assert links(hub) == {}
    assert hub.dead[0].field == "canonical_id"


def test_the_result_of_a_removal_links_nothing() -> None:
    hub = Hub()
    hub.say(asset(AM, "1", serial_number="S"), asset(AM, "2", serial_number="S"))
    hub.say(settled(AM, "2", "2"))
    assert xref(hub, "unio24/asset/2").status is LinkStatus.PROPOSED
    hub.say(asset(AM, "2", deleted=True))
    assert xref(hub, "unio24/asset/2").status is LinkStatus.RETIRED
    assert held(hub) == {}
    assert hub.dead == []


def test_a_cost_document_is_linked_to_what_it_became_in_the_target() -> None:
    hub = Hub()
    hub.say(cost("WO1"))
    document = links(hub)["unio24/cost-document/WO1"]
    hub.say(settled(ERP, document, "M5", entity="cost-document"))
    assert links(hub)["tryton/cost-document/M5"] == document


def test_a_result_of_a_book_links_nothing() -> None:
    hub = Hub()
    hub.say(asset(ERP, "5"))
    before = links(hub)
    hub.say(settled(AM, before["tryton/asset/5"], "9", entity="book"))
    assert links(hub) == before


# ---- deletions -------------------------------------------------------------------------------------------------


def test_the_deletion_of_an_unknown_record_makes_nothing() -> None:
    hub = Hub()
    assert hub.say(asset(AM, "1", deleted=True)) == []
    assert hub.memory() == Hub().memory()


def test_the_deletion_of_a_linked_record_goes_on() -> None:
    hub = Hub()
    hub.say(asset(AM, "1"))
    assert len(identified(hub.say(asset(AM, "1", deleted=True)))) == 1


# ---- what depends on an asset ----------------------------------------------------------------------------------


def test_books_and_costs_wait_for_their_asset_and_follow_it_in_order() -> None:
    hub = Hub()
    hub.say(cost("WO2", "1"), cost("WO1", "1"))
    assert held(hub) == dict.fromkeys(("unio24/cost-document/WO2", "unio24/cost-document/WO1"), "unio24/asset/1")
    written = hub.say(asset(AM, "1", tag="T"))
    ids = links(hub)
    assert identified(written) == [
        ("AssetReport", ids["unio24/asset/1"]),
        ("CostReport", ids["unio24/cost-document/WO2"]),
        ("CostReport", ids["unio24/cost-document/WO1"]),
    ]
    costs = [o for o in written if o.topic == IDENTIFIED][1:]
    assert {o.headers["tl_asset_id"] for o in costs} == {ids["unio24/asset/1"]}
    assert held(hub) == {}


def test_a_book_travels_under_its_assets_id() -> None:
    hub = Hub()
    hub.say(book("5"))
    assert held(hub) == {"tryton/book/5|main": "tryton/asset/5"}
    written = hub.say(asset(ERP, "5"))
    assert {key for _, key in identified(written)} == {links(hub)["tryton/asset/5"]}
    assert [name for name, _ in identified(written)] == ["AssetReport", "BookReport"]


def test_a_result_releases_what_waits_for_the_record_it_links() -> None:
    hub = Hub()
    hub.say(asset(AM, "1"), book("77"))
    thing = links(hub)["unio24/asset/1"]
    assert identified(hub.say(settled(ERP, thing, "77"))) == [("BookReport", thing)]


def test_what_depends_on_a_proposed_record_waits_as_well() -> None:
    hub = Hub()
    hub.say(asset(AM, "1", serial_number="S"), asset(AM, "2", serial_number="S"), cost("WO1", "2"))
    assert held(hub) == {"unio24/asset/2": "person", "unio24/cost-document/WO1": "unio24/asset/2"}


def test_a_held_cost_that_is_corrected_goes_on_and_is_held_no_more() -> None:
    hub = Hub()
    hub.say(cost("WO1", "unknown"))
    assert len(identified(hub.say(cost("WO1")))) == 1
    assert held(hub) == {}


def test_a_cost_document_without_an_asset_goes_straight_on() -> None:
    hub = Hub()
    written = hub.say(cost("WO1"))
    [out] = [o for o in written if o.topic == IDENTIFIED]
    assert "tl_asset_id" not in out.headers


def test_the_same_report_again_changes_nothing_but_goes_on_again() -> None:
    hub = Hub()
    reports = (asset(AM, "1", serial_number="S"), asset(AM, "2", serial_number="S"), cost("WO", "1"), cost("WO9", "x"))
    hub.say(*reports)
    before = hub.memory()
    written = hub.say(*reports)
    assert hub.memory() == before
    assert [name for name, _ in identified(written)] == ["AssetReport", "CostReport"]
    assert [o for o in written if o.topic.endswith(".state.v1")] == []


@pytest.mark.parametrize(
    "report",
    [
        asset(AM, "1", entity="gadget"),
        book("5").model_copy(update={"origin": asset(ERP, "5").origin}),
        cost().model_copy(update={"origin": asset(AM, "5").origin}),
    ],
)
def test_a_report_under_a_wrong_entity_is_refused(report: AssetReport | BookReport | CostReport) -> None:
    hub = Hub()
    hub.say(report)
    assert [rejection.field for rejection in hub.dead] == ["origin.entity"]
    assert hub.memory() == Hub().memory()


def test_something_else_on_a_report_topic_is_refused() -> None:
    hub = Hub()
    stage = hub.stages["identify"]
    with pytest.raises(Rejected, match="is not a report"):
        list(stage.processor.handle(Inbound("asset.asset.report.v1", 0, 0, b"", b""), Typed("Money", an_order())))


def test_links_and_holds_survive_a_restart() -> None:
    hub = Hub()
    hub.say(asset(AM, "1", serial_number="S"), cost("WO1", "2"), asset(AM, "3", serial_number="S"))
    again = Hub()
    for kind in (XRef, HeldReport):
        for key, row in hub.rows(kind).items():
            again.stages["identify"].table(kind).load(key, row)
    assert identified(again.say(asset(ERP, "9", serial_number="S"))) == [("AssetReport", links(hub)["unio24/asset/1"])]
    assert ("CostReport", links(hub)["unio24/cost-document/WO1"]) in identified(again.say(asset(AM, "2")))


def test_a_refused_record_leaves_no_trace_in_the_indexes() -> None:
    hub = Hub()
    hub.say(asset(AM, "1", serial_number="S"))
    stage = hub.stages["identify"]
    record = Inbound("asset.asset.report.v1", 0, 9, b"", b"x")
    list(stage.processor.handle(record, Typed("AssetReport", asset(ERP, "5", serial_number="S", tag="T"))))
    for table in stage.processor.tables:
        table.drop_record()
    hub.say(asset(AM, "2", tag="T"))
    assert len(set(links(hub).values())) == 2
    assert "tryton/asset/5" not in links(hub)
