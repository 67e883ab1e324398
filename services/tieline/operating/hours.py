"""Flow completeness by hour, as the live views tell it; nothing where they do not answer."""

from __future__ import annotations

import datetime as dt
import json
import urllib.parse
import urllib.request
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from http.client import HTTPException
from typing import Any

ASK_SECS = 2.0
HOURS = 6
"""Hours shown: the one under way and those before it."""
LIMIT = 500
_MOST_BYTES = 4_000_000
Ask = Callable[[str], str]
"""The views' answer to a path and query. Raises ``OSError``."""


@dataclass(frozen=True, slots=True)
class FlowHour:
    """One flow in the hour (UTC) in which its source changed something. ``complete``: 0 to 1, None of nothing."""

    hour: dt.datetime
    flow: str
    routed: int
    still_open: int
    complete: float | None


def read_hours(now: dt.datetime, views_port: int, ask: Ask | None = None) -> list[FlowHour]:
    """The last ``HOURS`` hours, oldest first; empty when the views do not answer or say what cannot be read."""
    first = now - dt.timedelta(hours=HOURS - 1)
    query = urllib.parse.urlencode({"after": f"{first:%Y-%m-%dT%H}", "limit": LIMIT})
    try:
        text = (ask or _asker(views_port))(f"/completeness?{query}")
        return [_hour(item) for item in json.loads(text)["items"]]
    except (OSError, HTTPException, ValueError, KeyError, TypeError):
        return []


def share_text(share: float | None) -> str:
    """``99.9%``, cut and not rounded up: only what is complete is 100%; a dash for none."""
    return "-" if share is None else f"{int(share * 1000 + 1e-6) / 10:g}%"


def last_hours(rows: Sequence[FlowHour]) -> list[dt.datetime]:
    """The hours there are, the oldest first."""
    return sorted({row.hour for row in rows})[-HOURS:]


def _hour(item: dict[str, Any]) -> FlowHour:
    complete = item["completeness"]
    return FlowHour(
        dt.datetime.fromisoformat(item["hour"]),
        str(item["flow"]),
        int(item["routed"]),
        int(item["open"]),
        None if complete is None else float(complete),
    )


def _asker(port: int) -> Ask:
    def ask(path: str) -> str:
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))  # the loopback is beyond no proxy
        with opener.open(f"http://127.0.0.1:{port}{path}", timeout=ASK_SECS) as answer:
            body: bytes = answer.read(_MOST_BYTES)
        return body.decode("utf-8", "replace")

    return ask
