"""T35: the accounts that control Tryton's assets: how they are asked for, and how an answer is read."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import httpx
import pytest

from tieline.connectors.tryton import wire
from tieline.connectors.tryton.client import TrytonClient
from tieline.connectors.tryton.connector import connect
from tieline.connectors.tryton.ledger import CONTROL_ACCOUNTS, LedgerContext, map_account
from tieline.connectors.tryton.settings import ControlAccount, TrytonSettings, read_settings
from tieline.connectors.tryton.source import TrytonSource
from tieline.kernel.errors import Rejected, Stop
from tieline.kernel.ledger_records import ControlMeasure
from tieline.kernel.protocols import RawItem

CASES = sorted((Path(__file__).parents[3] / "golden" / "tryton-ledger").iterdir())
WORN = {"account": "ASSET-DEPRECIATED", "measure": "ACCUMULATED_DEPRECIATION"}
COST = {"account": "1.5.3", "measure": "COST", "asset_classes": ["MACHINE", "VEHICLE"]}


def settings(*accounts: Mapping[str, object]) -> dict[str, Any]:
    return {
        "endpoint": "http://127.0.0.1:1",
        "database": "d",
        "user": "u",
        "password": "p",
        "company": "ACME",
        "asset_classes": {"MACHINE": {"product": "MACHINE"}},
        "control_accounts": list(accounts),
    }


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_golden_case(case: Path) -> None:
    known = read_settings("tryton", settings(WORN, COST))
    context = LedgerContext({account.account: account for account in known.control_accounts})
    expected = json.loads((case / "expected.json").read_text(encoding="utf-8"))
    item = RawItem(CONTROL_ACCOUNTS, "x", (case / "given.json").read_bytes())
    if "rejected" in expected:
        with pytest.raises(Rejected) as caught:
            map_account(context, item)
        assert {"field": caught.value.field, "reason": caught.value.reason} == expected["rejected"]
    else:
        assert map_account(context, item).model_dump(mode="json", exclude_none=True) == expected["balance"]


def test_there_are_golden_cases_of_both_sorts() -> None:
    bad = [case for case in CASES if case.name.startswith("bad-")]
    assert (len(CASES) - len(bad), len(bad)) == (3, 5)


class Tryton:
    """Answers by method and model; keeps what was asked."""

    def __init__(self, rows: Mapping[str, list[dict[str, Any]]]) -> None:
        self.rows = rows
        self.asked: list[tuple[str, list[Any]]] = []

    def __call__(self, request: httpx.Request) -> httpx.Response:
        body = json.loads(request.content)
        method, params = body["method"], body["params"]
        self.asked.append((method, params))
        if method == "common.db.login":
            return self._answer([1, "token"])
        return self._answer(self.rows[method.removeprefix("model.").removesuffix(".search_read")])

    def _answer(self, result: object) -> httpx.Response:
        return httpx.Response(200, json={"id": 0, "result": result})


COMPANY = {"id": 7, "party.": {"id": 1, "code": "ACME"}, "currency.": {"id": 1, "code": "EUR"}}
YEAR_END = {"__class__": "date", "year": 2027, "month": 12, "day": 31}


def account(row_id: int, code: str, balance: str) -> dict[str, Any]:
    return {"id": row_id, "code": code, "balance": {"__class__": "Decimal", "decimal": balance}, "company.": COMPANY}


def source(tryton: Tryton, known: TrytonSettings) -> TrytonSource:
    return TrytonSource(TrytonClient(known, httpx.MockTransport(tryton)), known)


async def read(tryton: Tryton, *accounts: Mapping[str, object]) -> list[RawItem]:
    known = read_settings("tryton", settings(*accounts))
    return [item async for item in source(tryton, known).read_all(CONTROL_ACCOUNTS)]


async def test_t35_balances_are_asked_for_with_all_posted_moves_to_the_end_of_the_last_year() -> None:
    tryton = Tryton(
        {
            "company.company": [COMPANY],
            "account.fiscalyear": [{"id": 3, "end_date": YEAR_END}],
            "account.account": [account(12, "1.5.3", "80000.00"), account(41, "ASSET-DEPRECIATED", "-12.34")],
        }
    )
    items = await read(tryton, WORN, COST)
    assert [(item.stream, item.native_id) for item in items] == [(CONTROL_ACCOUNTS, "12"), (CONTROL_ACCOUNTS, "41")]
    context = LedgerContext({each.account: each for each in map(ControlAccount.model_validate, (WORN, COST))})
    found = [map_account(context, item) for item in items]
    assert [(str(each.balance), each.measure) for each in found] == [
        ("80000.00", ControlMeasure.COST),
        ("-12.34", ControlMeasure.ACCUMULATED_DEPRECIATION),
    ]
    assert {each.as_of.isoformat() for each in found} == {"2027-12-31"}
    asked = dict(tryton.asked)["model.account.account.search_read"]
    assert asked[0] == [["company", "=", 7], ["code", "in", ["ASSET-DEPRECIATED", "1.5.3"]]]
    assert asked[-1] == {"company": 7, "language": "en", "date": YEAR_END, "posted": True}
    assert wire.date(asked[-1]["date"]).isoformat() == "2027-12-31"


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ({"account.fiscalyear": [], "account.account": []}, "no fiscal year"),
        (
            {"account.fiscalyear": [{"id": 3, "end_date": YEAR_END}], "account.account": []},
            "0 accounts with the code 'ASSET-DEPRECIATED'",
        ),
        (
            {
                "account.fiscalyear": [{"id": 3, "end_date": YEAR_END}],
                "account.account": [account(1, "ASSET-DEPRECIATED", "1"), account(2, "ASSET-DEPRECIATED", "1")],
            },
            "2 accounts with the code 'ASSET-DEPRECIATED'",
        ),
    ],
)
async def test_a_figure_that_is_not_there_is_never_zero(rows: dict[str, Any], message: str) -> None:
    with pytest.raises(Stop, match=message):
        await read(Tryton({"company.company": [COMPANY], **rows}), WORN)


def test_t35_without_control_accounts_the_connector_declares_none() -> None:
    assert connect("tryton", settings()).control_accounts is None
    declared = connect("tryton", settings(WORN)).control_accounts
    assert declared is not None
    assert declared.stream == CONTROL_ACCOUNTS


def test_an_account_is_named_once() -> None:
    with pytest.raises(Stop, match=r"systems\.tryton\.settings\.control_accounts: 1\.5\.3 stands there twice"):
        read_settings("tryton", settings(COST, COST))
