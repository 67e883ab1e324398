"""Every fault as a caller of a sandbox meets it, what it leaves behind, and the routes that set and tell it."""

from __future__ import annotations

import asyncio
import datetime as dt

import aiohttp
import pytest
from aiohttp import web
from tests.unit.connectors.kit.sandbox_parts import PLAYABLE, Vendor, clock, start_vendor

from tieline.connectors.kit.sandboxing.admin import require_loopback
from tieline.connectors.kit.sandboxing.answers import Refusal
from tieline.connectors.kit.sandboxing.authentication import header
from tieline.connectors.kit.sandboxing.faults import Rule
from tieline.connectors.kit.sandboxing.front import Front
from tieline.connectors.kit.sandboxing.kinds import KINDS
from tieline.connectors.kit.sandboxing.limits import Limits
from tieline.connectors.kit.sandboxing.script import read_script
from tieline.connectors.kit.sandboxing.webhooks import Outbox, Webhook

PLAYED: dict[str, tuple[int | type[Exception], list[str]]] = {
    "timeout_before": (aiohttp.ServerDisconnectedError, []),
    "timeout_after_commit": (aiohttp.ServerDisconnectedError, ["Pump"]),
    "error_500_before": (500, []),
    "error_500_after_commit": (500, ["Pump"]),
    "error_503": (503, []),
    "error_429": (400, []),
    "answer": (202, []),
    "cut_body": (aiohttp.ClientPayloadError, ["Pump"]),
    "slow": (201, ["Pump"]),
    "apply_twice": (201, ["Pump", "Pump"]),
    "drop_write": (201, []),
    "stale_read": (201, ["Pump"]),
    "refuse_connection": (aiohttp.ServerDisconnectedError, []),
}


def held(vendor: Vendor) -> list[object]:
    return [row["name"] for row in vendor.records.rows("asset")]


@pytest.mark.parametrize("kind", PLAYED)
async def test_a_fault_answers_and_leaves_what_it_says_once(kind: str) -> None:
    outcome, left = PLAYED[kind]
    async with start_vendor() as vendor:
        vendor.fail(kind=kind, method="POST", seconds=0.05, status=202, text="{}")
        if isinstance(outcome, int):
            assert (await vendor.create())[0] == outcome
        else:
            with pytest.raises(outcome):
                await vendor.create()
        assert held(vendor) == left
        assert [entry["object_id"] for entry in vendor.journal.read(0, 10)] == list(range(1, len(left) + 1))
        await asyncio.sleep(0.1)
        assert (await vendor.create("Next"))[0] == 201
        assert [(rule.hits, rule.calls) for rule in vendor.faults.rules] == [(1, 2)]


def test_every_fault_of_a_request_is_played_here() -> None:
    assert set(PLAYED) == {name for name, kind in KINDS.items() if kind.stage == "request"}


async def test_slow_and_timeouts_take_the_time_they_say() -> None:
    async with start_vendor() as vendor:
        loop = asyncio.get_running_loop()
        for kind in ("slow", "timeout_before"):
            vendor.fail(kind=kind, seconds=0.2)
            began = loop.time()
            await asyncio.gather(vendor.create(), return_exceptions=True)
            assert loop.time() - began >= 0.2, kind


async def test_storms_speak_the_vendors_form_and_say_how_long() -> None:
    async with start_vendor() as vendor:
        vendor.fail(kind="error_429", count=2, retry_after=60, retry_after_form="date")
        for _ in range(2):
            status, body, headers = await vendor.create()
            assert (status, body) == (400, {"fault": {"code": "REQUEST_LIMIT_EXCEEDED"}})
            assert headers["Retry-After"] == "Sat, 21 Nov 2026 12:01:00 GMT"
        assert (await vendor.create())[0] == 201


async def test_an_answer_of_the_script_comes_as_it_is_written() -> None:
    async with start_vendor() as vendor:
        vendor.fail(kind="answer", status=207, text="<x/>", headers={"Content-Type": "text/xml", "Location": "/a"})
        assert vendor.session is not None
        async with vendor.session.post(vendor.url + "/assets") as got:
            seen = got.status, await got.text(), got.headers["Content-Type"], got.headers["Location"]
        assert seen == (207, "<x/>", "text/xml", "/a")


