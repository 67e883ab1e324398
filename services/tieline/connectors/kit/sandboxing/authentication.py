"""Who calls: the kinds of authentication that vendors' APIs have, as functions to choose from and put together."""

from __future__ import annotations

import base64
import binascii
import datetime as dt
import hmac
import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from urllib.parse import parse_qs

from aiohttp import web

from tieline.connectors.kit.sandboxing.answers import Answer, Refusal
from tieline.kernel.clock import Clock

# The account that the request is made for; raises ``Refusal`` (401 or 403).
Authenticate = Callable[[web.Request], str]
_SAFE_METHODS = ("GET", "HEAD", "OPTIONS")


def nobody(_request: web.Request) -> str:
    """Everybody is let in."""
    return ""


def bearer(token: str, *, account: str = "token") -> Authenticate:
    """``Authorization: Bearer <token>``."""
    return header("Authorization", f"Bearer {token}", account=account, reason="a bearer token is wanted")


def header(name: str, value: str, *, account: str = "key", reason: str | None = None) -> Authenticate:
    """An API key in a header of its own, or any other fixed header."""

    def check(request: web.Request) -> str:
        if not _same(request.headers.get(name, ""), value):
            raise Refusal(401, reason or f"the header {name} is wanted")
        return account

    return check


def basic(passwords: Mapping[str, str], *, realm: str = "sandbox") -> Authenticate:
    """HTTP Basic (RFC 7617): passwords by user; the account is the user."""

    def check(request: web.Request) -> str:
        user, password = basic_credentials(request) or ("", "")
        if user not in passwords or not _same(password, passwords[user]):
            challenge = {"WWW-Authenticate": f'Basic realm="{realm}"'}
            raise Refusal(401, "user and password are wanted", headers=challenge)
        return user

    return check


def basic_credentials(request: web.Request) -> tuple[str, str] | None:
    """User and password of a Basic header; None without a readable one."""
    scheme, _, code = request.headers.get("Authorization", "").partition(" ")
    try:
        text = base64.b64decode(code.strip(), validate=True).decode()
    except (binascii.Error, UnicodeDecodeError, ValueError):
        return None
    user, colon, password = text.partition(":")
    return (user, password) if scheme.lower() == "basic" and colon else None


def any_of(*ways: Authenticate) -> Authenticate:
    """The first way that lets the caller in; else the refusal of the last."""

    def check(request: web.Request) -> str:
        for way in ways[:-1]:
            try:
                return way(request)
            except Refusal:
                continue
        return ways[-1](request)

    return check


@dataclass(frozen=True, slots=True)
class Session:
    """One session, or one access token."""

    account: str
    id: str
    csrf_token: str
    ends_at: dt.datetime


@dataclass(slots=True)
class Sessions:
    """Sessions and tokens given out; each ends after its time, or when all do (the fault ``end_session``)."""

    clock: Clock
    lifetime_secs: float = 1800.0
    new_id: Callable[[], str] = lambda: secrets.token_urlsafe(24)
    _open: dict[str, Session] = field(default_factory=dict)

    def begin(self, account: str) -> Session:
        """A new session."""
        ends_at = self.clock() + dt.timedelta(seconds=self.lifetime_secs)
        session = Session(account, self.new_id(), self.new_id(), ends_at)
        self._open[session.id] = session
        return session

    def find(self, session_id: str) -> Session | None:
        """The session while it lasts."""
        session = self._open.get(session_id)
        if session is not None and session.ends_at <= self.clock():
            self._open.pop(session_id, None)
            return None
        return session

    def end(self, session_id: str) -> None:
        """Log out."""
        self._open.pop(session_id, None)

    def end_all(self) -> None:
        """Every session ends now."""
        self._open.clear()


def session_cookie(sessions: Sessions, cookie: str) -> Authenticate:
    """The session whose id a cookie carries."""

    def check(request: web.Request) -> str:
        session = sessions.find(request.cookies.get(cookie, ""))
        if session is None:
            raise Refusal(401, "the session has ended; log in")
        return session.account

    return check


