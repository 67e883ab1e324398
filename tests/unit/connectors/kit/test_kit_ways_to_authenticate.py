"""Every way to say who calls, by the document that defines it."""

from __future__ import annotations

import asyncio
import base64
import datetime as dt
import hashlib
import hmac
import json

import httpx
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from joserfc import jwt
from joserfc.jwk import ECKey
from tests.unit.connectors.kit.kit_api import ENDPOINT, Server, answer, form_of

from tieline.connectors.kit.assertions import jwt_assertion
from tieline.connectors.kit.authentication import (
    Authentication,
    basic,
    both,
    client_credentials,
    csrf,
    header,
    session,
)
from tieline.connectors.kit.client import Request, perform
from tieline.connectors.kit.oauth1 import token_based
from tieline.kernel.errors import Stop, Unavailable

TOKENS = "https://login.example.com/token"
REQUIRED = {"X-CSRF-Token": "Required"}
NOW = dt.datetime(2026, 11, 21, 12, tzinfo=dt.UTC)


class Time:
    """A clock that is moved by hand."""

    def __init__(self) -> None:
        self.secs = 0.0

    def __call__(self) -> float:
        return self.secs


def endpoint(server: Server, *, life_secs: int = 3600) -> list[httpx.Request]:
    """A server that gives out tokens t1, t2, …, and answers anything else; the token requests are kept."""
    asked: list[httpx.Request] = []

    def answering(request: httpx.Request) -> httpx.Response:
        if str(request.url) != TOKENS:
            return answer(200, {"id": 1})
        asked.append(request)
        return answer(200, {"access_token": f"t{len(asked)}", "token_type": "Bearer", "expires_in": life_secs})

    server.answering = answering
    return asked


async def sent(server: Server, way: Authentication) -> httpx.Request:
    """The request as it goes out."""
    await perform(server.api(way), Request("GET", "/items"))
    return server.seen[-1]


async def test_fixed_headers_and_basic_and_both_together() -> None:
    server = Server([answer(200, {})])
    request = await sent(server, both(header("App-Token", "a"), basic("user", "p:ss")))
    assert request.headers["App-Token"] == "a"
    assert request.headers["Authorization"] == "Basic " + base64.b64encode(b"user:p:ss").decode()


async def test_a_token_is_fetched_once_for_many_calls_and_renewed_before_its_end() -> None:
    server, time = Server(), Time()
    asked = endpoint(server)
    api = server.api(client_credentials(TOKENS, "me", "s3cret", scope="all", monotonic=time))
    await asyncio.gather(*(perform(api, Request("GET", "/items")) for _ in range(5)))
    assert len(asked) == 1
    assert form_of(asked[0]) == {"grant_type": "client_credentials", "scope": "all"}
    assert asked[0].headers["Authorization"] == "Basic " + base64.b64encode(b"me:s3cret").decode()
    time.secs = 3539  # its last minute has not begun
    await perform(api, Request("GET", "/items"))
    assert len(asked) == 1
    time.secs = 3541
    await perform(api, Request("GET", "/items"))
    assert len(asked) == 2
    assert server.seen[-1].headers["Authorization"] == "Bearer t2"


async def test_id_and_secret_can_go_in_the_form() -> None:
    server = Server()
    asked = endpoint(server)
    await sent(server, client_credentials(TOKENS, "me", "s3cret", in_form=True, more={"resource": "https://erp"}))
    wanted = {
        "grant_type": "client_credentials",
        "client_id": "me",
        "client_secret": "s3cret",
        "resource": "https://erp",
    }
    assert form_of(asked[0]) == wanted
    assert "Authorization" not in asked[0].headers


async def test_a_token_that_ended_early_is_renewed_and_the_call_is_sent_once_more() -> None:
    server = Server()
    asked: list[str] = []

    def answering(request: httpx.Request) -> httpx.Response:
        if str(request.url) == TOKENS:
            asked.append("token")
            return answer(200, {"access_token": f"t{len(asked)}", "expires_in": 3600})
        return answer(200 if request.headers["Authorization"] == "Bearer t2" else 401, {})

    server.answering = answering
    reply = await perform(server.api(client_credentials(TOKENS, "me", "s")), Request("POST", "/items", body={}))
    assert reply.status == 200
    assert asked == ["token", "token"]


