"""Reference records: whose word they are, how they are kept, and what they decide about assets."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import given, settings
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
    landscape,
    links,
    named,
)

from tieline.kernel.asset_records import AssetReport
from tieline.kernel.command_records import WriteAsset
from tieline.kernel.cost_records import CostState
from tieline.kernel.landscape import Landscape
from tieline.kernel.memory import Conflict, PeriodHold
from tieline.kernel.privacy import Custodians
from tieline.kernel.records import Outbound, Typed
from tieline.kernel.reference_records import (
    ReferenceEvent,
    ReferenceFields,
    ReferenceReport,
    ReferenceState,
    ReferenceStatus,
)
from tieline.kernel.removed_records import RemovedReference
from tieline.kernel.vocabulary import Origin

HRIS = "hris"
NOBODY = "p-" + "0" * 32
ANN = Custodians("k" * 32).opaque("Ann Example")


def estate(references: Mapping[str, object] | None = None, **more: object) -> Landscape:
    """The bench's estate with an HR system (its role owns no reference family), and its reference settings."""
    plain = landscape(hris="asset-management").model_dump(mode="json")
    return Landscape.model_validate({**plain, "references": references or {}, **more})


def at(day: int, hour: int = 8, month: int = 11) -> dt.datetime:
    return dt.datetime(2026, month, day, hour, tzinfo=dt.UTC)


def record(  # any field of the record
    code: str = "CC2",
    *,
    family: str = "cost-centre",
    system: str = ERP,
    native_id: str | None = None,
    recorded_at: dt.datetime | None = None,
    deleted: bool = False,
    status: str = "ACTIVE",
    **fields: Any,
) -> ReferenceReport:
    origin = Origin(
        system=system,
        entity=family,
        native_id=native_id or code,
        source_version="1",
        recorded_at=recorded_at or at(1),
    )
    values = {"code": code, "company": "ACME", "status": ReferenceStatus(status)} | fields
    return ReferenceReport(origin=origin, fields=ReferenceFields(**values), deleted=deleted)


def employee(code: str = ANN, **fields: Any) -> ReferenceReport:
    return record(code, family="employee", system=HRIS, **fields)


def on(day: int, system: str = AM, **fields: Any) -> AssetReport:
    """What a system recorded of the asset on a day of November 2026."""
    report = asset(system, "9" if system == AM else "5", serial_number="S", **fields)
    return report.model_copy(update={"origin": report.origin.model_copy(update={"recorded_at": at(day)})})


def standing(references: Mapping[str, object] | None = None) -> Hub:
    """An asset of ACME in the books, in cost centre CC1."""
    hub = Hub(estate(references))
    hub.say(
        on(1, location="L1", cost_centre="CC1"),
        on(1, ERP, asset_number="A1", company="ACME", cost_centre="CC1"),
        on(1, location="L1", cost_centre="CC1"),  # it holds what the ERP says: a move from here on follows it
        book("5"),
    )
    return hub


def states(hub: Hub, family: str = "cost-centre") -> dict[str, ReferenceState]:
    [table] = [t for t in hub.stages["accept"].processor.tables if t.topic == f"reference.{family}.state.v1"]
    return dict(table.items())


def reference_events(written: list[Outbound]) -> list[tuple[str, ReferenceEvent]]:
    names = ("ReferenceAdded", "ReferenceChanged", "ReferenceRemoved")
    return [(v.name, v.body) for v in named(written, *names) if isinstance(v.body, ReferenceEvent)]


def centre_of(hub: Hub) -> str | None:
    return hub.the_asset().fields.cost_centre


def the_conflict(hub: Hub) -> Conflict:
    [row] = hub.rows(Conflict).values()
    return row


# ---- how records are kept --------------------------------------------------------------------------------------


def test_a_record_stands_under_its_company_and_code_and_each_change_is_an_event() -> None:
    hub = Hub()
    written = hub.say(record(name="Workshop"), record(name="Workshop 2", recorded_at=at(2)))
    [(first, added), (second, changed)] = reference_events(written)
    assert (first, added.reference_id, added.fields.name) == ("ReferenceAdded", "ACME|CC2", "Workshop")
    assert (second, changed.accepted.version, changed.accepted.changed_fields) == ("ReferenceChanged", 2, ("name",))
    assert {out.topic for out in written if out.topic.startswith("reference.")} == {
        "reference.cost-centre.event.v1",
        "reference.cost-centre.state.v1",
    }
    state = states(hub)["ACME|CC2"]
    assert (state.version, state.origin_system, [r.fields.name for r in state.records]) == (2, ERP, ["Workshop 2"])


