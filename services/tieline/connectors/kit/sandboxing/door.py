"""The door: where a sandbox listens, and how it is served until somebody ends it."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Awaitable, Callable
from contextlib import suppress

from aiohttp import web


class Door:
    """One listening socket. ``shut`` breaks every connection off and refuses new ones for a while."""

    def __init__(self, host: str, port: int) -> None:
        self._host = host
        self._port = port
        self._runner: web.AppRunner | None = None
        self._site: web.TCPSite | None = None
        self._reopening: asyncio.Task[None] | None = None

    async def open(self, app: web.Application) -> int:
        """Serve the application. Returns the port: port 0 lets the system choose, once."""
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=1)
        await self._runner.setup()
        await self._listen()
        self._port = int(self._runner.addresses[0][1])
        return self._port

    async def close(self) -> None:
        """End serving."""
        if self._reopening is not None:
            self._reopening.cancel()
            await asyncio.gather(self._reopening, return_exceptions=True)
        if self._runner is not None:
            await self._runner.cleanup()

    async def shut(self, secs: float) -> None:
        """Nobody gets in for so long; a shut door stays shut as long as was said first."""
        if self._site is None or self._runner is None or self._runner.server is None:
            return
        site, self._site = self._site, None
        await site.stop()
        for connection in self._runner.server.connections:
            if connection.transport is not None:
                connection.transport.abort()
        self._reopening = asyncio.create_task(self._reopen(secs))

    async def _reopen(self, secs: float) -> None:
        await asyncio.sleep(secs)
        await self._listen()

    async def _listen(self) -> None:
        if self._runner is None:
            raise RuntimeError("a door is opened before it is shut")
        self._site = web.TCPSite(self._runner, self._host, self._port)
        await self._site.start()


def run_until_told(serving: Callable[[], Awaitable[None]]) -> None:
    """Run until it ends by itself, or SIGTERM or an interrupt cancels it."""

    async def until_told() -> None:
        task = asyncio.ensure_future(serving())
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)
        with suppress(asyncio.CancelledError):
            await task

    with suppress(KeyboardInterrupt):
        asyncio.run(until_told())
