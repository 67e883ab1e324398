"""Throttling: every form in which a system says "too much".

Not every system says it with HTTP 429: some use 503, another status with Retry-After, a 400 or 403 with a code, a SOAP
fault under 500, a success that is an error document, or a part of a batch whose answer as a whole is a success. A
refused call took no effect, so all of them are safe to send again, later.
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from email import policy
from email.parser import BytesParser

from tieline.connectors.kit.outcomes import retry_after_secs
from tieline.connectors.kit.rate_headers import read_left
from tieline.connectors.kit.strict_json import JsonError, parse_json
from tieline.kernel.errors import Retryable

MAX_BODY_BYTES = 64 * 1024  # of a refusal; what is longer is no refusal
_FORBIDDEN, _TOO_MANY, _OUT = 403, 429, 503
# With Retry-After these speak of the record, not of the account: a conflict, a lock, a version that is old.
_OF_THE_RECORD = frozenset({408, 409, 412, 423, 425, 428})
_CODES = frozenset(
    {
        "SSS_REQUEST_LIMIT_EXCEEDED",  # NetSuite: RESTlets, with 400
        "REQUEST_LIMIT_EXCEEDED",  # Salesforce, with 403
        "THROTTLED",  # Shopify: GraphQL, with 200
    }
)
_CODE_KEYS = frozenset({"code", "errorcode", "o:errorcode"})
_FAULT = re.compile(rb"<(?:[\w.-]+:)?Fault[\s>]")
_LIMIT_FAULT = re.compile(
    rb"<(?:[\w.-]+:)?exceeded(?:concurrent)?requestlimitfault[\s/>]"
    rb"|<(?:[\w.-]+:)?(?:fault)?code>(?:[\w.-]+:)?WS_REQUEST_BLOCKED</",
    re.IGNORECASE,
)
_LIMIT_NAME = re.compile(rb"exceeded\w*fault|WS_REQUEST_BLOCKED", re.IGNORECASE)
_TOO_MANY_TEXT = re.compile(r"too many (?:requests|attempts)[.!]?", re.IGNORECASE)
_SUSPECT = re.compile(rb"THROTTLED|REQUEST_LIMIT_EXCEEDED|too many (?:requests|attempts)", re.IGNORECASE)
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

    A 503 with neither Retry-After nor a count of calls that is down to nothing is an outage. Codes count only where a
    refusal has them, not anywhere in a text.
    """
    wait_secs = retry_after_secs(answer.headers.get("retry-after"), now)
    said = wait_secs is not None
    lefts = read_left(answer.headers, now) if answer.status >= 400 else {}  # noqa: PLR2004  - no success
    spent = [left for left in lefts.values() if left.calls <= 0]
    if not said and spent:
        wait_secs = max((left.reset_secs for left in spent if left.reset_secs is not None), default=None)
    if answer.status == _TOO_MANY or (answer.status in {_FORBIDDEN, _OUT} and spent) or (said and _may_say(answer)):
        return Throttled(f"HTTP {answer.status}", account=account, wait_secs=wait_secs)
    code = _code_of(answer)
    return None if code is None else Throttled(f"HTTP {answer.status}: {code}", account=account, wait_secs=wait_secs)


def _may_say(answer: Answer) -> bool:
    """Whether Retry-After beside this status means that there were too many calls."""
    status = answer.status
    return status == _OUT or (400 <= status < 500 and status not in _OF_THE_RECORD)  # noqa: PLR2004  - client errors


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
    if len(answer.body) > MAX_BODY_BYTES:
        return None
    if answer.status < 400:  # noqa: PLR2004  - successes
        return _code_in_success(answer.body) if _SUSPECT.search(answer.body) else None
    fault = _FAULT.search(answer.body)
    limit = _LIMIT_FAULT.search(answer.body, fault.end()) if fault else None
    name = _LIMIT_NAME.search(limit[0]) if limit else None
    if name is not None:
        return name[0].decode()
    try:
        return _code_in(parse_json(answer.body, max_bytes=MAX_BODY_BYTES), 0)
    except JsonError:
        return None


def _code_in_success(body: bytes) -> str | None:
    """The refusal in a success that is an error document as a whole; a record may have the same words in a field."""
    try:
        document = parse_json(body, max_bytes=MAX_BODY_BYTES)
    except JsonError:
        return None
    if not isinstance(document, Mapping):
        return None
    messages = document.get("messages")
    if document.get("status") == "error" and isinstance(messages, str) and _TOO_MANY_TEXT.fullmatch(messages.strip()):
        return messages.strip()  # Snipe-IT's envelope
    if document.get("data") is not None:
        return None  # GraphQL: part of it was done
    return _code_in([document.get("errors"), document.get("error")], 0)


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
