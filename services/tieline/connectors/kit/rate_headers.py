"""What a system's answer says of the calls that are left.

Every family of headers counts the whole account's calls (Frappe's: its time), so what other integrations use shows too.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass

DAY = "day"
LONGEST_RESET_SECS = 3600.0
_EPOCH_SECS, _EPOCH_MS = 1e9, 1e12  # a number from here up is a time, not a length of time


@dataclass(frozen=True, slots=True)
class Left:
    """Calls left of a limit, and how long until the system counts anew; None where it does not say."""

    calls: float
    limit: float | None = None
    reset_secs: float | None = None


@dataclass(frozen=True, slots=True)
class _Family:
    pool: str
    remaining: str
    limit: str = ""
    reset: str = ""


_FAMILIES = (
    # Laravel (Snipe-IT), Frappe, ServiceNow and most others.
    _Family("window", "x-ratelimit-remaining", "x-ratelimit-limit", "x-ratelimit-reset"),
    _Family("standard", "ratelimit-remaining", "ratelimit-limit", "ratelimit-reset"),  # IETF draft, its earlier form
    _Family("minute", "x-minlimit-remaining"),  # Xero, per organisation
    _Family(DAY, "x-daylimit-remaining"),
    _Family("app-minute", "x-appminlimit-remaining"),
    _Family("burst", "x-ms-ratelimit-burst-remaining-xrm-requests"),  # Dataverse
    _Family("interval", "x-hubspot-ratelimit-remaining", "x-hubspot-ratelimit-max"),
    _Family(DAY, "x-hubspot-ratelimit-daily-remaining", "x-hubspot-ratelimit-daily"),
)


def read_left(headers: Mapping[str, str], now: dt.datetime) -> dict[str, Left]:
    """What is left by pool; nothing where no header says it, or says it in no number. Names are in lower case."""
    found: dict[str, Left] = {}
    for family in _FAMILIES:
        calls = _number(headers.get(family.remaining))
        if calls is not None:
            limit, reset = _number(headers.get(family.limit)), _number(headers.get(family.reset))
            found[family.pool] = Left(calls, limit, None if reset is None else _reset_secs(reset, now))
    return found


def _reset_secs(value: float, now: dt.datetime) -> float:
    """Seconds until then: some give seconds, some a Unix time, a few that in milliseconds. At most an hour."""
    if value >= _EPOCH_MS:
        value /= 1000
    secs = value - now.timestamp() if value >= _EPOCH_SECS else value
    return min(max(secs, 0.0), LONGEST_RESET_SECS)


def _number(text: str | None) -> float | None:
    said = (text or "").strip().split(",")[0].split(";")[0]
    return float(said[:20]) if said.isascii() and said.replace(".", "", 1).isdigit() else None
