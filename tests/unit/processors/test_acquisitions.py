"""What receipts and invoices bring into the books: the traps of the domain, by hand-computed amounts."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Sequence
from decimal import Decimal
from fractions import Fraction
from itertools import permutations
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.unit.processors.bench import ERP, Hub, M, Stage, held, landscape, named, order, origin, ticking
from tests.unit.processors.test_capitalise import a_line, an_order

from tieline.kernel.asset_records import AssetState
from tieline.kernel.landscape import Landscape
from tieline.kernel.memory import Conflict
from tieline.kernel.order_records import (
    AcquisitionEvent,
    InvoiceFields,
    InvoiceLine,
    InvoiceReport,
    MatchType,
    OrderReport,
    ProposedAsset,
    ReceiptFields,
    ReceiptLine,
    ReceiptReport,
)
from tieline.kernel.records import Outbound
from tieline.kernel.reports import Report
from tieline.processors.acquisitions import spread
from tieline.processors.wiring import build_processor

RECEIVED, INVOICED, LATE = dt.date(2026, 11, 5), dt.date(2026, 11, 20), dt.date(2027, 2, 3)
FINANCIAL = ("AssetCapitalised", "AssetCostAdjusted", "AssetReclassified", "AssetCapitalisationReversed")


def estate(**capitalisation: Any) -> Landscape:
    """The estate of the bench with a capitalisation section."""
    raw = landscape().model_dump() | {"capitalisation": capitalisation}
    return Landscape.model_validate(raw)


def receipt(native_id: str, quantity: str, rejected: str = "0", **changes: Any) -> ReceiptReport:
    """A receipt for line 7 of order 1; ``quantity`` is what was accepted."""
    part = ReceiptLine(
        line_id="7",
        quantity=Decimal(quantity) + Decimal(rejected),
        accepted=Decimal(quantity),
        rejected=Decimal(rejected),
    )
    values: dict[str, Any] = {"order_native_id": "1", "received_on": RECEIVED, "lines": (part,)}
    return ReceiptReport(origin=origin(ERP, "receipt", native_id), fields=ReceiptFields(**(values | changes)))


def invoice(native_id: str, quantity: str, net: str, **changes: Any) -> InvoiceReport:
    """An invoice for line 7 of order 1."""
    taxes = {name: changes.pop(name) for name in ("tax_amount", "recoverable_tax") if name in changes}
    part = InvoiceLine(line_id="7", quantity=Decimal(quantity), net_amount=Decimal(net), **taxes)
    values: dict[str, Any] = {
        "order_native_id": "1",
        "invoiced_on": INVOICED,
        "currency": "EUR",
        "net_total": Decimal(net),
        "lines": (part,),
    }
    return InvoiceReport(origin=origin(ERP, "invoice", native_id), fields=InvoiceFields(**(values | changes)))


def bought(quantity: str = "3", net: str = "3000.00", approval: str = "APPROVED", **line: Any) -> OrderReport:
    """Order 1 with line 7."""
    return order("1", an_order(a_line(quantity, net, **line), approval=approval))


def financial(written: Iterable[Outbound]) -> list[tuple[str, AcquisitionEvent]]:
    return [(v.name, v.body) for v in named(written, *FINANCIAL) if isinstance(v.body, AcquisitionEvent)]


def told(written: Iterable[Outbound]) -> list[tuple[str, str]]:
    """Name and amount of each financial document."""
    return [(name, f"{event.amount.amount:f}") for name, event in financial(written)]


def rows(hub: Hub, kind: type[M]) -> list[M]:
    return list(hub.rows(kind).values())


def standing(hub: Hub) -> list[tuple[int, str, str, str | None]]:
    """Unit, quantity, status and cost of each proposed asset."""
    found = sorted(rows(hub, ProposedAsset), key=lambda row: (row.line_id, row.unit, row.document))
    return [(r.unit, f"{r.quantity:f}", r.status.value, f"{r.cost.amount:f}" if r.cost else None) for r in found]


def costs(hub: Hub) -> list[str | None]:
    """Cost of each proposed asset, by unit."""
    return [cost for *_, cost in standing(hub)]


def in_books(hub: Hub) -> Decimal:
    """Sum over every financial document."""
    return sum((event.amount.amount for _, event in financial(hub.written)), Decimal(0))


def shells(hub: Hub) -> dict[str | None, tuple[str, dt.date | None]]:
    """Cost and date of each asset record, by order line and unit."""
    return {
        state.fields.po_line_ref: (
            f"{state.fields.acquisition_cost.amount:f}" if state.fields.acquisition_cost else "",
            state.fields.acquisition_date,
        )
        for state in rows(hub, AssetState)
    }


# ---- identity -------------------------------------------------------------------------------------------------


def test_t01_identical_lines_and_identical_documents_all_count() -> None:
    hub = Hub()
    part = ReceiptLine(line_id="7", quantity=Decimal(1), accepted=Decimal(1), rejected=Decimal(0))
    hub.say(bought("4", "400.00"), receipt("R1", "1", lines=(part, part)), receipt("R2", "1"), receipt("R3", "1"))
    assert standing(hub) == [(unit, "1", "CAPITALISED", "100.00") for unit in (1, 2, 3, 4)]


def test_t02_documents_sent_again_change_nothing() -> None:
    hub = Hub()
    said: list[Report] = [
        bought(),
        receipt("R1", "3"),
        invoice("I1", "3", "3300.00"),
        receipt("R2", "1", reversal_of="R1"),
    ]
    hub.say(*said)
    before, books = hub.memory(), in_books(hub)
    # A re-extract mints new event ids and new versions of the source; the documents are the same.
    again = [r.model_copy(update={"origin": r.origin.model_copy(update={"source_version": "99"})}) for r in said]
    written = hub.say(*again)
    assert [out for out in written if out.topic != "hub.identified.report.v1"] == []
    assert hub.memory() == before
    assert in_books(hub) == books
    assert hub.dead == []


def test_a_document_that_comes_before_its_order_waits_for_it() -> None:
    hub = Hub()
    hub.say(receipt("R1", "3"))
    assert held(hub) == {"tryton/receipt/R1": "tryton/purchase-order/1"}
    written = hub.say(bought())
    [released] = [out for out in written if isinstance(out.value, bytes) and b"ReceiptReport" in out.value]
    assert "tl_asset_id" not in released.headers, "an order is no asset"
    assert held(hub) == {}
    assert [status for _, _, status, _ in standing(hub)] == ["CAPITALISED"] * 3


def test_a_document_may_come_from_another_system_than_the_order() -> None:
    hub = Hub()
    counted = receipt("R1", "3", order_system=ERP)
    hub.say(bought(), counted.model_copy(update={"origin": origin("unio24", "receipt", "R1")}))
    assert [status for _, _, status, _ in standing(hub)] == ["CAPITALISED"] * 3
    assert set(shells(hub)) == {"tryton/7/1", "tryton/7/2", "tryton/7/3"}


def test_a_changed_document_is_refused_and_changes_nothing() -> None:
    hub = Hub()
    hub.say(bought(), receipt("R1", "3"))
    before = hub.memory()
    hub.say(receipt("R1", "2"))
    assert [str(dead.reason) for dead in hub.dead] == ["a receipt was changed"]
    assert hub.memory() == before


@pytest.mark.parametrize(
    ("report", "reason"),
    [
        (receipt("R1", "-1"), "negative"),
        (
            receipt(
                "R1",
                "1",
                lines=(ReceiptLine(line_id="7", quantity=Decimal(3), accepted=Decimal(1), rejected=Decimal(1)),),
            ),
            "3 received is not 1 accepted and 1 rejected",
        ),
        (invoice("I1", "1", "5.00", net_total=Decimal("6.00")), "add up to"),
        (invoice("I1", "1", "5.00", currency="USD"), "is USD, the order is in EUR"),
        (invoice("I1", "1", "5.00", tax_amount=Decimal(1), recoverable_tax=Decimal(2)), "cannot be recoverable"),
        (invoice("I1", "1", "5.00", recoverable_tax=Decimal(2)), "2 of no tax"),
        (receipt("R1", "1", reversal_of="R1"), "itself a reversal"),
        (invoice("I1", "1", "5.00", reversal_of="I1"), "itself a reversal"),
        (bought(tax_amount=Decimal(1), recoverable_tax=Decimal(-1)), "-1 of 1 tax"),
    ],
)
def test_a_document_that_contradicts_itself_is_refused(report: Report, reason: str) -> None:
    hub = Hub()
    hub.say(bought(), report)
    [dead] = hub.dead
    assert reason in dead.reason
    assert standing(hub) == []


# ---- quantity -------------------------------------------------------------------------------------------------


def test_t04_a_quantity_that_is_not_whole_is_held_not_cut_off() -> None:
    hub = Hub()
    hub.say(bought("2.5", "2500.00"), receipt("R1", "2.5"))
    assert standing(hub) == [(0, "2.5", "ON_HOLD", None)]
    [row] = rows(hub, ProposedAsset)
    assert row.reason == "2.5 of 2.5 ordered is no whole number of units"
    assert financial(hub.written) == []


def test_t04_a_fraction_received_of_whole_units_is_held_and_the_rest_is_not() -> None:
    hub = Hub()
    hub.say(bought(), receipt("R1", "1.5"), receipt("R2", "1"))
    assert standing(hub) == [(0, "1.5", "ON_HOLD", None), (1, "1", "CAPITALISED", "1000.00")]


def test_t04_fractions_are_taken_where_the_landscape_says_so() -> None:
    hub = Hub(estate(fractions="accept"))
    hub.say(bought("2.5", "2500.00"), receipt("R1", "1.5"))
    assert standing(hub) == [(1, "1.5", "CAPITALISED", "1500.00")]


def test_t04_ten_thousand_units_become_one_collective_record() -> None:
    hub = Hub()
    hub.say(bought("10000", "50000.00"), receipt("R1", "4000"), receipt("R2", "6000"))
    assert standing(hub) == [(1, "4000", "CAPITALISED", "20000.00"), (1, "6000", "CAPITALISED", "30000.00")]
    assert shells(hub) == {"tryton/7/1": ("50000.00", RECEIVED)}


def test_t04_ten_thousand_units_become_chunks_of_the_size_in_the_landscape() -> None:
    hub = Hub(estate(chunk_units=3000))
    hub.say(bought("10000", "50000.01"), receipt("R1", "4000"), receipt("R2", "6000"))
    assert [(unit, quantity) for unit, quantity, _, _ in standing(hub)] == [
        *((1, "3000"), (2, "1000"), (2, "2000"), (3, "3000"), (4, "1000")),
    ]
    assert in_books(hub) == Decimal("50000.01")
    assert len(shells(hub)) == 4


def test_t04_chunks_stay_bounded() -> None:
    hub = Hub(estate(chunk_units=1))
    hub.say(bought("10000", "50000.00"), receipt("R1", "10000"))
    assert standing(hub) == [(1, "10000", "CAPITALISED", "50000.00")]


def test_more_than_was_ordered_is_held() -> None:
    hub = Hub()
    hub.say(bought("2", "200.00"), receipt("R1", "3"))
    assert standing(hub) == [(0, "1", "ON_HOLD", None), *((n, "1", "CAPITALISED", "100.00") for n in (1, 2))]


# ---- cost -----------------------------------------------------------------------------------------------------


def test_t05_tax_that_is_not_recovered_is_spread_to_the_cent_and_the_last_unit_takes_the_rest() -> None:
    hub = Hub()
    hub.say(bought(tax_amount=Decimal(100), recoverable_tax=Decimal(0)), receipt("R1", "3"))
    assert costs(hub) == ["1033.33", "1033.33", "1033.34"]


def test_t05_the_cents_do_not_move_when_the_units_come_one_by_one() -> None:
    hub = Hub()
    hub.say(bought(tax_amount=Decimal(190), recoverable_tax=Decimal(90)))
    hub.say(receipt("R1", "1"), receipt("R2", "1"), receipt("R3", "1"))
    assert told(hub.written) == [("AssetCapitalised", cost) for cost in ("1033.33", "1033.33", "1033.34")]


def test_t05_tax_that_is_recovered_or_not_spoken_of_is_no_cost() -> None:
    taxes: list[dict[str, Any]] = [{}, {"tax_amount": Decimal(570)}]
    for tax in (*taxes, {"tax_amount": Decimal(570), "recoverable_tax": Decimal(570)}):
        hub = Hub()
        hub.say(bought(**tax), receipt("R1", "3"))
        assert costs(hub) == ["1000.00"] * 3


money = st.decimals(min_value=0, max_value=Decimal("9999999.99"), places=2)


@given(money, st.lists(st.integers(1, 500), min_size=1, max_size=30))
def test_t05_parts_add_up_to_the_whole_and_none_is_off_by_a_cent(total: Decimal, units: list[int]) -> None:
    amounts = spread(Fraction(total), [Decimal(n) for n in units], Decimal("0.01"))
    assert sum(amounts, Decimal(0)) == total
    for amount, share in zip(amounts, units, strict=True):
        assert abs(Fraction(amount) - Fraction(total) * share / sum(units)) < Fraction(1, 100)


# ---- rules ----------------------------------------------------------------------------------------------------

LIMIT: dict[str, Any] = {"threshold": "800.00", "currency": "EUR"}
LOW = {"name": "low value", "treatment": "LOW_VALUE"}


def decided(rules: Sequence[dict[str, Any]], *said: Report) -> set[str]:
    hub = Hub(estate(rules=rules))
    hub.say(*said)
    return {row.status.value for row in rows(hub, ProposedAsset)}


@pytest.mark.parametrize(("per", "status"), [("unit", "LOW_VALUE"), ("line", "CAPITALISED")])
def test_t06_below_the_limit_per_unit_and_above_it_in_total(per: str, status: str) -> None:
    rules = [{"name": "asset", "treatment": "CAPITALISE", "per": per, **LIMIT}, LOW]
    assert decided(rules, bought("3", "2100.00"), receipt("R1", "3")) == {status}


@pytest.mark.parametrize(
    ("at_limit", "net", "status"),
    [
        ("included", "800.00", "CAPITALISED"),
        ("excluded", "800.00", "LOW_VALUE"),
        ("excluded", "800.01", "CAPITALISED"),
        ("included", "799.99", "LOW_VALUE"),
    ],
)
def test_t06_what_exactly_the_limit_means_is_said_in_the_data(at_limit: str, net: str, status: str) -> None:
    rules = [{"name": "asset", "treatment": "CAPITALISE", "at_limit": at_limit, **LIMIT}, LOW]
    assert decided(rules, bought("1", net), receipt("R1", "1")) == {status}


def test_t06_the_order_passes_below_the_limit_and_the_invoice_exceeds_it() -> None:
    hub = Hub(estate(rules=[{"name": "asset", "treatment": "CAPITALISE", **LIMIT}, LOW]))
    hub.say(bought("1", "790.00"), receipt("R1", "1"))
    assert standing(hub) == [(1, "1", "LOW_VALUE", "790.00")]
    [(name, event)] = financial(hub.say(invoice("I1", "1", "810.00")))
    assert (name, event.treatment.value, event.rule) == ("AssetReclassified", "CAPITALISE", "asset")
    assert (event.amount.amount, event.cost_after.amount) == (Decimal("20.00"), Decimal("810.00"))
    assert standing(hub) == [(1, "1", "CAPITALISED", "810.00")]


def test_t06_what_was_expensed_is_capitalised_when_the_invoice_exceeds_the_limit_and_back() -> None:
    hub = Hub(
        estate(rules=[{"name": "asset", "treatment": "CAPITALISE", **LIMIT}, {"name": "rest", "treatment": "EXPENSE"}])
    )
    hub.say(bought("1", "790.00"), receipt("R1", "1"))
    assert standing(hub) == [(1, "1", "EXPENSED", "790.00")]
    assert told(hub.written) == []
    assert told(hub.say(invoice("I1", "1", "810.00"))) == [("AssetCapitalised", "810.00")]
    assert told(hub.say(invoice("I2", "0", "-50.00"))) == [("AssetCapitalisationReversed", "-810.00")]
    assert standing(hub) == [(1, "1", "EXPENSED", "760.00")]


def test_rules_follow_class_and_date_of_receipt() -> None:
    rules: list[dict[str, Any]] = [
        {"name": "site", "asset_class": "BUILDING", "treatment": "UNDER_CONSTRUCTION"},
        {"name": "old limit", "before_date": dt.date(2026, 11, 5), "treatment": "EXPENSE"},
        {"name": "new limit", "from_date": dt.date(2026, 11, 5), "treatment": "LOW_VALUE"},
    ]
    assert decided(rules, bought("1", "9.00"), receipt("R1", "1")) == {"LOW_VALUE"}
    early = receipt("R1", "1", received_on=dt.date(2026, 11, 4))
    assert decided(rules, bought("1", "9.00"), early) == {"EXPENSED"}
    assert decided(rules, bought("1", "9.00", asset_class="BUILDING"), early) == {"UNDER_CONSTRUCTION"}
    assert decided(rules[2:], bought("1", "9.00"), early) == {"ON_HOLD"}, "the rule does not hold yet"


def test_what_no_rule_speaks_of_and_what_cannot_be_compared_is_held() -> None:
    dollars = {"name": "dollars", "treatment": "CAPITALISE", "threshold": "5", "currency": "USD"}
    for rules in ([{"name": "site", "asset_class": "BUILDING", "treatment": "CAPITALISE"}], [dollars, LOW]):
        assert decided(rules, bought("1", "9.00"), receipt("R1", "1")) == {"ON_HOLD"}


def test_a_threshold_is_exact_and_has_a_currency() -> None:
    with pytest.raises(ValueError, match="in quotes"):
        estate(rules=[{"name": "x", "treatment": "EXPENSE", "threshold": 800.1, "currency": "EUR"}])
    with pytest.raises(ValueError, match="go together"):
        estate(rules=[{"name": "x", "treatment": "EXPENSE", "threshold": "800.10"}])


# ---- receipts and invoices ------------------------------------------------------------------------------------


def test_t07_approval_alone_capitalises_nothing() -> None:
    hub = Hub()
    hub.say(bought())
    assert standing(hub) == []
    assert financial(hub.written) == []
    assert len(shells(hub)) == 3, "the ordered things are known as shells"


def test_t07_a_partial_receipt_capitalises_a_part_and_rejects_none() -> None:
    hub = Hub()
    hub.say(bought(), receipt("R1", "2", rejected="1"))
    assert standing(hub) == [(1, "1", "CAPITALISED", "1000.00"), (2, "1", "CAPITALISED", "1000.00")]
    assert shells(hub)["tryton/7/3"][1] == dt.date(2026, 11, 2), "still as ordered"


def test_t07_a_reversal_takes_back_its_own_units_and_no_other() -> None:
    hub = Hub()
    hub.say(bought(), receipt("R1", "1"), receipt("R2", "2", received_on=dt.date(2026, 11, 9)))
    written = hub.say(receipt("R9", "1", reversal_of="R1"))
    [(name, event)] = financial(written)
    assert (name, event.po_line_ref, event.amount.amount) == (
        "AssetCapitalisationReversed",
        "tryton/7/1",
        Decimal("-1000.00"),
    )
    assert [status for _, _, status, _ in standing(hub)] == ["REVERSED", "CAPITALISED", "CAPITALISED"]
    assert shells(hub)["tryton/7/1"] == ("1000.00", dt.date(2026, 11, 2)), "on order again, at the order's price"
    assert in_books(hub) == Decimal("2000.00")


def test_t07_what_comes_after_a_reversal_takes_the_free_record() -> None:
    hub = Hub()
    hub.say(bought(), receipt("R1", "3"), receipt("R9", "3", reversal_of="R1"), receipt("R2", "3"))
    assert in_books(hub) == Decimal("3000.00")
    assert {row.po_line_ref for row in rows(hub, ProposedAsset) if row.status == "CAPITALISED"} == set(shells(hub))


def test_t07_part_of_a_collective_receipt_goes_back() -> None:
    hub = Hub()
    hub.say(bought("100", "5000.00"), receipt("R1", "100"), receipt("R9", "30", reversal_of="R1"))
    assert standing(hub) == [(1, "70", "CAPITALISED", "3500.00")]
    assert told(hub.written) == [("AssetCapitalised", "5000.00"), ("AssetCapitalisationReversed", "-1500.00")]


def test_a_reversal_before_its_receipt_waits_for_it() -> None:
    hub = Hub()
    hub.say(bought(), receipt("R9", "1", reversal_of="R1"))
    assert standing(hub) == []
    hub.say(receipt("R1", "3"))
    assert in_books(hub) == Decimal("2000.00")


def test_more_taken_back_than_was_received_is_held_for_a_person() -> None:
    hub = Hub()
    hub.say(bought(), receipt("R1", "1"), receipt("R9", "2", reversal_of="R1"))
    assert [(unit, status) for unit, _, status, _ in standing(hub)] == [(0, "ON_HOLD"), (1, "REVERSED")]
    assert in_books(hub) == Decimal(0)


@pytest.mark.parametrize("valuated", [True, False])
@pytest.mark.parametrize("invoice_first", [True, False])
def test_t08_four_orderings_give_one_cost_and_the_date_of_the_receipt(*, valuated: bool, invoice_first: bool) -> None:
    hub = Hub()
    hub.say(bought(gr_valuated=valuated))
    goods, bill = receipt("R1", "3"), invoice("I1", "3", "3100.00")
    first = hub.say(bill if invoice_first else goods)
    if invoice_first:
        assert financial(first) == [], "an invoice is no delivery"
    elif valuated:
        assert told(first) == [("AssetCapitalised", "1000.00")] * 3
    else:
        assert told(first) == [], "the receipt has no value yet"
        assert {status for _, _, status, _ in standing(hub)} == {"NEW"}
    hub.say(goods if invoice_first else bill)
    assert standing(hub) == [(n, "1", "CAPITALISED", c) for n, c in enumerate(("1033.33", "1033.33", "1033.34"), 1)]
    assert {row.acquired_on for row in rows(hub, ProposedAsset)} == {RECEIVED}
    assert {date for _, date in shells(hub).values()} == {RECEIVED}
    assert {cost for cost, _ in shells(hub).values()} == {"1033.33", "1033.34"}
    assert {event.accepted.effective_date for _, event in financial(hub.written)} == {RECEIVED}
    assert in_books(hub) == Decimal("3100.00")


def test_t08_an_invoice_covers_as_many_receipts_without_value_as_it_charges() -> None:
    hub = Hub()
    hub.say(bought(gr_valuated=False), receipt("R1", "3"), invoice("I1", "2", "2000.00"))
    assert [status for _, _, status, _ in standing(hub)] == ["CAPITALISED", "CAPITALISED", "NEW"]


def test_where_no_receipt_is_expected_the_invoice_capitalises() -> None:
    for line in ({"gr_expected": False}, {"match_type": "TWO_WAY"}):
        hub = Hub()
        fields = a_line("2", "200.00").model_copy(update={"gr_expected": line.get("gr_expected", True)})
        if "match_type" in line:
            fields = type(fields).model_validate(fields.model_dump() | line, strict=False)
        hub.say(order("1", an_order(fields)), invoice("I1", "2", "210.00"))
        assert standing(hub) == [(n, "1", "CAPITALISED", "105.00") for n in (1, 2)]
        assert {row.acquired_on for row in rows(hub, ProposedAsset)} == {INVOICED}


DOCUMENTS: tuple[Report, ...] = (
    receipt("R1", "2"),
    receipt("R2", "1", received_on=dt.date(2026, 11, 9)),
    receipt("R3", "1", reversal_of="R1"),
    invoice("I1", "2", "2200.00"),
    invoice("I2", "1", "100.00", reversal_of="I1"),
    invoice("I3", "0", "33.33"),
)


def test_t08_documents_give_the_same_books_in_any_order() -> None:
    wanted: set[tuple[Any, ...]] = set()
    moving, *others = DOCUMENTS[1], DOCUMENTS[0], *DOCUMENTS[2:]
    for place, said in enumerate(permutations(others)):
        hub = Hub()
        at = place % (len(said) + 1)
        hub.say(bought(), *said[:at], moving, *said[at:])
        assert hub.dead == []
        booked = [row for row in rows(hub, ProposedAsset) if row.status == "CAPITALISED"]
        wanted.add((in_books(hub), tuple(sorted((row.document, row.acquired_on) for row in booked))))
        assert in_books(hub) == sum((row.cost.amount for row in booked if row.cost), Decimal(0))
    # One unit of each receipt is there; invoiced is one unit at 2,100.00 and 33.33 more; the other is at its price.
    days = (("tryton/R1", RECEIVED), ("tryton/R2", dt.date(2026, 11, 9)))
    assert wanted == {(Decimal("3133.33"), days)}


@settings(max_examples=25, deadline=None)
@given(st.lists(st.sampled_from(DOCUMENTS), max_size=12))
def test_t02_any_repetition_of_documents_keeps_the_books_equal_to_their_documents(said: list[Report]) -> None:
    hub = Hub()
    hub.say(bought(), *said)
    booked = [row for row in rows(hub, ProposedAsset) if row.status == "CAPITALISED"]
    assert in_books(hub) == sum((row.cost.amount for row in booked if row.cost), Decimal(0))
    once = Hub()
    once.say(bought(), *dict.fromkeys(said))
    assert standing(once) == standing(hub)


def test_t09_an_invoice_difference_after_the_year_end_is_a_prior_year_acquisition() -> None:
    hub = Hub()
    hub.say(bought("1", "1000.00"), receipt("R1", "1"))
    [(name, event)] = financial(hub.say(invoice("I1", "1", "1100.00", invoiced_on=LATE)))
    assert (name, event.amount.amount) == ("AssetCostAdjusted", Decimal("100.00"))
    assert event.accepted.effective_date == RECEIVED, "the date is kept, not moved into the open year"
    assert (event.document, event.document_date, event.prior_year) == ("tryton/I1", LATE, True)


def test_t09_the_year_is_the_organisation_s_own() -> None:
    hub = Hub(estate(fiscal_year_starts="04-01"))
    hub.say(bought("1", "1000.00"), receipt("R1", "1"))
    [(_, same_year)] = financial(hub.say(invoice("I1", "1", "1100.00", invoiced_on=LATE)))
    [(_, next_year)] = financial(hub.say(invoice("I2", "0", "5.00", invoiced_on=dt.date(2027, 4, 1))))
    assert (same_year.prior_year, next_year.prior_year) == (False, True)


def test_a_reversal_is_not_reversed() -> None:
    hub = Hub()
    hub.say(bought(), receipt("R1", "3"), receipt("R9", "1", reversal_of="R1"))
    hub.say(receipt("R10", "1", reversal_of="R9"))
    assert [dead.reason for dead in hub.dead] == ["R9 is itself a reversal"]


def test_an_invoice_taken_back_before_it_is_known_takes_nothing_back() -> None:
    hub = Hub()
    hub.say(bought(), receipt("R1", "3"))
    assert told(hub.say(invoice("I9", "3", "3300.00", reversal_of="I1"))) == []
    hub.say(invoice("I1", "3", "3300.00"))
    assert in_books(hub) == Decimal("3000.00"), "both cancel out, the order's price stands"


def test_more_credited_than_invoiced_is_for_a_person() -> None:
    hub = Hub()
    hub.say(bought(), invoice("I1", "1", "1000.00"), invoice("I2", "0", "-1500.00"), receipt("R1", "1"))
    assert [(status, cost) for _, _, status, cost in standing(hub)] == [("ON_HOLD", None)]


def test_when_nothing_more_is_invoiced_the_invoices_are_the_cost() -> None:
    hub = Hub()
    hub.say(bought(final_invoice=True), receipt("R1", "3"), invoice("I1", "2", "2000.00"))
    assert costs(hub) == ["666.66", "666.67", "666.67"]


def test_a_receipt_without_value_that_is_covered_stays_so_when_an_earlier_one_is_told_late() -> None:
    hub = Hub()
    hub.say(bought(gr_valuated=False), receipt("R2", "1"), invoice("I1", "1", "1000.00"))
    hub.say(receipt("R1", "1", received_on=dt.date(2026, 11, 3)))
    assert {row.document: row.status.value for row in rows(hub, ProposedAsset)} == {
        "tryton/R2": "CAPITALISED",
        "tryton/R1": "NEW",
    }


def test_an_amount_finer_than_the_currency_loses_nothing() -> None:
    hub = Hub()
    hub.say(bought("2", "100.0001"), receipt("R1", "2"))
    assert in_books(hub) == Decimal("100.0001")


def test_consigned_goods_are_not_ours_and_an_unknown_kind_of_matching_is_held() -> None:
    for kind, statuses in (("CONSIGNMENT", []), ("UNKNOWN", ["ON_HOLD"])):
        hub = Hub()
        hub.say(bought("1", match_type=MatchType(kind)), receipt("R1", "1"))
        assert [status for _, _, status, _ in standing(hub)] == statuses


def test_a_collective_record_has_the_date_of_its_first_receipt() -> None:
    hub = Hub()
    hub.say(bought("20", "2000.00"), receipt("R1", "5"), receipt("R2", "15", received_on=dt.date(2026, 11, 9)))
    assert shells(hub) == {"tryton/7/1": ("2000.00", RECEIVED)}


# ---- what orders do afterwards --------------------------------------------------------------------------------


def test_t36_a_blanket_order_creates_no_asset() -> None:
    hub = Hub()
    fields = an_order(a_line()).model_copy(update={"blanket": True})
    hub.say(order("1", fields), receipt("R1", "3"), invoice("I1", "3", "1000.00"))
    assert (standing(hub), shells(hub), financial(hub.written)) == ([], {}, [])


@pytest.mark.parametrize("approval", ["DRAFT", "PENDING", "REJECTED", "CANCELLED", "UNKNOWN"])
def test_t36_what_arrives_on_an_order_that_is_not_approved_is_held_until_it_is(approval: str) -> None:
    hub = Hub()
    hub.say(bought("1", approval=approval), receipt("R1", "1"))
    assert [(status, cost) for _, _, status, cost in standing(hub)] == [("ON_HOLD", None)]
    hub.say(bought("1"))
    assert [(status, cost) for _, _, status, cost in standing(hub)] == [("CAPITALISED", "3000.00")]


def test_t36_a_cancelled_order_that_was_capitalised_is_a_conflict_and_nothing_is_deleted() -> None:
    hub = Hub()
    hub.say(bought(), receipt("R1", "3"))
    before = standing(hub)
    written = hub.say(bought(approval="CANCELLED"))
    assert standing(hub) == before
    assert financial(written) == []
    [conflict] = rows(hub, Conflict)
    assert conflict.field == "acquisitions"
    assert conflict.foreign_value == "the order is cancelled although it was received and decided"
    hub.say(bought())
    assert rows(hub, Conflict) == [], "they agree again"


def test_t36_goods_of_a_cancelled_order_can_still_go_back() -> None:
    hub = Hub()
    hub.say(bought(), receipt("R1", "3"), bought(approval="CANCELLED"), receipt("R9", "3", reversal_of="R1"))
    assert in_books(hub) == Decimal(0)
    assert rows(hub, Conflict) == []


def test_t36_a_line_taken_out_after_it_was_capitalised_is_a_conflict() -> None:
    hub = Hub()
    hub.say(bought(), receipt("R1", "3"))
    hub.say(order("1", an_order(a_line(line_id="8"))))
    assert [status for _, _, status, _ in standing(hub)] == ["CAPITALISED"] * 3
    assert len(rows(hub, Conflict)) == 1


def test_t36_a_price_change_after_the_receipt_adjusts_the_cost() -> None:
    hub = Hub()
    hub.say(bought(), receipt("R1", "2"))
    assert told(hub.say(bought(net="3300.00"))) == [("AssetCostAdjusted", "100.00")] * 2
    assert {shell: cost for shell, (cost, _) in shells(hub).items()} == {
        "tryton/7/1": "1100.00",
        "tryton/7/2": "1100.00",
        "tryton/7/3": "1100.00",
    }


def test_an_order_that_is_closed_does_not_bring_its_price_back() -> None:
    hub = Hub()
    hub.say(bought("1", "1000.00"), receipt("R1", "1"), invoice("I1", "1", "1100.00"))
    assert shells(hub) == {"tryton/7/1": ("1100.00", RECEIVED)}
    closed = an_order(a_line("1", "1000.00")).model_copy(update={"closed": True})
    hub.say(order("1", closed))
    assert shells(hub) == {"tryton/7/1": ("1100.00", RECEIVED)}


def test_what_is_decided_stays_when_the_quantity_ordered_changes() -> None:
    hub = Hub()
    hub.say(bought("20", "2000.00"), receipt("R1", "20"))
    hub.say(bought("5", "500.00"))
    assert standing(hub) == [(1, "20", "CAPITALISED", "2000.00")]
    assert len(rows(hub, Conflict)) == 1


def test_what_was_too_much_is_capitalised_when_the_order_grows() -> None:
    hub = Hub()
    hub.say(bought("15", "1500.00"), receipt("R1", "20"))
    assert standing(hub) == [(0, "5", "ON_HOLD", None), (1, "15", "CAPITALISED", "1500.00")]
    assert told(hub.say(bought("20", "2000.00"))) == [("AssetCapitalised", "500.00")]
    assert standing(hub) == [(1, "20", "CAPITALISED", "2000.00")]


def test_what_is_only_held_follows_the_quantity_ordered() -> None:
    hub = Hub()
    hub.say(bought("20", "2000.00", approval="PENDING"), receipt("R1", "3"))
    assert standing(hub) == [(1, "3", "ON_HOLD", None)]
    hub.say(bought("5", "500.00"))
    assert standing(hub) == [(unit, "1", "CAPITALISED", "100.00") for unit in (1, 2, 3)]


def test_a_conflict_keeps_the_day_it_was_found() -> None:
    hub = Hub()
    hub.say(bought(), receipt("R1", "2"), bought(approval="CANCELLED"))
    [found] = rows(hub, Conflict)
    hub.say(receipt("R2", "1"))
    assert rows(hub, Conflict) == [found]


def test_what_was_decided_stays_when_the_rules_say_nothing_of_it_any_more() -> None:
    hub = Hub()
    hub.say(bought("1", "1000.00"), receipt("R1", "1"))
    rules = [{"name": "site", "asset_class": "BUILDING", "treatment": "EXPENSE"}]
    later = Stage(build_processor("accept", estate(rules=rules), ticking()))
    for old, new in zip(hub.stages["accept"].processor.tables, later.processor.tables, strict=True):
        for key, value in old.items():
            new.load(key, value)
    hub.stages["accept"] = later
    assert told(hub.say(invoice("I1", "1", "1100.00"))) == [("AssetCostAdjusted", "100.00")]
    assert standing(hub) == [(1, "1", "CAPITALISED", "1100.00")]
    assert len(rows(hub, Conflict)) == 1
