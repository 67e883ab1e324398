"""The UNIO24 sandbox by itself: it behaves as said, fails on demand, and forgets nothing it has answered."""

from __future__ import annotations

import asyncio
import datetime as dt
import hashlib
import hmac
import json
import sqlite3
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from decimal import Decimal
from itertools import count
from pathlib import Path

import httpx
import pytest
from aiohttp import web
from tests.parts.unio24 import TOKEN, WEBHOOK_SECRET, Unio24Part, free_port, start_unio24

from tieline.connectors.unio24.demo import PREFIX, Unio24User
from tieline.connectors.unio24.sandbox import PLAYABLE

pytestmark = pytest.mark.integration
TODAY = dt.date(2026, 5, 4)
numbers = count(1)


@pytest.fixture(scope="module")
def part(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Unio24Part]:
    with start_unio24(tmp_path_factory.mktemp("unio24")) as running:
        yield running


@pytest.fixture
def user(part: Unio24Part) -> Iterator[Unio24User]:
    with part.user() as signed_in:
        yield signed_in
        signed_in.clear_faults()


def ref() -> str:
    return f"sandbox-{next(numbers)}"


def refusal(error: pytest.ExceptionInfo[httpx.HTTPStatusError]) -> tuple[int, dict[str, object]]:
    return error.value.response.status_code, error.value.response.json()


def test_nothing_without_the_token(part: Unio24Part) -> None:
    for path in (f"{PREFIX}/assets", "/_faults", "/_journal", "/_stats"):
        assert httpx.get(part.url + path, trust_env=False).status_code == 401
        wrong = {"Authorization": "Bearer x"}
        assert httpx.get(part.url + path, headers=wrong, trust_env=False).status_code == 401


def test_an_asset_is_numbered_trimmed_cut_and_versioned(user: Unio24User) -> None:
    asset = user.create_asset("  " + "x" * 130 + " ", serial=" SN-1 ", site="", purchase_cost="12.5", currency="EUR")
    assert asset["tag"] == f"AT-{asset['id']:05d}"
    assert (asset["name"], asset["serial"], asset["site"]) == ("x" * 120, "SN-1", None)
    assert (asset["purchase_cost"], asset["status"], asset["version"]) == ("12.50", "in_stock", 1)
    dt.datetime.strptime(asset["updated_at"], "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=dt.UTC)
    after = user.edit(asset["id"], name="Pump")
    assert (after["name"], after["version"]) == ("Pump", 2)
    assert user.edit(asset["id"], name=" Pump ")["version"] == 2, "a change of nothing is no change"
    assert [e["action"] for e in user.journal(object="asset", object_id=asset["id"])] == ["created", "updated"]


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"name": ""}, "name"),
        ({"purchase_cost": 12.5}, "purchase_cost"),
        ({"purchase_cost": "12.5"}, "currency"),
        ({"purchase_cost": "NaN", "currency": "EUR"}, "purchase_cost"),
        ({"purchase_cost": "1.00001", "currency": "EUR"}, "purchase_cost"),
        ({"currency": "euro"}, "currency"),
        ({"purchase_date": "4.5.2026"}, "purchase_date"),
        ({"status": "eaten"}, "status"),
        ({"tag": "x" * 51}, "tag"),
        ({"id": 7}, "id"),
        ({"version": 7}, "version"),
        ({"colour": "red"}, "colour"),
    ],
)
def test_bad_values_are_refused_by_name(user: Unio24User, fields: dict[str, object], field: str) -> None:
    before = user.stats()["journal"]
    with pytest.raises(httpx.HTTPStatusError) as caught:
        user.create_asset(**{"name": "Pump", **fields})  # type: ignore[arg-type]
    status, body = refusal(caught)
    assert (status, body["field"]) == (422, field)
    assert user.stats()["journal"] == before


