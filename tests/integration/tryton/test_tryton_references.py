"""Cost centres, accounts, asset classes, suppliers and employees of a real Tryton: new, changed, ended."""

from __future__ import annotations

import contextlib
import datetime as dt
import os
import sqlite3
from collections.abc import Callable, Sequence
from decimal import Decimal
from pathlib import Path

import pytest
from tests.parts.tryton import CLASSES, TrytonPart

from tieline.connectors.tryton import demo
from tieline.connectors.tryton.client import TrytonClient
from tieline.connectors.tryton.mapping import SUPPLIERS
from tieline.kernel.protocols import Connector, RawItem
from tieline.kernel.reference_records import ReferenceFields, ReferenceReport, ReferenceStatus

pytestmark = pytest.mark.integration
EVERY = ("cost-centre", "supplier", "asset-class", "gl-account", "employee")


class Reading:
    """What the source says of reference records from one look to the next."""

    def __init__(self, connector: Connector) -> None:
        self._connector = connector
        self._position: dict[str, str] = {}

    async def look(self) -> dict[tuple[str, str], ReferenceFields]:
        """By family and code; the latest word of each since the look before."""
        found: list[RawItem] = []
        more = True
        while more:
            page = await self._connector.source.read_changes(self._position, 1000)
            self._position = dict(page.position)
            found += page.items
            more = page.more
        keep(found)
        reports = [report for item in found for report in self._connector.map_item(item)]
        return {
            (report.origin.entity, report.fields.code): report.fields
            for report in reports
            if isinstance(report, ReferenceReport)
        }


def keep(items: Sequence[RawItem]) -> None:
    """Write the records down as golden cases, where TIELINE_KEEP_GOLDEN names a folder."""
    if folder := os.environ.get("TIELINE_KEEP_GOLDEN"):
        for item in items:
            (Path(folder) / f"{item.stream}-{item.native_id}.json").write_bytes(item.payload)


@pytest.fixture
def reading(connecting: Callable[..., Connector]) -> Reading:
    return Reading(connecting(read_timeout_secs=20, reference_interval_secs=0, reported_references=EVERY))


class Database:
    """Changes what the API user may not: the row is stamped as Tryton stamps it."""

    def __init__(self, file: Path) -> None:
        self._file = file

    def write(self, statement: str, *values: object) -> None:
        """Run a statement, its first parameter is the stamp."""
        stamp = dt.datetime.now(dt.UTC).replace(tzinfo=None).isoformat(" ", timespec="microseconds")
        with contextlib.closing(sqlite3.connect(self._file, timeout=20)) as database:
            database.execute(statement, (stamp, *values))
            database.commit()


@pytest.fixture
def database(folder: Path, part: TrytonPart) -> Database:
    assert part.port
    return Database(folder / "data" / "tieline.sqlite")


async def test_cost_centres_are_told_when_they_are_made_opened_closed_and_put_away(
    reading: Reading, client: TrytonClient, database: Database
) -> None:
    first = await reading.look()
    assert {code for family, code in first if family == "cost-centre"} == {f"CC-{n}00" for n in range(1, 6)}
    assert first["cost-centre", "CC-100"].company == "ACME"
    [root] = await client.search("analytic_account.account", [("type", "=", "root")])
    steps = [
        ("opened", 1, ReferenceStatus.ACTIVE),
        ("closed", 1, ReferenceStatus.CLOSED),
        ("opened", 0, ReferenceStatus.CLOSED),
    ]
    database.write(
        "insert into analytic_account_account (create_date, code, name, type, state, active, company, root, parent)"
        " values (?, 'CC-900', 'Night shift', 'normal', 'draft', 1, 1, ?, ?)",
        *(root, root),
    )
    said = [await reading.look()]
    for state, active, _ in steps:
        database.write(
            "update analytic_account_account set write_date = ?, state = ?, active = ? where code = 'CC-900'",
            *(state, active),
        )
        said.append(await reading.look())
    for found, status in zip(said, [ReferenceStatus.LOCKED, *(one for _, _, one in steps)], strict=True):
        assert set(found) == {("cost-centre", "CC-900")}
        fields = found["cost-centre", "CC-900"]
        assert (fields.name, fields.status, fields.parent) == ("Night shift", status, None)
    assert await reading.look() == {}


