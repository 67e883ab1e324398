"""Which waiting versions a newer one stands for, and each exception: nothing that was to be written is lost."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal

import pytest

from tieline.kernel.asset_records import AssetFields
from tieline.kernel.book_records import BookFields
from tieline.kernel.coalescing import count_passed_over, tell_passed_over
from tieline.kernel.command_records import Command, PostCost, RemoveRecord, WriteAsset, WriteBook
from tieline.kernel.cost_records import CostFields, CostKind, CostLine
from tieline.kernel.errors import Rejected
from tieline.kernel.vocabulary import Dispatch

BOTH = ("location", "description")
FULL = AssetFields(location="L1", description="Pump")


def dispatch(version: int, *, repair: str | None = None) -> Dispatch:
    return Dispatch(command_id=f"erp/x/{version}/{repair}", target="erp", version=version, repair_id=repair)


def asset(
    version: int,
    fields: AssetFields = FULL,
    writable: tuple[str, ...] = BOTH,
    *,
    cleared: tuple[str, ...] = (),
    native_id: str | None = None,
    asset_id: str = "A",
    repair: str | None = None,
) -> WriteAsset:
    return WriteAsset(
        dispatch=dispatch(version, repair=repair),
        asset_id=asset_id,
        native_id=native_id,
        fields=fields,
        writable_fields=writable,
        cleared_fields=cleared,
    )


def book(version: int, book_id: str = "main") -> WriteBook:
    fields = BookFields(
        book_id=book_id,
        currency="EUR",
        method="SL",
        gross_cost=Decimal(100),
        salvage=Decimal(0),
        accumulated=Decimal(0),
        net_book_value=Decimal(100),
        as_of=dt.date(2026, 1, 1),
        lines=(),
    )
    return WriteBook(dispatch=dispatch(version), asset_id="A", fields=fields)


def cost(version: int) -> PostCost:
    line = CostLine(line_no=1, kind=CostKind.LABOUR, description="work", amount=Decimal(5))
    fields = CostFields(
        work_order="WO",
        asset_native_id="1",
        company="ACME",
        currency="EUR",
        cost_centre="CC1",
        effective_date=dt.date(2026, 3, 1),
        total=Decimal(5),
        lines=(line,),
    )
    return PostCost(dispatch=dispatch(version), cost_doc_id="D", asset_id="A", fields=fields)


def removal(version: int) -> RemoveRecord:
    return RemoveRecord(dispatch=dispatch(version), entity="asset", record_id="A", native_id="1")


def test_the_newest_of_thirty_versions_stands_for_all() -> None:
    assert count_passed_over([asset(version) for version in range(1, 31)]) == 29


def test_the_newest_state_of_a_book_stands_for_the_older_ones_of_that_book() -> None:
    assert count_passed_over([book(1), book(2), book(3)]) == 2
    assert count_passed_over([book(1), book(2, "tax")]) == 0


def test_one_command_is_for_itself() -> None:
    assert count_passed_over([asset(1)]) == 0


def test_a_newer_one_that_may_write_more_stands_for_one_that_may_write_less() -> None:
    assert count_passed_over([asset(1, writable=("location",)), asset(2)]) == 1


def test_what_only_an_older_one_may_write_is_written_by_it() -> None:
    # The target has said the location itself meanwhile, so the newer version leaves it alone.
    narrow = [asset(version, writable=("description",)) for version in (2, 3)]
    assert count_passed_over([asset(1), narrow[0]]) == 0
    assert count_passed_over([asset(1), *narrow]) == 0


def test_a_word_put_back_to_its_origin_passes_nothing_over_and_is_passed_over_by_what_says_it_too() -> None:
    returned = asset(2, writable=("location",))
    assert count_passed_over([asset(1), returned]) == 0
    assert count_passed_over([returned, asset(3, writable=("description",))]) == 0
    assert count_passed_over([asset(1), returned, asset(3)]) == 2


def test_a_value_that_only_an_older_one_knows_is_written_by_it() -> None:
    assert count_passed_over([asset(1), asset(2, AssetFields(description="Pump"))]) == 0


def test_a_value_that_a_newer_one_clears_or_sets_again_needs_no_older_one() -> None:
    cleared = asset(2, AssetFields(description="Pump"), cleared=("location",))
    assert count_passed_over([asset(1), cleared]) == 1
    assert count_passed_over([cleared, asset(3)]) == 1


def test_what_only_an_older_one_clears_is_cleared_by_it() -> None:
    cleared = asset(1, AssetFields(description="Pump"), cleared=("location",))
    assert count_passed_over([cleared, asset(2, AssetFields(description="Pump"))]) == 0


def test_a_command_that_may_write_nothing_is_no_full_state() -> None:
    assert count_passed_over([asset(1, writable=()), asset(2)]) == 0
    assert count_passed_over([asset(1), asset(2, writable=())]) == 0


@pytest.mark.parametrize(
    "other",
    [cost(2), removal(2), book(2), asset(2, repair="drift"), asset(2, asset_id="B")],
    ids=["cost", "removal", "book", "repair", "another asset"],
)
def test_what_is_never_coalesced_ends_the_run(other: Command) -> None:
    assert count_passed_over([asset(1), other, asset(3)]) == 0
    assert count_passed_over([other, other, asset(3)]) == 0


@pytest.mark.parametrize("documents", [(cost(1), cost(2)), (removal(1), removal(2))], ids=["costs", "removals"])
def test_a_document_is_never_passed_over_for_another(documents: tuple[Command, ...]) -> None:
    assert count_passed_over(documents) == 0


def test_a_repair_is_never_passed_over_for_another() -> None:
    assert count_passed_over([asset(1, repair="a"), asset(2, repair="b")]) == 0


@pytest.mark.parametrize("again", [1, 2])
def test_only_a_higher_version_stands_for_another(again: int) -> None:
    assert count_passed_over([asset(2), asset(again)]) == 0


def test_the_newer_one_must_know_the_same_record() -> None:
    assert count_passed_over([asset(1), asset(2, native_id="7")]) == 1
    assert count_passed_over([asset(1, native_id="7"), asset(2, native_id="7")]) == 1
    assert count_passed_over([asset(1, native_id="7"), asset(2, native_id="8")]) == 0
    assert count_passed_over([asset(1, native_id="7"), asset(2)]) == 0


def test_a_refusal_says_for_which_versions_it_stands() -> None:
    refusal = Rejected("unknown class", field="fields.asset_class", remedy="map it", held_digest="d")
    told = tell_passed_over(refusal, [4, 5, 6])
    assert told.reason == "unknown class [stands for 3 versions from 4 on too, passed over for it]"
    assert (told.field, told.remedy, told.held_digest) == ("fields.asset_class", "map it", "d")
    assert "[stands for version 4 too" in tell_passed_over(refusal, [4]).reason
    assert tell_passed_over(refusal, []) is refusal
