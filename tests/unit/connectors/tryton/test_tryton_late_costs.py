"""A cost document of a closed period: posted on the date it was given, read back with its own (Invariant 10)."""

from __future__ import annotations

import datetime as dt
import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from tests.parts.tryton import post_cost

from tieline.connectors.tryton import costs_text
from tieline.connectors.tryton.costs import CostWriter
from tieline.connectors.tryton.mapping import Context, map_item
from tieline.connectors.tryton.settings import read_settings
from tieline.kernel.cost_records import CostReport
from tieline.kernel.errors import Retryable
from tieline.kernel.protocols import RawItem

GOLDEN = Path(__file__).parents[3] / "golden" / "tryton" / "cost-posted" / "given.json"
MARCH, APRIL = dt.date(2026, 3, 17), dt.date(2026, 4, 1)
CONTEXT = Context("tryton", {}, "MAINT-EXPENSE")
SETTINGS: dict[str, object] = {
    "endpoint": "http://127.0.0.1:1",
    "database": "t",
    "user": "u",
    "password": "p",
    "company": "ACME",
    "asset_classes": {"COMPUTER": {"product": "COMPUTER"}},
    "asset_journal": "ASSET",
    "maintenance_journal": "MAINT",
    "maintenance_expense_account": "MAINT-EXPENSE",
    "maintenance_accrual_account": "MAINT-ACCRUAL",
}


class Books:
    """What the writer asks and tells; nothing is ever found, so that a write ends after the first creation."""

    def __init__(self) -> None:
        self.created: list[dict[str, Any]] = []
        self.asked: list[tuple[dt.date, str]] = []

    async def search_read(self, *_: object, **__: object) -> list[Any]:
        return []

    async def write(self, _: str, values: list[dict[str, Any]]) -> list[int]:
        self.created += values
        return [1]

    async def open_period(self, day: dt.date, field: str) -> int:
        self.asked.append((day, field))
        return day.month

    async def company(self) -> int:
        return 1

    async def journal(self, _: str) -> int:
        return 2

    async def account(self, _: str) -> int:
        return 3

    async def cost_centre(self, _code: str, _day: dt.date, _field: str) -> int:
        return 4

    async def check_money(self, _amount: Decimal, _currency: str, _field: str) -> None:
        return


async def created(posting_date: dt.date | None) -> tuple[dict[str, Any], Books]:
    books = Books()
    writer = CostWriter(books, read_settings("tryton", SETTINGS), CONTEXT, books)  # type: ignore[arg-type]  # stands in
    command = post_cost("cd-1", effective_date=MARCH).model_copy(update={"posting_date": posting_date})
    with pytest.raises(Retryable):
        await writer.write(command)
    [values] = books.created
    return values, books


async def test_t10_a_late_document_is_posted_on_the_given_date_and_keeps_its_own() -> None:
    values, books = await created(APRIL)
    assert books.asked == [(APRIL, "posting_date")]
    assert (values["date"], values["period"]) == (APRIL, 4)
    assert costs_text.read_document(values["description"]).effective_date == MARCH
    [(_, [analytic])] = values["lines"][0][1][0]["analytic_lines"]
    assert analytic["date"] == MARCH, "the cost centre bears it when the work was done"


async def test_a_document_in_time_is_posted_on_its_own_date() -> None:
    values, books = await created(None)
    assert books.asked == [(MARCH, "fields.effective_date")]
    assert (values["date"], values["period"]) == (MARCH, 3)
    assert "effective" not in values["description"]


def test_t10_a_late_posting_is_read_back_with_the_documents_own_date() -> None:
    move = json.loads(GOLDEN.read_text(encoding="utf-8"))
    move["description"] += " | effective: 2026-03-17"
    [report] = map_item(CONTEXT, RawItem("costs", "1", json.dumps(move).encode()))
    assert isinstance(report, CostReport)
    assert report.fields.effective_date == MARCH
