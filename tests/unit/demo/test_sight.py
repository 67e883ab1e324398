"""Whether two systems tell the same story: every kind of difference is seen."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal

import pytest

from tieline.demo.sight import Side, differences, figures
from tieline.kernel.asset_records import AssetFields, FinancialStatus, PhysicalStatus
from tieline.kernel.book_records import BookFields
from tieline.kernel.cost_records import CostFields, CostKind, CostLine
from tieline.kernel.order_records import ApprovalStatus, OrderFields, OrderLine
from tieline.kernel.vocabulary import Money

EUR_100 = Money(amount=Decimal(100), currency="EUR")
IN_USE = AssetFields(
    tag="T1",
    location="BER",
    physical_status=PhysicalStatus.IN_SERVICE,
    asset_number="7",
    acquisition_cost=EUR_100,
    po_line_ref="tryton/5/1",
)
IN_BOOKS = IN_USE.model_copy(update={"physical_status": None, "financial_status": FinancialStatus.RUNNING})
BOOK = BookFields(
    book_id="main",
    currency="EUR",
    method="SL",
    gross_cost=Decimal(100),
    salvage=Decimal(0),
    accumulated=Decimal(10),
    net_book_value=Decimal(90),
    as_of=dt.date(2026, 1, 31),
    lines=(),
)
COST = CostFields(
    work_order="WO-1",
    company="ACME",
    currency="EUR",
    cost_centre="CC-1",
    effective_date=dt.date(2026, 1, 1),
    total=Decimal(5),
    lines=(CostLine(line_no=1, kind=CostKind.PART, description="x", amount=Decimal(5)),),
)


def order_line(line_id: str, asset_class: str | None) -> OrderLine:
    return OrderLine(
        line_id=line_id,
        line_no=1,
        description="line",
        asset_class=asset_class,
        quantity=Decimal(1),
        unit_price=Decimal(100),
        net_amount=Decimal(100),
    )


ORDER = OrderFields(
    company="ACME",
    currency="EUR",
    approval_status=ApprovalStatus.APPROVED,
    net_total=Decimal(200),
    lines=(order_line("5", "COMPUTER"), order_line("6", None)),
)
AM = Side({"1": IN_USE}, {"1": BOOK}, {}, {"d1": COST})
ERP = Side({"70": IN_BOOKS}, {"70": BOOK}, {"o": ORDER}, {"m1": COST})


def changed(fields: AssetFields, **values: object) -> AssetFields:
    return fields.model_copy(update=values)


def test_the_same_story_has_no_differences() -> None:
    assert differences(AM, ERP) == []
    assert all(figure.difference == 0 for figure in figures(AM, ERP))


@pytest.mark.parametrize(
    ("spoil", "sentence"),
    [
        (lambda: (replace(AM, assets={}), ERP), "asset 7 of the ERP is not in asset management"),
        (lambda: (AM, replace(ERP, assets={}, books={})), "number 7, which the ERP does not know"),
        (lambda: (replace(AM, assets={**AM.assets, "2": IN_USE}), ERP), "stands 2 times in asset management"),
        (lambda: (AM, replace(ERP, assets={**ERP.assets, "71": IN_BOOKS})), "stands 2 times in the ERP"),
        (
            lambda: (replace(AM, assets={**AM.assets, "2": changed(IN_USE, asset_number=None, tag="T2")}), ERP),
            "T2 is in use with a cost and not in the ERP",
        ),
        (
            lambda: (AM, replace(ERP, assets={**ERP.assets, "71": changed(IN_BOOKS, asset_number=None)})),
            "ERP asset 71 has no number",
        ),
        (
            lambda: (AM, replace(ERP, assets={"70": changed(IN_BOOKS, location="HAM")})),
            "location is BER in asset management, HAM in the ERP",
        ),
        (
            lambda: (AM, replace(ERP, assets={"70": changed(IN_BOOKS, acquisition_cost=None)})),
            "acquisition_cost is 100 EUR in asset management, nothing in the ERP",
        ),
        (
            lambda: (AM, replace(ERP, assets={"70": changed(IN_BOOKS, financial_status=FinancialStatus.CLOSED)})),
            "asset 7 is IN_SERVICE in asset management, CLOSED in the ERP",
        ),
        (lambda: (replace(AM, books={}), ERP), "the finance panel does not show the ERP's book"),
        (
            lambda: (replace(AM, assets={"1": changed(IN_USE, po_line_ref=None)}), ERP),
            "order line 5 (line) has 0 of 1 asset records",
        ),
        (
            lambda: (replace(AM, assets={"1": changed(IN_USE, po_line_ref="tryton/6/1")}), ERP),
            "order line 6 (line) has 1 of 0 asset records",
        ),
        (lambda: (AM, replace(ERP, costs={})), "WO-1: 1 cost documents of 5, 0 postings of 0"),
        (lambda: (AM, replace(ERP, costs={"m1": COST, "m2": COST})), "WO-1: 1 cost documents of 5, 2 postings of 10"),
    ],
)
def test_each_kind_of_difference_is_said(spoil: Callable[[], tuple[Side, Side]], sentence: str) -> None:
    found = differences(*spoil())
    assert any(sentence in line for line in found), found


def test_figures_are_counted_and_summed_on_each_side_by_itself() -> None:
    poorer = replace(ERP, costs={}, books={"70": BOOK.model_copy(update={"accumulated": Decimal(4)})})
    found = {figure.name: figure for figure in figures(AM, poorer)}
    assert found["maintenance cost"].difference == Decimal(5)
    assert found["cost documents"].difference == 1
    assert found["accumulated depreciation"].difference == Decimal(6)
    assert found["fixed assets"].difference == 0
