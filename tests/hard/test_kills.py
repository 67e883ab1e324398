"""Every process and the broker die by ``kill -9`` in the middle of a day's work; nothing is lost and nothing doubled.

First the accountant works (orders, bookings), then the facility manager (registrations, units put in service, moves,
work orders). After each piece of work, at a moment the dice choose, one process dies; more work is done while it is
gone; then it is started again. So each death meets records on their way.
"""

from __future__ import annotations

import asyncio
import datetime as dt
import random
import time
from collections.abc import Callable, Iterator, Sequence
from decimal import Decimal
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import pytest
from tests.hard.looking import creations, dead_letters, patiently, read_books, twice
from tests.parts.estate import Estate, eventually, start_estate

from tieline.connectors.tryton import demo as tryton_user
from tieline.connectors.tryton.client import TrytonClient
from tieline.connectors.tryton.demo import Bought
from tieline.connectors.unio24.demo import Unio24User
from tieline.demo.sight import differences, figures
from tieline.demo.watching import Watcher, watching
from tieline.stack.errors import StackError
from tieline.stack.parts import KafkaPart, Part, RegistryPart

pytestmark = [pytest.mark.integration, pytest.mark.timeout(900)]

SEED = 11
ORDERS, BOOKINGS, REGISTRATIONS, SERVED, MOVES, WORK_ORDERS = 4, 6, 10, 4, 6, 8
UNITS_PER_ORDER = 3
LONGEST_PAUSE_SECS = 1.2
DAY = dt.date(2026, 2, 3)
SITES = ("BER-HQ", "BER-LAB", "HAM-PORT")
Piece = Callable[[], object]


class Work:
    """What people do, in pieces, and what must be found of it in the end."""

    def __init__(self, estate: Estate, manager: Unio24User) -> None:
        self._estate = estate
        self._manager = manager
        self._runner = asyncio.Runner()
        self._settings = estate.tryton.known_settings(max_connections=1)
        self._client = TrytonClient(self._settings)
        self._registered: list[int] = []
        self.in_the_books = Decimal(0)
        self.maintenance = Decimal(0)

    def close(self) -> None:
        self._runner.run(self._client.close())
        self._runner.close()

    def accountant(self) -> list[Piece]:
        """Orders of three units and an expense, and assets booked by hand."""
        orders: list[Piece] = [partial(self._order, n) for n in range(ORDERS)]
        bookings: list[Piece] = [partial(self._book, n) for n in range(BOOKINGS)]
        return [*orders, *bookings]

    def manager(self, units: Sequence[int]) -> list[Piece]:
        """Registrations first, because moves and work orders are done to what is registered."""
        registrations: list[Piece] = [partial(self._register, n) for n in range(REGISTRATIONS)]
        served: list[Piece] = [partial(self._serve, unit) for unit in units[:SERVED]]
        moves: list[Piece] = [partial(self._move, n) for n in range(MOVES)]
        works: list[Piece] = [partial(self._maintain, n) for n in range(WORK_ORDERS)]
        return [*registrations, *(piece for group in zip_longest(works, moves, served) for piece in group)]

    def books(self) -> Any:
        return patiently(lambda: self._runner.run(read_books(self._client)))

    def _order(self, number: int) -> None:
        lines = [
            Bought("COMPUTER", Decimal(2), Decimal("1200.55"), f"Laptop {number}"),
            Bought("MACHINE", Decimal(1), Decimal("18000.10") + number, f"Press {number}"),
            Bought("SUPPLIES", Decimal(3), Decimal("12.50"), f"Cables {number}"),
        ]
        client, settings = self._client, self._settings
        order, _ = patiently(
            lambda: self._runner.run(
                tryton_user.create_order(client, settings, lines, supplier="Northwind Machines", day=DAY)
            )
        )
        patiently(lambda: self._runner.run(tryton_user.approve_order(client, order)))

    def _book(self, number: int) -> None:
        value = Decimal("5000.01") + number
        client, settings = self._client, self._settings
        asset = patiently(
            lambda: self._runner.run(
                tryton_user.book_asset(client, settings, asset_class="MACHINE", value=value, start=DAY, run=False)
            )
        )
        patiently(lambda: self._runner.run(tryton_user.run_asset(client, asset)))
        self.in_the_books += value

    def _register(self, number: int) -> None:
        cost = Decimal("2500.37") + number
        asset = self._manager.create_asset(
            f"Workstation {number}",
            serial=f"SN-KILL-{number}",
            site=SITES[number % len(SITES)],
            status="in_use",
            category="COMPUTER",
            company="ACME",
            cost_centre="CC-100",
            purchase_cost=format(cost, "f"),
            currency="EUR",
            purchase_date=DAY.isoformat(),
            in_service_date=DAY.isoformat(),
        )
        self._registered.append(asset["id"])
        self.in_the_books += cost

    def _serve(self, unit: int) -> None:
        asset = self._manager.place_in_service(unit, DAY + dt.timedelta(days=20), site=SITES[0])
        self.in_the_books += Decimal(asset["purchase_cost"])

    def _move(self, number: int) -> None:
        asset = self._registered[number % len(self._registered)]
        self._manager.move(asset, SITES[(number + 1) % len(SITES)], cost_centre="CC-200")

    def _maintain(self, number: int) -> None:
        costs = [("labour", "Technician", Decimal("80.25") + number), ("part", "Fan", Decimal("19.99"))]
        asset = self._registered[(3 * number) % len(self._registered)]
        self._manager.maintain(asset, f"Repair {number}", costs, DAY + dt.timedelta(days=30), cost_centre="CC-100")
        self.maintenance += sum((amount for _, _, amount in costs), Decimal(0))


