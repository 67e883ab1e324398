"""The API, typed: requests in, trustworthy answers or errors named by what to do next out. Knows no Kafka."""

from __future__ import annotations

import asyncio
import datetime as dt
from collections.abc import Mapping
from urllib.parse import quote

import aiohttp
import httpx

from tieline.connectors.kit.governor import Governor
from tieline.connectors.kit.outcomes import http_date, status_error, transport_error
from tieline.connectors.kit.paths import value_at
from tieline.connectors.kit.strict_json import JsonError, dump_json, parse_json
from tieline.connectors.kit.throttling import Answer as PlainAnswer
from tieline.connectors.kit.transport import OnceTransport
from tieline.connectors.unio24.conversion import write_time
from tieline.connectors.unio24.models import Answer, ListPage, Record
from tieline.connectors.unio24.profile import Profile
from tieline.connectors.unio24.resources import Resource
from tieline.connectors.unio24.settings import Settings
from tieline.kernel.clock import Clock, utc_now
from tieline.kernel.errors import OutcomeUnknown, Rejected, Retryable, TielineError
from tieline.kernel.quotas import UNLIMITED

_MAX_DETAIL_LENGTH = 300


def open_http(settings: Settings) -> httpx.AsyncClient:
    """A bounded pool of connections to the endpoint, authenticated; the caller closes it."""
    limits = httpx.Limits(max_connections=settings.max_connections, keepalive_expiry=30)
    return httpx.AsyncClient(
        transport=OnceTransport(limits=limits, trust_env=False),
        base_url=settings.endpoint,
        headers={"Authorization": f"Bearer {settings.token.get_secret_value()}", "Accept": "application/json"},
        timeout=httpx.Timeout(
            settings.read_timeout_secs, connect=settings.connect_timeout_secs, pool=settings.request_timeout_secs
        ),
        trust_env=False,
        follow_redirects=False,
    )


class Client:
    """One system's API. Safe for concurrent use within one event loop; every call is bounded by the time-outs.

    Every method raises ``Unavailable``, ``Retryable``, ``OutcomeUnknown`` (writes only), ``Rejected`` or ``Stop``.
    """

    def __init__(
        self,
        settings: Settings,
        profile: Profile,
        *,
        http: httpx.AsyncClient | None = None,
        clock: Clock = utc_now,
        governor: Governor | None = None,
    ) -> None:
        self._settings = settings
        self._profile = profile
        self._http = http or open_http(settings)
        self._clock = clock
        self._governor = governor or Governor(
            settings.endpoint, UNLIMITED, most_concurrent=settings.max_connections, clock=clock
        )

    async def close(self) -> None:
        """Close all connections."""
        await self._http.aclose()

    async def list_page(
        self,
        resource: Resource,
        *,
        size: int,
        token: str | None = None,
        modified_since: dt.datetime | None = None,
        where: Mapping[str, str] | None = None,
    ) -> ListPage:
        """One page of records, by modification time when ``modified_since`` is given; the API may give fewer."""
        names = self._profile.paging
        query = {**names.fixed, **(where or {}), names.size_parameter: str(size)}
        if modified_since is not None:
            query[names.modified_since_parameter] = write_time(modified_since, names.modified_since_format)
        if token is not None:
            query[names.token_parameter] = token
        answer = await self.send("GET", resource.list_path, query=query)
        records = value_at(_object(answer), resource.items)
        if not isinstance(records, list) or not all(isinstance(record, dict) for record in records):
            raise Retryable(f"{resource.list_path}: the answer has no list of records under {resource.items}")
        following = value_at(_object(answer), names.next_token)
        return ListPage(records, None if following in (None, "") else str(following), answer.made_at)

    async def get(self, resource: Resource, **ids: str) -> Record | None:
        """One record, or None when the system says that it does not exist."""
        answer = await self.send("GET", item_path(resource, ids), passed=(404, 410))
        return _object(answer) if answer.status < 300 else None  # noqa: PLR2004  - success

    async def send(
        self,
        method: str,
        path: str,
        *,
        body: object = None,
        query: Mapping[str, str] | None = None,
        version: str | None = None,
        passed: tuple[int, ...] = (),
    ) -> Answer:
        """One exchange. Statuses in ``passed`` come back as answers; other failures raise."""
        writes = method != "GET"
        headers = {"Content-Type": "application/json"} if body is not None else {}
        if version is not None and self._profile.if_match:
            headers["If-Match"] = f'"{version}"'
        content = None if body is None else dump_json(body)
        request = self._http.build_request(method, path, params=query, content=content, headers=headers)
        async with self._governor.slot() as call:
            try:
                async with asyncio.timeout(self._settings.request_timeout_secs):
                    status, given, text = await self._exchange(request, writes=writes)
            except (httpx.HTTPError, aiohttp.ClientError, TimeoutError) as error:
                raise transport_error(error, writes=writes) from error
            call.hear(PlainAnswer(status, given, text))
        return self._answer(status, given, text, writes=writes, passed=passed)

    async def _exchange(self, request: httpx.Request, *, writes: bool) -> tuple[int, Mapping[str, str], bytes]:
        response = await self._http.send(request, stream=True)
        try:
            chunks: list[bytes] = []
            length = 0
            async for chunk in response.aiter_bytes():
                length += len(chunk)
                if length > self._settings.max_answer_bytes:
                    raise _no_answer(f"longer than {self._settings.max_answer_bytes} bytes", writes=writes)
                chunks.append(chunk)
        finally:
            await response.aclose()
        return response.status_code, response.headers, b"".join(chunks)

    def _answer(
        self, status: int, headers: Mapping[str, str], text: bytes, *, writes: bool, passed: tuple[int, ...]
    ) -> Answer:
        ok = 200 <= status < 300  # noqa: PLR2004  - the definition of success
        try:
            document = parse_json(text, max_bytes=self._settings.max_answer_bytes) if text else None
        except JsonError as error:
            if ok:
                raise _no_answer(str(error), writes=writes) from None
            document = None
        if status in passed:
            return Answer(status, document, self._clock())
        words = document if isinstance(document, Mapping) else {}
        message, field = (value_at(words, key) for key in (self._profile.errors.message, self._profile.errors.field))
        fault = status_error(
            status,
            headers,
            writes=writes,
            now=self._clock(),
            detail=str(message or "")[:_MAX_DETAIL_LENGTH],
            field=None if field is None else str(field),
        )
        if fault is not None:
            raise fault
        # Dates of records are compared with the system's clock, not with ours; ours stands in where it says none.
        return Answer(status, document, http_date(headers.get("date")) or self._clock())


def item_path(resource: Resource, ids: Mapping[str, str]) -> str:
    """The path of one record; ids are escaped, so that none can lead to another path. Raises ``Rejected`` on dots."""
    if any(value in ("", ".", "..") for value in ids.values()):
        raise Rejected("is not an id", field=", ".join(ids))  # escaping does not touch dots, and they climb
    return resource.item_path.format(**{name: quote(value, safe="") for name, value in ids.items()})


def _object(answer: Answer) -> Record:
    if not isinstance(answer.document, dict):
        raise Retryable("the answer is not a JSON object")
    return answer.document


def _no_answer(why: str, *, writes: bool) -> TielineError:
    # Invariant 5: the status said success, but what was done cannot be read from such an answer.
    text = f"the answer is unusable: {why}"
    return OutcomeUnknown(text) if writes else Retryable(text)
