"""A UNIO24-style asset management system to run against: HTTP on the outside, one SQLite file behind.

It plays the traps of real ones: second-precision timestamps, page caps that limit without a word, trimmed and cut
text, optimistic locking, webhooks that may not arrive, and on demand every fault of ``sandbox_faults``.
UNIO24 publishes no contract: paths and names here are this sandbox's own, met by deploy/local/unio24.profile.yaml.
"""

from __future__ import annotations

import asyncio
import hmac
import json
import os
import signal
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer
from aiohttp import web

from tieline.connectors.unio24 import sandbox_assets as assets
from tieline.connectors.unio24 import sandbox_audits as audits
from tieline.connectors.unio24 import sandbox_records as records
from tieline.connectors.unio24 import sandbox_work as work
from tieline.connectors.unio24.sandbox_assets import Answer, Call
from tieline.connectors.unio24.sandbox_checks import Refusal, checked, required, text
from tieline.connectors.unio24.sandbox_faults import Faults, Rule, read_rules
from tieline.connectors.unio24.sandbox_store import Change, Document, Store
from tieline.connectors.unio24.sandbox_webhooks import Messenger
from tieline.kernel.clock import Clock, utc_now

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

    async def answer(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """Authenticate, parse, fail on purpose if a rule says so, handle, commit, notify, answer."""
        self.require_token(request)
        body = await _read_body(request)
        call = Call(request.match_info, request.query, body, request.headers.get("If-Match"))
        rule = self.faults.strike(request.method, request.path, webhooks=False)
        before = await _fault_before(request, rule)
        if before is not None:
            return before
        answer = self._handle(request, handler, call, keep=rule is None or rule.kind != "drop_write")
        return await _fault_after(request, rule, answer)

    def require_token(self, request: web.Request) -> None:
        """Raises ``Refusal`` (401) without the right bearer token."""
        given = request.headers.get("Authorization", "").removeprefix("Bearer ")
        if not hmac.compare_digest(given.encode(), self.token.encode()):
            raise Refusal(401, "a bearer token is wanted")

    def _handle(self, request: web.Request, handler: Handler, call: Call, *, keep: bool) -> Answer:
        if request.method == "GET":
            return handler(self.store, call)
        with self.store.transaction() as transaction:
            transaction.keep = keep
            answer = handler(self.store, call)
        if handler in (subscribe, unsubscribe):
            self.messenger.reload()  # and nobody is told who else listens
        elif transaction.changes:
            self._notify(request, transaction.changes)
        return answer

    def _notify(self, request: web.Request, changes: list[Change]) -> None:
        rule = self.faults.strike(request.method, request.path, webhooks=True)
        kind = rule.kind if rule else ""
        copies = {"lose_webhook": 0, "duplicate_webhook": 2}.get(kind, 1)
        delay_secs = rule.seconds if rule and kind == "late_webhook" else 0
        self.messenger.enqueue(changes, copies=copies, delay_secs=delay_secs)


async def _read_body(request: web.Request) -> Document:
    if request.method in ("GET", "DELETE"):
        return {}
    try:
        body = json.loads(await request.read() or b"{}")
    except (ValueError, RecursionError):
        raise Refusal(400, "the body is not JSON") from None
    if not isinstance(body, dict):
        raise Refusal(400, "the body must be a JSON object")
    return body


async def _fault_before(request: web.Request, rule: Rule | None) -> web.StreamResponse | None:
    match rule.kind if rule else "":
        case "timeout_before":
            return await _no_answer(request, rule)
        case "error_500_before":
            return _json(500, {"error": "internal error"})
        case "error_503":
            return _json(503, {"error": "down for maintenance"})
        case "error_429" if rule:
            return _json(429, {"error": "too many requests"}, {"Retry-After": rule.retry_after})
        case _:
            return None


async def _fault_after(request: web.Request, rule: Rule | None, answer: Answer) -> web.StreamResponse:
    match rule.kind if rule else "":
        case "timeout_after_commit":
            return await _no_answer(request, rule)
        case "error_500_after_commit":
            return _json(500, {"error": "internal error"})
        case "cut_body":
            return await _cut(request, answer)
        case "slow" if rule:
            await asyncio.sleep(rule.seconds)
    return _json(answer.status, answer.body)


async def _no_answer(request: web.Request, rule: Rule | None) -> web.StreamResponse:
    await asyncio.sleep(rule.seconds if rule else 0)
    if request.transport is not None:
        request.transport.abort()
    return web.Response(status=500)


async def _cut(request: web.Request, answer: Answer) -> web.StreamResponse:
    if answer.body is None and request.transport is not None:
        request.transport.abort()  # without a body, the connection itself breaks off
        return web.Response(status=answer.status)
    body = json.dumps(answer.body).encode()
    response = web.StreamResponse(status=answer.status, headers={"Content-Type": "application/json"})
    response.content_length = len(body)
    await response.prepare(request)
    await response.write(body[: len(body) // 2])
    if request.transport is not None:
        request.transport.close()
    return response


def _json(status: int, body: object, headers: Mapping[str, str] | None = None) -> web.Response:
    if body is None:
        return web.Response(status=status, headers=headers)
    return web.Response(status=status, body=json.dumps(body).encode(), content_type="application/json", headers=headers)


def _admin(sandbox: Sandbox) -> list[web.RouteDef]:
    async def health(_request: web.Request) -> web.Response:
        return _json(200, {"status": "up"})

    async def faults(request: web.Request) -> web.Response:
        sandbox.require_token(request)
        if request.method == "POST":
            sandbox.faults.rules.extend(read_rules(json.loads(await request.read())))
        if request.method == "DELETE":
            sandbox.faults.rules.clear()
        return _json(200, {"rules": sandbox.faults.shown()})

    async def journal(request: web.Request) -> web.Response:
        sandbox.require_token(request)
        after, limit = int(request.query.get("after", "0")), int(request.query.get("limit", "1000"))
        return _json(200, {"items": sandbox.store.journal(after, min(limit, 10_000))})

    async def stats(request: web.Request) -> web.Response:
        sandbox.require_token(request)
        return _json(200, sandbox.store.stats())

    return [
        web.get("/_health", health),
        web.get("/_faults", faults),
        web.post("/_faults", faults),
        web.delete("/_faults", faults),
        web.get("/_journal", journal),
        web.get("/_stats", stats),
    ]


@web.middleware
async def _refusals(
    request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
) -> web.StreamResponse:
    try:
        return await handler(request)
    except Refusal as refusal:
        return _json(refusal.status, refusal.body)
    except web.HTTPException as error:
        return _json(error.status, {"error": error.reason})


def build(sandbox: Sandbox) -> web.Application:
    """The web application around one sandbox."""
    app = web.Application(middlewares=[_refusals], client_max_size=_BODY_LIMIT_BYTES)

    def bound(handler: Handler) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
        async def respond(request: web.Request) -> web.StreamResponse:
            return await sandbox.answer(request, handler)

        return respond

    app.add_routes([web.route(method, PREFIX + path, bound(handler)) for method, path, handler in routes()])
    app.add_routes(_admin(sandbox))
    return app


async def serve(
    host: str,
    port: int,
    database: Path,
    token: str,
    *,
    webhook_url: str | None = None,
    webhook_secret: str | None = None,
    ready: Callable[[int], None] | None = None,
    clock: Clock = utc_now,
) -> None:
    """Run until cancelled. Port 0 lets the system choose; ``ready`` is told the port once requests are answered."""
    store = Store(database, clock)
    try:
        if webhook_url is not None and webhook_secret is not None:
            with store.transaction():
                subscribe(store, Call({}, {}, {"url": webhook_url, "secret": webhook_secret}))
        messenger = Messenger(store)
        runner = web.AppRunner(build(Sandbox(store, messenger, Faults(), token)), access_log=None)
        await runner.setup()
        await messenger.start()
        try:
            site = web.TCPSite(runner, host, port, shutdown_timeout=1)
            await site.start()
            if ready is not None:
                ready(runner.addresses[0][1])
            await asyncio.Event().wait()
        finally:
            await messenger.stop()
            await runner.cleanup()
    finally:
        store.close()


def run(
    *,
    database: Annotated[Path, typer.Option(help="SQLite file; created when absent, kept between runs.")],
    port: Annotated[int, typer.Option(help="Port to listen on; 0 lets the system choose.")] = 8024,
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    token_variable: Annotated[
        str, typer.Option(help="Environment variable that holds the API token.")
    ] = "UNIO24_TOKEN",  # noqa: S107  - a variable's name, not a secret
    webhook_url: Annotated[str | None, typer.Option(help="Subscribe this URL to webhooks at the start.")] = None,
    webhook_secret_variable: Annotated[
        str, typer.Option(help="Environment variable that holds the secret of that subscription.")
    ] = "UNIO24_WEBHOOK_SECRET",  # noqa: S107  - a variable's name, not a secret
) -> None:
    """Run the UNIO24 sandbox until interrupted."""
    token = os.environ.get(token_variable)
    if not token:
        raise typer.BadParameter(f"environment variable {token_variable} is empty; put the API token there")
    secret = os.environ.get(webhook_secret_variable)
    if webhook_url and not secret:
        raise typer.BadParameter(f"environment variable {webhook_secret_variable} is empty; put the secret there")

    def ready(bound_port: int) -> None:
        typer.echo(f"unio24 sandbox on http://{host}:{bound_port}{PREFIX}")

    async def until_told() -> None:
        task = asyncio.ensure_future(
            serve(host, port, database, token, webhook_url=webhook_url, webhook_secret=secret, ready=ready)
        )
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)
        with suppress(asyncio.CancelledError):
            await task

    with suppress(KeyboardInterrupt):
        asyncio.run(until_told())


if __name__ == "__main__":
    typer.run(run)
