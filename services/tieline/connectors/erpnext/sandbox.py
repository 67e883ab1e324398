"""An ERPNext to run against, in memory, written from the public source of Frappe and ERPNext of 2021 to 2026.

It plays their traps: twenty names unless more is asked for, lists without rows, docstatus and what it fixes, the time
of saving that must be sent back, errors in JSON in JSON, series that give a deleted last number again, amounts that go
through binary fractions, movements decided by their time, postings that do not save the schedule, webhooks that are
lost.
"""

from __future__ import annotations

import asyncio
import base64
import datetime as dt
import hashlib
import hmac
import json
import os
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from email.utils import format_datetime
from pathlib import Path
from typing import Annotated
from zoneinfo import ZoneInfo

import typer
from aiohttp import web

from tieline.connectors.erpnext.sandbox_assets import HOOKS, METHODS, seed
from tieline.connectors.erpnext.sandbox_store import KINDS, Store, refusal
from tieline.connectors.kit.sandboxing.admin import Admin
from tieline.connectors.kit.sandboxing.answers import Answer, Refusal, refusing
from tieline.connectors.kit.sandboxing.authentication import header
from tieline.connectors.kit.sandboxing.door import Door, run_until_told
from tieline.connectors.kit.sandboxing.faults import Faults, Sight
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
from tieline.connectors.kit.sandboxing.records import Change, Records
from tieline.connectors.kit.sandboxing.webhooks import Outbox, Webhook
from tieline.connectors.kit.strict_json import JsonError, dump_json, parse_json
from tieline.kernel.clock import Clock, utc_now

PLAYABLE = playable("state", "history", "door", "webhooks")
_BODY_LIMIT_BYTES = 5_000_000
_TYPES = {401: "AuthenticationError", 403: "PermissionError", 404: "DoesNotExistError", 429: "RateLimitExceededError"}
_TYPES |= {503: "SessionStopped"}


def form(refused: Refusal) -> Answer:
    """The framework's errors: the message once as text, once as JSON in JSON in JSON."""
    kind = str(refused.more.get("exc_type") or _TYPES.get(refused.status, "Exception"))
    said = json.dumps({"message": refused.reason, "title": "Message", "indicator": "red", "raise_exception": 1})
    body = {"exception": f"frappe.exceptions.{kind}: {refused.reason}", "exc_type": kind}
    return Answer(refused.status, {**body, "_server_messages": json.dumps([said])}, refused.headers)


@dataclass(frozen=True, slots=True)
class Sandbox:
    """The parts of one running sandbox."""

    store: Store
    journal: Journal
    faults: Faults
    token: str
    door: Door | None = None
    seed: int | None = None
    webhook: tuple[str, str] | None = None  # URL and secret
    outbox: Outbox = field(default_factory=Outbox)

    def handle(self, asked: Asked) -> Answer:
        """Parse, handle, commit, tell."""
        if asked.request.method == "GET":
            return _json_answer(200, {"data": self._read(asked)})
        self.store.request_id = asked.request_id
        self.store.told.clear()
        with self.store.records.transaction(keep=asked.keep) as change:
            answer = self._write(asked, change)
        if asked.keep:
            self._tell(asked.sight)
        return answer

    def do(self, act: Callable[[Change], object]) -> object:
        """Somebody at a screen does it."""
        self.store.request_id = None
        self.store.told.clear()
        with self.store.records.transaction() as change:
            found = act(change)
        self._tell(Sight("POST", "/desk"))
        return found

    def _read(self, asked: Asked) -> object:
        kind, name = (asked.request.match_info.get(key) for key in ("kind", "name"))
        if name is not None:
            return self.store.shown(self.store.present(str(kind), name, asked.age))
        return self.store.listed(str(kind), asked.request.query, asked.age)

    def _write(self, asked: Asked, change: Change) -> Answer:
        store, route, body = self.store, asked.request.match_info, _parsed(asked.body)
        if "method" in route:
            act = METHODS.get(route["method"])
            if act is None:
                raise refusal(417, "ValidationError", f"Failed to get method for command {route['method']}")
            act(store, dict(body), change)
            done = [json.dumps({"message": "done", "alert": 1})]
            return _json_answer(200, {"message": None, "_server_messages": json.dumps(done)})
        kind = route["kind"]
        if kind not in KINDS:
            raise refusal(404, "DoesNotExistError", f"DocType {kind} not found")
        if asked.request.method == "DELETE":
            store.delete(kind, route["name"], change)
            return _json_answer(202, {"message": "ok"})
        given = {key: value for key, value in body.items() if key not in ("doctype", "flags")}
        if asked.request.method == "POST":
            return _json_answer(200, {"data": store.shown(store.insert(kind, given, change))})
        return _json_answer(200, {"data": store.shown(store.update(kind, route["name"], given, change))})

    def _tell(self, sight: Sight) -> None:
        """One webhook for each change of a document, signed over its body; three tries really, one here."""
        if self.webhook is None or not self.store.told:
            return
        url, secret = self.webhook
        bodies = [json.dumps({"doctype": kind, "name": name}).encode() for kind, name in self.store.told]

        def signed(body: bytes) -> Webhook:
            signature = base64.b64encode(hmac.new(secret.encode(), body, hashlib.sha256).digest()).decode()
            return Webhook(url, body, lambda: {"X-Frappe-Webhook-Signature": signature})

        self.outbox.send([signed(body) for body in bodies], self.faults.strike(sight, "webhook"))