@pytest.mark.parametrize("family", ["cost-centre", "location", "supplier", "asset-class", "gl-account", "employee"])
def test_every_family_has_its_own_topics(family: str) -> None:
    hub = Hub(estate({"owners": {"employee": HRIS}}))
    owner = {"location": AM, "employee": HRIS}.get(family, ERP)
    written = hub.say(record("X1", family=family, system=owner))
    assert [out.topic for out in written if out.topic.startswith("reference.")] == [
        f"reference.{family}.event.v1",
        f"reference.{family}.state.v1",
    ]
    assert set(states(hub, family)) == {"ACME|X1"}
    assert states(hub, "cost-centre" if family != "cost-centre" else "location") == {}


def test_an_older_word_never_replaces_a_newer_one() -> None:
    hub = Hub()
    hub.say(record(status="LOCKED", recorded_at=at(5)))
    assert reference_events(hub.say(record(status="ACTIVE", recorded_at=at(4)))) == []
    assert states(hub)["ACME|CC2"].records[0].fields.status is ReferenceStatus.LOCKED


def test_an_unchanged_word_is_no_event_but_makes_older_ones_older() -> None:
    hub = Hub()
    hub.say(record(recorded_at=at(1)))
    assert reference_events(hub.say(record(recorded_at=at(6)))) == []
    assert reference_events(hub.say(record(status="CLOSED", recorded_at=at(5)))) == []


def test_a_system_may_keep_one_record_for_each_span_of_days() -> None:
    hub = Hub()
    july = dt.date(2026, 7, 1)
    hub.say(
        record(native_id="2", name="New", valid_from=july, recorded_at=at(2)),
        record(native_id="1", name="Old", valid_to=dt.date(2026, 6, 30), recorded_at=at(3)),
    )
    state = states(hub)["ACME|CC2"]
    names = [found.name if (found := state.on(day)) else None for day in (dt.date(2026, 6, 30), july)]
    assert names == ["Old", "New"]


def test_a_code_that_ended_holds_on_no_later_day() -> None:
    hub = Hub()
    hub.say(record(), record(valid_to=dt.date(2026, 6, 30), recorded_at=at(2)))
    state = states(hub)["ACME|CC2"]
    assert (state.on(dt.date(2026, 6, 30)) is None, state.on(dt.date(2026, 7, 1))) == (False, None)


def test_a_record_that_was_given_another_code_stands_under_the_old_one_no_more() -> None:
    hub = Hub()
    hub.say(record("CC2", native_id="7"))
    written = hub.say(record("CC9", native_id="7", recorded_at=at(2)))
    assert [name for name, _ in reference_events(written)] == ["ReferenceRemoved", "ReferenceAdded"]
    assert set(states(hub)) == {"ACME|CC9"}
    hub.say(record("CC2", native_id="7", recorded_at=at(1)))
    assert set(states(hub)) == {"ACME|CC9"}, "its older word is still older"


WORDS = [
    record("CC2", native_id="1", valid_to=dt.date(2026, 6, 30), recorded_at=at(1)),
    record("CC2", native_id="1", status="LOCKED", recorded_at=at(2)),
    record("CC9", native_id="1", recorded_at=at(3)),
    record("CC2", native_id="2", valid_from=dt.date(2026, 7, 1), recorded_at=at(2)),
    record("CC2", native_id="2", valid_from=dt.date(2026, 7, 1), status="CLOSED", recorded_at=at(4)),
]


@settings(max_examples=60, deadline=None)
@given(st.permutations(WORDS), st.lists(st.sampled_from(WORDS), max_size=3))
def test_whatever_the_order_and_the_repetitions_the_last_word_of_each_record_stands(
    told: list[ReferenceReport], again: list[ReferenceReport]
) -> None:
    hub = Hub()
    hub.say(*told, *again)
    records = {key: [(one.native_id, one.fields.status) for one in row.records] for key, row in states(hub).items()}
    assert records == {"ACME|CC9": [("1", "ACTIVE")], "ACME|CC2": [("2", "CLOSED")]}


