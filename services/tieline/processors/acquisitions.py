"""What an order's receipts and invoices bring into the books: the fold of all its documents. Pure.

The result depends on the documents, not on the order they came in, but for one thing: what a receipt has been given
stays with it, so that nothing in the books moves when an earlier receipt is reported late. That is its asset records,
and of receipts without a value the share of an invoice that does not cover them all.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from fractions import Fraction
from functools import cached_property

from tieline.kernel.currencies import minor_unit
from tieline.kernel.landscape import Capitalisation
from tieline.kernel.order_records import (
    ApprovalStatus,
    InvoiceState,
    MatchType,
    OrderFields,
    OrderLine,
    ProposalStatus,
    ProposedAsset,
    ReceiptState,
    Treatment,
)
from tieline.kernel.vocabulary import Money
from tieline.processors.allocation import DECIDED, Piece, allocate, taken_back
from tieline.processors.documents import (
    Charged,
    LineDocuments,
    acquired_by_invoice,
    by_line,
    charges,
    deliveries,
    document_ref,
    line_cost,
)
from tieline.processors.treatments import Purchase, choose_treatment

_STATUS = {
    Treatment.CAPITALISE: ProposalStatus.CAPITALISED,
    Treatment.LOW_VALUE: ProposalStatus.LOW_VALUE,
    Treatment.EXPENSE: ProposalStatus.EXPENSED,
    Treatment.UNDER_CONSTRUCTION: ProposalStatus.UNDER_CONSTRUCTION,
}
NOTHING = Decimal(0)


@dataclass(frozen=True)
class Documents:
    """One order as the hub knows it. ``system`` is the order's; ``known`` is what was made of it before."""

    po_id: str
    system: str
    order: OrderFields
    receipts: Sequence[ReceiptState]
    invoices: Sequence[InvoiceState]
    known: Sequence[ProposedAsset] = ()

    def of_line(self, line_id: str) -> LineDocuments:
        """What receipts and invoices say of one line."""
        return self._by_line.get(line_id, LineDocuments())

    def known_of_line(self, line_id: str) -> Sequence[ProposedAsset]:
        """What was made of one line before."""
        return self._known_by_line.get(line_id, ())

    @cached_property
    def _by_line(self) -> Mapping[str, LineDocuments]:
        return by_line(self.receipts, self.invoices)

    @cached_property
    def _known_by_line(self) -> Mapping[str, Sequence[ProposedAsset]]:
        found: dict[str, list[ProposedAsset]] = {}
        for row in self.known:
            found.setdefault(row.line_id, []).append(row)
        return found


def proposal_id(row: ProposedAsset) -> str:
    """``line id/receipt/unit``: identity of a proposed asset within its order."""
    return f"{row.line_id}/{row.document}/{row.unit}"


def acquire(
    documents: Documents, rule: Capitalisation, only: Collection[str] | None = None
) -> dict[str, ProposedAsset]:
    """Every proposed asset of the order as it stands now, by ``proposal_id``; versions are those of ``known``.

    What was decided before is never dropped: it is there as it stands, with a conflict, or as REVERSED. What a receipt
    brought and a reversal took back is REVERSED whether or not anything was decided of it in between.
    With ``only``, the lines of these ids alone; lines do not depend on each other, so ``documents`` need no more
    than what speaks of them, and the documents that reversals among it take back.
    """
    rows: list[ProposedAsset] = []
    for line in documents.order.lines:
        if line.asset_class is not None and (only is None or line.line_id in only):
            rows += _acquire_line(documents, line, line.asset_class, rule)
    versions = {proposal_id(row): row.version for row in documents.known}
    found = {key: row.model_copy(update={"version": versions.get(key, 0)}) for key, row in _by_id(rows)}
    spoken_of = {line.line_id for line in documents.order.lines if line.asset_class is not None}
    for row in documents.known:
        if proposal_id(row) in found or (row.status not in DECIDED and row.status is not ProposalStatus.REVERSED):
            continue
        found[proposal_id(row)] = _left_over(row, in_order=row.line_id in spoken_of)
    return found


