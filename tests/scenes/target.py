"""A target over HTTP that takes whatever it is sent, as often as it is sent, and notes it: the witness of effects.

PUT /{system}/{ref} {version, text, pid} takes effect at once, whatever is held; its answer comes ``latency_secs``
later. GET /{system}/{ref} says what is held. What stands in ``refused`` is answered 422.
"""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NamedTuple

from aiohttp import web


class Effect(NamedTuple):
    """One write as the target took it; ``at_secs`` is monotonic time."""

    system: str
    ref: str
    version: int
    text: str
    pid: int
    at_secs: float


class Target:
    """The journal, in the order of effects, and what is held. Any thread may read."""

    def __init__(self, latency_secs: float) -> None:
        self.latency_secs = latency_secs
        self.journal: list[Effect] = []
        self.refused: set[str] = set()
        self._held: dict[tuple[str, str], int] = {}

    async def put(self, request: web.Request) -> web.Response:
        """Take a write."""
        system, ref = request.match_info["system"], request.match_info["ref"]
        body = await request.json()
        if ref in self.refused:
            return web.json_response({"why": "unknown class"}, status=422)
        self.journal.append(Effect(system, ref, body["version"], body["text"], body["pid"], time.monotonic()))
        self._held[system, ref] = body["version"]
        await asyncio.sleep(self.latency_secs)
        return web.json_response({})

    async def get(self, request: web.Request) -> web.Response:
        """Say what is held; version 0 is nothing."""
        where = request.match_info["system"], request.match_info["ref"]
        await asyncio.sleep(self.latency_secs)
        return web.json_response({"version": self._held.get(where, 0)})


@contextmanager
def serve_target(latency_secs: float) -> Iterator[tuple[Target, str]]:
    """A target that answers, and its URL. It lives in a thread of its own."""
    target = Target(latency_secs)
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    app = web.Application()
    app.router.add_put("/{system}/{ref}", target.put)
    app.router.add_get("/{system}/{ref}", target.get)
    runner = web.AppRunner(app, access_log=None)

    async def open_site() -> int:
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0, shutdown_timeout=0.5).start()
        port: int = runner.addresses[0][1]
        return port

    try:
        port = asyncio.run_coroutine_threadsafe(open_site(), loop).result(30)
        yield target, f"http://127.0.0.1:{port}"
    finally:
        asyncio.run_coroutine_threadsafe(runner.cleanup(), loop).result(30)
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()
