from __future__ import annotations

import datetime as dt
from typing import Any, cast

import pytest
from confluent_kafka import KafkaError, KafkaException

from tieline.kernel.consuming import stop_if_fenced
from tieline.kernel.errors import Stop
from tieline.kernel.memory import Conflict
from tieline.kernel.producing import EVENT_HEADERS, Writer
from tieline.kernel.records import Inbound, Outbound, Typed

NOW = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)


class Producer:
    def __init__(self) -> None:
        self.headers: dict[str, str] = {}

    def produce(self, _topic: str, *, headers: list[tuple[str, str]], **_: Any) -> None:
        self.headers = dict(headers)


class FencedProducer(Producer):
    """As librdkafka does it: the transaction's calls say what has happened, ``produce`` only that it is over."""

    def produce(self, _topic: str, **_: Any) -> None:
        raise KafkaException(KafkaError(KafkaError._FATAL))

    def abort_transaction(self, _timeout_secs: float) -> None:
        raise KafkaException(KafkaError(KafkaError._FENCED, fatal=True))


class Codec:
    def encode(self, _topic: str, _value: Typed) -> bytes:
        return b""


def _written(cause: Inbound | None, producer: Producer | None = None) -> dict[str, str]:
    producer = producer or Producer()
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


def test_who_is_replaced_while_it_writes_learns_that_it_was() -> None:
    with pytest.raises(KafkaException) as refused:
        _written(None, FencedProducer())
    with pytest.raises(Stop, match="another copy"):
        stop_if_fenced("accept", refused.value)
