"""T34: a proxy before Tryton that lets too few calls through closes the account; a log-in too many is the user's."""

from __future__ import annotations

import json

import httpx
import pytest
from pydantic import SecretStr

from tieline.connectors.tryton.client import TrytonClient
from tieline.connectors.tryton.settings import read_settings
from tieline.kernel.errors import Unavailable

SETTINGS = {
    "endpoint": "http://127.0.0.1:8000",
    "database": "d",
    "user": "u",
    "password": SecretStr("hush-hush"),
    "company": "ACME",
    "asset_classes": {"COMPUTER": {"product": "PC"}},
}


class Proxy:
    """Refuses one method."""

    def __init__(self, refused: str) -> None:
        self.refused = refused
        self.sent: list[str] = []

    def __call__(self, request: httpx.Request) -> httpx.Response:
        method = json.loads(request.content)["method"]
        self.sent.append(method)
        if method == self.refused:
            return httpx.Response(429, headers={"Retry-After": "30"} if "login" not in method else {})
        return httpx.Response(200, json={"id": 0, "result": [1, "token"]})


async def ask_twice(proxy: Proxy) -> list[float | None]:
    client = TrytonClient(read_settings("erp", SETTINGS), transport=httpx.MockTransport(proxy))
    waits = []
    for _ in range(2):
        with pytest.raises(Unavailable) as caught:
            await client.search("party.party", [])
        waits.append(caught.value.retry_after_secs)
    await client.close()
    return waits


async def test_t34_while_the_account_is_closed_nothing_is_sent() -> None:
    proxy = Proxy("model.company.company.search_read")
    assert await ask_twice(proxy) == pytest.approx([30.0, 30.0], abs=1)
    assert proxy.sent == ["common.db.login", "model.company.company.search_read"]


async def test_a_log_in_that_is_throttled_does_not_close_the_account() -> None:
    proxy = Proxy("common.db.login")
    assert await ask_twice(proxy) == [60.0, 60.0]
    assert proxy.sent == ["common.db.login"] * 2