def _by_id(rows: Iterable[ProposedAsset]) -> Iterator[tuple[str, ProposedAsset]]:
    return ((proposal_id(row), row) for row in rows)


def _left_over(row: ProposedAsset, *, in_order: bool) -> ProposedAsset:
    if row.status is ProposalStatus.REVERSED:
        return row
    if not in_order:
        # T36: what is in the books is not deleted because the order changed; a person settles it.
        return row.model_copy(update={"conflict": "its line is no longer one of the order's asset lines"})
    return row.model_copy(update=_reversed(row.document))


def _acquire_line(documents: Documents, line: OrderLine, asset_class: str, rule: Capitalisation) -> list[ProposedAsset]:
    known = documents.known_of_line(line.line_id)
    delivered = deliveries(line, documents.of_line(line.line_id))
    charged = charges(documents.of_line(line.line_id))
    held, conflict = _standing(documents.order, line, charged)
    pieces = allocate(delivered, line.quantity, known, rule)
    if _buys_nothing(documents.order, line):
        pieces = [piece for piece in pieces if _is_decided(piece.known)]
    pieces = [
        replace(piece, conflict=conflict or piece.conflict) if _is_decided(piece.known) else _hold(piece, held)
        for piece in pieces
    ]
    valued = _valued(line, pieces, charged)
    quantity = sum((piece.quantity for piece in valued), NOTHING)
    cost = _cost(line, quantity, charged)
    amounts = spread(cost, [piece.quantity for piece in valued], _step(documents, line))
    costs = {piece.place: amount for piece, amount in zip(valued, amounts, strict=True)}
    unit_cost = cost / Fraction(quantity) if quantity else Fraction(0)
    rows: list[ProposedAsset] = []
    for piece in pieces:
        row = _row(documents, line, piece)
        if piece.place in costs:
            purchase = Purchase(
                asset_class=asset_class,
                currency=documents.order.currency,
                unit_cost=unit_cost,
                line_cost=unit_cost * Fraction(line.quantity),
                on=piece.on,
            )
            row = _decided(row, piece.known, purchase, costs[piece.place], rule)
        rows.append(row)
    if _buys_nothing(documents.order, line):
        return rows
    gone = taken_back(delivered, line.quantity, known, rule, {piece.place for piece in pieces})
    return [*rows, *(_row(documents, line, one).model_copy(update=_reversed(one.document)) for one in gone)]


def _reversed(document: str) -> dict[str, object]:
    """What is said of a row of a document that was taken back."""
    reason = f"{document} was taken back"
    return {"status": ProposalStatus.REVERSED, "cost": None, "reason": reason, "conflict": None}


def _buys_nothing(order: OrderFields, line: OrderLine) -> bool:
    """A blanket order is called off by others (T36); goods on consignment stay the supplier's."""
    return order.blanket or line.match_type is MatchType.CONSIGNMENT


def _standing(order: OrderFields, line: OrderLine, charged: Charged) -> tuple[str | None, str | None]:
    """Why nothing new may be decided on the line, and what that means for what is decided already."""
    if order.blanket:
        return "the order is a blanket order", "the order became a blanket order after it was decided"
    if order.approval_status is not ApprovalStatus.APPROVED:
        stands = order.approval_status.value.lower()
        # T36: cancelled after it was capitalised is a conflict, never a deletion.
        return f"the order is not approved: {stands}", f"the order is {stands} although it was received and decided"
    if line.match_type is MatchType.UNKNOWN:
        return "how its invoices are matched is a code this version does not know", None
    if line.quantity <= 0:
        return "the line orders no positive quantity", "the line orders no positive quantity any more"
    if charged.quantity < 0 or (charged.quantity > 0 and charged.cost < 0):
        return "more was credited than invoiced", "more was credited than invoiced"
    return None, None


def _is_decided(row: ProposedAsset | None) -> bool:
    return row is not None and row.status in DECIDED


def _hold(piece: Piece, reason: str | None) -> Piece:
    return piece if piece.held or reason is None else replace(piece, held=reason)


