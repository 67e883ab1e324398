"""The rules in force: which request they strike, countably and by their own dice."""

from __future__ import annotations

import datetime as dt
import random
import re
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from email.utils import format_datetime

from tieline.connectors.kit.sandboxing.answers import Answer
from tieline.connectors.kit.sandboxing.kinds import Stage

_LOOKED_AT_BYTES = 64 * 1024


@dataclass(frozen=True, slots=True)
class Age:
    """How old a state: a number of changes, or of seconds."""

    changes: int | None = None
    secs: float | None = None


@dataclass(frozen=True, slots=True)
class Sight:
    """What rules see of a request."""

    method: str
    path: str
    body: bytes = b""


@dataclass(slots=True)
class Rule:
    """One rule, with how many calls it matched (``calls``) and struck (``hits``)."""

    kind: str
    stage: Stage
    method: re.Pattern[str]
    path: re.Pattern[str]
    body: re.Pattern[str]
    nth: int
    count: int | None
    for_secs: float | None
    probability: float
    dice: random.Random
    seconds: float
    retry_after: str | float | None
    as_date: bool
    answer: Answer
    age: Age
    given: dict[str, object]
    calls: int = 0
    hits: int = 0
    first_hit_secs: float | None = None

    def matches(self, sight: Sight) -> bool:
        """Whether the request is one of those the rule speaks of."""
        return (
            self.method.fullmatch(sight.method) is not None
            and self.path.search(sight.path) is not None
            and (
                not self.body.pattern
                or self.body.search(sight.body[:_LOOKED_AT_BYTES].decode("utf-8", "replace")) is not None
            )
        )

    def wants(self, now_secs: float) -> bool:
        """Whether the call counted last is to be struck. Rolls the dice once for every call."""
        spared = self.probability < 1 and self.dice.random() >= self.probability
        if spared or self.calls < self.nth or (self.count is not None and self.hits >= self.count):
            return False
        over_at = None if self.first_hit_secs is None or self.for_secs is None else self.first_hit_secs + self.for_secs
        return over_at is None or now_secs < over_at

    def retry_after_header(self, now: dt.datetime) -> dict[str, str]:
        """Retry-After as the rule wants it said; nothing where it wants none."""
        if self.retry_after is None:
            return {}
        if isinstance(self.retry_after, str):
            return {"Retry-After": self.retry_after}
        if self.as_date:
            at = now.astimezone(dt.UTC) + dt.timedelta(seconds=self.retry_after)
            return {"Retry-After": format_datetime(at, usegmt=True)}
        return {"Retry-After": f"{self.retry_after:g}"}

    def shown(self) -> dict[str, object]:
        """The rule as it was given, its defaults that matter, and what it did."""
        defaults: dict[str, object] = {"method": self.method.pattern, "path": self.path.pattern, "count": self.count}
        return {**defaults, **self.given, "calls": self.calls, "hits": self.hits}


@dataclass(slots=True)
class Faults:
    """The rules in force, in order. Of those that want a call the first strikes it; every one that matches counts it.

    So a rule's dice and its ``nth`` do not depend on which other rules there are.
    """

    rules: list[Rule] = field(default_factory=list)
    monotonic: Callable[[], float] = time.monotonic

    def strike(self, sight: Sight, stage: Stage) -> Rule | None:
        """The rule that strikes this request at this stage, if any."""
        struck, now_secs = None, self.monotonic()
        for rule in self.rules:
            if rule.stage != stage or not rule.matches(sight):
                continue
            rule.calls += 1
            if rule.wants(now_secs) and struck is None:
                struck = rule
        if struck is not None:
            struck.hits += 1
            if struck.first_hit_secs is None:
                struck.first_hit_secs = now_secs
        return struck

    def has(self, kind: str) -> bool:
        """Whether a rule of this kind is in force."""
        return any(rule.kind == kind for rule in self.rules)

    def shown(self) -> list[dict[str, object]]:
        """The rules with what they did."""
        return [rule.shown() for rule in self.rules]
