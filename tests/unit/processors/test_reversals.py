"""T32: a cost correction is a reversal of the original: net zero, once, and credits are negative."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.unit.processors.bench import AM, ERP, FLOWS, Hub, asset, cost, landscape, named

from tieline.kernel.command_records import PostCost
from tieline.kernel.cost_records import CostReport, CostState

ORIGINAL = cost("WO1", None, "80.00", "20.50", "-3.25")
TAKEN_BACK = ("-80.00", "-20.50", "3.25")


def reversal(native_id: str = "WO1R", of: str = "WO1", *amounts: str, **changes: Any) -> CostReport:
    return cost(native_id, None, *(amounts or TAKEN_BACK), reversal_of=of, work_order="WO1", **changes)


def balance(hub: Hub) -> Decimal:
    return sum((command.fields.total for command in posted(hub)), Decimal(0))


def posted(hub: Hub) -> list[PostCost]:
    return [command for command in hub.commands[ERP] if isinstance(command, PostCost)]


@given(st.permutations([ORIGINAL, reversal(), cost("WO2", None, "97.25")]))
def test_t32_original_and_reversal_net_to_zero_in_either_order(told: Sequence[CostReport]) -> None:
    hub = Hub()
    hub.say(*told, *told)
    assert hub.dead == []
    assert balance(hub) == Decimal("97.25")
    assert sum((row.fields.total for row in hub.rows(CostState).values()), Decimal(0)) == Decimal("97.25")
    assert [typed.name for typed in named(hub.written, "CostReversed")] == ["CostReversed"]
    [sent] = [command for command in posted(hub) if command.fields.reversal_of]
    assert sent.fields.reversal_of == "WO1"
    assert [line.amount for line in sent.fields.lines] == [Decimal(amount) for amount in TAKEN_BACK]


def test_t32_a_reversal_lands_on_its_own_day_and_the_original_is_not_touched() -> None:
    hub = Hub()
    hub.say(ORIGINAL)
    before = hub.rows(CostState)
    hub.say(reversal(effective_date=dt.date(2026, 12, 1)))
    assert {key: hub.rows(CostState)[key] for key in before} == before
    assert [c.fields.effective_date for c in posted(hub)] == [dt.date(2026, 11, 3), dt.date(2026, 12, 1)]


def test_t32_a_credit_is_a_document_of_its_own() -> None:
    hub = Hub()
    hub.say(cost("C1", None, "-25.98"))
    assert hub.dead == []
    assert balance(hub) == Decimal("-25.98")


def test_t32_a_reversal_older_than_the_hub_is_posted() -> None:
    hub = Hub()
    hub.say(reversal("R9", "BEFORE-US"))
    assert hub.dead == []
    assert balance(hub) == Decimal("-97.25")


@pytest.mark.parametrize(
    ("told", "field", "reason"),
    [
        ([ORIGINAL, reversal(), reversal("WO1S")], "fields.reversal_of", "WO1 is reversed already, by WO1R"),
        ([reversal(), reversal("WO1S")], "fields.reversal_of", "WO1 is reversed already, by WO1R"),
        ([ORIGINAL, reversal(), reversal("WO1S", "WO1R")], "fields.reversal_of", "a reversal is reversed"),
        ([reversal("WO1S", "WO1R"), reversal("WO1R", "WO1")], "fields.reversal_of", "a reversal is reversed"),
        ([reversal("WO1R", "WO1R")], "fields.reversal_of", "a reversal is reversed"),
        ([ORIGINAL, reversal("R", "WO1", "-80.00", "-20.50")], "fields.lines", "does not take back 97.25"),
        ([ORIGINAL, reversal("R", "WO1", "-80.50", "-20.00", "3.25")], "fields.lines", "line by line"),
        ([reversal("R", "WO1", "-97.00"), ORIGINAL], "fields.lines", "does not take back 97.25"),
        ([ORIGINAL, reversal(cost_centre="CC2")], "fields.cost_centre", "the reversal has CC2, the original CC1"),
        ([ORIGINAL, reversal(currency="USD")], "fields.currency", "the reversal has USD, the original EUR"),
        ([ORIGINAL, reversal(company="OTHER")], "fields.company", "the reversal has OTHER"),
    ],
)
def test_t32_what_is_no_reversal_of_its_original_is_refused(told: list[CostReport], field: str, reason: str) -> None:
    hub = Hub()
    hub.say(*told)
    [rejection] = hub.dead
    assert rejection.field == field
    assert reason in rejection.reason
    assert rejection.remedy
    assert len(hub.rows(CostState)) == len(told) - 1


def test_t32_a_reversal_goes_to_the_same_asset() -> None:
    hub = Hub()
    hub.say(asset(AM, "9", serial_number="S"), asset(AM, "8", serial_number="T"), cost("WO1", "9", "80.00"))
    hub.say(cost("WO1R", "8", "-80.00", reversal_of="WO1"))
    assert [rejection.field for rejection in hub.dead] == ["fields.asset_native_id"]
    hub.say(cost("WO1R", "9", "-80.00", reversal_of="WO1"))
    assert balance(hub) == 0


def test_documents_of_two_systems_with_one_number_have_nothing_to_do_with_each_other() -> None:
    hub = Hub(landscape([*FLOWS, ("cost-document", "cards", ERP)], cards="asset-management"))
    foreign = reversal("R", "WO1", "-1.00")
    foreign = foreign.model_copy(update={"origin": foreign.origin.model_copy(update={"system": "cards"})})
    hub.say(ORIGINAL, foreign)
    assert hub.dead == []
