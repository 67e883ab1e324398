"""A vendor's sandbox on the kit, as an author writes one: assets in memory, errors in its own form."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import aiohttp
from aiohttp import web

from tieline.connectors.kit.sandboxing.admin import Admin
from tieline.connectors.kit.sandboxing.answers import Answer, Refusal, refusing
from tieline.connectors.kit.sandboxing.door import Door
from tieline.connectors.kit.sandboxing.faults import Faults
from tieline.connectors.kit.sandboxing.front import Asked, Front, Handle
from tieline.connectors.kit.sandboxing.journal import Effect, Journal
from tieline.connectors.kit.sandboxing.kinds import playable
from tieline.connectors.kit.sandboxing.records import Records
from tieline.connectors.kit.sandboxing.script import read_script

NOW = dt.datetime(2026, 11, 21, 12, tzinfo=dt.UTC)
PLAYABLE = playable("state", "history", "door", "sessions")
Document = Mapping[str, object]


def vendor_form(refusal: Refusal) -> Answer:
    """Throttling is a 400 with a code, everything else a fault under its own status."""
    if refusal.status == 429:
        return Answer(400, {"fault": {"code": "REQUEST_LIMIT_EXCEEDED"}}, refusal.headers)
    return Answer(refusal.status, {"fault": {"text": refusal.reason}}, refusal.headers)


def clock() -> dt.datetime:
    return NOW


@dataclass(slots=True)
class Vendor:
    """One sandbox that is served, and a caller of it."""

    journal: Journal = field(default_factory=lambda: Journal(clock))
    faults: Faults = field(default_factory=Faults)
    url: str = ""
    session: aiohttp.ClientSession | None = None
    records: Records = field(init=False)

    def __post_init__(self) -> None:
        self.records = Records(self.journal)

    def fail(self, **rule: object) -> None:
        self.faults.rules.extend(read_script([rule], PLAYABLE))

    async def create_asset(self, asked: Asked) -> Answer:
        name = json.loads(asked.body)["name"]
        if not name:
            raise Refusal(422, "name: is required")
        with self.records.transaction(keep=asked.keep) as change:
            number = len(self.records.rows("asset")) + 1
            row = {"id": number, "name": name}
            self.records.put("asset", number, row)
            change.note(Effect("created", "asset", number, name, asked.request_id))
        return Answer(201, row)

    async def list_assets(self, asked: Asked) -> Answer:
        return Answer(200, self.records.rows("asset", asked.age))

    async def call(self, method: str, path: str, **more: object) -> tuple[int, object, Mapping[str, str]]:
        """Status, JSON body (None without), headers."""
        assert self.session is not None
        async with self.session.request(method, self.url + path, **more) as got:  # type: ignore[arg-type]  # aiohttp checks
            text = await got.text()
            return got.status, json.loads(text) if text else None, got.headers

    async def create(self, name: str = "Pump", **more: object) -> tuple[int, object, Mapping[str, str]]:
        return await self.call("POST", "/assets", json={"name": name}, **more)


@asynccontextmanager
async def start_vendor(
    front: Callable[[Vendor, Door], Front] | None = None, *routes: web.RouteDef
) -> AsyncIterator[Vendor]:
    """The sandbox behind its door; ``front`` other than one that lets everybody in."""
    vendor, door = Vendor(), Door("127.0.0.1", 0)
    made = Front(vendor.faults, form=vendor_form, clock=clock, door=door) if front is None else front(vendor, door)

    def bound(handle: Handle) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
        async def respond(request: web.Request) -> web.StreamResponse:
            return await made.answer(request, handle)

        return respond

    app = web.Application(middlewares=[refusing(made.form)], client_max_size=1000)
    app.add_routes([web.post("/assets", bound(vendor.create_asset)), web.get("/assets", bound(vendor.list_assets))])
    app.add_routes(routes)
    app.add_routes(Admin(vendor.faults, PLAYABLE, vendor.journal.read, made.authenticate).routes())
    port = await door.open(app)
    vendor.url = f"http://127.0.0.1:{port}"
    connector = aiohttp.TCPConnector(force_close=True)  # nothing is repeated on a connection that was lost
    try:
        async with aiohttp.ClientSession(
            connector=connector, timeout=aiohttp.ClientTimeout(5), cookie_jar=aiohttp.CookieJar(unsafe=True)
        ) as vendor.session:
            yield vendor
    finally:
        await door.close()
