"""What the event of an accepted purchase order is called, and which lines it cancels. Pure."""

from __future__ import annotations

from tieline.kernel.order_records import ApprovalStatus, OrderFields


def cancelled_lines(old: OrderFields | None, new: OrderFields) -> tuple[str, ...]:
    """Ids of the lines of an approved order that are bought no more: gone, of no quantity now, or with their order."""
    if old is None or old.approval_status is not ApprovalStatus.APPROVED:
        return ()  # what is not approved buys nothing yet: it is edited, not cancelled
    kept = () if new.approval_status is ApprovalStatus.CANCELLED else new.lines
    bought = {line.line_id for line in kept if line.quantity}
    return tuple(line.line_id for line in old.lines if line.quantity and line.line_id not in bought)


def name_order(old: OrderFields | None, new: OrderFields, gone: tuple[str, ...]) -> str:
    """Name of an order's event: one a version, by what weighs most. An order's first word ends and cancels nothing."""
    was_approved = old is not None and old.approval_status is ApprovalStatus.APPROVED
    if new.approval_status is ApprovalStatus.APPROVED and not was_approved:
        return "PoApproved"
    if old is not None and _is_over(old) != _is_over(new):
        return "PoClosed" if _is_over(new) else "PoReopened"
    return "PoLineCancelled" if gone else "PoChanged"


def _is_over(fields: OrderFields) -> bool:
    """Whether nothing more is expected of the order."""
    return fields.closed or fields.approval_status is ApprovalStatus.CANCELLED
