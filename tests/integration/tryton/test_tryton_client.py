"""The Tryton client against a real Tryton and a wire that fails: every fault says what to do next."""

from __future__ import annotations

import contextlib
import datetime as dt
import json
import sqlite3
from collections.abc import AsyncIterator
from decimal import Decimal
from pathlib import Path

import pytest
from pydantic import SecretStr
from tests.parts.tryton import PASSWORD, FaultyWire, TrytonPart, post_cost

from tieline.connectors.tryton import demo, wire
from tieline.connectors.tryton.client import TrytonClient
from tieline.connectors.tryton.connector import connect
from tieline.connectors.tryton.wire import Quantity
from tieline.kernel.errors import OutcomeUnknown, Rejected, Retryable, Stop, TielineError, Unavailable

pytestmark = pytest.mark.integration
CREATE = "model.party.party.create"
READ = "model.party.party.search_read"
SEARCH = "model.party.party.search"


@pytest.fixture
async def faulty(part: TrytonPart) -> AsyncIterator[FaultyWire]:
    async with FaultyWire(part.port) as running:
        yield running


async def test_a_wrong_password_stops_and_too_many_are_throttled(part: TrytonPart, folder: Path) -> None:
    # Another name than the API user's: Tryton would lock that one out for the other tests.
    async with part.client(user="nobody", password=SecretStr("wrong-guess")) as stranger:
        with pytest.raises(Stop, match="refuses the user or the password") as caught:
            await stranger.search("party.party", [])
        assert "wrong-guess" not in str(caught.value)
        with contextlib.closing(sqlite3.connect(folder / "data" / "tieline.sqlite", timeout=20)) as database:
            # Five more, made here: Tryton answers each try later than the one before, up to half a minute.
            rows = [("nobody", _minutes_ago(0))] * 5
            database.executemany("insert into res_user_login_attempt (login, create_date) values (?, ?)", rows)
            database.commit()
        with pytest.raises(Unavailable, match="throttles log-ins") as throttled:
            await stranger.search("party.party", [])
        assert throttled.value.retry_after_secs == 60


async def test_the_password_shows_nowhere(part: TrytonPart, client: TrytonClient) -> None:
    settings = part.known_settings()
    assert PASSWORD not in repr(settings) + str(settings) + settings.model_dump_json() + repr(client)


async def test_an_ended_session_is_renewed_once(client: TrytonClient, folder: Path, faulty: FaultyWire) -> None:
    before = await client.search("party.party", [])
    with contextlib.closing(sqlite3.connect(folder / "data" / "tieline.sqlite", timeout=20)) as database:
        database.execute("delete from ir_session")
        database.commit()
    assert await client.search("party.party", []) == before
    assert faulty.calls == []


async def test_a_session_that_is_refused_again_stops(part: TrytonPart, faulty: FaultyWire) -> None:
    async with part.client(endpoint=faulty.url) as client:
        faulty.answer(SEARCH, "401 Unauthorized")
        assert await client.search("party.party", [])
        assert faulty.count("common.db.login") == 2
        for _ in range(2):
            faulty.answer(SEARCH, "401 Unauthorized")
        with pytest.raises(Stop, match="refuses the session"):
            await client.search("party.party", [])


async def test_a_post_after_idleness_goes_through(part: TrytonPart, client: TrytonClient, folder: Path) -> None:
    """Posting needs a session used in the last five minutes: Tryton answers 401, and the call is made again."""
    connector = connect("tryton", part.settings())
    await connector.sink.write(post_cost(), None)
    with contextlib.closing(sqlite3.connect(folder / "data" / "tieline.sqlite", timeout=20)) as database:
        database.execute("update ir_session set write_date = null, create_date = ?", (_minutes_ago(10),))
        database.commit()
    command = post_cost()
    assert (await connector.sink.write(command, None)).effect
    rows = await client.search_read("account.move", [("description", "ilike", f"%{command.cost_doc_id}%")], ["state"])
    assert [row["state"] for row in rows] == ["posted"]
    closing = connector.close()
    assert hasattr(closing, "__await__")
    await closing


