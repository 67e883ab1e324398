"""T37 and T38: what is under way is never drift, what drifted always is, and each class is told from the others."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tieline.kernel.asset_records import FinancialStatus, PhysicalStatus
from tieline.kernel.memory import DriftKind, LinkStatus, Stage
from tieline.kernel.vocabulary import Money
from tieline.reconciliation.compare import Comparison, compare
from tieline.reconciliation.repair import make_plan

if TYPE_CHECKING:
    from tests.unit.reconciliation.conftest import Estate

ERP, AM = "tryton", "unio24"
SIZE = 40
Change = Callable[["Estate", int], None]
Difference = tuple[str, str, str, str]


def _gone(estate: Estate, n: int) -> None:
    estate.remove(AM, "asset", f"U{n}")


# Every way of being wrong, planted on asset n of its own: the system, kind of record and field that must be named.
# Assets with a book have an even number, those with a cost document end in 0.
WRONG: dict[str, tuple[Change, Callable[[int], Difference], int]] = {
    "field": (
        lambda e, n: e.edit(ERP, n, description="other"),
        lambda n: (ERP, "asset", f"a{n}", "description"),
        1,
    ),
    "value": (
        lambda e, n: e.edit(AM, n, acquisition_cost=Money(amount=Decimal(1), currency="EUR")),
        lambda n: (AM, "asset", f"a{n}", "acquisition_cost"),
        1,
    ),
    "asset gone": (_gone, lambda n: (AM, "asset", f"a{n}", ""), 1),
    "book value": (
        lambda e, n: e.edit_book(n, net_book_value=Decimal("0.01")),
        lambda n: (AM, "book", f"a{n}|main", "net_book_value"),
        2,
    ),
    "posting": (
        lambda e, n: e.edit_cost(n, total=Decimal("0.01")),
        lambda n: (ERP, "cost-document", f"c{n}", "total"),
        10,
    ),
}


# Every way of being under way, for one key of one system; the log alone says so.
def _command_waits(e: Estate, system: str, key: str, entity: str) -> None:
    del entity
    e.pending[system][key] = f"sink.{system}.command.v1/0/17"


def _no_outcome_yet(e: Estate, system: str, key: str, entity: str) -> None:
    row = f"{system}/{entity}/{key}"
    e.delivery(system, entity, key, stage=Stage.INTENT) if row in e.ledger else _moved(e, system, key, entity)


def _parked(e: Estate, system: str, key: str, entity: str) -> None:
    e.park(system, entity, key)


def _moved(e: Estate, system: str, key: str, entity: str) -> None:
    del system
    e.move({"asset": "assets", "book": "books", "cost-document": "costs"}[entity], key)


UNDER_WAY = {"command waits": _command_waits, "no outcome": _no_outcome_yet, "parked": _parked, "moved": _moved}


def found(comparison: Comparison, *, in_flight: bool) -> set[Difference]:
    chosen = comparison.in_flight if in_flight else comparison.drifts
    return {(f.drift.system, f.drift.entity, f.record[2], f.drift.field or "") for f in chosen}


def aggregate(key: str) -> str:
    return key.split("|", 1)[0]


@given(
    plan=st.dictionaries(
        st.integers(0, SIZE - 1),
        st.tuples(st.sampled_from(sorted(WRONG)), st.sampled_from(["drift", *sorted(UNDER_WAY)])),
        max_size=SIZE,
    )
)
@settings(max_examples=150, deadline=None)
def test_t37_what_is_under_way_is_never_drift_and_real_drift_is_found_every_time(
    make_estate: Callable[[int], Estate], plan: dict[int, tuple[str, str]]
) -> None:
    estate = make_estate(SIZE)
    real: set[Difference] = set()
    moving: set[Difference] = set()
    for n, (wrong, how) in plan.items():
        change, name, every = WRONG[wrong]
        if n % every:
            continue
        change(estate, n)
        difference = name(n)
        if how == "drift":
            real.add(difference)
        else:
            system, entity, key, _ = difference
            UNDER_WAY[how](estate, system, key if how in {"no outcome", "moved"} else aggregate(key), entity)
            moving.add(difference)
    comparison = compare(estate.evidence(), estate.scope)
    assert found(comparison, in_flight=False) == real
    assert found(comparison, in_flight=True) == moving
    assert comparison.unexplained == []


def test_t37_the_systems_may_differ_everywhere_while_everything_is_under_way(
    make_estate: Callable[[int], Estate],
) -> None:
    estate = make_estate(SIZE)
    for n in range(SIZE):
        estate.edit(AM, n, cost_centre="CC-NEW")
        estate.pending[AM][f"a{n}"] = f"sink.{AM}.command.v1/0/{n}"
    comparison = compare(estate.evidence(), estate.scope)
    assert (len(comparison.drifts), len(comparison.in_flight)) == (0, SIZE)
    assert make_plan(comparison, estate.evidence(), estate.scope).steps == []


def test_t38_two_assets_with_each_others_cost_are_both_found_although_every_total_agrees(
    make_estate: Callable[[int], Estate],
) -> None:
    estate = make_estate(SIZE)
    seven, thirteen = (estate.assets[f"a{n}"].row.fields.acquisition_cost for n in (7, 13))  # one company, one currency
    estate.edit(AM, 7, acquisition_cost=thirteen)
    estate.edit(AM, 13, acquisition_cost=seven)
    comparison = compare(estate.evidence(), estate.scope)
    assert {total.difference for total in comparison.totals} == {Decimal(0)}
    assert found(comparison, in_flight=False) == {
        (AM, "asset", "a7", "acquisition_cost"),
        (AM, "asset", "a13", "acquisition_cost"),
    }
    assert sorted(f.drift.amount or "" for f in comparison.drifts) == ["-0.06", "0.06"]


def _duplicate(estate: Estate) -> None:
    estate.copy_asset(ERP, 5, "9005")
    estate.link(ERP, "asset", "9005", "a5", LinkStatus.LINKED)


def _never_delivered(estate: Estate) -> None:
    estate.remove(ERP, "asset", "5")
    estate.unlink(ERP, "asset", "5")
    del estate.ledger[f"{ERP}/asset/a5"]
    estate.edit_state(5, asset_number=None)
    estate.edit(AM, 5, asset_number=None)


def _stale(estate: Estate) -> None:
    placed = estate.assets["a5"]
    estate.assets["a5"] = replace(placed, row=placed.row.model_copy(update={"version": 4}))
    estate.edit_state(5, cost_centre="CC-9")
    estate.edit(ERP, 5, cost_centre="CC-9")


CLASSES: dict[str, tuple[Callable[[Estate], object], tuple[DriftKind, str, str, str | None]]] = {
    "ghost": (lambda e: e.remove(AM, "asset", "U5"), (DriftKind.GHOST, AM, "a5", None)),
    "zombie": (lambda e: e.remove(ERP, "asset", "5"), (DriftKind.ZOMBIE, ERP, "a5", None)),
    "duplicate": (_duplicate, (DriftKind.DUPLICATE, ERP, "9005", None)),
    "missing": (_never_delivered, (DriftKind.MISSING, ERP, "a5", None)),
    "extra": (lambda e: e.copy_asset(AM, 5, "U-x"), (DriftKind.EXTRA, AM, "U-x", None)),
    "stale": (_stale, (DriftKind.STALE, AM, "a5", "cost_centre")),
    "field": (lambda e: e.edit(ERP, 5, description="x"), (DriftKind.MISMATCH, ERP, "a5", "description")),
    "value": (
        lambda e: e.edit(AM, 5, acquisition_cost=Money(amount=Decimal("1000.06"), currency="EUR")),
        (DriftKind.MISMATCH, AM, "a5", "acquisition_cost"),
    ),
}


@pytest.mark.parametrize("case", CLASSES)
def test_t38_each_class_of_drift_is_told_from_the_others(make_estate: Callable[[int], Estate], case: str) -> None:
    plant, expected = CLASSES[case]
    estate = make_estate(20)
    plant(estate)
    comparison = compare(estate.evidence(), estate.scope)
    assert [(f.drift.kind, f.drift.system, f.record[2], f.drift.field) for f in comparison.drifts] == [expected]
    assert comparison.unexplained == []


def test_t38_a_ghost_and_a_zombie_name_who_still_has_it(make_estate: Callable[[int], Estate]) -> None:
    estate = make_estate(20)
    estate.remove(AM, "asset", "U5")
    estate.remove(ERP, "asset", "7")
    causes = {f.drift.kind: f.drift.cause for f in compare(estate.evidence(), estate.scope).drifts}
    assert causes == {
        DriftKind.GHOST: "its record is gone; the books of tryton still hold it",
        DriftKind.ZOMBIE: "its record is gone; unio24 still has it",
    }


def test_t38_what_both_sides_let_go_is_missing_not_a_ghost(make_estate: Callable[[int], Estate]) -> None:
    estate = make_estate(20)
    estate.remove(AM, "asset", "U5")
    estate.remove(ERP, "asset", "5")
    kinds = {(f.drift.system, f.drift.kind) for f in compare(estate.evidence(), estate.scope).drifts}
    assert kinds == {(AM, DriftKind.MISSING), (ERP, DriftKind.MISSING)}


def test_t38_a_disposed_asset_is_no_ghost_and_a_retired_one_no_zombie(make_estate: Callable[[int], Estate]) -> None:
    estate = make_estate(20)
    disposed = {"disposal_date": dt.date(2026, 5, 1), "financial_status": FinancialStatus.CLOSED}
    estate.edit_state(5, **disposed)
    estate.edit(ERP, 5, financial_status=FinancialStatus.CLOSED)
    estate.remove(AM, "asset", "U5")
    estate.edit_state(7, physical_status=PhysicalStatus.RETIRED)
    estate.edit(AM, 7, physical_status=PhysicalStatus.RETIRED)
    estate.remove(ERP, "asset", "7")
    kinds = {f.record[2]: f.drift.kind for f in compare(estate.evidence(), estate.scope).drifts if not f.drift.field}
    assert kinds == {"a5": DriftKind.MISSING, "a7": DriftKind.MISSING}


@pytest.mark.parametrize("status", [PhysicalStatus.RETIRED, PhysicalStatus.MISSING])
def test_t38_what_asset_management_lost_and_the_books_still_run_is_a_ghost(
    make_estate: Callable[[int], Estate], status: PhysicalStatus
) -> None:
    """No field differs: asset management is right about the thing, the ERP about its books."""
    estate = make_estate(20)
    estate.edit_state(5, physical_status=status)
    estate.edit(AM, 5, physical_status=status)
    [finding] = compare(estate.evidence(), estate.scope).drifts
    drift = finding.drift
    assert (drift.kind, drift.system, drift.native_id) == (DriftKind.GHOST, ERP, "5")
    assert (drift.expected, drift.found, drift.amount) == (status.value, "RUNNING", "1000.05")
    estate.pending[ERP]["a5"] = "sink.tryton.command.v1/0/17"
    assert [f.drift.kind for f in compare(estate.evidence(), estate.scope).findings] == [DriftKind.IN_FLIGHT]


def test_t38_what_the_books_disposed_of_and_is_still_in_use_is_a_zombie(make_estate: Callable[[int], Estate]) -> None:
    estate = make_estate(20)
    estate.edit_state(5, financial_status=FinancialStatus.CLOSED)
    estate.edit(ERP, 5, financial_status=FinancialStatus.CLOSED)
    assert compare(estate.evidence(), estate.scope).findings == [], "it may be fully depreciated"
    estate.edit_state(5, disposal_date=dt.date(2026, 5, 1))
    comparison = compare(estate.evidence(), estate.scope)
    [finding] = comparison.drifts
    assert (finding.drift.kind, finding.drift.system, finding.drift.native_id) == (DriftKind.ZOMBIE, AM, "U5")
    [step] = make_plan(comparison, estate.evidence(), estate.scope).steps
    assert (step.action, step.commands) == ("person", ())
    estate.edit_state(5, physical_status=PhysicalStatus.RETIRED)
    estate.edit(AM, 5, physical_status=PhysicalStatus.RETIRED)
    assert compare(estate.evidence(), estate.scope).findings == []


def test_t38_of_a_system_that_was_not_read_its_link_is_the_last_word(make_estate: Callable[[int], Estate]) -> None:
    estate = make_estate(20)
    estate.remove(AM, "asset", "U5")
    evidence = estate.evidence()
    only = replace(evidence, systems={AM: evidence.systems[AM]}, observed={AM: evidence.observed[AM]})
    assert [f.drift.kind for f in compare(only, estate.scope).drifts] == [DriftKind.GHOST]
    estate.link(ERP, "asset", "5", "a5", LinkStatus.RETIRED)
    again = replace(only, xrefs=estate.evidence().xrefs)
    assert [f.drift.kind for f in compare(again, estate.scope).drifts] == [DriftKind.MISSING]


def test_t38_a_ghost_is_repaired_as_what_was_never_there_and_a_duplicate_as_what_is_unknown(
    make_estate: Callable[[int], Estate],
) -> None:
    estate = make_estate(20)
    estate.remove(AM, "asset", "U5")
    estate.copy_asset(AM, 7, "U7-again")
    estate.link(AM, "asset", "U7-again", "a7", LinkStatus.LINKED)
    comparison = compare(estate.evidence(), estate.scope)
    steps = make_plan(comparison, estate.evidence(), estate.scope, allow_removal=True).steps
    assert {step.record_id: step.action for step in steps} == {"a5": "write", "U7-again": "remove"}