def test_a_taken_reference_answers_with_the_existing_id(user: Unio24User) -> None:
    reference = ref()
    first = user.create_asset("Pump", external_ref=reference)
    with pytest.raises(httpx.HTTPStatusError) as caught:
        user.create_asset("Pump again", external_ref=reference)
    status, body = refusal(caught)
    assert (status, body["existing_id"]) == (409, first["id"])
    other = user.create_asset("Other", external_ref=ref())
    with pytest.raises(httpx.HTTPStatusError) as caught:
        user.edit(other["id"], external_ref=reference)
    assert refusal(caught)[0] == 409
    with pytest.raises(httpx.HTTPStatusError) as caught:
        user.create_asset("Tagged", tag=first["tag"])
    assert refusal(caught)[1]["field"] == "tag"


def test_if_match_guards_against_lost_updates(part: Unio24Part, user: Unio24User) -> None:
    asset = user.create_asset("Pump")
    url, headers = f"{part.url}{PREFIX}/assets/{asset['id']}", {"Authorization": f"Bearer {TOKEN}"}
    stale = httpx.patch(url, json={"name": "A"}, headers={**headers, "If-Match": '"9"'}, trust_env=False)
    assert stale.status_code == 412
    fresh = httpx.patch(url, json={"name": "A"}, headers={**headers, "If-Match": '"1"'}, trust_env=False)
    assert fresh.json()["version"] == 2


def test_a_deleted_asset_is_gone_and_its_number_never_comes_back(user: Unio24User) -> None:
    asset = user.create_asset("Pump")
    user.delete(asset["id"])
    with pytest.raises(httpx.HTTPStatusError) as caught:
        user.asset(asset["id"])
    assert refusal(caught)[0] == 404
    assert user.create_asset("Next")["id"] > asset["id"]


def test_lists_page_stably_and_cap_without_a_word(part: Unio24Part, user: Unio24User) -> None:
    site = ref()
    created = [user.create_asset(f"Pump {n}", site=site)["id"] for n in range(205)]
    headers = {"Authorization": f"Bearer {TOKEN}"}
    query: dict[str, str | int] = {"site": site, "limit": 5000}
    page = httpx.get(f"{part.url}{PREFIX}/assets", params=query, headers=headers, trust_env=False).json()
    assert len(page["items"]) == 200
    assert page["next_page_token"]
    assert [asset["id"] for asset in user.find_assets(site=site)] == created
    for bad in ({"limit": "0"}, {"limit": "x"}, {"page_token": "x"}):
        answer = httpx.get(f"{part.url}{PREFIX}/assets", params=bad, headers=headers, trust_env=False)
        assert answer.status_code == 400


def test_modified_since_includes_the_second_itself_in_order(part: Unio24Part, user: Unio24User) -> None:
    first = user.create_asset("First")
    time.sleep(1.1)
    second, third = user.create_asset("Second"), user.create_asset("Third")
    query = {"modified_since": second["updated_at"], "limit": "200"}
    headers = {"Authorization": f"Bearer {TOKEN}"}
    items = httpx.get(f"{part.url}{PREFIX}/assets", params=query, headers=headers, trust_env=False).json()["items"]
    assert [item["id"] for item in items] == [second["id"], third["id"]]
    time.sleep(1.1)
    user.edit(first["id"], name="First, changed")
    items = httpx.get(f"{part.url}{PREFIX}/assets", params=query, headers=headers, trust_env=False).json()["items"]
    assert [item["id"] for item in items] == [second["id"], third["id"], first["id"]]


PANEL = {
    "currency": "EUR",
    "method": "SL",
    "cost": "100.00",
    "residual_value": "0.00",
    "accumulated": "10.00",
    "book_value": "90.00",
    "as_of": "2026-01-31",
    "lines": [{"date": "2026-01-31", "depreciation": "10.00", "posted": True}],
}


