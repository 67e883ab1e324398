"""Where purchases stand, as people are told: the late first, every step with its days."""

from __future__ import annotations

import datetime as dt
import json

import pytest
from rich.console import Console

from tieline.kernel.errors import Stop
from tieline.kernel.memory import Conflict
from tieline.kernel.procurement_records import PurchaseProcess, PurchaseStep, StepStatus
from tieline.operating.holds import Held
from tieline.operating.orders_commands import purchase_table, step_table
from tieline.operating.purchases import count_late, disputes, find_purchase, judge, list_purchases, purchases_json
from tieline.operating.showing import render_status
from tieline.operating.status import Status, status_json

TODAY = dt.date(2026, 11, 21)


def process(number: str, *open_steps: tuple[str, int | None]) -> PurchaseProcess:
    """An order with these open steps, each with the days until it is due; negative when that day has passed."""
    steps = tuple(
        PurchaseStep(
            name=name,
            status=StepStatus.WAITING,
            due_on=None if days is None else TODAY + dt.timedelta(days=days),
            begins_on=dt.date(2026, 11, 2),
            waits_for=f"what {name} waits for",
        )
        for name, days in open_steps
    )
    done = PurchaseStep(name="approved", status=StepStatus.DONE, done_on=dt.date(2026, 11, 2))
    next_step = open_steps[0][0] if open_steps else None
    return PurchaseProcess(
        po_id=f"id-{number}", version=1, company="ACME", po_number=number, supplier="S-1", currency="EUR",
        steps=(done, *steps), next_step=next_step,
    )  # fmt: skip


ON_TIME = process("1", ("received", 3))
LATE = process("2", ("received", -2), ("closed", None))
LATER = process("3", ("received", 4), ("invoiced", -9))
ENDED = process("4")
SOON = process("5", ("received", 0))
NO_DATE = process("6", ("approved", None))
ALL = (ON_TIME, LATE, LATER, ENDED, SOON, NO_DATE)


def printed(what: object) -> str:
    console = Console(width=200)
    with console.capture() as captured:
        console.print(what)
    return captured.get()


def numbers(*, everything: bool = False, late_only: bool = False) -> list[str | None]:
    found = list_purchases(ALL, TODAY, everything=everything, late_only=late_only)
    return [one.row.po_number for one in found]


def test_the_most_overdue_come_first_then_what_is_due_next() -> None:
    assert numbers() == ["3", "2", "5", "1", "6"]


def test_what_has_ended_is_listed_only_when_asked_for() -> None:
    assert numbers(everything=True) == ["3", "2", "5", "1", "6", "4"]
    assert numbers(late_only=True) == ["3", "2"]
    assert count_late(ALL, TODAY) == 2


def test_the_last_day_is_still_in_time() -> None:
    assert not judge(SOON, TODAY).is_late
    assert judge(SOON, TODAY + dt.timedelta(days=1)).days_late == 1


def test_an_order_is_shown_at_the_step_that_is_late() -> None:
    text = printed(purchase_table([judge(LATER, TODAY), judge(ON_TIME, TODAY)]))
    late, on_time = text.splitlines()[1:3]
    assert late.split() == ["!", "3", "S-1", "invoiced", *["what", "invoiced", "waits", "for"], "2026-11-02",
                            "2026-11-12", "9d"]  # fmt: skip
    assert on_time.split()[:3] == ["1", "S-1", "received"]


def test_every_step_of_one_order_is_shown() -> None:
    lines = printed(step_table(LATE.steps, TODAY)).splitlines()[1:]
    assert lines[0].split() == ["approved", "done", "2026-11-02", "-", "-"]
    assert lines[1].split()[:6] == ["!", "received", "waiting", "-", "2026-11-02", "2026-11-19"]
    assert len(lines) == 3


def test_a_supplier_cannot_write_on_the_screen() -> None:
    row = LATE.model_copy(update={"supplier": "\x1b[2J[bold]S"})
    text = printed(purchase_table([judge(row, TODAY)]))
    assert "\x1b" not in text
    assert "[bold]S" in text


def test_programs_get_every_step_and_the_lateness() -> None:
    [found] = json.loads(purchases_json([judge(LATER, TODAY)]))
    assert (found["late"], found["late_step"], found["days_late"]) == (True, "invoiced", 9)
    assert found["steps"][1]["due_on"] == "2026-11-25"


def test_an_order_is_found_by_number_by_link_and_by_id() -> None:
    rows = {row.po_id: row for row in (ON_TIME, LATE)}
    assert find_purchase(rows, None, "2") == LATE
    assert find_purchase(rows, None, "id-1") == ON_TIME
    assert find_purchase(rows, "id-2", "tryton/7") == LATE
    with pytest.raises(Stop, match="no order is known as '9'"):
        find_purchase(rows, None, "9")
    twice = {**rows, "id-9": LATE.model_copy(update={"po_id": "id-9"})}
    with pytest.raises(Stop, match="names 2 orders"):
        find_purchase(twice, None, "2")


def test_what_does_not_agree_about_an_order_says_what_ends_it() -> None:
    def row(po_id: str, field: str, reason: str | None = None, remedy: str | None = None) -> Conflict:
        return Conflict(
            canonical_id=po_id,
            field=field,
            owner="erp",
            system="erp",
            owned_value="3 for 3000.00 EUR",
            foreign_value="4 for 4000.00 EUR",
            detected_at=dt.datetime(2026, 11, 21, tzinfo=dt.UTC),
            reason=reason,
            remedy=remedy,
        )

    rows = [row("p2", "lines.1.invoiced"), row("p1", "lines.7.invoiced", reason="too much", remedy="a credit ends it")]
    assert disputes(rows, "p1") == [
        "lines.7.invoiced: 3 for 3000.00 EUR against 4 for 4000.00 EUR; too much; a credit ends it"
    ]
    assert disputes(rows, "p3") == []


def test_status_counts_what_waits_outside_the_hub_and_calls_it_no_fault() -> None:
    at = dt.datetime(2026, 11, 21, 12, tzinfo=dt.UTC)
    held = Held("period 2026-003 of ACME is closed", 3, at, "a")
    status = Status(at, (), (), letters_cut=False, period_holds=[held], overdue_orders=2)
    document = json.loads(status_json(status))
    assert (document["period_holds"], document["overdue_orders"], document["needs_attention"]) == (3, 2, False)
    text = printed(render_status(status))
    assert "- period-held: 3 reports wait for a fiscal period or a cost centre" in text
    assert "- orders-overdue: 2 orders are overdue" in text
    assert "run    tieline orders list --overdue" in text
    assert "All well." in text
    assert "overdue" not in printed(render_status(Status(at, (), (), letters_cut=False)))
