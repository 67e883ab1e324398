"""A NetBox to run against, in memory, written from its public documentation and source of 4.0 to 4.7.

It plays its traps: pages lowered to MAX_PAGE_SIZE and unknown filters passed over without a word, weak ETags, lists
written all or none, racks that hold a device at their site, decimals kept as binary fractions, webhooks once or never.
"""

from __future__ import annotations

import asyncio
import datetime as dt
import hmac
import json
import os
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from email.utils import format_datetime
from pathlib import Path
from typing import Annotated
from urllib.parse import urlencode

import typer
from aiohttp import web
from multidict import MultiDict

from tieline.connectors.kit.sandboxing.admin import Admin
from tieline.connectors.kit.sandboxing.answers import Answer, Refusal, refusing
from tieline.connectors.kit.sandboxing.authentication import Authenticate
from tieline.connectors.kit.sandboxing.door import Door, run_until_told
from tieline.connectors.kit.sandboxing.faults import Faults, Rule, Sight
from tieline.connectors.kit.sandboxing.front import Asked, Front
from tieline.connectors.kit.sandboxing.journal import Journal
from tieline.connectors.kit.sandboxing.kinds import playable
from tieline.connectors.kit.sandboxing.options import (
    FaultsOption,
    HostOption,
    JournalOption,
    PortOption,
    SeedOption,
    faults_of,
)
from tieline.connectors.kit.sandboxing.records import Change, Records, Row
from tieline.connectors.kit.sandboxing.webhooks import Outbox, Webhook
from tieline.connectors.kit.strict_json import JsonError, parse_json
from tieline.connectors.netbox import sandbox_store as store_of
from tieline.connectors.netbox.sandbox_store import Call, Instance, Store, invalid, shown
from tieline.kernel.clock import Clock, utc_now

PLAYABLE = playable("state", "history", "door", "webhooks")
_BODY_LIMIT_BYTES = 1_000_000
_PAGE = 50
_SCREEN = Sight("POST", "/screen")
Handler = Callable[[Store, Call, Change], Answer]


def routes(instance: Instance) -> list[tuple[str, str, Handler]]:
    """Method, path below ``/api``, handler. Every path ends with a slash."""
    found: list[tuple[str, str, Handler]] = [
        ("GET", f"/{instance.log_app}/object-changes/", lister("objectchange")),
        ("POST", "/dcim/devices/", create_device),
        ("PATCH", "/dcim/devices/", update_devices),
        ("PATCH", "/dcim/devices/{id}/", update_device),
        ("PUT", "/dcim/devices/{id}/", update_device),
        ("DELETE", "/dcim/devices/{id}/", delete_device),
    ]
    for table, path in store_of.PATHS.items():
        found += [("GET", f"/{path}/", lister(table)), ("GET", f"/{path}/{{id}}/", getter(table))]
    for table in ("site", "location"):
        path = store_of.PATHS[table]
        found += [("POST", f"/{path}/", creator(table)), ("PATCH", f"/{path}/{{id}}/", updater(table))]
        found += [("DELETE", f"/{path}/{{id}}/", deleter(table))]
    return found


# ---- handlers ----------------------------------------------------------------------------------------------------


def lister(table: str) -> Handler:
    """GET of a list, by offset, or from a primary key on."""

    def handle(store: Store, call: Call, _change: Change) -> Answer:
        rows = store_of.selected(store, table, call)
        most = store.instance.max_page_size
        size = min(_number(call, "limit", _PAGE) or most, most)  # above the most: the most, without a word
        offset, by_key = _number(call, "offset", 0), "start" in call.query
        if by_key and {"offset", "ordering"} & set(call.query):
            raise Refusal(400, "'start' goes with neither 'offset' nor 'ordering'.")
        if by_key:
            rows = sorted(_from(rows, _number(call, "start", 0)), key=_key)
        page = rows[offset : offset + size]
        goes_on = offset + size < len(rows)
        after = {"start": str(_key(page[-1]) + 1)} if by_key and page else {"offset": str(offset + size)}
        following = _url(call, {**after, "limit": str(size)}) if goes_on else None
        results = [shown(store, table, row, call) for row in page]
        return Answer(200, {"count": None if by_key else len(rows), "next": following, "results": results})

    return handle


