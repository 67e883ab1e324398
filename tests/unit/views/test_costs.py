"""What assets cost: entries, sums, pages."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from tieline.kernel.asset_records import AssetEvent, AssetFields
from tieline.kernel.cost_records import CostEvent, CostFields, CostKind, CostLine
from tieline.kernel.vocabulary import Accepted, Money
from tieline.views.costs import UNASSIGNED, AssetEntry, CostEntry, Costs, as_json, asset_entry, cost_entry

NOW = dt.datetime(2026, 3, 1, tzinfo=dt.UTC)


def accepted(version: int) -> Accepted:
    return Accepted(
        version=version,
        origin_system="unio24",
        origin_native_id="1",
        effective_date=dt.date(2026, 3, 1),
        recorded_at=NOW,
        changed_fields=(),
    )


def posted(
    total: str, *, asset_id: str | None = "a1", day: int = 1, reverses: str | None = None, currency: str = "EUR"
) -> CostEvent:
    line = CostLine(line_no=1, kind=CostKind.LABOUR, description="work", amount=Decimal(total))
    fields = CostFields(
        work_order="WO-1",
        company="ACME",
        currency=currency,
        cost_centre="CC-100",
        effective_date=dt.date(2026, 3, day),
        total=Decimal(total),
        lines=(line,),
        reversal_of=reverses,
    )
    return CostEvent(cost_doc_id="d1", asset_id=asset_id, accepted=accepted(1), fields=fields)


def registered(version: int, amount: str | None, *, tag: str = "T1") -> AssetEvent:
    cost = None if amount is None else Money(amount=Decimal(amount), currency="EUR")
    fields = AssetFields(tag=tag, acquisition_cost=cost)
    return AssetEvent(asset_id="a1", accepted=accepted(version), fields=fields, links={})


def costs_of(documents: dict[str, CostEntry], assets: dict[str, AssetEntry]) -> Costs:
    costs = Costs()
    for cost_doc_id, document in documents.items():
        costs.put_document(cost_doc_id, document)
    for asset_id, asset in assets.items():
        costs.put_asset(asset_id, asset)
    return costs


def test_price_and_maintenance_make_the_total_cost_of_ownership() -> None:
    costs = costs_of(
        {"d1": cost_entry(posted("10.10", day=3)), "d2": cost_entry(posted("5.05", day=9))},
        {"a1": asset_entry(registered(1, "1000"), None)},
    )
    found = costs.of("a1")
    assert found is not None
    assert as_json(found) == {
        "asset_id": "a1",
        "tag": "T1",
        "merged": [],
        "documents": 2,
        "reversals": 0,
        "last_date": "2026-03-09",
        "acquisition": {"EUR": "1000.00"},
        "maintenance": {"EUR": "15.15"},
        "capitalised": {},
        "total_cost_of_ownership": {"EUR": "1015.15"},
        "depreciation": {},
    }


def test_currencies_are_never_added_to_each_other() -> None:
    costs = costs_of(
        {"d1": cost_entry(posted("10")), "d2": cost_entry(posted("7", currency="USD"))},
        {"a1": asset_entry(registered(1, "100"), None)},
    )
    found = costs.of("a1")
    assert found is not None
    assert found.total_cost_of_ownership == {"EUR": Decimal(110), "USD": Decimal(7)}


def test_a_document_read_again_adds_nothing() -> None:
    costs = Costs()
    for _ in range(3):
        costs.put_document("d1", cost_entry(posted("10.10")))
    found = costs.of("a1")
    assert found is not None
    assert (found.documents, found.maintenance) == (1, {"EUR": Decimal("10.10")})


def test_a_reversal_is_a_document_that_takes_the_amount_back() -> None:
    costs = Costs()
    costs.put_document("d1", cost_entry(posted("10.10")))
    costs.put_document("d2", cost_entry(posted("-10.10", reverses="1")))
    found = costs.of("a1")
    assert found is not None
    assert (found.documents, found.reversals, found.maintenance) == (2, 1, {"EUR": Decimal("0.00")})


def test_a_document_that_turns_out_to_belong_to_another_asset_moves_there() -> None:
    costs = Costs()
    costs.put_document("d1", cost_entry(posted("10", asset_id=None)))
    assert costs.of(UNASSIGNED) is not None
    costs.put_document("d1", cost_entry(posted("10")))
    assert costs.of(UNASSIGNED) is None
    assert costs.of("a1") is not None
    assert costs.totals()["maintenance"] == {"EUR": Decimal(10)}


def test_an_older_version_of_an_asset_changes_nothing() -> None:
    newer = asset_entry(registered(5, "200"), None)
    assert asset_entry(registered(4, "100"), newer) == newer
    assert asset_entry(registered(6, None), newer)["amount"] is None


def test_an_unknown_asset_has_no_cost() -> None:
    assert Costs().of("nobody") is None


def test_pages_follow_each_other_without_gap_or_repetition() -> None:
    entry = asset_entry(registered(1, "1"), None)
    costs = costs_of({"d1": cost_entry(posted("1", asset_id="a07b"))}, {f"a{n:02d}": entry for n in range(25)})
    seen: list[str] = []
    after: str | None = ""
    while after is not None:
        found, after = costs.page(after=after, limit=10)
        assert len(found) <= 10
        seen += [cost.asset_id for cost in found]
    assert seen == sorted([*(f"a{n:02d}" for n in range(25)), "a07b"])


@given(st.lists(st.tuples(st.integers(0, 5), st.integers(0, 3), st.decimals(-1000, 1000, places=4)), max_size=40))
def test_the_parts_always_add_up_to_the_totals(documents: list[tuple[int, int, Decimal]]) -> None:
    costs = Costs()
    for doc, asset, amount in documents:
        costs.put_document(f"d{doc}", cost_entry(posted(format(amount, "f"), asset_id=f"a{asset}")))
    found, after = costs.page(after="", limit=100)
    assert after is None
    latest = {doc: amount for doc, _, amount in documents}
    assert sum((sum(cost.maintenance.values()) for cost in found), Decimal(0)) == sum(latest.values(), Decimal(0))
    assert sum(cost.documents for cost in found) == len(latest)
