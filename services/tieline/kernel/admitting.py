"""Records to values, if they may be looked into: by sizes of key, headers and value, and by the text of the key."""

from __future__ import annotations

from collections.abc import Sequence

from tieline.kernel.codecs import MAX_VALUE_BYTES, Codec
from tieline.kernel.errors import Rejected
from tieline.kernel.records import HEADERS_UNREADABLE, Inbound, Typed
from tieline.kernel.vocabulary import Model

MAX_KEY_BYTES = 4_000  # a system's name and its id: at most 200 characters each, of four bytes
MAX_HEADERS = 100  # a record of ours has about ten, a replayed letter some more
MAX_HEADER_BYTES = 32_000  # names and values together; a reason in a letter has up to a thousand characters
RAW = Typed("raw", Model())  # what a handler gets beside a record of a topic without schema


def decode(codec: Codec, record: Inbound) -> Typed:
    """The typed value; ``RAW`` for a topic without schema. Raises ``Rejected``, also for a missing value."""
    admit(record)
    if codec.is_raw(record.topic):
        return RAW
    if record.value is None:
        raise Rejected("the record has no value", remedy="a tombstone has no meaning on this topic")
    return codec.decode(record.topic, record.value)


def admit(record: Inbound) -> None:
    """Raises ``Rejected`` for a record that is not to be looked into."""
    if record.value is not None and len(record.value) > MAX_VALUE_BYTES:
        raise Rejected(f"{len(record.value)} bytes; at most {MAX_VALUE_BYTES} are read")
    if record.headers:
        _admit_headers(record.headers)
    if record.key:
        _admit_key(record.key)


def _admit_headers(headers: Sequence[tuple[str, bytes]]) -> None:
    if len(headers) > MAX_HEADERS:
        raise Rejected(f"{len(headers)} headers; at most {MAX_HEADERS} are read")
    size = 0
    for name, value in headers:
        size += len(name) + len(value)
    if size > MAX_HEADER_BYTES:
        raise Rejected(f"{size} bytes of headers; at most {MAX_HEADER_BYTES} are read")
    if headers[0][0] == HEADERS_UNREADABLE:
        raise Rejected("the name of a header is not UTF-8", remedy="send the record with readable headers")


def _admit_key(key: bytes) -> None:
    if len(key) > MAX_KEY_BYTES:
        raise Rejected(f"a key of {len(key)} bytes; at most {MAX_KEY_BYTES} are read")
    if key.isascii():
        return
    try:
        key.decode()
    except UnicodeDecodeError:
        # Two keys that differ in such bytes only would read as one.
        raise Rejected("the key is not UTF-8", remedy="send the record with the key of its kind") from None
