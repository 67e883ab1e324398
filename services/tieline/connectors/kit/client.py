"""One request to an API: its turn, its signature, its bounded answer, and what that answer means."""

from __future__ import annotations

import asyncio
import datetime as dt
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from http.cookiejar import CookieJar, DefaultCookiePolicy
from urllib.parse import quote

import aiohttp
import httpx

from tieline.connectors.kit.authentication import Authentication
from tieline.connectors.kit.governor import Governor
from tieline.connectors.kit.outcomes import http_date, transport_error
from tieline.connectors.kit.paths import Record
from tieline.connectors.kit.settings import HttpSettings
from tieline.connectors.kit.strict_json import JsonError, dump_json, parse_json
from tieline.connectors.kit.throttling import Answer
from tieline.connectors.kit.transport import OnceTransport
from tieline.connectors.kit.verdicts import ErrorTable, Words, judge
from tieline.kernel.clock import Clock, utc_now
from tieline.kernel.errors import OutcomeUnknown, Rejected, Retryable, Stop, TielineError, Unavailable
from tieline.kernel.quotas import UNLIMITED, Allowance

JSON = "application/json"
_READS = ("GET", "HEAD")


@dataclass(frozen=True, slots=True)
class Request:
    """One request. ``path`` is below the endpoint, or a whole URL of the same host (a next link).

    ``content`` is sent as it is, with ``content_type``; without it ``body`` is sent as JSON, where there is one.
    ``writes`` says that it may change something; None: every method but GET and HEAD may. What the statuses in
    ``passed`` say comes back as a reply, and so does a success that is an error document if 200 is among them. Without
    ``is_json`` the answer's body is not looked into.
    """

    method: str
    path: str
    query: Mapping[str, str] = field(default_factory=dict)
    body: object = None
    headers: Mapping[str, str] = field(default_factory=dict)
    content: bytes | None = None
    content_type: str = JSON
    writes: bool | None = None
    passed: Collection[int] = ()
    is_json: bool = True

    @property
    def may_write(self) -> bool:
        """Whether it may change something."""
        return self.method not in _READS if self.writes is None else self.writes


@dataclass(frozen=True, slots=True)
class Reply:
    """A trustworthy answer. ``document`` is its JSON (None without), ``body`` what it was made of.

    ``made_at`` is the system's time (UTC), ours where it says none. ``words`` are what is wrong, of an answer that the
    request let pass.
    """

    status: int
    headers: Mapping[str, str]
    document: object
    body: bytes
    made_at: dt.datetime
    words: Words | None = None
    writes: bool = False

    @property
    def record(self) -> Record:
        """The document where it must be an object; else raises ``Retryable``, of a write ``OutcomeUnknown``."""
        if not isinstance(self.document, Mapping):
            raise unusable("not a JSON object", writes=self.writes)
        return self.document


@dataclass(frozen=True, slots=True)
class Api:
    """One system's API as one process calls it; for the tasks of one event loop."""

    http: httpx.AsyncClient
    governor: Governor
    authentication: Authentication
    errors: ErrorTable
    settings: HttpSettings
    clock: Clock = utc_now

    async def close(self) -> None:
        """Close all connections."""
        await self.http.aclose()


def open_api(
    system: str,
    settings: HttpSettings,
    authentication: Authentication,
    errors: ErrorTable,
    *,
    allowance: Allowance = UNLIMITED,
    headers: Mapping[str, str] | None = None,
    clock: Clock = utc_now,
    governor: Governor | None = None,
) -> Api:
    """A bounded pool of connections behind the account's governor. Contacts nobody; the caller closes it."""
    limits = httpx.Limits(max_connections=settings.max_connections, keepalive_expiry=30)
    # A balancer's or framework's cookie would tie requests together; who needs cookies carries them himself.
    no_cookies = CookieJar(DefaultCookiePolicy(allowed_domains=[]))
    http = httpx.AsyncClient(
        transport=OnceTransport(limits=limits, trust_env=False),
        base_url=settings.endpoint,
        headers={"Accept": JSON, **(headers or {})},
        cookies=no_cookies,
        timeout=httpx.Timeout(
            settings.read_timeout_secs, connect=settings.connect_timeout_secs, pool=settings.request_timeout_secs
        ),
        trust_env=False,
        follow_redirects=False,
    )
    governor = governor or Governor(system, allowance, most_concurrent=settings.max_connections, clock=clock)
    return Api(http, governor, authentication, errors, settings, clock)