def test_a_code_goes_by_what_the_landscape_says_it_means() -> None:
    lists = {
        "cost-centre": {
            ERP: [
                {"code": "4711", "means": "IT", "valid_to": "2026-06-30"},
                {"code": "4711", "means": "WORKSHOP", "valid_from": "2026-07-01"},
                {"code": "47", "means": "ALL"},
            ]
        }
    }
    hub = Hub(estate(None, code_lists=lists))
    hub.say(
        record("4711", native_id="a", parent="47", valid_to=dt.date(2026, 6, 30)),
        record("4711", native_id="b", parent="47", valid_from=dt.date(2026, 7, 1)),
        record("4712"),
    )
    assert {key: state.records[0].fields.parent for key, state in states(hub).items()} == {
        "ACME|IT": "ALL",
        "ACME|WORKSHOP": "ALL",
    }
    [refused] = hub.dead
    assert refused.field == "fields.code"
    assert "code_lists.cost-centre.tryton" in str(refused.remedy)


def test_a_record_of_the_future_has_the_code_of_its_first_day() -> None:
    lists = {"cost-centre": {ERP: [{"code": "4711", "means": "IT", "valid_from": "2027-01-01"}]}}
    hub = Hub(estate(None, code_lists=lists))
    hub.say(record("4711", valid_from=dt.date(2027, 1, 1)))
    assert set(states(hub)) == {"ACME|IT"}


def test_a_system_the_landscape_does_not_have_is_refused() -> None:
    hub = Hub()
    hub.say(record(system="ghost"))
    assert ["not in the landscape" in str(refused) for refused in hub.dead] == [True]
    assert hub.rows(Conflict) == {}


def test_a_kind_that_is_no_family_is_refused() -> None:
    hub = Hub()
    report = record()
    wrong = report.model_copy(update={"origin": report.origin.model_copy(update={"entity": "x"})})
    hub._pass_on(Outbound("reference.cost-centre.report.v1", "tryton/x", Typed("ReferenceReport", wrong)))
    hub.rest()
    [refused] = hub.dead
    assert (refused.field, "'x' is not" in str(refused)) == ("origin.entity", True)


# ---- whose word they are ---------------------------------------------------------------------------------------


def test_another_systems_word_is_a_conflict_and_changes_nothing() -> None:
    hub = Hub()
    hub.say(record(status="ACTIVE"))
    before = states(hub)
    assert reference_events(hub.say(record(status="CLOSED", system=AM, recorded_at=at(9)))) == []
    assert states(hub) == before
    row = the_conflict(hub)
    assert (row.canonical_id, row.field, row.owner, row.system) == ("cost-centre/ACME|CC2", "status", ERP, AM)
    assert (row.owned_value, row.foreign_value) == ("ACTIVE", "CLOSED")
    assert "references.owners.cost-centre" in str(row.remedy)
    hub.say(record(status="ACTIVE", system=AM, recorded_at=at(9)))
    assert hub.rows(Conflict) == {}, "they agree again"


def test_a_conflict_ends_when_the_owner_says_the_same_and_follows_when_it_says_something_else() -> None:
    hub = Hub()
    hub.say(record(status="ACTIVE"), record(status="CLOSED", system=AM))
    hub.say(record(status="LOCKED", recorded_at=at(2)))
    assert the_conflict(hub).owned_value == "LOCKED"
    hub.say(record(status="CLOSED", recorded_at=at(3)))
    assert hub.rows(Conflict) == {}


def test_what_only_another_system_says_is_visible_and_not_taken() -> None:
    hub = Hub()
    hub.say(record("L1", family="location", system=ERP, name="Hall"))
    assert states(hub, "location") == {}
    assert {(row.field, row.owner) for row in hub.rows(Conflict).values()} == {("name", AM), ("status", AM)}


