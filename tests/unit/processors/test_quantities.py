"""Receipts and invoices in another unit than the order line: converted exactly, or refused (P07)."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from tests.unit.processors.bench import ERP, Hub, named, order, origin
from tests.unit.processors.test_acquisitions import INVOICED, RECEIVED
from tests.unit.processors.test_capitalise import a_line, an_order

from tieline.kernel.asset_records import AssetState
from tieline.kernel.order_records import (
    AcquisitionEvent,
    InvoiceFields,
    InvoiceLine,
    InvoiceReport,
    OrderReport,
    ProposedAsset,
    ReceiptEvent,
    ReceiptFields,
    ReceiptLine,
    ReceiptReport,
)
from tieline.processors.quantities import in_pieces


def bought(quantity: str, net: str, unit: str | None) -> OrderReport:
    return order("1", an_order(a_line(quantity, net, unit=unit)))


def received(native_id: str, quantity: str, unit: str | None, **changes: Any) -> ReceiptReport:
    part = ReceiptLine(
        line_id="7", quantity=Decimal(quantity), accepted=Decimal(quantity), rejected=Decimal(0), unit=unit
    )
    fields = ReceiptFields(order_native_id="1", received_on=RECEIVED, lines=(part,), **changes)
    return ReceiptReport(origin=origin(ERP, "receipt", native_id), fields=fields)


def invoiced(native_id: str, quantity: str, net: str, unit: str | None) -> InvoiceReport:
    part = InvoiceLine(line_id="7", quantity=Decimal(quantity), net_amount=Decimal(net), unit=unit)
    fields = InvoiceFields(
        order_native_id="1", invoiced_on=INVOICED, currency="EUR", net_total=Decimal(net), lines=(part,)
    )
    return InvoiceReport(origin=origin(ERP, "invoice", native_id), fields=fields)


def costs(hub: Hub) -> list[tuple[str, str]]:
    """Quantity and cost of each proposed asset."""
    rows = sorted(hub.rows(ProposedAsset).values(), key=lambda row: row.unit)
    return [(f"{row.quantity:f}", f"{row.cost.amount:f}" if row.cost else "") for row in rows]


def test_two_pairs_received_are_four_pieces_ordered() -> None:
    hub = Hub()
    hub.say(bought("4", "400.00", "EA"), received("R1", "2", "PR"))
    assert costs(hub) == [("1", "100.00")] * 4
    hub.say(invoiced("I1", "2", "480.00", "PR"))
    assert costs(hub) == [("1", "120.00")] * 4


def test_two_pairs_ordered_are_four_assets() -> None:
    hub = Hub()
    hub.say(bought("2", "400.00", "PR"))
    shells = [row.fields for row in hub.rows(AssetState).values()]
    assert [(str(row.quantity), str(row.acquisition_cost and row.acquisition_cost.amount)) for row in shells] == [
        ("1", "100.00")
    ] * 4
    hub.say(received("R1", "1", None), received("R2", "1", "EA"))  # a pair, as ordered, and one of the other
    assert costs(hub) == [("1", "100.00")] * 3
    hub.say(invoiced("I1", "1.5", "360.00", None))
    assert costs(hub) == [("1", "120.00")] * 3


def test_a_pair_taken_back_leaves_two_shells_at_the_price_of_one_piece() -> None:
    hub = Hub()
    hub.say(bought("1", "200.00", "PR"), received("R1", "1", None))
    written = hub.say(received("R2", "1", None, reversal_of="R1"))
    bodies = [found.body for found in named(written, "AssetCapitalisationReversed")]
    records = [body.record for body in bodies if isinstance(body, AcquisitionEvent)]
    assert [(record.quantity, record.cost.amount) for record in records] == [(Decimal(0), Decimal(100))] * 2


def test_a_line_that_buys_no_asset_keeps_its_unit() -> None:
    [line] = in_pieces(an_order(a_line("2", "400.00", unit="PR", asset_class=None))).lines
    assert (line.quantity, line.unit) == (Decimal(2), "PR")


def test_what_was_received_stays_as_it_was_said() -> None:
    hub = Hub()
    [event] = named(hub.say(bought("4", "400.00", "EA"), received("R1", "2", "PR")), "GoodsReceived")
    assert isinstance(event.body, ReceiptEvent)
    [line] = event.body.fields.lines
    assert (line.quantity, line.unit) == (Decimal(2), "PR")


def test_what_is_taken_back_in_another_unit_is_converted_too() -> None:
    hub = Hub()
    hub.say(bought("4", "400.00", "EA"), received("R1", "4", "C62"), received("R2", "1", "PR", reversal_of="R1"))
    assert costs(hub) == [("1", "100.00"), ("1", "100.00"), ("1", ""), ("1", "")]


@pytest.mark.parametrize(
    ("ordered", "unit", "reason"),
    [
        ("HUR", "MIN", r"lines\[0\] of tryton/R1\.quantity: 1 MIN is no exact number of HUR.* \(keep the quantity"),
        ("KGM", "EA", r"each \(EA\) is a unit of count, kilogram \(KGM\) of mass \(state the quantity in"),
        ("EA", "box", r"'box' is no UN/ECE unit code that the hub knows \(map the system's unit"),
        (None, "EA", r"is in 'EA', and the order line names no unit \(state the unit"),
    ],
)
def test_what_does_not_convert_exactly_is_refused_with_the_remedy(ordered: str | None, unit: str, reason: str) -> None:
    hub = Hub()
    hub.say(bought("4", "400.00", ordered), received("R1", "1", unit))
    [refused] = hub.dead
    with pytest.raises(type(refused), match=reason):
        raise refused
    assert costs(hub) == []


@pytest.mark.parametrize("unit", [None, "box"])
def test_the_order_lines_own_unit_needs_no_table(unit: str | None) -> None:
    hub = Hub()
    hub.say(bought("2", "200.00", "box"), received("R1", "2", unit))
    assert hub.dead == []
    assert costs(hub) == [("1", "100.00")] * 2
