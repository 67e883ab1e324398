"""Why letters failed, grouped: the same consumer and the same reason but for its numbers are one cause."""

from __future__ import annotations

import datetime as dt
import hashlib
import re
from collections.abc import Iterable
from dataclasses import dataclass

from tieline.kernel.letters import Letter

_NUMBER = re.compile(r"\d+(?:[.,]\d+)*")


@dataclass(frozen=True, slots=True)
class Cause:
    """Letters that failed alike. ``fingerprint`` is what ``--cause`` takes; times are UTC."""

    fingerprint: str
    consumer: str
    reason: str
    count: int
    first: dt.datetime
    last: dt.datetime


def pattern_of(letter: Letter) -> str:
    """The reason with ``N`` in the place of every number."""
    place = f"{letter.field}: " if letter.field else ""
    return _NUMBER.sub("N", f"{place}{letter.reason}")


def fingerprint_of(letter: Letter) -> str:
    """Eight hex digits: the same for letters of one consumer whose reasons differ in numbers only."""
    text = f"{letter.consumer}\n{pattern_of(letter)}"
    return hashlib.blake2b(text.encode(), digest_size=4).hexdigest()


def group_causes(letters: Iterable[Letter]) -> list[Cause]:
    """The causes of these letters, the most frequent first."""
    groups: dict[str, list[Letter]] = {}
    for letter in letters:
        groups.setdefault(fingerprint_of(letter), []).append(letter)
    causes = [
        Cause(
            fingerprint=fingerprint,
            consumer=group[0].consumer,
            reason=pattern_of(group[0]),
            count=len(group),
            first=min(letter.failed_at for letter in group),
            last=max(letter.failed_at for letter in group),
        )
        for fingerprint, group in groups.items()
    ]
    return sorted(causes, key=lambda cause: (-cause.count, cause.consumer, cause.reason))