def _minutes_ago(minutes: int) -> str:
    return (dt.datetime.now(dt.UTC) - dt.timedelta(minutes=minutes)).strftime("%Y-%m-%d %H:%M:%S.%f")


async def test_an_unknown_database_or_company_stops(part: TrytonPart) -> None:
    async with part.client(database="nothere") as lost:
        with pytest.raises(Stop, match="no such database"):
            await lost.search("party.party", [])
    async with part.client(company="NOBODY") as lost:
        with pytest.raises(Stop, match="0 companies with the party code 'NOBODY'"):
            await lost.search("party.party", [])


async def test_what_tryton_refuses_is_rejected_in_its_words(client: TrytonClient) -> None:
    with pytest.raises(Rejected, match="A value is required for field") as caught:
        await client.write("model.account.asset.create", [{"purchase_date": dt.date(2025, 1, 1)}])
    assert caught.value.remedy
    with pytest.raises(Rejected, match="failed: 'nothere'"):
        await client.read("model.party.party.read", [1], ["nothere"])
    with pytest.raises(Rejected, match="not allowed to"):
        await client.write("model.res.user.create", [{"name": "x", "login": "x"}])
    with pytest.raises(Stop, match="may not call this"):
        await client.read("model.party.party.nothere")


async def test_a_record_deleted_between_tryton_s_search_and_its_read_costs_one_more_question(
    part: TrytonPart, faulty: FaultyWire
) -> None:
    error = ["UserError", ['You are trying to read records "7" of "Party" that don\'t exist.', "", None]]
    gone = json.dumps({"id": 1, "error": error}).encode()
    async with part.client(endpoint=faulty.url) as client:
        faulty.answer(READ, "200 OK", gone)
        assert await client.search_read("party.party", [("name", "=", "nobody of this name")], ["name"]) == []
        faulty.answer(READ, "200 OK", gone)
        faulty.answer(READ, "200 OK", gone)
        with pytest.raises(Rejected, match="don't exist"):
            await client.search_read("party.party", [], ["name"])


async def test_a_stale_time_stamp_is_tried_again(part: TrytonPart, client: TrytonClient) -> None:
    asset = await demo.book_asset(
        client, part.known_settings(), asset_class="COMPUTER", value=Decimal(360), start=dt.date(2025, 1, 1)
    )
    [row] = await client.search_read("account.asset", [("id", "=", asset)], ["_timestamp"])
    stamps = {f"account.asset,{asset}": row["_timestamp"]}
    await client.write("model.account.asset.write", [asset], {"comment": "mine"}, timestamps=stamps)
    with pytest.raises(Retryable, match="somebody changed the record"):
        await client.write("model.account.asset.write", [asset], {"comment": "stale"}, timestamps=stamps)
    [row] = await client.search_read("account.asset", [("id", "=", asset)], ["comment"])
    assert row["comment"] == "mine"


@pytest.mark.parametrize(
    ("head", "outcomes"),
    [
        ("503 Service Unavailable\r\nRetry-After: 7", (Unavailable, Unavailable, 7.0)),
        ("429 Too Many Requests\r\nRetry-After: 30", (Unavailable, Unavailable, 30.0)),
        ("429 Too Many Requests\r\nRetry-After: Thu, 31 Dec 2099 23:59:59 GMT", (Unavailable, Unavailable, 3600.0)),
        ("502 Bad Gateway", (Unavailable, OutcomeUnknown, None)),
        ("504 Gateway Timeout", (Unavailable, OutcomeUnknown, None)),
        ("500 Internal Server Error", (Unavailable, OutcomeUnknown, None)),
        ("200 OK", (Unavailable, OutcomeUnknown, None)),
        ("302 Found\r\nLocation: http://127.0.0.1:1/", (Unavailable, Unavailable, None)),
        ("400 Bad Request", (Rejected, Rejected, None)),
        ("404 Not Found", (Stop, Stop, None)),
    ],
)
async def test_every_status_says_what_to_do(
    part: TrytonPart,
    faulty: FaultyWire,
    head: str,
    outcomes: tuple[type[TielineError], type[TielineError], float | None],
) -> None:
    reading, writing, wait = outcomes
    for method, expected in ((SEARCH, reading), (CREATE, writing)):
        async with part.client(endpoint=faulty.url) as client:  # a throttled account stays closed to its client
            faulty.answer(method, head, b"<html>not JSON</html>")
            with pytest.raises(expected) as caught:
                await (client.search("party.party", []) if method == SEARCH else client.write(CREATE, [{"name": "x"}]))
            if isinstance(caught.value, Unavailable):
                assert caught.value.retry_after_secs == wait


