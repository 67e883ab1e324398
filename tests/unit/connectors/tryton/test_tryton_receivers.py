"""A cost document that several cost centres bear: a line of the move for each, and read back as it was written."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from typing import Any

import pytest
from tests.unit.connectors.tryton.test_tryton_late_costs import CONTEXT, SETTINGS, Books

from tieline.connectors.tryton import costs_text
from tieline.connectors.tryton.costs import CostWriter
from tieline.connectors.tryton.settings import read_settings
from tieline.kernel.command_records import PostCost
from tieline.kernel.cost_postings import postings_of
from tieline.kernel.cost_records import CostFields, CostKind, CostLine, CostReceiver, ReceiverKind
from tieline.kernel.errors import Rejected, Retryable
from tieline.kernel.vocabulary import Dispatch


class Centres(Books):
    """Cost centres become the number in their code."""

    def __init__(self) -> None:
        super().__init__()
        self.fields: list[str] = []

    async def cost_centre(self, code: str, _day: dt.date, field: str) -> int:
        self.fields.append(field)
        return int(code.removeprefix("CC"))


def bears(code: str, part: int, whole: int, kind: ReceiverKind = ReceiverKind.COST_CENTRE) -> CostReceiver:
    return CostReceiver(kind=kind, code=code, share_part=part, share_whole=whole)


def command(*receivers: CostReceiver, sign: int = 1, **changes: Any) -> PostCost:
    """100.00 of labour that the receivers bear, and 20.00 of parts for the document's own centre."""
    values = (CostKind.LABOUR, "Fix", Decimal("2.5"), "100.00", receivers), (CostKind.PART, "Fan", None, "20.00", ())
    lines = tuple(
        CostLine(
            line_no=n, kind=kind, description=text, quantity=quantity, amount=sign * Decimal(amount), receivers=bearing
        )
        for n, (kind, text, quantity, amount, bearing) in enumerate(values, 1)
    )
    fields = CostFields(
        work_order="WO-7",
        company="ACME",
        currency="EUR",
        cost_centre="CC1",
        effective_date=dt.date(2026, 3, 17),
        total=sign * Decimal("120.00"),
        lines=lines,
    )
    dispatch = Dispatch(command_id="c", target="tryton", version=1)
    body: dict[str, Any] = {
        "dispatch": dispatch,
        "cost_doc_id": "cd-1",
        "fields": fields,
        "postings": postings_of(fields),
    }
    return PostCost(**(body | changes))


async def created(order: PostCost) -> tuple[dict[str, Any], Centres]:
    books = Centres()
    writer = CostWriter(books, read_settings("tryton", SETTINGS), CONTEXT, books)  # type: ignore[arg-type]  # stands in
    with pytest.raises(Retryable):
        await writer.write(order)
    [values] = books.created
    return values, books


def lines_of(values: dict[str, Any]) -> list[tuple[Any, ...]]:
    """Account, sides, description and the one analytic line (account, debit, credit) of each line of the move."""
    found = []
    for line in values["lines"][0][1]:
        analytic = [
            (part["account"], part["debit"], part["credit"]) for part in line.get("analytic_lines", [(0, [])])[0][1]
        ]
        found.append((line["account"], line["debit"], line["credit"], line.get("description"), analytic))
    return found


async def test_each_cost_centre_has_a_line_of_the_move_and_the_quantity_stands_once() -> None:
    values, books = await created(command(bears("CC1", 1, 3), bears("CC2", 1, 3), bears("CC3", 1, 3)))
    nil = Decimal(0)
    assert lines_of(values) == [
        (3, Decimal("33.34"), nil, "LABOUR x 2.5: Fix", [(1, Decimal("33.34"), nil)]),
        (3, Decimal("33.33"), nil, "LABOUR: Fix", [(2, Decimal("33.33"), nil)]),
        (3, Decimal("33.33"), nil, "LABOUR: Fix", [(3, Decimal("33.33"), nil)]),
        (3, Decimal("20.00"), nil, "PART: Fan", [(1, Decimal("20.00"), nil)]),
        (3, nil, Decimal("120.00"), None, []),
    ]
    assert costs_text.read_document(values["description"]).cost_centre == "CC1"
    assert books.fields == ["fields.cost_centre", "postings.1.receiver", "postings.2.receiver", "fields.cost_centre"]


async def test_a_reversal_takes_the_same_from_each_on_the_other_side() -> None:
    there, _ = await created(command(bears("CC2", 1, 3), bears("CC3", 2, 3)))
    back, _ = await created(command(bears("CC2", 1, 3), bears("CC3", 2, 3), sign=-1))
    swapped = [(a, c, d, text, [(n, y, x) for n, x, y in part]) for a, d, c, text, part in lines_of(there)]
    assert lines_of(back) == swapped


async def test_without_receivers_the_move_is_what_it_always_was() -> None:
    values, _ = await created(command())
    assert values["description"] == "tieline: cd-1 | work order: WO-7"
    assert values == (await created(command(postings=())))[0]  # a command from before there were receivers
    assert [line["description"] for line in values["lines"][0][1][:-1]] == ["LABOUR x 2.5: Fix", "PART: Fan"]


@pytest.mark.parametrize(
    ("kind", "place"), [(ReceiverKind.ASSET, 0), (ReceiverKind.INTERNAL_ORDER, 1), (ReceiverKind.WBS, 1)]
)
async def test_a_receiver_that_tryton_cannot_charge_is_refused_and_nothing_is_written(
    kind: ReceiverKind, place: int
) -> None:
    books = Centres()
    writer = CostWriter(books, read_settings("tryton", SETTINGS), CONTEXT, books)  # type: ignore[arg-type]  # stands in
    with pytest.raises(Rejected, match=f"{kind} 7 cannot bear") as caught:
        await writer.write(command(bears("CC1", 1, 2), bears("7", 1, 2, kind)))
    assert (caught.value.field, bool(caught.value.remedy)) == (f"postings.{place}.receiver_kind", True)
    assert books.created == []


async def test_parts_that_do_not_make_the_document_are_refused() -> None:
    books = Centres()
    writer = CostWriter(books, read_settings("tryton", SETTINGS), CONTEXT, books)  # type: ignore[arg-type]  # stands in
    whole = command()
    with pytest.raises(Rejected, match=r"come to 100.00, the document to 120.00"):
        await writer.write(whole.model_copy(update={"postings": whole.postings[:1]}))
    assert books.created == []