async def test_a_client_that_is_refused_again_stops_with_no_third_try() -> None:
    server = Server()
    asked = endpoint(server)
    inner = server.answering
    assert inner is not None
    server.answering = lambda request: inner(request) if str(request.url) == TOKENS else answer(401, {})
    with pytest.raises(Stop, match="Check the token"):
        await perform(server.api(client_credentials(TOKENS, "me", "s")), Request("GET", "/items"))
    assert len(asked) == 2
    assert len(server.seen) == 4


@pytest.mark.parametrize(
    ("given", "error", "says"),
    [
        (answer(401, {"error": "invalid_client", "error_description": "s3cret is wrong"}), Stop, "invalid_client"),
        (answer(400, {"error": "s3cret <b>"}), Stop, "HTTP 400"),
        (answer(200, {"no": "token"}), Stop, "HTTP 200"),
        (answer(503, None, retry_after="7"), Unavailable, "HTTP 503"),
        (answer(500, {}), Unavailable, "HTTP 500"),
        (httpx.ConnectError("s3cret in a URL"), Unavailable, "ConnectError"),
    ],
)
async def test_what_a_token_endpoint_says_no_with(
    given: httpx.Response | Exception, error: type[Exception], says: str
) -> None:
    with pytest.raises(error, match=says) as caught:
        await perform(
            Server([given]).api(client_credentials(TOKENS, "me", "s3cret")), Request("POST", "/items", body={})
        )
    assert "s3cret" not in str(caught.value), "Invariant 14"


def key_pair() -> tuple[str, ECKey]:
    private = ec.generate_private_key(ec.SECP256R1())
    pem = private.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    ).decode()
    return pem, ECKey.import_key(pem)


async def test_a_signed_assertion_proves_the_client() -> None:
    pem, key = key_pair()
    server = Server()
    asked = endpoint(server)
    way = jwt_assertion(
        TOKENS,
        private_key=pem,
        algorithm="ES256",
        issuer="client-id",
        key_id="certificate-1",
        scope="rest_webservices",
        clock=lambda: NOW,
        new_id=lambda: "once",
    )
    assert (await sent(server, way)).headers["Authorization"] == "Bearer t1"
    form = form_of(asked[0])
    assert form["grant_type"] == "client_credentials"
    assert form["client_assertion_type"] == "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
    read = jwt.decode(form["client_assertion"], key, algorithms=["ES256"])
    assert (read.header["alg"], read.header["kid"]) == ("ES256", "certificate-1")
    assert read.claims == {
        "iss": "client-id",
        "sub": "client-id",
        "aud": TOKENS,
        "iat": 1795262400,
        "exp": 1795262700,
        "jti": "once",
        "scope": "rest_webservices",
    }


async def test_an_assertion_can_be_the_grant_itself() -> None:
    pem, key = key_pair()
    server = Server()
    asked = endpoint(server)
    way = jwt_assertion(
        TOKENS, private_key=pem, algorithm="ES256", issuer="i", subject="user", audience="now", as_client=False
    )
    await sent(server, way)
    form = form_of(asked[0])
    assert form["grant_type"] == "urn:ietf:params:oauth:grant-type:jwt-bearer"
    claims = jwt.decode(form["assertion"], key, algorithms=["ES256"]).claims
    assert (claims["sub"], claims["aud"]) == ("user", "now")


def test_a_key_that_does_not_fit_stops_at_once_and_is_not_told() -> None:
    with pytest.raises(Stop, match="is none for RS256") as caught:
        jwt_assertion(TOKENS, private_key="s3cret", algorithm="RS256", issuer="i")
    assert "s3cret" not in str(caught.value)


