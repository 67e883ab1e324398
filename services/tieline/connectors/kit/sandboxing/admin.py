"""A sandbox's own routes, beside the vendor's: its health, its faults, its journal, its sums."""

from __future__ import annotations

import ipaddress
import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from aiohttp import web

from tieline.connectors.kit.sandboxing.answers import Answer, Refusal, response
from tieline.connectors.kit.sandboxing.authentication import Authenticate
from tieline.connectors.kit.sandboxing.faults import Faults
from tieline.connectors.kit.sandboxing.journal import asked_page
from tieline.connectors.kit.sandboxing.script import read_script
from tieline.kernel.errors import Rejected


@dataclass(frozen=True, slots=True)
class Admin:
    """What the routes are about. ``read_journal`` takes (after, limit); ``playable`` are the kinds that can be set."""

    faults: Faults
    playable: frozenset[str]
    read_journal: Callable[[int, int], list[dict[str, object]]]
    authenticate: Authenticate
    stats: Callable[[], object] | None = None
    prefix: str = ""
    seed: int | None = None

    def routes(self) -> list[web.RouteDef]:
        """GET ``/_health`` for everybody; from this machine GET, POST and DELETE ``/_faults``, GET ``/_journal``.

        ``/_stats`` where there are any. POST adds rules to those in force, all of them or, with a 422, none.
        """
        own = [
            web.get(f"{self.prefix}/_faults", self._guarded(self._faults)),
            web.post(f"{self.prefix}/_faults", self._guarded(self._faults)),
            web.delete(f"{self.prefix}/_faults", self._guarded(self._faults)),
            web.get(f"{self.prefix}/_journal", self._guarded(self._journal)),
        ]
        if self.stats is not None:
            own.append(web.get(f"{self.prefix}/_stats", self._guarded(self._stats)))
        return [web.get(f"{self.prefix}/_health", _health), *own]

    def _guarded(
        self, handle: Callable[[web.Request], Awaitable[Answer]]
    ) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
        async def respond(request: web.Request) -> web.StreamResponse:
            require_loopback(request)
            self.authenticate(request)
            return response(await handle(request))

        return respond

    async def _faults(self, request: web.Request) -> Answer:
        if request.method == "POST":
            try:
                script = json.loads(await request.read())
                self.faults.rules.extend(read_script(script, self.playable, self.seed))
            except Rejected as rejected:
                raise Refusal(422, str(rejected), field=rejected.field) from None
            except (ValueError, RecursionError):
                raise Refusal(400, "the body is not JSON") from None
        if request.method == "DELETE":
            self.faults.rules.clear()
        return Answer(200, {"rules": self.faults.shown()})

    async def _journal(self, request: web.Request) -> Answer:
        return Answer(200, {"items": self.read_journal(*asked_page(request.query))})

    async def _stats(self, _request: web.Request) -> Answer:
        return Answer(200, self.stats() if self.stats is not None else None)


def require_loopback(request: web.Request) -> None:
    """Raises ``Refusal`` (403) for a caller on another machine, and for a web page that a browser here shows."""
    peer = request.transport.get_extra_info("peername") if request.transport is not None else None
    if not _is_loopback(str(peer[0]) if peer else "") or "Origin" in request.headers:
        raise Refusal(403, "the sandbox's own routes answer on the loopback only")


def _is_loopback(host: str) -> bool:
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return False
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return (mapped or address).is_loopback


async def _health(_request: web.Request) -> web.Response:
    return response(Answer(200, {"status": "up"}))