async def perform(api: Api, request: Request) -> Reply:
    """The reply to one request. Where the caller was turned away and may come again, it is sent twice at most.

    Raises ``Unavailable``, ``Retryable``, ``OutcomeUnknown`` (writes only), ``Rejected`` or ``Stop``.
    """
    answer = await _answer(api, request)
    if api.authentication.refused(answer.status, answer.headers):
        answer = await _answer(api, request)
    is_success = 200 <= answer.status < 300  # noqa: PLR2004  - the definition of success
    document = _document(api, request, answer, is_success=is_success)
    words = api.errors.read(document) if isinstance(document, Mapping) else None
    made_at = http_date(answer.headers.get("date")) or api.clock()
    reply = Reply(answer.status, answer.headers, document, answer.body, made_at, words, request.may_write)
    if answer.status in request.passed:
        return reply
    fault = judge(api.errors, answer.status, answer.headers, words, writes=request.may_write, clock=api.clock)
    if fault is not None:
        raise fault
    return reply


async def _answer(api: Api, request: Request) -> Answer:
    built = _build(api, request)
    async with api.governor.slot() as call:
        try:
            async with asyncio.timeout(api.settings.request_timeout_secs):
                await api.authentication.sign(built, api.http)
        except TimeoutError:
            raise Unavailable("what the request is signed with did not come in time") from None
        try:
            async with asyncio.timeout(api.settings.request_timeout_secs):
                answer = await _send(api, built, writes=request.may_write)
        except (httpx.HTTPError, aiohttp.ClientError, TimeoutError) as error:
            raise transport_error(error, writes=request.may_write) from error
        call.hear(answer)
    return answer


def _build(api: Api, request: Request) -> httpx.Request:
    headers = dict(request.headers)
    content = request.content
    if content is None and request.body is not None:
        content = dump_json(request.body)
    if content is not None:
        headers.setdefault("Content-Type", request.content_type)
    # An empty mapping would cut off the query that a next link has itself.
    built = api.http.build_request(
        request.method, request.path, params=request.query or None, content=content, headers=headers
    )
    here, there = api.http.base_url, built.url
    if (there.scheme, there.host, there.port) != (here.scheme, here.host, here.port):
        # Our credentials go to nobody else.
        raise Stop(f"a link leads to {there.host}, not to the endpoint; set the endpoint to the name the system has")
    return built


async def _send(api: Api, built: httpx.Request, *, writes: bool) -> Answer:
    response = await api.http.send(built, stream=True)
    most = api.settings.max_answer_bytes
    try:
        chunks: list[bytes] = []
        length = 0
        async for chunk in response.aiter_bytes():
            length += len(chunk)
            if length > most:
                raise unusable(f"longer than {most} bytes", writes=writes)
            chunks.append(chunk)
    finally:
        await response.aclose()
    return Answer(response.status_code, response.headers, b"".join(chunks))


def _document(api: Api, request: Request, answer: Answer, *, is_success: bool) -> object:
    if not answer.body or not request.is_json:
        return None
    try:
        return parse_json(answer.body, max_bytes=api.settings.max_answer_bytes)
    except JsonError as error:
        if is_success:
            raise unusable(str(error), writes=request.may_write) from None
        return None


def unusable(why: str, *, writes: bool) -> TielineError:
    """The error of an answer whose status says success, and from which nobody can tell what was done (Invariant 5)."""
    text = f"the answer is unusable: {why}"
    return OutcomeUnknown(text) if writes else Retryable(text)


def path_of(template: str, **ids: object) -> str:
    """A path with its ids escaped, so that none leads to another path: ``path_of("/hardware/{id}", id=7)``.

    Raises ``Rejected`` for an id that is empty or made of dots: escaping does not touch dots, and they climb.
    """
    texts = {name: str(value) for name, value in ids.items()}
    if any(text in ("", ".", "..") for text in texts.values()):
        raise Rejected("is not an id", field=", ".join(texts))
    return template.format(**{name: quote(text, safe="") for name, text in texts.items()})
