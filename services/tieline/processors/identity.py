"""Canonical ids and the keys by which one system's record of a thing is recognised as another's."""

from __future__ import annotations

import datetime as dt
import os
import uuid
from collections.abc import Callable
from urllib.parse import quote

from tieline.kernel.model import AssetReport

Entropy = Callable[[int], bytes]

PEER_NUMBER = "peer-number"
_RULES = {"asset-number": PEER_NUMBER, "tag": PEER_NUMBER}
_ANY_COMPANY = "*"
# What people type where there is no serial number; as a key it would make one thing of all such records.
_NO_SERIAL = frozenset({"-", "--", "n/a", "na", "none", "null", "unknown", "x", "0"})


def mint_id(now: dt.datetime, entropy: Entropy = os.urandom) -> str:
    """A UUID version 7 (RFC 9562): 48 bits of Unix milliseconds, then random bits; later ids sort later."""
    millis = int(now.timestamp() * 1000)
    raw = bytearray(millis.to_bytes(6, "big") + entropy(10))
    raw[6] = (raw[6] & 0x0F) | 0x70
    raw[8] = (raw[8] & 0x3F) | 0x80
    return str(uuid.UUID(bytes=bytes(raw)))


def match_keys(report: AssetReport) -> tuple[str, ...]:
    """Keys of an asset report, the surest first. Two records with one key in common are one thing.

    ``tag`` and ``asset-number`` are numbers that one system gave and another carries: keys between systems only.
    ``po-line`` is the order line and unit it was bought with; ``serial`` is the maker's number, compared without case
    and inner spaces: they also reveal a second record of one thing within one system.
    """
    fields = report.fields
    keys: list[str] = []
    if number := _trimmed(fields.asset_number):
        # Quoted, so that no company code can be taken for "any company" or for part of the number.
        company = quote(_trimmed(fields.company), safe="") or _ANY_COMPANY
        keys.append(f"asset-number/{company}/{number}")
    if tag := _trimmed(fields.tag):
        keys.append(f"tag/{tag}")
    if po_line := _trimmed(fields.po_line_ref):
        keys.append(f"po-line/{po_line}")
    serial = "".join((fields.serial_number or "").split()).casefold()
    if serial and serial not in _NO_SERIAL:
        keys.append(f"serial/{serial}")
    return tuple(keys)


def places(key: str) -> tuple[str, ...]:
    """Where a linked record's key stands in the index: an asset number also without its company."""
    kind, _, rest = key.partition("/")
    return (key, f"number/{rest.partition('/')[2]}") if kind == "asset-number" else (key,)


def wanted(key: str) -> tuple[str, ...]:
    """Where to look for a key: a system that names no company means any, one that names none may mean ours."""
    kind, _, rest = key.partition("/")
    if kind != "asset-number":
        return (key,)
    company, _, number = rest.partition("/")
    return (f"number/{number}",) if company == _ANY_COMPANY else (key, f"asset-number/{_ANY_COMPANY}/{number}")


def rule_of(key: str) -> str:
    """Name of the match rule behind a key, as it stands in the cross-reference."""
    kind = key.partition("/")[0]
    return _RULES.get(kind, kind)


def _trimmed(text: str | None) -> str:
    return (text or "").strip()
