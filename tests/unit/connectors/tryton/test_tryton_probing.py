"""What a read of changes asks for: few calls when nothing happened, and no change lost however rows come."""

from __future__ import annotations

import datetime as dt
import operator
import random
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import pytest

from tieline.connectors.tryton import wire
from tieline.connectors.tryton.cursors import moment
from tieline.connectors.tryton.mapping import (
    ASSETS,
    COST_CENTRES,
    EMPLOYEES,
    MOVEMENTS,
    PURCHASE_ORDERS,
    REVISIONS,
    RUNS,
    SUPPLIERS,
)
from tieline.connectors.tryton.settings import TrytonSettings, read_settings
from tieline.connectors.tryton.source import TrytonSource
from tieline.connectors.tryton.streams import RARE, WATCHES
from tieline.kernel.errors import Stop, Unavailable

BEGIN_SECS = 1_700_000_000
WINDOW_SECS = 60
OPERATORS: Mapping[str, Callable[[Any, Any], bool]] = {
    "=": operator.eq,
    "!=": operator.ne,
    ">": operator.gt,
    "in": lambda value, found: value in found,
    "like": lambda value, pattern: value.startswith(pattern.removesuffix("%")),
}
Row = dict[str, Any]


class Tryton:
    """Rows by model, answered as ``search_read`` answers: domain, order, limit. It writes down what it was asked."""

    def __init__(self) -> None:
        self.rows: dict[str, list[Row]] = {}
        self.asked: list[tuple[str, tuple[str, ...]]] = []
        self.fails = False

    async def context(self) -> dict[str, object]:
        return {"company": 1}

    async def read(self, method: str, *_: object, **__: object) -> int:
        self.asked.append((method, ()))
        return 0

    async def search_read(
        self,
        model: str,
        domain: Sequence[Any],
        fields: Sequence[str],
        *,
        order: Sequence[tuple[str, str]],
        limit: int | None = None,
        context: object = None,  # noqa: ARG002  - as the client has it
    ) -> list[Row]:
        self.asked.append((model, tuple(fields)))
        if self.fails:
            raise Unavailable("no answer")
        found = [row for row in self.rows.get(model, []) if _holds(row, domain)]
        for name, way in reversed(order):
            found.sort(key=lambda row: (row[name] is None, row[name]), reverse=way.startswith("DESC"))
        # ``a.b`` is answered as a record under ``a.``.
        names = ["id", *(f"{name.partition('.')[0]}." if "." in name else name for name in fields)]
        return [{name: _sent(row, name) for name in names} for row in found[:limit]]

    def put(self, model: str, row_id: int, created: float, written: float | None = None, **values: Any) -> None:
        """A row, in the place of what it was; times in seconds after the beginning."""
        rows = self.rows.setdefault(model, [])
        rows[:] = [row for row in rows if row["id"] != row_id]
        stamps = {"create_date": _at(created), "write_date": None if written is None else _at(written)}
        rows.append({"id": row_id, "company": 1, **stamps, **values})


def _at(seconds: float) -> dt.datetime:
    return moment(round((BEGIN_SECS + seconds) * 1_000_000))


def _sent(row: Row, name: str) -> Any:
    value = row.get(name)
    return wire.encode(value) if isinstance(value, dt.datetime) else value


def _holds(row: Row, domain: Sequence[Any]) -> bool:
    clauses = list(domain)
    some = clauses[:1] == ["OR"]
    found = [_clause_holds(row, clause) for clause in (clauses[1:] if some else clauses)]
    return any(found) if some else all(found)


def _clause_holds(row: Row, clause: Sequence[Any]) -> bool:
    if not isinstance(clause[0], str) or clause[0] == "OR":
        return _holds(row, clause)
    name, sign, wanted = clause[:3]
    # What the test's rows do not have is no reason to leave them out.
    if name not in row:
        return True
    value = row[name]
    if value is None or wanted is None:
        return {"=": value is wanted, "!=": value is not wanted}.get(sign, False)
    return OPERATORS[sign](value, wanted)


def known(**more: object) -> TrytonSettings:
    return read_settings(
        "tryton",
        {
            "endpoint": "http://127.0.0.1:1",
            "database": "d",
            "user": "u",
            "password": "p",
            "company": "ACME",
            "asset_classes": {"COMPUTER": {"product": "COMPUTER"}},
            "late_commit_window_secs": WINDOW_SECS,
            **more,
        },
    )