def _key(row: Row) -> int:
    return int(str(row["id"]))


def _from(rows: Sequence[Row], start: int) -> list[Row]:
    return [row for row in rows if _key(row) >= start]


def _url(call: Call, changed: Mapping[str, str]) -> str:
    query = MultiDict(call.query)
    query.update(changed)
    return f"{call.url}?{urlencode(list(query.items()))}"


def _number(call: Call, name: str, default: int) -> int:
    text = call.query.get(name, "")
    return int(text) if text.isascii() and text.isdigit() and len(text) < 12 else default  # noqa: PLR2004  - beyond any


def getter(table: str) -> Handler:
    """GET of one record."""
    return lambda store, call, _change: _answer(store, 200, table, store.present(table, call), call)


def create_device(store: Store, call: Call, change: Change) -> Answer:
    """POST of one device."""
    row = store.save("device", store_of.checked_device(store, _object(call.body), None), None, call, change)
    return _answer(store, 201, "device", row, call)


def update_device(store: Store, call: Call, change: Change) -> Answer:
    """PATCH or PUT of one device; its time of change moves even where nothing else does."""
    held = store.present("device", call)
    _check_etag(store, held, call)
    row = store.save("device", store_of.checked_device(store, _object(call.body), held), held, call, change)
    return _answer(store, 200, "device", row, call)


def update_devices(store: Store, call: Call, change: Change) -> Answer:
    """PATCH of a list: all of them or none."""
    bodies = [_object(one) for one in call.body] if isinstance(call.body, list) else []
    faults: list[dict[str, object]] = []
    for body in bodies:
        held = store.find("device", body.get("id"))
        try:
            if held is not None:
                store.save("device", store_of.checked_device(store, body, held), held, call, change)
        except Refusal as refusal:
            faults.append({"id": body["id"], "errors": refusal.more.get("errors")})
    if faults:
        detail = f"{len(faults)} of {len(bodies)} objects failed validation."
        raise Refusal(400, detail, errors={"detail": detail, "errors": faults})
    rows = [row for body in bodies if (row := store.find("device", body.get("id"))) is not None]
    return Answer(200, [shown(store, "device", row, call) for row in rows])


def delete_device(store: Store, call: Call, change: Change) -> Answer:
    """DELETE of one device."""
    held = store.present("device", call)
    _check_etag(store, held, call)
    store.remove("device", held, call, change)
    return Answer(204)


def creator(table: str) -> Handler:
    """POST of a site or location."""

    def handle(store: Store, call: Call, change: Change) -> Answer:
        body = _object(call.body)
        needed = ("name", "slug", *(("site",) if table == "location" else ()))
        missing = {name: "This field is required." for name in needed if not body.get(name)}
        if missing:
            raise invalid(**missing)
        row = {**({"parent": None} if table == "location" else {}), "status": "active", **body}
        return _answer(store, 201, table, store.save(table, row, None, call, change), call)

    return handle


def updater(table: str) -> Handler:
    """PATCH of a site or location."""

    def handle(store: Store, call: Call, change: Change) -> Answer:
        held = store.present(table, call)
        return _answer(store, 200, table, store.save(table, {**held, **_object(call.body)}, held, call, change), call)

    return handle


def deleter(table: str) -> Handler:
    """DELETE of a site or location; not while devices are there."""

    def handle(store: Store, call: Call, change: Change) -> Answer:
        held = store.present(table, call)
        there = [row for row in store.records.rows("device") if row[table] == held["id"]]
        if there:
            raise Refusal(409, f"Unable to delete object. {len(there)} dependent objects were found")
        store.remove(table, held, call, change)
        return Answer(204)

    return handle


def _answer(store: Store, status: int, table: str, row: Row, call: Call) -> Answer:
    headers = {"ETag": etag_of(row)} if store.instance.has_etags else {}
    return Answer(status, shown(store, table, row, call), headers)


def etag_of(row: Row) -> str:
    """Weak: the time of change."""
    at = row["last_updated"]
    return f'W/"{at.astimezone(dt.UTC).isoformat() if isinstance(at, dt.datetime) else at}"'