def test_the_finance_panel_is_replaced_whole(user: Unio24User) -> None:
    asset = user.create_asset("Pump")
    panel = user.put_panel(asset["id"], PANEL)
    assert (panel["version"], panel["book_value"], len(panel["lines"])) == (1, "90.00", 1)
    assert user.put_panel(asset["id"], PANEL)["version"] == 1
    assert user.put_panel(asset["id"], {**PANEL, "method": None, "lines": []})["version"] == 2
    assert (user.panel(asset["id"])["lines"], user.panel(asset["id"])["method"]) == ([], None)
    assert user.asset(asset["id"])["version"] == 1, "the panel is not the asset"
    for bad in ({"lines": None}, {"cost": "x"}, {"lines": [{"date": "2026-01-31"}]}, {"colour": "red"}):
        with pytest.raises(httpx.HTTPStatusError) as caught:
            user.put_panel(asset["id"], {**PANEL, **bad})
        assert refusal(caught)[0] == 422
    with pytest.raises(httpx.HTTPStatusError) as caught:
        user.put_panel(10**9, PANEL)
    assert refusal(caught)[0] == 404


def test_assignment_condition_and_history(user: Unio24User) -> None:
    asset = user.create_asset("Laptop", site="A")
    assert user.check_out(asset["id"], "E-7", site="B")["custodian"] == "E-7"
    with pytest.raises(httpx.HTTPStatusError) as caught:
        user.check_out(asset["id"], "E-8")
    assert refusal(caught)[0] == 409
    user.report_condition(asset["id"], "fair", "scratched")
    after = user.check_in(asset["id"], condition="poor")
    assert (after["custodian"], after["status"], after["condition"]) == (None, "in_stock", "poor")
    with pytest.raises(httpx.HTTPStatusError) as caught:
        user.check_in(asset["id"])
    assert refusal(caught)[0] == 409
    assert [entry["event"] for entry in user.history(asset["id"])] == ["check-out", "condition", "check-in"]


def test_a_physical_audit_finds_moves_and_misses(user: Unio24User) -> None:
    site = ref()
    here = user.create_asset("Here", site=site, serial=ref())
    missing = user.create_asset("Missing", site=site)
    strayed = user.create_asset("Strayed", site="elsewhere")
    audit = user.audit(site, [here["serial"], strayed["tag"], "no-such-barcode"], mark_lost=True)
    assert [scan["found"] for scan in audit["scans"]] == [True, True, False]
    assert audit["not_found"] == [missing["id"]]
    assert user.asset(missing["id"])["status"] == "lost"
    assert user.asset(strayed["id"])["site"] == site
    with pytest.raises(httpx.HTTPStatusError):
        user._call("POST", f"{PREFIX}/audits/{audit['id']}/close", {})


def test_work_becomes_an_immutable_cost_document_and_a_correction_is_a_reversal(user: Unio24User) -> None:
    asset = user.create_asset("Press", company="1000", cost_centre="CC-1", currency="EUR")
    costs = [("labour", "Two hours", Decimal("96.10")), ("part", "Seal", Decimal("0.05"))]
    document = user.maintain(asset["id"], "Leak", costs, TODAY)
    assert (document["total"], document["cost_centre"], document["company"]) == ("96.15", "CC-1", "1000")
    reversal = user.reverse_costs(document["id"], TODAY)
    assert (reversal["total"], reversal["reversal_of"]) == ("-96.15", document["id"])
    assert user.cost_document(document["id"]) == document
    for again in (document["id"], reversal["id"]):
        with pytest.raises(httpx.HTTPStatusError) as caught:
            user.reverse_costs(again, TODAY)
        assert refusal(caught)[0] == 409
    order = user._call("GET", f"{PREFIX}/work-orders/{document['work_order'].removeprefix('WO-').lstrip('0')}")
    line = {"kind": "tool", "description": "late", "amount": "1.00"}
    with pytest.raises(httpx.HTTPStatusError) as caught:
        user._call("POST", f"{PREFIX}/work-orders/{order['id']}/lines", line)
    assert refusal(caught)[0] == 409


