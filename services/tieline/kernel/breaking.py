"""A target's circuit breaker: tells an outage, which pauses the target, from a record that fails alone (Invariant 7).

           the target says that it is out, several keys fail in a row, or most of the last ones
  closed ──────────────────────────────────────────────────────────────────────────────────────▶ open
     ▲                                                                                           │  ▲
     └──── answered ──── half-open: one key probes for all ◀──── the pause is over ──────────────┘  │
                             └──── failed: a longer pause ──────────────────────────────────────────┘

Pure: time (seconds of a monotonic clock) and dice are passed in. A key is whatever fails as one: a record of a target.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from enum import StrEnum

WINDOW_SECS = 30.0
ROW_KEYS = 3
"""So many different keys in a row without one answer are an outage; one key, however often, is none."""
LEAST_CALLS = 10  # in the window, below which a share says nothing
FAILED_SHARE = 0.5  # of failed keys among answers and failed keys in the window
FIRST_PAUSE_SECS = 1.0
LONGEST_PAUSE_SECS = 30.0
LONGEST_RETRY_AFTER_SECS = 3600.0
LONGEST_PROBE_SECS = 120.0  # a probe that ends in nothing by then leaves its place to another
LOOK_SECS = 0.5  # after which the others ask again whether the probe has ended
SECOND_CHANCE_SECS = 1.0  # by which the key that failed last lets others probe first
LONE_FAILURES = 5
"""A key that was out so often, each time after another was answered, is at fault itself."""
OTHERS_SHARE = 0.1  # of other failed keys, up to which a key still fails alone
MOST_LONE_KEYS = 100


class Mode(StrEnum):
    """Whether calls may go out."""

    CLOSED = "closed"  # all of them
    OPEN = "open"  # none
    HALF_OPEN = "half-open"  # those of one key


class Sign(StrEnum):
    """What a call says of the target."""

    ANSWERED = "answered"  # it works: done, or refused with a reason
    FAILED = "failed"  # the record or the target: a time-out, an internal error, a conflict
    OUT = "out"  # the target as a whole: no connection, throttled, in maintenance


@dataclass(frozen=True, slots=True)
class Lone:
    """A key for which the target was out. ``failures`` counts only those between which another key was answered."""

    key: str
    failures: int = 1
    others_answered: bool = False


@dataclass(frozen=True, slots=True)
class Breaker:
    """The state. Every method gives the next one and changes nothing."""

    mode: Mode = Mode.CLOSED
    until_secs: float = 0.0
    """Open: when a probe may go out. Half-open: when the probe counts as lost."""
    pauses: int = 0
    probed: str | None = None
    row: tuple[str, ...] = ()
    failed: tuple[tuple[str, float], ...] = ()
    """Newest failure of each key in the window, oldest first."""
    answered: tuple[tuple[int, int], ...] = ()
    """Number of answers in each second of the window."""
    lone: tuple[Lone, ...] = ()
    closed_secs: float = -math.inf
    """When it was closed last: failures before that opened it already."""

    def wait_secs(self, key: str, now_secs: float) -> float:
        """How long until a call of this key may go out, as far as is known; 0: now."""
        if self.mode is Mode.CLOSED or (self.mode is Mode.HALF_OPEN and key == self.probed):
            return 0.0
        # Else a record that fails for itself would be the only one that ever asks.
        behind_secs = SECOND_CHANCE_SECS if self.mode is Mode.OPEN and key == self.probed else 0.0
        left_secs = max(0.0, self.until_secs + behind_secs - now_secs)
        return left_secs if self.mode is Mode.OPEN else min(left_secs, LOOK_SECS)

    def is_probe(self, key: str) -> bool:
        """Whether a call of this key that may go out now asks for all."""
        return self.mode is not Mode.CLOSED and not (self.mode is Mode.HALF_OPEN and key == self.probed)

    def begin(self, key: str, now_secs: float) -> Breaker:
        """A call of this key goes out that may."""
        if not self.is_probe(key):
            return self
        return replace(self, mode=Mode.HALF_OPEN, probed=key, until_secs=now_secs + LONGEST_PROBE_SECS)

    def after(
        self, sign: Sign, key: str, now_secs: float, *, dice: float, retry_after_secs: float | None = None
    ) -> Breaker:
        """A call of this key has ended. ``dice``: evenly from 0 to 1; ``retry_after_secs``: what the target asked."""
        if sign is Sign.ANSWERED:
            return self._answered(key, now_secs)
        noted = self._noted(key, now_secs)
        asked_secs = min(retry_after_secs or 0.0, LONGEST_RETRY_AFTER_SECS)
        if self.mode is Mode.OPEN or (self.mode is Mode.HALF_OPEN and key != self.probed):
            # It began before the target was paused: no news, but what the target asks for counts.
            return replace(noted, until_secs=max(self.until_secs, now_secs + asked_secs))
        if self.mode is Mode.CLOSED and not noted.is_outage(sign, key):
            return noted.accused(key) if sign is Sign.OUT else noted
        noted = noted.accused(key) if sign is Sign.OUT else noted
        longest_secs = min(LONGEST_PAUSE_SECS, FIRST_PAUSE_SECS * 2 ** min(self.pauses, 16))
        # Exponential, with full jitter: processes that failed together do not come back together.
        pause_secs = max(asked_secs, dice * longest_secs)
        return replace(
            noted, mode=Mode.OPEN, until_secs=now_secs + pause_secs, pauses=self.pauses + 1, probed=key, row=()
        )

    def left(self, key: str, now_secs: float) -> Breaker:
        """A call of this key ended without a sign, by a defect of ours: if it was the probe, another may follow."""
        if self.mode is Mode.HALF_OPEN and key == self.probed:
            return replace(self, mode=Mode.OPEN, until_secs=now_secs)
        return self

    def is_outage(self, sign: Sign, key: str) -> bool:
        """Whether the failure just noted is the target's, seen while it is closed."""
        if sign is Sign.OUT:
            return not any(one.key == key and one.others_answered for one in self.lone)
        if len(self.row) >= ROW_KEYS:
            return True
        keys = sum(1 for _, at_secs in self.failed if at_secs > self.closed_secs)
        answers = sum(count for _, count in self.answered)
        return keys >= ROW_KEYS and keys + answers >= LEAST_CALLS and keys >= FAILED_SHARE * (keys + answers)

    def blames(self, key: str) -> bool:
        """Whether this key fails alone, so often and with so many others answered that it is no outage."""
        others = sum(1 for other, _ in self.failed if other != key)
        answers = sum(count for _, count in self.answered)
        failures = next((one.failures for one in self.lone if one.key == key), 0)
        return failures >= LONE_FAILURES and others <= OTHERS_SHARE * answers

    def accused(self, key: str) -> Breaker:
        """The target was out for this key: once more if others were answered since the last time."""
        known = next((one for one in self.lone if one.key == key), None)
        failures = 1 if known is None else known.failures + known.others_answered
        rest = tuple(one for one in self.lone if one.key != key)
        return replace(self, lone=(*rest, Lone(key, failures))[-MOST_LONE_KEYS:])

    def _answered(self, key: str, now_secs: float) -> Breaker:
        second = int(now_secs)
        recent = tuple(one for one in self.answered if one[0] > now_secs - WINDOW_SECS)
        count = recent[-1][1] + 1 if recent and recent[-1][0] == second else 1
        rest = recent[:-1] if count > 1 else recent
        noted = replace(self, answered=(*rest, (second, count)), row=())
        if self.mode is not Mode.CLOSED and not (self.mode is Mode.HALF_OPEN and key == self.probed):
            return noted  # it began before the target was paused: it says nothing of now
        lone = tuple(replace(one, others_answered=True) for one in self.lone if one.key != key)
        if self.mode is Mode.CLOSED:
            return replace(noted, lone=lone)
        return replace(noted, lone=lone, mode=Mode.CLOSED, pauses=0, closed_secs=now_secs)

    def _noted(self, key: str, now_secs: float) -> Breaker:
        recent = tuple(one for one in self.failed if one[0] != key and one[1] > now_secs - WINDOW_SECS)
        answered = tuple(one for one in self.answered if one[0] > now_secs - WINDOW_SECS)
        row = self.row if key in self.row else (*self.row, key)
        return replace(self, failed=(*recent, (key, now_secs)), answered=answered, row=row[-ROW_KEYS:])
