"""Throttling: every form in which a system says "too much", and one budget of calls for all that share an account.

Not every system says it with HTTP 429: some use 503, a 400 with a code, a SOAP fault under 500, or a part of a batch
whose answer as a whole is a success. A refused call took no effect, so all of them are safe to send again, later.
"""

from __future__ import annotations

import asyncio
import datetime as dt
import re
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from email import policy
from email.parser import BytesParser

from tieline.connectors.kit.outcomes import retry_after_secs
from tieline.connectors.kit.strict_json import JsonError, parse_json
from tieline.kernel.errors import Retryable, Unavailable

MAX_BODY_BYTES = 64 * 1024  # of a refusal; what is longer is no refusal
PATIENCE_SECS = 5.0
_TOO_MANY, _OUT = 429, 503
_CODES = frozenset({"SSS_REQUEST_LIMIT_EXCEEDED"})
_CODE_KEYS = frozenset({"code", "errorcode", "o:errorcode"})
_FAULT = re.compile(rb"<(?:[\w.-]+:)?Fault[\s>]")
_LIMIT_FAULT = re.compile(rb"<(?:[\w.-]+:)?exceeded(?:concurrent)?requestlimitfault[\s/>]", re.IGNORECASE)
_STATUS_LINE = re.compile(rb"HTTP/\d(?:\.\d)? (\d{3})[^\r\n]*\r?\n")
_MAX_DEPTH = 4


class Throttled(Retryable):
    """The account has too many calls; this one took no effect. ``wait_secs`` is what the system asks for, if any."""

    def __init__(self, message: str, *, account: str, wait_secs: float | None = None) -> None:
        super().__init__(message, retry_after_secs=wait_secs)
        self.account = account
        self.wait_secs = wait_secs


@dataclass(frozen=True, slots=True)
class Answer:
    """One HTTP answer, or one part of a batch's. Names of ``headers`` are in lower case."""

    status: int
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""


def find_throttling(answer: Answer, *, account: str, now: dt.datetime) -> Throttled | None:
    """The refusal that the answer stands for; None for every other answer, an outage included.

    A 503 without Retry-After is an outage. Codes count only where a refusal has them, not anywhere in a text.
    """
    wait_secs = retry_after_secs(answer.headers.get("retry-after"), now)
    if answer.status == _TOO_MANY or (answer.status == _OUT and wait_secs is not None):
        return Throttled(f"HTTP {answer.status}", account=account, wait_secs=wait_secs)
    code = _code_of(answer)
    return None if code is None else Throttled(f"HTTP {answer.status}: {code}", account=account, wait_secs=wait_secs)


def find_batch_throttling(answer: Answer, *, account: str, now: dt.datetime) -> Mapping[int, Throttled]:
    """The refused parts of a batch's answer by their place, from 0; the other parts have their own outcome.

    Reads OData's multipart answer (change sets flattened) and its JSON form.
    """
    found = {
        place: find_throttling(part, account=account, now=now) for place, part in enumerate(parts_of_batch(answer))
    }
    return {place: throttled for place, throttled in found.items() if throttled is not None}


def parts_of_batch(answer: Answer) -> Sequence[Answer]:
    """The answers inside a batch's answer, in order; none where it is no batch."""
    content_type = answer.headers.get("content-type", "")
    if content_type.lower().startswith("multipart/"):
        head = b"Content-Type: " + content_type.encode("latin-1", "replace") + b"\r\n\r\n"
        message = BytesParser(policy=policy.HTTP).parsebytes(head + answer.body)
        leaves = (part for part in message.walk() if not part.is_multipart())
        return [_http_part(bytes(part.get_payload(decode=True) or b"")) for part in leaves]
    try:
        document = parse_json(answer.body, max_bytes=len(answer.body) + 1)
    except JsonError:
        return []
    responses = document.get("responses") if isinstance(document, Mapping) else None
    return [_json_part(each) for each in responses if isinstance(each, Mapping)] if isinstance(responses, list) else []