def _check_etag(store: Store, held: Row, call: Call) -> None:
    wanted = call.headers.get("If-Match", "*")
    if store.instance.has_etags and wanted != "*" and etag_of(held) not in [one.strip() for one in wanted.split(",")]:
        raise Refusal(412, "Precondition failed.", headers={"ETag": etag_of(held)})


def _object(body: object) -> Mapping[str, object]:
    if not isinstance(body, Mapping):
        raise invalid(non_field_errors="Invalid data. Expected a dictionary.")
    return body


# ---- the application ---------------------------------------------------------------------------------------------


def form(refusal: Refusal) -> Answer:
    """As Django REST framework says no; what Django says no to itself, is a page."""
    if refusal.status == 404 and refusal.reason == "Not Found":  # noqa: PLR2004  - no such path
        return Answer(404, b"<html><h1>Page Not Found</h1></html>", {"Content-Type": "text/html"})
    if refusal.status >= 500:  # noqa: PLR2004  - server errors
        error = {"error": refusal.reason, "exception": "OperationalError", "netbox_version": "4.7.0"}
        return Answer(refusal.status, error, refusal.headers)
    return Answer(refusal.status, refusal.more.get("errors", {"detail": refusal.reason}), refusal.headers)


def authenticated(token: str) -> Authenticate:
    """``Bearer nbt_<key>.<token>`` (v2) or ``Token <token>`` (v1); a caller without one is told 403, not 401."""
    wanted = f"{'Bearer' if token.startswith('nbt_') else 'Token'} {token}"

    def check(request: web.Request) -> str:
        given = request.headers.get("Authorization")
        if given is None:
            raise Refusal(403, "Authentication credentials were not provided.")
        if not hmac.compare_digest(given.encode(), wanted.encode()):
            raise Refusal(403, "Invalid token")
        return "token"

    return check


@dataclass(frozen=True, slots=True)
class Sandbox:
    """The parts of one running sandbox."""

    store: Store
    journal: Journal
    faults: Faults
    token: str
    outbox: Outbox
    webhook_url: str | None = None
    webhook_secret: str = ""
    door: Door | None = None
    seed: int | None = None

    def handle(self, handler: Handler, asked: Asked) -> Answer:
        """Parse, handle, commit, tell."""
        request = asked.request
        url = str(request.url.with_query(None))
        body = _parsed(asked.body)
        base, ids = str(request.url.origin()), request.match_info
        call = Call(ids, request.query, body, request.headers, base, url, asked.request_id, asked.age)
        if request.method == "GET":
            return handler(self.store, call, Change())
        self.store.happened.clear()
        with self.store.records.transaction(keep=asked.keep) as change:
            answer = handler(self.store, call, change)
        if asked.keep:
            self._tell(self.faults.strike(asked.sight, "webhook") if self.webhook_url else None)
        return answer

    def do(self, handler: Handler, body: object, native_id: str = "") -> Mapping[str, object]:
        """Somebody at a screen does it; what the answer shows of it."""
        self.store.happened.clear()
        with self.store.records.transaction() as change:
            answer = handler(self.store, Call({"id": native_id}, MultiDict(), body), change)
        self._tell(self.faults.strike(_SCREEN, "webhook") if self.webhook_url else None)
        return answer.body if isinstance(answer.body, Mapping) else {}

    def _tell(self, rule: Rule | None) -> None:
        if self.webhook_url is None:
            return
        at = self.store.clock().isoformat()
        events = [
            {"event": one.event, "timestamp": at, "object_type": f"dcim.{one.table}", "model": one.table}
            | {"username": "alovelace", "data": one.data, "snapshots": {}}
            for one in self.store.happened
        ]
        self.outbox.send([self._webhook(self.webhook_url, json.dumps(event).encode()) for event in events], rule)

    def _webhook(self, url: str, body: bytes) -> Webhook:
        signature = hmac.new(self.webhook_secret.encode(), body, "sha512").hexdigest()
        return Webhook(url, body, lambda: {"X-Hook-Signature": signature})


def _parsed(body: bytes) -> object:
    try:
        return parse_json(body or b"{}", max_bytes=_BODY_LIMIT_BYTES)
    except JsonError as error:
        raise Refusal(400, f"JSON parse error - {error}") from None


