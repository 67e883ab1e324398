"""T27: a finance panel and our own reference, too, are kept whole or refused."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from tests.unit.connectors.unio24.memory_api import MemoryApi

from tieline.connectors.kit.kept import lost
from tieline.connectors.unio24.models import Answer
from tieline.connectors.unio24.profile import parse_profile
from tieline.connectors.unio24.sink import Unio24Sink
from tieline.kernel.asset_records import AssetFields, FinancialStatus, PhysicalStatus
from tieline.kernel.book_records import BookFields, ScheduleLine
from tieline.kernel.command_records import WriteAsset, WriteBook
from tieline.kernel.errors import Rejected
from tieline.kernel.vocabulary import Dispatch

TEXT = (Path(__file__).parents[4] / "deploy" / "local" / "unio24.profile.yaml").read_text(encoding="utf-8")
PROFILE = parse_profile(TEXT, name="unio24.profile.yaml")
DISPATCH = Dispatch(command_id="c", target="unio24", version=1)
HUB_REF = "0199aa00-0000-7000-8000-0000000000c5"


def line(month: int, depreciation: str) -> ScheduleLine:
    return ScheduleLine(
        date=dt.date(2026, month, 28),
        depreciation=Decimal(depreciation),
        accumulated_after=Decimal(depreciation) * month,
        net_book_value_after=Decimal(1200) - Decimal(depreciation) * month,
        posted=False,
    )


BOOK = BookFields(
    book_id="main",
    currency="EUR",
    method="SL",
    gross_cost=Decimal("1200.00"),
    salvage=Decimal(0),
    accumulated=Decimal(0),
    net_book_value=Decimal("1200.00"),
    as_of=dt.date(2026, 1, 1),
    lines=(line(1, "33.3333"), line(2, "33.3333")),
)


class Panels(MemoryApi):
    """Keeps of a panel what ``keep_panel`` makes of it."""

    def __init__(self, keep_panel: Callable[[dict[str, Any]], dict[str, Any]]) -> None:
        super().__init__()
        self.keep_panel = keep_panel

    async def send(self, method: str, path: str, *, body: dict[str, Any], **more: Any) -> Answer:
        return await super().send(method, path, body=self.keep_panel(body), **more)


def shortened(panel: dict[str, Any]) -> dict[str, Any]:
    return panel | {PROFILE.books.lines: panel[PROFILE.books.lines][:1]}


def rounded(panel: dict[str, Any]) -> dict[str, Any]:
    rule = PROFILE.books.line_fields["depreciation"].path
    assert rule is not None
    return panel | {
        PROFILE.books.lines: [row | {rule: f"{Decimal(str(row[rule])):.2f}"} for row in panel[PROFILE.books.lines]]
    }


@pytest.mark.parametrize(
    ("keep", "words"),
    [(shortened, "lines: 1 of 2 entries"), (rounded, "lines: depreciation: 33.33 instead of 33.3333")],
)
async def test_t27_a_panel_that_is_not_kept_whole_is_refused(
    keep: Callable[[dict[str, Any]], dict[str, Any]], words: str
) -> None:
    sink = Unio24Sink(Panels(keep).client(), PROFILE, "unio24")
    command = WriteBook(dispatch=DISPATCH, asset_id=HUB_REF, native_id="1", fields=BOOK)
    with pytest.raises(Rejected, match=f"they kept less of the book than was sent: {words}") as refused:
        await sink.write(command, None)
    assert refused.value.remedy
    # Invariant 8: what they made of it is our echo when it comes back.
    assert refused.value.held_digest


async def test_a_panel_that_is_kept_whole_is_confirmed() -> None:
    sink = Unio24Sink(Panels(dict).client(), PROFILE, "unio24")
    command = WriteBook(dispatch=DISPATCH, asset_id=HUB_REF, native_id="1", fields=BOOK)
    assert (await sink.write(command, None)).effect


async def test_t27_a_reference_that_was_cut_is_refused() -> None:
    api = MemoryApi(lambda record: record | {"external_ref": str(record["external_ref"])[:30]})
    command = WriteAsset(
        dispatch=DISPATCH,
        asset_id=HUB_REF,
        fields=AssetFields(
            description="Pump", physical_status=PhysicalStatus.IN_SERVICE, financial_status=FinancialStatus.RUNNING
        ),
        writable_fields=("description", "physical_status"),
    )
    with pytest.raises(Rejected, match="external_ref: they did not keep our reference as it was sent") as refused:
        await Unio24Sink(api.client(), PROFILE, "unio24").write(command, None)
    assert refused.value.remedy
    assert refused.value.held_digest


def test_the_first_part_that_is_not_whole_is_named() -> None:
    assert lost(BOOK, BOOK) is None
    assert lost(BOOK, BOOK.model_copy(update={"method": "S"})) == "method: 1 of 2 characters"
    assert lost(("Pump", "Hall"), ("Pump", "Ha")) == "2 of 4 characters"
    assert lost((), ("more",)) is None
