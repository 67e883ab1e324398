"""What approved orders make, and how money is split."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.unit.processors.bench import ERP, NOW

from tieline.kernel.asset_records import AssetReport, PhysicalStatus
from tieline.kernel.landscape import Capitalisation
from tieline.kernel.order_records import ApprovalStatus, OrderEvent, OrderFields, OrderLine
from tieline.kernel.vocabulary import Accepted
from tieline.processors.capitalise import propose_assets, split_amount

RULE = Capitalisation(explode_up_to_units=10)


def a_line(quantity: str = "3", net_amount: str = "1000.00", **changes: Any) -> OrderLine:
    values: dict[str, Any] = {
        "line_id": "7",
        "line_no": 1,
        "description": "Laptop",
        "asset_class": "COMPUTER",
        "quantity": Decimal(quantity),
        "unit_price": Decimal("333.33"),
        "net_amount": Decimal(net_amount),
    }
    return OrderLine(**(values | changes))


def an_order(*lines: OrderLine, approval: str = "APPROVED", currency: str = "EUR") -> OrderFields:
    lines = lines or (a_line(),)
    return OrderFields(
        company="ACME",
        po_number="PO1",
        currency=currency,
        order_date=dt.date(2026, 11, 2),
        approval_status=ApprovalStatus(approval),
        net_total=sum((line.net_amount for line in lines), Decimal(0)),
        lines=lines,
    )


def proposals(order: OrderFields, rule: Capitalisation = RULE) -> list[AssetReport]:
    accepted = Accepted(
        version=4,
        origin_system=ERP,
        origin_native_id="7",
        effective_date=NOW.date(),
        recorded_at=NOW,
        changed_fields=(),
    )
    return list(propose_assets(OrderEvent(po_id="p1", accepted=accepted, fields=order), rule))


def test_each_unit_becomes_a_record_of_its_own() -> None:
    reports = proposals(an_order())
    assert [r.origin.native_id for r in reports] == ["7/1", "7/2", "7/3"]
    assert [r.fields.po_line_ref for r in reports] == ["tryton/7/1", "tryton/7/2", "tryton/7/3"]
    assert [r.fields.acquisition_cost.amount for r in reports if r.fields.acquisition_cost] == [
        Decimal("333.34"),
        Decimal("333.33"),
        Decimal("333.33"),
    ]
    first = reports[0]
    assert (first.origin.system, first.origin.entity) == (ERP, "purchase-line")
    assert first.fields.physical_status is PhysicalStatus.ORDERED
    assert (first.fields.quantity, first.fields.company, first.fields.asset_class) == (Decimal(1), "ACME", "COMPUTER")


@pytest.mark.parametrize("quantity", ["11", "2.5", "0.5", "10000"])
def test_what_is_not_a_small_whole_quantity_becomes_one_record(quantity: str) -> None:
    [report] = proposals(an_order(a_line(quantity)))
    assert report.origin.native_id == "7/1"
    assert report.fields.quantity == Decimal(quantity)
    assert report.fields.acquisition_cost is not None
    assert report.fields.acquisition_cost.amount == Decimal("1000.00")


def test_the_limit_itself_is_still_exploded() -> None:
    assert len(proposals(an_order(a_line("10")))) == 10


@pytest.mark.parametrize("approval", ["DRAFT", "PENDING", "REJECTED", "CANCELLED", "UNKNOWN"])
def test_only_an_approved_order_makes_anything(approval: str) -> None:
    assert proposals(an_order(approval=approval)) == []


@pytest.mark.parametrize(
    "line", [a_line(asset_class=None), a_line("0"), a_line("-3", "-1000.00"), a_line("1", "-50.00")]
)
def test_lines_that_buy_no_asset_make_nothing(line: OrderLine) -> None:
    assert proposals(an_order(line)) == []


def test_the_same_order_makes_the_same_records() -> None:
    assert proposals(an_order()) == proposals(an_order())


amounts = st.decimals(min_value=0, max_value=Decimal("9999999999999999.9999"), places=4)
currencies = st.sampled_from(["EUR", "USD", "JPY", "KWD"])


@given(amounts, st.integers(1, 1000), currencies)
def test_a_split_adds_up_exactly_and_is_even(amount: Decimal, parts: int, currency: str) -> None:
    shares = split_amount(amount, parts, currency)
    step = {"JPY": Decimal(1), "KWD": Decimal("0.001")}.get(currency, Decimal("0.01"))
    assert len(shares) == parts
    assert sum(shares, Decimal(0)) == amount
    assert sorted(shares, reverse=True) == shares
    assert shares[0] - shares[-1] < 2 * step
    assert all(share % step == 0 for share in shares[1:])


@given(amounts, st.integers(1, 10))
def test_the_records_of_a_line_cost_what_the_line_costs(amount: Decimal, quantity: int) -> None:
    reports = proposals(an_order(a_line(str(quantity), str(amount))))
    costs = [r.fields.acquisition_cost.amount for r in reports if r.fields.acquisition_cost]
    assert len(costs) == quantity
    assert sum(costs, Decimal(0)) == amount
