"""A reverse proxy that fails on purpose: any real system behind it, and the same fault scripts."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Annotated

import aiohttp
import typer
from aiohttp import web
from yarl import URL

from tieline.connectors.kit.sandboxing.admin import Admin
from tieline.connectors.kit.sandboxing.answers import Answer, Refusal, plain_form, refusing
from tieline.connectors.kit.sandboxing.authentication import nobody
from tieline.connectors.kit.sandboxing.door import Door, run_until_told
from tieline.connectors.kit.sandboxing.faults import Faults
from tieline.connectors.kit.sandboxing.front import Asked, Front
from tieline.connectors.kit.sandboxing.journal import Effect, Journal
from tieline.connectors.kit.sandboxing.kinds import playable
from tieline.connectors.kit.sandboxing.options import (
    FaultsOption,
    HostOption,
    JournalOption,
    PortOption,
    SeedOption,
    faults_of,
)
from tieline.connectors.kit.transport import send_once
from tieline.kernel.clock import utc_now

PREFIX = "/_tieline"
PLAYABLE = playable("door")
_BODY_LIMIT_BYTES = 64 * 1024 * 1024
_TIMEOUT_SECS = 900
# Of one connection, not of the message (RFC 9110 section 7.6.1), and the length, which each hop counts itself.
_HOP = frozenset(
    {
        *("connection", "content-length", "host", "keep-alive", "proxy-authenticate", "proxy-authorization"),
        *("proxy-connection", "te", "trailer", "transfer-encoding", "upgrade"),
    }
)


@dataclass(frozen=True, slots=True)
class Proxy:
    """Passes every request on to ``target``, a URL that may have a path, and witnesses what was answered."""

    target: str
    session: aiohttp.ClientSession
    journal: Journal

    async def forward(self, asked: Asked) -> Answer:
        """The real system's answer, read whole; raises ``Refusal`` without one (502), and for no path of ours (400)."""
        path = asked.request.raw_path
        if not path.startswith("/"):
            raise Refusal(400, "the request wants a path, not an address")
        url = URL(self.target.rstrip("/") + path, encoded=True)  # as the caller wrote it, to the letter
        headers = _end_to_end(asked.request.headers.items())
        try:
            async with self.session.request(
                asked.request.method, url, headers=headers, data=asked.body or None, allow_redirects=False
            ) as got:
                body = await _read(got)
        except (aiohttp.ClientError, TimeoutError) as error:
            raise Refusal(502, f"{self.target} does not answer: {error or type(error).__name__}") from None
        detail = {"status": got.status}
        self.journal.note(Effect(asked.request.method, asked.request.path, "", None, asked.request_id, detail))
        return Answer(got.status, body, _end_to_end(got.headers.items()))


async def _read(got: aiohttp.ClientResponse) -> bytes:
    parts, length = [], 0
    async for part in got.content.iter_any():
        parts.append(part)
        length += len(part)
        if length > _BODY_LIMIT_BYTES:
            raise Refusal(502, f"the answer is longer than {_BODY_LIMIT_BYTES} bytes")
    return b"".join(parts)


def _end_to_end(headers: Iterable[tuple[str, str]]) -> list[tuple[str, str]]:
    pairs = [(name, text) for name, text in headers]
    named = {word.strip().lower() for name, text in pairs if name.lower() == "connection" for word in text.split(",")}
    return [(name, text) for name, text in pairs if name.lower() not in _HOP | named]


@asynccontextmanager
async def open_proxy(target: str, faults: Faults, journal: Journal, door: Door, seed: int | None) -> AsyncIterator[int]:
    """A proxy that serves behind its door; gives its port."""
    # A connection for every request: one that the system closed meanwhile would look like its fault.
    connector = aiohttp.TCPConnector(force_close=True, limit=0)
    async with aiohttp.ClientSession(
        connector=connector,
        timeout=aiohttp.ClientTimeout(total=_TIMEOUT_SECS),
        cookie_jar=aiohttp.DummyCookieJar(),
        middlewares=(send_once,),
        auto_decompress=False,
        skip_auto_headers=("Accept", "Accept-Encoding", "Content-Type", "User-Agent"),
    ) as session:
        front, proxy = Front(faults, door=door), Proxy(target, session, journal)

        async def respond(request: web.Request) -> web.StreamResponse:
            return await front.answer(request, proxy.forward)

        app = web.Application(middlewares=[refusing(plain_form)], client_max_size=_BODY_LIMIT_BYTES)
        app.add_routes(Admin(faults, PLAYABLE, journal.read, nobody, prefix=PREFIX, seed=seed).routes())
        app.router.add_route("*", "/{path:.*}", respond)
        try:
            yield await door.open(app)
        finally:
            await door.close()


def run(
    *,
    to: Annotated[str, typer.Option(help="The real system: http://host:port, with a path if it has one.")],
    port: PortOption = 8099,
    host: HostOption = "127.0.0.1",
    faults: FaultsOption = None,
    seed: SeedOption = None,
    journal: JournalOption = None,
) -> None:
    """Stand before a real system and let calls to it fail, by a fault script, until interrupted.

    Its own routes are /_tieline/_faults and /_tieline/_journal, on the loopback; every other path is the system's.
    """
    target = URL(to)
    if target.scheme not in ("http", "https") or target.host is None or target.query_string or target.fragment:
        raise typer.BadParameter("wants an address such as http://127.0.0.1:8000", param_hint="--to")
    rules = faults_of(faults, seed, PLAYABLE)

    async def serving() -> None:
        with Journal(utc_now, journal) as kept:
            async with open_proxy(to, rules, kept, Door(host, port), seed) as bound_port:
                typer.echo(f"http://{host}:{bound_port} is {to} with {len(rules.rules)} rules of faults")
                await asyncio.Event().wait()

    run_until_told(serving)
