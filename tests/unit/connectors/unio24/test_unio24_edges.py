"""Settings, webhooks and connecting: what is refused before anything is sent."""

from __future__ import annotations

import datetime as dt
import hashlib
import hmac
import json
from pathlib import Path

import pytest
from pydantic import SecretStr

from tieline.connectors.unio24.client import item_path
from tieline.connectors.unio24.connector import connect
from tieline.connectors.unio24.profile import load_profile
from tieline.connectors.unio24.settings import Settings, read_settings
from tieline.connectors.unio24.webhook import webhook_parser
from tieline.kernel.errors import Rejected, Stop

ROOT = Path(__file__).parents[4]
PROFILE_FILE = ROOT / "deploy" / "local" / "unio24.profile.yaml"
GOOD: dict[str, object] = {
    "endpoint": "http://127.0.0.1:1/",
    "profile": str(PROFILE_FILE),
    "token": SecretStr("s3cret"),
}
NOW = dt.datetime(2026, 5, 1, 12, tzinfo=dt.UTC)
SECRET = "webhook-secret"  # noqa: S105  - a test's own


def test_every_setting_is_described() -> None:
    assert all(info.description for info in Settings.model_fields.values())


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("endpoint", "http://am.example.com", "must be https unless it is on this machine"),
        ("endpoint", "https://user:pw@am.example.com", "must not hold credentials"),
        ("endpoint", "ftp://127.0.0.1", "must be an http or https URL"),
        ("page_size", 0, "page_size"),
        ("read_timeout_secs", -1, "read_timeout_secs"),
        ("tokn", "x", "tokn"),
        ("webhook_path", "no-slash", "webhook_path"),
    ],
)
def test_a_bad_setting_stops_with_its_name_and_without_values(key: str, value: object, message: str) -> None:
    with pytest.raises(Stop, match=message) as caught:
        read_settings("am", {**GOOD, key: value})
    assert "system am" in str(caught.value)
    assert "s3cret" not in str(caught.value)
    assert "user:pw" not in str(caught.value)


def test_a_webhook_port_needs_a_secret() -> None:
    with pytest.raises(Stop, match="webhook_secret is needed"):
        read_settings("am", {**GOOD, "webhook_port": 9000})


async def test_connecting_calls_nobody_and_offers_what_was_asked() -> None:
    plain = connect("am", GOOD)
    assert plain.webhook is None
    assert plain.snapshot_streams == ("assets", "cost-documents", "books")
    hooked = connect("am", {**GOOD, "webhook_port": 9000, "webhook_secret": SecretStr(SECRET)})
    assert hooked.webhook is not None
    assert (hooked.webhook.port, hooked.webhook.path) == (9000, "/webhooks/unio24")
    for connector in (plain, hooked):
        closing = connector.close()
        assert hasattr(closing, "__await__")
        await closing


def signed(body: bytes, *, at: dt.datetime = NOW, secret: str = SECRET) -> dict[str, str]:
    stamp = str(int(at.timestamp()))
    digest = hmac.new(secret.encode(), f"e-1.{stamp}.".encode() + body, hashlib.sha256).hexdigest()
    return {"x-unio24-id": "e-1", "X-Unio24-Timestamp": stamp, "X-UNIO24-SIGNATURE": digest}


parse = webhook_parser(load_profile(PROFILE_FILE), SECRET, lambda: NOW)


@pytest.mark.parametrize(
    ("event", "found"),
    [
        ({"object": "asset", "object_id": 17}, [("assets", "17")]),
        ({"object": "cost_document", "object_id": "5"}, [("cost-documents", "5")]),
        ({"object": "audit", "object_id": 4}, [("audits", "4")]),
        ({"object": "persons", "object_id": 12}, [("reference-employee", "12")]),
        ({"object": "work_order", "object_id": 3}, []),
        ({}, []),
    ],
)
def test_a_webhook_says_what_to_read(event: dict[str, object], found: list[tuple[str, str]]) -> None:
    body = json.dumps(event).encode()
    assert parse(signed(body), body) == found


@pytest.mark.parametrize("offset_secs", [-300, 300])
def test_five_minutes_off_is_still_accepted(offset_secs: int) -> None:
    body = b"{}"
    assert parse(signed(body, at=NOW + dt.timedelta(seconds=offset_secs)), body) == []


GOOD_BODY = b'{"object": "asset", "object_id": 17}'
SIGNED = signed(GOOD_BODY)


@pytest.mark.parametrize(
    ("headers", "body", "message"),
    [
        ({**SIGNED, "X-UNIO24-SIGNATURE": "0" * 64}, GOOD_BODY, "signature does not fit"),
        ({**SIGNED, "X-UNIO24-SIGNATURE": "ü"}, GOOD_BODY, "signature does not fit"),
        (signed(GOOD_BODY, secret="other"), GOOD_BODY, "signature does not fit"),  # noqa: S106  - a test's own
        (SIGNED, GOOD_BODY.replace(b"17", b"18"), "signature does not fit"),
        ({**SIGNED, "x-unio24-id": "e-2"}, GOOD_BODY, "signature does not fit"),
        (signed(GOOD_BODY, at=NOW - dt.timedelta(seconds=301)), GOOD_BODY, "more than 300 seconds off"),
        (signed(GOOD_BODY, at=NOW + dt.timedelta(seconds=301)), GOOD_BODY, "more than 300 seconds off"),
        ({**SIGNED, "X-Unio24-Timestamp": "NaN"}, GOOD_BODY, "not a number of seconds"),
        ({}, GOOD_BODY, "signature is missing"),
        (signed(b"[1]"), b"[1]", "is not an object"),
        (signed(b"{"), b"{", "not JSON"),
        (signed(b'{"object": "asset"}'), b'{"object": "asset"}', "every record needs an id"),
        (signed(b" " * 1_000_001), b" " * 1_000_001, "more than 1000000 bytes"),
    ],
)
def test_a_bad_webhook_is_refused(headers: dict[str, str], body: bytes, message: str) -> None:
    with pytest.raises(Rejected, match=message):
        parse(headers, body)


@pytest.mark.parametrize("native_id", ["../finance", "1?x=y", "1#x", "a/b", "ü"])
def test_an_id_never_leads_to_another_path(native_id: str) -> None:
    path = item_path(load_profile(PROFILE_FILE).assets, {"id": native_id})
    assert path.startswith("/api/v1/assets/")
    assert not set(path.removeprefix("/api/v1/assets/")) & set("/?#")


@pytest.mark.parametrize("native_id", ["", ".", ".."])
def test_dots_are_no_id(native_id: str) -> None:
    with pytest.raises(Rejected, match="is not an id"):
        item_path(load_profile(PROFILE_FILE).assets, {"id": native_id})
