"""A UNIO24-style asset management system to run against: HTTP on the outside, one SQLite file behind.

It plays the traps of real ones: second-precision timestamps, page caps that limit without a word, trimmed and cut
text, optimistic locking, webhooks that may not arrive, and on demand every fault of ``PLAYABLE``.
UNIO24 publishes no contract: paths and names here are this sandbox's own, met by deploy/local/unio24.profile.yaml.
"""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import Awaitable, Callable
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer
from aiohttp import web

from tieline.connectors.kit.sandboxing.admin import Admin
from tieline.connectors.kit.sandboxing.answers import Answer, Refusal, plain_form, refusing
from tieline.connectors.kit.sandboxing.authentication import bearer
from tieline.connectors.kit.sandboxing.door import Door, run_until_told
from tieline.connectors.kit.sandboxing.faults import Faults
from tieline.connectors.kit.sandboxing.front import Asked, Front
from tieline.connectors.kit.sandboxing.kinds import playable
from tieline.connectors.kit.sandboxing.options import FaultsOption, HostOption, PortOption, SeedOption, faults_of
from tieline.connectors.unio24 import sandbox_assets as assets
from tieline.connectors.unio24 import sandbox_audits as audits
from tieline.connectors.unio24 import sandbox_records as records
from tieline.connectors.unio24 import sandbox_work as work
from tieline.connectors.unio24.sandbox_assets import Call
from tieline.connectors.unio24.sandbox_checks import checked, required, text
from tieline.connectors.unio24.sandbox_store import Document, Store
from tieline.connectors.unio24.sandbox_webhooks import Messenger
from tieline.kernel.clock import Clock, utc_now

PLAYABLE = playable("state", "history", "door", "webhooks")
PREFIX = "/api/v1"
_BODY_LIMIT_BYTES = 4_000_000
Handler = Callable[[Store, Call], Answer]


def routes() -> list[tuple[str, str, Handler]]:
    """Method, path below the prefix, handler. A handler runs whole, inside one transaction if it may change."""
    return [
        ("GET", "/assets", assets.list_assets),
        ("POST", "/assets", assets.create_asset),
        ("GET", "/assets/{id}", assets.get_asset),
        ("PATCH", "/assets/{id}", assets.patch_asset),
        ("DELETE", "/assets/{id}", assets.delete_asset),
        ("POST", "/assets/{id}/check-out", assets.check_out),
        ("POST", "/assets/{id}/check-in", assets.check_in),
        ("POST", "/assets/{id}/condition-reports", assets.report_condition),
        ("GET", "/assets/{id}/history", assets.get_history),
        ("GET", "/assets/{id}/finance/{book}", assets.get_panel),
        ("PUT", "/assets/{id}/finance/{book}", assets.put_panel),
        ("GET", "/finance", assets.list_panels),
        ("GET", "/audits", audits.list_audits),
        ("POST", "/audits", audits.open_audit),
        ("GET", "/audits/{id}", audits.get_audit),
        ("POST", "/audits/{id}/scans", audits.scan),
        ("POST", "/audits/{id}/close", audits.close_audit),
        ("POST", "/work-orders", work.open_work_order),
        ("GET", "/work-orders/{id}", work.get_work_order),
        ("POST", "/work-orders/{id}/lines", work.add_cost_line),
        ("POST", "/work-orders/{id}/complete", work.complete_work_order),
        ("GET", "/cost-documents", work.list_cost_documents),
        ("GET", "/cost-documents/{id}", work.get_cost_document),
        ("POST", "/cost-documents/{id}/reverse", work.reverse_cost_document),
        ("GET", "/records/{collection}", records.list_records),
        ("POST", "/records/{collection}", records.create_record),
        ("GET", "/records/{collection}/{id}", records.get_record),
        ("PATCH", "/records/{collection}/{id}", records.patch_record),
        ("DELETE", "/records/{collection}/{id}", records.delete_record),
        ("GET", "/webhooks", list_subscriptions),
        ("POST", "/webhooks", subscribe),
        ("DELETE", "/webhooks/{id}", unsubscribe),
    ]


def list_subscriptions(store: Store, _call: Call) -> Answer:
    """GET /webhooks; secrets are never shown."""
    shown = [{name: s[name] for name in ("id", "url", "updated_at")} for s in store.find("subscription")]
    return Answer(200, {"items": shown})


def subscribe(store: Store, call: Call) -> Answer:
    """POST /webhooks {url, secret}; the same url again replaces its secret."""
    tidy = checked(call.body, {"url": text(500), "secret": text(200)})
    required(tidy, "url", "secret")
    known = store.find("subscription", url=tidy["url"])
    number = known[0]["id"] if known else store.next_id("subscription")
    record: Document = {"id": number, "updated_at": store.now(), **tidy}
    (store.update if known else store.insert)("subscription", record)
    store.note("subscribed", "subscription", int(str(number)), {"url": tidy["url"]})
    return Answer(200 if known else 201, {name: record[name] for name in ("id", "url", "updated_at")})


def unsubscribe(store: Store, call: Call) -> Answer:
    """DELETE /webhooks/{id}."""
    if store.get("subscription", call.number()) is None:
        raise Refusal(404, "no such subscription")
    store.delete("subscription", call.number())
    store.note("unsubscribed", "subscription", call.number(), {})
    return Answer(204, None)


