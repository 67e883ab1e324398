"""How a request says who sends it: one function for each way, chosen by the connector.

A way is an ``Authentication``: ``sign`` adds to a request what it needs and may fetch it first; ``refused`` hears of an
answer that turned the caller away, forgets what was used for it, and says whether the request may be sent once more.
A refused request took no effect. What is fetched is kept in memory only, and no secret gets into an error
(Invariant 14). OAuth1 and signed assertions, which need libraries, are in ``oauth1`` and ``assertions``.
"""

from __future__ import annotations

import asyncio
import base64
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field

import httpx

from tieline.connectors.kit.outcomes import retry_after_secs
from tieline.connectors.kit.strict_json import JsonError, parse_json
from tieline.kernel.clock import Clock, utc_now
from tieline.kernel.errors import Stop, Unavailable

MAX_TOKEN_BYTES = 64_000
DEFAULT_LIFETIME_SECS = 300.0  # of a token whose endpoint does not say
_MARGIN_PARTS = 10  # a token is renewed when a tenth of its life is left, and no later than this before its end:
_MOST_MARGIN_SECS = 60.0
_SAFE_METHODS = ("GET", "HEAD", "OPTIONS")
_UNAUTHORISED, _FORBIDDEN = 401, 403

Headers = Mapping[str, str]
Sign = Callable[[httpx.Request, httpx.AsyncClient], Awaitable[None]]
Refused = Callable[[int, Headers], bool]


@dataclass(frozen=True, slots=True)
class Authentication:
    """``sign(request, http)`` and ``refused(status, headers)``; see the module."""

    sign: Sign
    refused: Refused


@dataclass(frozen=True, slots=True)
class Token:
    """What proves who calls for a while: headers of every request. Its secrets are not shown."""

    headers: Headers = field(repr=False)
    lifetime_secs: float = DEFAULT_LIFETIME_SECS


FetchToken = Callable[[httpx.AsyncClient], Awaitable[Token]]


def header(name: str, value: str) -> Authentication:
    """An API key in a header of its own, or any other fixed header."""

    async def sign(request: httpx.Request, _http: httpx.AsyncClient) -> None:
        request.headers[name] = value

    return Authentication(sign, lambda _status, _headers: False)


def bearer(token: str) -> Authentication:
    """``Authorization: Bearer <token>`` with a token that a person made."""
    return header("Authorization", f"Bearer {token}")


def basic(user: str, password: str) -> Authentication:
    """HTTP Basic (RFC 7617)."""
    return header("Authorization", basic_header(user, password))


def basic_header(user: str, password: str) -> str:
    """``Basic <base64 of user:password>``, UTF-8."""
    return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()


def token(fetch: FetchToken, *, monotonic: Callable[[], float] | None = None) -> Authentication:
    """A token that is fetched when it is needed, kept while it lasts, and renewed before its end.

    Many calls at once fetch one token. After a 401 it is renewed and the call sent once more: it may have ended early.
    """
    kept = _Kept(fetch, monotonic or time.monotonic)

    async def sign(request: httpx.Request, http: httpx.AsyncClient) -> None:
        request.headers.update(await kept.headers(http))

    def refused(status: int, _headers: Headers) -> bool:
        return status == _UNAUTHORISED and kept.forget()

    return Authentication(sign, refused)


class _Kept:
    """The token in hand."""

    def __init__(self, fetch: FetchToken, monotonic: Callable[[], float]) -> None:
        self._fetch, self._monotonic = fetch, monotonic
        self._token: Token | None = None
        self._renew_at = 0.0
        self._fetching = asyncio.Lock()

    async def headers(self, http: httpx.AsyncClient) -> Headers:
        async with self._fetching:
            if self._token is None or self._monotonic() >= self._renew_at:
                asked = self._monotonic()
                self._token = await self._fetch(http)
                life_secs = self._token.lifetime_secs
                self._renew_at = asked + life_secs - min(life_secs / _MARGIN_PARTS, _MOST_MARGIN_SECS)
            return self._token.headers

    def forget(self) -> bool:
        had, self._token = self._token is not None, None
        return had


def client_credentials(
    endpoint: str,
    client_id: str,
    client_secret: str,
    *,
    scope: str | None = None,
    in_form: bool = False,
    more: Mapping[str, str] | None = None,
    clock: Clock = utc_now,
    monotonic: Callable[[], float] | None = None,
) -> Authentication:
    """OAuth2 client credentials (RFC 6749 section 4.4).

    Id and secret go as HTTP Basic or, ``in_form``, in the form, as Entra wants them. ``more`` are fields of the form
    that a vendor adds, such as ``resource``.
    """
    form = {"grant_type": "client_credentials", **({"scope": scope} if scope else {}), **(more or {})}
    headers: dict[str, str] = {}
    if in_form:
        form |= {"client_id": client_id, "client_secret": client_secret}
    else:
        headers["Authorization"] = basic_header(client_id, client_secret)

    async def fetch(http: httpx.AsyncClient) -> Token:
        return await fetch_token(http, endpoint, form, headers=headers, clock=clock)

    return token(fetch, monotonic=monotonic)