def test_hours_times_rate_are_rounded_to_the_currency(user: Unio24User) -> None:
    for currency, amount in (("EUR", "41.63"), ("JPY", "42")):
        asset = user.create_asset("Press", currency=currency)
        order = user._call("POST", f"{PREFIX}/work-orders", {"asset_id": asset["id"], "description": "Oil"})
        line = {"kind": "labour", "description": "x", "quantity": "1.25", "rate": "33.30"}
        assert user._call("POST", f"{PREFIX}/work-orders/{order['id']}/lines", line)["amount"] == amount


def test_stats_sum_exactly_by_currency(tmp_path: Path) -> None:
    with start_unio24(tmp_path) as own, own.user() as user:
        for cost in ("0.10", "0.20"):
            user.create_asset("Pump", purchase_cost=cost, currency="EUR")
        user.create_asset("Pump", purchase_cost="7", currency="JPY", status="ordered")
        stats = user.stats()
        assert stats["assets"] == {
            "count": 3,
            "by_status": {"in_stock": 2, "ordered": 1},
            "purchase_cost": {"EUR": "0.30", "JPY": "7.00"},
        }
        assert stats["journal"] == {"asset.created": 3}


def create(part: Unio24Part, reference: str, timeout_secs: float = 1.0) -> httpx.Response:
    headers = {"Authorization": f"Bearer {TOKEN}"}
    body = {"name": "Pump", "external_ref": reference}
    return httpx.post(f"{part.url}{PREFIX}/assets", json=body, headers=headers, timeout=timeout_secs, trust_env=False)


POSTS = {"method": "POST", "path": "/assets$", "seconds": 3}


@pytest.mark.parametrize(
    ("kind", "answer", "lands"),
    [
        ("timeout_before", httpx.ReadTimeout, False),
        ("timeout_after_commit", httpx.ReadTimeout, True),
        ("error_500_before", 500, False),
        ("error_500_after_commit", 500, True),
        ("error_503", 503, False),
        ("error_429", 429, False),
        ("cut_body", httpx.RemoteProtocolError, True),
        ("slow", httpx.ReadTimeout, True),
        ("drop_write", 201, False),
        ("answer", 418, False),
    ],
)
def test_a_fault_strikes_once_and_leaves_what_it_says(
    part: Unio24Part, user: Unio24User, kind: str, answer: int | type[Exception], *, lands: bool
) -> None:
    reference = ref()
    user.set_faults({**POSTS, "kind": kind, "retry_after": 7, "status": 418})
    if isinstance(answer, int):
        response = create(part, reference)
        assert response.status_code == answer
        assert kind != "error_429" or response.headers["Retry-After"] == "7"
    else:
        with pytest.raises(answer):
            create(part, reference)
    assert len(user.find_assets(external_ref=reference)) == int(lands)
    assert [rule["hits"] for rule in user.faults()] == [1]
    assert create(part, reference).status_code == (409 if lands else 201), "the fault struck twice"
    assert len([e for e in user.journal(object="asset") if e["detail"].get("external_ref") == reference]) == 1


def test_faults_match_count_and_repeat_with_their_seed(part: Unio24Part, user: Unio24User) -> None:
    def strikes() -> list[bool]:
        user.clear_faults()
        user.set_faults({**POSTS, "kind": "error_503", "count": None, "probability": 0.5, "seed": 7})
        return [create(part, ref()).status_code == 503 for _ in range(20)]

    first = strikes()
    assert first == strikes()
    assert {True, False} == set(first)
    user.clear_faults()
    user.set_faults({"method": "PATCH", "kind": "error_503", "count": 2})
    assert create(part, ref()).status_code == 201
    with pytest.raises(httpx.HTTPStatusError) as caught:
        user.set_faults({"kind": "slow"}, {"kind": "earthquake"})
    assert (refusal(caught)[0], refusal(caught)[1]["field"]) == (422, "1.kind")
    assert [rule["kind"] for rule in user.faults()] == ["error_503"], "half of a script is no script"