async def test_a_refusal_is_lost_like_any_answer() -> None:
    async with start_vendor() as vendor:
        vendor.fail(kind="timeout_after_commit", seconds=0)
        with pytest.raises(aiohttp.ServerDisconnectedError):
            await vendor.create("")
        vendor.fail(kind="apply_twice")
        assert (await vendor.create(""))[:2] == (422, {"fault": {"text": "name: is required"}})


async def test_a_stale_read_is_of_an_older_state_and_writes_see_the_present() -> None:
    async with start_vendor() as vendor:
        await vendor.create("One")
        await vendor.create("Two")
        vendor.fail(kind="stale_read", method="GET")
        assert (await vendor.call("GET", "/assets"))[1] == [{"id": 1, "name": "One"}]
        vendor.fail(kind="stale_read", method="GET", changes_old=2)
        assert (await vendor.call("GET", "/assets"))[1] == []
        await vendor.create("Three")
        assert held(vendor) == ["One", "Two", "Three"]


async def test_a_shut_door_refuses_and_opens_again_on_the_same_port() -> None:
    async with start_vendor() as vendor, aiohttp.ClientSession() as kept_alive:
        async with kept_alive.get(vendor.url + "/assets") as got:
            assert got.status == 200
        vendor.fail(kind="refuse_connection", seconds=0.3)
        with pytest.raises(aiohttp.ServerDisconnectedError):
            await vendor.create()
        with pytest.raises(aiohttp.ClientConnectorError):
            await vendor.create()
        with pytest.raises(aiohttp.ClientConnectorError):
            async with kept_alive.get(vendor.url + "/assets"):
                pass
        await asyncio.sleep(0.4)
        assert (await vendor.create())[0] == 201


async def test_a_sandbox_ends_while_its_door_is_shut() -> None:
    async with start_vendor() as vendor:
        vendor.fail(kind="refuse_connection", seconds=3600)
        with pytest.raises(aiohttp.ServerDisconnectedError):
            await vendor.create()


async def test_a_body_over_the_bound_and_a_path_of_nobody_are_refused_in_the_vendors_form() -> None:
    async with start_vendor() as vendor:
        assert (await vendor.create("x" * 1001))[:2] == (413, {"fault": {"text": "Request Entity Too Large"}})
        assert (await vendor.call("GET", "/nowhere"))[:2] == (404, {"fault": {"text": "Not Found"}})
        assert held(vendor) == []


async def test_a_request_goes_by_the_callers_id_or_gets_one() -> None:
    async with start_vendor() as vendor:
        seen = [
            (await vendor.create(headers=given))[2]["X-Request-Id"]
            for given in ({"X-Request-Id": "a-1"}, {}, {"X-Request-Id": "ö" * 5}, {"X-Request-Id": "x" * 101})
        ]
        assert seen[0] == "a-1"
        assert len(set(seen)) == 4
        assert all(len(one) == 36 for one in seen[1:])
        assert [entry["request_id"] for entry in vendor.journal.read(0, 10)] == seen


async def test_a_limit_holds_while_a_fault_keeps_the_call_under_way() -> None:
    def front(vendor: Vendor, _door: object) -> Front:
        return Front(vendor.faults, limits=Limits(clock, concurrent=1))

    async with start_vendor(front) as vendor:
        vendor.fail(kind="slow", seconds=0.2)
        slow = asyncio.create_task(vendor.create())
        await asyncio.sleep(0.1)
        status, body, _ = await vendor.create()
        assert (status, body) == (429, {"error": "too many requests at a time", "limit": "concurrent"})
        assert (await slow)[0] == 201


async def test_rules_are_set_shown_and_cleared_all_or_none() -> None:
    async with start_vendor() as vendor:
        good = {"kind": "slow", "path": "/assets", "seconds": 0}
        status, body, _ = await vendor.call("POST", "/_faults", json=[good, {"kind": "slow", "count": -1}])
        assert (status, body) == (422, {"fault": {"text": "1.count: must be a whole number of at least 1"}})
        assert vendor.faults.rules == []
        await vendor.call("POST", "/_faults", json={"faults": [good]})
        await vendor.create()
        shown = {**good, "method": ".*", "count": 1, "calls": 1, "hits": 1}
        assert (await vendor.call("GET", "/_faults"))[1] == {"rules": [shown]}
        assert (await vendor.call("DELETE", "/_faults"))[1] == {"rules": []}
        for broken in (b"{", b"[" * 900):
            assert (await vendor.call("POST", "/_faults", data=broken))[0] in (400, 422)
        assert (await vendor.call("GET", "/_health"))[:2] == (200, {"status": "up"})


