"""An asset under construction settles to its final assets: its cost goes to nothing, and theirs add up to it."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from tests.unit.processors.bench import ERP, Hub, asset, conflicts, named
from tests.unit.processors.movement_bench import estate, events, movement, other_half, reversal

from tieline.kernel.movement_records import MovementReport


def settles(native_id: str, to: str, amount: str, share: str, of: str = "100.00", **more: Any) -> MovementReport:
    """What asset 5, under construction, gives to a final asset: a share of its cost."""
    part, whole = share.split("/")
    values: dict[str, Any] = {
        "kind": "SETTLEMENT",
        "transaction": "T-1",
        "counterpart_native_id": to,
        "counterpart_company": "ACME",
        "share_numerator": int(part),
        "share_denominator": int(whole),
        "cost_before": of,
        "accumulated_before": "0",
        "cost_change": f"-{amount}",
        "net_book_value_change": f"-{amount}",
        "clearing": f"-{amount}",
    }
    return movement(native_id, **(values | more))


def site() -> Hub:
    hub = estate()
    hub.say(asset(ERP, "7", serial_number="S7", company="ACME"), asset(ERP, "8", serial_number="S8", company="ACME"))
    return hub


def cost_by_asset(hub: Hub) -> dict[str, Decimal]:
    sums: dict[str, Decimal] = {}
    for event in events(hub):
        sums[event.fields.asset_native_id] = (
            sums.get(event.fields.asset_native_id, Decimal(0)) + event.fields.cost_change
        )
    return sums


@pytest.mark.parametrize(
    ("currency", "whole", "parts"),
    [
        ("JPY", "100", ("34", "33", "33")),
        ("EUR", "100.00", ("33.34", "33.33", "33.33")),
        ("KWD", "100.000", ("33.334", "33.333", "33.333")),
    ],
)
def test_what_the_final_assets_receive_is_what_was_under_construction(
    currency: str, whole: str, parts: tuple[str, ...]
) -> None:
    hub = site()
    for n, (to, amount) in enumerate(zip(("6", "7", "8"), parts, strict=True)):
        given = settles(f"G{n}", to, amount, "1/3", whole, currency=currency)
        hub.say(given, other_half(f"R{n}", given))
    assert hub.dead == []
    assert conflicts(hub) == set()
    assert cost_by_asset(hub) == {
        "5": -Decimal(whole), **{to: Decimal(a) for to, a in zip(("6", "7", "8"), parts, strict=True)}
    }  # fmt: skip
    assert len(named(hub.written, "AssetUnderConstructionSettled")) == 6


@pytest.mark.parametrize(
    ("last", "reason"),
    [
        (settles("G2", "7", "66.66", "2/3"), "T-1 settles 99.99 of 100.00"),
        (settles("G2", "7", "66.67", "2/3", "100.01"), "T-1 settles 100.00 of 100.0"),
        (settles("G2", "7", "75.00", "3/4"), "the shares of T-1 make 13/12"),
    ],
)
def test_a_settlement_that_leaves_a_cent_or_takes_one_is_refused(last: MovementReport, reason: str) -> None:
    hub = site()
    hub.say(settles("G1", "6", "33.33", "1/3"), last)
    [rejection] = hub.dead
    assert reason in rejection.reason
    assert rejection.remedy


def test_a_part_may_be_settled_before_the_rest() -> None:
    hub = site()
    given = settles("G1", "6", "33.33", "1/3")
    hub.say(given, other_half("R1", given))
    assert (hub.dead, conflicts(hub)) == ([], set())


def test_a_settlement_without_its_other_half_is_visible() -> None:
    hub = site()
    hub.say(settles("G1", "6", "100.00", "1/1"))
    assert conflicts(hub) == {("counterpart.G1", ERP)}


def test_what_is_under_construction_takes_no_depreciation_over() -> None:
    hub = site()
    worn = {"accumulated_change": "-1.00", "net_book_value_change": "-99.00", "clearing": "-99.00"}
    hub.say(settles("G1", "6", "100.00", "1/1", **worn))
    assert [rejection.field for rejection in hub.dead] == ["fields.accumulated_change"]


def test_a_settlement_is_taken_back_by_its_opposite() -> None:
    hub = site()
    given = settles("G1", "6", "100.00", "1/1")
    received = other_half("R1", given)
    hub.say(given, received, reversal("G1R", given), reversal("R1R", received))
    assert (hub.dead, conflicts(hub)) == ([], set())
    assert cost_by_asset(hub) == {"5": Decimal(0), "6": Decimal(0)}
    right = settles("G2", "7", "100.00", "1/1")
    hub.say(right, other_half("R2", right))
    assert hub.dead == []
    assert cost_by_asset(hub) == {"5": Decimal(-100), "6": Decimal(0), "7": Decimal(100)}
