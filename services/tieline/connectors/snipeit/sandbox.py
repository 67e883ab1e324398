"""A Snipe-IT to run against, in memory, written from its public documentation and source of 2025 and 2026.

It plays its traps: errors with HTTP 200, 120 requests a minute, pages that are lowered to 500 without a word, archived
and deleted assets out of the plain list, equal times in no order, escaped text, amounts as text, dates as objects.
"""

from __future__ import annotations

import asyncio
import datetime as dt
import json
import os
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from email.utils import format_datetime
from pathlib import Path
from typing import Annotated

import typer
from aiohttp import web

from tieline.connectors.kit.sandboxing.admin import Admin
from tieline.connectors.kit.sandboxing.answers import Answer, Refusal, refusing
from tieline.connectors.kit.sandboxing.authentication import bearer
from tieline.connectors.kit.sandboxing.door import Door, run_until_told
from tieline.connectors.kit.sandboxing.faults import Faults
from tieline.connectors.kit.sandboxing.front import Asked, Front
from tieline.connectors.kit.sandboxing.journal import Journal
from tieline.connectors.kit.sandboxing.kinds import playable
from tieline.connectors.kit.sandboxing.limits import Limits
from tieline.connectors.kit.sandboxing.options import (
    FaultsOption,
    HostOption,
    JournalOption,
    PortOption,
    SeedOption,
    faults_of,
)
from tieline.connectors.kit.sandboxing.records import Change, Records
from tieline.connectors.kit.strict_json import JsonError, parse_json
from tieline.connectors.snipeit import sandbox_store as store
from tieline.connectors.snipeit.sandbox_shapes import Instance
from tieline.connectors.snipeit.sandbox_store import Call, Handler, Store
from tieline.kernel.clock import Clock, utc_now

PLAYABLE = playable("state", "history", "door")
PREFIX = "/api/v1"
PER_MINUTE = 120
_BODY_LIMIT_BYTES = 1_000_000


def routes() -> list[tuple[str, str, Handler]]:
    """Method, path below the prefix, handler."""
    return [
        ("GET", "/hardware", store.list_assets),
        ("POST", "/hardware", store.create_asset),
        ("GET", "/hardware/{id}", store.get_asset),
        ("PATCH", "/hardware/{id}", store.update_asset),
        ("PUT", "/hardware/{id}", store.update_asset),
        ("DELETE", "/hardware/{id}", store.delete_asset),
        ("POST", "/hardware/{id}/restore", store.restore_asset),
        ("POST", "/hardware/{id}/checkout", store.check_out),
        ("POST", "/hardware/{id}/checkin", store.check_in),
        ("POST", "/hardware/{id}/audit", store.audit_asset),
        ("GET", "/maintenances", store.list_maintenances),
        ("POST", "/maintenances", store.create_maintenance),
        ("GET", "/maintenances/{id}", store.get_maintenance),
        ("PATCH", "/maintenances/{id}", store.update_maintenance),
        ("GET", "/reports/activity", store.list_activity),
        ("GET", "/locations", store.lister("location")),
        ("POST", "/locations", store.creator("location")),
        ("GET", "/locations/{id}", store.getter("location")),
        ("GET", "/companies", store.lister("company")),
        ("POST", "/companies", store.creator("company")),
        ("GET", "/statuslabels", store.lister("statuslabel")),
        ("GET", "/models", store.lister("model")),
    ]


def form(refusal: Refusal) -> Answer:
    """The envelope that every refusal has, whatever its status."""
    if refusal.status == 401:  # noqa: PLR2004  - Laravel's own answer
        return Answer(401, {"message": "Unauthenticated."}, refusal.headers)
    said = {403: "You do not have permission to view this page", 404: "404 endpoint not found"}
    messages = refusal.more.get("messages", said.get(refusal.status, refusal.reason))
    if refusal.status == 429:  # noqa: PLR2004  - too many
        messages = "Too many requests"
    body = {"status": "error", "messages": messages, "payload": refusal.more.get("payload")}
    return Answer(refusal.status, body, refusal.headers)


@dataclass(frozen=True, slots=True)
class Sandbox:
    """The parts of one running sandbox."""

    store: Store
    journal: Journal
    faults: Faults
    token: str
    door: Door | None = None
    per_minute: int | None = PER_MINUTE
    seed: int | None = None

    def handle(self, handler: Handler, asked: Asked) -> Answer:
        """Parse, handle, commit."""
        request = asked.request
        call = Call(request.match_info, request.query, _parsed(asked.body), asked.request_id, asked.age)
        if request.method == "GET":
            return handler(self.store, call, Change())
        with self.store.records.transaction(keep=asked.keep) as change:
            return handler(self.store, call, change)

    def do(self, handler: Handler, body: Mapping[str, object], native_id: str = "") -> object:
        """Somebody at a screen does it; what the answer shows of it."""
        with self.store.records.transaction() as change:
            answer = handler(self.store, Call({"id": native_id}, {}, body), change)
        return answer.body["payload"] if isinstance(answer.body, dict) else None