async def fetch_token(
    http: httpx.AsyncClient,
    endpoint: str,
    form: Mapping[str, str],
    *,
    headers: Headers | None = None,
    clock: Clock = utc_now,
) -> Token:
    """The access token that an OAuth2 token endpoint gives for a form (RFC 6749 section 5).

    Raises ``Stop`` where it refuses the client, with its error code only, and ``Unavailable`` where it cannot answer.
    """
    request = http.build_request("POST", endpoint, data=dict(form), headers={"Accept": "application/json"})
    request.headers.update(headers or {})
    status, answered, body = await exchange(http, request, max_bytes=MAX_TOKEN_BYTES)
    document = _document(body)
    if status in (429, 503) or status >= 500:  # noqa: PLR2004  - server errors
        raise Unavailable(
            f"the token endpoint answers HTTP {status}",
            retry_after_secs=retry_after_secs(answered.get("retry-after"), clock()),
        )
    access = document.get("access_token")
    if not 200 <= status < 300 or not isinstance(access, str) or not access:  # noqa: PLR2004  - the definition of success
        code = str(document.get("error", ""))
        said = f": {code}" if code.replace("_", "").isalnum() and len(code) < 60 else ""  # noqa: PLR2004  - a code
        raise Stop(f"the token endpoint refuses the client (HTTP {status}{said}). Check its id, secret and scope.")
    return Token({"Authorization": f"Bearer {access}"}, _lifetime_secs(document.get("expires_in")))


async def exchange(http: httpx.AsyncClient, request: httpx.Request, *, max_bytes: int) -> tuple[int, Headers, bytes]:
    """One exchange beside the API proper, for a token or a session. Raises ``Unavailable`` without a whole answer."""
    try:
        response = await http.send(request, stream=True)
        try:
            body = b""
            async for chunk in response.aiter_bytes():
                body += chunk
                if len(body) > max_bytes:
                    raise Unavailable(f"{request.url.host}: an answer of more than {max_bytes} bytes")
        finally:
            await response.aclose()
    except httpx.HTTPError as error:
        raise Unavailable(f"{request.url.host} does not answer ({type(error).__name__})") from error
    return response.status_code, response.headers, body


def csrf(inner: Authentication, path: str, *, method: str = "GET") -> Authentication:
    """SAP's gateway: a write carries the token and the session's cookies that a read of ``path`` handed out.

    A 403 with ``X-CSRF-Token: Required`` fetches both anew, and the write is sent once more.
    """
    held = _Session()
    fetching = asyncio.Lock()

    async def sign(request: httpx.Request, http: httpx.AsyncClient) -> None:
        await inner.sign(request, http)
        if request.method in _SAFE_METHODS:
            return
        async with fetching:
            if held.headers is None:
                held.headers = await fetch(http)
        request.headers.update(held.headers)

    async def fetch(http: httpx.AsyncClient) -> Headers:
        asking = http.build_request(method, path, headers={"X-CSRF-Token": "Fetch"})
        await inner.sign(asking, http)
        status, answered, _ = await exchange(http, asking, max_bytes=16_000_000)
        given = answered.get("x-csrf-token")
        if not given:
            raise Unavailable(f"no CSRF token came with HTTP {status}")
        return {"X-CSRF-Token": given, "Cookie": cookies_of(answered)}

    def refused(status: int, headers: Headers) -> bool:
        if status == _FORBIDDEN and headers.get("x-csrf-token", "").lower() == "required":
            return held.forget()
        return inner.refused(status, headers)

    return Authentication(sign, refused)


@dataclass(slots=True)
class _Session:
    headers: Headers | None = None

    def forget(self) -> bool:
        had, self.headers = self.headers is not None, None
        return had


def cookies_of(headers: Headers) -> str:
    """What a request's ``Cookie`` says of the cookies that an answer set."""
    many = headers.get_list("set-cookie") if isinstance(headers, httpx.Headers) else [headers.get("set-cookie", "")]
    return "; ".join(one.partition(";")[0].strip() for one in many if one)


def session(
    path: str,
    credentials: Mapping[str, str],
    *,
    lifetime_secs: float,
    token_at: str | None = None,
    token_header: str = "Session-Token",  # noqa: S107  - a header's name, not a secret
    monotonic: Callable[[], float] | None = None,
) -> Authentication:
    """A log-in by JSON at ``path``, kept for ``lifetime_secs``: by its cookies, or by a token.

    The answer has the token under the key ``token_at``, and ``token_header`` carries it.
    """

    async def fetch(http: httpx.AsyncClient) -> Token:
        asking = http.build_request("POST", path, json=dict(credentials))
        status, answered, body = await exchange(http, asking, max_bytes=MAX_TOKEN_BYTES)
        if status >= 500 or status == 429:  # noqa: PLR2004  - server errors, too many
            raise Unavailable(f"the log-in answers HTTP {status}")
        given = cookies_of(answered) if token_at is None else _document(body).get(token_at)
        if not 200 <= status < 300 or not isinstance(given, str) or not given:  # noqa: PLR2004  - success
            raise Stop(f"the log-in is refused (HTTP {status}). Check user and password.")
        return Token({"Cookie" if token_at is None else token_header: given}, lifetime_secs)

    return token(fetch, monotonic=monotonic)


def both(one: Authentication, other: Authentication) -> Authentication:
    """Two ways together: an application key beside a session, say."""

    async def sign(request: httpx.Request, http: httpx.AsyncClient) -> None:
        await one.sign(request, http)
        await other.sign(request, http)

    def refused(status: int, headers: Headers) -> bool:
        return any([one.refused(status, headers), other.refused(status, headers)])

    return Authentication(sign, refused)


def _document(body: bytes) -> Mapping[str, object]:
    try:
        document = parse_json(body, max_bytes=MAX_TOKEN_BYTES)
    except JsonError:
        return {}
    return document if isinstance(document, Mapping) else {}


def _lifetime_secs(said: object) -> float:
    text = str(said)
    return float(text) if text.isascii() and text.isdigit() and len(text) < 10 else DEFAULT_LIFETIME_SECS  # noqa: PLR2004  - years
