"""T34: "too much" in every form that systems say it."""

from __future__ import annotations

import datetime as dt

import pytest

from tieline.connectors.kit.throttling import (
    Answer,
    find_batch_throttling,
    find_throttling,
    parts_of_batch,
)
from tieline.kernel.errors import Retryable

NOW = dt.datetime(2026, 5, 1, 12, tzinfo=dt.UTC)
RESTLET = b'{"error": {"code": "SSS_REQUEST_LIMIT_EXCEEDED", "message": "{\\"type\\":\\"error.SuiteScriptError\\"}"}}'
SOAP = (
    b'<?xml version="1.0"?><soapenv:Envelope xmlns:soapenv="http://schemas.xmlsoap.org/soap/envelope/"><soapenv:Body>'
    b"<soapenv:Fault><faultcode>soapenv:Server.userException</faultcode><faultstring>Too many</faultstring><detail>"
    b'<platformFaults:%s xmlns:platformFaults="urn:faults"><platformFaults:code>WS_CONCUR</platformFaults:code>'
    b"</platformFaults:%s></detail></soapenv:Fault></soapenv:Body></soapenv:Envelope>"
)


def soap(name: bytes) -> bytes:
    return SOAP % (name, name)


FORMS: dict[str, tuple[Answer, float | None]] = {
    "429 with seconds": (Answer(429, {"retry-after": "7"}), 7.0),
    "429 with a date": (Answer(429, {"retry-after": "Fri, 01 May 2026 12:01:30 GMT"}), 90.0),
    "429 without a word": (Answer(429), None),
    "503 with seconds": (Answer(503, {"retry-after": "30"}), 30.0),
    "400 with a code": (Answer(400, {}, RESTLET), None),
    "400 with a code at the top": (Answer(400, {}, b'{"code": "SSS_REQUEST_LIMIT_EXCEEDED"}'), None),
    "400 with a code and a wait": (Answer(400, {"retry-after": "2"}, RESTLET), 2.0),
    "400 with details": (
        Answer(400, {}, b'{"o:errorDetails": [{"o:errorCode": "SSS_REQUEST_LIMIT_EXCEEDED"}]}'),
        None,
    ),
    "SOAP concurrency": (Answer(500, {}, soap(b"ExceededConcurrentRequestLimitFault")), None),
    "SOAP concurrency, as an element": (Answer(500, {}, soap(b"exceededConcurrentRequestLimitFault")), None),
    "SOAP requests": (Answer(500, {}, soap(b"ExceededRequestLimitFault")), None),
    "SOAP, by its code": (
        Answer(500, {}, soap(b"InsufficientFault").replace(b"WS_CONCUR", b"WS_REQUEST_BLOCKED")),
        None,
    ),
    "another status with seconds": (Answer(420, {"retry-after": "3"}), 3.0),
    "403 with a code": (Answer(403, {}, b'[{"errorCode": "REQUEST_LIMIT_EXCEEDED", "message": "..."}]'), None),
    "403 with nothing left": (Answer(403, {"x-ratelimit-remaining": "0", "x-ratelimit-reset": "45"}), 45.0),
    "503 with nothing left": (Answer(503, {"x-ratelimit-remaining": "0"}), None),
    "429 with a reset": (Answer(429, {"x-ratelimit-remaining": "0", "x-ratelimit-reset": "1777636860"}), 60.0),
    "a success with an error": (
        Answer(200, {}, b'{"errors": [{"message": "Throttled", "extensions": {"code": "THROTTLED"}}]}'),
        None,
    ),
    "a success with an error and no data": (
        Answer(200, {}, b'{"data": null, "errors": [{"extensions": {"code": "THROTTLED"}}]}'),
        None,
    ),
    "a RESTlet's error under 200": (Answer(200, {}, RESTLET), None),
    "a success whose text is the error": (
        Answer(200, {}, b'{"status": "error", "messages": "Too many requests", "payload": null}'),
        None,
    ),
}


@pytest.mark.parametrize("form", FORMS)
def test_t34_every_form_is_throttling_with_its_wait_and_account(form: str) -> None:
    answer, wait_secs = FORMS[form]
    found = find_throttling(answer, account="TSTDRV1", now=NOW)
    assert found is not None
    assert isinstance(found, Retryable)
    assert (found.account, found.wait_secs, found.retry_after_secs) == ("TSTDRV1", wait_secs, wait_secs)