async def test_the_journal_is_read_in_pages() -> None:
    async with start_vendor() as vendor:
        for name in ("One", "Two", "Three"):
            await vendor.create(name)
        items = (await vendor.call("GET", "/_journal?after=1&limit=1"))[1]["items"]  # type: ignore[index]  # a page
        assert [(item["seq"], item["reference"]) for item in items] == [(2, "Two")]
        assert (await vendor.call("GET", "/_journal?after=x"))[0] == 400


async def test_the_sandboxs_own_routes_want_what_the_vendors_want() -> None:
    def front(vendor: Vendor, _door: object) -> Front:
        return Front(vendor.faults, header("X-Api-Key", "k"))

    async with start_vendor(front) as vendor:
        for path in ("/_faults", "/_journal"):
            assert (await vendor.call("GET", path))[0] == 401
            assert (await vendor.call("GET", path, headers={"X-Api-Key": "k"}))[0] == 200
            assert (await vendor.call("GET", path, headers={"X-Api-Key": "k", "Origin": "http://evil"}))[0] == 403
        assert (await vendor.call("GET", "/_health"))[0] == 200


class Transport:
    """A connection from this address."""

    def __init__(self, *peer: object) -> None:
        self.peer = peer

    def get_extra_info(self, _name: str) -> object:
        return self.peer


class Request:
    """No more of a request than is looked at."""

    def __init__(self, *peer: object) -> None:
        self.transport = Transport(*peer)
        self.headers: dict[str, str] = {}


@pytest.mark.parametrize("host", ["127.0.0.1", "127.8.9.1", "::1", "::ffff:127.0.0.1"])
def test_this_machine_is_let_in(host: str) -> None:
    require_loopback(Request(host, 5000))  # type: ignore[arg-type]  # all that it asks


@pytest.mark.parametrize("peer", [("10.0.0.5", 5000), ("::ffff:10.0.0.5", 5000), ("fe80::1", 5, 0, 3), ("",), ()])
def test_another_machine_is_not(peer: tuple[object, ...]) -> None:
    with pytest.raises(Refusal, match="loopback only"):
        require_loopback(Request(*peer))  # type: ignore[arg-type]  # as above


async def test_webhooks_are_lost_doubled_late_and_overtaken() -> None:
    received: list[str] = []

    async def hook(request: web.Request) -> web.Response:
        received.append(f"{request.headers['X-Sign']}{(await request.read()).decode()}")
        return web.Response()

    def rule(kind: str, secs: float = 30) -> Rule:
        [found] = read_script([{"kind": kind, "seconds": secs}], KINDS)
        return found

    async with start_vendor(None, web.post("/hook", hook)) as vendor:
        outbox = Outbox()
        await outbox.start()

        def send(name: str, fault: Rule | None = None) -> None:
            outbox.send([Webhook(vendor.url + "/hook", name.encode(), lambda: {"X-Sign": "s-"})], fault)

        send("overtaken", rule("reorder_webhook"))
        send("lost", rule("lose_webhook"))
        send("late", rule("late_webhook", 0.15))
        send("ahead")
        send("twice", rule("duplicate_webhook"))
        send("last", rule("reorder_webhook", 0.3))
        await asyncio.sleep(0.5)
        assert received == ["s-ahead", "s-twice", "s-twice", "s-overtaken", "s-late", "s-last"]
        send("never", rule("late_webhook", 0.1))
        await outbox.stop()
        await asyncio.sleep(0.2)
        assert len(received) == 6


def test_this_sandbox_plays_what_it_has_parts_for() -> None:
    assert {name for name, kind in KINDS.items() if kind.needs != "webhooks"} == PLAYABLE
    assert clock().tzinfo is dt.UTC