@dataclass(frozen=True, slots=True)
class Sandbox:
    """The parts of one running sandbox."""

    store: Store
    messenger: Messenger
    faults: Faults
    token: str
    door: Door | None = None
    seed: int | None = None

    def handle(self, handler: Handler, asked: Asked) -> Answer:
        """Parse, handle, commit, notify. Raises ``Refusal``."""
        request = asked.request
        body = _parsed(asked.body) if request.method not in ("GET", "DELETE") else {}
        call = Call(request.match_info, request.query, body, request.headers.get("If-Match"))
        if request.method == "GET":
            with self.store.seen_at(asked.age) if asked.age is not None else nullcontext():
                return handler(self.store, call)
        with self.store.transaction(remember=self.faults.has("stale_read")) as transaction:
            transaction.keep, transaction.request_id = asked.keep, asked.request_id
            answer = handler(self.store, call)
        if handler in (subscribe, unsubscribe):
            self.messenger.reload()  # and nobody is told who else listens
        elif transaction.changes:
            self.messenger.tell(transaction.changes, self.faults.strike(asked.sight, "webhook"))
        return answer


def _parsed(body: bytes) -> Document:
    try:
        document = json.loads(body or b"{}")
    except (ValueError, RecursionError):
        raise Refusal(400, "the body is not JSON") from None
    if not isinstance(document, dict):
        raise Refusal(400, "the body must be a JSON object")
    return document


def build(sandbox: Sandbox) -> web.Application:
    """The web application around one sandbox."""
    front = Front(sandbox.faults, bearer(sandbox.token), door=sandbox.door)
    app = web.Application(middlewares=[refusing(plain_form)], client_max_size=_BODY_LIMIT_BYTES)

    def bound(handler: Handler) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
        async def handle(asked: Asked) -> Answer:
            return sandbox.handle(handler, asked)

        async def respond(request: web.Request) -> web.StreamResponse:
            return await front.answer(request, handle)

        return respond

    app.add_routes([web.route(method, PREFIX + path, bound(handler)) for method, path, handler in routes()])
    store = sandbox.store
    kinds = PLAYABLE if sandbox.door is not None else PLAYABLE - {"refuse_connection"}
    app.add_routes(
        Admin(sandbox.faults, kinds, store.journal, front.authenticate, store.stats, seed=sandbox.seed).routes()
    )
    return app


async def serve(
    host: str,
    port: int,
    database: Path,
    token: str,
    *,
    webhook_url: str | None = None,
    webhook_secret: str | None = None,
    faults: Faults | None = None,
    seed: int | None = None,
    ready: Callable[[int], None] | None = None,
    clock: Clock = utc_now,
) -> None:
    """Run until cancelled. Port 0 lets the system choose; ``ready`` is told the port once requests are answered."""
    store, door = Store(database, clock), Door(host, port)
    try:
        if webhook_url is not None and webhook_secret is not None:
            with store.transaction():
                subscribe(store, Call({}, {}, {"url": webhook_url, "secret": webhook_secret}))
        messenger = Messenger(store)
        await messenger.outbox.start()
        try:
            bound_port = await door.open(build(Sandbox(store, messenger, faults or Faults(), token, door, seed)))
            if ready is not None:
                ready(bound_port)
            await asyncio.Event().wait()
        finally:
            await messenger.outbox.stop()
            await door.close()
    finally:
        store.close()


def run(
    *,
    database: Annotated[Path, typer.Option(help="SQLite file; created when absent, kept between runs.")],
    port: PortOption = 8024,
    host: HostOption = "127.0.0.1",
    token_variable: Annotated[
        str, typer.Option(help="Environment variable that holds the API token.")
    ] = "UNIO24_TOKEN",  # noqa: S107  - a variable's name, not a secret
    webhook_url: Annotated[str | None, typer.Option(help="Subscribe this URL to webhooks at the start.")] = None,
    webhook_secret_variable: Annotated[
        str, typer.Option(help="Environment variable that holds the secret of that subscription.")
    ] = "UNIO24_WEBHOOK_SECRET",  # noqa: S107  - a variable's name, not a secret
    faults: FaultsOption = None,
    seed: SeedOption = None,
) -> None:
    """Run the UNIO24 sandbox until interrupted.

    Its own routes are /_health and, on the loopback with the token, /_faults, /_journal and /_stats.
    """
    token = os.environ.get(token_variable)
    if not token:
        raise typer.BadParameter(f"environment variable {token_variable} is empty; put the API token there")
    secret = os.environ.get(webhook_secret_variable)
    if webhook_url and not secret:
        raise typer.BadParameter(f"environment variable {webhook_secret_variable} is empty; put the secret there")

    def ready(bound_port: int) -> None:
        typer.echo(f"unio24 sandbox on http://{host}:{bound_port}{PREFIX}")

    rules = faults_of(faults, seed, PLAYABLE)
    run_until_told(
        lambda: serve(
            *(host, port, database, token),
            webhook_url=webhook_url,
            webhook_secret=secret,
            faults=rules,
            seed=seed,
            ready=ready,
        )
    )


if __name__ == "__main__":
    typer.run(run)
