"""T35: a record that was made is not yet an entry that was posted: subledger against control account, to the cent."""

from __future__ import annotations

import datetime as dt
import io
from collections.abc import Callable
from decimal import Decimal
from typing import TYPE_CHECKING

import pytest
from rich.console import Console

from tieline.kernel.asset_records import FinancialStatus
from tieline.kernel.ledger_records import ControlMeasure, LedgerBalance
from tieline.kernel.memory import DriftKind, Observed, RunFinished
from tieline.reconciliation.compare import Comparison, compare
from tieline.reconciliation.ledger import NO_FIGURE, LedgerCheck
from tieline.reconciliation.repair import make_plan
from tieline.reconciliation.report import as_json, show_result
from tieline.reconciliation.running import Result

if TYPE_CHECKING:
    from tests.unit.reconciliation.conftest import Estate

NOW = dt.datetime(2026, 11, 21, 12, tzinfo=dt.UTC)

ERP, AM = "tryton", "unio24"
COST, WORN = ControlMeasure.COST, ControlMeasure.ACCUMULATED_DEPRECIATION
# Of twelve healthy assets those of NOVA in EUR are 1, 5, 7 and 11: 1000.01 + 1000.05 + 1000.07 + 1000.11.
NOVA_COST = Decimal("4000.24")
# Of ACME in EUR 2, 4, 8 and 10 have a book with 10.00 depreciated each.
ACME_WORN = Decimal("40.00")


def put_balance(
    estate: Estate, account: str, company: str, measure: ControlMeasure, balance: Decimal, **changes: object
) -> None:
    """Let the ERP's ledger show this balance."""
    held = LedgerBalance(
        company=company,
        account=account,
        currency="EUR",
        as_of=NOW.date(),
        measure=measure,
        balance=balance,
        balance_before=balance,
    )
    row = Observed(
        run_id="run1",
        system=ERP,
        entity="ledger-balance",
        native_id=account,
        ledger_balance=held.model_copy(update=changes),
    )
    estate.put(row)


def compared(estate: Estate) -> Comparison:
    return compare(estate.evidence(), estate.scope)


@pytest.fixture
def estate(make_estate: Callable[[int], Estate]) -> Estate:
    """Twelve assets and two control accounts that agree with them."""
    made = make_estate(12)
    put_balance(made, "1500", "NOVA", COST, NOVA_COST)
    put_balance(made, "1590", "ACME", WORN, -ACME_WORN)
    return made


def test_t35_accounts_that_agree_are_no_drift_and_are_shown_with_both_figures(estate: Estate) -> None:
    found = compared(estate)
    assert found.findings == []
    assert [(c.account, c.subledger, c.ledger, c.gap, c.records) for c in found.ledgers] == [
        ("1500", NOVA_COST, NOVA_COST, Decimal(0), 4),
        ("1590", ACME_WORN, ACME_WORN, Decimal(0), 4),
    ]


def test_t35_an_asset_that_was_recorded_and_never_posted_is_a_ledger_gap(estate: Estate) -> None:
    put_balance(estate, "1500", "NOVA", COST, NOVA_COST - Decimal("1000.05"))
    [finding] = compared(estate).drifts
    drift = finding.drift
    assert (drift.kind, drift.system, drift.entity, drift.native_id) == (
        DriftKind.LEDGER_GAP,
        ERP,
        "ledger-balance",
        "1500",
    )
    assert drift.expected == "4000.24 EUR by 4 records of NOVA"
    assert drift.found == "3000.19 EUR on account 1500 as of 2026-11-21"
    assert (drift.amount, drift.currency) == ("-1000.05", "EUR")


@pytest.mark.parametrize("cents", ["-0.01", "0.01"])
def test_t35_a_cent_is_a_gap_on_either_account(estate: Estate, cents: str) -> None:
    put_balance(estate, "1500", "NOVA", COST, NOVA_COST + Decimal(cents))
    put_balance(estate, "1590", "ACME", WORN, -ACME_WORN - Decimal(cents))
    assert [finding.drift.amount for finding in compared(estate).drifts] == [cents, cents]


def test_t35_the_hub_and_the_system_may_agree_on_every_asset_while_the_ledger_does_not(estate: Estate) -> None:
    put_balance(estate, "1500", "NOVA", COST, Decimal(0))
    found = compared(estate)
    assert [finding.drift.kind for finding in found.drifts] == [DriftKind.LEDGER_GAP]
    assert {total.difference for total in found.totals} == {Decimal(0)}
    assert found.unexplained == []


