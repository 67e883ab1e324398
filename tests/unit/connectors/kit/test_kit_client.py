"""One request: what is sent, what its answer means, and what is never taken for an answer."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal

import httpx
import pytest
from tests.unit.connectors.kit.kit_api import Server, answer

from tieline.connectors.kit.client import Request, path_of, perform
from tieline.connectors.kit.verdicts import ErrorTable, Means, Rule, Words, words_at
from tieline.kernel.errors import OutcomeUnknown, Rejected, Retryable, Stop, TielineError, Unavailable

READ, WRITE = Request("GET", "/items"), Request("POST", "/items", body={})
FAILED = {"error": {"code": "E1", "message": "not so", "field": "Name"}}


async def test_a_body_goes_out_exactly_and_the_answer_comes_back_exactly() -> None:
    server = Server(
        [httpx.Response(201, content=b'{"cost": 90071992547409.93}', headers={"Date": "Sat, 21 Nov 2026 12:00:00 GMT"})]
    )
    body = {"cost": Decimal("90071992547409.93")}
    reply = await perform(server.api(), Request("POST", "/items", {"a": "1 2"}, body, {"If-Match": '"7"'}))
    assert reply.record == body
    assert reply.made_at == dt.datetime(2026, 11, 21, 12, tzinfo=dt.UTC)
    [request] = server.seen
    assert request.content == b'{"cost":90071992547409.93}'
    assert (request.headers["If-Match"], request.headers["Content-Type"]) == ('"7"', "application/json")
    assert str(request.url) == "https://erp.example.com/base/items?a=1+2"
    assert request.headers["Authorization"] == "Bearer t0k3n"


@pytest.mark.parametrize(
    ("request_", "given", "error"),
    [
        (READ, answer(400, FAILED), Rejected),
        (READ, answer(404, None), Rejected),
        (READ, answer(401, None), Stop),
        (READ, answer(403, FAILED), Stop),
        (READ, answer(302, None, location="https://elsewhere"), Stop),
        (WRITE, answer(409, FAILED), Rejected),
        (WRITE, answer(412, None), Retryable),
        (READ, answer(429, None, retry_after="3"), Unavailable),
        (WRITE, answer(400, {"error": {"code": "SSS_REQUEST_LIMIT_EXCEEDED"}}), Unavailable),
        (WRITE, answer(503, None, retry_after="3"), Unavailable),
        (READ, answer(502, None), Unavailable),
        (WRITE, answer(502, None), OutcomeUnknown),
        (READ, answer(500, FAILED), Retryable),
        (WRITE, answer(500, FAILED), OutcomeUnknown),
        (READ, httpx.ConnectError("no"), Unavailable),
        (WRITE, httpx.ConnectTimeout("no"), Unavailable),
        (READ, httpx.ReadTimeout("silence"), Retryable),
        (WRITE, httpx.ReadTimeout("silence"), OutcomeUnknown),
        (WRITE, httpx.RemoteProtocolError("cut"), OutcomeUnknown),
        (READ, httpx.Response(200, content=b"<html>down</html>"), Retryable),
        (WRITE, httpx.Response(200, content=b'{"id": 1'), OutcomeUnknown),
        (WRITE, answer(200, FAILED), Rejected),
        (Request("GET", "/execute/Add", writes=True), httpx.ReadTimeout("silence"), OutcomeUnknown),
        (Request("POST", "/query", writes=False), httpx.ReadTimeout("silence"), Retryable),
    ],
)
async def test_what_an_answer_means(
    request_: Request, given: httpx.Response | Exception, error: type[TielineError]
) -> None:
    with pytest.raises(error) as caught:
        await perform(Server([given]).api(), request_)
    assert type(caught.value) is error


async def test_a_refusal_says_the_systems_words_and_field() -> None:
    with pytest.raises(Rejected) as caught:
        await perform(Server([answer(422, FAILED)]).api(), WRITE)
    assert (caught.value.field, caught.value.reason) == ("Name", "HTTP 422: not so")


TABLE = ErrorTable(
    words_at(code="error.code", message="error.message"),
    (
        Rule(Means.CHANGED, statuses=(409,)),
        Rule(Means.CHANGED, code="^LOCK"),
        Rule(Means.UNAVAILABLE, statuses=(500,), message="maintenance"),
        Rule(Means.UNKNOWN, code="^MAYBE"),
        Rule(Means.STOP, code="^LICENCE", remedy="Buy one"),
        Rule(Means.REJECTED, statuses=(500,), code="^BUSINESS"),
    ),
)


@pytest.mark.parametrize(
    ("status", "code", "message", "error"),
    [
        (409, "X", "y", Retryable),
        (400, "lock_held", "y", Retryable),
        (200, "LOCK", "y", Retryable),
        (500, "X", "Down for Maintenance", Unavailable),
        (200, "MAYBE", "y", OutcomeUnknown),
        (400, "LICENCE", "y", Stop),
        (500, "BUSINESS", "y", Rejected),
        (500, "X", "y", OutcomeUnknown),
        (400, "X", "y", Rejected),
    ],
)
async def test_a_connectors_table_goes_before_what_http_says(
    status: int, code: str, message: str, error: type[TielineError]
) -> None:
    given = answer(status, {"error": {"code": code, "message": message}})
    with pytest.raises(error) as caught:
        await perform(Server([given]).api(errors=TABLE), WRITE)
    assert type(caught.value) is error


async def test_what_may_pass_comes_back_with_its_words() -> None:
    reply = await perform(Server([answer(200, FAILED)]).api(), Request("GET", "/items", passed=(200,)))
    assert reply.words == Words("E1", "not so", "Name")
    gone = await perform(Server([answer(404, FAILED)]).api(), Request("GET", "/items", passed=(404,)))
    assert (gone.status, gone.words) == (404, Words("E1", "not so", "Name"))


def test_words_stand_at_the_first_path_that_has_any_and_only_where_the_key_says_error() -> None:
    read = words_at(code="a.code|b.code", message="m", when="failed")
    assert read({"failed": 2, "b": {"code": 7}, "m": "no"}) == Words("7", "no")
    assert read({"failed": 0, "m": "no"}) is None, "none failed"
    assert words_at(message="m", when="status=error")({"status": "error"}) == Words()
    assert words_at(message="m", when="status=error")({"status": "success", "m": "done"}) is None
    assert read({"failed": False, "m": "no"}) is None
    assert read({"m": "no"}) is None
    assert words_at(message="m")({"m": "", "x": 1}) is None


async def test_an_answer_that_is_too_long_is_not_read_on() -> None:
    server = Server([httpx.Response(200, content=b'{"x": "' + b"x" * 20_000 + b'"}')])
    with pytest.raises(Retryable, match="longer than 10000 bytes"):
        await perform(server.api(max_answer_bytes=10_000), READ)
    with pytest.raises(OutcomeUnknown, match="longer than 10000 bytes"):
        await perform(server.api(max_answer_bytes=10_000), WRITE)


async def test_an_answer_that_is_no_json_is_handed_over_where_that_was_asked_for() -> None:
    server = Server([httpx.Response(200, content=b"<soap/>")])
    reply = await perform(server.api(), Request("POST", "/ws", content=b"<q/>", content_type="text/xml", is_json=False))
    assert (reply.body, reply.document) == (b"<soap/>", None)
    assert server.seen[0].headers["Content-Type"] == "text/xml"
    with pytest.raises(OutcomeUnknown, match="not a JSON object"):
        _ = reply.record


@pytest.mark.parametrize(
    "link", ["https://evil.example.com/x", "http://erp.example.com/x", "https://erp.example.com:444/x"]
)
async def test_our_credentials_go_to_the_endpoint_only(link: str) -> None:
    server = Server([answer(200, {})])
    with pytest.raises(Stop, match="a link leads to"):
        await perform(server.api(), Request("GET", link))
    assert server.seen == []


@pytest.mark.parametrize("body", [b"[]", b"null", b""])
async def test_a_write_whose_answer_is_no_record_may_have_landed(body: bytes) -> None:
    server = Server([httpx.Response(200, content=body)])
    for asked, error in ((WRITE, OutcomeUnknown), (READ, Retryable)):
        reply = await perform(server.api(), asked)
        with pytest.raises(error, match="not a JSON object"):
            _ = reply.record


def test_an_id_cannot_lead_to_another_path() -> None:
    assert path_of("/items/{id}/parts/{part}", id="a/../b", part=7) == "/items/a%2F..%2Fb/parts/7"
    for text in ("", ".", ".."):
        with pytest.raises(Rejected, match="is not an id"):
            path_of("/items/{id}", id=text)