OTHERS = {
    "success": Answer(200),
    "an outage": Answer(503),
    "a refused value": Answer(400, {}, b'{"error": {"code": "INVALID_VALUE"}}'),
    "a code in a text": Answer(400, {}, b'{"error": {"message": "SSS_REQUEST_LIMIT_EXCEEDED"}}'),
    "a record that speaks of it": Answer(200, {}, b'{"note": {"code": "SSS_REQUEST_LIMIT_EXCEEDED"}}'),
    "records that speak of it": Answer(200, {}, b'[{"error": {"code": "SSS_REQUEST_LIMIT_EXCEEDED"}}]'),
    "a success of which a part was done": Answer(
        200, {}, b'{"data": {"assetCreate": {"id": 7}}, "errors": [{"extensions": {"code": "THROTTLED"}}]}'
    ),
    "a message that speaks of it": Answer(200, {}, b'{"status": "error", "messages": "Name: too many requests of it"}'),
    "a note of too many": Answer(200, {}, b'{"status": "success", "messages": "Too many requests"}'),
    "a success with nothing left": Answer(200, {"x-ratelimit-remaining": "0"}),
    "a missing record with nothing left": Answer(404, {"x-ratelimit-remaining": "0"}),
    "a locked record": Answer(423, {"retry-after": "5"}),
    "a conflict": Answer(409, {"retry-after": "5"}),
    "a SOAP fault's code in a text": Answer(500, {}, soap(b"InvalidFault").replace(b"Too many", b"WS_REQUEST_BLOCKED")),
    "another fault": Answer(500, {}, soap(b"InvalidCredentialsFault")),
    "a fault's name in a text": Answer(
        500, {}, soap(b"InvalidFault").replace(b"Too many", b"not ExceededRequestLimitFault")
    ),
    "its name outside a fault": Answer(500, {}, b"<ExceededRequestLimitFault/>"),
    "no document at all": Answer(500, {}, b"\xff\xfe<html>"),
    "a huge body": Answer(400, {}, RESTLET + b" " * 70_000),
}


@pytest.mark.parametrize("form", OTHERS)
def test_t34_nothing_else_is_throttling(form: str) -> None:
    assert find_throttling(OTHERS[form], account="A", now=NOW) is None


MULTIPART = b"\r\n".join(
    [
        b"--batch_1",
        b"Content-Type: application/http",
        b"Content-Transfer-Encoding: binary",
        b"",
        b"HTTP/1.1 201 Created",
        b"Content-Type: application/json",
        b"",
        b'{"AssetNumber": "FA-1"}',
        b"--batch_1",
        b"Content-Type: application/http",
        b"",
        b"HTTP/1.1 429 Too Many Requests",
        b"Retry-After: 12",
        b"",
        b"",
        b"--batch_1",
        b'Content-Type: multipart/mixed; boundary="set_1"',
        b"",
        b"--set_1",
        b"Content-Type: application/http",
        b"Content-ID: 3",
        b"",
        b"HTTP/1.1 400 Bad Request",
        b"Content-Type: application/json",
        b"",
        RESTLET,
        b"--set_1--",
        b"--batch_1--",
        b"",
    ]
)
JSON_BATCH = (
    b'{"responses": [{"id": "1", "status": 204}, {"id": "2", "status": 429, "headers": {"Retry-After": "12"}},'
    b' {"id": "3", "status": 400, "body": ' + RESTLET + b"}]}"
)
BATCHES = {
    "multipart": Answer(200, {"content-type": "multipart/mixed; boundary=batch_1"}, MULTIPART),
    "JSON": Answer(200, {"content-type": "application/json"}, JSON_BATCH),
}


@pytest.mark.parametrize("form", BATCHES)
def test_t34_a_part_of_a_batch_is_throttled_though_the_batch_succeeded(form: str) -> None:
    found = find_batch_throttling(BATCHES[form], account="A", now=NOW)
    assert {place: throttled.wait_secs for place, throttled in found.items()} == {1: 12.0, 2: None}


@pytest.mark.parametrize(
    "answer",
    [
        Answer(200),
        Answer(200, {"content-type": "multipart/mixed"}, b"no boundary"),
        Answer(200, {"content-type": "multipart/mixed; boundary=b"}, b"--b\r\n\r\nno status line\r\n--b--"),
        Answer(200, {"content-type": "application/json"}, b'{"responses": 7}'),
        Answer(200, {"content-type": "application/json"}, b'{"responses": [7, {"status": "429"}]}'),
        Answer(200, {"content-type": "application/json"}, b"{"),
    ],
)
def test_t34_a_batch_that_cannot_be_read_has_no_throttled_part(answer: Answer) -> None:
    assert find_batch_throttling(answer, account="A", now=NOW) == {}


def test_the_parts_of_a_batch_are_in_order() -> None:
    assert [part.status for part in parts_of_batch(BATCHES["multipart"])] == [201, 429, 400]
    assert [part.status for part in parts_of_batch(BATCHES["JSON"])] == [204, 429, 400]
