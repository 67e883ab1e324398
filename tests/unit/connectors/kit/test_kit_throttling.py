"""T34: "too much" in every form that systems say it, and a budget that no number of flows exceeds."""

from __future__ import annotations

import asyncio
import datetime as dt
from collections.abc import Awaitable, Callable

import httpx
import pytest

from tieline.connectors.kit.throttling import (
    AccountBudget,
    Answer,
    Throttled,
    find_batch_throttling,
    find_throttling,
    parts_of_batch,
)
from tieline.kernel.errors import Retryable, Unavailable

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
    "a record that speaks of it": Answer(200, {}, RESTLET),
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


# ---- the budget -----------------------------------------------------------------------------------------------


class Server:
    """Counts the calls that are under way at one time, and refuses those beyond its own limit."""

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.under_way = self.most = self.served = self.refused = 0

    async def __call__(self, request: httpx.Request) -> httpx.Response:
        self.under_way += 1
        self.most = max(self.most, self.under_way)
        try:
            if self.under_way > self.limit:
                self.refused += 1
                return httpx.Response(429, headers={"Retry-After": "1"})
            for _ in range(3 + int(request.url.params["n"]) % 4):
                await asyncio.sleep(0)
            self.served += 1
            return httpx.Response(200)
        finally:
            self.under_way -= 1


async def call(budget: AccountBudget, http: httpx.AsyncClient, number: int) -> None:
    async with budget.slot():
        answer = await http.get(f"http://server/?n={number}")
        throttled = find_throttling(Answer(answer.status_code, answer.headers), account=budget.account, now=NOW)
        if throttled is not None:
            raise throttled


@pytest.mark.parametrize("limit", [1, 5, 15])
async def test_t34_the_calls_of_all_flows_together_never_exceed_the_accounts_budget(limit: int) -> None:
    server, budget = Server(limit), AccountBudget("A", limit)
    # Four flows with a client of their own; one account, so one budget.
    async with asyncio.TaskGroup() as flows:
        for _ in range(4):
            flows.create_task(_flow(budget, server))
    assert (server.most, server.served, server.refused) == (limit, 160, 0)


async def _flow(budget: AccountBudget, server: Server) -> None:
    async with httpx.AsyncClient(transport=httpx.MockTransport(server)) as http, asyncio.TaskGroup() as group:
        for number in range(40):
            group.create_task(call(budget, http, number))


class Time:
    """A clock that moves when somebody sleeps."""

    def __init__(self) -> None:
        self.now = 100.0
        self.slept: list[float] = []

    async def sleep(self, secs: float) -> None:
        self.slept.append(secs)
        self.now += secs

    def budget(self, limit: int = 2, patience_secs: float = 5.0) -> AccountBudget:
        return AccountBudget("A", limit, patience_secs=patience_secs, monotonic=lambda: self.now, sleep=self.sleep)


async def refuse(budget: AccountBudget, wait_secs: float | None) -> Unavailable:
    with pytest.raises(Unavailable) as caught:
        async with budget.slot():
            raise Throttled("HTTP 429", account="A", wait_secs=wait_secs)
    return caught.value


async def test_t34_a_refusal_is_an_outage_of_the_account_never_a_fault_of_the_record() -> None:
    error = await refuse(Time().budget(), 17.0)
    assert error.retry_after_secs == 17.0
    assert isinstance(error.__cause__, Throttled)


async def test_t34_all_flows_wait_while_one_was_told_to() -> None:
    time = Time()
    budget = time.budget()
    await refuse(budget, 3.0)
    async with budget.slot():
        assert time.slept == [3.0]


async def test_t34_a_long_pause_is_passed_on_without_a_call() -> None:
    time = Time()
    budget = time.budget()
    await refuse(budget, 60.0)
    time.now += 20.0
    with pytest.raises(Unavailable) as caught:
        async with budget.slot():
            pytest.fail("nothing may be sent")
    assert caught.value.retry_after_secs == 40.0
    assert time.slept == []


async def test_t34_a_shorter_wait_does_not_open_what_a_longer_one_closed() -> None:
    time = Time()
    budget = time.budget(patience_secs=60.0)

    async def told(wait_secs: float) -> None:
        async with budget.slot():
            await asyncio.sleep(0)
            raise Throttled("HTTP 429", account="A", wait_secs=wait_secs)

    ends = await asyncio.gather(told(30.0), told(1.0), return_exceptions=True)
    assert [type(end) for end in ends] == [Unavailable, Unavailable]
    async with budget.slot():
        assert time.now >= 130.0


async def test_a_place_is_free_again_after_any_end() -> None:
    budget = Time().budget(limit=1)
    for error in (ValueError(), Throttled("HTTP 429", account="A")):
        with pytest.raises((ValueError, Unavailable)):
            async with budget.slot():
                raise error
    opened: Callable[[], Awaitable[None]] = budget.slot().__aenter__
    await asyncio.wait_for(opened(), 1.0)


async def test_what_is_free_is_the_limit_less_the_calls_under_way_and_nothing_while_throttled() -> None:
    time = Time()
    budget = time.budget(limit=3)
    async with budget.slot(), budget.slot():
        assert budget.calls_free() == 1
    assert budget.calls_free() == 3
    await refuse(budget, 10.0)
    assert budget.calls_free() == 0
    time.now += 10.0
    assert budget.calls_free() == 3