def test_the_landscape_may_name_the_owner_of_a_family() -> None:
    hub = Hub(estate({"owners": {"location": ERP}}))
    hub.say(record("L1", family="location", system=ERP), record("L1", family="location", system=AM, name="Hall"))
    assert states(hub, "location")["ACME|L1"].origin_system == ERP
    assert [(row.field, row.system) for row in hub.rows(Conflict).values()] == [("name", AM)]


def test_of_two_systems_of_the_role_a_code_is_the_firsts() -> None:
    hub = Hub(landscape(second="erp"))
    hub.say(record(name="First"), record(name="Second", system="second", recorded_at=at(9)))
    assert states(hub)["ACME|CC2"].records[0].fields.name == "First"
    assert {(row.field, row.owner, row.system) for row in hub.rows(Conflict).values()} == {("name", ERP, "second")}


def test_a_family_that_gets_another_owner_keeps_nothing_of_the_former_ones_records() -> None:
    former, now = Hub(estate()), Hub(estate({"owners": {"cost-centre": HRIS}}))
    former.say(record(native_id="old", name="Former", recorded_at=at(9)))
    [table] = [t for t in now.stages["accept"].processor.tables if t.topic == "reference.cost-centre.state.v1"]
    table.load("ACME|CC2", states(former)["ACME|CC2"])
    now.say(record(native_id="1", name="Now", system=HRIS))
    state = states(now)["ACME|CC2"]
    assert (state.origin_system, state.version, [r.fields.name for r in state.records]) == (HRIS, 2, ["Now"])


def test_employees_have_no_owner_until_the_landscape_names_one() -> None:
    hub = Hub()
    hub.say(record(ANN, family="employee", system=AM))
    [refused] = hub.dead
    assert "references.owners.employee" in str(refused.remedy)


# ---- T19: a move to another cost centre ------------------------------------------------------------------------


def test_t19_a_move_to_an_open_centre_is_applied() -> None:
    hub = standing()
    hub.say(record("CC2"), on(10, location="L2", cost_centre="CC2"))
    assert centre_of(hub) == "CC2"
    assert conflicts(hub) == set()


@pytest.mark.parametrize(
    ("centre", "words"),
    [
        ({"status": "CLOSED"}, "is closed"),
        ({"valid_to": dt.date(2026, 11, 9)}, "is not known on 2026-11-10"),
        ({"valid_from": dt.date(2026, 11, 11)}, "is not known on 2026-11-10"),
    ],
)
def test_t19_a_centre_that_is_closed_on_the_day_is_refused_and_the_rest_of_the_move_counts(
    centre: dict[str, Any], words: str
) -> None:
    hub = standing()
    written = hub.say(record("CC2", **centre), on(10, location="L2", cost_centre="CC2"))
    assert (centre_of(hub), hub.the_asset().fields.location) == ("CC1", "L2")
    [(_, event)] = asset_events(written)
    assert event.accepted.changed_fields == ("location",)
    row = the_conflict(hub)
    assert (row.field, row.owner, row.system) == ("cost_centre", ERP, AM)
    assert (row.owned_value, row.foreign_value) == ("CC1", "CC2")
    assert words in str(row.reason)
    assert "open it in tryton" in str(row.remedy)


@pytest.mark.parametrize("day", [9, 10])
def test_t19_the_day_of_the_move_decides_not_the_order_of_arrival(day: int) -> None:
    hub = standing()
    hub.say(record("CC2", valid_to=dt.date(2026, 11, 9)), on(day, cost_centre="CC2"))
    assert centre_of(hub) == ("CC2" if day == 9 else "CC1")


def test_t19_a_refused_centre_is_tried_again_when_it_is_opened() -> None:
    hub = standing()
    hub.say(record("CC2", status="CLOSED"), on(10, cost_centre="CC2"))
    written = hub.say(record("CC2", status="ACTIVE", recorded_at=at(12)))
    assert centre_of(hub) == "CC2"
    [(name, event)] = asset_events(written)
    assert (name, event.accepted.effective_date) == ("AssetCostCentreChanged", dt.date(2026, 11, 10))
    assert conflicts(hub) == set()


