"""T27: what Tryton keeps less of than it was sent is refused, and never posted."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from tests.parts.tryton import dispatch, post_cost
from tests.unit.connectors.tryton.test_tryton_late_costs import CONTEXT, SETTINGS

from tieline.connectors.tryton import comment, wire
from tieline.connectors.tryton.asset_plan import check_comment
from tieline.connectors.tryton.assets import AssetWriter
from tieline.connectors.tryton.costs import CostWriter
from tieline.connectors.tryton.faults import from_rpc_error
from tieline.connectors.tryton.mapping import Context, parse
from tieline.connectors.tryton.models import Asset
from tieline.connectors.tryton.settings import read_settings
from tieline.kernel.asset_records import AssetFields
from tieline.kernel.command_records import WriteAsset
from tieline.kernel.errors import Rejected

GOLDEN = Path(__file__).parents[3] / "golden" / "tryton"
REMEDY = "(delete the draft move, lift the limit in Tryton or shorten the text at its source, replay)"
HUB_REF = "0199aa00-0000-7000-8000-0000000000c5"


def golden(case: str) -> dict[str, Any]:
    document = wire.loads((GOLDEN / case / "given.json").read_bytes())
    assert isinstance(document, dict)
    return document


class Shortened:
    """Tryton with one draft move of ours, in which texts were cut; it says what it was asked to write."""

    def __init__(self, row: dict[str, Any]) -> None:
        self.row = row
        self.calls: list[str] = []

    async def search_read(self, *_: object, **__: object) -> list[Any]:
        return [self.row]

    async def company(self) -> int:
        return 1

    async def write(self, method: str, *_: object) -> None:
        self.calls.append(method)
        self.row["state"] = "posted"


async def post(row: dict[str, Any]) -> list[str]:
    tryton = Shortened(row | {"state": "draft"})
    writer = CostWriter(tryton, read_settings("tryton", SETTINGS), CONTEXT, tryton)  # type: ignore[arg-type]  # stands in
    command = post_cost(HUB_REF).model_copy(update={"asset_number": "12"})
    try:
        await writer.write(command)
    except Rejected as error:
        return [str(error), *tryton.calls]
    return tryton.calls


async def test_t27_a_draft_that_holds_all_of_it_is_posted() -> None:
    assert await post(golden("cost-posted")) == ["model.account.move.post"]


async def test_t27_a_draft_whose_description_was_cut_is_not_posted() -> None:
    row = golden("cost-posted")
    cut = row["description"][: len(f"tieline: {HUB_REF} | work")]
    words = f"{len(cut)} of {len(row['description'])} characters"
    assert await post(row | {"description": cut}) == [
        f"description: Tryton kept less of it than was sent: {words} {REMEDY}"
    ]


async def test_t27_a_draft_line_whose_text_was_cut_is_not_posted() -> None:
    row = golden("cost-posted")
    for line in row["lines."]:
        if (line["description"] or "").startswith("PART"):
            line["description"] = line["description"][:-1]
    words = "2 of 3 characters"
    assert await post(row) == [f"lines[1].description: Tryton kept less of it than was sent: {words} {REMEDY}"]


def test_t27_an_asset_comment_that_was_cut_is_refused() -> None:
    wanted = comment.write_values("Bought at the fair.", {"tieline": HUB_REF, "description": "Pump, hall three"})
    given = golden("asset-written-by-the-hub")
    check_comment(wanted, parse(Asset, given | {"comment": wanted}))
    # Tryton's way of writing it, and what a person wrote beside it, lose nothing.
    check_comment(wanted, parse(Asset, given | {"comment": wanted.replace("Pump,", "PUMP, ") + "\nMine."}))
    with pytest.raises(Rejected, match=r"comment\.description: Tryton kept less of it than was sent: 4 of 16"):
        check_comment(wanted, parse(Asset, given | {"comment": wanted.removesuffix(", hall three")}))
    with pytest.raises(Rejected, match=r"comment\.description: .*: 0 of 16 characters"):
        check_comment(wanted, parse(Asset, given | {"comment": f"tieline: {HUB_REF}"}))


async def test_t27_an_asset_whose_comment_was_cut_by_a_write_is_refused() -> None:
    row = golden("asset-written-by-the-hub") | {"_timestamp": "1"}

    class Limited(Shortened):
        async def write(self, method: str, *arguments: Any, **_: object) -> None:
            self.calls.append(method)
            self.row["comment"] = arguments[1]["comment"][:-5]

    tryton = Limited(row)
    context = Context("tryton", {"COMPUTER": "COMPUTER"}, "MAINT-EXPENSE")
    writer = AssetWriter(tryton, read_settings("tryton", SETTINGS), context, tryton)  # type: ignore[arg-type]  # stands in
    command = WriteAsset(
        dispatch=dispatch(),
        asset_id=comment.read_values(row["comment"])["tieline"],
        fields=AssetFields(description="Pump, hall three"),
        writable_fields=("description",),
    )
    with pytest.raises(Rejected, match=r"comment\.[a-z-]+: Tryton kept less of it than was sent"):
        await writer.write(command, str(row["id"]))
    assert tryton.calls == ["model.account.asset.write"]


def test_t27_a_limit_that_tryton_has_is_its_refusal_with_the_remedy() -> None:
    said = 'The value for field "Description" in "Account Move" is too long (300 > 200).'
    error = from_rpc_error(["UserError", [said, ""]], "model.account.move.create")
    assert isinstance(error, Rejected)
    assert said in error.reason
    assert error.remedy