def open_sandbox(
    clock: Clock,
    *,
    token: str,
    faults: Faults | None = None,
    instance: Instance | None = None,
    journal: Path | None = None,
    door: Door | None = None,
    seed: int | None = None,
    webhook: tuple[str, str] | None = None,
) -> Sandbox:
    """An instance with two sites, a few locations and racks, tenants, device types and roles.

    ``webhook`` is the URL and the secret of an event rule for everything; without it none are sent.
    """
    kept = Journal(clock, journal)
    store = Store(Records(kept), clock, instance or Instance())
    url, secret = webhook or (None, "")
    return Sandbox(store, kept, faults or Faults(), token, Outbox(), url, secret, door, seed)


def build(sandbox: Sandbox) -> web.Application:
    """The web application around one sandbox."""

    def headers(_request: web.Request, _account: str) -> Mapping[str, str]:
        said = {"Date": format_datetime(sandbox.store.clock().astimezone(dt.UTC), usegmt=True)}
        return {**said, "API-Version": "4.7", "Vary": "Accept"}

    authenticate, clock = authenticated(sandbox.token), sandbox.store.clock
    front = Front(sandbox.faults, authenticate, form, clock=clock, door=sandbox.door, headers=headers)
    app = web.Application(middlewares=[refusing(form)], client_max_size=_BODY_LIMIT_BYTES)

    def bound(handler: Handler) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
        async def handle(asked: Asked) -> Answer:
            return sandbox.handle(handler, asked)

        async def respond(request: web.Request) -> web.StreamResponse:
            return await front.answer(request, handle)

        return respond

    async def sending(_app: web.Application) -> AsyncIterator[None]:
        await sandbox.outbox.start()
        yield
        await sandbox.outbox.stop()

    if sandbox.webhook_url is not None:
        app.cleanup_ctx.append(sending)
    for method, path, handler in routes(sandbox.store.instance):
        app.router.add_route(method, "/api" + path, bound(handler))
    kinds = PLAYABLE if sandbox.door is not None else PLAYABLE - {"refuse_connection"}
    admin = Admin(sandbox.faults, kinds, sandbox.journal.read, front.authenticate, seed=sandbox.seed)
    app.add_routes(admin.routes())
    return app


def run(
    *,
    port: PortOption = 8027,
    host: HostOption = "127.0.0.1",
    token_variable: Annotated[
        str, typer.Option(help="Environment variable that holds the API token.")
    ] = "NETBOX_TOKEN",  # noqa: S107  - a variable's name, not a secret
    without_etags: Annotated[bool, typer.Option("--without-etags", help="As before version 4.6.")] = False,
    webhook_url: Annotated[str | None, typer.Option(help="Send webhooks of every change to this URL.")] = None,
    webhook_secret_variable: Annotated[
        str, typer.Option(help="Environment variable that holds the webhooks' secret.")
    ] = "NETBOX_WEBHOOK_SECRET",  # noqa: S107  - a variable's name, not a secret
    journal: JournalOption = None,
    faults: FaultsOption = None,
    seed: SeedOption = None,
) -> None:
    """Run the NetBox sandbox until interrupted. What it holds is gone then.

    Its own routes are /_health and, on the loopback with the token, /_faults and /_journal.
    """
    token, secret = os.environ.get(token_variable), os.environ.get(webhook_secret_variable)
    if not token:
        raise typer.BadParameter(f"environment variable {token_variable} is empty; put the API token there")
    if webhook_url and not secret:
        raise typer.BadParameter(f"environment variable {webhook_secret_variable} is empty; put the secret there")
    rules, door = faults_of(faults, seed, PLAYABLE), Door(host, port)
    sandbox = open_sandbox(
        utc_now,
        token=token,
        faults=rules,
        instance=Instance(has_etags=not without_etags),
        journal=journal,
        door=door,
        seed=seed,
        webhook=(webhook_url, secret) if webhook_url and secret else None,
    )

    async def serving() -> None:
        bound_port = await door.open(build(sandbox))
        typer.echo(f"netbox sandbox on http://{host}:{bound_port}/api/")
        try:
            await asyncio.Event().wait()
        finally:
            await door.close()

    run_until_told(serving)


if __name__ == "__main__":
    typer.run(run)