def test_a_write_applied_twice_shows_in_the_journal_and_answers_once(user: Unio24User) -> None:
    user.set_faults({**POSTS, "kind": "apply_twice"})
    first = user.create_asset("Pump", site=(site := ref()))
    assert [asset["id"] for asset in user.find_assets(site=site)] == [first["id"], first["id"] + 1]
    assert len([e for e in user.journal(object="asset") if e["detail"].get("site") == site]) == 2


def test_a_stale_read_lies_behind_by_changes_or_seconds(user: Unio24User) -> None:
    reads = {"kind": "stale_read", "method": "GET", "path": "/assets", "count": None}
    user.set_faults({**reads, "changes_old": 2})
    asset = user.create_asset("Pump")
    for name in ("Two", "Three", "Four"):
        user.edit(asset["id"], name=name)
    assert user.edit(asset["id"], name="Four")["version"] == 4, "a change of nothing is none of the changes"
    assert user.asset(asset["id"])["name"] == "Two"
    assert [found["name"] for found in user.find_assets(tag=asset["tag"])] == ["Two"]
    assert user.edit(asset["id"], condition="fair")["name"] == "Four", "who writes sees what is"
    user.clear_faults()
    assert user.asset(asset["id"])["name"] == "Four"
    user.set_faults({**reads, "seconds_old": 0.5})
    time.sleep(0.6)
    user.edit(asset["id"], name="Five")
    assert user.asset(asset["id"])["name"] == "Four"
    time.sleep(0.6)
    assert user.asset(asset["id"])["name"] == "Five"


def test_connections_are_refused_for_a_while(part: Unio24Part, user: Unio24User) -> None:
    user.set_faults({**POSTS, "kind": "refuse_connection", "seconds": 1})
    with pytest.raises(httpx.RemoteProtocolError):
        create(part, reference := ref())
    with pytest.raises(httpx.ConnectError):
        create(part, reference)
    time.sleep(1.2)
    assert create(part, reference).status_code == 201


def test_the_journal_tells_whose_request_it_was(part: Unio24Part, user: Unio24User) -> None:
    headers = {"Authorization": f"Bearer {TOKEN}", "X-Request-Id": "req-77"}
    body = {"name": "Pump", "external_ref": (reference := ref())}
    answer = httpx.post(f"{part.url}{PREFIX}/assets", json=body, headers=headers, trust_env=False)
    assert answer.headers["X-Request-Id"] == "req-77"
    [entry] = user.journal(object="asset", object_id=answer.json()["id"])
    assert (entry["request_id"], entry["reference"]) == ("req-77", reference)


def test_a_file_of_an_earlier_version_is_taken_over(tmp_path: Path) -> None:
    with sqlite3.connect(tmp_path / "unio24.db") as db:
        db.execute(
            "CREATE TABLE journal (seq INTEGER PRIMARY KEY AUTOINCREMENT, at TEXT NOT NULL, action TEXT NOT NULL,"
            " object TEXT NOT NULL, object_id INTEGER NOT NULL, detail TEXT NOT NULL)"
        )
        db.execute("INSERT INTO journal VALUES (1, '2026-01-01T00:00:00Z', 'created', 'asset', 1, '{}')")
    db.close()
    with start_unio24(tmp_path) as own, own.user() as user:
        user.create_asset("Pump", external_ref=(reference := ref()))
        assert [entry["reference"] for entry in user.journal()] == [None, reference]


def test_a_script_is_in_force_from_the_start(tmp_path: Path) -> None:
    script = tmp_path / "faults.yaml"
    script.write_text("faults: [{kind: error_503, method: POST, probability: 0.5, count: null}]", encoding="utf-8")

    def strikes(seed: str) -> list[int]:
        with start_unio24(tmp_path, "--faults", str(script), "--seed", seed) as own:
            return [create(own, ref()).status_code for _ in range(12)]

    first = strikes("7")
    assert set(first) == {201, 503}
    assert (strikes("7"), strikes("8") == first) == (first, False)


