"""Spend per cost centre and period: rows, sums, pages."""

from __future__ import annotations

import datetime as dt
import random
from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from tieline.kernel.cost_records import CostEvent, CostFields
from tieline.kernel.vocabulary import Accepted
from tieline.views.batch import figures_of
from tieline.views.costs import cost_entry
from tieline.views.spend import Spend, as_json


def spent(
    doc: str,
    total: str,
    *,
    centre: str = "CC-100",
    period: str | None = "2026-003",
    on: dt.date = dt.date(2026, 3, 31),
    currency: str = "EUR",
    company: str = "ACME",
    reverses: str | None = None,
) -> CostEvent:
    accepted = Accepted(
        version=1,
        origin_system="unio24",
        origin_native_id=doc,
        effective_date=on,
        recorded_at=dt.datetime(2026, 4, 2, tzinfo=dt.UTC),
        posting_period=period,
        changed_fields=(),
    )
    fields = CostFields(
        work_order="WO-1",
        company=company,
        currency=currency,
        cost_centre=centre,
        effective_date=on,
        total=Decimal(total),
        lines=(),
        reversal_of=reverses,
    )
    return CostEvent(cost_doc_id=doc, asset_id=None, accepted=accepted, fields=fields)


def rows(spend: Spend) -> list[tuple[object, object, object, object]]:
    found, after = spend.page(limit=500)
    assert after is None
    shown = [as_json(row) for row in found]
    return [(row["cost_centre"], row["period"], row["period_from"], row["spend"]) for row in shown]


def test_the_period_is_the_hubs_and_else_the_month_of_the_effective_date() -> None:
    # Posted in April though done in March: what the hub decided counts.
    spend = figures_of([spent("d1", "10", period="2026-004"), spent("d2", "5", period=None)]).spend
    assert rows(spend) == [
        ("CC-100", "2026-004", "posting_period", {"EUR": "10.00"}),
        ("CC-100", "2026-03", "effective_month", {"EUR": "5.00"}),
    ]


def test_currencies_companies_and_cost_centres_stay_apart() -> None:
    events = [
        spent("d1", "10"),
        spent("d2", "7.0001", currency="USD"),
        spent("d3", "3", company="OTHER"),
        spent("d4", "2", centre="CC-200"),
    ]
    found, _ = figures_of(events).spend.page(limit=10)
    assert [(tuple(row.row), dict(row.spend)) for row in found] == [
        (("ACME", "CC-100", "2026-003"), {"EUR": Decimal(10), "USD": Decimal("7.0001")}),
        (("ACME", "CC-200", "2026-003"), {"EUR": Decimal(2)}),
        (("OTHER", "CC-100", "2026-003"), {"EUR": Decimal(3)}),
    ]


def test_a_reversal_counts_in_its_own_period() -> None:
    events = [spent("d1", "10.10"), spent("d2", "-10.10", period="2026-004", reverses="d1"), spent("d3", "1")]
    spend = figures_of(events).spend
    assert rows(spend) == [
        ("CC-100", "2026-003", "posting_period", {"EUR": "11.10"}),
        ("CC-100", "2026-004", "posting_period", {"EUR": "-10.10"}),
    ]
    assert [row.reversals for row in spend.page(limit=10)[0]] == [0, 1]
    assert spend.totals() == {"EUR": Decimal("1.00")}


def test_documents_read_twice_and_in_any_order_give_the_same() -> None:
    events = [spent(f"d{n}", f"{n}.01", centre=f"CC-{n % 3}") for n in range(12)]
    wanted = rows(figures_of(events).spend)
    for seed in range(20):
        again = events + events[:5]
        random.Random(seed).shuffle(again)  # noqa: S311  - no secret
        assert rows(figures_of(again).spend) == wanted


def test_a_document_that_turns_out_to_belong_elsewhere_leaves_no_empty_row() -> None:
    spend = Spend()
    for event in (spent("d1", "10"), spent("d1", "10", centre="CC-200")):
        spend.put_document("d1", cost_entry(event))
    assert rows(spend) == [("CC-200", "2026-003", "posting_period", {"EUR": "10.00"})]


def test_filters_choose_rows_and_their_totals() -> None:
    events = [spent("d1", "1"), spent("d2", "2", centre="CC-200"), spent("d3", "4", period="2026-004")]
    spend = figures_of(events).spend
    assert spend.totals(cost_centre="CC-100") == {"EUR": Decimal(5)}
    assert spend.totals(period="2026-003") == {"EUR": Decimal(3)}
    assert spend.totals(cost_centre="CC-100", period="2026-004") == {"EUR": Decimal(4)}
    assert [row.row.period for row in spend.page(cost_centre="CC-100", limit=9)[0]] == ["2026-003", "2026-004"]


def test_codes_with_the_separator_in_them_are_two_rows_and_two_places() -> None:
    events = [spent("d1", "1", company="A/B", centre="C"), spent("d2", "2", company="A", centre="B/C")]
    spend = figures_of(events).spend
    first, after = spend.page(limit=1)
    assert after is not None
    second, end = spend.page(limit=1, after=after)
    assert end is None
    assert {row.row.company for row in (*first, *second)} == {"A/B", "A"}


@given(st.lists(st.tuples(st.integers(0, 8), st.integers(0, 3), st.decimals(-1000, 1000, places=4)), max_size=40))
def test_the_pages_add_up_to_the_totals(documents: list[tuple[int, int, Decimal]]) -> None:
    events = [spent(f"d{doc}", format(amount, "f"), centre=f"CC-{centre}") for doc, centre, amount in documents]
    spend = figures_of(events).spend
    total, after = Decimal(0), ""
    while True:
        found, following = spend.page(after=after, limit=2)
        total += sum((sum(row.spend.values()) for row in found), Decimal(0))
        if following is None:
            break
        after = following
    latest = {doc: amount for doc, _, amount in documents}
    assert total == sum(latest.values(), Decimal(0)) == sum(spend.totals().values(), Decimal(0))