def test_t19_a_conflict_says_why_the_centre_is_refused_now() -> None:
    hub = standing()
    hub.say(record("CC2", status="CLOSED"), on(10, cost_centre="CC2"))
    since = the_conflict(hub).detected_at
    hub.say(record("CC2", status="ACTIVE", valid_to=dt.date(2026, 11, 9), recorded_at=at(12)))
    assert "is not known on 2026-11-10" in str(the_conflict(hub).reason)
    assert the_conflict(hub).detected_at == since


def test_t19_a_refused_centre_that_is_withdrawn_is_not_tried_again() -> None:
    hub = standing()
    hub.say(record("CC2", status="CLOSED"), on(10, cost_centre="CC2"), on(11, cost_centre="CC1"))
    assert conflicts(hub) == set()
    hub.say(record("CC2", status="ACTIVE", recorded_at=at(12)))
    assert centre_of(hub) == "CC1"


def test_a_refused_word_of_a_system_that_is_gone_does_not_stop_the_reference_record() -> None:
    former = Hub(landscape(other="asset-management"))
    said = asset("other", "3", tag="T3", company="ACME")
    former.say(record("CC2", status="CLOSED"), said)
    former.say(said.model_copy(update={"fields": said.fields.model_copy(update={"cost_centre": "CC2"})}))
    now = Hub()
    for table in now.stages["accept"].processor.tables:
        [before] = [t for t in former.stages["accept"].processor.tables if t.topic == table.topic]
        for key, row in before.items():
            table.load(key, row)
    assert conflicts(now) == {("cost_centre", "other")}
    now.say(record("CC2", status="ACTIVE", recorded_at=at(2)))
    assert now.dead == []
    assert states(now)["ACME|CC2"].records[0].fields.status is ReferenceStatus.ACTIVE


def test_t19_the_owner_said_another_centre_meanwhile() -> None:
    hub = standing()
    hub.say(record("CC2", status="CLOSED"), on(10, cost_centre="CC2"), on(11, ERP, cost_centre="CC3"))
    hub.say(record("CC2", status="ACTIVE", recorded_at=at(12)))
    assert centre_of(hub) == "CC3", "what waited does not take back what the owner said since (4)"
    assert the_conflict(hub).reason is None, "a foreign edit like any other now"


def test_t19_a_refused_centre_is_tried_again_though_its_record_said_more_since() -> None:
    hub = standing()
    hub.say(record("CC2", status="CLOSED"), on(10, cost_centre="CC2"), on(11, cost_centre="CC2", location="L9"))
    hub.say(record("CC2", status="ACTIVE", recorded_at=at(12)))
    assert centre_of(hub) == "CC2"


def test_t19_an_unknown_centre_passes_unless_the_landscape_requires_it() -> None:
    hub = standing()
    hub.say(on(10, cost_centre="CC7"))
    assert centre_of(hub) == "CC7"


def test_t19_a_required_centre_that_nobody_reported_is_refused_until_it_is() -> None:
    hub = standing({"cost_centre": "required"})
    hub.say(on(10, cost_centre="CC7"))
    assert "is not known" in str(the_conflict(hub).reason)
    hub.say(record("CC7"))
    assert (centre_of(hub) == "CC7", conflicts(hub)) == (True, set())


def test_t19_the_centre_of_every_company_counts_and_that_of_another_does_not() -> None:
    hub = standing({"cost_centre": "required"})
    hub.say(record("CC2", company="OTHER"), on(10, cost_centre="CC2"))
    assert conflicts(hub) == {("cost_centre", AM)}
    hub.say(record("CC2", native_id="all", company=None))
    assert centre_of(hub) == "CC2"


def test_t19_a_locked_centre_holds_the_move_and_what_follows_and_releases_them_in_order() -> None:
    hub = standing()
    hub.say(record("CC2", status="LOCKED"))
    before = len(asset_events(hub.written))
    hub.say(on(10, location="L2", cost_centre="CC2"), on(11, location="L3", cost_centre="CC2"), cost("WO1", "9"))
    assert len(asset_events(hub.written)) == before
    assert hub.rows(CostState) == {}, "a cost of the asset waits behind it"
    reasons = [row.reason for _, row in sorted(hub.rows(PeriodHold).items())]
    assert reasons[0] == "cost centre CC2 of ACME is locked"
    assert all(reason.startswith("waits behind") for reason in reasons[1:])
    assert conflicts(hub) == set(), "it is no fault"

    hub.say(record("CC2", status="LOCKED", name="Shop", recorded_at=at(12)))
    assert len(hub.rows(PeriodHold)) == 3, "another word on a centre that stays locked releases nothing"
    written = hub.say(record("CC2", status="ACTIVE", name="Shop", recorded_at=at(13)))
    told = [(event.fields.location, event.accepted.effective_date.day) for _, event in asset_events(written)]
    assert told == [("L2", 10), ("L3", 11)]
    assert (centre_of(hub), hub.rows(PeriodHold), len(hub.rows(CostState))) == ("CC2", {}, 1)


