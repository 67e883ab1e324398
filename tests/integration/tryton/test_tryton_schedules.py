"""T13, T16, T35: the depreciation library against a real Tryton, line by line and to the cent; then its ledger.

Tryton computes each schedule itself; the library gets nothing but the book's terms as the connector reports them.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from decimal import Decimal

import pytest

from tieline.connectors.tryton import demo
from tieline.connectors.tryton.client import TrytonClient
from tieline.depreciation.dialects import Dialect, check_schedule
from tieline.kernel.balances import read_balances
from tieline.kernel.book_records import BookFields, BookReport
from tieline.kernel.ledger_records import LedgerBalance
from tieline.kernel.protocols import Connector

pytestmark = pytest.mark.integration
WORN, COST = "ASSET-DEPRECIATED", "1.5.3"
ACCOUNTS = (
    {"account": WORN, "measure": "ACCUMULATED_DEPRECIATION"},
    {"account": COST, "measure": "COST"},
)


@pytest.fixture
def connector(connecting: Callable[..., Connector]) -> Connector:
    return connecting(control_accounts=ACCOUNTS)


async def _id_of(client: TrytonClient, model: str, code: str) -> int:
    [found] = await client.search(model, [("code", "=", code)])
    return found


async def make_asset(
    client: TrytonClient,
    start: str,
    end: str,
    value: str,
    *,
    residual: str = "0",
    depreciated: str = "0",
    frequency: str = "monthly",
    run: bool = False,
) -> str:
    """An asset with its schedule, made as an accountant makes it; its native id."""
    product = await client.search_read("product.product", [("code", "=", "MACHINE")], ["default_uom"])
    values = {
        "company": (await client.context())["company"],
        "product": product[0]["id"],
        "unit": product[0]["default_uom"],
        "account_journal": await _id_of(client, "account.journal", "ASSET"),
        "value": Decimal(value),
        "residual_value": Decimal(residual),
        "depreciated_amount": Decimal(depreciated),
        "purchase_date": dt.date.fromisoformat(start),
        "start_date": dt.date.fromisoformat(start),
        "end_date": dt.date.fromisoformat(end),
        "frequency": frequency,
    }
    [asset_id] = await client.write("model.account.asset.create", [values])
    # Running an asset makes its schedule too.
    await client.write(f"model.account.asset.{'run' if run else 'create_lines'}", [asset_id])
    return str(asset_id)


async def book_of(connector: Connector, native_id: str) -> BookFields:
    item = await connector.source.read_one("assets", native_id)
    assert item is not None
    [book] = [report for report in connector.map_item(item) if isinstance(report, BookReport)]
    return book.fields


MONTHLY = [
    ("2025-01-01", "2027-12-31", "10000.00"),  # T13: 10,000 / 36
    ("2025-01-15", "2028-01-14", "1234.56"),
    ("2024-01-20", "2024-04-19", "1000.00"),
    ("2024-02-01", "2025-01-31", "1200.00"),
    ("2024-02-02", "2025-02-01", "1200.00"),
    ("2024-02-15", "2025-02-14", "1200.00"),  # over 29 February
    ("2024-02-28", "2025-02-27", "730.00"),
    ("2024-02-29", "2027-02-28", "999.99"),  # on it
    ("2024-03-01", "2024-12-31", "777.77"),
    ("2025-01-31", "2026-01-30", "1000.00"),  # the last day of a month
    ("2025-02-28", "2026-02-27", "1000.00"),
    ("2025-04-30", "2026-04-29", "1000.00"),
    ("2025-01-01", "2025-12-31", "90.30"),  # halves of a cent, to even
    ("2025-01-01", "2025-12-31", "0.07"),  # more periods than cents
    ("2026-06-10", "2028-02-29", "54321.09"),  # to 29 February
    ("2024-07-01", "2034-06-30", "80000.01"),
]
YEARLY = [
    ("2024-01-01", "2026-12-31", "10000.00"),
    ("2023-07-01", "2026-06-30", "900.00"),
    ("2024-02-15", "2029-02-14", "1234.56"),  # over 29 February
    ("2024-02-29", "2028-02-28", "5000.00"),  # on it
    ("2024-03-01", "2028-02-29", "3000.00"),  # from behind it, to the next
    ("2024-12-31", "2028-12-30", "1000.00"),  # the last day of a year
    ("2025-10-10", "2035-10-09", "99999.99"),
]


def assert_agrees(book: BookFields) -> None:
    assert check_schedule(Dialect.LINEAR_365, book) == ()
    # The check is a real one: the same book with a cent moved does not agree.
    first, *others = book.lines
    moved = first.model_copy(update={"depreciation": first.depreciation + Decimal("0.01")})
    assert check_schedule(Dialect.LINEAR_365, book.model_copy(update={"lines": (moved, *others)}))
    total = sum((line.depreciation for line in book.lines), Decimal(0))
    opening = first.accumulated_after - first.depreciation
    assert opening + total == book.gross_cost - book.salvage


@pytest.mark.parametrize("residual", ["0", "10"])
@pytest.mark.parametrize("terms", MONTHLY, ids=" ".join)
async def test_t13_every_monthly_line_is_trytons_to_the_cent(
    client: TrytonClient, connector: Connector, terms: tuple[str, str, str], residual: str
) -> None:
    start, end, value = terms
    kept = (Decimal(value) * Decimal(residual) / 100).quantize(Decimal("0.01"))
    native_id = await make_asset(client, start, end, value, residual=str(kept))
    assert_agrees(await book_of(connector, native_id))


@pytest.mark.parametrize("residual", ["0", "10"])
@pytest.mark.parametrize("terms", YEARLY, ids=" ".join)
async def test_t16_every_yearly_line_is_trytons_to_the_cent(
    client: TrytonClient, connector: Connector, terms: tuple[str, str, str], residual: str
) -> None:
    start, end, value = terms
    kept = (Decimal(value) * Decimal(residual) / 100).quantize(Decimal("0.01"))
    native_id = await make_asset(client, start, end, value, residual=str(kept), frequency="yearly")
    book = await book_of(connector, native_id)
    assert len({line.date.year for line in book.lines}) == len(book.lines)
    assert_agrees(book)


async def test_t13_what_was_depreciated_before_is_taken_as_given(client: TrytonClient, connector: Connector) -> None:
    native_id = await make_asset(client, "2025-01-01", "2026-12-31", "2400.00", depreciated="600.00")
    book = await book_of(connector, native_id)
    assert book.lines[0].accumulated_after == Decimal("675.00")
    assert_agrees(book)


async def test_t13_the_ledger_moves_by_what_is_posted_and_by_nothing_else(
    client: TrytonClient, connector: Connector
) -> None:
    """T35: Tryton's own subledger and its control account, before and after a month-end."""
    before = await balances(connector)
    native_id = await make_asset(client, "2025-01-01", "2025-12-31", "1200.00", run=True)
    assert await balances(connector) == before, "a record that was made and run has posted nothing"
    await demo.post_depreciation(client, dt.date(2025, 3, 31))
    book = await book_of(connector, native_id)
    after = await balances(connector)
    assert book.accumulated == Decimal("300.00")
    # The one running asset of this database is the one made here: drafts are not posted.
    assert after[WORN].balance - before[WORN].balance == Decimal("-300.00")
    assert after[COST] == before[COST], "the cost is on no account until an invoice puts it there"
    assert (after[WORN].company, after[WORN].currency) == ("ACME", "EUR")
    assert after[WORN].as_of == dt.date(2027, 12, 31)


async def balances(connector: Connector) -> dict[str, LedgerBalance]:
    found = (await read_balances(connector)).values()
    return {each.account: each for each in found if isinstance(each, LedgerBalance)}
