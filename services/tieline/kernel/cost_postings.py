"""What each receiver bears of a cost document: the shares of its lines in whole minor units. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from decimal import Decimal
from fractions import Fraction

from tieline.kernel.command_records import CostPosting
from tieline.kernel.cost_records import CostFields, CostLine, CostReceiver, ReceiverKind
from tieline.kernel.currencies import split_by_share
from tieline.kernel.errors import Rejected
from tieline.kernel.vocabulary import Money

Receiver = tuple[ReceiverKind, str]
"""Kind and code."""


def share_of(receiver: CostReceiver) -> Fraction:
    """The receiver's share of its line, exactly."""
    return Fraction(receiver.share_part, receiver.share_whole)


def check_receivers(fields: CostFields) -> None:
    """Raises ``Rejected`` for a line whose receivers do not make it whole, or are of a kind the hub does not know."""
    for place, line in enumerate(fields.lines):
        _check_line(line, f"fields.lines.{place}.receivers")


def postings_of(fields: CostFields) -> tuple[CostPosting, ...]:
    """The document by line and receiver, in the order of its lines and by kind and code; adds up to it (Invariant 11).

    A line without receivers is the document's cost centre's. A share that comes to nothing is no posting, but a line of
    nothing is one. The document must have passed ``check_receivers``.
    """
    return tuple(posting for line in fields.lines for posting in _of_line(line, fields))


def sums_by_receiver(fields: CostFields) -> Mapping[Receiver, Decimal]:
    """What each receiver bears of the document in all, those who bear something, by kind and code."""
    sums: dict[Receiver, Decimal] = {}
    for posting in postings_of(fields):
        key = (posting.receiver_kind, posting.receiver)
        sums[key] = sums.get(key, Decimal(0)) + posting.amount.amount
    return {key: amount for key, amount in sorted(sums.items()) if amount}


def _of_line(line: CostLine, fields: CostFields) -> Iterator[CostPosting]:
    shares = {(receiver.kind, receiver.code): share_of(receiver) for receiver in line.receivers}
    whole = shares or {(ReceiverKind.COST_CENTRE, fields.cost_centre): Fraction(1)}
    # By name, so that who gets the odd minor unit does not depend on the order in which the receivers are told.
    names = {f"{kind}/{code}": (kind, code) for kind, code in whole}
    parts = {name: whole[receiver] for name, receiver in names.items()}
    amounts = split_by_share(line.amount, parts, fields.currency)
    bearing = {name: amount for name, amount in amounts.items() if amount} or dict(list(amounts.items())[:1])
    for name, amount in bearing.items():
        kind, code = names[name]
        yield CostPosting(
            line_no=line.line_no,
            kind=line.kind,
            receiver_kind=kind,
            receiver=code,
            amount=Money(amount=amount, currency=fields.currency),
        )


def _check_line(line: CostLine, place: str) -> None:
    if not line.receivers:
        return
    remedy = "correct the document in its system, then replay"
    for number, receiver in enumerate(line.receivers):
        if receiver.kind is ReceiverKind.UNKNOWN:
            raise Rejected(
                "a kind of receiver this hub does not know",
                field=f"{place}.{number}.kind",
                remedy="update the hub, then replay",
            )
        if not 0 < receiver.share_part <= receiver.share_whole:
            reason = f"the share is {receiver.share_part} of {receiver.share_whole}; it must be above 0 and at most 1"
            raise Rejected(reason, field=f"{place}.{number}.share_part", remedy=remedy)
    named = [(receiver.kind, receiver.code) for receiver in line.receivers]
    for kind, code in named:
        if named.count((kind, code)) > 1:
            raise Rejected(f"{kind} {code} stands twice", field=place, remedy="say its shares as one")
    found = sum(map(share_of, line.receivers), Fraction(0))
    if found != 1:
        # Invariant 11: neither more nor less than the line is posted.
        reason = f"the shares of line {line.line_no} make {found}, not 1"
        raise Rejected(reason, field=place, remedy="say shares that make the whole, a third as 1 of 3; then replay")
