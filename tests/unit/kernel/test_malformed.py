"""Each kind of malformed record is refused for what is wrong with it, quickly, and before room is made for it."""

from __future__ import annotations

import json
import time
import tracemalloc
from collections.abc import Mapping
from functools import cache
from typing import Any

import pytest
from tests.parts.poison import FOREIGN, REPORTS, Sent, good_report, malformed
from tests.simulation.estate import AM, Ids, declared

from tieline.kernel.admitting import MAX_HEADER_BYTES, MAX_HEADERS, MAX_KEY_BYTES, admit, decode
from tieline.kernel.broker import to_inbound
from tieline.kernel.codecs import HEAD_BYTES, MAX_VALUE_BYTES, Codec
from tieline.kernel.declarations import schema_text, subject
from tieline.kernel.errors import Rejected
from tieline.kernel.records import Inbound
from tieline.kernel.serialising import MAX_DECIMAL_BYTES, MAX_ITEMS, reader_of, write_long

REASONS = {
    "no value": "the record has no value",
    "no frame": "not in Confluent framing",
    "unknown schema": "schema id 2000000000 is not registered under a subject of",
    "schema of another subject": "is not registered under a subject of",
    "cut short": "cannot be decoded (",
    "bytes left over": "bytes are left over after the record",
    "text of 100 MB": "the bytes end within a value",
    "list of two thousand million": "fewer items than the bytes claim",
    "text that is not UTF-8": "cannot be decoded (UnicodeDecodeError",
    "number of sixty thousand bytes": "a decimal of too many digits",
    "key that is not UTF-8": "the key is not UTF-8",
    "flood of headers": f"1000 headers; at most {MAX_HEADERS} are read",
}


@cache
def estate() -> tuple[Codec, Ids]:
    topics = declared()[1]
    ids = Ids(topics)
    return Codec(topics, ids), ids


@cache
def kinds() -> Mapping[str, Sent]:
    codec, ids = estate()
    foreign_id = ids.id_of(subject(declared()[1][FOREIGN], "CostReport"), schema_text("CostReport"))
    assert foreign_id is not None
    return malformed(codec, foreign_id, AM, "A1")


def read(sent: Sent) -> object:
    return decode(estate()[0], Inbound(REPORTS, 0, 0, sent.key, sent.value, tuple(sent.headers)))


def test_the_report_that_they_are_made_of_is_good() -> None:
    read(good_report(estate()[0], AM, "A1"))


@pytest.mark.parametrize("kind", REASONS)
def test_each_kind_is_refused_for_what_is_wrong_with_it(kind: str) -> None:
    assert kinds().keys() == REASONS.keys()
    with pytest.raises(Rejected) as refused:
        read(kinds()[kind])
    assert REASONS[kind] in refused.value.reason


@pytest.mark.parametrize("kind", REASONS)
def test_no_kind_costs_time_or_memory(kind: str) -> None:
    sent = kinds()[kind]
    tracemalloc.start()
    try:
        began_secs = time.perf_counter()
        with pytest.raises(Rejected):
            read(sent)
        took_secs = time.perf_counter() - began_secs
        peak_bytes = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert took_secs < 0.5
    assert peak_bytes < 2_000_000


@pytest.mark.parametrize(
    ("record", "reason"),
    [
        (Inbound("t", 0, 0, b"k", bytes(MAX_VALUE_BYTES + 1)), "1000001 bytes"),
        (Inbound("t", 0, 0, b"k" * (MAX_KEY_BYTES + 1), b""), "a key of 4001 bytes"),
        (Inbound("t", 0, 0, b"k", b"", (("h", bytes(MAX_HEADER_BYTES)),)), "32001 bytes of headers"),
        (Inbound("t", 0, 0, b"k", b"", (("h", b""),) * (MAX_HEADERS + 1)), "101 headers"),
    ],
    ids=["value", "key", "headers", "number-of-headers"],
)
def test_what_is_too_large_is_refused_before_anything_is_decoded(record: Inbound, reason: str) -> None:
    with pytest.raises(Rejected, match=reason):
        admit(record)


def test_what_is_just_not_too_large_is_admitted() -> None:
    headers = (("h", bytes(MAX_HEADER_BYTES - MAX_HEADERS)), *((("h", b""),) * (MAX_HEADERS - 1)))
    admit(Inbound("t", 0, 0, b"k" * MAX_KEY_BYTES, bytes(MAX_VALUE_BYTES), headers))
    admit(Inbound("t", 0, 0, "am/Größe".encode(), None))


class OddNames:
    """A message with a header's name that is not UTF-8, as the client gives it."""

    def headers(self) -> object:
        b"\xff".decode()
        raise AssertionError("not reached")

    def topic(self) -> str:
        return REPORTS

    def partition(self) -> int:
        return 0

    def offset(self) -> int:
        return 7

    def key(self) -> bytes:
        return b"am/A1"

    def value(self) -> bytes:
        return b"v"

    def timestamp(self) -> tuple[int, int]:
        return 1, 0


