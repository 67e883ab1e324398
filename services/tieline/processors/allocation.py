"""Which delivery belongs to which asset record of an order line. Pure."""

from __future__ import annotations

import datetime as dt
from collections import deque
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal

from tieline.kernel.landscape import Capitalisation
from tieline.kernel.order_records import ProposalStatus, ProposedAsset
from tieline.processors.capitalise import lay_out
from tieline.processors.documents import Delivered

BOOKED = frozenset({ProposalStatus.CAPITALISED, ProposalStatus.LOW_VALUE, ProposalStatus.UNDER_CONSTRUCTION})
DECIDED = BOOKED | {ProposalStatus.EXPENSED}
_NOTHING = Decimal(0)


@dataclass(frozen=True, slots=True)
class Piece:
    """Part of a delivery that belongs to one asset record; ``unit`` is 0 while it belongs to none, with a reason."""

    document: str
    on: dt.date
    unit: int
    quantity: Decimal
    known: ProposedAsset | None = None
    held: str | None = None
    conflict: str | None = None

    @property
    def place(self) -> tuple[str, int]:
        """What it is among the pieces of its line."""
        return self.document, self.unit


def allocate(
    delivered: Sequence[Delivered], ordered: Decimal, known: Iterable[ProposedAsset], rule: Capitalisation
) -> list[Piece]:
    """Which delivery belongs to which asset record of a line, by unit, then document; held pieces last.

    Records have the sizes of ``lay_out``. A delivery keeps the records it has, gives back the last ones when some of it
    is taken back, and takes the first free ones for the rest. Nothing is rounded or cut off (T04): what is not whole,
    or more than was ordered, is a held piece.
    """
    sizes = lay_out(ordered, rule) if ordered > 0 else ()
    given: dict[str, list[ProposedAsset]] = {}
    for row in known:
        if row.unit > 0 and row.status is not ProposalStatus.REVERSED:
            given.setdefault(row.document, []).append(row)
    kept = {doc.document: _keep(doc, given.get(doc.document, ()), sizes) for doc in delivered}
    free = dict(enumerate(sizes, start=1))
    for piece in (piece for pieces in kept.values() for piece in pieces.values()):
        if piece.unit in free:
            free[piece.unit] -= piece.quantity
    open_units = deque(unit for unit, left in free.items() if left > 0)
    placed: list[Piece] = []
    held: list[Piece] = []
    for doc in delivered:
        mine = kept[doc.document]
        rest = doc.quantity - sum((piece.quantity for piece in mine.values()), _NOTHING)
        reason = _unfit(rest, ordered, sizes, rule)
        if reason is None:
            rest = _take(doc, rest, mine, free, open_units)
            reason = f"{rest.normalize():f} more than was ordered"
        if rest:
            held.append(Piece(doc.document, doc.on, 0, rest, held=reason))
        placed += mine.values()
    return [*sorted(placed, key=lambda piece: (piece.unit, piece.on, piece.document)), *held]


def _unfit(rest: Decimal, ordered: Decimal, sizes: Sequence[Decimal], rule: Capitalisation) -> str | None:
    """Why so much of a delivery fits no record at all."""
    if rest < 0:
        return "more was taken back than the receipt had"
    whole = all(n == n.to_integral_value() for n in (rest, ordered))
    if rest and not whole and (rule.fractions == "hold" or len(sizes) != 1):
        return f"{rest.normalize():f} of {ordered.normalize():f} ordered is no whole number of units"
    return None


def _take(
    doc: Delivered, rest: Decimal, mine: dict[int, Piece], free: dict[int, Decimal], open_units: deque[int]
) -> Decimal:
    """Give the first free records to the rest of a delivery, with what it has there; how much finds none."""
    while rest and open_units:
        unit = open_units[0]
        taken = min(rest, free[unit])
        had = mine.get(unit) or Piece(doc.document, doc.on, unit, _NOTHING)
        mine[unit] = replace(had, quantity=had.quantity + taken)
        free[unit] -= taken
        rest -= taken
        if not free[unit]:
            open_units.popleft()
    return rest


def _keep(doc: Delivered, given: Iterable[ProposedAsset], sizes: Sequence[Decimal]) -> dict[int, Piece]:
    """The records the delivery has already, as far as it still has the quantity, by unit."""
    left = max(doc.quantity, _NOTHING)
    pieces: dict[int, Piece] = {}
    for row in sorted(given, key=lambda row: row.unit):
        quantity = min(row.quantity, left)
        left -= quantity
        if not quantity:
            continue
        fits = row.unit <= len(sizes) and quantity <= sizes[row.unit - 1]
        if not fits and row.status not in DECIDED:
            left += quantity
            continue
        conflict = None if fits else "the quantity ordered was changed after it was decided"
        pieces[row.unit] = Piece(doc.document, doc.on, row.unit, quantity, row, conflict=conflict)
    return pieces


def taken_back(
    delivered: Sequence[Delivered],
    ordered: Decimal,
    known: Iterable[ProposedAsset],
    rule: Capitalisation,
    standing: Collection[tuple[str, int]],
) -> Iterator[Piece]:
    """What deliveries had at asset records and have there no more; ``standing`` are the places that they still have.

    Where nothing is known of a delivery, its places are those it would have had if nothing had been taken back: so a
    reversal gives the same whether it comes before its document or after it.
    """
    gone = [doc for doc in delivered if doc.quantity < doc.brought]
    if not gone:
        return
    given: dict[str, set[int]] = {}
    for row in known:
        if row.unit > 0:
            given.setdefault(row.document, set()).add(row.unit)
    all_brought = _laid_out(delivered, ordered, rule)
    for doc in gone:
        places = all_brought.get(doc.document, {})
        if sum(places.values()) != doc.brought:  # what came instead of it may have its place
            places = _laid_out([doc], ordered, rule).get(doc.document, {})
        units = given.get(doc.document)
        if units is not None and units != places.keys():
            places = _filled(doc.brought, units, ordered, rule)
        for unit, quantity in places.items():
            if (doc.document, unit) not in standing:
                yield Piece(doc.document, doc.on, unit, quantity)


def _laid_out(
    delivered: Sequence[Delivered], ordered: Decimal, rule: Capitalisation
) -> Mapping[str, Mapping[int, Decimal]]:
    """Quantity by document and unit as if nothing had been taken back, and nothing had been given a record before."""
    found: dict[str, dict[int, Decimal]] = {}
    for piece in allocate([replace(doc, quantity=doc.brought) for doc in delivered], ordered, (), rule):
        if piece.unit > 0:
            found.setdefault(piece.document, {})[piece.unit] = piece.quantity
    return found


def _filled(quantity: Decimal, units: Iterable[int], ordered: Decimal, rule: Capitalisation) -> Mapping[int, Decimal]:
    """The quantity over records that a delivery was given, one after the other."""
    sizes = lay_out(ordered, rule) if ordered > 0 else ()
    found: dict[int, Decimal] = {}
    for unit in sorted(units):
        found[unit] = min(quantity, sizes[unit - 1]) if unit <= len(sizes) else quantity
        quantity -= found[unit]
    return found
