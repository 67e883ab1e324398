"""Who is let in: tokens, passwords, keys, sessions with CSRF tokens and OAuth2 clients, and when they end."""

from __future__ import annotations

import datetime as dt
from base64 import b64encode
from collections.abc import Mapping

import pytest
from aiohttp import web
from tests.unit.connectors.kit.sandbox_parts import NOW, Vendor, start_vendor

from tieline.connectors.kit.sandboxing.answers import response
from tieline.connectors.kit.sandboxing.authentication import (
    Authenticate,
    Sessions,
    access_token,
    any_of,
    basic,
    bearer,
    client_credentials,
    csrf,
    csrf_headers,
    header,
    session_cookie,
    set_cookie,
)
from tieline.connectors.kit.sandboxing.front import Front

SECRET = "pass:wörd"  # noqa: S105  - of a sandbox that lives as long as a test


def basic_header(text: str) -> dict[str, str]:
    return {"Authorization": f"Basic {b64encode(text.encode()).decode()}"}


def authorization(text: str) -> dict[str, str]:
    return {"Authorization": text}


@pytest.mark.parametrize(
    ("way", "right", "wrong"),
    [
        (bearer("t"), authorization("Bearer t"), [{}, authorization("Bearer x"), authorization("t")]),
        (header("X-Api-Key", "k"), {"x-api-key": "k"}, [{}, {"X-Api-Key": "K"}, {"X-Key": "k"}]),
        (
            basic({"ann": SECRET}),
            basic_header(f"ann:{SECRET}"),
            [
                *({}, basic_header("ann"), basic_header(f"bob:{SECRET}"), basic_header(":")),
                *(authorization("Basic é"), authorization("Basic !!"), authorization("Bearer t")),
            ],
        ),
    ],
)
async def test_one_way_in(way: Authenticate, right: Mapping[str, str], wrong: list[Mapping[str, str]]) -> None:
    async with start_vendor(lambda vendor, _: Front(vendor.faults, way)) as vendor:
        assert (await vendor.create(headers=right))[0] == 201
        assert [(await vendor.create(headers=headers))[0] for headers in wrong] == [401] * len(wrong)
        assert len(vendor.records.rows("asset")) == 1


async def test_any_of_several_ways() -> None:
    way = any_of(bearer("t"), basic({"ann": SECRET}))
    async with start_vendor(lambda vendor, _: Front(vendor.faults, way)) as vendor:
        for headers in (authorization("Bearer t"), basic_header(f"ann:{SECRET}")):
            assert (await vendor.create(headers=headers))[0] == 201
        status, _, headers_back = await vendor.create(headers=authorization("Bearer x"))
        assert (status, headers_back["WWW-Authenticate"]) == (401, 'Basic realm="sandbox"')


class Time:
    """A clock that the test sets."""

    secs = 0.0

    def __call__(self) -> dt.datetime:
        return NOW + dt.timedelta(seconds=self.secs)


async def test_a_session_lasts_its_time_and_ends_by_fault() -> None:
    time = Time()
    sessions = Sessions(time, lifetime_secs=60)

    async def log_in(_request: web.Request) -> web.Response:
        return web.Response(headers=set_cookie(sessions.begin("ann"), "sid"))

    def front(vendor: Vendor, _door: object) -> Front:
        return Front(vendor.faults, session_cookie(sessions, "sid"), end_sessions=sessions.end_all)

    async with start_vendor(front, web.post("/login", log_in)) as vendor:
        assert (await vendor.create())[0] == 401
        await vendor.call("POST", "/login")
        assert (await vendor.create())[0] == 201
        time.secs = 59.9
        assert (await vendor.create())[0] == 201
        time.secs = 60.0
        assert (await vendor.create())[:2] == (401, {"error": "the session has ended; log in"})
        await vendor.call("POST", "/login")
        vendor.fail(kind="end_session", nth=2)
        assert [(await vendor.create())[0] for _ in range(3)] == [201, 401, 401]
        assert (await vendor.call("POST", "/login"))[0] == 200
        assert (await vendor.create())[0] == 201