def test_t19_a_locked_centre_that_is_closed_instead_refuses_what_waited() -> None:
    hub = standing()
    hub.say(record("CC2", status="LOCKED"), on(10, location="L2", cost_centre="CC2"))
    hub.say(record("CC2", status="CLOSED", recorded_at=at(12)))
    assert (centre_of(hub), hub.the_asset().fields.location, hub.rows(PeriodHold)) == ("CC1", "L2", {})
    assert conflicts(hub) == {("cost_centre", AM)}


def test_a_centre_of_a_status_the_hub_does_not_know_waits() -> None:
    hub = standing()
    hub.say(record("CC2", status="UNKNOWN"), on(10, cost_centre="CC2"))
    [row] = hub.rows(PeriodHold).values()
    assert "a status the hub does not know" in row.reason


def test_t19_other_assets_do_not_wait_for_the_locked_centre() -> None:
    hub = standing()
    hub.say(record("CC2", status="LOCKED"), on(10, cost_centre="CC2"), asset(AM, "8", tag="T8", cost_centre="CC1"))
    assert len(links(hub)) == 3
    assert len(hub.rows(PeriodHold)) == 1


@pytest.mark.parametrize("relevant", ["CC1", "CC2"])
def test_t19_a_change_that_moves_balance_sheet_items_waits_for_a_person(relevant: str) -> None:
    hub = standing()
    hub.say(*(record(code, balance_sheet_relevant=code == relevant) for code in ("CC1", "CC2")))
    hub.say(on(10, location="L2", cost_centre="CC2"))
    assert (centre_of(hub), hub.the_asset().fields.location) == ("CC1", "L2")
    row = the_conflict(hub)
    assert "balance sheet" in str(row.reason)
    assert "a person posts the transfer" in str(row.remedy)
    hub.say(on(12, ERP, asset_number="A1", company="ACME", cost_centre="CC2"))
    assert (centre_of(hub), conflicts(hub)) == ("CC2", set()), "the person entered it in the ERP"


def test_t19_the_first_centre_of_an_asset_moves_no_balance() -> None:
    hub = Hub(estate())
    hub.say(record("CC2", company=None, balance_sheet_relevant=True), on(10, cost_centre="CC2"))
    assert centre_of(hub) == "CC2"


def test_t19_what_the_erp_says_of_its_centre_is_never_asked_about() -> None:
    hub = standing()
    hub.say(record("CC2", status="CLOSED"), on(10, ERP, asset_number="A1", company="ACME", cost_centre="CC2"))
    assert (centre_of(hub), conflicts(hub)) == ("CC2", set())


def test_t19_a_move_inside_a_closed_centre_is_no_proposal() -> None:
    hub = standing()
    hub.say(record("CC1", status="CLOSED"), on(10, location="L2", cost_centre="CC1"))
    assert (hub.the_asset().fields.location, conflicts(hub)) == ("L2", set())


# ---- T19: a move to another company ----------------------------------------------------------------------------


def test_t19_a_move_to_another_company_is_a_retirement_and_an_acquisition() -> None:
    hub = standing()
    before = len(hub.commands[ERP])
    hub.say(on(10, location="L2", company="OTHER", cost_centre="CC9"))
    fields = hub.the_asset().fields
    assert (fields.company, fields.cost_centre, fields.location) == ("ACME", "CC1", "L2")
    rows = {row.field: row for row in hub.rows(Conflict).values()}
    assert set(rows) == {"company", "cost_centre"}
    assert (rows["company"].owned_value, rows["company"].foreign_value) == ("ACME", "OTHER")
    assert "retire the asset in ACME and acquire it in OTHER" in str(rows["company"].remedy)
    commands = [c for c in hub.commands[ERP][before:] if isinstance(c, WriteAsset)]
    assert {(c.fields.company, c.fields.cost_centre) for c in commands} <= {("ACME", "CC1")}


