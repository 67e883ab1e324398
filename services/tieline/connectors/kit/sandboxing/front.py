"""The front of a sandbox: what every request passes on its way to the vendor's handlers, and faults play there."""

from __future__ import annotations

import asyncio
import contextlib
import re
import uuid
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field

from aiohttp import web

from tieline.connectors.kit.sandboxing.answers import Answer, Form, Refusal, abort, cut_response, plain_form, response
from tieline.connectors.kit.sandboxing.authentication import Authenticate, nobody
from tieline.connectors.kit.sandboxing.door import Door
from tieline.connectors.kit.sandboxing.faults import Age, Faults, Rule, Sight
from tieline.connectors.kit.sandboxing.limits import Limits
from tieline.kernel.clock import Clock, utc_now

REQUEST_ID = "X-Request-Id"
_STORMS = {"error_503": (503, "down for maintenance"), "error_429": (429, "too many requests")}
_REQUEST_ID = re.compile(r"[\w.:/+=-]{1,100}", re.ASCII)


@dataclass(frozen=True, slots=True)
class Asked:
    """One request that was let in, and how the fault that struck it wants it handled.

    Without ``keep`` the answer is as always and the change is undone; ``age`` is that of the state to read from.
    """

    request: web.Request
    body: bytes
    account: str
    request_id: str
    keep: bool = True
    age: Age | None = None

    @property
    def sight(self) -> Sight:
        """What rules see of it."""
        return Sight(self.request.method, self.request.path, self.body)


Handle = Callable[[Asked], Awaitable[Answer]]


def no_headers(_request: web.Request, _account: str) -> Mapping[str, str]:
    """Nothing more than the answer has."""
    return {}


@dataclass(frozen=True, slots=True)
class Front:
    """Authenticates, limits, fails if a rule says so, and lets through. ``headers`` are added to every such answer."""

    faults: Faults = field(default_factory=Faults)
    authenticate: Authenticate = nobody
    form: Form = plain_form
    clock: Clock = utc_now
    limits: Limits | None = None
    end_sessions: Callable[[], None] | None = None
    door: Door | None = None
    headers: Callable[[web.Request, str], Mapping[str, str]] = no_headers

    async def answer(self, request: web.Request, handle: Handle) -> web.StreamResponse:
        """The answer to one request. Raises ``Refusal`` for a caller who is not let in."""
        body = await request.read()
        sight = Sight(request.method, request.path, body)
        if self.end_sessions is not None and self.faults.strike(sight, "session") is not None:
            self.end_sessions()
        account = self.authenticate(request)
        asked = Asked(request, body, account, request_id_of(request))
        with self.limits.entered(account) if self.limits is not None else contextlib.nullcontext():
            return await self._play(self.faults.strike(sight, "request"), asked, handle)

    async def _play(self, rule: Rule | None, asked: Asked, handle: Handle) -> web.StreamResponse:
        if rule is None:
            return self._respond(asked, await self._handled(handle, asked))
        instead = await self._instead(rule, asked)
        if instead is not None:
            return instead
        age = rule.age if rule.kind == "stale_read" else None
        asked = Asked(asked.request, asked.body, asked.account, asked.request_id, rule.kind != "drop_write", age)
        answer = await self._handled(handle, asked)
        if rule.kind == "apply_twice":
            await self._handled(handle, asked)  # whatever comes of it, nobody is told
        return await self._afterwards(rule, asked, answer)

    async def _handled(self, handle: Handle, asked: Asked) -> Answer:
        try:
            return await handle(asked)
        except Refusal as refusal:
            return self.form(refusal)

    async def _instead(self, rule: Rule, asked: Asked) -> web.StreamResponse | None:
        """What a fault answers before anything happens; None for one that lets it happen."""
        match rule.kind:
            case "timeout_before":
                return await _no_answer(asked.request, rule.seconds)
            case "refuse_connection" if self.door is not None:
                await self.door.shut(rule.seconds)
                return web.Response(status=500)  # to nobody
            case "error_500_before":
                return self._respond(asked, self.form(Refusal(500, "internal error")))
            case "error_503" | "error_429":
                status, reason = _STORMS[rule.kind]
                refusal = Refusal(status, reason, headers=rule.retry_after_header(self.clock()))
                return self._respond(asked, self.form(refusal))
            case "answer":
                return self._respond(asked, rule.answer)
            case _:
                return None

    async def _afterwards(self, rule: Rule, asked: Asked, answer: Answer) -> web.StreamResponse:
        """What a fault makes of the answer to what has happened."""
        match rule.kind:
            case "timeout_after_commit":
                return await _no_answer(asked.request, rule.seconds)
            case "error_500_after_commit":
                return self._respond(asked, self.form(Refusal(500, "internal error")))
            case "cut_body":
                return await cut_response(asked.request, answer, self._headers(asked))
            case "slow":
                await asyncio.sleep(rule.seconds)
        return self._respond(asked, answer)

    def _headers(self, asked: Asked) -> dict[str, str]:
        return {REQUEST_ID: asked.request_id, **self.headers(asked.request, asked.account)}

    def _respond(self, asked: Asked, answer: Answer) -> web.Response:
        return response(answer, self._headers(asked))


def request_id_of(request: web.Request) -> str:
    """The caller's ``X-Request-Id``, or a new one where it has none that is fit to be written down."""
    given = request.headers.get(REQUEST_ID, "")
    return given if _REQUEST_ID.fullmatch(given) else str(uuid.uuid4())


async def _no_answer(request: web.Request, secs: float) -> web.StreamResponse:
    await asyncio.sleep(secs)
    abort(request)
    return web.Response(status=500)  # to nobody
