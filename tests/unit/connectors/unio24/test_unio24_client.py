"""Answers that look like success and are not, and what the client makes of them."""

from __future__ import annotations

import asyncio
import datetime as dt
import gzip
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import httpx
import pytest

from tieline.connectors.kit.governor import Governor
from tieline.connectors.unio24.client import Client, open_http
from tieline.connectors.unio24.profile import Profile, load_profile
from tieline.connectors.unio24.settings import read_settings
from tieline.kernel.errors import OutcomeUnknown, Rejected, Retryable, Stop, Unavailable
from tieline.kernel.quotas import UNLIMITED

PROFILE_FILE = Path(__file__).parents[4] / "deploy" / "local" / "unio24.profile.yaml"
NOW = dt.datetime(2026, 5, 1, 12, tzinfo=dt.UTC)
SETTINGS = read_settings(
    "am",
    {
        "endpoint": "http://127.0.0.1:1",
        "profile": str(PROFILE_FILE),
        "token": "s3cret",
        "max_answer_bytes": 10_000,
        "request_timeout_secs": 0.5,
    },
)
Answering = Callable[[Callable[[httpx.Request], httpx.Response]], Client]


@pytest.fixture(scope="module")
def profile() -> Profile:
    return load_profile(PROFILE_FILE)


@pytest.fixture
async def answering(profile: Profile) -> AsyncIterator[Answering]:
    opened: list[Client] = []

    def build(handler: Callable[[httpx.Request], httpx.Response]) -> Client:
        http = httpx.AsyncClient(transport=httpx.MockTransport(handler), base_url=SETTINGS.endpoint)
        opened.append(Client(SETTINGS, profile, http=http, clock=lambda: NOW))
        return opened[-1]

    yield build
    for client in opened:
        await client.close()


BROKEN = [
    b'{"id": 1, "na',
    b"<html>Sign in</html>",
    b'{"id": 1, "id": 2}',
    b'{"amount": NaN}',
    b"\xff\xfe",
    b"[" * 9_000,
    b" " * 10_001,
]


@pytest.mark.parametrize("body", BROKEN, ids=lambda body: repr(body[:12]))
async def test_success_with_an_unreadable_body_is_no_success(answering: Answering, body: bytes) -> None:
    client = answering(lambda _: httpx.Response(200, content=body))
    with pytest.raises(OutcomeUnknown, match="the answer is unusable"):
        await client.send("POST", "/api/v1/assets", body={})
    with pytest.raises(Retryable, match="the answer is unusable"):
        await client.send("GET", "/api/v1/assets")


async def test_a_small_body_that_unpacks_to_a_large_one_is_not_read_whole(answering: Answering) -> None:
    packed = gzip.compress(b" " * 5_000_000)
    assert len(packed) < 10_000
    client = answering(lambda _: httpx.Response(200, content=packed, headers={"Content-Encoding": "gzip"}))
    with pytest.raises(Retryable, match="longer than 10000 bytes"):
        await client.send("GET", "/api/v1/assets")


@pytest.mark.parametrize("status", [200, 201, 202])
async def test_any_success_status_is_success(answering: Answering, status: int) -> None:
    client = answering(lambda _: httpx.Response(status, json={"id": 1}))
    assert (await client.send("POST", "/api/v1/assets", body={})).document == {"id": 1}


async def test_an_error_page_that_is_not_json_is_classified_by_its_status(answering: Answering) -> None:
    client = answering(lambda _: httpx.Response(502, content=b"<html>Bad gateway</html>"))
    with pytest.raises(Unavailable):
        await client.send("GET", "/api/v1/assets")
    with pytest.raises(OutcomeUnknown):
        await client.send("PATCH", "/api/v1/assets/1", body={})


async def test_a_redirect_stops_and_the_token_goes_nowhere(answering: Answering) -> None:
    asked: list[str] = []

    def elsewhere(request: httpx.Request) -> httpx.Response:
        asked.append(str(request.url))
        return httpx.Response(302, headers={"Location": "http://evil.example/"})

    with pytest.raises(Stop, match="the endpoint"):
        await answering(elsewhere).send("GET", "/api/v1/assets")
    assert asked == ["http://127.0.0.1:1/api/v1/assets"]


async def test_a_rejection_carries_their_words_bounded(answering: Answering) -> None:
    client = answering(lambda _: httpx.Response(422, json={"error": "x" * 5_000, "field": "name"}))
    with pytest.raises(Rejected) as caught:
        await client.send("POST", "/api/v1/assets", body={})
    assert caught.value.field == "name"
    assert len(str(caught.value)) < 500