def test_headers_that_the_client_cannot_read_are_the_record_s_fault() -> None:
    record = to_inbound(OddNames())  # type: ignore[arg-type]  # as far as the kernel uses a message
    assert (record.offset, record.key, record.value) == (7, b"am/A1", b"v")
    with pytest.raises(Rejected, match="the name of a header is not UTF-8"):
        admit(record)


def a_list(items: Any) -> str:
    return json.dumps(
        {"type": "record", "name": "R", "fields": [{"name": "f", "type": {"type": "array", "items": items}}]}
    )


def counted(*counts: int, item: bytes = b"") -> bytes:
    out = bytearray()
    for count in counts:
        write_long(out, count)
        out += item * abs(count)
    return bytes(out)


def test_more_items_than_there_can_be_are_refused() -> None:
    read_list = reader_of(a_list("boolean"))
    full = counted(MAX_ITEMS, item=b"\x01") + b"\x00"
    assert len(read_list(full, 0)[0]["f"]) == MAX_ITEMS
    with pytest.raises(ValueError, match="more than 100000 items"):
        read_list(counted(MAX_ITEMS, 1, item=b"\x01") + b"\x00", 0)


@pytest.mark.parametrize("count", [2**31, -(2**31), 2**62, -(2**63)])
def test_a_list_longer_than_its_bytes_is_refused_before_an_item_is_read(count: int) -> None:
    out = bytearray()
    write_long(out, count)
    with pytest.raises(EOFError, match="fewer items"):
        reader_of(a_list("boolean"))(bytes(out) + b"\x01\x01\x01", 0)


def test_a_number_longer_than_any_amount_is_refused() -> None:
    schema = json.dumps(
        {
            "type": "record",
            "name": "R",
            "fields": [{"name": "f", "type": {"type": "bytes", "logicalType": "decimal", "precision": 20, "scale": 4}}],
        }
    )
    out = bytearray()
    write_long(out, MAX_DECIMAL_BYTES + 1)
    with pytest.raises(ValueError, match="too many digits"):
        reader_of(schema)(bytes(out) + bytes(MAX_DECIMAL_BYTES + 1), 0)


RECURSIVE = {"type": "record", "name": "R", "fields": [{"name": "next", "type": ["null", "R"]}]}
TWICE_DEEP = {"type": "record", "name": "A", "fields": [{"name": "f", "type": {"type": "array", "items": RECURSIVE}}]}


def nested(depth: int) -> Any:
    """Lists within lists."""
    return {"type": "array", "items": nested(depth - 1)} if depth else "boolean"


@pytest.mark.parametrize(
    "schema", [RECURSIVE, TWICE_DEEP, json.loads(a_list(nested(30))), json.loads(a_list(nested(90)))]
)
def test_a_schema_within_itself_or_without_end_has_no_reader(schema: object) -> None:
    with pytest.raises(TypeError, match="deep"):
        reader_of(json.dumps(schema))


class OneSchema:
    """A registry in which somebody has put a schema of his own under a subject of ours."""

    def __init__(self, text: str) -> None:
        self._text = text

    def id_of(self, subject_name: str, text: str) -> int | None:
        raise NotImplementedError

    def find(self, schema_id: int) -> tuple[str, frozenset[str]]:
        assert schema_id == 1
        return self._text, frozenset({subject(declared()[1][REPORTS], "AssetReport")})


@pytest.mark.parametrize(
    "text", [json.dumps(RECURSIVE), "[" * 100_000, "{}", '"float"'], ids=["recursive", "deep-json", "empty", "float"]
)
def test_a_schema_that_somebody_put_under_our_subject_is_refused_not_followed(text: str) -> None:
    codec = Codec(declared()[1], OneSchema(text))
    for _ in range(2):  # also the second time, from what is remembered
        with pytest.raises(Rejected, match="schema id 1 of AssetReport is not one that is read"):
            codec.decode(REPORTS, b"\x00\x00\x00\x00\x01" + b"\x02" * 50_000)


def test_bytes_of_an_older_schema_are_held_to_the_same_bounds() -> None:
    older = json.loads(schema_text("AssetReport"))
    older["fields"] = [field for field in older["fields"] if field["name"] != "deleted"]
    codec = Codec(declared()[1], OneSchema(json.dumps(older)))
    value = good_report(estate()[0], AM, "A1").value or b""
    was = b"\x00\x00\x00\x00\x01" + value[HEAD_BYTES:-2] + value[-1:]
    codec.decode(REPORTS, was)
    huge = bytearray(was[:-1])
    write_long(huge, 2**31)
    with pytest.raises(Rejected, match="fewer items than the bytes claim"):
        codec.decode(REPORTS, bytes(huge) + b"\x02x")
