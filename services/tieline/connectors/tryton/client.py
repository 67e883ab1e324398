"""Tryton's JSON-RPC: log in, call, and say every fault as what to do next. Knows no Kafka and no canonical model."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import Mapping, Sequence
from urllib.parse import quote

import httpx
import httpx_aiohttp

from tieline.connectors.kit.governor import Governor
from tieline.connectors.kit.throttling import Answer
from tieline.connectors.tryton import faults, wire
from tieline.connectors.tryton.settings import TrytonSettings
from tieline.kernel.errors import OutcomeUnknown, Rejected, Stop, TielineError, Unavailable
from tieline.kernel.quotas import UNLIMITED

HTTP_OK = 200
HTTP_UNAUTHORIZED = 401
Domain = Sequence[object]


class TrytonClient:
    """One user's calls to one database. Safe for concurrent calls of one event loop; ``close`` it in the same loop.

    Every call is bounded by the time-outs, the number of connections and the size of the answer. Raises what
    ``faults`` says; nothing is tried again but a call whose session has ended.
    """

    def __init__(
        self,
        settings: TrytonSettings,
        transport: httpx.AsyncBaseTransport | None = None,
        governor: Governor | None = None,
    ) -> None:
        self._settings = settings
        timeout = httpx.Timeout(
            settings.read_timeout_secs, connect=settings.connect_timeout_secs, pool=settings.read_timeout_secs
        )
        base = str(settings.endpoint).rstrip("/")
        self._url = f"{base}/{quote(settings.database, safe='')}/rpc/"
        self._http = httpx.AsyncClient(
            transport=transport or httpx_aiohttp.AiohttpTransport(), timeout=timeout, follow_redirects=False
        )
        self._governor = governor or Governor(settings.database, UNLIMITED, most_concurrent=settings.max_connections)
        self._login_lock = asyncio.Lock()
        self._session: str | None = None
        self._context: dict[str, object] | None = None

    async def close(self) -> None:
        """Close the connections; the session ends by itself."""
        await self._http.aclose()

    async def read(self, method: str, *params: object, context: Mapping[str, object] | None = None) -> wire.Json:
        """Call a method that changes nothing. A lost answer is ``Unavailable``."""
        return await self._call(method, params, writes=False, context=context)

    async def write(
        self, method: str, *params: object, timestamps: Mapping[str, str] | None = None, **context: object
    ) -> wire.Json:
        """Call a method that changes something. A lost answer is ``OutcomeUnknown``.

        ``timestamps`` maps ``model,id`` to the ``_timestamp`` read before: a later change by somebody is ``Retryable``.
        """
        extra = {**context, "_timestamp": dict(timestamps)} if timestamps else context
        return await self._call(method, params, writes=True, context=extra)

    async def search_read(
        self,
        model: str,
        domain: Domain,
        fields: Sequence[str],
        *,
        order: Sequence[tuple[str, str]] | None = None,
        limit: int | None = None,
        context: Mapping[str, object] | None = None,
    ) -> list[dict[str, wire.Json]]:
        """Records of a model, inactive ones left out as Tryton does; ``context`` is what computed fields go by."""
        method = f"model.{model}.search_read"
        params = (domain, 0, limit, order, list(fields))
        try:
            rows = await self.read(method, *params, context=context)
        except Rejected:
            # Tryton searches, then reads: of a record that somebody deletes in between it says that none may read it.
            rows = await self.read(method, *params, context=context)
        return _rows(rows, model)

    async def search(self, model: str, domain: Domain, *, limit: int | None = None) -> list[int]:
        """Ids in ascending order."""
        ids = await self.read(f"model.{model}.search", domain, 0, limit, [("id", "ASC")])
        if not isinstance(ids, list) or not all(isinstance(found, int) for found in ids):
            raise Unavailable(f"{model}: Tryton's answer to a search is not a list of ids")
        return list(ids)

    async def context(self) -> dict[str, object]:
        """The context of every call: company and language. Reads the company once; ``Stop`` when there is no such."""
        if self._context is None:
            wanted = self._settings.company
            rows = _rows(
                await self._call(
                    "model.company.company.search_read",
                    ([("party.code", "=", wanted)], 0, 2, None, ["party.code"]),
                    writes=False,
                    context={},
                ),
                "company.company",
            )
            if len(rows) != 1:
                raise Stop(f"Tryton has {len(rows)} companies with the party code {wanted!r}; correct settings.company")
            self._context = {"company": rows[0]["id"], "language": "en"}
        return dict(self._context)

    async def _call(
        self,
        method: str,
        params: Sequence[object],
        *,
        writes: bool,
        context: Mapping[str, object] | None = None,
    ) -> wire.Json:
        base = {"language": "en"} if method.startswith("model.company.company.") else await self.context()
        body = {"id": 0, "method": method, "params": wire.encode([*params, {**base, **(context or {})}])}
        for last_try in (False, True):
            session = await self._log_in()
            response = await self._post(body, method, {"Authorization": f"Session {session}"}, writes=writes)
            if response.status_code != HTTP_UNAUTHORIZED or last_try:
                break
            # The session ended (age, idleness, a restart): it was refused before anything ran.
            if self._session == session:
                self._session = None
        if response.status_code != HTTP_OK:
            raise faults.from_status(response, method, writes=writes)
        return _result(response, method, writes=writes)

    async def _log_in(self) -> str:
        async with self._login_lock:
            if self._session is None:
                user, secret = self._settings.user, self._settings.password.get_secret_value()
                body = {"id": 0, "method": "common.db.login", "params": [user, {"password": secret}]}
                response = await self._post(body, "login", {}, writes=False)
                if response.status_code != HTTP_OK:
                    raise faults.from_login(response)
                match _result(response, "login", writes=False):
                    case [int(user_id), str(token), *_]:
                        plain = f"{user}:{user_id}:{token}"
                        self._session = base64.b64encode(plain.encode()).decode("ascii")
                    case _:
                        raise Unavailable("login: Tryton's answer is not a session")
            return self._session

    async def _post(
        self, body: Mapping[str, object], method: str, headers: Mapping[str, str], *, writes: bool
    ) -> httpx.Response:
        # Tryton compresses every long answer, asked or not; httpx undoes it while the size is being watched.
        content = wire.dumps(dict(body))
        sent = {"Content-Type": "application/json", "Accept": "application/json", **headers}
        async with self._governor.slot() as call:
            try:
                async with self._http.stream("POST", self._url, content=content, headers=sent) as response:
                    received = await self._bounded(response, method, writes=writes)
            except faults.TRANSPORT_ERRORS as error:
                raise faults.from_transport(error, method, writes=writes) from error
            if method != "login":  # a log-in too many is the user's, not the account's: ``faults`` says it
                call.hear(Answer(response.status_code, response.headers, received))
        plain = [(key, value) for key, value in response.headers.items() if key not in _BODY_HEADERS]
        return httpx.Response(response.status_code, headers=plain, content=received)

    async def _bounded(self, response: httpx.Response, method: str, *, writes: bool) -> bytes:
        limit = self._settings.max_response_bytes
        received = bytearray()
        async for chunk in response.aiter_bytes():
            received += chunk
            if len(received) > limit:
                message = (
                    f"{method}: the answer is longer than {limit} bytes; lower page_size or raise max_response_bytes"
                )
                raise OutcomeUnknown(message) if writes else Unavailable(message)
        return bytes(received)


_BODY_HEADERS = ("content-encoding", "content-length", "transfer-encoding")


def _result(response: httpx.Response, method: str, *, writes: bool) -> wire.Json:
    try:
        answer = wire.loads(response.content)
    except ValueError as error:
        raise _unreadable(method, "is not JSON", writes=writes) from error
    if not isinstance(answer, dict):
        raise _unreadable(method, "is not an object", writes=writes)
    if "error" in answer:
        raise faults.from_rpc_error(answer["error"], method)
    if "result" not in answer:
        raise _unreadable(method, "has no result", writes=writes)
    return answer["result"]


def _unreadable(method: str, why: str, *, writes: bool) -> TielineError:
    message = f"{method}: Tryton's answer {why}"
    return OutcomeUnknown(message) if writes else Unavailable(message)


def _rows(rows: wire.Json, model: str) -> list[dict[str, wire.Json]]:
    if not isinstance(rows, list) or not all(isinstance(row, dict) and isinstance(row.get("id"), int) for row in rows):
        raise Unavailable(f"{model}: Tryton's answer is not a list of records")
    return rows
