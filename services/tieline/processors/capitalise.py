"""capitalise: approved order lines that buy assets become asset records, each once. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import ROUND_DOWN, Decimal

from tieline.kernel.asset_records import AssetFields, AssetReport, PhysicalStatus
from tieline.kernel.currencies import minor_unit
from tieline.kernel.landscape import Capitalisation
from tieline.kernel.order_records import AcquisitionEvent, ApprovalStatus, OrderEvent, OrderLine
from tieline.kernel.vocabulary import Accepted, Money, Origin
from tieline.processors.quantities import in_pieces

MOST_RECORDS = 1000  # of one order line


def propose_assets(event: OrderEvent, rule: Capitalisation) -> Iterator[AssetReport]:
    """One report per asset record that an approved order asks for; none for an order that is not approved.

    A line counts if it has an asset class; a pair on it is two units, a dozen twelve. A whole quantity up to
    ``rule.explode_up_to_units`` gives one record a unit, a larger one a record for every ``rule.chunk_units``, with the
    line's net amount split to the minor unit and its sum kept (Invariant 11); any other quantity gives one collective
    record. Returns and credits (a negative quantity or amount) buy nothing and give none, nor does a blanket order. A
    record is only the shell of what was ordered: what the books do is decided by receipts and invoices
    (``acquisitions``), and a record that has an acquisition keeps its cost and date.
    """
    order = in_pieces(event.fields)
    acquired = {record.unit_ref: record for record in event.records}
    if order.approval_status is not ApprovalStatus.APPROVED or order.blanket:
        return
    for line in order.lines:
        if line.asset_class is None or line.quantity <= 0 or line.net_amount < 0:
            continue
        shares = share_amount(line, order.currency, rule)
        for ordinal, (quantity, amount) in enumerate(shares, start=1):
            unit_ref = f"{line.line_id}/{ordinal}"
            price = Money(amount=amount, currency=order.currency)
            record = acquired.get(unit_ref)
            cost, date = (record.cost, record.acquired_on) if record else (price, order.order_date)
            yield AssetReport(
                origin=_origin(event.accepted.origin_system, unit_ref, event.accepted),
                fields=AssetFields(
                    description=line.description,
                    physical_status=PhysicalStatus.ORDERED,
                    company=order.company,
                    asset_class=line.asset_class,
                    quantity=quantity,
                    acquisition_cost=cost,
                    acquisition_date=date,
                    po_line_ref=f"{event.accepted.origin_system}/{unit_ref}",
                ),
            )


def report_acquisition(system: str, event: AcquisitionEvent) -> AssetReport:
    """What an acquisition says of its asset record: cost and date, all its receipts together."""
    return AssetReport(
        origin=_origin(system, event.record.unit_ref, event.accepted),
        fields=AssetFields(
            acquisition_cost=event.record.cost,
            acquisition_date=event.record.acquired_on,
            po_line_ref=event.po_line_ref,
        ),
    )


def lay_out(quantity: Decimal, rule: Capitalisation) -> tuple[Decimal, ...]:
    """Units of each asset record of a line, in the order of their ordinals; their sum is the quantity.

    At most ``MOST_RECORDS``; a quantity that would give more, or is not whole, gives one record (T04).
    """
    if quantity != quantity.to_integral_value():
        return (quantity,)
    if quantity <= rule.explode_up_to_units:
        return (Decimal(1),) * int(quantity)
    size = Decimal(rule.chunk_units or quantity)
    full, rest = divmod(quantity, size)
    if full + bool(rest) > MOST_RECORDS:
        return (quantity,)
    return (size,) * int(full) + ((rest,) if rest else ())


def share_amount(line: OrderLine, currency: str, rule: Capitalisation) -> list[tuple[Decimal, Decimal]]:
    """Units and net amount of each asset record of a line with a positive quantity; both sums are kept."""
    records = lay_out(line.quantity, rule)
    if len(set(records)) == 1:
        return list(zip(records, split_amount(line.net_amount, len(records), currency), strict=True))
    # Equal records but for the last, which is smaller.
    step = minor_unit(currency)
    share = (line.net_amount * records[0] / line.quantity).quantize(step, rounding=ROUND_DOWN)
    amounts = [share] * (len(records) - 1)
    return list(zip(records, [*amounts, line.net_amount - sum(amounts)], strict=True))


def split_amount(amount: Decimal, parts: int, currency: str) -> list[Decimal]:
    """``amount`` in ``parts`` shares of whole minor units, the remainder one unit each on the first shares."""
    step = minor_unit(currency)
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


def _origin(system: str, unit_ref: str, accepted: Accepted) -> Origin:
    return Origin(
        system=system,
        entity="purchase-line",
        native_id=unit_ref,
        source_version=str(accepted.version),
        recorded_at=accepted.recorded_at,
    )
