"""Book movements: what the ERP posted besides ordinary depreciation is an immutable document whose sides balance."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.unit.processors.bench import (
    AM,
    ERP,
    Hub,
    asset,
    book,
    conflicts,
    decided,
    held,
    landscape,
    links,
    named,
)
from tests.unit.processors.movement_bench import (
    HALVES,
    NOTHING,
    SALE,
    estate,
    events,
    figures,
    movement,
    other_half,
    reversal,
    told,
    unexplained,
)

from tieline.kernel.asset_records import DisposalKind
from tieline.kernel.book_records import BookState
from tieline.kernel.landscape import Fiscal
from tieline.kernel.memory import Conflict
from tieline.kernel.movement_records import EVENT_NAMES, MovementKind, MovementReport, MovementState, RollForward

GIVEN_AWAY: dict[str, Any] = HALVES | {  # a third of 900.00, of which 300.00 is worn, goes to asset 6
    "kind": "SPLIT",
    "share_numerator": 1,
    "share_denominator": 3,
    "cost_before": "900.00",
    "accumulated_before": "300.00",
    "cost_change": "-300.00",
    "accumulated_change": "-100.00",
    "net_book_value_change": "-200.00",
    "clearing": "-200.00",
}
SENT_AWAY: dict[str, Any] = HALVES | {  # all of 5 goes to another company
    "kind": "TRANSFER",
    "counterpart_company": "OTHER",
    "cost_change": "-900.00",
    "accumulated_change": "-300.00",
    "net_book_value_change": "-600.00",
    "surplus_change": "-50.00",
    "clearing": "-550.00",
}
ADJUSTED: dict[str, Any] = {
    "kind": "ACQUISITION_ADJUSTMENT",
    "cost_change": "90.00",
    "net_book_value_change": "90.00",
    "clearing": "90.00",
}
ONE_OF_EACH: dict[str, dict[str, Any]] = {
    "AssetUnderConstructionSettled": {
        "kind": "SETTLEMENT",
        "cost_change": "-400.00",
        "net_book_value_change": "-400.00",
        "clearing": "-400.00",
        **HALVES,
    },
    "BookCostAdjusted": ADJUSTED,
    "AssetRevalued": {
        "kind": "REVALUATION",
        "cost_change": "100.00",
        "accumulated_change": "-200.00",
        "net_book_value_change": "300.00",
        "surplus_change": "250.00",
        "income": "50.00",  # takes back an earlier loss
    },
    "AssetImpaired": {
        "kind": "IMPAIRMENT",
        "accumulated_change": "70.00",
        "net_book_value_change": "-70.00",
        "surplus_change": "-20.00",
        "expense": "50.00",
    },
    "ImpairmentReversed": {
        "kind": "IMPAIRMENT_REVERSAL",
        "accumulated_change": "-40.00",
        "net_book_value_change": "40.00",
        "income": "40.00",
    },
    "UsefulLifeChanged": {"kind": "LIFE_CHANGE", "from_life_periods": 36, "to_life_periods": 60},
    "AssetHeldForSale": {"kind": "HELD_FOR_SALE"},
    "AssetReturnedToUse": {"kind": "RETURNED_TO_USE"},
    "AssetSplit": GIVEN_AWAY,
    "AssetCombined": GIVEN_AWAY | {"kind": "MERGE"},
    "AssetReclassifiedInBooks": {"kind": "RECLASSIFICATION", "from_class": "PUMPS", "to_class": "MACHINES"},
    "AssetTransferred": SENT_AWAY,
    "DisposalPosted": SALE,
}


def refused(hub: Hub) -> tuple[str | None, str]:
    """Field and reason of the only rejection; it says what to do."""
    [rejection] = hub.dead
    assert rejection.remedy
    return rejection.field, rejection.reason


# ---- documents -------------------------------------------------------------------------------------------------


def test_each_kind_has_its_event() -> None:
    assert set(EVENT_NAMES) == set(MovementKind) - {MovementKind.UNKNOWN}
    assert set(EVENT_NAMES.values()) == {*ONE_OF_EACH, "DisposalReversed"}


@pytest.mark.parametrize("name", ONE_OF_EACH)
def test_a_movement_is_published_once_under_its_asset(name: str) -> None:
    hub = estate()
    report = movement("M1", **ONE_OF_EACH[name])
    hub.say(report, report)
    assert hub.dead == []
    [typed] = named(hub.written, name)
    [event] = events(hub)
    assert typed.body == event
    ids = links(hub)
    assert (event.asset_id, event.movement_id) == (ids[f"{ERP}/asset/5"], f"{ERP}/M1")
    assert event.fields == report.fields
    counterpart = ids[f"{ERP}/asset/6"] if "counterpart_native_id" in ONE_OF_EACH[name] else None
    assert event.counterpart_id == counterpart


def test_t02_a_re_extract_with_new_event_ids_gives_nothing() -> None:
    hub = estate()
    sold = movement("M1", **SALE)
    hub.say(figures("5", "1200.00", "480.00", 0), sold, figures("5", "720.00", "288.00", 2))
    before = hub.memory()
    again = movement("M1", hours=9, **SALE)  # other coordinates, another time of recording
    assert {out.topic for out in hub.say(sold, again)} == {"hub.identified.report.v1"}
    assert hub.memory() == before


def test_a_posted_movement_does_not_change() -> None:
    hub = estate()
    hub.say(movement("M1", **ADJUSTED), movement("M1", **ADJUSTED, reason="typed again"))
    assert refused(hub) == ("fields", "a posted movement was changed")
    [row] = hub.rows(MovementState).values()
    assert row.fields.reason is None


def test_only_the_erp_posts_movements() -> None:
    hub = estate()
    hub.say(asset(AM, "5", serial_number="S5"), movement("M1", system=AM, **ADJUSTED))
    assert [rejection.field for rejection in hub.dead] == ["origin.system"]


def test_a_kind_of_a_later_version_waits_at_the_desk() -> None:
    hub = estate()
    hub.say(movement("M1", kind="UNKNOWN"))
    assert refused(hub)[0] == "fields.kind"


# ---- before its assets -----------------------------------------------------------------------------------------


def test_t23_a_movement_waits_for_its_asset_then_for_its_counterpart() -> None:
    hub = Hub()
    hub.say(movement("M1", **SENT_AWAY))
    assert held(hub) == {f"{ERP}/movement/M1": f"{ERP}/asset/5"}
    hub.say(asset(ERP, "5"))
    assert held(hub) == {f"{ERP}/movement/M1": f"{ERP}/asset/6"}
    assert events(hub) == []
    hub.say(asset(ERP, "6"))
    assert held(hub) == {}
    [event] = events(hub)
    ids = links(hub)
    assert (event.asset_id, event.counterpart_id) == (ids[f"{ERP}/asset/5"], ids[f"{ERP}/asset/6"])


def test_t23_a_movement_whose_counterpart_is_there_first_goes_under_its_own_asset() -> None:
    hub = Hub()
    hub.say(asset(ERP, "6"), movement("M1", **SENT_AWAY))
    assert held(hub) == {f"{ERP}/movement/M1": f"{ERP}/asset/5"}
    hub.say(asset(ERP, "5"))
    [event] = events(hub)
    assert event.asset_id == links(hub)[f"{ERP}/asset/5"]


def test_a_merge_of_two_records_of_one_thing_moves_no_figure() -> None:
    hub = estate()
    hub.say(asset(AM, "77", tag="T77"), figures("5", "1200.00", "480.00", 0))
    survivor, merged = links(hub)[f"{AM}/asset/77"], links(hub)[f"{ERP}/asset/5"]
    hub.say(figures("5", "720.00", "288.00", 2))
    assert ("roll_forward.main", ERP) in conflicts(hub)
    hub.say(decided("MERGE", canonical_id=survivor, other_id=merged))
    hub.say(figures("5", "720.00", "288.00", 3))
    [row] = [row for row in hub.rows(Conflict).values() if row.field == "roll_forward.main"]
    assert row.canonical_id == survivor, "it went with the record"
    hub.say(movement("M1", **SALE))
    assert hub.dead == []
    [event] = events(hub)
    assert event.asset_id == survivor
    assert unexplained(hub) == {f"{ERP}/5|main": NOTHING}
    assert ("roll_forward.main", ERP) not in conflicts(hub)


# ---- amounts ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", [kind for kind in DisposalKind if kind is not DisposalKind.UNKNOWN])
def test_t21_a_whole_disposal_of_every_kind_clears_cost_and_accumulated(kind: DisposalKind) -> None:
    hub = estate()
    changes: dict[str, Any] = {
        "kind": "DISPOSAL",
        "disposal_kind": kind,
        "cost_before": "1200.00",
        "accumulated_before": "480.00",
        "cost_change": "-1200.00",
        "accumulated_change": "-480.00",
        "net_book_value_change": "-720.00",
        "expense": "720.00",
    }
    hub.say(figures("5", "1200.00", "480.00", 0), movement("M1", **changes), figures("5", "0.00", "0.00", 2))
    assert hub.dead == []
    assert unexplained(hub) == {f"{ERP}/5|main": NOTHING}
    [event] = events(hub)
    assert event.fields.disposal_kind is kind


@pytest.mark.parametrize(
    ("result", "surplus"),
    [
        ({"proceeds": "300.00", "income": "12.00"}, "0"),
        ({"proceeds": "100.00", "expense": "188.00"}, "0"),
        ({"proceeds": "300.00", "income": "300.00", "expense": "288.00"}, "0"),  # gross: the residual-value regime
        ({"proceeds": "300.00", "income": "12.00"}, "40.00"),  # of the surplus, 40.00 is realised
    ],
)
def test_t21_forty_percent_balance_under_both_regimes(result: dict[str, str], surplus: str) -> None:
    hub = estate()
    sides = {"income": "0", "expense": "0", "surplus_change": f"-{surplus}", "retained_earnings_change": surplus}
    hub.say(movement("M1", **(SALE | sides | result)))
    assert hub.dead == []
    assert len(events(hub)) == 1


def share_of(cost: str, accumulated: str, top: int, bottom: int, **changes: Any) -> MovementReport:
    """A scrapping of a share of 1000.00, of which 400.00 is worn."""
    nbv = Decimal(cost) - Decimal(accumulated)
    sides = {
        "share_numerator": top,
        "share_denominator": bottom,
        "cost_before": "1000.00",
        "accumulated_before": "400.00",
        "cost_change": f"-{cost}",
        "accumulated_change": f"-{accumulated}",
        "net_book_value_change": -nbv,
        "expense": nbv,
        "proceeds": "0",
        "income": "0",
    }
    return movement("M1", **(SALE | {"disposal_kind": "SCRAP"} | sides | changes))


@pytest.mark.parametrize(
    "report",
    [
        share_of("400.00", "160.00", 2, 5),  # 4 of 10 pieces
        share_of("400.00", "160.00", 40000, 100000),  # 400.00 of 1000.00
        share_of("333.33", "133.33", 1, 3),
        share_of("333.33", "133.34", 1, 3),  # cost and book value rounded, the rest in between
        share_of("1000.00", "400.00", 1, 1),
    ],
)
def test_t21_a_share_by_quantity_or_amount_is_cleared_to_the_cent(report: MovementReport) -> None:
    hub = estate()
    hub.say(report)
    assert hub.dead == []
    assert len(events(hub)) == 1


@pytest.mark.parametrize(
    ("report", "field"),
    [
        (share_of("400.01", "160.00", 2, 5), "fields.cost_change"),
        (share_of("400.00", "160.02", 2, 5), "fields.accumulated_change"),
        (share_of("400.00", "400.00", 2, 5), "fields.accumulated_change"),  # cost cleared in part, all wear
        (share_of("999.99", "400.00", 1, 1), "fields.cost_change"),
        (share_of("400.00", "160.00", 2, 0), "fields.share_numerator"),
        (share_of("400.00", "160.00", 6, 5), "fields.share_numerator"),
        (share_of("400.00", "160.00", 2, 5, share_denominator=None), "fields.share_numerator"),
        (share_of("400.00", "160.00", 2, 5, cost_before=None), "fields.cost_before"),
        (share_of("400.00", "160.00", 2, 5, share_numerator=None, share_denominator=None), "fields.cost_change"),
        (movement("M1", **(SALE | {"income": "12.01"})), "fields"),
        (movement("M1", **(SALE | {"net_book_value_change": "-288.01"})), "fields.net_book_value_change"),
        (movement("M1", **(SALE | {"proceeds": "0", "income": "-288.00"})), "fields.income"),
        (movement("M1", **(SALE | {"surplus_change": "-5.00", "income": "17.00"})), "fields.retained_earnings_change"),
        (movement("M1", **(SALE | {"disposal_kind": None})), "fields.disposal_kind"),
        (movement("M1", **(SALE | {"disposal_kind": "UNKNOWN"})), "fields.disposal_kind"),
        (movement("M1", **(SALE | {"disposal_kind": "DONATION"})), "fields.proceeds"),
        (movement("M1", **(SALE | {"reversal_of": "M0", "kind": "IMPAIRMENT"})), "fields.cost_change"),
        (movement("M1", kind="DISPOSAL_REVERSAL", disposal_kind="SALE"), "fields.reversal_of"),
        (reversal("M1", movement("M0", **SALE), kind="DISPOSAL"), "fields.kind"),
        (movement("M1", kind="HELD_FOR_SALE", reversal_of="M0"), "fields.reversal_of"),
        (movement("M1", **(ADJUSTED | {"cost_change": "90.005"})), "fields.cost_change"),
        (movement("M1", **(ADJUSTED | {"clearing": "0", "income": "90.00"})), "fields.income"),
        (movement("M1", **ONE_OF_EACH["AssetImpaired"] | {"kind": "IMPAIRMENT_REVERSAL"}), "fields.expense"),
        (
            movement("M1", kind="IMPAIRMENT", accumulated_change="-1", net_book_value_change="1", surplus_change="1"),
            "fields.net_book_value_change",
        ),
        (movement("M1", kind="LIFE_CHANGE"), "fields.to_life_periods"),
        (movement("M1", kind="LIFE_CHANGE", from_life_periods=60, to_life_periods=60), "fields.to_life_periods"),
        (movement("M1", kind="LIFE_CHANGE", to_life_periods=60, policy="UNKNOWN"), "fields.policy"),
        (movement("M1", kind="RECLASSIFICATION", from_class="A", to_class="A"), "fields.to_class"),
        (movement("M1", **(SENT_AWAY | {"kind": "SPLIT"})), "fields.counterpart_company"),
        (movement("M1", **(SENT_AWAY | {"transaction": None})), "fields.transaction"),
        (movement("M1", **(SENT_AWAY | {"counterpart_native_id": "5"})), "fields.counterpart_native_id"),
        (
            movement(
                "M1",
                kind="RECLASSIFICATION",
                from_class="A",
                to_class="B",
                **{name: amount for name, amount in GIVEN_AWAY.items() if "change" in name or name == "clearing"},
            ),
            "fields.cost_change",
        ),
    ],
)
def test_t21_what_does_not_tie_is_refused(report: MovementReport, field: str) -> None:
    hub = estate()
    hub.say(report)
    assert refused(hub)[0] == field
    assert hub.rows(MovementState) == {}


def test_yen_has_no_cents() -> None:
    hub = estate()
    hub.say(movement("M1", **(ADJUSTED | {"currency": "JPY"})))
    hub.say(movement("M2", **(ADJUSTED | {"currency": "JPY", "cost_change": "90.50"})))
    assert refused(hub)[0] == "fields.cost_change"
    assert len(events(hub)) == 1


# ---- reversal --------------------------------------------------------------------------------------------------

SOLD = movement("M1", **SALE)
TAKEN_BACK = reversal("M2", SOLD)
SOLD_AGAIN = movement("M3", hours=3, **(SALE | {"proceeds": "288.00", "income": "0"}))
BOOKS = (
    figures("5", "1200.00", "480.00", 0),
    figures("5", "720.00", "288.00", 1),
    figures("5", "1200.00", "480.00", 2),
    figures("5", "720.00", "288.00", 3),
)


@given(st.permutations([SOLD, TAKEN_BACK, SOLD_AGAIN]), st.sets(st.integers(0, 3)))
def test_t22_reversal_and_redisposal_come_to_the_same_in_any_order(
    documents: Sequence[MovementReport], before: set[int]
) -> None:
    hub = estate()
    for place, report in enumerate(BOOKS):
        hub.say(report, *(documents[at] for at in sorted(before) if at == place and at < len(documents)))
    hub.say(*documents, *documents)
    assert hub.dead == []
    rows = hub.rows(MovementState)
    assert sum((row.fields.cost_change for row in rows.values()), Decimal(0)) == Decimal("-480.00")
    assert len(named(hub.written, "DisposalPosted")) == 2
    assert len(named(hub.written, "DisposalReversed")) == 1
    assert unexplained(hub) == {f"{ERP}/5|main": NOTHING}
    assert hub.rows(Conflict) == {}


def test_t22_a_disposal_of_a_thing_worth_nothing_is_taken_back() -> None:
    hub = estate()
    scrapped = movement("M1", kind="DISPOSAL", disposal_kind="SCRAP")
    hub.say(scrapped, reversal("M2", scrapped))
    assert hub.dead == []
    assert len(named(hub.written, "DisposalReversed")) == 1


def test_t22_a_disposal_leaves_no_tombstone() -> None:
    hub = estate()
    hub.say(*BOOKS[:2], SOLD)
    states = {"asset.movement.state.v1", "asset.book.state.v1", "asset.asset.state.v1", "asset.roll-forward.state.v1"}
    assert [out for out in hub.written if out.topic in states and out.value is None] == []
    assert len(hub.rows(BookState)) == 1


@pytest.mark.parametrize(
    ("documents", "field", "reason"),
    [
        ([SOLD, TAKEN_BACK, reversal("M4", SOLD)], "fields.reversal_of", "M1 is reversed already, by M2"),
        ([TAKEN_BACK, reversal("M4", SOLD)], "fields.reversal_of", "M1 is reversed already, by M2"),
        ([SOLD, reversal("M2", SOLD, proceeds="-299.00", income="-11.00")], "fields.proceeds", "has -299.00"),
        ([reversal("M2", SOLD, proceeds="-299.00", income="-11.00"), SOLD], "fields.proceeds", "has -299.00"),
        ([SOLD, reversal("M2", SOLD, book_id="tax")], "fields.book_id", "the reversal has tax, the original main"),
        ([SOLD, reversal("M2", SOLD, asset_native_id="6")], "fields.asset_native_id", "has 6"),
        ([SOLD, reversal("M2", SOLD, currency="USD")], "fields.currency", "has USD"),
        ([movement("M1", **ADJUSTED), TAKEN_BACK], "fields.kind", "is reversed by ACQUISITION_ADJUSTMENT"),
        (
            [SOLD, TAKEN_BACK, movement("M4", **(SALE | {"kind": "DISPOSAL_REVERSAL", "reversal_of": "M2"}))],
            "fields.net_book_value_change",
            "changes by -288.00",
        ),
        (
            [TAKEN_BACK, reversal("M4", SOLD, reversal_of="M2")],
            "fields.reversal_of",
            "a reversal is reversed",
        ),
        (
            [reversal("M4", SOLD, reversal_of="M2"), TAKEN_BACK],
            "fields.reversal_of",
            "a reversal is reversed",
        ),
        ([reversal("M1", SOLD)], "fields.reversal_of", "a reversal is reversed"),
    ],
)
def test_t22_what_is_no_reversal_of_its_original_is_refused(
    documents: list[MovementReport], field: str, reason: str
) -> None:
    hub = estate()
    hub.say(*documents)
    said = refused(hub)
    assert said[0] == field
    assert reason in said[1]
    assert len(hub.rows(MovementState)) == len(documents) - 1


@pytest.mark.parametrize("name", ["BookCostAdjusted", "AssetRevalued", "AssetImpaired", "ImpairmentReversed"])
def test_any_posted_amount_is_taken_back_by_its_opposite(name: str) -> None:
    hub = estate()
    original = movement("M1", **ONE_OF_EACH[name])
    hub.say(figures("5", "1200.00", "480.00", 0), original, reversal("M2", original))
    hub.say(figures("5", "1200.00", "480.00", 3))
    assert hub.dead == []
    assert [typed.name for typed in named(hub.written, name)] == [name, name]
    [row] = hub.rows(RollForward).values()
    assert (row.movements, row.movements_cost, row.movements_accumulated) == (2, *NOTHING)
    assert unexplained(hub) == {f"{ERP}/5|main": NOTHING}


# ---- two halves ------------------------------------------------------------------------------------------------

SENT = movement("M1", **SENT_AWAY)
RECEIVED = other_half("M2", SENT)


@pytest.mark.parametrize("documents", [[SENT, RECEIVED], [RECEIVED, SENT]])
def test_t19_between_companies_retirement_and_acquisition_mirror_each_other(documents: list[MovementReport]) -> None:
    hub = estate()
    hub.say(documents[0])
    first = documents[0].origin.native_id
    assert conflicts(hub) == {(f"counterpart.{first}", ERP)}, "one half alone is visible"
    hub.say(documents[1])
    assert hub.dead == []
    assert conflicts(hub) == set()
    told_of = {event.fields.company: event for event in events(hub)}
    assert (told_of["ACME"].fields.cost_change, told_of["OTHER"].fields.cost_change) == (Decimal(-900), Decimal(900))
    assert sum(event.fields.net_book_value_change for event in events(hub)) == 0
    assert told_of["ACME"].counterpart_id == told_of["OTHER"].asset_id


@pytest.mark.parametrize("kind", ["TRANSFER", "MERGE"])
def test_t19_the_books_of_giver_and_receiver_tie(kind: str) -> None:
    hub = estate()
    company = "OTHER" if kind == "TRANSFER" else "ACME"
    given = movement("M1", **(SENT_AWAY | {"kind": kind, "counterpart_company": company}))
    hub.say(figures("5", "900.00", "300.00", 0), figures("6", "100.00", "20.00", 0))
    hub.say(figures("6", "1000.00", "320.00", 2), other_half("M2", given), figures("5", "0.00", "0.00", 2))
    assert unexplained(hub) == {f"{ERP}/5|main": (Decimal(-900), Decimal(-300)), f"{ERP}/6|main": NOTHING}
    hub.say(given)
    assert hub.dead == []
    assert set(unexplained(hub).values()) == {NOTHING}
    assert hub.rows(Conflict) == {}


@pytest.mark.parametrize(
    ("other", "field"),
    [
        (
            other_half("M2", SENT, cost_change="899.99", net_book_value_change="599.99", clearing="549.99"),
            "cost_change",
        ),
        (other_half("M2", SENT, accumulated_change="0", cost_change="600.00"), "cost_change"),
        (other_half("M2", SENT, surplus_change="0", clearing="600.00"), "surplus_change"),
        (other_half("M2", SENT, company="THIRD"), "company"),
        (other_half("M2", SENT, counterpart_company="THIRD"), "counterpart_company"),
        (other_half("M2", SENT, currency="USD"), "currency"),
        (other_half("M2", SENT, effective_date=dt.date(2026, 11, 11)), "effective_date"),
        (other_half("M2", SENT, kind="MERGE", company="ACME", counterpart_company="ACME"), "kind"),
        (movement("M2", **SENT_AWAY), "transaction"),
    ],
)
def test_t19_halves_that_do_not_mirror_are_refused(other: MovementReport, field: str) -> None:
    hub = estate()
    hub.say(SENT, other)
    assert refused(hub)[0] == f"fields.{field}"
    assert conflicts(hub) == {("counterpart.M1", ERP)}


def test_a_transaction_has_two_halves() -> None:
    hub = estate()
    hub.say(SENT, RECEIVED, other_half("M3", SENT))
    assert refused(hub)[0] == "fields.transaction"


def test_t21_the_parts_of_a_split_sum_to_the_whole() -> None:
    hub = estate()
    hub.say(asset(ERP, "7", serial_number="S7"), figures("5", "900.00", "300.00", 0))
    hub.say(figures("6", "0.00", "0.00", 0), figures("7", "0.00", "0.00", 0))
    to_six = movement("M1", **GIVEN_AWAY)
    to_seven = movement("M2", **(GIVEN_AWAY | {"transaction": "T-2", "counterpart_native_id": "7"}))
    hub.say(other_half("M3", to_six), to_six, to_seven, other_half("M4", to_seven, hours=1))
    after = {"5": ("300.00", "100.00"), "6": ("300.00", "100.00"), "7": ("300.00", "100.00")}
    hub.say(*(figures(of, *parts, 2) for of, parts in after.items()))
    assert hub.dead == []
    assert set(unexplained(hub).values()) == {NOTHING}
    assert conflicts(hub) == set()
    assert sum(row.closing_cost for row in hub.rows(RollForward).values()) == 900
    assert sum(row.closing_accumulated for row in hub.rows(RollForward).values()) == 300


def test_a_split_taken_back_gives_everything_back() -> None:
    hub = estate()
    given, received = movement("M1", **GIVEN_AWAY), other_half("M2", movement("M1", **GIVEN_AWAY))
    hub.say(given, received, reversal("M3", given), reversal("M4", received))
    assert hub.dead == []
    assert conflicts(hub) == set()
    assert sum(event.fields.cost_change for event in events(hub)) == 0


def test_a_reclassification_to_another_asset_has_two_halves() -> None:
    hub = estate()
    classes = {"kind": "RECLASSIFICATION", "from_class": "PUMPS", "to_class": "MACHINES"}
    given = movement("M1", **(GIVEN_AWAY | classes))
    hub.say(given, other_half("M2", given))
    assert hub.dead == []
    assert conflicts(hub) == set()
    assert len(named(hub.written, "AssetReclassifiedInBooks")) == 2


# ---- time ------------------------------------------------------------------------------------------------------


def with_years() -> Hub:
    """A hub whose periods must be reported before anything is posted in them."""
    hub = Hub(landscape().model_copy(update={"fiscal": Fiscal.model_validate({"periods": "required"})}))
    hub.say(asset(ERP, "5", serial_number="S5", company="ACME"))
    return hub


def test_t09_a_difference_after_year_end_keeps_both_its_dates() -> None:
    hub = with_years()
    late: dict[str, Any] = {"effective_date": dt.date(2025, 6, 30), "posting_period": "2026-002", "hours": 1}
    hub.say(figures("5", "1200.00", "480.00", 0), movement("M1", **(ADJUSTED | late)))
    [event] = events(hub)
    assert event.accepted.effective_date == dt.date(2025, 6, 30)
    assert (event.accepted.posting_period, event.accepted.posting_date) == ("2026-002", None)
    # The catch-up is depreciation: a posted line of the open period.
    caught_up = {"gross_cost": "1290.00", "accumulated": "580.00", "net_book_value": "710.00"}
    hub.say(told(book("5", ["01"], **{name: Decimal(amount) for name, amount in caught_up.items()}), 2))
    assert unexplained(hub) == {f"{ERP}/5|main": NOTHING}


def test_t10_the_erps_posting_is_neither_held_nor_re_dated_where_no_period_is_open() -> None:
    hub = with_years()  # no period was ever reported, so none is open to what asset management says
    hub.say(movement("M1", **ADJUSTED))
    [event] = events(hub)
    assert event.accepted.posting_period == "2026-011"
    assert hub.rows(MovementState)[f"{ERP}/M1"].posting_period == "2026-011"


def test_t12_a_life_change_touches_no_posted_line() -> None:
    hub = estate()
    hub.say(told(book("5", ["01", "02"]), 0))
    posted = named(hub.written, "DepreciationPosted")
    hub.say(movement("M1", kind="LIFE_CHANGE", to_life_periods=24, policy="REMAINING_LIFE"))
    after = told(book("5", ["01", "02"]), 2)
    lines = tuple(
        line if line.posted else line.model_copy(update={"depreciation": Decimal("45.45")})
        for line in after.fields.lines
    )
    hub.say(after.model_copy(update={"fields": after.fields.model_copy(update={"lines": lines})}))
    assert hub.dead == []
    assert named(hub.written, "DepreciationPosted") == posted
    assert [typed.name for typed in named(hub.written, "UsefulLifeChanged")] == ["UsefulLifeChanged"]
    assert unexplained(hub) == {f"{ERP}/5|main": NOTHING}


def test_t31_a_capitalised_repair_adds_cost_and_life_and_takes_no_depreciation_back() -> None:
    hub = estate()
    hub.say(told(book("5", ["01"]), 0))
    hub.say(movement("M1", **ADJUSTED, from_life_periods=12, to_life_periods=18, reason="new motor"))
    hub.say(told(book("5", ["01"], gross_cost=Decimal("1290.00"), net_book_value=Decimal("1190.00")), 2))
    assert hub.dead == []
    [row] = hub.rows(RollForward).values()
    assert (row.movements_cost, row.movements_accumulated) == (Decimal(90), Decimal(0))
    assert unexplained(hub) == {f"{ERP}/5|main": NOTHING}


# ---- roll-forward ----------------------------------------------------------------------------------------------


def test_figures_without_a_document_are_visible_until_it_comes() -> None:
    hub = estate()
    hub.say(BOOKS[0], BOOKS[1])
    assert hub.dead == []
    assert unexplained(hub) == {f"{ERP}/5|main": (Decimal("-480.00"), Decimal("-192.00"))}
    [row] = hub.rows(Conflict).values()
    assert (row.field, row.owned_value, row.foreign_value) == (
        "roll_forward.main",
        "cost 1200, accumulated 480 EUR by opening, posted depreciation and movements (0)",
        "cost 720, accumulated 288 EUR",
    )
    hub.say(SOLD)
    assert unexplained(hub) == {f"{ERP}/5|main": NOTHING}
    assert hub.rows(Conflict) == {}


def test_a_document_that_comes_before_the_figures_raises_no_alarm() -> None:
    hub = estate()
    hub.say(BOOKS[0], SOLD)
    assert hub.rows(Conflict) == {}
    hub.say(BOOKS[1])
    assert unexplained(hub) == {f"{ERP}/5|main": NOTHING}
    assert [out for out in hub.written if out.topic == "hub.conflict.state.v1"] == []


def test_what_the_opening_contains_is_not_counted_again() -> None:
    hub = estate()
    hub.say(SOLD)  # before the hub heard of the book
    hub.say(figures("5", "720.00", "288.00", 1), figures("5", "720.00", "288.00", 2))
    assert unexplained(hub) == {f"{ERP}/5|main": NOTHING}


def test_posted_depreciation_explains_itself() -> None:
    hub = estate()
    for months in range(4):
        hub.say(told(book("5", [f"{month:02}" for month in range(1, months + 1)]), months))
    [row] = hub.rows(RollForward).values()
    assert (row.posted_depreciation, row.closing_accumulated) == (Decimal(300), Decimal(300))
    assert unexplained(hub) == {f"{ERP}/5|main": NOTHING}


def test_wear_without_a_posted_line_is_visible() -> None:
    hub = estate()
    hub.say(told(book("5", ["01"]), 0))
    hub.say(told(book("5", ["01", "02"], accumulated=Decimal("200.01"), net_book_value=Decimal("999.99")), 1))
    assert unexplained(hub) == {f"{ERP}/5|main": (Decimal(0), Decimal("0.01"))}


def test_t18_a_movement_of_one_book_explains_nothing_in_another() -> None:
    hub = estate()
    for report in BOOKS[:2]:
        hub.say(
            report,
            report.model_copy(
                update={
                    "origin": report.origin.model_copy(update={"native_id": "5|tax"}),
                    "fields": report.fields.model_copy(update={"book_id": "tax"}),
                }
            ),
        )
    hub.say(SOLD)
    assert unexplained(hub) == {
        f"{ERP}/5|main": NOTHING,
        f"{ERP}/5|tax": (Decimal("-480.00"), Decimal("-192.00")),
    }
    assert conflicts(hub) == {("roll_forward.tax", ERP)}


def test_a_movement_in_another_currency_explains_nothing() -> None:
    hub = estate()
    hub.say(BOOKS[0], movement("M1", **(SALE | {"currency": "USD"})), BOOKS[1])
    assert unexplained(hub) == {f"{ERP}/5|main": (Decimal("-480.00"), Decimal("-192.00"))}


def test_figures_older_than_all_that_was_known_are_the_opening() -> None:
    hub = estate()
    hub.say(BOOKS[1], BOOKS[0], BOOKS[1])  # the system was read again from its beginning
    assert unexplained(hub) == {f"{ERP}/5|main": (Decimal("-480.00"), Decimal("-192.00"))}
    hub.say(SOLD)
    assert unexplained(hub) == {f"{ERP}/5|main": NOTHING}


def test_an_older_opening_keeps_the_later_figures_as_the_closing() -> None:
    hub = estate()
    hub.say(BOOKS[1], BOOKS[0])
    assert unexplained(hub) == {f"{ERP}/5|main": (Decimal("-480.00"), Decimal("-192.00"))}


def test_a_book_in_a_new_currency_begins_anew() -> None:
    hub = estate()
    hub.say(BOOKS[0], figures("5", "1300.00", "520.00", 1, currency="USD"))
    assert unexplained(hub) == {f"{ERP}/5|main": NOTHING}


def test_an_older_word_in_the_former_currency_does_not_begin_anew() -> None:
    hub = estate()
    hub.say(BOOKS[0], figures("5", "1300.00", "520.00", 3, currency="USD"))
    before = hub.rows(RollForward)
    hub.say(BOOKS[0], BOOKS[1])
    assert hub.rows(RollForward) == before


def test_a_restart_forgets_neither_openings_nor_halves_nor_reversals() -> None:
    before, after = estate(), Hub()
    sent = movement("M5", hours=5, **SENT_AWAY)
    before.say(*BOOKS[:2], sent, TAKEN_BACK)
    for stage, fresh in zip(before.stages.values(), after.stages.values(), strict=True):
        for table, empty in zip(stage.processor.tables, fresh.processor.tables, strict=True):
            for key, row in table.items():
                empty.load(key, row)
    assert len(after.rows(Conflict)) == 2, "the figures, and half of a transfer"
    after.say(other_half("M6", sent), SOLD, reversal("M9", SOLD))
    assert refused(after)[0] == "fields.reversal_of"
    # The book is as it was after the sale, which what was posted since has not reached yet.
    assert conflicts(after) == set()
    assert unexplained(after) == {f"{ERP}/5|main": NOTHING}
