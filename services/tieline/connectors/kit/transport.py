"""The transport of every connector's client: connections over aiohttp, and each request sent once.

aiohttp sends a GET, PUT or DELETE again by itself when its connection breaks (RFC 9110 section 9.2.2 lets it). Here it
must not: the governor counted one call, the fault is the loop's to judge, and a PUT sent again by nobody's decision
can put an older version over a newer one that came in between (Invariants 4 and 5).
"""

from __future__ import annotations

import asyncio

import aiohttp
import httpx
from httpx_aiohttp import AiohttpTransport

# Turns of the event loop until it knows that a connection is gone: its end read, its transport closed, its loss told.
_TURNS = 3


class ConnectionLost(aiohttp.ClientConnectionError):
    """The connection broke when the request may have been read; unlike aiohttp's own errors, never tried again."""


async def send_once(request: aiohttp.ClientRequest, handler: aiohttp.ClientHandlerType) -> aiohttp.ClientResponse:
    """A middleware of aiohttp's client. Raises ``ConnectionLost``; what never connected keeps its own error."""
    try:
        return await handler(request)
    except aiohttp.ClientConnectorError:
        raise
    except (aiohttp.ClientOSError, aiohttp.ServerDisconnectedError) as error:
        raise ConnectionLost(str(error)) from error


class OnceTransport(AiohttpTransport):
    """For ``httpx.AsyncClient(transport=…)``. Of its base's arguments: TLS, limits, and whose environment to trust."""

    def get_client(self) -> aiohttp.ClientSession:
        """The session of this transport; the base asks once, within the event loop."""
        connector = aiohttp.TCPConnector(
            limit=self.limits.max_connections or 0,
            keepalive_timeout=self.limits.keepalive_expiry,
            ssl=self.ssl_context,
        )
        return aiohttp.ClientSession(connector=connector, middlewares=(send_once,))

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """See its base. What the other side closed while our loop stood still is not taken for a connection."""
        for _ in range(_TURNS):
            await asyncio.sleep(0)
        return await super().handle_async_request(request)
