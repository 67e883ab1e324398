"""Canonical ids and the keys by which one system's record of a thing is recognised as another's."""

from __future__ import annotations

import datetime as dt
import os
import uuid
from collections.abc import Callable

from tieline.kernel.model import AssetReport

Entropy = Callable[[int], bytes]


def mint_id(now: dt.datetime, entropy: Entropy = os.urandom) -> str:
    """A UUID version 7 (RFC 9562): 48 bits of Unix milliseconds, then random bits; later ids sort later."""
    millis = int(now.timestamp() * 1000)
    raw = bytearray(millis.to_bytes(6, "big") + entropy(10))
    raw[6] = (raw[6] & 0x0F) | 0x70
    raw[8] = (raw[8] & 0x3F) | 0x80
    return str(uuid.UUID(bytes=bytes(raw)))


def match_keys(report: AssetReport) -> tuple[str, ...]:
    """Keys of an asset report, the surest first. Two records with one key in common are one thing.

    ``tag`` and ``asset-number`` are numbers that one system gave and the other carries; ``po-line`` is the order line
    and unit it was bought with; ``serial`` is the maker's number, compared without case and inner spaces (T28).
    """
    fields = report.fields
    keys: list[str] = []
    if fields.asset_number:
        keys.append(f"asset-number/{fields.company or '*'}/{fields.asset_number.strip()}")
    if fields.tag:
        keys.append(f"tag/{fields.tag.strip()}")
    if fields.po_line_ref:
        keys.append(f"po-line/{fields.po_line_ref.strip()}")
    if fields.serial_number and (serial := "".join(fields.serial_number.split()).casefold()):
        keys.append(f"serial/{serial}")
    return tuple(keys)


def rule_of(key: str) -> str:
    """Name of the match rule behind a key, as it stands in the cross-reference."""
    kind = key.split("/", 1)[0]
    return {"asset-number": "peer-number", "tag": "peer-number"}.get(kind, kind)
