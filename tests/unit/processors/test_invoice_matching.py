"""Invoices that do not match their order: shown, never refused."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from tests.unit.processors.bench import ERP, Hub, conflicts, landscape
from tests.unit.processors.test_acquisitions import bought, invoice, receipt

from tieline.kernel.invoice_records import PoInvoiceBlocked
from tieline.kernel.landscape import Landscape
from tieline.kernel.memory import Conflict
from tieline.kernel.order_records import MatchType
from tieline.kernel.records import Outbound, Typed

ROW = ("lines.7.invoiced", ERP)
RECEIPT_FIRST, INVOICE_FIRST = MatchType.THREE_WAY_RECEIPT_FIRST, MatchType.THREE_WAY_INVOICE_FIRST


def matching(quantity: str = "0", price: str = "0") -> Landscape:
    """The estate of the bench with tolerances."""
    tolerances = {"quantity_percent": quantity, "price_percent": price}
    return Landscape.model_validate(landscape().model_dump() | {"invoice_matching": tolerances})


def blocked(written: list[Outbound]) -> list[PoInvoiceBlocked]:
    values = [out.value for out in written if out.topic == "procurement.invoice.event.v1"]
    return [v.body for v in values if isinstance(v, Typed) and isinstance(v.body, PoInvoiceBlocked)]


def what(written: list[Outbound]) -> list[list[tuple[str, str, str]]]:
    """Per event: measure, expected and invoiced figure of each mismatch."""
    return [
        [
            ("quantity", f"{one.expected_quantity:f}", f"{one.invoiced_quantity:f}")
            if one.measure == "QUANTITY"
            else ("price", f"{one.expected_amount:f}", f"{one.invoiced_amount:f}")
            for one in event.mismatches
        ]
        for event in blocked(written)
    ]


def bought_here(match_type: MatchType | None, tolerances: Landscape | None = None, **line: Any) -> Hub:
    """Three for 3000.00 ordered."""
    hub = Hub(tolerances or matching())
    hub.say(bought(match_type=match_type, **line))
    return hub


def test_an_invoice_for_what_was_ordered_and_received_is_not_blocked() -> None:
    hub = bought_here(RECEIPT_FIRST)
    written = hub.say(receipt("R1", "3"), invoice("I1", "3", "3000.00"))
    assert (what(written), conflicts(hub), hub.dead) == ([], set(), [])


def test_more_than_was_received_is_blocked_until_it_is_received() -> None:
    hub = bought_here(RECEIPT_FIRST)
    [event] = blocked(hub.say(receipt("R1", "2"), invoice("I1", "3", "3000.00")))
    [one] = event.mismatches
    assert (event.invoice, event.currency, one.line_id) == ("tryton/I1", "EUR", "7")
    assert (one.expected_quantity, one.invoiced_quantity) == (Decimal(2), Decimal(3))
    assert hub.dead == [], "it stands: it is the ERP's document"
    assert ROW in conflicts(hub)
    written = hub.say(receipt("R2", "1"))
    assert (what(written), conflicts(hub)) == ([], set())


def test_what_was_rejected_is_not_received() -> None:
    hub = bought_here(RECEIPT_FIRST)
    assert what(hub.say(receipt("R1", "2", "1"), invoice("I1", "3", "3000.00"))) == [[("quantity", "2", "3")]]


@pytest.mark.parametrize("match_type", [MatchType.TWO_WAY, INVOICE_FIRST, None])
def test_an_invoice_that_may_come_first_is_held_against_the_order(match_type: MatchType | None) -> None:
    hub = bought_here(match_type)
    assert what(hub.say(invoice("I1", "3", "3000.00"))) == []
    assert what(hub.say(invoice("I2", "1", "1000.00"))) == [[("quantity", "3", "4")]]


def test_nothing_is_invoiced_of_consignment_on_the_order() -> None:
    hub = bought_here(MatchType.CONSIGNMENT)
    assert what(hub.say(invoice("I1", "1", "1000.00"))) == [[("quantity", "0", "1")]]


def test_a_match_type_this_version_does_not_know_is_not_judged() -> None:
    hub = bought_here(MatchType.UNKNOWN)
    assert what(hub.say(invoice("I1", "9", "1.00"))) == []


@pytest.mark.parametrize(
    ("net", "is_blocked"), [("3060.00", False), ("3060.01", True), ("2940.00", False), ("2939.99", True)]
)
def test_the_price_may_differ_by_the_tolerance_and_no_cent_more(net: str, *, is_blocked: bool) -> None:
    hub = bought_here(MatchType.TWO_WAY, matching(price="2"))
    assert what(hub.say(invoice("I1", "3", net))) == ([[("price", "3000.00", net)]] if is_blocked else [])


@pytest.mark.parametrize(("quantity", "is_blocked"), [("3.15", False), ("3.16", True)])
def test_the_quantity_may_exceed_by_the_tolerance(quantity: str, *, is_blocked: bool) -> None:
    hub = bought_here(MatchType.TWO_WAY, matching(quantity="5", price="100"), asset_class=None)
    assert bool(what(hub.say(invoice("I1", quantity, "3000.00")))) is is_blocked


def test_parts_rounded_each_by_itself_match() -> None:
    hub = bought_here(MatchType.TWO_WAY, quantity="3", net="1000.00")
    assert what(hub.say(*(invoice(f"I{n}", "1", "333.33") for n in range(3)))) == []


def test_a_cent_more_than_rounding_explains_does_not_match() -> None:
    hub = bought_here(MatchType.TWO_WAY, quantity="3", net="1000.00")
    assert what(hub.say(invoice("I1", "1", "333.34"))) == [[("price", "333.33", "333.34")]]


def test_a_credit_ends_a_mismatch_of_the_price() -> None:
    hub = bought_here(MatchType.TWO_WAY)
    assert what(hub.say(invoice("I1", "3", "3100.00"))) == [[("price", "3000.00", "3100.00")]]
    [row] = hub.rows(Conflict).values()
    assert (row.owned_value, row.foreign_value) == ("3 for 3000.00 EUR", "3 for 3100.00 EUR")
    assert what(hub.say(invoice("I2", "0", "-100.00"))) == []
    assert conflicts(hub) == set()


def test_a_reversal_ends_a_mismatch_and_blocks_nothing_itself() -> None:
    hub = bought_here(MatchType.TWO_WAY)
    hub.say(invoice("I1", "3", "3100.00"), invoice("I2", "1", "1000.00"))
    written = hub.say(invoice("I3", "1", "1000.00", reversal_of="I2"))
    assert (what(written), conflicts(hub)) == ([], {ROW}), "the first one still does not match"
    hub.say(invoice("I4", "3", "3100.00", reversal_of="I1"))
    assert conflicts(hub) == set()


def test_a_framework_order_binds_nobody() -> None:
    hub = Hub(matching())
    report = bought(match_type=MatchType.TWO_WAY)
    hub.say(report.model_copy(update={"fields": report.fields.model_copy(update={"blanket": True})}))
    assert what(hub.say(invoice("I1", "9", "1.00"))) == []


def test_an_invoice_for_a_line_that_the_order_lost_does_not_match() -> None:
    hub = bought_here(MatchType.TWO_WAY)
    hub.say(invoice("I1", "3", "3000.00"))
    other = bought(match_type=MatchType.TWO_WAY, line_id="8")
    hub.say(other)
    assert ROW in conflicts(hub)


def test_a_changed_price_of_the_order_shows_what_no_longer_matches() -> None:
    hub = bought_here(MatchType.TWO_WAY)
    hub.say(invoice("I1", "3", "3000.00"))
    assert what(hub.say(bought(net="2500.00", match_type=MatchType.TWO_WAY))) == []
    [row] = [row for row in hub.rows(Conflict).values() if row.field == "lines.7.invoiced"]
    assert row.reason == "the price invoiced is beyond the tolerance of 0 %"


def test_without_tolerances_the_erps_own_matching_stands() -> None:
    hub = bought_here(RECEIPT_FIRST, landscape())
    assert what(hub.say(invoice("I1", "9", "1.00"))) == []
    assert ROW not in conflicts(hub)
