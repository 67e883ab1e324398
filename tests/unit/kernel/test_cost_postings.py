"""What the receivers of a cost bear: whole minor units that make the line, in every currency."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tieline.kernel.cost_postings import check_receivers, postings_of, sums_by_receiver
from tieline.kernel.cost_records import CostFields, CostKind, CostLine, CostReceiver, ReceiverKind
from tieline.kernel.errors import Rejected

CENTRE, ORDER, WBS = ReceiverKind.COST_CENTRE, ReceiverKind.INTERNAL_ORDER, ReceiverKind.WBS


def bears(code: str, part: int, whole: int, kind: ReceiverKind = CENTRE) -> CostReceiver:
    return CostReceiver(kind=kind, code=code, share_part=part, share_whole=whole)


def document(currency: str, *lines: tuple[str, tuple[CostReceiver, ...]]) -> CostFields:
    parts = tuple(
        CostLine(line_no=n, kind=CostKind.LABOUR, description="work", amount=Decimal(amount), receivers=receivers)
        for n, (amount, receivers) in enumerate(lines, 1)
    )
    return CostFields(
        work_order="W",
        company="ACME",
        currency=currency,
        cost_centre="CC1",
        effective_date=dt.date(2026, 11, 3),
        total=sum((part.amount for part in parts), Decimal(0)),
        lines=parts,
    )


def told(fields: CostFields) -> list[tuple[int, str, str, str]]:
    return [(p.line_no, p.receiver_kind.value, p.receiver, str(p.amount.amount)) for p in postings_of(fields)]


THIRDS = (bears("C", 1, 3), bears("A", 1, 3), bears("B", 1, 3))


@pytest.mark.parametrize(
    ("currency", "amount", "parts"),
    [
        ("JPY", "100", {"A": "34", "B": "33", "C": "33"}),
        ("EUR", "100.00", {"A": "33.34", "B": "33.33", "C": "33.33"}),
        ("KWD", "100.000", {"A": "33.334", "B": "33.333", "C": "33.333"}),
        ("JPY", "-100", {"A": "-34", "B": "-33", "C": "-33"}),
        ("EUR", "-100.00", {"A": "-33.34", "B": "-33.33", "C": "-33.33"}),
        ("KWD", "-0.002", {"A": "-0.001", "B": "-0.001"}),
    ],
)
def test_the_odd_minor_unit_of_a_line_goes_to_the_first_by_code(
    currency: str, amount: str, parts: dict[str, str]
) -> None:
    found = {p.receiver: p.amount.amount for p in postings_of(document(currency, (amount, THIRDS)))}
    assert found == {code: Decimal(part) for code, part in parts.items()}


def test_who_gets_the_odd_minor_unit_does_not_depend_on_the_order_of_telling() -> None:
    one, other = document("EUR", ("0.01", THIRDS)), document("EUR", ("0.01", THIRDS[::-1]))
    assert postings_of(one) == postings_of(other)
    assert told(one) == [(1, "COST_CENTRE", "A", "0.01")]


def test_a_line_without_receivers_is_the_documents_cost_centres() -> None:
    fields = document("EUR", ("80.00", ()), ("20.00", (bears("O1", 1, 4, ORDER), bears("CC1", 3, 4))))
    assert told(fields) == [
        (1, "COST_CENTRE", "CC1", "80.00"),
        (2, "COST_CENTRE", "CC1", "15.00"),
        (2, "INTERNAL_ORDER", "O1", "5.00"),
    ]
    assert dict(sums_by_receiver(fields)) == {(CENTRE, "CC1"): Decimal("95.00"), (ORDER, "O1"): Decimal("5.00")}


def test_a_line_of_nothing_is_still_a_posting_and_a_share_of_nothing_is_none() -> None:
    assert told(document("EUR", ("0.00", ()))) == [(1, "COST_CENTRE", "CC1", "0.00")]
    assert [code for _, _, code, _ in told(document("JPY", ("1", (bears("A", 1, 100), bears("B", 99, 100)))))] == ["B"]


def test_an_order_and_a_cost_centre_of_one_code_are_two() -> None:
    fields = document("EUR", ("10.00", (bears("7", 1, 2), bears("7", 1, 2, WBS))))
    assert told(fields) == [(1, "COST_CENTRE", "7", "5.00"), (1, "WBS", "7", "5.00")]


@given(
    currency=st.sampled_from([("JPY", 0), ("EUR", 2), ("KWD", 3)]),
    lines=st.lists(
        st.tuples(
            st.integers(-(10**12), 10**12),
            st.lists(st.integers(1, 10**6), max_size=6),
        ),
        min_size=1,
        max_size=5,
    ),
)
def test_the_parts_of_any_document_make_it_whole_for_any_shares(
    currency: tuple[str, int], lines: list[tuple[int, list[int]]]
) -> None:
    code, digits = currency
    given_lines = [
        (
            str(Decimal(units).scaleb(-digits)),
            tuple(bears(f"R{place}", part, sum(parts)) for place, part in enumerate(parts)),
        )
        for units, parts in lines
    ]
    fields = document(code, *given_lines)
    check_receivers(fields)
    for line in fields.lines:
        parts = {p.receiver: p.amount.amount for p in postings_of(fields) if p.line_no == line.line_no}
        assert sum(parts.values()) == line.amount
        for receiver in line.receivers:
            exact = Fraction(line.amount) * receiver.share_part / receiver.share_whole
            off = abs(Fraction(parts.get(receiver.code, Decimal(0))) - exact)
            assert off < Fraction(1, 10**digits)  # no one is off by a minor unit
        assert all(amount == round(amount, digits) for amount in parts.values())
    assert sum(sums_by_receiver(fields).values()) == fields.total
    negated = document(code, *((str(-Decimal(amount)), receivers) for amount, receivers in given_lines))
    assert {r: -a for r, a in sums_by_receiver(negated).items()} == sums_by_receiver(fields)


@pytest.mark.parametrize(
    ("receivers", "field", "reason"),
    [
        ((bears("A", 1, 3), bears("B", 1, 3)), "fields.lines.0.receivers", "the shares of line 1 make 2/3, not 1"),
        ((bears("A", 2, 3), bears("B", 2, 3)), "fields.lines.0.receivers", "make 4/3, not 1"),
        ((bears("A", 3333, 10000), bears("B", 6666, 10000)), "fields.lines.0.receivers", "make 9999/10000, not 1"),
        ((bears("A", 0, 1), bears("B", 1, 1)), "fields.lines.0.receivers.0.share_part", "the share is 0 of 1"),
        ((bears("A", -1, 2), bears("B", 3, 2)), "fields.lines.0.receivers.0.share_part", "the share is -1 of 2"),
        ((bears("A", 1, 0),), "fields.lines.0.receivers.0.share_part", "the share is 1 of 0"),
        ((bears("A", 1, 2), bears("A", 1, 2)), "fields.lines.0.receivers", "COST_CENTRE A stands twice"),
        ((bears("A", 1, 1, ReceiverKind.UNKNOWN),), "fields.lines.0.receivers.0.kind", "does not know"),
    ],
)
def test_receivers_that_do_not_make_the_line_are_refused(
    receivers: tuple[CostReceiver, ...], field: str, reason: str
) -> None:
    with pytest.raises(Rejected, match=reason) as caught:
        check_receivers(document("EUR", ("10.00", receivers)))
    assert caught.value.field == field
    assert caught.value.remedy
