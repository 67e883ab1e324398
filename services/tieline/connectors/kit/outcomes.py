"""What an HTTP answer, or its absence, means for the one who asked (errors named by what to do next)."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from email.utils import parsedate_to_datetime

import aiohttp
import httpx

from tieline.kernel.errors import OutcomeUnknown, Rejected, Retryable, Stop, TielineError, Unavailable

MAX_RETRY_AFTER_SECS = 3600.0
_PRECONDITION = (412, 428)
_TRY_AGAIN = (408, 425)
_GATEWAY = (502, 504)


def retry_after_secs(value: str | None, now: dt.datetime) -> float | None:
    """Seconds from a Retry-After header: a number of seconds or an HTTP date; at most an hour; None if unreadable."""
    if value is None:
        return None
    text = value.strip()
    if text.isascii() and text.replace(".", "", 1).isdigit():
        return min(float(text[:20]), MAX_RETRY_AFTER_SECS)
    at = http_date(text)
    return None if at is None else min(max((at - now).total_seconds(), 0.0), MAX_RETRY_AFTER_SECS)


def http_date(value: str | None) -> dt.datetime | None:
    """The instant of an HTTP date header (UTC unless it says otherwise); None without or when unreadable."""
    try:
        at = None if value is None else parsedate_to_datetime(value)
    except ValueError:
        return None
    return at if at is None or at.tzinfo else at.replace(tzinfo=dt.UTC)


def status_error(  # noqa: PLR0911  - one return per class of status reads as the table it is
    status: int, headers: Mapping[str, str], *, writes: bool, now: dt.datetime, detail: str, field: str | None = None
) -> TielineError | None:
    """The error that a status stands for, None for success (any 2xx).

    ``writes`` says that the request might have changed something; ``detail`` and ``field`` are the answer's own words.
    """
    if 200 <= status < 300:  # noqa: PLR2004  - the definition of success
        return None
    what = f"HTTP {status}: {detail}" if detail else f"HTTP {status}"
    wait_secs = retry_after_secs(headers.get("retry-after"), now)
    # Some systems throttle with another status, but say so in the header.
    if status in (429, 503) or (wait_secs is not None and 400 <= status < 500):  # noqa: PLR2004  - client errors
        return Unavailable(what, retry_after_secs=wait_secs)
    if status in (401, 403):
        return Stop(f"{what}. Check the token and what it may do, then start again.")
    if status in _PRECONDITION:
        return Retryable(f"{what}. The record changed in between.")
    if status in _GATEWAY and not writes:
        return Unavailable(what)
    if status >= 500 or status in _TRY_AGAIN:  # noqa: PLR2004  - server errors
        # Invariant 5: behind a gateway or an internal error the write may have landed.
        return OutcomeUnknown(what) if writes else Retryable(what)
    if status < 400:  # noqa: PLR2004  - redirects: following one would hand the token to another place
        return Stop(f"{what}. The endpoint redirects; set the endpoint to where the API really is.")
    return Rejected(what, field=field, remedy="correct the value in its system, or the profile")


def transport_error(error: Exception, *, writes: bool) -> TielineError:
    """The error that a failed exchange stands for: never reached (Unavailable), or reached and then silent."""
    what = f"{type(error).__name__}: {error}"
    if _never_sent(error):
        return Unavailable(f"cannot connect ({what})")
    if writes:
        return OutcomeUnknown(f"no trustworthy answer ({what})")  # Invariant 5
    return Retryable(f"the answer was lost ({what})")


def _never_sent(error: Exception) -> bool:
    # httpx-aiohttp reports a connection lost after sending as ConnectTimeout too; only the cause tells them apart.
    cause = error.__cause__
    if isinstance(cause, aiohttp.ClientError):
        return isinstance(cause, aiohttp.ClientConnectorError | aiohttp.ConnectionTimeoutError)
    return isinstance(error, httpx.ConnectError | httpx.ConnectTimeout | httpx.PoolTimeout | httpx.UnsupportedProtocol)