def _valued(line: OrderLine, pieces: Sequence[Piece], charged: Charged) -> list[Piece]:
    """The pieces that have a value now: all, or those the invoices cover if receipts are not valuated (T08)."""
    ready = [piece for piece in pieces if piece.unit > 0 and not piece.held]
    if line.gr_valuated or acquired_by_invoice(line):
        return ready
    covered: set[tuple[str, int]] = set()
    left = charged.quantity
    for piece in sorted(ready, key=lambda p: (not _is_decided(p.known), p.on, p.document, p.unit)):
        if piece.quantity > left:
            break
        left -= piece.quantity
        covered.add(piece.place)
    return [piece for piece in ready if piece.place in covered]


def _cost(line: OrderLine, quantity: Decimal, charged: Charged) -> Fraction:
    """Exact cost of so many units: what invoices charge for them, and the order's price for those not invoiced yet."""
    if charged.quantity >= quantity and charged.quantity > 0:
        return Fraction(charged.cost) * Fraction(quantity) / Fraction(charged.quantity)
    if line.final_invoice and charged.quantity > 0:
        return Fraction(charged.cost)
    price = Fraction(line_cost(line)) / Fraction(line.quantity) if line.quantity else Fraction(0)
    return Fraction(charged.cost) + price * Fraction(quantity - charged.quantity)


def spread(total: Fraction, quantities: Sequence[Decimal], step: Decimal) -> list[Decimal]:
    """``total`` over parts by quantity, in whole ``step``; the sum is the total, less what is finer than a step.

    The running total is rounded down after each part, so a part's amount does not depend on those after it, and the
    remainder falls on the part that completes a step: 3,100 over three is 1,033.33, 1,033.33, 1,033.34 (T05).
    """
    whole = sum(quantities, NOTHING)
    amounts: list[Decimal] = []
    reached, given = NOTHING, NOTHING
    for quantity in quantities:
        reached += quantity
        steps = total * Fraction(reached) / Fraction(whole) / Fraction(step)
        running = Decimal(steps.numerator // steps.denominator) * step
        amounts.append(running - given)
        given = running
    return amounts


def _step(documents: Documents, line: OrderLine) -> Decimal:
    """The currency's minor unit, or finer where an amount is: a sum stays the sum of its parts (Invariant 11)."""
    amounts = [line_cost(line)]
    amounts += [line_cost(part) for said in documents.of_line(line.line_id).invoices for part in said.parts]
    finest = [Decimal(1).scaleb(min(0, int(amount.normalize().as_tuple().exponent))) for amount in amounts]
    return min(minor_unit(documents.order.currency), *finest)


def _row(documents: Documents, line: OrderLine, piece: Piece) -> ProposedAsset:
    """The piece as a row that is not decided yet."""
    reason = piece.held or "waits for the invoice: the receipt is not valuated"
    ref = f"{document_ref(documents.system, line.line_id)}/{piece.unit}" if piece.unit else None
    return ProposedAsset(
        po_id=documents.po_id,
        version=0,
        po_line_ref=ref,
        line_id=line.line_id,
        document=piece.document,
        unit=piece.unit,
        quantity=piece.quantity,
        status=ProposalStatus.ON_HOLD if piece.held else ProposalStatus.NEW,
        acquired_on=piece.on,
        reason=reason,
        conflict=piece.conflict,
    )


def _decided(
    row: ProposedAsset, known: ProposedAsset | None, purchase: Purchase, cost: Decimal, rule: Capitalisation
) -> ProposedAsset:
    """The row with its treatment and cost. What was decided once stays decided when no rule speaks of it any more."""
    choice = choose_treatment(purchase, rule.rules)
    update: dict[str, object] = {"cost": Money(amount=cost, currency=purchase.currency), "reason": choice.reason}
    if choice.treatment is not None:
        update |= {"status": _STATUS[choice.treatment], "treatment": choice.treatment, "rule": choice.rule}
    elif known is not None and known.status in DECIDED:
        update |= {"status": known.status, "treatment": known.treatment, "rule": known.rule}
        update |= {"reason": known.reason, "conflict": choice.reason}
    else:
        update |= {"status": ProposalStatus.ON_HOLD, "rule": choice.rule}
    return row.model_copy(update=update)
