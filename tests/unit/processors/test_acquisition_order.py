"""The order in which the documents of a purchase come decides nothing: what they say together does."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from decimal import Decimal
from itertools import permutations
from typing import Any

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from tests.unit.processors.bench import Hub
from tests.unit.processors.test_acquisitions import RECEIVED, bought, in_books, invoice, receipt, shells

from tieline.kernel.order_records import MatchType, ProposedAsset
from tieline.kernel.reports import Report

GOODS, RETURN = receipt("R1", "3"), receipt("R9", "3", reversal_of="R1")
WRONG, UNDONE, RIGHT = (
    invoice("I1", "3", "6000.00"),
    invoice("I2", "3", "6000.00", reversal_of="I1"),
    invoice("I3", "3", "3100.00"),
)
LATER = dt.date(2026, 11, 9)


def books(hub: Hub) -> dict[str, dict[str, Any]]:
    """Every proposed asset but for its version and its order's id, which the hub makes up."""
    assert hub.dead == []
    return {
        f"{row.line_id}/{row.document}/{row.unit}": row.model_dump(exclude={"version", "po_id"})
        for row in hub.rows(ProposedAsset).values()
    }


def end(said: Sequence[Report]) -> tuple[dict[str, dict[str, Any]], Decimal, object]:
    hub = Hub()
    hub.say(*said)
    return books(hub), in_books(hub), shells(hub)


def standing(found: dict[str, dict[str, Any]]) -> list[tuple[str, str, str | None]]:
    return [
        (key, row["status"].value, f"{row['cost']['amount']:f}" if row["cost"] else None)
        for key, row in sorted(found.items())
    ]


@pytest.mark.parametrize("returned", [True, False])
def test_goods_that_the_invoice_values_while_a_wrong_one_is_reversed(*, returned: bool) -> None:
    documents = (WRONG, UNDONE, RIGHT, *((RETURN,) if returned else ()))
    ends = [end((bought(gr_valuated=False), GOODS, *rest)) for rest in permutations(documents)]
    units = ("7/tryton/R1/1", "7/tryton/R1/2", "7/tryton/R1/3")
    wanted = (
        [(unit, "REVERSED", None) for unit in units]
        if returned
        else [(unit, "CAPITALISED", cost) for unit, cost in zip(units, ("1033.33", "1033.33", "1033.34"), strict=True)]
    )
    for found, total, told in ends:
        assert standing(found) == wanted
        assert (found, total, told) == ends[0]
        assert total == (0 if returned else Decimal("3100.00"))


@pytest.mark.parametrize("quantity", ["3", "100"])
def test_a_reversal_before_its_receipt_is_as_one_after_it(quantity: str) -> None:
    """A hundred units are one collective record."""
    first = receipt("R1", quantity)
    parts = [receipt(name, part, reversal_of="R1") for name, part in (("R8", "1"), ("R9", "2"))]
    whole = receipt("R7", quantity, reversal_of="R1")
    for back in ([*parts], [whole]):
        documents: list[Report] = [first, *back]
        ends = [end((bought(quantity), *said)) for said in permutations(documents)]
        assert all(one == ends[0] for one in ends)
    assert {row["status"].value for row in ends[0][0].values()} == {"REVERSED"}
    assert sum(row["quantity"] for row in ends[0][0].values()) == Decimal(quantity)


@pytest.mark.parametrize("day", [dt.date(2026, 11, 1), LATER])
def test_what_is_sent_instead_of_what_went_back_takes_its_place_in_any_order(day: dt.date) -> None:
    documents: list[Report] = [bought(), GOODS, RETURN, receipt("R2", "3", received_on=day)]
    for said in permutations(documents):
        found, total, _ = end(said)
        assert standing(found) == [
            *((f"7/tryton/R1/{unit}", "REVERSED", None) for unit in (1, 2, 3)),
            *((f"7/tryton/R2/{unit}", "CAPITALISED", "1000.00") for unit in (1, 2, 3)),
        ]
        assert total == Decimal("3000.00")


SAID: tuple[Report, ...] = (GOODS, RETURN, WRONG, UNDONE, RIGHT, receipt("R8", "1", reversal_of="R1"))


@settings(max_examples=25, deadline=None)
@given(
    said=st.lists(st.sampled_from(SAID), unique_by=lambda one: one.origin.native_id).flatmap(st.permutations),
    first=st.lists(st.sampled_from(SAID), max_size=6),
    terms=st.sampled_from([{}, {"gr_valuated": False}, {"gr_expected": False}, {"match_type": MatchType.TWO_WAY}]),
    data=st.data(),
)
def test_any_order_and_any_repetition_of_documents_ends_the_same(
    said: list[Report], first: list[Report], terms: dict[str, Any], data: st.DataObject
) -> None:
    """The order's own word at any place; a return of one more than was received is the desk's either way."""
    if "gr_expected" in terms or "match_type" in terms:  # the invoices are the deliveries
        assume(not (WRONG in said and RIGHT in said and UNDONE not in said))  # six of three: the first has them
    again = [one for one in first if one in said]
    other = data.draw(st.permutations(said))
    place = data.draw(st.integers(0, len(said)))
    order = bought(**terms)
    plain = end((order, *said))
    assert end((*other[:place], order, *other[place:], *again)) == plain


def test_several_receipts_come_to_the_same_cost_whichever_units_they_were_given() -> None:
    documents: list[Report] = [
        receipt("R1", "2"),
        receipt("R2", "1", received_on=LATER),
        receipt("R9", "1", reversal_of="R1"),
        invoice("I1", "3", "3100.00"),
    ]
    ends: set[tuple[tuple[str, str, Decimal, dt.date], ...]] = set()
    for said in permutations(documents):
        found, total, _ = end((bought(), *said))
        assert total == sum(row["cost"]["amount"] for row in found.values() if row["cost"])
        rows = [(row["document"], row["status"].value, row["quantity"], row["acquired_on"]) for row in found.values()]
        ends.add(tuple(sorted(rows)))
    assert ends == {
        (
            ("tryton/R1", "CAPITALISED", Decimal(1), RECEIVED),
            ("tryton/R1", "REVERSED", Decimal(1), RECEIVED),
            ("tryton/R2", "CAPITALISED", Decimal(1), LATER),
        )
    }
