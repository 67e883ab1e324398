"""Twelve kinds of malformed records, by name: what may arrive on a topic of asset reports and must never harm others.

Each is made of a good report, so that only what its name says is wrong with it.
"""

from __future__ import annotations

import datetime as dt
import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal

from tieline.kernel.asset_records import AssetFields, AssetReport
from tieline.kernel.codecs import HEAD_BYTES, Codec
from tieline.kernel.records import Typed
from tieline.kernel.vocabulary import Money, Origin

REPORTS = "asset.asset.report.v1"
FOREIGN = "cost.document.report.v1"
"""A topic whose schema ids mean nothing on that of asset reports."""
NOBODY = 2_000_000_000  # no registry has come that far
RECORDED_AT = dt.datetime(2026, 3, 2, 8, tzinfo=dt.UTC)


@dataclass(frozen=True, slots=True)
class Sent:
    """A record as a producer sends it."""

    key: bytes | None
    value: bytes | None
    headers: Sequence[tuple[str, bytes]] = ()


def good_report(codec: Codec, system: str, native_id: str, *, cost: str = "1.00", description: str = "Pump") -> Sent:
    """A report that nothing is wrong with."""
    origin = Origin(
        system=system, entity="asset", native_id=native_id, source_version="1", recorded_at=RECORDED_AT
    )  # fmt: skip
    money = Money(amount=Decimal(cost), currency="EUR")
    fields = AssetFields(description=description, serial_number=f"P{native_id}", acquisition_cost=money)
    value = codec.encode(REPORTS, Typed("AssetReport", AssetReport(origin=origin, fields=fields)))
    return Sent(f"{system}/{native_id}".encode(), value)


def malformed(codec: Codec, foreign_id: int, system: str, native_id: str) -> Mapping[str, Sent]:
    """The twelve kinds. ``foreign_id`` is a schema id of ``FOREIGN``."""
    good = good_report(codec, system, native_id)
    key, value = good.key, good.value or b""
    head, body = value[:HEAD_BYTES], value[HEAD_BYTES:]
    # A report begins with its system's name (its length, its letters) and ends with an empty list (its count, 0).
    name_bytes = 1 + len(system)
    dearer = good_report(codec, system, native_id, cost="2.00").value or b""
    digits_at = next(place for place, byte in enumerate(value) if byte != dearer[place])
    amount_at = digits_at - _place_in_amount()
    amount_bytes = 1 + value[amount_at] // 2
    flood = bytes(60_000)
    return {
        "no value": Sent(key, None),
        "no frame": Sent(key, b"\x01" + value[1:]),
        "unknown schema": Sent(key, _head(NOBODY) + body),
        "schema of another subject": Sent(key, _head(foreign_id) + body),
        "cut short": Sent(key, value[:-3]),
        "bytes left over": Sent(key, value + b"\x00"),
        "text of 100 MB": Sent(key, head + _long(100_000_000) + body[1:]),
        "list of two thousand million": Sent(key, value[:-1] + _long(2**31) + b"\x02x"),
        "text that is not UTF-8": Sent(key, head + _long(2) + b"\xc3\x28" + body[name_bytes:]),
        "number of sixty thousand bytes": Sent(
            key, value[:amount_at] + _long(len(flood)) + b"\x01" + flood[1:] + value[amount_at + amount_bytes :]
        ),
        "key that is not UTF-8": Sent(b"\xff\xfe", value),
        "flood of headers": Sent(key, value, [(f"h{number}", b"x") for number in range(1000)]),
    }


def _place_in_amount() -> int:
    # 1.0000 and 2.0000 are 10000 and 20000, of two bytes each, which differ in the first; before it is their length.
    return 1


def _head(schema_id: int) -> bytes:
    return struct.pack(">bI", 0, schema_id)


def _long(number: int) -> bytes:
    """Zigzag, seven bits a byte, the lowest first (Avro 1.11, binary encoding)."""
    rest, out = number * 2, bytearray()
    while rest > 0x7F:
        out.append(rest & 0x7F | 0x80)
        rest >>= 7
    return bytes([*out, rest])