@pytest.mark.parametrize("body", [b"{", b"[]", b"{}", b'{"id":0}', b'{"result":NaN}', b"[" * 100_000, b"\xff\xfe"])
async def test_an_answer_cut_off_or_garbled_is_no_success(part: TrytonPart, faulty: FaultyWire, body: bytes) -> None:
    async with part.client(endpoint=faulty.url) as client:
        faulty.answer(CREATE, "200 OK", body)
        with pytest.raises(OutcomeUnknown):
            await client.write(CREATE, [{"name": "x"}])
        faulty.answer(SEARCH, "200 OK", body)
        with pytest.raises(Unavailable):
            await client.search("party.party", [])


async def test_a_connection_lost_after_sending_is_an_unknown_outcome(part: TrytonPart, faulty: FaultyWire) -> None:
    async with part.client(endpoint=faulty.url) as client:
        faulty.lose_answer(CREATE)
        with pytest.raises(OutcomeUnknown, match="answer was lost"):
            await client.write(CREATE, [{"name": "Lost & Co"}])
        assert len(await client.search("party.party", [("name", "=", "Lost & Co")])) == 1
        faulty.lose_answer(SEARCH)
        with pytest.raises(Unavailable):
            await client.search("party.party", [])


async def test_a_silent_tryton_is_an_unknown_outcome_for_a_write_only(part: TrytonPart) -> None:
    async with part.client(read_timeout_secs=3) as client:
        await client.context()
        part.pause()
        try:
            with pytest.raises(OutcomeUnknown):
                await client.write(CREATE, [{"name": "x"}])
            with pytest.raises(Unavailable):
                await client.search("party.party", [])
        finally:
            part.resume()


async def test_a_connection_never_made_took_no_effect(part: TrytonPart) -> None:
    async with FaultyWire(part.port) as wire_:
        gone = wire_.url
        async with part.client(endpoint=gone) as client:
            await client.context()
            await wire_.__aexit__()
            with pytest.raises(Unavailable):
                await client.write(CREATE, [{"name": "x"}])
    async with part.client(endpoint="http://tryton.invalid:8000") as client:
        with pytest.raises(Unavailable):
            await client.search("party.party", [])


async def test_an_answer_too_long_is_refused_not_read(part: TrytonPart) -> None:
    async with part.client(max_response_bytes=2000) as client:
        with pytest.raises(Unavailable, match="longer than 2000 bytes"):
            await client.search_read("account.account", [], ["name", "code"])


@pytest.mark.parametrize("amount", ["0.01", "1234.56", "99999999999999.99", "-0.05", "1E+2"])
async def test_amounts_and_dates_travel_exactly(part: TrytonPart, client: TrytonClient, amount: str) -> None:
    day = dt.date(2024, 2, 29)
    reference = await client.search_read("account.asset", [], ["product", "account_journal"], limit=1)
    if not reference:
        await demo.book_asset(client, part.known_settings(), asset_class="COMPUTER", value=Decimal(360), start=day)
        reference = await client.search_read("account.asset", [], ["product", "account_journal"], limit=1)
    values = {
        **{name: reference[0][name] for name in ("product", "account_journal")},
        "company": (await client.context())["company"],
        "value": abs(Decimal(amount)),
        "residual_value": Decimal(0),
        "quantity": Quantity(Decimal("3.0")),
        **dict.fromkeys(("purchase_date", "start_date", "end_date"), day),
    }
    [asset] = await client.write("model.account.asset.create", [values])
    [row] = await client.search_read("account.asset", [("id", "=", asset)], ["value", "purchase_date", "quantity"])
    assert wire.decimal(row["value"]) == abs(Decimal(amount))
    assert wire.date(row["purchase_date"]) == day
    assert row["quantity"] == 3