def _parsed(body: bytes) -> Mapping[str, object]:
    try:
        document = parse_json(body or b"{}", max_bytes=_BODY_LIMIT_BYTES)
    except JsonError:
        raise Refusal(422, "The request is not valid JSON.") from None
    if not isinstance(document, dict):
        raise Refusal(422, "The request is not valid JSON.")
    return document


def open_sandbox(
    clock: Clock,
    *,
    token: str,
    faults: Faults | None = None,
    instance: Instance | None = None,
    per_minute: int | None = PER_MINUTE,
    journal: Path | None = None,
    door: Door | None = None,
    seed: int | None = None,
) -> Sandbox:
    """An instance as it is after its installation: labels, a few locations, two models."""
    kept = Journal(clock, journal)
    made = Store(Records(kept), clock, instance or Instance())
    return Sandbox(made, kept, faults or Faults(), token, door, per_minute, seed)


def build(sandbox: Sandbox) -> web.Application:
    """The web application around one sandbox."""
    limits = Limits(sandbox.store.clock, per_minute=sandbox.per_minute)

    def headers(_request: web.Request, account: str) -> Mapping[str, str]:
        said = {"Date": format_datetime(sandbox.store.clock().astimezone(dt.UTC), usegmt=True)}
        left = limits.left(account).get("minute")
        if left is not None:
            said |= {"X-RateLimit-Limit": str(sandbox.per_minute), "X-RateLimit-Remaining": str(left)}
        return said

    front = Front(
        sandbox.faults,
        bearer(sandbox.token),
        form,
        clock=sandbox.store.clock,
        limits=limits,
        door=sandbox.door,
        headers=headers,
    )
    app = web.Application(middlewares=[refusing(form)], client_max_size=_BODY_LIMIT_BYTES)

    def bound(handler: Handler) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
        async def handle(asked: Asked) -> Answer:
            return _whole_numbers(sandbox.handle(handler, asked))

        async def respond(request: web.Request) -> web.StreamResponse:
            return await front.answer(request, handle)

        return respond

    app.add_routes([web.route(method, PREFIX + path, bound(handler)) for method, path, handler in routes()])
    kinds = PLAYABLE if sandbox.door is not None else PLAYABLE - {"refuse_connection"}
    admin = Admin(sandbox.faults, kinds, sandbox.journal.read, front.authenticate, seed=sandbox.seed)
    app.add_routes(admin.routes())
    return app


def _whole_numbers(answer: Answer) -> Answer:
    """The answer as JSON; exact numbers that came in go out as text."""
    return Answer(answer.status, json.loads(json.dumps(answer.body, default=str)), answer.headers)


def run(
    *,
    port: PortOption = 8026,
    host: HostOption = "127.0.0.1",
    token_variable: Annotated[
        str, typer.Option(help="Environment variable that holds the API token.")
    ] = "SNIPEIT_TOKEN",  # noqa: S107  - a variable's name, not a secret
    per_minute: Annotated[int, typer.Option(help="Requests a minute.", min=1)] = PER_MINUTE,
    continental: Annotated[bool, typer.Option("--continental", help="Amounts as 1.234,56.")] = False,
    journal: JournalOption = None,
    faults: FaultsOption = None,
    seed: SeedOption = None,
) -> None:
    """Run the Snipe-IT sandbox until interrupted. What it holds is gone then.

    Its own routes are /_health and, on the loopback with the token, /_faults and /_journal.
    """
    token = os.environ.get(token_variable)
    if not token:
        raise typer.BadParameter(f"environment variable {token_variable} is empty; put the API token there")
    rules, door = faults_of(faults, seed, PLAYABLE), Door(host, port)
    sandbox = open_sandbox(
        utc_now,
        token=token,
        faults=rules,
        instance=Instance(is_continental=continental),
        per_minute=per_minute,
        journal=journal,
        door=door,
        seed=seed,
    )

    async def serving() -> None:
        bound_port = await door.open(build(sandbox))
        typer.echo(f"snipeit sandbox on http://{host}:{bound_port}{PREFIX}")
        try:
            await asyncio.Event().wait()
        finally:
            await door.close()

    run_until_told(serving)


if __name__ == "__main__":
    typer.run(run)
