"""Financial documents from what changed between two foldings of an order. Pure."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal

from tieline.kernel.landscape import Capitalisation
from tieline.kernel.order_records import AcquiredRecord, AcquisitionEvent, OrderFields, ProposedAsset
from tieline.kernel.vocabulary import Money, Origin
from tieline.processors.accepting import accepted_as
from tieline.processors.allocation import BOOKED
from tieline.processors.capitalise import share_amount

Rows = Mapping[str, ProposedAsset]


@dataclass(frozen=True, slots=True)
class Cause:
    """The document behind a change: system/native id, its date, and where it came from."""

    document: str
    date: dt.date
    origin: Origin


def acquired_records(rows: Iterable[ProposedAsset]) -> dict[str, AcquiredRecord]:
    """What was acquired for each asset record, all its receipts together, by ``line id/unit``."""
    records: dict[str, AcquiredRecord] = {}
    for row in rows:
        if row.status not in BOOKED or row.cost is None or row.acquired_on is None:
            continue
        ref = f"{row.line_id}/{row.unit}"
        before = records.get(ref)
        amount = row.cost.amount + (before.cost.amount if before else Decimal(0))
        records[ref] = AcquiredRecord(
            unit_ref=ref,
            quantity=row.quantity + (before.quantity if before else Decimal(0)),
            cost=Money(amount=amount, currency=row.cost.currency),
            acquired_on=min(row.acquired_on, before.acquired_on) if before else row.acquired_on,
        )
    return dict(sorted(records.items()))


def book_changes(
    before: Rows, after: Rows, order: OrderFields, cause: Cause, rule: Capitalisation
) -> Iterator[tuple[str, AcquisitionEvent]]:
    """Name and content of each document that takes the books from ``before`` to ``after``, by proposal.

    Their amounts add up to the cost in the books, per proposal and in all (Invariant 11); a folding that changes
    nothing gives none, so that a document sent again has no second effect (Invariant 3).
    """
    records = acquired_records(after.values())
    for key in sorted(before.keys() | after.keys()):
        old, new = before.get(key), after.get(key)
        row = new or old
        if row is None or (not _is_booked(old) and not _is_booked(new)):
            continue
        quantity, amount = _quantity(new) - _quantity(old), _amount(new) - _amount(old)
        name = _name(old, new, quantity, amount)
        if name is None:
            continue
        booked = new if new is not None and _is_booked(new) else old
        if booked is None or booked.cost is None or booked.treatment is None:
            continue  # never: what is booked has both
        ref = f"{row.line_id}/{row.unit}"
        acquired_on = row.acquired_on or cause.date
        currency = booked.cost.currency
        yield (
            name,
            AcquisitionEvent(
                po_id=row.po_id,
                proposal=key,
                po_line_ref=booked.po_line_ref or ref,
                # T09: the date of the acquisition is kept, however late the document came.
                accepted=accepted_as(row.version, cause.origin, acquired_on, _changed(old, new)),
                treatment=booked.treatment,
                rule=booked.rule,
                quantity=quantity,
                amount=Money(amount=amount, currency=currency),
                cost_after=Money(amount=_amount(new), currency=currency),
                record=records.get(ref) or _shell(row, order, acquired_on, rule),
                document=cause.document,
                document_date=cause.date,
                prior_year=_fiscal_year(cause.date, rule) > _fiscal_year(acquired_on, rule),
                reason=row.reason,
            ),
        )


def _name(old: ProposedAsset | None, new: ProposedAsset | None, quantity: Decimal, amount: Decimal) -> str | None:
    if not _is_booked(old):
        return "AssetCapitalised"
    if not _is_booked(new) or quantity < 0:
        return "AssetCapitalisationReversed"
    if quantity > 0:
        return "AssetCapitalised"
    if old is not None and new is not None and old.treatment is not new.treatment:
        return "AssetReclassified"
    return "AssetCostAdjusted" if amount else None


def _is_booked(row: ProposedAsset | None) -> bool:
    return row is not None and row.status in BOOKED


def _quantity(row: ProposedAsset | None) -> Decimal:
    return row.quantity if row is not None and row.status in BOOKED else Decimal(0)


def _amount(row: ProposedAsset | None) -> Decimal:
    return row.cost.amount if row is not None and row.status in BOOKED and row.cost else Decimal(0)


def _changed(old: ProposedAsset | None, new: ProposedAsset | None) -> tuple[str, ...]:
    names = ("quantity", "cost", "treatment", "status")
    return tuple(name for name in names if getattr(old, name, None) != getattr(new, name, None))


def _shell(row: ProposedAsset, order: OrderFields, acquired_on: dt.date, rule: Capitalisation) -> AcquiredRecord:
    """The record once nothing is acquired for it any more: on order again, at the order's price."""
    line = next((line for line in order.lines if line.line_id == row.line_id), None)
    shares = share_amount(line, order.currency, rule) if line is not None and line.quantity > 0 else []
    amount = shares[row.unit - 1][1] if row.unit <= len(shares) else Decimal(0)
    return AcquiredRecord(
        unit_ref=f"{row.line_id}/{row.unit}",
        quantity=Decimal(0),
        cost=Money(amount=amount, currency=order.currency),
        acquired_on=order.order_date or acquired_on,
    )


def _fiscal_year(date: dt.date, rule: Capitalisation) -> int:
    month, day = (int(part) for part in rule.fiscal_year_starts.split("-"))
    return date.year if (date.month, date.day) >= (month, day) else date.year - 1