@pytest.mark.parametrize(
    "body", [b"[]", b"{}", b'{"items": {}}', b'{"items": [1]}', b'{"items": null, "next_page_token": "x"}', b""]
)
async def test_a_list_without_a_list_is_no_empty_list(answering: Answering, profile: Profile, body: bytes) -> None:
    client = answering(lambda _: httpx.Response(200, content=body))
    with pytest.raises(Retryable):
        await client.list_page(profile.assets, size=10)


async def test_a_page_is_dated_by_their_clock_else_by_ours(answering: Answering, profile: Profile) -> None:
    page = b'{"items": []}'
    theirs = {"Date": "Fri, 01 May 2026 11:59:00 GMT"}
    dated = answering(lambda _: httpx.Response(200, content=page, headers=theirs))
    assert (await dated.list_page(profile.assets, size=1)).made_at == NOW - dt.timedelta(minutes=1)
    undated = answering(lambda _: httpx.Response(200, content=page))
    assert (await undated.list_page(profile.assets, size=1)).made_at == NOW
    unreadable = answering(lambda _: httpx.Response(200, content=page, headers={"Date": "yesterday"}))
    assert (await unreadable.list_page(profile.assets, size=1)).made_at == NOW


async def test_an_exchange_that_drips_for_ever_ends(answering: Answering) -> None:
    async def drip() -> AsyncIterator[bytes]:

        while True:
            await asyncio.sleep(0.05)
            yield b" "

    client = answering(lambda _: httpx.Response(200, content=drip()))
    with pytest.raises(Retryable, match="TimeoutError"):
        await client.send("GET", "/api/v1/assets")


async def test_the_version_goes_along_only_where_the_profile_says_so(answering: Answering, profile: Profile) -> None:
    seen: list[str | None] = []

    def note(request: httpx.Request) -> httpx.Response:
        seen.append(request.headers.get("If-Match"))
        return httpx.Response(200, json={})

    client = answering(note)
    await client.send("PATCH", "/api/v1/assets/1", body={}, version="3")
    client._profile = profile.model_copy(update={"if_match": False})
    await client.send("PATCH", "/api/v1/assets/1", body={}, version="3")
    assert seen == ['"3"', None]


async def test_the_real_pool_is_bounded_authenticated_and_never_redirected() -> None:
    http = open_http(SETTINGS)
    assert http.headers["Authorization"] == "Bearer s3cret"
    assert not http.follow_redirects
    assert "s3cret" not in repr(SETTINGS)
    await http.aclose()


async def test_t34_a_refusal_that_is_no_429_pauses_the_account_and_rejects_nothing(answering: Answering) -> None:
    body = b'{"error": {"code": "SSS_REQUEST_LIMIT_EXCEEDED"}}'
    sent: list[str] = []

    def refuse(request: httpx.Request) -> httpx.Response:
        sent.append(request.method)
        return httpx.Response(400, content=body, headers={"Retry-After": "30"})

    client = answering(refuse)
    for _ in range(2):
        with pytest.raises(Unavailable) as caught:
            await client.send("POST", "/assets", body={})
        assert caught.value.retry_after_secs == pytest.approx(30, abs=1)
    assert sent == ["POST"], "while the account is closed nothing is sent"


@pytest.mark.parametrize("status", [429, 503])
@pytest.mark.parametrize("asked", ["30", "Fri, 01 May 2026 12:00:30 GMT"])
async def test_the_pause_that_is_asked_for_is_passed_on(answering: Answering, status: int, asked: str) -> None:
    client = answering(lambda _: httpx.Response(status, headers={"Retry-After": asked}))
    with pytest.raises(Unavailable) as caught:
        await client.send("POST", "/assets", body={})
    assert caught.value.retry_after_secs == pytest.approx(30, abs=1)


async def test_t34_the_clients_of_an_account_share_its_budget(profile: Profile) -> None:
    under_way, most = 0, 0

    async def count(_: httpx.Request) -> httpx.Response:
        nonlocal under_way, most
        under_way += 1
        most = max(most, under_way)
        await asyncio.sleep(0.001)
        under_way -= 1
        return httpx.Response(200, content=b"{}")

    governor = Governor("am", UNLIMITED, most_concurrent=3)
    https = [httpx.AsyncClient(transport=httpx.MockTransport(count), base_url=SETTINGS.endpoint) for _ in range(2)]
    clients = [Client(SETTINGS, profile, http=http, governor=governor) for http in https]
    await asyncio.gather(*(client.send("GET", "/assets") for client in clients for _ in range(20)))
    assert most == 3
    for client in clients:
        await client.close()