class Reader:
    """Reads page after page, each from the position of the one before."""

    def __init__(self, tryton: Tryton, clock: Callable[[], float] = lambda: 0.0, **more: object) -> None:
        self._tryton = tryton
        self._source = TrytonSource(tryton, known(**more), clock)  # type: ignore[arg-type]  # stands in
        self._position: dict[str, str] = {}

    async def page(self, limit: int = 200) -> tuple[list[tuple[str, int]], bool]:
        """(stream, id) of a page, and whether more wait."""
        self._tryton.asked.clear()
        page = await self._source.read_changes(self._position, limit)
        self._position = dict(page.position)
        return [(item.stream, int(item.native_id)) for item in page.items], page.more

    async def drain(self, limit: int = 200) -> list[tuple[str, int]]:
        """Everything there is."""
        found, more = [], True
        while more:
            items, more = await self.page(limit)
            found += items
        return found


def one_of_each(tryton: Tryton) -> None:
    """A row of every model that is watched, written once after it was made."""
    values = {"origin.": {"asset": 1}, "asset": 1, "purchase": 1, "period": 1, "template": 1, "party": 1}
    for watches in WATCHES.values():
        for watch in watches:
            tryton.put(watch.model, 1, 0, 5, **values)


EVERY = ("cost-centre", "supplier", "asset-class", "gl-account", "employee")
PROMPT_MODELS = [
    "account.asset",
    "account.asset.line",
    "account.invoice",
    "account.move",
    "account.period",
    "purchase.line",
    "purchase.purchase",
    "stock.move",
]


def asked_models(tryton: Tryton) -> list[str]:
    return sorted(model for model, _ in tryton.asked)


async def test_an_idle_poll_asks_once_for_each_model() -> None:
    tryton = Tryton()
    one_of_each(tryton)
    reader = Reader(tryton, reported_references=EVERY)
    assert {stream for stream, _ in await reader.drain()} == {*WATCHES, MOVEMENTS}
    assert await reader.page() == ([], False)
    assert asked_models(tryton) == PROMPT_MODELS


async def test_an_idle_poll_of_an_empty_system_asks_once_for_each_model() -> None:
    tryton = Tryton()
    reader = Reader(tryton, reported_references=EVERY)
    await reader.drain()
    assert await reader.page() == ([], False)
    assert asked_models(tryton) == PROMPT_MODELS


async def test_what_rarely_changes_is_asked_for_when_its_interval_is_over() -> None:
    tryton, now = Tryton(), [1000.0]
    one_of_each(tryton)
    reader = Reader(tryton, lambda: now[0], reference_interval_secs=60, reported_references=EVERY)
    await reader.drain()
    tryton.put("analytic_account.account", 1, 0, 90)
    now[0] += 59
    assert await reader.page() == ([], False)
    now[0] += 1
    assert await reader.page() == ([(COST_CENTRES, 1)], False)
    # Three models are watched already or twice over: moves with another origin, orders by their party, products.
    assert len(tryton.asked) == len(PROMPT_MODELS) + len(RARE) + 1 + 1
    assert await reader.page() == ([], False)
    assert asked_models(tryton) == PROMPT_MODELS


async def test_a_read_that_fails_asks_for_what_rarely_changes_again() -> None:
    tryton, now = Tryton(), [1000.0]
    one_of_each(tryton)
    reader = Reader(tryton, lambda: now[0], reference_interval_secs=60)
    await reader.drain()
    tryton.put("party.party", 1, 0, 90)
    now[0] += 60
    tryton.fails = True
    with pytest.raises(Unavailable):
        await reader.page()
    tryton.fails = False
    assert await reader.page() == ([(SUPPLIERS, 1)], False)


async def test_what_rarely_changes_is_not_put_off_while_more_of_it_waits() -> None:
    tryton = Tryton()
    reader = Reader(tryton, reference_interval_secs=60)
    for number in range(1, 8):
        tryton.put("analytic_account.account", number, number)
    assert sorted(await reader.drain(limit=2)) == [(COST_CENTRES, number) for number in range(1, 8)]


async def test_a_family_that_is_not_reported_is_not_asked_for() -> None:
    tryton = Tryton()
    one_of_each(tryton)
    reader = Reader(tryton, reported_references=["supplier"])
    given = {stream for stream, _ in await reader.drain()}
    assert SUPPLIERS in given
    assert not {COST_CENTRES, EMPLOYEES} & given
    with pytest.raises(Stop, match="reported_references: assets stand in none of Tryton's locations"):
        known(reported_references=["location"])


