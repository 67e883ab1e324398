from __future__ import annotations

import datetime as dt
from typing import Any, cast

from tieline.kernel.memory import Conflict
from tieline.kernel.producing import EVENT_HEADERS, Writer
from tieline.kernel.records import Inbound, Outbound, Typed

NOW = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)


class Producer:
    def __init__(self) -> None:
        self.headers: dict[str, str] = {}

    def produce(self, _topic: str, *, headers: list[tuple[str, str]], **_: Any) -> None:
        self.headers = dict(headers)


class Codec:
    def encode(self, _topic: str, _value: Typed) -> bytes:
        return b""


def _written(cause: Inbound | None) -> dict[str, str]:
    producer = Producer()
    body = Conflict(canonical_id="a", field="tag", owner="erp", system="am", detected_at=NOW)
    writer = Writer("accept", cast("Any", Codec()), {}, lambda: NOW)
    writer.write(cast("Any", producer), Outbound("hub.conflict.state.v1", "k", Typed("Conflict", body)), cause, 3)
    return producer.headers


def test_a_typed_record_has_the_headers_that_are_documented() -> None:
    assert set(_written(None)) == set(EVENT_HEADERS)
    assert all(EVENT_HEADERS.values())


def test_an_event_id_is_the_same_after_a_retry_and_the_cause_is_named() -> None:
    cause = Inbound("a.b.report.v1", 2, 7, b"k", b"v", headers=(("ce_correlationid", b"first/0/1"),))
    headers = _written(cause)
    assert headers == _written(cause)
    assert headers["ce_id"] == "accept:a.b.report.v1/2/7:3"
    assert (headers["ce_causationid"], headers["ce_correlationid"]) == ("a.b.report.v1/2/7", "first/0/1")
