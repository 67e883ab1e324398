"""What a sandbox answers, and how it says no: in its vendor's own form."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from aiohttp import web
from aiohttp.typedefs import Handler, Middleware

Pairs = Sequence[tuple[str, str]]


@dataclass(frozen=True, slots=True)
class Answer:
    """One answer. ``body`` is JSON to be, or bytes as they are; None is an answer without a body.

    ``headers`` are pairs where a name may stand twice.
    """

    status: int
    body: object = None
    headers: Mapping[str, str] | Pairs = field(default_factory=dict)

    def payload(self) -> bytes | None:
        """The body's bytes."""
        return self.body if self.body is None or isinstance(self.body, bytes) else json.dumps(self.body).encode()


class Refusal(Exception):
    """The answer is no: an answer of the API, not a fault of the sandbox.

    ``status`` and ``reason`` are what HTTP would say; ``more`` is what the vendor's form may show beside.
    """

    def __init__(self, status: int, reason: str, *, headers: Mapping[str, str] | None = None, **more: object) -> None:
        super().__init__(reason)
        self.status = status
        self.reason = reason
        self.headers = headers or {}
        self.more = more


Form = Callable[[Refusal], Answer]


def plain_form(refusal: Refusal) -> Answer:
    """``{"error": reason, …}`` under the refusal's own status and headers."""
    return Answer(refusal.status, {"error": refusal.reason, **refusal.more}, refusal.headers)


def response(answer: Answer, headers: Mapping[str, str] | None = None) -> web.Response:
    """The answer on the wire, with those further headers that it has not itself."""
    return web.Response(status=answer.status, body=answer.payload(), headers=_all_headers(answer, headers))


async def cut_response(request: web.Request, answer: Answer, headers: Mapping[str, str]) -> web.StreamResponse:
    """Half of the answer's body, then the connection breaks off; without a body it breaks off at once."""
    payload = answer.payload()
    if not payload:
        abort(request)
        return web.Response(status=answer.status)
    cut = web.StreamResponse(status=answer.status, headers=_all_headers(answer, headers))
    cut.content_length = len(payload)
    await cut.prepare(request)
    await cut.write(payload[: len(payload) // 2])
    if request.transport is not None:
        request.transport.close()  # after what was written is out
    return cut


def abort(request: web.Request) -> None:
    """Break the connection off without a word."""
    if request.transport is not None:
        request.transport.abort()


def refusing(form: Form) -> Middleware:
    """A middleware: refusals, and what aiohttp itself refuses (no such path, too large), in the vendor's form."""

    @web.middleware
    async def middleware(request: web.Request, handler: Handler) -> web.StreamResponse:
        try:
            return await handler(request)
        except Refusal as refusal:
            return response(form(refusal))
        except web.HTTPException as error:
            return response(form(Refusal(error.status, error.reason)))

    return middleware


def _all_headers(answer: Answer, more: Mapping[str, str] | None) -> list[tuple[str, str]]:
    headers = list(answer.headers.items()) if isinstance(answer.headers, Mapping) else list(answer.headers)
    named = {name.lower() for name, _ in headers}
    if answer.body is not None and not isinstance(answer.body, bytes) and "content-type" not in named:
        headers.append(("Content-Type", "application/json"))
    return headers + [(name, text) for name, text in (more or {}).items() if name.lower() not in named]
