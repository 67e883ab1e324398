"""The proxy: what passes through it unchanged, what fails at it, and its command line."""

from __future__ import annotations

import asyncio
import gzip
import json
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp
import pytest
from aiohttp import web
from tests.unit.connectors.kit.sandbox_parts import Vendor, clock, start_vendor
from typer.testing import CliRunner
from yarl import URL

from tieline.cli import app
from tieline.connectors.kit.sandboxing.door import Door
from tieline.connectors.kit.sandboxing.faults import Faults
from tieline.connectors.kit.sandboxing.journal import Journal
from tieline.connectors.kit.sandboxing.proxy import PLAYABLE, open_proxy
from tieline.connectors.kit.sandboxing.script import read_script


class Wire:
    """A proxy before a vendor, with a caller on each side."""

    def __init__(self, vendor: Vendor, session: aiohttp.ClientSession, faults: Faults, journal: Journal) -> None:
        self.vendor = vendor
        self.session = session
        self.faults = faults
        self.journal = journal

    def fail(self, **rule: object) -> None:
        self.faults.rules.extend(read_script([rule], PLAYABLE))

    async def create(self) -> int:
        async with self.session.post("/assets", json={"name": "Pump"}) as got:
            await got.read()
            return got.status

    def held(self) -> int:
        return len(self.vendor.records.rows("asset"))


@asynccontextmanager
async def start_wire(*routes: web.RouteDef, path: str = "") -> AsyncIterator[Wire]:
    faults, journal = Faults(), Journal(clock)
    async with (
        start_vendor(None, *routes) as vendor,
        open_proxy(vendor.url + path, faults, journal, Door("127.0.0.1", 0), None) as port,
        aiohttp.ClientSession(
            f"http://127.0.0.1:{port}", auto_decompress=False, cookie_jar=aiohttp.DummyCookieJar()
        ) as session,
    ):
        yield Wire(vendor, session, faults, journal)


async def test_requests_and_answers_pass_to_the_letter() -> None:
    seen: list[tuple[str, bytes, dict[str, str]]] = []
    packed = gzip.compress(b"packed")

    async def echo(request: web.Request) -> web.Response:
        seen.append((request.raw_path, await request.read(), dict(request.headers)))
        headers = [("Set-Cookie", "a=1"), ("Set-Cookie", "b=2"), ("Content-Encoding", "gzip"), ("Location", "/else")]
        return web.Response(status=303, body=packed, headers=[*headers, ("X-Request-Id", "theirs")])

    async with start_wire(web.route("PUT", "/erp/{any:.*}", echo), path="/erp/") as wire:
        path = "/as%2Fsets/%C3%BC?filter=a%20eq%20'x'&b=1%2B1&b"
        request = {"X-Own": "ö", "Content-Type": "text/x", "Connection": "close, X-Hop", "X-Hop": "1"}
        async with wire.session.put(
            URL(path, encoded=True), data=b"\x00\xff", headers=request, allow_redirects=False
        ) as got:
            assert (got.status, await got.read()) == (303, packed)
            assert got.headers.getall("Set-Cookie") == ["a=1", "b=2"]
            assert (got.headers["Location"], got.headers["X-Request-Id"]) == ("/else", "theirs")
        [(raw_path, body, headers)] = seen
        assert (raw_path, body) == ("/erp" + path, b"\x00\xff")
        assert (headers["X-Own"], headers["Content-Type"], headers["Host"]) == (
            *("ö", "text/x"),
            wire.vendor.url.removeprefix("http://"),
        )
        assert "X-Hop" not in headers


@pytest.mark.parametrize(
    ("kind", "outcome", "landed"),
    [
        ("timeout_before", aiohttp.ServerDisconnectedError, 0),
        ("timeout_after_commit", aiohttp.ServerDisconnectedError, 1),
        ("error_503", 503, 0),
        ("error_500_after_commit", 500, 1),
        ("cut_body", aiohttp.ClientPayloadError, 1),
        ("apply_twice", 201, 2),
        ("answer", 200, 0),
        ("refuse_connection", aiohttp.ServerDisconnectedError, 0),
    ],
)
async def test_a_real_system_fails_by_the_script(kind: str, outcome: int | type[Exception], landed: int) -> None:
    async with start_wire() as wire:
        wire.fail(kind=kind, body='"name": "Pump"', seconds=0)
        if isinstance(outcome, int):
            assert await wire.create() == outcome
        else:
            with pytest.raises(outcome):
                await wire.create()
        assert wire.held() == landed
        assert len(wire.journal.read(0, 10)) == landed


