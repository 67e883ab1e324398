"""The interface, typed: requests in, trustworthy answers or errors named by what to do next out. Knows no Kafka."""

from __future__ import annotations

import asyncio
import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import aiohttp
import httpx

from tieline.authoring.example.settings import Settings
from tieline.connectors.kit.governor import Governor
from tieline.connectors.kit.outcomes import http_date, status_error, transport_error
from tieline.connectors.kit.strict_json import JsonError, dump_json, parse_json
from tieline.connectors.kit.throttling import Answer
from tieline.connectors.kit.transport import OnceTransport
from tieline.kernel.clock import Clock
from tieline.kernel.errors import OutcomeUnknown, Retryable, TielineError

Record = Mapping[str, Any]
ASSETS = "/assets"


@dataclass(frozen=True, slots=True)
class Reply:
    """A trustworthy answer; ``made_at`` is the system's time (UTC), ours where it says none."""

    status: int
    document: object
    made_at: dt.datetime

    @property
    def record(self) -> Record:
        """The document where it must be an object; raises ``Retryable`` for anything else."""
        if not isinstance(self.document, dict):
            raise Retryable("the answer is not a JSON object")
        return self.document


@dataclass(frozen=True, slots=True)
class ListPage:
    """Records of one page, and the cursor of the next; None on the last."""

    records: list[Record]
    next_cursor: str | None
    made_at: dt.datetime


class Client:
    """One system. Methods raise ``Unavailable``, ``Retryable``, ``OutcomeUnknown``, ``Rejected`` or ``Stop``."""

    def __init__(self, settings: Settings, governor: Governor, clock: Clock) -> None:
        self._settings, self._governor, self._clock = settings, governor, clock
        self._http = httpx.AsyncClient(
            transport=OnceTransport(limits=httpx.Limits(max_connections=settings.max_connections), trust_env=False),
            base_url=settings.endpoint,
            headers={"Authorization": f"Bearer {settings.token.get_secret_value()}"},
            timeout=settings.read_timeout_secs,
            trust_env=False,
            follow_redirects=False,
        )

    async def close(self) -> None:
        """Close all connections."""
        await self._http.aclose()

    async def list_assets(self, **query: str) -> ListPage:
        """One page of assets. A page without its list is no page (Invariant 12)."""
        reply = await self.send("GET", ASSETS, query=query)
        records, cursor = reply.record.get("items"), reply.record.get("next_cursor")
        if not isinstance(records, list) or not all(isinstance(record, dict) for record in records):
            raise Retryable(f"{ASSETS}: the answer has no list of records under items")
        return ListPage(records, None if cursor is None else str(cursor), reply.made_at)

    async def get_asset(self, native_id: str) -> Record | None:
        """One asset, or None when the system says that it does not exist."""
        if not native_id.isascii() or not native_id.isdigit():
            return None  # no id of theirs; and nothing else may choose the path
        reply = await self.send("GET", f"{ASSETS}/{native_id}", passed=(404,))
        return None if reply.status == 404 else reply.record  # noqa: PLR2004  - not found

    async def send(
        self,
        method: str,
        path: str,
        *,
        body: object = None,
        query: Mapping[str, str] | None = None,
        version: str | None = None,
        passed: tuple[int, ...] = (),
    ) -> Reply:
        """One exchange. Statuses in ``passed`` come back as replies; other failures raise."""
        writes = method != "GET"
        headers = {} if version is None else {"If-Match": f'"{version}"'}
        content = None if body is None else dump_json(body)
        request = self._http.build_request(method, path, params=query, content=content, headers=headers)
        async with self._governor.slot() as call:  # every call passes the account's budget
            try:
                async with asyncio.timeout(self._settings.read_timeout_secs):
                    status, given, text = await self._exchange(request, writes=writes)
            except (httpx.HTTPError, aiohttp.ClientError, TimeoutError) as error:
                raise transport_error(error, writes=writes) from error
            call.hear(Answer(status, given, text))
        return self._reply(status, given, text, writes=writes, passed=passed)

    async def _exchange(self, request: httpx.Request, *, writes: bool) -> tuple[int, Mapping[str, str], bytes]:
        response = await self._http.send(request, stream=True)
        try:
            text = b""
            async for chunk in response.aiter_bytes():
                text += chunk
                if len(text) > self._settings.max_answer_bytes:
                    raise _unusable(f"longer than {self._settings.max_answer_bytes} bytes", writes=writes)
        finally:
            await response.aclose()
        return response.status_code, response.headers, text

    def _reply(
        self, status: int, headers: Mapping[str, str], text: bytes, *, writes: bool, passed: tuple[int, ...]
    ) -> Reply:
        try:
            document = parse_json(text, max_bytes=self._settings.max_answer_bytes) if text else None
        except JsonError as error:
            if status < 300:  # noqa: PLR2004  - a success whose content cannot be read is none
                raise _unusable(str(error), writes=writes) from None
            document = None
        now = self._clock()
        words = str(document.get("error", ""))[:300] if isinstance(document, dict) else ""
        fault = None if status in passed else status_error(status, headers, writes=writes, now=now, detail=words)
        if fault is not None:
            raise fault
        return Reply(status, document, http_date(headers.get("date")) or now)


def _unusable(why: str, *, writes: bool) -> TielineError:
    # Invariant 5: the status said success, but what was done cannot be read from such an answer.
    text = f"the answer is unusable: {why}"
    return OutcomeUnknown(text) if writes else Retryable(text)