async def test_one_answer_serves_two_streams_that_watch_the_same_rows() -> None:
    tryton = Tryton()
    tryton.put("account.asset", 1, 0)
    tryton.put("account.period", 7, 0)
    tryton.put("account.move", 3, 0, 1, period=7, origin="account.asset.line,5", **{"origin.": {"asset": 1}})
    reader = Reader(tryton)
    await reader.drain()
    tryton.put("account.move", 3, 0, 20, period=7, origin="account.asset.line,5", **{"origin.": {"asset": 1}})
    items, _ = await reader.page()
    assert items == [(ASSETS, 1), (RUNS, 7)]
    probes = [fields for model, fields in tryton.asked if model == "account.move" and "period" in fields]
    assert probes == [("write_date", "origin.asset", "create_date", "period")]


async def test_an_asset_that_changes_brings_what_was_posted_on_it_and_its_revisions() -> None:
    tryton = Tryton()
    for asset in (1, 2):
        tryton.put("account.asset", asset, 0)
        tryton.put("account.move", 10 + asset, 0, origin=f"account.asset,{asset}")
        tryton.put("account.asset.revision", 20 + asset, 0, asset=asset)
    reader = Reader(tryton, page_size=1)
    await reader.drain()
    tryton.put("account.asset", 2, 0, 9)
    assert (await reader.page())[0] == [(ASSETS, 2), (MOVEMENTS, 12), (REVISIONS, 22)]


async def test_more_rows_of_one_transaction_than_a_page_holds_are_each_given_once() -> None:
    tryton = Tryton()
    for number in range(1, 51):
        tryton.put("purchase.purchase", number, 0, 5, party=1)
    reader = Reader(tryton, reported_references=[])
    await reader.drain()
    for number in range(1, 51):
        tryton.put("purchase.purchase", number, 0, 90, party=1)
    given = await reader.drain(limit=7)
    assert sorted(given) == [(PURCHASE_ORDERS, number) for number in range(1, 51)]


async def test_an_idle_poll_with_more_rows_in_the_window_than_a_page_holds_asks_no_more() -> None:
    tryton = Tryton()
    reader = Reader(tryton, reported_references=[])
    for number in range(1, 31):
        tryton.put("purchase.purchase", number, 0, party=1)
    await reader.drain(limit=5)
    assert await reader.page(limit=5) == ([], False)
    assert asked_models(tryton) == PROMPT_MODELS


@pytest.mark.parametrize("limit", [2, 7, 200])
async def test_changes_of_many_days_in_another_order_than_their_ids_are_each_given_once(limit: int) -> None:
    tryton = Tryton()
    for number in range(1, 41):
        tryton.put("purchase.purchase", number, 2 * WINDOW_SECS * number, party=1)
    reader = Reader(tryton, reported_references=[])
    await reader.drain()
    for number in range(1, 41):
        written = 1_000_000 - 10 * WINDOW_SECS * number
        tryton.put("purchase.purchase", number, 2 * WINDOW_SECS * number, written, party=1)
    given = await reader.drain(limit)
    assert given == [(PURCHASE_ORDERS, number) for number in range(40, 0, -1)]


@pytest.mark.parametrize("limit", [1, 2, 3, 200])
@pytest.mark.parametrize("seed", range(8))
async def test_whatever_commits_late_within_the_window_is_given_after_it_shows(seed: int, limit: int) -> None:
    """Orders and their lines are made and changed; transactions stamp early, commit late, several at one stamp."""
    chance, tryton = random.Random(seed), Tryton()  # noqa: S311  - a test's own order
    reader = Reader(tryton, reported_references=["supplier"], reference_interval_secs=0)
    made: dict[tuple[str, int], int] = {}
    latest: dict[tuple[str, int], int] = {}
    shown: dict[int, int] = {}
    given: dict[int, int] = {}
    await reader.drain()

    def take(items: Iterable[tuple[str, int]], turn: int) -> None:
        given.update({order: turn for stream, order in items if stream == PURCHASE_ORDERS})

    turns = 40
    for turn in range(turns):
        order = chance.randint(1, 12)
        key = (chance.choice(("purchase.purchase", "purchase.line")) if order in shown else "purchase.purchase", order)
        if key not in made:
            made[key] = latest[key] = chance.randint(0, 30)
            tryton.put(*key, made[key], party=1, purchase=order)
        elif latest[key] < WINDOW_SECS - 5:
            latest[key] += chance.randint(1, 5)
            tryton.put(*key, made[key], latest[key], party=1, purchase=order)
        else:
            continue
        shown[order] = turn
        if chance.random() < 0.5:
            take((await reader.page(limit))[0], turn)
    take(await reader.drain(limit), turns)
    assert {order for order, turn in shown.items() if given.get(order, -1) < turn} == set()
    assert await reader.page(limit) == ([], False)