def test_kill_minus_nine_loses_nothing_that_was_answered(tmp_path: Path) -> None:
    with start_unio24(tmp_path) as own:
        for attempt in range(3):
            with own.user() as user:
                answered = [user.create_asset(f"Pump {attempt}-{n}", external_ref=ref())["id"] for n in range(50)]
            own.restart()
            with own.user() as user:
                assert {asset["id"] for asset in user.find_assets()} >= set(answered)
                assert len(user.journal(object="asset")) == 50 * (attempt + 1)


@asynccontextmanager
async def receiver() -> AsyncIterator[tuple[str, list[tuple[dict[str, str], bytes]]]]:
    received: list[tuple[dict[str, str], bytes]] = []

    async def note(request: web.Request) -> web.Response:
        received.append((dict(request.headers), await request.read()))
        return web.Response(status=202)

    app = web.Application()
    app.router.add_post("/hook", note)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    port = free_port()
    await web.TCPSite(runner, "127.0.0.1", port).start()
    try:
        yield f"http://127.0.0.1:{port}/hook", received
    finally:
        await runner.cleanup()


async def arrived(received: list[tuple[dict[str, str], bytes]], wanted: int, secs: float = 5) -> list[int]:
    deadline = time.monotonic() + secs
    while len(received) < wanted and time.monotonic() < deadline:  # noqa: ASYNC110  - the list is what is asked about
        await asyncio.sleep(0.02)
    await asyncio.sleep(0.2)  # whatever comes too much, comes now
    return [json.loads(body)["object_id"] for _, body in received]


async def test_webhooks_are_signed_and_may_be_lost_doubled_or_late(user: Unio24User) -> None:
    async with receiver() as (url, received):
        subscribed = user._call("POST", f"{PREFIX}/webhooks", {"url": url, "secret": WEBHOOK_SECRET})
        assert "secret" not in subscribed
        first = user.create_asset("Pump")
        assert await arrived(received, 1) == [first["id"]]
        headers, body = received[0]
        content = f"{headers['X-Unio24-Id']}.{headers['X-Unio24-Timestamp']}.".encode() + body
        wanted = hmac.new(WEBHOOK_SECRET.encode(), content, hashlib.sha256).hexdigest()
        assert headers["X-Unio24-Signature"] == wanted
        assert abs(int(headers["X-Unio24-Timestamp"]) - time.time()) < 10
        received.clear()
        ids = {}
        for kind in ("lose_webhook", "late_webhook", "duplicate_webhook"):
            user.set_faults({**POSTS, "kind": kind, "seconds": 0.5})
            ids[kind] = user.create_asset("Pump")["id"]
        doubled, late = ids["duplicate_webhook"], ids["late_webhook"]
        assert await arrived(received, 3) == [doubled, doubled, late]
        received.clear()
        user.set_faults({**POSTS, "kind": "reorder_webhook", "seconds": 5})
        overtaken, ahead = user.create_asset("Pump")["id"], user.create_asset("Pump")["id"]
        assert await arrived(received, 2) == [ahead, overtaken]
        received.clear()
        user.set_faults({**POSTS, "kind": "reorder_webhook", "seconds": 0.2})
        alone = user.create_asset("Pump")["id"]
        assert await arrived(received, 1) == [alone], "nothing came that could overtake it"
        user._call("DELETE", f"{PREFIX}/webhooks/{subscribed['id']}")
        received.clear()
        user.create_asset("Pump")
        assert await arrived(received, 1, secs=0.3) == []


def test_every_kind_of_fault_is_tested_here() -> None:
    text = Path(__file__).read_text(encoding="utf-8")
    assert [kind for kind in PLAYABLE if f'"{kind}"' not in text] == []