async def test_accounts_are_told_with_their_days(reading: Reading, client: TrytonClient) -> None:
    first = await reading.look()
    wear = first["gl-account", "ASSET-DEPRECIATED"]
    assert (wear.name, wear.company, wear.status) == ("Accumulated depreciation", "ACME", ReferenceStatus.ACTIVE)
    assert (wear.valid_from, wear.valid_to) == (None, None)
    [account] = await client.search("account.account", [("code", "=", "MAINT-ACCRUAL")])
    await demo.edit(client, "account.account", account, {"end_date": dt.date(2020, 12, 31)})
    try:
        found = await reading.look()
        assert found["gl-account", "MAINT-ACCRUAL"].valid_to == dt.date(2020, 12, 31)
    finally:
        await demo.edit(client, "account.account", account, {"end_date": None})


async def test_asset_classes_are_told_and_end(reading: Reading, client: TrytonClient, database: Database) -> None:
    first = await reading.look()
    assert {code for family, code in first if family == "asset-class"} == set(CLASSES)
    [product] = await client.search_read("product.product", [("code", "=", "FURNITURE")], ["template"])
    database.write("update product_product set write_date = ?, active = 0 where id = ?", product["id"])
    database.write("update product_template set write_date = ?, active = 0 where id = 1")
    found = await reading.look()
    assert {code for _, code in found} == {"COMPUTER", "FURNITURE"}
    assert {fields.status for fields in found.values()} == {ReferenceStatus.CLOSED}
    database.write("update product_template set write_date = ?, active = 1 where id = 1")
    assert (await reading.look())["asset-class", "COMPUTER"].status is ReferenceStatus.ACTIVE


async def test_a_party_is_a_supplier_from_its_first_order_on(
    reading: Reading, client: TrytonClient, part: TrytonPart
) -> None:
    assert not {code for family, code in await reading.look() if family == "supplier"}
    [party] = await client.search_read("party.party", [("name", "=", "Harbour Vehicles")], ["code"])
    await demo.edit(client, "party.party", party["id"], {"name": "Harbour Vehicles Ltd"})
    assert await reading.look() == {}
    line = demo.Bought("VEHICLE", Decimal(1), Decimal(20000))
    await demo.create_order(client, part.known_settings(), [line], supplier="Harbour Vehicles Ltd")
    found = await reading.look()
    key = ("supplier", party["code"])
    assert set(found) == {key}
    assert (found[key].name, found[key].company) == ("Harbour Vehicles Ltd", None)
    await demo.edit(client, "party.party", party["id"], {"active": False})
    assert (await reading.look())[key].status is ReferenceStatus.CLOSED


async def test_a_whole_read_gives_only_suppliers_among_the_parties(
    connecting: Callable[..., Connector], client: TrytonClient, part: TrytonPart
) -> None:
    line = demo.Bought("COMPUTER", Decimal(1), Decimal(900))
    for _ in range(3):
        await demo.create_order(client, part.known_settings(), [line], supplier="Blue River Computers")
    small = connecting(page_size=2)
    given = [item async for item in small.source.read_all(SUPPLIERS)]
    rows = await client.search_read("purchase.purchase", [], ["party"])
    assert sorted(int(item.native_id) for item in given) == sorted({row["party"] for row in rows})


async def test_t40_an_employee_comes_and_goes_without_a_name(
    reading: Reading, client: TrytonClient, database: Database
) -> None:
    await reading.look()
    [party] = await client.write("model.party.party.create", [{"name": "Jordan Example", "code": "E-7"}])
    database.write(
        "insert into company_employee (create_date, party, company, start_date) values (?, ?, 1, '2026-01-01')", party
    )
    first = await reading.look()
    database.write("update company_employee set write_date = ?, end_date = '2026-06-30'")
    last = await reading.look()
    for found, ends in ((first, None), (last, dt.date(2026, 6, 30))):
        assert set(found) == {("employee", "E-7")}
        fields = found["employee", "E-7"]
        assert (fields.company, fields.valid_from, fields.valid_to) == ("ACME", dt.date(2026, 1, 1), ends)
        assert fields.name is None