def _http_part(text: bytes) -> Answer:
    status = _STATUS_LINE.match(text)
    if status is None:
        return Answer(0)
    message = BytesParser(policy=policy.HTTP).parsebytes(text[status.end() :])
    headers = {name.lower(): str(value) for name, value in message.items()}
    return Answer(int(status[1]), headers, bytes(message.get_payload(decode=True) or b""))


def _json_part(part: Mapping[str, object]) -> Answer:
    status, headers, body = part.get("status"), part.get("headers"), part.get("body")
    named = {str(k).lower(): str(v) for k, v in headers.items()} if isinstance(headers, Mapping) else {}
    refusal = _code_in(body, 0)
    text = b'{"code": "%s"}' % refusal.encode() if refusal is not None else b""
    return Answer(status if isinstance(status, int) else 0, named, text)


def _code_of(answer: Answer) -> str | None:
    if answer.status < 400 or len(answer.body) > MAX_BODY_BYTES:  # noqa: PLR2004  - successes are not looked into
        return None
    fault = _FAULT.search(answer.body)
    limit = _LIMIT_FAULT.search(answer.body, fault.end()) if fault else None
    if limit is not None:
        return limit[0].strip(b"</> \t\r\n").rpartition(b":")[2].decode()
    try:
        return _code_in(parse_json(answer.body, max_bytes=MAX_BODY_BYTES), 0)
    except JsonError:
        return None


def _code_in(document: object, depth: int) -> str | None:
    """The refusal's code in an error document, wherever the system nests it."""
    if depth > _MAX_DEPTH:
        return None
    if isinstance(document, Mapping):
        for key, value in document.items():
            if str(key).lower() in _CODE_KEYS and value in _CODES:
                return str(value)
        children = list(document.values())
    else:
        children = list(document) if isinstance(document, list) else []
    return next((code for child in children if (code := _code_in(child, depth + 1)) is not None), None)


class AccountBudget:
    """Calls under way to one account: at most ``limit`` at a time, whichever flow they belong to.

    One object per account and process, handed to every client of it; safe for the tasks of one event loop. A process
    knows only its own calls: the limits of all processes of an account must add up to what the account may.
    """

    def __init__(
        self,
        account: str,
        limit: int,
        *,
        patience_secs: float = PATIENCE_SECS,
        monotonic: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], Awaitable[object]] = asyncio.sleep,
    ) -> None:
        self.account = account
        self._free = asyncio.Semaphore(limit)
        self._left = limit
        self._patience_secs = patience_secs
        self._monotonic = monotonic
        self._sleep = sleep
        self._closed_until = monotonic()

    def calls_free(self) -> int:
        """How many more calls may begin now; 0 while the account is throttled. Any thread may ask."""
        return 0 if self._closed_until > self._monotonic() else self._left

    @asynccontextmanager
    async def slot(self) -> AsyncIterator[None]:
        """One call's place. Waits for a free one, and while the account asked for a pause.

        A ``Throttled`` from within closes the account for everybody as long as the system said, and becomes
        ``Unavailable``: the caller's loop pauses, no record is to blame (Invariant 7). Raises ``Unavailable`` without
        calling while the pause that is left is longer than ``patience_secs``.
        """
        async with self._free:
            await self._wait_until_open()
            self._left -= 1
            try:
                yield
            except Throttled as throttled:
                wait_secs = throttled.wait_secs or 0.0
                self._closed_until = max(self._closed_until, self._monotonic() + wait_secs)
                raise Unavailable(
                    f"{self.account} is throttled: {throttled}", retry_after_secs=throttled.wait_secs
                ) from throttled
            finally:
                self._left += 1

    async def _wait_until_open(self) -> None:
        while (left := self._closed_until - self._monotonic()) > 0:
            if left > self._patience_secs:
                raise Unavailable(f"{self.account} is throttled", retry_after_secs=left)
            await self._sleep(left)