def set_cookie(session: Session, cookie: str) -> dict[str, str]:
    """The header of an answer that hands the session over."""
    return {"Set-Cookie": f"{cookie}={session.id}; Path=/; HttpOnly"}


def csrf(inner: Authenticate, sessions: Sessions, cookie: str) -> Authenticate:
    """Writes need the session's cookie and its token in ``X-CSRF-Token``, beside what ``inner`` wants.

    Else 403 with ``X-CSRF-Token: Required``, as SAP's gateway says; ``csrf_headers`` hands both out.
    """

    def check(request: web.Request) -> str:
        account = inner(request)
        if request.method not in _SAFE_METHODS:
            session = sessions.find(request.cookies.get(cookie, ""))
            given = request.headers.get("X-CSRF-Token", "")
            if session is None or session.account != account or not _same(given, session.csrf_token):
                raise Refusal(403, "CSRF token validation failed", headers={"X-CSRF-Token": "Required"})
        return account

    return check


def csrf_headers(sessions: Sessions, cookie: str) -> Callable[[web.Request, str], dict[str, str]]:
    """Headers for the answer to a read that asks ``X-CSRF-Token: Fetch``: the token, and the cookie if it is new."""

    def headers(request: web.Request, account: str) -> dict[str, str]:
        if request.method not in _SAFE_METHODS or request.headers.get("X-CSRF-Token", "").lower() != "fetch":
            return {}
        known = sessions.find(request.cookies.get(cookie, ""))
        if known is not None and known.account == account:
            return {"X-CSRF-Token": known.csrf_token}
        session = sessions.begin(account)
        return {"X-CSRF-Token": session.csrf_token, **set_cookie(session, cookie)}

    return headers


def access_token(sessions: Sessions) -> Authenticate:
    """A bearer token that ``client_credentials`` gave out, while it lasts."""

    def check(request: web.Request) -> str:
        scheme, _, token = request.headers.get("Authorization", "").partition(" ")
        session = sessions.find(token) if scheme.lower() == "bearer" else None
        if session is None:
            headers = {"WWW-Authenticate": 'Bearer error="invalid_token"'}
            raise Refusal(401, "the access token is missing, unknown or has expired", headers=headers)
        return session.account

    return check


def client_credentials(
    sessions: Sessions, clients: Mapping[str, str], *, scope: str | None = None
) -> Callable[[web.Request, bytes], Answer]:
    """An OAuth2 token endpoint (RFC 6749 section 4.4): secrets by client id, in the form or as HTTP Basic.

    Answers errors in the form of section 5.2, whatever form the vendor's API has. ``scope`` is the one it wants.
    """

    def answer(request: web.Request, body: bytes) -> Answer:
        given = {name: values[0] for name, values in parse_qs(body.decode("utf-8", "replace")).items()}
        basic_client = basic_credentials(request)
        client, secret = basic_client or (given.get("client_id", ""), given.get("client_secret", ""))
        if "grant_type" not in given:
            return _token_error(400, "invalid_request")
        if client not in clients or not _same(secret, clients[client]):
            challenge = {"WWW-Authenticate": "Basic"} if basic_client else {}
            return _token_error(401, "invalid_client", challenge)
        if given["grant_type"] != "client_credentials":
            return _token_error(400, "unsupported_grant_type")
        if scope is not None and given.get("scope") != scope:
            return _token_error(400, "invalid_scope")
        session = sessions.begin(client)
        content = {"access_token": session.id, "token_type": "Bearer", "expires_in": int(sessions.lifetime_secs)}
        return Answer(200, content, {"Cache-Control": "no-store"})

    return answer


def _token_error(status: int, code: str, headers: Mapping[str, str] | None = None) -> Answer:
    return Answer(status, {"error": code}, {"Cache-Control": "no-store", **(headers or {})})


def _same(given: str, wanted: str) -> bool:
    return hmac.compare_digest(given.encode(), wanted.encode())