def _json_answer(status: int, document: object) -> Answer:
    return Answer(status, dump_json(document), {"Content-Type": "application/json"})


def _parsed(body: bytes) -> Mapping[str, object]:
    try:
        document = parse_json(body or b"{}", max_bytes=_BODY_LIMIT_BYTES)
    except JsonError:
        document = None
    if not isinstance(document, dict):
        raise refusal(417, "ValidationError", "The request is not a JSON object.")
    return document


def open_sandbox(
    clock: Clock,
    *,
    token: str,
    faults: Faults | None = None,
    zone: str = "UTC",
    is_unique: bool = True,
    has_doubles: bool = True,
    journal: Path | None = None,
    door: Door | None = None,
    seed_number: int | None = None,
    webhook: tuple[str, str] | None = None,
) -> Sandbox:
    """A site as it is set up; ``token`` is key and secret with a colon between."""
    kept = Journal(clock, journal)
    store = Store(Records(kept), clock, ZoneInfo(zone), HOOKS, is_unique, has_doubles)
    seed(store)
    return Sandbox(store, kept, faults or Faults(), token, door, seed_number, webhook)


def build(sandbox: Sandbox) -> web.Application:
    """The web application around one sandbox."""
    authenticate = header("Authorization", f"token {sandbox.token}")

    def dated(_request: web.Request, _account: str) -> Mapping[str, str]:
        return {"Date": format_datetime(sandbox.store.clock().astimezone(dt.UTC), usegmt=True)}

    front = Front(sandbox.faults, authenticate, form, clock=sandbox.store.clock, door=sandbox.door, headers=dated)
    app = web.Application(middlewares=[refusing(form)], client_max_size=_BODY_LIMIT_BYTES)

    async def handle(asked: Asked) -> Answer:
        return sandbox.handle(asked)

    async def respond(request: web.Request) -> web.StreamResponse:
        return await front.answer(request, handle)

    routes: list[tuple[str, str, Callable[[web.Request], Awaitable[web.StreamResponse]]]] = [
        ("GET", "/api/resource/{kind}", respond),
        ("POST", "/api/resource/{kind}", respond),
        ("GET", "/api/resource/{kind}/{name}", respond),
        ("PUT", "/api/resource/{kind}/{name}", respond),
        ("DELETE", "/api/resource/{kind}/{name}", respond),
        ("POST", "/api/method/{method}", respond),
    ]
    app.add_routes([web.route(method, path, handler) for method, path, handler in routes])
    kinds = PLAYABLE if sandbox.door is not None else PLAYABLE - {"refuse_connection"}
    app.add_routes(Admin(sandbox.faults, kinds, sandbox.journal.read, authenticate, seed=sandbox.seed).routes())
    if sandbox.webhook is not None:
        app.on_startup.append(lambda _app: sandbox.outbox.start())
        app.on_cleanup.append(lambda _app: sandbox.outbox.stop())
    return app


def run(
    *,
    port: PortOption = 8027,
    host: HostOption = "127.0.0.1",
    key_variable: Annotated[str, typer.Option(help="Environment variable that holds the API key.")] = "ERPNEXT_API_KEY",
    secret_variable: Annotated[
        str, typer.Option(help="Environment variable that holds the API secret.")
    ] = "ERPNEXT_API_SECRET",  # noqa: S107  - a variable's name, not a secret
    zone: Annotated[str, typer.Option(help="Time zone of the site.")] = "UTC",
    webhook_url: Annotated[str | None, typer.Option(help="Where webhooks go; none: nowhere.")] = None,
    journal: JournalOption = None,
    faults: FaultsOption = None,
    seed: SeedOption = None,
) -> None:
    """Run the ERPNext sandbox until interrupted. What it holds is gone then.

    Its own routes are /_health and, on the loopback with the token, /_faults and /_journal. Webhooks are signed with
    ERPNEXT_WEBHOOK_SECRET.
    """
    key, secret = os.environ.get(key_variable), os.environ.get(secret_variable)
    if not key or not secret:
        raise typer.BadParameter(f"environment variables {key_variable} and {secret_variable} hold the API key's parts")
    signing = os.environ.get("ERPNEXT_WEBHOOK_SECRET")
    if webhook_url and not signing:
        raise typer.BadParameter("environment variable ERPNEXT_WEBHOOK_SECRET is empty; webhooks are signed with it")
    rules, door = faults_of(faults, seed, PLAYABLE), Door(host, port)
    sandbox = open_sandbox(
        utc_now,
        token=f"{key}:{secret}",
        faults=rules,
        zone=zone,
        journal=journal,
        door=door,
        seed_number=seed,
        webhook=(webhook_url, signing) if webhook_url and signing else None,
    )

    async def serving() -> None:
        bound_port = await door.open(build(sandbox))
        typer.echo(f"erpnext sandbox on http://{host}:{bound_port}")
        try:
            await asyncio.Event().wait()
        finally:
            await door.close()

    run_until_told(serving)


if __name__ == "__main__":
    typer.run(run)