def test_t35_an_account_that_moved_during_the_read_is_under_way(estate: Estate) -> None:
    put_balance(estate, "1500", "NOVA", COST, Decimal("3000.00"), balance_before=NOVA_COST)
    found = compared(estate)
    assert found.drifts == []
    [finding] = found.in_flight
    assert finding.drift.cause == "the account moved during the read, from 4000.24 to 3000.00"


def test_t35_drafts_and_closed_assets_are_on_no_account(estate: Estate) -> None:
    estate.edit(ERP, 1, financial_status=FinancialStatus.DRAFT)
    estate.edit(ERP, 5, financial_status=FinancialStatus.CLOSED)
    put_balance(estate, "1500", "NOVA", COST, Decimal("2000.18"))
    assert [check.gap for check in compared(estate).ledgers if check.account == "1500"] == [Decimal(0)]


def test_t35_an_account_of_some_classes_is_compared_with_these_only(estate: Estate) -> None:
    estate.edit(ERP, 7, asset_class="VEHICLE")
    put_balance(estate, "1500", "NOVA", COST, Decimal("1000.07"), asset_classes=("VEHICLE",))
    assert [check.gap for check in compared(estate).ledgers if check.account == "1500"] == [Decimal(0)]


def test_t35_the_account_of_one_book_is_compared_with_that_book(estate: Estate) -> None:
    estate.add_second_book(2, "tax")
    put_balance(estate, "1590", "ACME", WORN, Decimal("-10.00"), book_id="tax")
    put_balance(estate, "1500", "ACME", COST, Decimal("1000.02"), book_id="tax")
    assert [(check.account, check.gap) for check in compared(estate).ledgers] == [
        ("1500", Decimal(0)),
        ("1590", Decimal(0)),
    ]


def test_t35_a_record_that_cannot_be_read_leaves_the_ledger_not_compared(estate: Estate) -> None:
    estate.make_unreadable(ERP, "asset", "5")
    put_balance(estate, "1500", "NOVA", COST, Decimal(0))
    found = compared(estate)
    assert {check.not_compared for check in found.ledgers} == {"1 of its records cannot be read"}
    assert DriftKind.LEDGER_GAP not in {finding.drift.kind for finding in found.findings}


def test_t35_an_account_of_an_unknown_kind_is_not_compared(estate: Estate) -> None:
    put_balance(estate, "1500", "NOVA", ControlMeasure.UNKNOWN, Decimal(0))
    assert [check.not_compared for check in compared(estate).ledgers if check.account == "1500"] == [
        "what the account controls is not known here"
    ]


def test_t35_a_balance_that_cannot_be_read_is_said(estate: Estate) -> None:
    row = Observed(run_id="run1", system=ERP, entity="ledger-balance", native_id="1500", unreadable="balance: missing")
    estate.put(row)
    [finding] = compared(estate).drifts
    assert (finding.drift.entity, finding.drift.native_id, finding.drift.cause) == (
        "ledger-balance",
        "1500",
        "balance: missing",
    )


def test_t35_without_a_figure_the_ledger_is_not_compared_which_is_not_equal(
    make_estate: Callable[[int], Estate],
) -> None:
    found = compared(make_estate(12))
    assert found.ledgers == [LedgerCheck(ERP, not_compared=NO_FIGURE)]
    assert found.ledgers[0].gap is None


def test_t35_a_gap_is_for_a_person(estate: Estate) -> None:
    put_balance(estate, "1500", "NOVA", COST, Decimal(0))
    found = compared(estate)
    [step] = make_plan(found, estate.evidence(), estate.scope).steps
    assert (step.action, step.commands) == ("person", ())


def shown(estate: Estate) -> tuple[str, str]:
    """The report for people and the one for machines."""
    found = compared(estate)
    finished = RunFinished(
        run_id="run1",
        conclusive=True,
        compared=found.compared,
        drifts=len(found.drifts),
        in_flight=0,
        consistency_percent="0.00",
        finished_at=NOW,
    )
    result = Result(finished, found, estate.evidence())
    out = io.StringIO()
    show_result(Console(file=out, width=200), result)
    return out.getvalue(), as_json(result)


def test_t35_the_report_has_both_figures_to_the_cent(estate: Estate) -> None:
    put_balance(estate, "1500", "NOVA", COST, Decimal("3000.19"))
    text, document = shown(estate)
    assert "4000.24 EUR" in text
    assert "3000.19 EUR" in text
    assert '"subledger": "4000.24"' in document
    assert '"gap": "-1000.05"' in document


def test_t35_the_report_says_not_compared(make_estate: Callable[[int], Estate]) -> None:
    text, document = shown(make_estate(12))
    assert f"not compared: {NO_FIGURE}" in text
    assert f'"not_compared": "{NO_FIGURE}"' in document
    assert '"gap": null' in document
