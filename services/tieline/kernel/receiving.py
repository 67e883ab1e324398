"""Webhooks in: a small HTTP server in a thread of its own that only notes which records to read.

It answers 202 as soon as the note is queued; when the queue is full it answers 503 and the catch-up poll finds the
records (nothing depends on a webhook).
"""

from __future__ import annotations

import asyncio
import queue
import threading

from aiohttp import web

from tieline.kernel.errors import Rejected, Stop
from tieline.kernel.protocols import Webhook
from tieline.kernel.telemetry import Log

MAX_BODY_BYTES = 1_000_000


class WebhookServer:
    """Receives one system's webhooks on ``host``:``webhook.port``."""

    def __init__(
        self, webhook: Webhook, found: queue.Queue[tuple[str, str]], log: Log, *, host: str = "127.0.0.1"
    ) -> None:
        self._webhook = webhook
        self._found = found
        self._log = log
        self._host = host
        self._loop = asyncio.new_event_loop()
        self._runner: web.AppRunner | None = None
        self._thread = threading.Thread(target=self._loop.run_forever, name="webhooks", daemon=True)

    def start(self) -> None:
        """Bind and serve. Raises ``Stop`` if the port is taken."""
        self._thread.start()
        try:
            asyncio.run_coroutine_threadsafe(self._serve(), self._loop).result(10)
        except OSError as error:
            raise Stop(f"webhooks: port {self._webhook.port} cannot be used: {error.strerror or error}") from error

    def close(self) -> None:
        """Stop serving."""
        if self._thread.is_alive():
            if self._runner is not None:
                asyncio.run_coroutine_threadsafe(self._runner.cleanup(), self._loop).result(10)
            self._loop.call_soon_threadsafe(self._loop.stop)
            self._thread.join(10)
        self._loop.close()

    async def _serve(self) -> None:
        app = web.Application(client_max_size=MAX_BODY_BYTES)
        app.router.add_post(self._webhook.path, self._receive)
        self._runner = web.AppRunner(app, access_log=None)
        await self._runner.setup()
        await web.TCPSite(self._runner, self._host, self._webhook.port).start()

    async def _receive(self, request: web.Request) -> web.Response:
        body = await request.read()
        try:
            for where in self._webhook.parse(request.headers, body):
                self._found.put_nowait(where)
        except Rejected as rejection:
            self._log.warning("webhook-refused", reason=str(rejection)[:300])
            return web.Response(status=401 if "signature" in rejection.reason else 400)
        except queue.Full:
            return web.Response(status=503, headers={"Retry-After": "30"})
        return web.Response(status=202)
