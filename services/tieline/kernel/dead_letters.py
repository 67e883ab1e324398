"""Dead letters: a record that could not be processed, untouched, with where it came from and why in headers.

Header names are ours (``tl_…``), values are text. Text from outside is cut and cleaned before it gets there
(Invariant 14: no secrets; no line breaks that could forge a log line).
"""

from __future__ import annotations

import datetime as dt

from tieline.kernel.errors import Quarantined, Rejected
from tieline.kernel.records import Inbound, Outbound

REASON = "tl_reason"
FIELD = "tl_field"
REMEDY = "tl_remedy"
CONSUMER = "tl_consumer"
TOPIC = "tl_topic"
PARTITION = "tl_partition"
OFFSET = "tl_offset"
TIMESTAMP_MS = "tl_timestamp_ms"
ATTEMPT = "tl_attempt"
FAILED_AT = "tl_failed_at"
REPLAY_OF = "tl_replay_of"  # coordinates the replayed record first had
ACTION = "tl_action"  # replay | discard
QUARANTINED = "tl_quarantined"  # the record ends the process that decodes it; it keeps this when it is sent again
_OURS = frozenset({REASON, FIELD, REMEDY, CONSUMER, TOPIC, PARTITION, OFFSET, TIMESTAMP_MS, FAILED_AT})
MAX_TEXT = 1000


def dead_letter_topic(consumer: str) -> str:
    """``hub.<consumer>.dead-letter.v1``."""
    return f"hub.{consumer}.dead-letter.v1"


def bury(consumer: str, record: Inbound, rejection: Rejected, now: dt.datetime) -> Outbound:
    """The dead letter of a record. A record that was replayed keeps its first coordinates and counts its attempts."""
    headers: dict[str, str | bytes] = {name: value for name, value in record.headers if name not in _OURS}
    first = first_coordinates(record).rsplit("/", 2)
    headers |= {
        REASON: clean(rejection.reason),
        CONSUMER: consumer,
        TOPIC: first[0],
        PARTITION: first[1],
        OFFSET: first[2],
        TIMESTAMP_MS: str(record.timestamp_ms),
        ATTEMPT: str(attempt_of(record)),
        FAILED_AT: now.isoformat(timespec="milliseconds"),
    }
    if isinstance(rejection, Quarantined):
        headers[QUARANTINED] = "1"
    if rejection.field:
        headers[FIELD] = clean(rejection.field)
    if rejection.remedy:
        headers[REMEDY] = clean(rejection.remedy)
    return Outbound(dead_letter_topic(consumer), record.key, record.value, headers)


def first_coordinates(record: Inbound) -> str:
    """``topic/partition/offset`` the record had before any replay; a foreign topic named there is not believed."""
    claimed = record.header(REPLAY_OF)
    if claimed and claimed.rsplit("/", 2)[0] == record.topic:
        return claimed
    return record.coordinates


def attempt_of(record: Inbound) -> int:
    """Which attempt at this record failed now: 1 for the first, one more after each replay."""
    text = record.header(ATTEMPT) or "1"
    return int(text) if text.isascii() and text.isdigit() and len(text) < 6 else 1  # noqa: PLR2004  - bounded


def clean(text: str) -> str:
    """One printable line of bounded length."""
    line = "".join(ch if ch.isprintable() else " " for ch in text[: MAX_TEXT + 1])
    return line if len(line) <= MAX_TEXT else line[: MAX_TEXT - 1] + "…"
