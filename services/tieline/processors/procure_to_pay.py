"""Procure to pay as a tracked process: where a purchase stands, when each step is due, what it waits for. Pure."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum

from tieline.kernel.landscape import ProcureToPay
from tieline.kernel.model import ApprovalStatus, MatchType, OrderLine, ProposalStatus
from tieline.processors.acquisitions import BOOKED, DECIDED, Documents
from tieline.processors.documents import Delivered, acquired_by_invoice, charges, deliveries


class StepStatus(StrEnum):
    """Where a step stands."""

    DONE = "done"
    PARTLY = "partly"
    WAITING = "waiting"
    NOT_NEEDED = "not needed"


@dataclass(frozen=True, slots=True)
class Step:
    """One step. ``done_on`` and ``due_on`` are None where no date is known; ``waits_for`` is empty when it is done."""

    name: str
    status: StepStatus
    done_on: dt.date | None
    due_on: dt.date | None
    waits_for: str

    def is_late(self, today: dt.date) -> bool:
        """Whether it is open past its day."""
        return self.status in _OPEN and self.due_on is not None and today > self.due_on


_OPEN = frozenset({StepStatus.PARTLY, StepStatus.WAITING})
_ENDED = frozenset({ApprovalStatus.REJECTED, ApprovalStatus.CANCELLED})


@dataclass(frozen=True, slots=True)
class Found:
    """What a step is made of: how much of how much is done, the last day of it, and what the rest waits for."""

    done: Decimal
    wanted: Decimal
    last_day: dt.date | None
    waits_for: str


def track(
    documents: Documents, due: ProcureToPay, *, in_service: Mapping[str, dt.date] | None = None
) -> tuple[Step, ...]:
    """The six steps of an order, in order: approved, received, invoiced, capitalised, in service, closed.

    ``documents.known`` are the proposed assets as they stand; ``in_service`` is the first day of use of each asset
    record, by order line and unit (``system/line id/unit``). The hub knows no day of approval: the order's date counts.
    """
    approved = _approved(documents, due)
    needed = _is_needed(documents)
    received = _step("received", _received(documents), approved.done_on, due.received_days, needed=needed)
    no_receipt = received.status is StepStatus.NOT_NEEDED
    delivered_on = approved.done_on if no_receipt else received.done_on
    invoiced = _step("invoiced", _invoiced(documents), delivered_on, due.invoiced_days, needed=needed)
    acquired_on = invoiced.done_on if no_receipt else received.done_on
    assets = needed and any(line.asset_class for line in documents.order.lines) and not documents.order.blanket
    decided = _step("capitalised", _capitalised(documents), acquired_on, due.capitalised_days, needed=assets)
    used = _step(
        "in service", _in_service(documents, in_service or {}), acquired_on, due.in_service_days, needed=assets
    )
    if decided.status in _OPEN and used.status not in _OPEN:
        # What is not in the books yet will have to come into service too.
        status = StepStatus.PARTLY if used.status is StepStatus.DONE else StepStatus.WAITING
        used = Step(used.name, status, None, used.due_on, "first to be capitalised")
    before = (approved, received, invoiced, decided, used)
    return (*before, _closed(documents, before, due))


def next_step(steps: Iterable[Step]) -> Step | None:
    """The first open step: what the purchase waits for now; None when it has come to its end."""
    return next((step for step in steps if step.status in _OPEN), None)


def _is_needed(documents: Documents) -> bool:
    return documents.order.approval_status not in _ENDED or bool(documents.receipts or documents.invoices)


def _approved(documents: Documents, due: ProcureToPay) -> Step:
    order = documents.order
    due_on = _later(order.order_date, due.approved_days)
    if order.approval_status is ApprovalStatus.APPROVED:
        return Step("approved", StepStatus.DONE, order.order_date, due_on, "")
    stands = order.approval_status.value.lower()
    if order.approval_status in _ENDED:
        return Step("approved", StepStatus.NOT_NEEDED, None, None, f"nothing: the order is {stands}")
    return Step("approved", StepStatus.WAITING, None, due_on, f"the approval: the order is {stands}")


def _step(name: str, found: Found, begins: dt.date | None, days: int, *, needed: bool) -> Step:
    due_on = _later(begins, days)
    if not needed or not found.wanted:
        return Step(name, StepStatus.NOT_NEEDED, None, None, "")
    if found.done >= found.wanted:
        return Step(name, StepStatus.DONE, found.last_day, due_on, "")
    status = StepStatus.PARTLY if found.done > 0 else StepStatus.WAITING
    return Step(name, status, None, due_on, found.waits_for)


def _quantities(
    lines: Sequence[OrderLine], quantity: Callable[[OrderLine], Decimal], *, ends: str
) -> tuple[Decimal, ...]:
    """Done and wanted over the lines, line by line: more of one line does not make up for another."""
    done = wanted = Decimal(0)
    for line in lines:
        arrived = max(quantity(line), Decimal(0))
        target = arrived if getattr(line, ends) else line.quantity
        done += min(arrived, target)
        wanted += target
    return done, wanted


def _received(documents: Documents) -> Found:
    lines = [ln for ln in documents.order.lines if ln.quantity > 0 and not acquired_by_invoice(ln)]
    days = [found.on for ln in lines for found in _delivered(documents, ln)]

    def arrived(line: OrderLine) -> Decimal:
        return sum((found.quantity for found in _delivered(documents, line)), Decimal(0))

    done, wanted = _quantities(lines, arrived, ends="final_delivery")
    return Found(done, wanted, max(days, default=None), f"the receipt of {_plain(wanted - done)} of {_plain(wanted)}")


def _delivered(documents: Documents, line: OrderLine) -> list[Delivered]:
    return [found for found in deliveries(line, documents.of_line(line.line_id)) if found.quantity > 0]


def _invoiced(documents: Documents) -> Found:
    lines = [ln for ln in documents.order.lines if ln.quantity > 0 and ln.match_type is not MatchType.CONSIGNMENT]
    ids = {line.line_id for line in lines}
    days = [
        invoice.fields.invoiced_on
        for invoice in documents.invoices
        if any(part.line_id in ids for part in invoice.fields.lines)
    ]
    done, wanted = _quantities(lines, lambda ln: charges(documents.of_line(ln.line_id)).quantity, ends="final_invoice")
    return Found(done, wanted, max(days, default=None), f"the invoice for {_plain(wanted - done)} of {_plain(wanted)}")


def _capitalised(documents: Documents) -> Found:
    """Every unit of an asset line that is not refused for good has a decision."""
    rows = [row for row in documents.known if row.status is not ProposalStatus.REVERSED]
    decided = [row for row in rows if row.status in DECIDED]
    lines = [line for line in documents.order.lines if line.asset_class is not None and line.quantity > 0]

    def settled(line: OrderLine) -> Decimal:
        return sum((row.quantity for row in decided if row.line_id == line.line_id), Decimal(0))

    done, wanted = _quantities(lines, settled, ends="final_delivery")
    open_rows = [row for row in rows if row.status not in DECIDED]
    if open_rows:
        wanted = max(wanted, done + sum((abs(row.quantity) for row in open_rows), Decimal(0)))
        waits_for = open_rows[0].reason
    else:
        waits_for = f"the receipt of {_plain(wanted - done)} of {_plain(wanted)}"
    days = [row.acquired_on for row in decided if row.acquired_on is not None]
    return Found(done, wanted, max(days, default=None), waits_for)


def _in_service(documents: Documents, in_service: Mapping[str, dt.date]) -> Found:
    """The asset records that are in the books; what is expensed or under construction goes into no service here."""
    wanted = {
        row.po_line_ref
        for row in documents.known
        if row.status in BOOKED and row.status is not ProposalStatus.UNDER_CONSTRUCTION and row.po_line_ref
    }
    days = [in_service[ref] for ref in wanted if ref in in_service]
    waits_for = f"the first use of {len(wanted) - len(days)} of {len(wanted)}"
    return Found(Decimal(len(days)), Decimal(len(wanted)), max(days, default=None), waits_for)


def _closed(documents: Documents, before: Sequence[Step], due: ProcureToPay) -> Step:
    open_steps = [step.name for step in before if step.status in _OPEN]
    days = [step.done_on for step in before if step.done_on is not None]
    last_day = None if open_steps else max(days, default=documents.order.order_date)
    due_on = _later(last_day, due.closed_days)
    if documents.order.closed:
        return Step("closed", StepStatus.DONE, last_day, due_on, "")
    if documents.order.approval_status in _ENDED and not open_steps:
        return Step("closed", StepStatus.NOT_NEEDED, None, None, "")
    waits_for = f"first to be {open_steps[0]}" if open_steps else "the closing of the order"
    return Step("closed", StepStatus.WAITING, None, due_on, waits_for)


def _later(day: dt.date | None, days: int) -> dt.date | None:
    return None if day is None else day + dt.timedelta(days=days)


def _plain(number: Decimal) -> str:
    return format(number.normalize(), "f")
