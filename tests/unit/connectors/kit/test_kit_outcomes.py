"""What an answer, or its absence, means."""

from __future__ import annotations

import datetime as dt

import aiohttp
import httpx
import pytest
from aiohttp.client_reqrep import ConnectionKey

from tieline.connectors.kit.outcomes import retry_after_secs, status_error, transport_error
from tieline.kernel.errors import OutcomeUnknown, Rejected, Retryable, Stop, Unavailable

NOW = dt.datetime(2026, 5, 1, 12, tzinfo=dt.UTC)


@pytest.mark.parametrize(
    ("value", "secs"),
    [
        (None, None),
        ("7", 7.0),
        (" 0.5 ", 0.5),
        ("Fri, 01 May 2026 12:01:30 GMT", 90.0),
        ("Fri, 01 May 2026 11:00:00 GMT", 0.0),
        ("Fri, 01 May 2026 12:01:30", 90.0),
        ("999999", 3600.0),
        ("soon", None),
        ("-5", None),
        ("", None),
    ],
)
def test_retry_after_as_seconds_or_date(value: str | None, secs: float | None) -> None:
    assert retry_after_secs(value, NOW) == secs


@pytest.mark.parametrize(
    ("status", "on_read", "on_write"),
    [
        (400, Rejected, Rejected),
        (401, Stop, Stop),
        (403, Stop, Stop),
        (404, Rejected, Rejected),
        (408, Retryable, OutcomeUnknown),
        (409, Rejected, Rejected),
        (412, Retryable, Retryable),
        (422, Rejected, Rejected),
        (429, Unavailable, Unavailable),
        (500, Retryable, OutcomeUnknown),
        (502, Unavailable, OutcomeUnknown),
        (503, Unavailable, Unavailable),
        (504, Unavailable, OutcomeUnknown),
        (301, Stop, Stop),
    ],
)
def test_statuses(status: int, on_read: type[Exception], on_write: type[Exception]) -> None:
    assert type(status_error(status, {}, writes=False, now=NOW, detail="")) is on_read
    assert type(status_error(status, {}, writes=True, now=NOW, detail="")) is on_write


@pytest.mark.parametrize("status", [200, 201, 202, 204, 207])
def test_any_2xx_is_success(status: int) -> None:
    assert status_error(status, {}, writes=True, now=NOW, detail="") is None


def test_throttling_under_another_status_is_seen_by_its_header() -> None:
    error = status_error(400, {"retry-after": "12"}, writes=True, now=NOW, detail="limit exceeded")
    assert isinstance(error, Unavailable)
    assert error.retry_after_secs == 12


def test_a_rejection_keeps_their_words_and_field() -> None:
    error = status_error(422, {}, writes=True, now=NOW, detail="tag is taken", field="tag")
    assert isinstance(error, Rejected)
    assert (error.field, error.reason) == ("tag", "HTTP 422: tag is taken")
    assert error.remedy


def caused(error: Exception, cause: Exception) -> Exception:
    error.__cause__ = cause
    return error


KEY = ConnectionKey("am", 443, True, True, None, None, None, None)


@pytest.mark.parametrize(
    "error",
    [
        caused(httpx.ConnectError("refused"), aiohttp.ClientConnectorError(KEY, OSError(111, "refused"))),
        caused(httpx.ConnectError("dns"), aiohttp.ClientConnectorDNSError(KEY, OSError(-2, "unknown name"))),
        caused(httpx.TimeoutException("connect"), aiohttp.ConnectionTimeoutError()),
        httpx.ConnectError("refused"),
        httpx.ConnectTimeout("slow"),
        httpx.PoolTimeout("full"),
    ],
)
@pytest.mark.parametrize("writes", [True, False])
def test_never_reached_means_the_system_is_out(error: Exception, *, writes: bool) -> None:
    assert type(transport_error(error, writes=writes)) is Unavailable


@pytest.mark.parametrize(
    "error",
    [
        # The transport calls a connection that was lost after sending a connect time-out: only the cause is true.
        caused(httpx.ConnectTimeout("gone"), aiohttp.ServerDisconnectedError()),
        caused(httpx.ConnectTimeout("reset"), aiohttp.ClientOSError(104, "reset")),
        caused(httpx.ReadTimeout("silent"), aiohttp.SocketTimeoutError()),
        caused(httpx.ReadError("cut"), aiohttp.ClientPayloadError("cut")),
        httpx.ReadTimeout("silent"),
        httpx.RemoteProtocolError("cut"),
        aiohttp.ClientConnectionResetError("reset"),
        TimeoutError(),
    ],
)
def test_a_lost_answer_is_unknown_for_a_write_and_repeatable_for_a_read(error: Exception) -> None:
    assert type(transport_error(error, writes=True)) is OutcomeUnknown
    assert type(transport_error(error, writes=False)) is Retryable