async def test_what_a_proxy_cannot_know_it_cannot_play() -> None:
    assert {"drop_write", "stale_read", "end_session", "lose_webhook"}.isdisjoint(PLAYABLE)
    async with start_wire() as wire, wire.session.post("/_tieline/_faults", json=[{"kind": "drop_write"}]) as got:
        assert got.status == 422
        assert (await got.json())["field"] == "0.kind"


async def test_its_own_routes_stand_apart_from_the_systems() -> None:
    async with start_wire() as wire:
        async with wire.session.get("/_faults") as got:
            assert (await got.json()) == {"rules": []}, "the system's own"
        async with wire.session.post("/_tieline/_faults", json=[{"kind": "error_503"}]) as got:
            assert got.status == 200
        assert [await wire.create(), await wire.create()] == [503, 201]
        async with wire.session.get("/_tieline/_journal?after=1") as got:
            [entry] = (await got.json())["items"]
    assert (entry["action"], entry["object"], entry["detail"]) == ("POST", "/assets", {"status": 201})


async def test_a_system_that_is_down_is_a_bad_gateway() -> None:
    async with start_wire() as wire:
        wire.vendor.fail(kind="refuse_connection", seconds=5)
        assert [await wire.create(), await wire.create()] == [502, 502]
        assert [rule.calls for rule in wire.vendor.faults.rules] == [1], "nothing is sent again"
        assert wire.journal.read(0, 10) == []


async def test_what_was_lost_on_the_way_back_is_not_sent_again() -> None:
    async with start_wire() as wire:
        seen = []
        for _ in range(2):
            async with wire.session.get("/assets") as got:
                seen.append(got.status)
            wire.vendor.fail(kind="timeout_after_commit", method="GET", seconds=0)
        assert seen == [200, 502]
        assert wire.vendor.faults.rules[0].calls == 1


@pytest.mark.parametrize("to", ["127.0.0.1:8000", "ftp://x", "http://", "http://x/?a=1"])
def test_an_address_that_is_none_is_refused(to: str) -> None:
    done = CliRunner().invoke(app, ["sandbox", "proxy", "--to", to])
    assert done.exit_code == 2
    assert "--to" in done.output


def test_a_wrong_script_is_refused_at_the_start(tmp_path: Path) -> None:
    script = tmp_path / "faults.yaml"
    script.write_text("faults: [{kind: slow, seconds: soon}]", encoding="utf-8")
    done = CliRunner().invoke(app, ["sandbox", "proxy", "--to", "http://x", "--faults", str(script)])
    assert done.exit_code == 2
    assert "faults.0.seconds" in done.output


async def test_the_command_serves_until_it_is_told(tmp_path: Path) -> None:
    script, journal = tmp_path / "faults.yaml", tmp_path / "journal.jsonl"
    script.write_text("[{kind: error_429, method: POST, retry_after: 9}]", encoding="utf-8")
    async with start_vendor() as vendor:
        command = (sys.executable, "-m", "tieline.cli", "sandbox", "proxy", "--to", vendor.url, "--port", "0")
        process = await asyncio.create_subprocess_exec(
            *command, "--faults", str(script), "--journal", str(journal), stdout=asyncio.subprocess.PIPE
        )
        try:
            assert process.stdout is not None
            url = (await process.stdout.readline()).decode().split()[0]
            async with aiohttp.ClientSession(url) as session:
                seen = []
                for _ in range(2):
                    async with session.post("/assets", json={"name": "Pump"}) as got:
                        seen.append((got.status, got.headers.get("Retry-After")))
            assert seen == [(429, "9"), (201, None)]
        finally:
            process.send_signal(signal.SIGTERM)
            assert await asyncio.wait_for(process.wait(), 10) == 0
    [entry] = [json.loads(line) for line in journal.read_text(encoding="utf-8").splitlines()]
    assert (entry["action"], entry["object"]) == ("POST", "/assets")
