"""Whether what was invoiced for an order line is what was agreed, by the line's match type.

The four match types are those of BPI Challenge 2019: a two-way match compares with what was ordered; a three-way match
with what was received, unless the invoice comes first by agreement: then with what was ordered; of consignment nothing
is invoiced on the order. All invoices of a line count together, so that a later credit or receipt ends a mismatch.
"""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from fractions import Fraction

from tieline.kernel.clock import Clock
from tieline.kernel.currencies import minor_units, round_to_minor_unit
from tieline.kernel.invoice_records import InvoiceMismatch, MismatchMeasure
from tieline.kernel.landscape import InvoiceMatching
from tieline.kernel.memory import Conflict
from tieline.kernel.order_records import MatchType, OrderLine
from tieline.kernel.tables import Table
from tieline.processors.acquisitions import Documents
from tieline.processors.conflicts import keep_conflict
from tieline.processors.documents import LineDocuments, deliveries


class Matching:
    """Keeps a row for each order line that does not match. ``conflicts`` is accept's own table."""

    def __init__(self, tolerances: InvoiceMatching | None, conflicts: Table[Conflict], clock: Clock) -> None:
        self._tolerances = tolerances
        self._conflicts = conflicts
        self._clock = clock

    def note(self, documents: Documents, lines: frozenset[str] | None) -> tuple[InvoiceMismatch, ...]:
        """What does not match of these lines (None: of all), visible until it does (9). Rejects nothing."""
        if self._tolerances is None:
            return ()
        ordered = {line.line_id: line for line in documents.order.lines}
        invoiced = {part.line_id for invoice in documents.invoices for part in invoice.fields.lines}
        found: list[InvoiceMismatch] = []
        for line_id in sorted(lines if lines is not None else ordered.keys() | invoiced):
            said, line = documents.of_line(line_id), ordered.get(line_id)
            # A framework order is called off by others: its own quantities and amounts bind nobody.
            is_bound = not documents.order.blanket
            wrong = mismatches(line_id, line, said, documents.order.currency, self._tolerances) if is_bound else ()
            self._keep(documents, line_id, wrong)
            found += wrong
        return tuple(found)

    def _keep(self, documents: Documents, line_id: str, wrong: Sequence[InvoiceMismatch]) -> None:
        field, system, currency = f"lines.{line_id}.invoiced", documents.system, documents.order.currency
        key = f"{documents.po_id}|{field}|{system}"
        if not wrong:
            self._conflicts.delete(key)
            return
        first = wrong[0]
        row = Conflict(
            canonical_id=documents.po_id,
            field=field,
            owner=system,
            system=system,
            owned_value=f"{first.expected_quantity:f} for {first.expected_amount:f} {currency}",
            foreign_value=f"{first.invoiced_quantity:f} for {first.invoiced_amount:f} {currency}",
            detected_at=self._clock(),
            reason=f"the {first.measure.lower()} invoiced is beyond the tolerance of {first.tolerance_percent:f} %",
            remedy="clear it with the supplier: a credit, a reversal or the missing receipt ends it",
        )
        keep_conflict(self._conflicts, row)


def mismatches(
    line_id: str, line: OrderLine | None, said: LineDocuments, currency: str, tolerances: InvoiceMatching
) -> tuple[InvoiceMismatch, ...]:
    """What does not match of one line; nothing where nothing is invoiced, or its match type is not known here.

    Of a line that the order does not have (``None``) nothing may be invoiced.
    """
    if not said.invoices or (line is not None and line.match_type is MatchType.UNKNOWN):
        return ()
    quantity, amount, parts = _invoiced(said)
    allowed = _allowed(line, said) if line is not None else Decimal(0)
    exact = _amount_of(quantity, line) if line is not None else Fraction(0)
    # Each invoice is rounded by itself: three thirds may be a cent short of the whole.
    rounding = Fraction(parts, 2 * 10 ** minor_units(currency))
    found: list[tuple[MismatchMeasure, Decimal]] = []
    if quantity > allowed + allowed * tolerances.quantity_percent / 100:
        found.append((MismatchMeasure.QUANTITY, tolerances.quantity_percent))
    if abs(Fraction(amount) - exact) > abs(exact) * Fraction(tolerances.price_percent) / 100 + rounding:
        found.append((MismatchMeasure.PRICE, tolerances.price_percent))
    return tuple(
        InvoiceMismatch(
            line_id=line_id,
            measure=measure,
            match_type=line.match_type if line is not None else None,
            expected_quantity=allowed,
            invoiced_quantity=quantity,
            expected_amount=round_to_minor_unit(exact, currency),
            invoiced_amount=amount,
            tolerance_percent=percent,
        )
        for measure, percent in found
    )


def _allowed(line: OrderLine, said: LineDocuments) -> Decimal:
    """The quantity that may be invoiced by now."""
    match line.match_type:
        case MatchType.CONSIGNMENT:
            return Decimal(0)
        case MatchType.THREE_WAY_RECEIPT_FIRST:
            return sum((delivered.quantity for delivered in deliveries(line, said)), Decimal(0))
        case _:
            return line.quantity


def _amount_of(quantity: Decimal, line: OrderLine) -> Fraction:
    """The line's net amount for so much of it."""
    return Fraction(line.net_amount) * Fraction(quantity) / Fraction(line.quantity) if line.quantity else Fraction(0)


def _invoiced(said: LineDocuments) -> tuple[Decimal, Decimal, int]:
    """Quantity and net amount of all invoices of a line, less what was taken back, and of how many lines of theirs."""
    quantity = amount = Decimal(0)
    for one in said.invoices:
        sign = 1 if one.reversal_of is None else -1
        quantity += sign * sum((part.quantity for part in one.parts), Decimal(0))
        amount += sign * sum((part.net_amount for part in one.parts), Decimal(0))
    return quantity, amount, sum(len(one.parts) for one in said.invoices)
