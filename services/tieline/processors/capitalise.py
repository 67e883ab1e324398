"""capitalise: approved order lines that buy assets become asset records, each once. Pure."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from decimal import ROUND_DOWN, Decimal

from tieline.kernel.currencies import minor_units
from tieline.kernel.landscape import Capitalisation
from tieline.kernel.model import (
    ApprovalStatus,
    AssetFields,
    AssetReport,
    Money,
    OrderFields,
    OrderLine,
    Origin,
    PhysicalStatus,
)


def propose_assets(
    system: str, order: OrderFields, version: int, recorded_at: dt.datetime, rule: Capitalisation
) -> Iterator[AssetReport]:
    """One report per asset record that an approved order asks for; none for an order that is not approved.

    A line counts if it has an asset class. A whole quantity up to ``rule.explode_up_to_units`` gives one record a unit,
    with the line's net amount split to the minor unit and its sum kept (Invariant 11); any other quantity gives one
    collective record. Returns and credits (a negative quantity or amount) buy nothing and give none.
    """
    if order.approval_status is not ApprovalStatus.APPROVED:
        return
    for line in order.lines:
        if line.asset_class is None or line.quantity <= 0 or line.net_amount < 0:
            continue
        units = _units(line.quantity, rule)
        amounts = split_amount(line.net_amount, units, order.currency)
        quantity = Decimal(1) if units > 1 else line.quantity
        for ordinal, amount in enumerate(amounts, start=1):
            origin = Origin(
                system=system,
                entity="purchase-line",
                native_id=f"{line.line_id}/{ordinal}",
                source_version=str(version),
                recorded_at=recorded_at,
            )
            yield _report(origin, order, line, amount=amount, quantity=quantity)


def split_amount(amount: Decimal, parts: int, currency: str) -> list[Decimal]:
    """``amount`` in ``parts`` shares of whole minor units, the remainder one unit each on the first shares."""
    step = Decimal(1).scaleb(-minor_units(currency))
    share = (amount / parts).quantize(step, rounding=ROUND_DOWN)
    shares = [share] * parts
    rest = amount - share * parts
    place = 0
    unit = step if rest > 0 else -step
    while abs(rest) >= step:
        shares[place] += unit
        rest -= unit
        place += 1
    shares[0] += rest  # less than a minor unit, when the amount itself is finer than its currency
    return shares


def _units(quantity: Decimal, rule: Capitalisation) -> int:
    if quantity == quantity.to_integral_value() and quantity <= rule.explode_up_to_units:
        return int(quantity)
    return 1


def _report(origin: Origin, order: OrderFields, line: OrderLine, *, amount: Decimal, quantity: Decimal) -> AssetReport:
    return AssetReport(
        origin=origin,
        fields=AssetFields(
            description=line.description,
            physical_status=PhysicalStatus.ORDERED,
            company=order.company,
            asset_class=line.asset_class,
            quantity=quantity,
            acquisition_cost=Money(amount=amount, currency=order.currency),
            acquisition_date=order.order_date,
            po_line_ref=f"{origin.system}/{origin.native_id}",
        ),
    )
