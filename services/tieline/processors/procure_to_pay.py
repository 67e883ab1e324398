"""Procure to pay as a tracked process: where a purchase stands, when each step is due, what it waits for. Pure.

Lines do not depend on each other: ``progress_of`` says how far one is, ``OrderProgress`` puts all of them together,
and ``steps_of`` says what that means.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal

from tieline.kernel.landscape import ProcureToPay
from tieline.kernel.order_records import (
    ApprovalStatus,
    MatchType,
    OrderFields,
    OrderLine,
    ProposalStatus,
    ProposedAsset,
)
from tieline.kernel.procurement_records import OPEN, PurchaseStep, StepStatus
from tieline.processors.acquisitions import Documents
from tieline.processors.allocation import BOOKED, DECIDED
from tieline.processors.documents import LineDocuments, acquired_by_invoice, charges, deliveries
from tieline.processors.purchase_progress import LineProgress, OrderProgress, Part

_ENDED = frozenset({ApprovalStatus.REJECTED, ApprovalStatus.CANCELLED})
_NOTHING = Decimal(0)


@dataclass(frozen=True, slots=True)
class Found:
    """What a step is made of, and what the rest of it waits for."""

    part: Part
    waits_for: str


def track(
    documents: Documents, due: ProcureToPay, *, in_service: Mapping[str, dt.date] | None = None
) -> tuple[PurchaseStep, ...]:
    """The six steps of an order with all its documents; see ``steps_of``."""
    found = OrderProgress(progress_of_lines(documents, due_lines(documents)))
    any_documents = bool(documents.receipts or documents.invoices)
    return steps_of(documents.order, found, due, any_documents=any_documents, in_service=in_service or {})


def due_lines(documents: Documents) -> frozenset[str]:
    """Ids of the lines that have progress: the order's, and those that something was made of before."""
    return frozenset(line.line_id for line in documents.order.lines) | {row.line_id for row in documents.known}


def progress_of_lines(documents: Documents, line_ids: Iterable[str]) -> dict[str, LineProgress]:
    """Progress by line; the documents need be no more than those that speak of these lines."""
    lines = {line.line_id: line for line in documents.order.lines}
    return {
        line_id: progress_of(lines.get(line_id), documents.of_line(line_id), documents.known_of_line(line_id))
        for line_id in sorted(line_ids)
    }


def progress_of(line: OrderLine | None, said: LineDocuments, known: Iterable[ProposedAsset]) -> LineProgress:
    """How far one line is; ``known`` are its proposed assets as they stand. None for a line the order dropped."""
    rows = [row for row in known if row.status is not ProposalStatus.REVERSED]
    decided = [row for row in rows if row.status in DECIDED]
    waiting = [row for row in rows if row.status not in DECIDED]
    days = [row.acquired_on for row in decided if row.acquired_on is not None]
    settled = _part(line, sum((row.quantity for row in decided), _NOTHING), max(days, default=None), "final_delivery")
    received = invoiced = Part()
    if line is not None and line.quantity > 0:
        if not acquired_by_invoice(line):
            delivered = deliveries(line, said)
            quantity = sum((found.quantity for found in delivered), _NOTHING)
            day = max((found.on for found in delivered if found.quantity > 0), default=None)
            received = _part(line, quantity, day, "final_delivery")
        if line.match_type is not MatchType.CONSIGNMENT:
            last_day = max((found.on for found in said.invoices), default=None)
            invoiced = _part(line, charges(said).quantity, last_day, "final_invoice")
    return LineProgress(
        received=received,
        invoiced=invoiced,
        capitalised=settled if line is not None and line.asset_class is not None else Part(last_day=settled.last_day),
        held=sum((abs(row.quantity) for row in waiting), _NOTHING),
        held_for=waiting[0].reason if waiting else None,
        # What is expensed or under construction goes into no service here.
        records=frozenset(
            row.po_line_ref
            for row in rows
            if row.status in BOOKED and row.status is not ProposalStatus.UNDER_CONSTRUCTION and row.po_line_ref
        ),
    )


def _part(line: OrderLine | None, quantity: Decimal, last_day: dt.date | None, ends: str) -> Part:
    """More of one line does not make up for another; a line that ``ends`` wants no more than what came."""
    if line is None or line.quantity <= 0:
        return Part(last_day=last_day)
    arrived = max(quantity, _NOTHING)
    target = arrived if getattr(line, ends) else line.quantity
    return Part(min(arrived, target), target, last_day)


