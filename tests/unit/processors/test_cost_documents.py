"""Costs to the right receiver, by share; capitalised or an expense (T31); reversed as they were posted (T32)."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from pydantic import ValidationError
from tests.unit.processors.bench import AM, ERP, Hub, asset, book, conflicts, cost, landscape, named
from tests.unit.processors.movement_bench import movement, reversal, told

from tieline.kernel.command_records import PostCost
from tieline.kernel.cost_records import (
    CostEvent,
    CostKind,
    CostLine,
    CostReceiver,
    CostReport,
    CostState,
    CostTreatment,
    ReceiverKind,
)
from tieline.kernel.landscape import Capitalisation, Landscape
from tieline.kernel.memory import Conflict
from tieline.views.batch import figures_of

REPAIR = f"{AM}/WO1"


def bears(code: str, part: int, whole: int, kind: ReceiverKind = ReceiverKind.COST_CENTRE) -> CostReceiver:
    return CostReceiver(kind=kind, code=code, share_part=part, share_whole=whole)


def shared(native_id: str, amount: str, *receivers: CostReceiver, **changes: Any) -> CostReport:
    line = CostLine(line_no=1, kind=CostKind.PART, description="part", amount=Decimal(amount), receivers=receivers)
    return cost(native_id, None, **({"total": Decimal(amount), "lines": (line,)} | changes))


def estate(*thresholds: dict[str, object]) -> Landscape:
    """An estate with these thresholds of capital repairs."""
    return landscape().model_copy(update={"capitalisation": Capitalisation.model_validate({"repairs": thresholds})})


FIVE_HUNDRED = estate({"threshold": "500.00", "currency": "EUR"})


def works(rules: Landscape = FIVE_HUNDRED) -> Hub:
    """A hub that knows a machine: record 9 of asset management, 5 of the ERP."""
    hub = Hub(rules)
    hub.say(
        asset(ERP, "5", serial_number="S", company="ACME"),
        asset(AM, "9", serial_number="S", company="ACME"),
    )
    return hub


def repair(native_id: str, amount: str, treatment: str | None = "CAPITALISE", **changes: Any) -> CostReport:
    wanted = CostTreatment(treatment) if treatment else None
    return cost(native_id, "9", amount, **({"treatment": wanted} | changes))


def posted(hub: Hub) -> list[PostCost]:
    return [command for command in hub.commands[ERP] if isinstance(command, PostCost)]


def events(hub: Hub) -> list[str]:
    return [typed.name for typed in named(hub.written, "CostPosted", "CostCapitalised", "CostReversed")]


def adjustment(native_id: str, amount: str, **changes: Any) -> Any:
    values = {"kind": "ACQUISITION_ADJUSTMENT", "transaction": REPAIR, "cost_change": amount}
    values |= {"net_book_value_change": amount, "clearing": amount}
    return movement(native_id, **(values | changes))


# --- receivers


@pytest.mark.parametrize(
    ("currency", "amount", "parts"),
    [
        ("JPY", "101", [("CC1", "51"), ("CC2", "50")]),
        ("EUR", "100.01", [("CC1", "50.01"), ("CC2", "50.00")]),
        ("KWD", "0.125", [("CC1", "0.063"), ("CC2", "0.062")]),
    ],
)
def test_the_command_says_what_each_receiver_bears(currency: str, amount: str, parts: list[tuple[str, str]]) -> None:
    hub = Hub()
    hub.say(shared("WO1", amount, bears("CC2", 1, 2), bears("CC1", 1, 2), currency=currency))
    [command] = posted(hub)
    assert [(p.receiver, p.amount.amount) for p in command.postings] == [(code, Decimal(part)) for code, part in parts]
    assert {(p.kind, p.receiver_kind, p.amount.currency) for p in command.postings} == {
        (CostKind.PART, ReceiverKind.COST_CENTRE, currency)
    }


def test_without_receivers_the_documents_cost_centre_bears_every_line() -> None:
    hub = Hub()
    hub.say(cost("WO1", None, "80.00", "20.50"))
    [command] = posted(hub)
    assert [(p.line_no, p.receiver, p.amount.amount) for p in command.postings] == [
        (1, "CC1", Decimal("80.00")),
        (2, "CC1", Decimal("20.50")),
    ]


@pytest.mark.parametrize(
    ("receivers", "field"),
    [
        ((bears("CC1", 1, 3), bears("CC2", 1, 3)), "fields.lines.0.receivers"),
        ((bears("X", 1, 1, ReceiverKind.UNKNOWN),), "fields.lines.0.receivers.0.kind"),
    ],
)
def test_what_no_receiver_bears_is_held_and_not_posted(receivers: tuple[CostReceiver, ...], field: str) -> None:
    hub = Hub()
    hub.say(shared("WO1", "10.00", *receivers))
    [rejection] = hub.dead
    assert (rejection.field, bool(rejection.remedy)) == (field, True)
    assert (events(hub), posted(hub), hub.rows(CostState)) == ([], [], {})


def test_t32_a_reversal_takes_back_the_same_split() -> None:
    hub = Hub()
    thirds = [bears(code, 1, 3) for code in ("A", "B", "C")]
    hub.say(shared("WO1", "100.00", *thirds))
    hub.say(shared("WO1R", "-100.00", *reversed(thirds), reversal_of="WO1", work_order="WO1"))
    assert hub.dead == []
    sums: dict[str, Decimal] = {}
    for command in posted(hub):
        for part in command.postings:
            sums[part.receiver] = sums.get(part.receiver, Decimal(0)) + part.amount.amount
    assert sums == {"A": Decimal(0), "B": Decimal(0), "C": Decimal(0)}


@pytest.mark.parametrize("receivers", [(), (bears("A", 1, 2), bears("B", 1, 2)), (bears("A", 1, 3), bears("C", 2, 3))])
def test_t32_a_reversal_that_takes_from_other_receivers_is_refused(receivers: tuple[CostReceiver, ...]) -> None:
    hub = Hub()
    hub.say(shared("WO1", "90.00", bears("A", 1, 3), bears("B", 2, 3)))
    hub.say(shared("WO1R", "-90.00", *receivers, reversal_of="WO1", work_order="WO1"))
    [rejection] = hub.dead
    assert rejection.field == "fields.lines"
    assert "what each receiver bears" in rejection.reason
    assert len(posted(hub)) == 1


def test_t32_to_name_the_documents_own_cost_centre_is_to_name_nobody() -> None:
    hub = Hub()
    hub.say(shared("WO1", "90.00"))
    hub.say(shared("WO1R", "-90.00", bears("CC1", 1, 1), reversal_of="WO1", work_order="WO1"))
    assert hub.dead == []
    assert len(posted(hub)) == 2


# --- treatment


def test_t31_a_flagged_repair_at_the_threshold_becomes_the_assets_cost_and_no_expense() -> None:
    hub = works()
    hub.say(repair("WO1", "500.00", extends_life_periods=12))
    assert hub.dead == []
    assert events(hub) == ["CostCapitalised"]
    assert posted(hub) == []
    [row] = hub.rows(CostState).values()
    assert (row.treatment, row.treatment_reason) == (CostTreatment.CAPITALISE, "reaches the threshold of 500.00 EUR")
    [conflict] = hub.rows(Conflict).values()
    assert (conflict.canonical_id, conflict.owner, conflict.system) == (row.asset_id, AM, ERP)
    assert conflict.owned_value == "capitalise 500 EUR, useful life 12 periods longer"
    assert conflict.foreign_value == f"nothing is booked: post the adjustment on the asset under transaction {REPAIR}"


@pytest.mark.parametrize(
    ("amount", "treatment"), [("499.99", "CAPITALISE"), ("-700.00", "CAPITALISE"), ("9000.00", None)]
)
def test_t31_below_the_threshold_or_without_the_flag_it_stays_an_expense(amount: str, treatment: str | None) -> None:
    hub = works()
    hub.say(repair("WO1", amount, treatment))
    assert hub.dead == []
    assert events(hub) == ["CostPosted"]
    assert [command.fields.total for command in posted(hub)] == [Decimal(amount)]
    assert conflicts(hub) == set()
    [row] = hub.rows(CostState).values()
    assert row.treatment is CostTreatment.EXPENSE
    assert bool(row.treatment_reason) == (treatment is not None)  # what was wanted and refused is said, not silent


def test_t31_the_expense_that_somebody_says_it_is_stays_one_however_large() -> None:
    hub = works()
    hub.say(repair("WO1", "9000.00", "EXPENSE"))
    assert events(hub) == ["CostPosted"]


@pytest.mark.parametrize(
    ("thresholds", "currency", "amount", "name"),
    [
        ([{"threshold": "500", "currency": "EUR", "at_limit": "excluded"}], "EUR", "500.00", "CostPosted"),
        ([{"threshold": "500", "currency": "EUR", "at_limit": "excluded"}], "EUR", "500.01", "CostCapitalised"),
        ([{"threshold": "50000", "currency": "JPY"}], "JPY", "49999", "CostPosted"),
        ([{"threshold": "50000", "currency": "JPY"}], "JPY", "50000", "CostCapitalised"),
        ([{"threshold": "1.500", "currency": "KWD"}], "KWD", "1.499", "CostPosted"),
        ([{"threshold": "1.500", "currency": "KWD"}], "KWD", "1.500", "CostCapitalised"),
        ([], "EUR", "0.01", "CostCapitalised"),
        ([], "EUR", "0.00", "CostPosted"),
    ],
)
def test_t31_the_threshold_is_data_and_of_the_documents_currency(
    thresholds: list[dict[str, object]], currency: str, amount: str, name: str
) -> None:
    hub = works(estate(*thresholds))
    hub.say(repair("WO1", amount, currency=currency))
    assert (events(hub), hub.dead) == ([name], [])


def test_t31_a_currency_has_one_threshold() -> None:
    twice = [{"threshold": amount, "currency": "EUR"} for amount in ("500.00", "600.00")]
    with pytest.raises(ValidationError, match="two thresholds in EUR"):
        Capitalisation.model_validate({"repairs": twice})


@pytest.mark.parametrize(
    ("report", "field"),
    [
        (repair("WO1", "900.00", "UNKNOWN"), "fields.treatment"),
        (repair("WO1", "900.00", currency="USD"), "fields.currency"),
        (cost("WO1", None, "900.00", treatment=CostTreatment.CAPITALISE), "fields.asset_native_id"),
        (repair("WO1", "900.00", None, extends_life_periods=12), "fields.extends_life_periods"),
        (repair("WO1", "900.00", extends_life_periods=0), "fields.extends_life_periods"),
    ],
)
def test_t31_what_cannot_be_decided_is_held_and_neither_posted_nor_capitalised(report: CostReport, field: str) -> None:
    hub = works()
    hub.say(report)
    [rejection] = hub.dead
    assert (rejection.field, bool(rejection.remedy)) == (field, True)
    assert (events(hub), posted(hub), hub.rows(CostState)) == ([], [], {})


def test_t31_the_adjustment_in_the_books_ends_the_wait_and_posted_depreciation_is_untouched() -> None:
    hub = works()
    hub.say(told(book("5", ["01", "02"]), 1), repair("WO1", "600.00", extends_life_periods=6))
    hub.say(adjustment("M1", "600.00"))
    [conflict] = hub.rows(Conflict).values()  # the life is still the old one
    assert str(conflict.foreign_value).startswith("main 600 is booked: ")
    hub.say(movement("M2", kind="LIFE_CHANGE", transaction=REPAIR, from_life_periods=12, to_life_periods=18))
    assert hub.dead == []
    assert conflicts(hub) == set()
    assert len(named(hub.written, "DepreciationPosted")) == 2  # what was posted before, each once


def test_t31_an_adjustment_of_another_amount_or_on_another_asset_does_not_end_the_wait() -> None:
    hub = works()
    hub.say(asset(ERP, "6", serial_number="S6", company="ACME"), repair("WO1", "600.00"))
    hub.say(adjustment("M1", "599.99"), adjustment("M2", "0.01", asset_native_id="6"))
    assert conflicts(hub) == {(f"capitalise.{REPAIR}", ERP)}
    hub.say(adjustment("M3", "0.01"))
    assert conflicts(hub) == set()


def test_t31_every_book_that_takes_a_part_must_take_all_of_it() -> None:
    hub = works()
    hub.say(repair("WO1", "600.00"), adjustment("M1", "600.00"), adjustment("M2", "400.00", book_id="tax"))
    assert conflicts(hub) == {(f"capitalise.{REPAIR}", ERP)}
    hub.say(adjustment("M3", "200.00", book_id="tax"))
    assert conflicts(hub) == set()


def test_t31_an_adjustment_may_come_before_its_document() -> None:
    hub = works()
    hub.say(adjustment("M1", "600.00"), repair("WO1", "600.00"))
    assert (hub.dead, conflicts(hub)) == ([], set())


def test_t31_a_capitalised_document_is_reversed_without_any_posting() -> None:
    hub = works()
    hub.say(repair("WO1", "600.00"), repair("WO1R", "-600.00", None, reversal_of="WO1"))
    assert hub.dead == []
    assert events(hub) == ["CostCapitalised", "CostReversed"]
    assert posted(hub) == []
    assert conflicts(hub) == set()
    assert [row.treatment for row in hub.rows(CostState).values()] == [CostTreatment.CAPITALISE] * 2


def test_t31_what_is_reversed_after_the_books_took_it_waits_for_them_to_give_it_back() -> None:
    hub = works()
    taken = adjustment("M1", "600.00")
    hub.say(repair("WO1", "600.00"), taken, repair("WO1R", "-600.00", reversal_of="WO1"))
    [conflict] = hub.rows(Conflict).values()
    assert (conflict.owned_value, str(conflict.foreign_value)[:19]) == ("capitalise 0 EUR", "main 600 is booked:")
    hub.say(reversal("M2", taken))
    assert (hub.dead, conflicts(hub)) == ([], set())


def test_t31_a_reversal_that_comes_first_decides_for_its_original() -> None:
    hub = works()
    hub.say(repair("WO1R", "-600.00", reversal_of="WO1"), repair("WO1", "600.00", None))
    assert events(hub) == ["CostReversed", "CostCapitalised"]
    assert (posted(hub), conflicts(hub)) == ([], set())


def test_t31_a_reversal_follows_its_original_when_the_rules_have_changed_since() -> None:
    hub = works()
    hub.say(repair("WO1", "600.00"))
    after = works(estate({"threshold": "10000.00", "currency": "EUR"}))
    for before, now in zip(hub.stages.values(), after.stages.values(), strict=True):
        for old, new in zip(before.processor.tables, now.processor.tables, strict=True):
            for key, row in old.items():
                new.load(key, row)
    after.say(repair("WO1R", "-600.00", reversal_of="WO1"))
    assert (events(after), posted(after), conflicts(after)) == (["CostReversed"], [], set())


def test_t31_a_restart_forgets_neither_the_wait_nor_what_is_booked() -> None:
    hub = works()
    hub.say(repair("WO1", "600.00"), adjustment("M1", "100.00"))
    again = works()
    for before, now in zip(hub.stages.values(), again.stages.values(), strict=True):
        for old, new in zip(before.processor.tables, now.processor.tables, strict=True):
            for key, row in old.items():
                new.load(key, row)
    again.say(adjustment("M2", "500.00"))
    assert conflicts(again) == set()


def test_t31_spend_leaves_out_what_is_capital_and_ownership_counts_it_once() -> None:
    hub = works()
    hub.say(repair("WO1", "600.00"), repair("WO2", "40.00", None), repair("WO3", "700.00"))
    hub.say(repair("WO3R", "-700.00", None, reversal_of="WO3"))
    found = [typed.body for typed in named(hub.written, "CostPosted", "CostCapitalised", "CostReversed")]
    figures = figures_of(body for body in found if isinstance(body, CostEvent))
    assert figures.spend.totals() == {"EUR": Decimal("40.00")}
    totals = figures.costs.totals()
    assert (totals["maintenance"], totals["capitalised"]) == ({"EUR": Decimal(40)}, {"EUR": Decimal(600)})
    assert totals["total_cost_of_ownership"] == {"EUR": Decimal(40)}  # the books' cost will have the 600


def test_spend_is_each_receivers_own() -> None:
    hub = Hub()
    order = bears("4711", 1, 4, ReceiverKind.INTERNAL_ORDER)
    hub.say(shared("WO1", "100.00", bears("A", 1, 2), bears("B", 1, 4), order), cost("WO2", None, "7.00"))
    found = [typed.body for typed in named(hub.written, "CostPosted")]
    spend = figures_of(body for body in found if isinstance(body, CostEvent)).spend
    by_centre = {code: spend.totals(cost_centre=code).get("EUR") for code in ("A", "B", "CC1", "4711")}
    assert by_centre == {"A": Decimal(50), "B": Decimal(25), "CC1": Decimal(7), "4711": None}