def test_t19_the_other_companys_centre_neither_holds_the_move_nor_is_taken_later() -> None:
    hub = standing()
    hub.say(record("CC9", company=None, status="LOCKED"), on(10, location="L2", company="OTHER", cost_centre="CC9"))
    assert (hub.the_asset().fields.location, hub.rows(PeriodHold)) == ("L2", {})
    hub.say(record("CC9", company=None, status="ACTIVE", recorded_at=at(12)))
    assert centre_of(hub) == "CC1"


def test_t19_what_the_erp_says_of_its_company_is_booked_already() -> None:
    hub = standing()
    hub.say(on(10, ERP, asset_number="A1", company="OTHER", cost_centre="CC9"))
    assert (hub.the_asset().fields.company, centre_of(hub), conflicts(hub)) == ("OTHER", "CC9", set())


def test_t19_also_when_the_first_company_was_asset_managements_own_word() -> None:
    hub = Hub()
    hub.say(on(1, company="ACME"), on(1, ERP, asset_number="A1"))
    hub.say(on(10, company="OTHER"))
    assert (hub.the_asset().fields.company, conflicts(hub)) == ("ACME", {("company", AM)})


def test_t19_before_anything_is_booked_another_company_is_a_correction() -> None:
    hub = Hub()
    hub.say(on(1, company="ACME"), on(10, company="OTHER"))
    assert (hub.the_asset().fields.company, conflicts(hub)) == ("OTHER", set())


# ---- F13: employees as custodians ------------------------------------------------------------------------------

REQUIRED = {"owners": {"employee": HRIS}, "employee": "required"}


def test_a_custodian_is_a_known_and_active_employee_where_the_landscape_says_so() -> None:
    hub = Hub(estate(REQUIRED))
    hub.say(employee(), on(10, custodian=ANN))
    assert (hub.the_asset().fields.custodian, conflicts(hub)) == (ANN, set())


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        (None, "no known employee"),
        ({"status": "CLOSED"}, "not active on 2026-11-10"),
        ({"status": "LOCKED"}, "not active on 2026-11-10"),
        ({"valid_to": dt.date(2026, 11, 9)}, "not active on 2026-11-10"),
        ({"valid_from": dt.date(2026, 11, 11)}, "not active on 2026-11-10"),
    ],
)
def test_anybody_else_is_refused_where_it_is_seen(fields: dict[str, Any] | None, words: str) -> None:
    hub = Hub(estate(REQUIRED))
    hub.say(*([employee(**fields)] if fields else []), on(10, location="L1", custodian=ANN))
    assert (hub.the_asset().fields.custodian, hub.the_asset().fields.location) == (None, "L1")
    row = the_conflict(hub)
    assert (row.field, row.owner, row.foreign_value) == ("custodian", HRIS, ANN)
    assert words in str(row.reason)


def test_an_employee_of_another_company_may_have_the_thing_in_charge() -> None:
    hub = Hub(estate(REQUIRED))
    hub.say(employee(company="OTHER"), on(10, company="ACME", custodian=ANN))
    assert hub.the_asset().fields.custodian == ANN


def test_a_refused_custodian_is_tried_again_when_the_employee_is_reported() -> None:
    hub = Hub(estate(REQUIRED))
    hub.say(on(10, custodian=ANN))
    hub.say(employee())
    assert (hub.the_asset().fields.custodian, conflicts(hub)) == (ANN, set())


def test_a_refused_custodian_is_forgotten_when_the_thing_was_given_back() -> None:
    hub = Hub(estate(REQUIRED))
    hub.say(on(10, custodian=ANN))
    assert conflicts(hub) == {("custodian", AM)}
    [event] = named(hub.say(on(11).model_copy(update={"cleared": ("custodian",)})), "ConflictResolved")
    assert (event.body.model_dump()["resolution"], conflicts(hub)) == ("AGREED", set())
    hub.say(employee())
    assert hub.the_asset().fields.custodian is None