def zip_longest(*lists: list[Piece]) -> Iterator[list[Piece]]:
    """One of each in turn, as long as there is any."""
    for place in range(max(len(pieces) for pieces in lists)):
        yield [pieces[place] for pieces in lists if place < len(pieces)]


class Deaths:
    """Kills in the middle of work. Starts again what it killed, and the views when they gave up by themselves."""

    def __init__(self, estate: Estate, dice: random.Random) -> None:
        self._estate = estate
        self._dice = dice
        self.died: list[str] = []

    def amid(self, pieces: Sequence[Piece], victims: Sequence[Part]) -> None:
        """Do all the pieces, spread over the deaths of all the victims."""
        left = list(pieces)
        for number, victim in enumerate(victims):
            share = -(-len(left) // (len(victims) - number))
            during = share // 3
            for _ in range(share - during):
                left.pop(0)()
            time.sleep(self._dice.uniform(0, LONGEST_PAUSE_SECS))
            victim.kill()
            self.died.append(victim.name)
            for _ in range(during):
                left.pop(0)()
            time.sleep(self._dice.uniform(0, LONGEST_PAUSE_SECS))
            victim.start(wait_secs=120)
            self._supervise()
        assert not left

    def _supervise(self) -> None:
        for name, part in self._estate.parts.items():
            try:
                assert part.pid
            except StackError:
                # The views end when their broker is gone, for their supervisor to start them; nothing else may.
                assert name == "views", part.log_tail()
                part.start(wait_secs=120)


@pytest.fixture
def estate(tmp_path: Path, own_kafka: KafkaPart, registry_part: RegistryPart) -> Iterator[Estate]:
    with start_estate(tmp_path / "estate", own_kafka, registry_part) as estate:
        yield estate


def test_every_process_and_the_broker_die_and_nothing_is_lost_or_doubled(estate: Estate) -> None:
    dice = random.Random(SEED)  # noqa: S311  - a reproducible order of deaths, no secrets
    deaths = Deaths(estate, dice)
    hub = estate.hub
    with estate.unio24.user() as manager, watching(hub, "unio24", "tryton", timeout_secs=240, say=print) as watcher:
        work = Work(estate, manager)
        try:
            parts = list(estate.parts.values())
            deaths.amid(work.accountant(), dice.sample(parts, 4))
            watcher.until("every ordered unit and every booked asset has its record", differences)
            # The demo's Tryton numbers two things alike when two people number at one moment (SQLite): so the
            # accountant is done, and nothing is under way, before the hub begins to number.
            watcher.until_idle()
            units = [asset["id"] for asset in manager.find_assets() if asset["status"] == "ordered"]
            victims = [*parts, estate.kafka]
            dice.shuffle(victims)
            deaths.amid(work.manager(sorted(units)), victims)
            assert set(deaths.died) == {*estate.parts, "kafka"}
            watcher.until("both systems tell the same story", differences)
            watcher.until_idle()
            check_story(watcher, work)
            check_once(estate, manager, work)
        finally:
            work.close()


def check_story(watcher: Watcher, work: Work) -> None:
    """Counts and sums of both systems, against what was done."""
    am, erp = watcher.until("both systems still tell the same story", differences)
    found = {figure.name: figure for figure in figures(am, erp)}
    assert [figure.name for figure in found.values() if figure.difference] == []
    in_the_books = BOOKINGS + REGISTRATIONS + SERVED
    assert len(am.assets) == BOOKINGS + REGISTRATIONS + ORDERS * UNITS_PER_ORDER
    assert found["fixed assets"].erp == in_the_books
    assert found["acquisition cost"].erp == work.in_the_books
    assert found["books"].am == in_the_books
    assert found["cost documents"].erp == WORK_ORDERS
    assert found["maintenance cost"].erp == work.maintenance


def check_once(estate: Estate, manager: Unio24User, work: Work) -> None:
    """No second record anywhere, nothing dead-lettered, the hub itself finds no difference."""
    books = work.books()
    in_the_books = BOOKINGS + REGISTRATIONS + SERVED
    assert len(books.assets) == in_the_books
    assert twice(books.asset_refs()) == []
    assert twice(row["number"] for row in books.assets) == []
    assert {row["state"] for row in books.assets} == {"running"}
    assert len(books.moves) == WORK_ORDERS
    assert {row["state"] for row in books.moves} == {"posted"}
    assert len(books.cost_refs()) == WORK_ORDERS
    assert twice(books.cost_refs()) == []
    assets = manager.find_assets()
    assert twice(asset["external_ref"] for asset in assets if asset["external_ref"]) == []
    assert sorted(creations(manager)) == sorted(asset["id"] for asset in assets)
    assert dead_letters(estate.hub) == []
    run = estate.ask("reconcile", "run")
    assert run["drifts"] == [], run
    eventually(lambda: viewed_maintenance(estate) == work.maintenance, "the live view counts every cost once")


def viewed_maintenance(estate: Estate) -> Decimal | None:
    """The sum of what the live view shows per asset; None while it is not ready."""
    url = f"http://127.0.0.1:{estate.hub.landscape.views_port}/costs"
    answer = httpx.get(url, params={"limit": 200}, trust_env=False)
    if answer.status_code != httpx.codes.OK:
        return None
    return sum((Decimal(item["maintenance"].get("EUR", "0")) for item in answer.json()["items"]), Decimal(0))
