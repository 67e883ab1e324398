"""Canonical ids and the keys by which one system's record of a thing is recognised as another's."""

from __future__ import annotations

import hashlib
import uuid
from urllib.parse import quote

from tieline.kernel.asset_records import AssetReport
from tieline.kernel.matching import MatchRule, MatchRules, load_match_rules, normal_form
from tieline.kernel.records import Inbound

_ANY_COMPANY = "*"


def mint_id(record: Inbound) -> str:
    """The canonical id of what a record is the first to tell of: UUID version 8 (RFC 9562), later records sort later.

    48 bits of the record's time in Unix milliseconds, then bits of a digest of where it stands. A batch that is done
    again mints the same ids (Invariant 3): after a doubtful commit nobody knows which of the first ones were seen.
    """
    place = f"{record.topic}/{record.partition}/{record.offset}/{record.key_text}"
    millis = max(0, record.timestamp_ms)  # -1: none
    raw = bytearray(millis.to_bytes(6, "big") + hashlib.sha256(place.encode()).digest()[:10])
    raw[6] = (raw[6] & 0x0F) | 0x80
    raw[8] = (raw[8] & 0x3F) | 0x80
    return str(uuid.UUID(bytes=bytes(raw)))


def match_keys(report: AssetReport, rules: MatchRules | None = None) -> tuple[str, ...]:
    """Keys of an asset report, the surest first: ``kind/value`` by the match rules (those shipped, if none are given).

    The company stands before an asset number, because two companies may number alike.
    """
    fields = report.fields
    keys: list[str] = []
    for rule in load_match_rules() if rules is None else rules:
        value = normal_form(getattr(fields, rule.field), rule.form)
        if not value or value in rule.ignored:
            continue
        if rule.kind == "asset-number":
            # Quoted, so that no company code can be taken for "any company" or for part of the number.
            company = quote((fields.company or "").strip(), safe="") or _ANY_COMPANY
            value = f"{company}/{value}"
        keys.append(f"{rule.kind}/{value}")
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


def rule_of(key: str, rules: MatchRules | None = None) -> MatchRule:
    """The match rule behind a key. A key of a rule that is no longer there counts as one that only proposes."""
    kind = key.partition("/")[0]
    for rule in load_match_rules() if rules is None else rules:
        if rule.kind == kind:
            return rule
    return MatchRule(kind=kind, rule=kind, field="tag", between="systems", confidence_percent=0, decide="propose")