def steps_of(
    order: OrderFields,
    progress: OrderProgress,
    due: ProcureToPay,
    *,
    any_documents: bool,
    in_service: Mapping[str, dt.date],
) -> tuple[PurchaseStep, ...]:
    """The six steps of an order, in order: approved, received, invoiced, capitalised, in service, closed.

    ``in_service`` is the first day of use of each asset record, by order line and unit (``system/line id/unit``).
    The hub knows no day of approval: the order's date counts.
    """
    approved = _approved(order, due)
    needed = order.approval_status not in _ENDED or any_documents
    found = progress.received
    wait = f"the receipt of {_plain(found.wanted - found.done)} of {_plain(found.wanted)}"
    received = _step("received", Found(found, wait), approved.done_on, due.received_days, needed=needed)
    no_receipt = received.status is StepStatus.NOT_NEEDED
    delivered_on = approved.done_on if no_receipt else received.done_on
    found = progress.invoiced
    wait = f"the invoice for {_plain(found.wanted - found.done)} of {_plain(found.wanted)}"
    invoiced = _step("invoiced", Found(found, wait), delivered_on, due.invoiced_days, needed=needed)
    acquired_on = invoiced.done_on if no_receipt else received.done_on
    assets = needed and any(line.asset_class for line in order.lines) and not order.blanket
    decided = _step("capitalised", _capitalised(progress), acquired_on, due.capitalised_days, needed=assets)
    used = _step("in service", _in_service(progress, in_service), acquired_on, due.in_service_days, needed=assets)
    if decided.status in OPEN and used.status not in OPEN:
        # What is not in the books yet will have to come into service too.
        status = StepStatus.PARTLY if used.status is StepStatus.DONE else StepStatus.WAITING
        used = used.model_copy(
            update={"status": status, "done_on": None, "begins_on": acquired_on, "waits_for": "first to be capitalised"}
        )
    before = (approved, received, invoiced, decided, used)
    return (*before, _closed(order, before, due))


def next_step(steps: Iterable[PurchaseStep]) -> PurchaseStep | None:
    """The first open step: what the purchase waits for now; None when it has come to its end."""
    return next((step for step in steps if step.status in OPEN), None)


def _approved(order: OrderFields, due: ProcureToPay) -> PurchaseStep:
    due_on = _later(order.order_date, due.approved_days)
    stands = order.approval_status.value.lower()
    if order.approval_status is ApprovalStatus.APPROVED:
        return PurchaseStep(
            name="approved", status=StepStatus.DONE, done_on=order.order_date, due_on=due_on, begins_on=order.order_date
        )
    if order.approval_status in _ENDED:
        wait = f"nothing: the order is {stands}"
        return PurchaseStep(name="approved", status=StepStatus.NOT_NEEDED, waits_for=wait)
    wait = f"the approval: the order is {stands}"
    return PurchaseStep(
        name="approved", status=StepStatus.WAITING, due_on=due_on, begins_on=order.order_date, waits_for=wait
    )


def _step(name: str, found: Found, begins: dt.date | None, days: int, *, needed: bool) -> PurchaseStep:
    part = found.part
    if not needed or not part.wanted:
        return PurchaseStep(name=name, status=StepStatus.NOT_NEEDED)
    is_done = part.done >= part.wanted
    status = StepStatus.PARTLY if part.done > 0 else StepStatus.WAITING
    return PurchaseStep(
        name=name,
        status=StepStatus.DONE if is_done else status,
        done_on=part.last_day if is_done else None,
        due_on=_later(begins, days),
        begins_on=begins,
        waits_for=None if is_done else found.waits_for,
    )


def _capitalised(progress: OrderProgress) -> Found:
    """Every unit of an asset line that is not refused for good has a decision."""
    part, reason = progress.capitalised, progress.held_for
    if reason is None:
        return Found(part, f"the receipt of {_plain(part.wanted - part.done)} of {_plain(part.wanted)}")
    wanted = max(part.wanted, part.done + progress.held)
    return Found(Part(part.done, wanted, part.last_day), reason)


def _in_service(progress: OrderProgress, in_service: Mapping[str, dt.date]) -> Found:
    """The asset records that are in the books."""
    wanted = list(progress.records)
    days = [in_service[ref] for ref in wanted if ref in in_service]
    part = Part(Decimal(len(days)), Decimal(len(wanted)), max(days, default=None))
    return Found(part, f"the first use of {len(wanted) - len(days)} of {len(wanted)}")


def _closed(order: OrderFields, before: Iterable[PurchaseStep], due: ProcureToPay) -> PurchaseStep:
    before = list(before)
    open_steps = [step.name for step in before if step.status in OPEN]
    days = [step.done_on for step in before if step.done_on is not None]
    last_day = None if open_steps else max(days, default=order.order_date)
    due_on = _later(last_day, due.closed_days)
    if order.closed:
        return PurchaseStep(name="closed", status=StepStatus.DONE, done_on=last_day, due_on=due_on, begins_on=last_day)
    if order.approval_status in _ENDED and not open_steps:
        return PurchaseStep(name="closed", status=StepStatus.NOT_NEEDED)
    wait = f"first to be {open_steps[0]}" if open_steps else "the closing of the order"
    return PurchaseStep(name="closed", status=StepStatus.WAITING, due_on=due_on, begins_on=last_day, waits_for=wait)


def _later(day: dt.date | None, days: int) -> dt.date | None:
    return None if day is None else day + dt.timedelta(days=days)


def _plain(number: Decimal) -> str:
    return format(number.normalize(), "f")
