"""What went wrong with a call, said as what the caller does next (kernel/errors.py)."""

from __future__ import annotations

import asyncio

import aiohttp
import httpx

from tieline.connectors.kit.outcomes import retry_after_secs
from tieline.connectors.tryton import wire
from tieline.kernel.clock import utc_now
from tieline.kernel.errors import OutcomeUnknown, Rejected, Retryable, Stop, TielineError, Unavailable

MAX_REASON_CHARS = 500
LOGIN_THROTTLE_SECS = 60.0
# A gateway gives these for an answer it lost: behind it, a write may have taken effect.
_LOST_BY_GATEWAY = (502, 504)
_OUT = (429, 502, 503, 504)
_STOPS = {
    401: "Tryton refuses the session it gave; check the API user and the server's clock",
    403: "the API user may not call this; give it the groups Accounting, Purchase and Stock",
    404: "Tryton has no such database; check endpoint and database in the landscape",
}
_REFUSED = (400, 413, 422)
_SERVER_FAILED = 500


def from_transport(error: Exception, method: str, *, writes: bool) -> TielineError:
    """A call that got no whole answer. A write that may have reached Tryton is an unknown outcome (Invariant 5)."""
    if writes and not _never_sent(error):
        return OutcomeUnknown(f"{method}: the answer was lost ({_name(error)})")
    return Unavailable(f"{method}: Tryton does not answer ({_name(error)})")


def from_status(response: httpx.Response, method: str, *, writes: bool) -> TielineError:
    """An answer that is not a JSON-RPC answer."""
    status = response.status_code
    if status in _OUT:
        if writes and status in _LOST_BY_GATEWAY:
            return OutcomeUnknown(f"{method}: a gateway lost the answer (HTTP {status})")
        return Unavailable(f"{method}: Tryton answered HTTP {status}", retry_after_secs=_asked_secs(response))
    if status in _STOPS:
        return Stop(f"{method}: {_STOPS[status]}")
    if status in _REFUSED:
        return Rejected(f"{method}: Tryton refused the request (HTTP {status})")
    message = f"{method}: Tryton answered HTTP {status}, which is no JSON-RPC"
    return OutcomeUnknown(message) if writes and status >= _SERVER_FAILED else Unavailable(message)


def from_login(response: httpx.Response) -> TielineError:
    """A refused log-in. A wrong password stops the process: Tryton locks a user out after 6 tries in 5 minutes."""
    match response.status_code:
        case 401 | 403:
            return Stop(
                "Tryton refuses the user or the password; correct them in the landscape's secret and start again"
            )
        case 429:
            wait = _asked_secs(response) or LOGIN_THROTTLE_SECS
            return Unavailable("Tryton throttles log-ins after failed ones", retry_after_secs=wait)
        case _:
            return from_status(response, "login", writes=False)


def from_rpc_error(error: wire.Json, method: str) -> TielineError:
    """The ``error`` of an answer with HTTP 200: ``[kind, arguments]``. Tryton rolled everything back."""
    kind = error[0] if isinstance(error, list) and error else error
    arguments = error[1] if isinstance(error, list) and len(error) > 1 else None
    match kind:
        case "UserError" | "UserWarning" if isinstance(arguments, list):
            texts = arguments[1:] if kind == "UserWarning" else arguments[:2]
            return Rejected(f"Tryton: {_reason(texts)}", remedy="correct the record, or the set-up it needs, in Tryton")
        case "ConcurrencyException":
            return Retryable(f"{method}: somebody changed the record meanwhile")
        case "LoginException":
            return Stop("Tryton asks for a further way to log in; give the API user password authentication")
        case _:
            return Rejected(f"{method}: Tryton failed: {_reason([kind])}", remedy="look into Tryton's log")


def _asked_secs(response: httpx.Response) -> float | None:
    return retry_after_secs(response.headers.get("retry-after"), utc_now())


def _never_sent(error: Exception) -> bool:
    # httpx-aiohttp calls any lost connection ConnectTimeout, also one that broke while the answer was awaited:
    # only aiohttp's own exception tells whether a connection was ever made.
    cause = error.__cause__
    return isinstance(cause, aiohttp.ClientConnectorError | aiohttp.ConnectionTimeoutError)


def _name(error: Exception) -> str:
    return type(error.__cause__ or error).__name__


def _reason(texts: list[wire.Json]) -> str:
    said = " ".join(text.strip() for text in texts if isinstance(text, str) and text.strip())
    return said[:MAX_REASON_CHARS] or "no reason given"


TRANSPORT_ERRORS = (httpx.HTTPError, httpx.StreamError, aiohttp.ClientError, asyncio.TimeoutError, OSError)