async def test_writes_need_the_csrf_token_of_their_session() -> None:
    sessions = Sessions(Time())
    ann, bob = basic_header(f"ann:{SECRET}"), basic_header("bob:b")

    def front(vendor: Vendor, _door: object) -> Front:
        way = csrf(basic({"ann": SECRET, "bob": "b"}), sessions, "sap")
        return Front(vendor.faults, way, headers=csrf_headers(sessions, "sap"), end_sessions=sessions.end_all)

    async with start_vendor(front) as vendor:
        status, _, back = await vendor.create(headers=ann)
        assert (status, back["X-CSRF-Token"]) == (403, "Required")
        assert "X-CSRF-Token" not in (await vendor.call("GET", "/assets", headers=ann))[2]
        fetched = (await vendor.call("GET", "/assets", headers={**ann, "X-CSRF-Token": "Fetch"}))[2]
        token = fetched["X-CSRF-Token"]
        assert fetched["Set-Cookie"].startswith("sap=")
        again = (await vendor.call("GET", "/assets", headers={**ann, "X-CSRF-Token": "fetch"}))[2]
        assert again["X-CSRF-Token"] == token
        assert "Set-Cookie" not in again
        tries = [{**ann, "X-CSRF-Token": token}, {**bob, "X-CSRF-Token": token}, {**ann, "X-CSRF-Token": "x"}]
        assert [(await vendor.create(headers=headers))[0] for headers in tries] == [201, 403, 403]
        assert vendor.session is not None
        vendor.session.cookie_jar.clear()
        assert (await vendor.create(headers=tries[0]))[0] == 403, "the cookie is half of it"
        await vendor.call("GET", "/assets", headers={**ann, "X-CSRF-Token": "Fetch"})
        vendor.fail(kind="end_session")
        assert (await vendor.create(headers=tries[0]))[0] == 403


GRANT = {"grant_type": "client_credentials", "client_id": "hub", "client_secret": SECRET, "scope": "erp/.default"}


async def test_a_client_gets_a_token_that_lasts_as_long_as_it_says() -> None:
    time = Time()
    sessions = Sessions(time, lifetime_secs=3600)
    answer = client_credentials(sessions, {"hub": SECRET}, scope="erp/.default")

    async def token(request: web.Request) -> web.Response:
        return response(answer(request, await request.read()))

    def front(vendor: Vendor, _door: object) -> Front:
        return Front(vendor.faults, access_token(sessions), end_sessions=sessions.end_all)

    async with start_vendor(front, web.post("/token", token)) as vendor:
        bad: list[tuple[dict[str, str], int, str]] = [
            ({}, 400, "invalid_request"),
            ({**GRANT, "client_secret": "x"}, 401, "invalid_client"),
            ({**GRANT, "client_id": "other"}, 401, "invalid_client"),
            ({**GRANT, "grant_type": "password"}, 400, "unsupported_grant_type"),
            ({**GRANT, "scope": "crm/.default"}, 400, "invalid_scope"),
        ]
        for form, status, code in bad:
            assert (await vendor.call("POST", "/token", data=form))[:2] == (status, {"error": code})
        status, given, headers = await vendor.call("POST", "/token", data=GRANT)
        assert (status, headers["Cache-Control"]) == (200, "no-store")
        assert isinstance(given, dict)
        assert (given["token_type"], given["expires_in"]) == ("Bearer", 3600)
        mine = authorization(f"Bearer {given['access_token']}")
        assert (await vendor.create(headers=mine))[0] == 201
        assert (await vendor.create(headers=authorization("Bearer x")))[0] == 401
        time.secs = 3600.0
        status, _, headers = await vendor.create(headers=mine)
        assert (status, headers["WWW-Authenticate"]) == (401, 'Bearer error="invalid_token"')
        short = {"grant_type": "client_credentials", "scope": "erp/.default"}
        by_header = await vendor.call("POST", "/token", data=short, headers=basic_header(f"hub:{SECRET}"))
        assert by_header[0] == 200


def test_a_session_that_was_ended_is_unknown() -> None:
    sessions = Sessions(Time())
    one, other = sessions.begin("ann"), sessions.begin("ann")
    assert one.id != other.id
    sessions.end(one.id)
    assert (sessions.find(one.id), sessions.find(other.id)) == (None, other)
