"""Every kind of difference, planted among healthy records, is found, and nothing else is."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal
from typing import TYPE_CHECKING

import pytest

from tieline.kernel.asset_records import PhysicalStatus
from tieline.kernel.command_records import WriteBook
from tieline.kernel.cost_records import CostFields, CostReceiver, CostTreatment, ReceiverKind
from tieline.kernel.digests import digest_fields
from tieline.kernel.landscape import Mode
from tieline.kernel.memory import A_PERSON, DriftKind, LinkStatus, Observed, Stage
from tieline.kernel.vocabulary import Money
from tieline.reconciliation.compare import Comparison, compare
from tieline.reconciliation.repair import make_plan
from tieline.reconciliation.scope import Scope

if TYPE_CHECKING:
    from tests.unit.reconciliation.conftest import Estate

Label = tuple[str, str, str, str, str]
Plant = Callable[["Estate"], None]
ERP, AM = "tryton", "unio24"
CENT = Decimal("0.01")


def eur(text: str) -> Money:
    return Money(amount=Decimal(text), currency="EUR")


def labels(comparison: Comparison) -> set[Label]:
    """What a label file says of a difference: kind, system, entity, record, field."""
    return {
        (f.drift.kind.value, f.drift.system, f.drift.entity, f.record[2], f.drift.field or "")
        for f in comparison.findings
    }


def plant_edit(system: str, n: int, **values: object) -> Plant:
    return lambda estate: estate.edit(system, n, **values)


def plant_missing(system: str, entity: str, native_id: str) -> Plant:
    def plant(estate: Estate) -> None:
        estate.remove(system, entity, native_id)

    return plant


def plant_never_delivered(estate: Estate) -> None:
    estate.remove(ERP, "asset", "31")
    estate.unlink(ERP, "asset", "31")
    del estate.ledger[f"{ERP}/asset/a31"]
    estate.edit_state(31, asset_number=None)
    estate.edit(AM, 31, asset_number=None)


def plant_confirmed_but_gone(estate: Estate) -> None:
    """Confirmed by the target although no link was ever made."""
    estate.remove(AM, "asset", "U33")
    estate.unlink(AM, "asset", "U33")


def plant_unknown(estate: Estate) -> None:
    estate.copy_asset(AM, 40, "U-ghost")


def plant_duplicate(estate: Estate) -> None:
    estate.copy_asset(ERP, 41, "9041")
    estate.link(ERP, "asset", "9041", "a41", LinkStatus.LINKED)


def plant_proposed(estate: Estate) -> None:
    estate.copy_asset(ERP, 43, "9043")
    estate.link(ERP, "asset", "9043", "a43", LinkStatus.PROPOSED)
    # Identify holds its report as well: no reason to call it under way, nothing but a person moves it.
    estate.hold(ERP, "asset", "9043", waits_for=A_PERSON)


def plant_resurrected(estate: Estate) -> None:
    """Agreed to be gone, but there again."""
    estate.link(AM, "asset", "U45", "a45", LinkStatus.RETIRED)
    estate.ledger.pop(f"{AM}/asset/a45")


def plant_stale(estate: Estate) -> None:
    """The target holds what version 3 said; version 4 never came."""
    placed = estate.assets["a51"]
    fields = placed.row.fields.model_copy(update={"cost_centre": "CC-NEW"})
    estate.assets["a51"] = replace(placed, row=placed.row.model_copy(update={"fields": fields, "version": 4}))
    estate.edit(ERP, 51, cost_centre="CC-NEW")


def plant_hand_made_posting(estate: Estate) -> None:
    row = estate.observed[ERP][f"{ERP}/cost-document/M10"]
    estate.put(row.model_copy(update={"native_id": "M-hand"}))


def plant_posted_twice(estate: Estate) -> None:
    row = estate.observed[ERP][f"{ERP}/cost-document/M20"]
    estate.put(row.model_copy(update={"native_id": "M20-again", "hub_ref": "c20"}))


def plant_copy_without_book(estate: Estate) -> None:
    row = estate.observed[AM][f"{AM}/book/U60|main"]
    estate.put(row.model_copy(update={"native_id": "U61|main"}))


def plant_lines(estate: Estate) -> None:
    row = estate.observed[AM][f"{AM}/book/U62|main"]
    assert row.book is not None
    first, second, third = row.book.lines
    wrong = second.model_copy(update={"depreciation": second.depreciation + CENT})
    estate.edit_book(62, lines=(first, wrong, third))


CASES: dict[str, tuple[Plant, set[Label]]] = {
    "foreign edit of text": (
        plant_edit(ERP, 1, description="Pump X"),
        {("MISMATCH", ERP, "asset", "a1", "description")},
    ),
    "foreign edit of money": (
        plant_edit(AM, 3, acquisition_cost=eur("1.00")),
        {("MISMATCH", AM, "asset", "a3", "acquisition_cost")},
    ),
    "foreign edit of a currency": (
        plant_edit(AM, 5, acquisition_cost=Money(amount=Decimal("1000.05"), currency="CHF")),
        {("MISMATCH", AM, "asset", "a5", "acquisition_cost")},
    ),
    "foreign edit of a date": (
        plant_edit(AM, 7, in_service_date=dt.date(2026, 2, 2)),
        {("MISMATCH", AM, "asset", "a7", "in_service_date")},
    ),
    "a value taken away": (
        plant_edit(AM, 9, cost_centre=None),
        {("MISMATCH", AM, "asset", "a9", "cost_centre")},
    ),
    "two fields of one record": (
        plant_edit(AM, 11, company="OTHER", acquisition_cost=eur("1000.12")),
        {("MISMATCH", AM, "asset", "a11", "company"), ("MISMATCH", AM, "asset", "a11", "acquisition_cost")},
    ),
    "the hub missed the owner's change": (
        plant_edit(AM, 13, location="YARD", physical_status=PhysicalStatus.MISSING),
        {("STALE", AM, "asset", "a13", "location"), ("STALE", AM, "asset", "a13", "physical_status")},
    ),
    "the hub never heard a value": (
        plant_edit(AM, 15, custodian="emp-7"),
        {("STALE", AM, "asset", "a15", "custodian")},
    ),
    "an older version stayed": (plant_stale, {("STALE", AM, "asset", "a51", "cost_centre")}),
    "asset gone from asset management": (
        plant_missing(AM, "asset", "U21"),
        {("GHOST", AM, "asset", "a21", "")},
    ),
    "asset with a book gone": (plant_missing(AM, "asset", "U22"), {("GHOST", AM, "asset", "a22", "")}),
    "asset with a book gone from the books": (
        plant_missing(ERP, "asset", "24"),
        {("ZOMBIE", ERP, "asset", "a24", "")},
    ),
    "never delivered": (plant_never_delivered, {("MISSING", ERP, "asset", "a31", "")}),
    "confirmed but gone": (plant_confirmed_but_gone, {("GHOST", AM, "asset", "a33", "")}),
    "unknown to the hub": (plant_unknown, {("EXTRA", AM, "asset", "U-ghost", "")}),
    "second record": (plant_duplicate, {("DUPLICATE", ERP, "asset", "9041", "")}),
    "link waits for a person": (plant_proposed, {("EXTRA", ERP, "asset", "9043", "")}),
    "there again": (plant_resurrected, {("EXTRA", AM, "asset", "U45", "")}),
    "book copy gone": (plant_missing(AM, "book", "U64|main"), {("MISSING", AM, "book", "a64|main", "")}),
    "book copy the hub does not know": (plant_copy_without_book, {("EXTRA", AM, "book", "U61|main", "")}),
    "book value edited": (
        lambda e: e.edit_book(66, net_book_value=Decimal("0.00")),
        {("MISMATCH", AM, "book", "a66|main", "net_book_value")},
    ),
    "schedule line edited by a cent": (plant_lines, {("MISMATCH", AM, "book", "a62|main", "lines")}),
    "schedule cut short": (
        lambda e: e.edit_book(68, lines=()),
        {("MISMATCH", AM, "book", "a68|main", "lines")},
    ),
    "posting gone": (
        plant_missing(ERP, "cost-document", "M30"),
        {("MISSING", ERP, "cost-document", "c30", "")},
    ),
    "posting of another sum": (
        lambda e: e.edit_cost(40, total=Decimal("1.00")),
        {("MISMATCH", ERP, "cost-document", "c40", "total")},
    ),
    "posting on another cost centre": (
        lambda e: e.edit_cost(50, cost_centre="CC-9"),
        {("MISMATCH", ERP, "cost-document", "c50", "cost_centre")},
    ),
    "posting in another currency and company": (
        lambda e: e.edit_cost(60, currency="USD", company="NOVA"),
        {("MISMATCH", ERP, "cost-document", "c60", "currency"), ("MISMATCH", ERP, "cost-document", "c60", "company")},
    ),
    "hand-made posting": (plant_hand_made_posting, {("EXTRA", ERP, "cost-document", "M-hand", "")}),
    "posted twice": (plant_posted_twice, {("DUPLICATE", ERP, "cost-document", "M20-again", "")}),
    "settled document gone at its origin": (
        plant_missing(AM, "cost-document", "W70|1"),
        {("MISSING", AM, "cost-document", "c70", "")},
    ),
    "unreadable asset": (
        lambda e: e.make_unreadable(ERP, "asset", "72"),
        {("MISMATCH", ERP, "asset", "a72", "record")},
    ),
    "unreadable, known by its stream": (
        lambda e: e.make_unreadable(AM, "asset", "U74", stream="assets"),
        {("MISMATCH", AM, "asset", "a74", "record")},
    ),
    "unreadable work order hides its settlement": (
        lambda e: e.put(
            e.remove(AM, "cost-document", "W80|1").model_copy(
                update={"entity": "workorders", "native_id": "W80", "cost_document": None, "unreadable": "bad"}
            )
        ),
        {("MISMATCH", AM, "cost-document", "c80", "record")},
    ),
    "unreadable and unknown": (
        lambda e: e.put(Observed(run_id="run1", system=AM, entity="asset", native_id="U-x", unreadable="bad")),
        {("MISMATCH", AM, "asset", "U-x", "record")},
    ),
}


def assert_ties(comparison: Comparison) -> None:
    assert comparison.totals
    assert {(t.unexplained_count, t.unexplained) for t in comparison.totals} == {(0, Decimal(0))}


def test_a_healthy_estate_is_clean(estate: Estate) -> None:
    comparison = compare(estate.evidence(), estate.scope)
    assert comparison.findings == []
    assert comparison.consistency_percent == Decimal("100.00")
    assert comparison.compared == 2 * 2_000 + 2 * 1_000 + 2 * 200
    assert_ties(comparison)
    assert {t.difference for t in comparison.totals} == {Decimal(0)}


@pytest.mark.parametrize("case", CASES)
def test_each_kind_alone_is_found_and_nothing_else(make_estate: Callable[[int], Estate], case: str) -> None:
    plant, expected = CASES[case]
    estate = make_estate(100)
    plant(estate)
    comparison = compare(estate.evidence(), estate.scope)
    assert labels(comparison) == expected
    assert_ties(comparison)


def plant_other_receivers(estate: Estate) -> None:
    """A document that two cost centres bear alike, posted with a quarter for the one."""
    placed = estate.costs["c20"]

    def borne(part: int) -> CostFields:
        first, *rest = placed.row.fields.lines
        kind = ReceiverKind.COST_CENTRE
        receivers = (
            CostReceiver(kind=kind, code="CC-A", share_part=part, share_whole=4),
            CostReceiver(kind=kind, code="CC-B", share_part=4 - part, share_whole=4),
        )
        lines = (first.model_copy(update={"receivers": receivers}), *rest)
        return placed.row.fields.model_copy(update={"lines": lines})

    estate.costs["c20"] = replace(placed, row=placed.row.model_copy(update={"fields": borne(2)}))
    estate.put(estate.observed[AM][f"{AM}/cost-document/W20|1"].model_copy(update={"cost_document": borne(2)}))
    estate.put(estate.observed[ERP][f"{ERP}/cost-document/M20"].model_copy(update={"cost_document": borne(1)}))


def make_capital(estate: Estate, n: int) -> None:
    placed = estate.costs[f"c{n}"]
    row = placed.row.model_copy(update={"treatment": CostTreatment.CAPITALISE})
    estate.costs[f"c{n}"] = replace(placed, row=row)


def test_a_cost_that_other_cost_centres_bear_is_found(make_estate: Callable[[int], Estate]) -> None:
    estate = make_estate(100)
    plant_other_receivers(estate)
    comparison = compare(estate.evidence(), estate.scope)
    assert labels(comparison) == {("MISMATCH", ERP, "cost-document", "c20", "receivers")}
    assert_ties(comparison)


def test_t31_what_is_capital_is_not_missed_among_the_postings_and_is_found_if_it_is_there(
    make_estate: Callable[[int], Estate],
) -> None:
    estate = make_estate(100)
    make_capital(estate, 30)
    estate.remove(ERP, "cost-document", "M30")
    assert labels(compare(estate.evidence(), estate.scope)) == set()
    make_capital(estate, 40)
    assert labels(compare(estate.evidence(), estate.scope)) == {("EXTRA", ERP, "cost-document", "M40", "")}


def test_every_kind_at_once_among_two_thousand_is_found_and_nothing_else_twice(estate: Estate) -> None:
    expected: set[Label] = set()
    for plant, found in CASES.values():
        plant(estate)
        expected |= found
    first = compare(estate.evidence(), estate.scope)
    second = compare(estate.evidence(), estate.scope)
    assert labels(first) == expected
    assert first == second
    assert len(first.drifts) == len({f.drift.drift_id for f in first.drifts}) == len(expected)
    kinds = {"MISSING", "GHOST", "ZOMBIE", "EXTRA", "DUPLICATE", "STALE", "MISMATCH"}
    assert {label[0] for label in expected} == kinds
    assert_ties(first)
    assert first.consistency_percent < 100


def test_swapped_costs_are_found_although_the_totals_agree(estate: Estate) -> None:
    # 7 and 13 share company and currency, so every total is the same as before.
    seven, thirteen = (estate.assets[f"a{n}"].row.fields.acquisition_cost for n in (7, 13))
    estate.edit(AM, 7, acquisition_cost=thirteen)
    estate.edit(AM, 13, acquisition_cost=seven)
    comparison = compare(estate.evidence(), estate.scope)
    assert labels(comparison) == {
        ("MISMATCH", AM, "asset", "a7", "acquisition_cost"),
        ("MISMATCH", AM, "asset", "a13", "acquisition_cost"),
    }
    assert {t.difference for t in comparison.totals} == {Decimal(0)}
    assert_ties(comparison)


@pytest.mark.parametrize("cents", [-1, 0, 1])
def test_a_cent_is_a_difference_and_a_trailing_zero_is_not(make_estate: Callable[[int], Estate], cents: int) -> None:
    estate = make_estate(20)
    cost = estate.assets["a1"].row.fields.acquisition_cost
    assert cost is not None
    held = Money(amount=(cost.amount + cents * CENT).quantize(Decimal("0.0001")), currency=cost.currency)
    estate.edit(AM, 1, acquisition_cost=held)
    comparison = compare(estate.evidence(), estate.scope)
    amounts = [finding.drift.amount for finding in comparison.drifts]
    assert amounts == ([f"{cents * CENT:.2f}"] if cents else [])
    assert_ties(comparison)


def plant_any_difference(estate: Estate) -> None:
    """One asset wrong everywhere: fields, book and posting."""
    estate.edit(AM, 10, cost_centre="CC-X", location="YARD")
    estate.edit(ERP, 10, description="other")
    estate.edit_book(10, net_book_value=Decimal(1))
    estate.edit_cost(10, total=Decimal(1))


IN_FLIGHT: dict[str, tuple[Plant, str]] = {
    "the asset's state moved": (lambda e: e.move("assets", "a10"), "asset"),
    "the book's state moved": (lambda e: e.move("books", "a10|main"), "book"),
    "the document's state moved": (lambda e: e.move("costs", "c10"), "cost-document"),
    "the ledger moved": (lambda e: e.move("ledger", f"{AM}/asset/a10"), "asset"),
    "a command waits": (
        lambda e: e.pending[ERP].update({"c10": "sink.tryton.command.v1/2/17"}),
        "cost-document",
    ),
    "the outcome is unknown": (lambda e: e.delivery(AM, "book", "a10|main", stage=Stage.INTENT), "book"),
    "the key is parked": (lambda e: e.park(ERP, "cost-document", "c10"), "cost-document"),
    "the report is held": (lambda e: e.hold(ERP, "asset", "10"), "asset"),
    "the report waits for a period": (lambda e: e.hold_for_period(ERP, "10"), "asset"),
}


@pytest.mark.parametrize("case", IN_FLIGHT)
def test_what_is_under_way_is_not_drift(make_estate: Callable[[int], Estate], case: str) -> None:
    plant, entity = IN_FLIGHT[case]
    estate = make_estate(20)
    plant_any_difference(estate)
    before = compare(estate.evidence(), estate.scope)
    plant(estate)
    after = compare(estate.evidence(), estate.scope)
    assert len(before.drifts) == 5
    assert after.in_flight
    assert len(after.drifts) + len(after.in_flight) == 5
    assert {f.drift.entity for f in after.in_flight} <= {entity, "book" if "ledger" in case else entity}
    assert_ties(after)


def test_everything_in_flight_is_no_drift_at_all(make_estate: Callable[[int], Estate]) -> None:
    estate = make_estate(100)
    plant_any_difference(estate)
    estate.remove(ERP, "asset", "30")
    estate.remove(AM, "book", "U40|main")
    for table in ("assets", "books", "costs"):
        for key in list(getattr(estate, table)):
            estate.move(table, key)
    comparison = compare(estate.evidence(), estate.scope)
    assert len(comparison.in_flight) == 7
    assert comparison.drifts == []
    assert comparison.consistency_percent == Decimal("100.00")
    assert_ties(comparison)


def test_a_parked_key_names_its_letter(make_estate: Callable[[int], Estate]) -> None:
    estate = make_estate(20)
    estate.remove(ERP, "cost-document", "M10")
    estate.park(ERP, "cost-document", "c10")
    (finding,) = compare(estate.evidence(), estate.scope).findings
    assert finding.in_flight
    assert finding.drift.cause == "parked: period closed (letter sink.tryton.command.v1/1/42)"


def test_a_partition_whose_beginning_is_unknown_proves_nothing(make_estate: Callable[[int], Estate]) -> None:
    estate = make_estate(20)
    estate.edit(AM, 4, cost_centre="CC-X")
    evidence = estate.evidence()
    answer = evidence.systems[AM].model_copy(update={"began": {}})
    comparison = compare(replace(evidence, systems={**evidence.systems, AM: answer}), estate.scope)
    assert [f.drift.kind for f in comparison.findings] == [DriftKind.IN_FLIGHT]


def test_a_rejected_command_that_nobody_replays_is_drift_with_its_reason(make_estate: Callable[[int], Estate]) -> None:
    estate = make_estate(20)
    plant_stale_at = replace(estate.assets["a3"], row=estate.assets["a3"].row.model_copy(update={"version": 4}))
    estate.assets["a3"] = plant_stale_at
    estate.edit_state(3, cost_centre="CC-9")
    estate.edit(ERP, 3, cost_centre="CC-9")
    estate.delivery(AM, "asset", "a3", stage=Stage.REJECTED, version=4, reason="unknown centre")
    (finding,) = compare(estate.evidence(), estate.scope).findings
    assert finding.drift.kind is DriftKind.STALE
    assert finding.drift.cause == "holds version 3, the hub has 4; it was rejected: unknown centre"


def test_a_conflict_the_hub_saw_makes_it_a_foreign_edit_whatever_the_version(
    make_estate: Callable[[int], Estate],
) -> None:
    estate = make_estate(20)
    estate.delivery(AM, "asset", "a3", applied_version=1)
    estate.edit(AM, 3, asset_number="FA-X")
    assert [f.drift.kind for f in compare(estate.evidence(), estate.scope).findings] == [DriftKind.STALE]
    estate.conflict(3, "asset_number", AM)
    assert [f.drift.kind for f in compare(estate.evidence(), estate.scope).findings] == [DriftKind.MISMATCH]


def test_a_target_that_trims_what_it_is_sent_is_not_repaired_for_ever(make_estate: Callable[[int], Estate]) -> None:
    estate = make_estate(20)
    estate.edit(ERP, 3, description="Pum")
    held = estate.asset_record(ERP, 3).asset
    assert held is not None
    estate.delivery(ERP, "asset", "a3", digest=digest_fields(held))
    (finding,) = compare(estate.evidence(), estate.scope).findings
    assert finding.drift.cause == "the target keeps what it was sent in another form"
    assert finding.remedy.value == "person"


def test_an_owner_that_changed_a_proposed_value_is_read_again_never_overwritten(
    make_estate: Callable[[int], Estate],
) -> None:
    estate = make_estate(20)
    placed = estate.assets["a3"]
    said_by = {**placed.row.said_by, "cost_centre": AM}
    estate.assets["a3"] = replace(placed, row=placed.row.model_copy(update={"said_by": said_by}))
    estate.edit(ERP, 3, cost_centre="CC-OWN")
    (finding,) = compare(estate.evidence(), estate.scope).findings
    assert (finding.drift.kind, finding.remedy.value, finding.drift.owner) == (DriftKind.STALE, "re-read", ERP)
    held = estate.asset_record(ERP, 3).asset
    assert held is not None
    estate.delivery(ERP, "asset", "a3", digest=digest_fields(held), applied_version=2)
    (finding,) = compare(estate.evidence(), estate.scope).findings
    assert (finding.drift.kind, finding.remedy.value) == (DriftKind.STALE, "write")
    assert finding.drift.cause == "holds version 2, the hub has 3"


def test_a_field_without_a_flow_or_not_held_is_not_compared(make_estate: Callable[[int], Estate]) -> None:
    estate = make_estate(20)
    estate.edit(AM, 3, cost_centre="CC-X", quantity=Decimal(9))
    one_way = tuple(
        f.model_copy(update={"mode": Mode.OFF}) if (f.source, f.object) == (ERP, "asset") else f
        for f in estate.scope.landscape.flows
    )
    landscape = estate.scope.landscape.model_copy(update={"flows": one_way})
    scope = Scope(landscape, estate.scope.ownership, estate.scope.held)
    assert labels(compare(estate.evidence(), estate.scope)) == {("MISMATCH", AM, "asset", "a3", "cost_centre")}
    assert labels(compare(estate.evidence(), scope)) == set()


def test_an_ordered_thing_is_not_missed_in_the_books(make_estate: Callable[[int], Estate]) -> None:
    estate = make_estate(20)
    estate.remove(ERP, "asset", "3")
    estate.unlink(ERP, "asset", "3")
    del estate.ledger[f"{ERP}/asset/a3"]
    values = {"asset_number": None, "in_service_date": None, "physical_status": PhysicalStatus.ORDERED}
    estate.edit_state(3, **values)
    estate.edit(AM, 3, **values)
    comparison = compare(estate.evidence(), estate.scope)
    assert labels(comparison) == set()
    assert_ties(comparison)
    estate.edit_state(3, physical_status=PhysicalStatus.IN_SERVICE)
    estate.edit(AM, 3, physical_status=PhysicalStatus.IN_SERVICE)
    assert labels(compare(estate.evidence(), estate.scope)) == {("MISSING", ERP, "asset", "a3", "")}


def test_a_document_found_by_its_reference_needs_no_link(make_estate: Callable[[int], Estate]) -> None:
    estate = make_estate(20)
    row = estate.observed[ERP][f"{ERP}/cost-document/M10"]
    estate.unlink(ERP, "cost-document", "M10")
    assert labels(compare(estate.evidence(), estate.scope)) == {
        ("MISSING", ERP, "cost-document", "c10", ""),
        ("EXTRA", ERP, "cost-document", "M10", ""),
    }
    estate.put(row.model_copy(update={"hub_ref": "c10"}))
    assert labels(compare(estate.evidence(), estate.scope)) == set()


def test_credits_and_zero_sums_are_compared_like_any_other(make_estate: Callable[[int], Estate]) -> None:
    estate = make_estate(20)
    for total, cost_id in (("-45.00", "c0"), ("0.00", "c10")):
        placed = estate.costs[cost_id]
        fields: CostFields = placed.row.fields.model_copy(update={"total": Decimal(total)})
        estate.costs[cost_id] = replace(placed, row=placed.row.model_copy(update={"fields": fields}))
        for system, native in ((AM, f"W{cost_id[1:]}|1"), (ERP, f"M{cost_id[1:]}")):
            row = estate.observed[system][f"{system}/cost-document/{native}"]
            estate.put(row.model_copy(update={"cost_document": fields}))
    assert labels(compare(estate.evidence(), estate.scope)) == set()
    estate.edit_cost(0, total=Decimal("45.00"))
    comparison = compare(estate.evidence(), estate.scope)
    assert [f.drift.amount for f in comparison.drifts] == ["90.00"]
    assert_ties(comparison)


def test_t18_each_book_of_an_asset_is_compared_with_its_own_copy(make_estate: Callable[[int], Estate]) -> None:
    estate = make_estate(20)
    estate.add_second_book(10, "tax")
    assert labels(compare(estate.evidence(), estate.scope)) == set()
    estate.remove(AM, "book", "U10|tax")
    found = compare(estate.evidence(), estate.scope)
    assert labels(found) == {("MISSING", AM, "book", "a10|tax", "")}
    [step] = make_plan(found, estate.evidence(), estate.scope).steps
    [command] = step.commands
    assert isinstance(command, WriteBook)
    assert (command.fields.book_id, step.key) == ("tax", "a10")
    assert command.dispatch.command_id.startswith(f"{AM}/book/a10|tax/")


def test_t18_one_book_under_way_leaves_the_other_books_difference_to_be_seen(
    make_estate: Callable[[int], Estate],
) -> None:
    estate = make_estate(20)
    estate.add_second_book(10, "tax")
    estate.edit_book(10, net_book_value=Decimal(1))
    estate.delivery(AM, "book", "a10|tax", stage=Stage.INTENT)
    found = compare(estate.evidence(), estate.scope)
    assert labels(found) == {("MISMATCH", AM, "book", "a10|main", "net_book_value")}