async def test_a_request_is_signed_by_token_based_authentication() -> None:
    """RFC 5849 section 3.4.1: method, URL and parameters, each percent-encoded, in the order of the parameters."""
    server = Server([answer(200, {})])
    way = token_based(
        consumer_key="ck",
        consumer_secret="c&s",  # noqa: S106  - of nobody
        token="tk",  # noqa: S106  - as above
        token_secret="ts",  # noqa: S106  - as above
        realm="123456_SB1",
        clock=lambda: NOW,
        new_nonce=lambda: "n0nce",
    )
    await perform(server.api(way), Request("POST", "/record/a b", {"replace": "item", "expand": "a/b"}, body={"x": 1}))
    base = (
        "POST&https%3A%2F%2Ferp.example.com%2Fbase%2Frecord%2Fa%2520b&expand%3Da%252Fb%26oauth_consumer_key%3Dck"
        "%26oauth_nonce%3Dn0nce%26oauth_signature_method%3DHMAC-SHA256%26oauth_timestamp%3D1795262400"
        "%26oauth_token%3Dtk%26oauth_version%3D1.0%26replace%3Ditem"
    )
    digest = hmac.new(b"c%26s&ts", base.encode(), hashlib.sha256).digest()
    signature = base64.b64encode(digest).decode().replace("+", "%2B").replace("/", "%2F").replace("=", "%3D")
    said = server.seen[0].headers["Authorization"]
    assert said.startswith('OAuth realm="123456_SB1", ')
    assert f'oauth_signature="{signature}"' in said


def gateway(server: Server) -> list[str]:
    """SAP's gateway: a write needs the present token and cookie; ``spent`` ends them."""
    log: list[str] = []

    def answering(request: httpx.Request) -> httpx.Response:
        number = log.count("fetch")
        if request.headers.get("X-CSRF-Token") == "Fetch":
            log.append("fetch")
            cookies = [("set-cookie", f"SAP_SESSION={number + 1}; path=/; HttpOnly"), ("set-cookie", "usercontext=1")]
            return httpx.Response(200, headers=[("X-CSRF-Token", f"c{number + 1}"), *cookies])
        wanted = (f"c{number}", f"SAP_SESSION={number}; usercontext=1")
        is_right = (request.headers.get("X-CSRF-Token"), request.headers.get("Cookie")) == wanted
        if request.method == "POST" and (not is_right or "spent" in log):
            log[:] = [entry for entry in log if entry != "spent"]
            return httpx.Response(403, headers=REQUIRED)
        log.append(request.method)
        return answer(200, {})

    server.answering = answering
    return log


async def test_a_write_carries_the_token_and_cookies_that_a_read_handed_out() -> None:
    server = Server()
    log = gateway(server)
    api = server.api(csrf(basic("u", "p"), "/service"))
    await perform(api, Request("GET", "/items"))
    await perform(api, Request("POST", "/items", body={}))
    await perform(api, Request("POST", "/items", body={}))
    assert log == ["GET", "fetch", "POST", "POST"]
    assert server.seen[1].url.path == "/base/service"
    assert all("Authorization" in request.headers for request in server.seen)


async def test_a_token_that_the_gateway_no_longer_takes_is_fetched_anew_once() -> None:
    server = Server()
    log = gateway(server)
    api = server.api(csrf(basic("u", "p"), "/service"))
    await perform(api, Request("POST", "/items", body={}))
    log.append("spent")
    await perform(api, Request("POST", "/items", body={}))
    assert log == ["fetch", "POST", "fetch", "POST"]
    server.answering = lambda _request: httpx.Response(403, headers=REQUIRED)
    with pytest.raises(Stop):
        await perform(api, Request("POST", "/items", body={}))


async def test_a_session_is_opened_by_a_log_in_and_again_when_it_has_ended() -> None:
    server = Server()
    logins: list[object] = []

    def answering(request: httpx.Request) -> httpx.Response:
        if request.url.path == "/base/login":
            logins.append(json.loads(request.content))
            return answer(200, {"session_token": f"s{len(logins)}"})
        return answer(200 if request.headers["Session-Token"] == "s2" else 401, {})

    server.answering = answering
    way = session("/login", {"user": "u", "password": "p"}, lifetime_secs=600, token_at="session_token")  # noqa: S106  - a key
    await perform(server.api(way), Request("GET", "/items"))
    assert logins == [{"user": "u", "password": "p"}] * 2
    server.answering = lambda _request: answer(403, {"error": "p"})
    with pytest.raises(Stop, match="Check user and password") as caught:
        await perform(server.api(session("/login", {"password": "p4ss"}, lifetime_secs=1)), Request("GET", "/"))
    assert "p4ss" not in str(caught.value)
    assert server.seen[-1].url.host == httpx.URL(ENDPOINT).host