def test_where_employees_are_optional_nobody_is_checked() -> None:
    hub = Hub(estate({"owners": {"employee": HRIS}}))
    hub.say(employee(status="CLOSED"), on(10, custodian=ANN), on(11, custodian=NOBODY))
    assert (hub.the_asset().fields.custodian, conflicts(hub)) == (NOBODY, set())


# ---- T40: a deleted employee leaves a pseudonym ----------------------------------------------------------------


def said(written: list[Outbound]) -> str:
    return "\n".join(f"{out.key!r} {out.headers} {out.value!r}" for out in written)


def test_t40_a_deleted_employee_leaves_nothing_but_the_pseudonym() -> None:
    custodians = Custodians("k" * 32)
    hub = Hub(estate(REQUIRED))
    person = {"native_id": "ann.example@acme.test", "name": "Ann Example", "parent": "Bob Boss"}
    entered, deleted = employee("Ann Example", **person), employee("Ann Example", **person, deleted=True)
    hub.say(custodians.conceal(entered), on(10, custodian=ANN))
    written = hub.say(custodians.conceal(deleted))
    tombstones = [out.key for out in written if out.topic == "reference.employee.state.v1" and out.value is None]
    assert tombstones == [f"ACME|{ANN}"]
    assert states(hub, "employee") == {}
    assert [name for name, _ in reference_events(written)] == ["ReferenceRemoved"]
    told = said(hub.written)
    assert ANN in told
    for name in ("Ann", "ann.example", "Bob", "Boss"):
        assert name not in told
    assert hub.the_asset().fields.custodian == ANN, "who had it stays answerable, by the pseudonym"


def test_t40_a_deleted_employee_takes_nothing_more() -> None:
    hub = Hub(estate(REQUIRED))
    hub.say(employee(), employee(deleted=True, recorded_at=at(5)), on(10, custodian=ANN))
    assert hub.the_asset().fields.custodian is None


def test_t40_all_that_is_said_of_an_employee_has_one_order() -> None:
    hub = Hub(estate(REQUIRED))
    written = hub.say(employee(), employee("p-" + "1" * 32, native_id=ANN, company=None, deleted=True))
    assert {out.key for out in written if out.topic == "hub.identified.report.v1"} == {f"employee/{HRIS}/{ANN}"}
    assert states(hub, "employee") == {}, "whatever company and code the deletion names"


def test_an_older_word_does_not_bring_a_deleted_record_back() -> None:
    hub = Hub()
    hub.say(record(recorded_at=at(1)), record(deleted=True, recorded_at=at(5)))
    assert reference_events(hub.say(record(recorded_at=at(4)))) == [], "a page read again, a letter replayed"
    assert states(hub) == {}
    assert [name for name, _ in reference_events(hub.say(record(recorded_at=at(6))))] == ["ReferenceAdded"]
    assert hub.rows(RemovedReference) == {}, "it is there again: nothing is remembered"


def test_a_deletion_that_overtakes_its_record_counts() -> None:
    hub = Hub()
    hub.say(record(deleted=True, recorded_at=at(5)), record(recorded_at=at(4)))
    assert states(hub) == {}


def test_t40_what_is_remembered_of_a_deleted_employee_is_the_pseudonym() -> None:
    custodians = Custodians("k" * 32)
    hub = Hub(estate(REQUIRED))
    person = {"native_id": "ann.example@acme.test", "name": "Ann Example"}
    hub.say(custodians.conceal(employee("Ann Example", **person, deleted=True)))
    [(key, row)] = hub.rows(RemovedReference).items()
    assert "ann" not in f"{key} {row}".lower()
    assert key == f"employee/{HRIS}/{row.native_id}"


def test_one_of_several_records_may_go() -> None:
    hub = Hub()
    hub.say(record(native_id="1", valid_to=dt.date(2026, 6, 30)), record(native_id="2", valid_from=dt.date(2026, 7, 1)))
    written = hub.say(record(native_id="1", deleted=True, recorded_at=at(2)))
    [(name, event)] = reference_events(written)
    assert (name, event.accepted.version) == ("ReferenceRemoved", 3)
    assert [one.native_id for one in states(hub)["ACME|CC2"].records] == ["2"]
