"""The fault kit: rules that make the sandbox fail like real systems do, on demand and countably."""

from __future__ import annotations

import random
import re
from dataclasses import dataclass, field

from tieline.connectors.unio24.sandbox_checks import Refusal

KINDS = (
    "timeout_before",  # nothing happens, no answer comes
    "timeout_after_commit",  # it happens, no answer comes
    "error_500_before",
    "error_500_after_commit",
    "error_503",
    "error_429",  # with Retry-After
    "cut_body",  # it happens, the answer breaks off half-way
    "slow",  # it happens, the answer takes ``seconds``
    "drop_write",  # the answer says it happened; it did not
    "duplicate_webhook",
    "lose_webhook",
    "late_webhook",  # sent after ``seconds``, so that later ones overtake it
)


@dataclass(slots=True)
class Rule:
    """One fault: what it matches, how often it strikes (``count``, None = always), how often it has (``hits``)."""

    kind: str
    method: re.Pattern[str]
    path: re.Pattern[str]
    count: int | None
    probability: float
    seconds: float
    retry_after: str
    dice: random.Random
    hits: int = 0

    def strikes(self, method: str, path: str) -> bool:
        """Whether this request is hit; counts it if so."""
        if self.count is not None and self.hits >= self.count:
            return False
        if not self.method.fullmatch(method) or not self.path.search(path):
            return False
        if self.probability < 1 and self.dice.random() >= self.probability:
            return False
        self.hits += 1
        return True


@dataclass(slots=True)
class Faults:
    """The rules in force. The first rule that strikes decides; webhook rules are looked for separately."""

    rules: list[Rule] = field(default_factory=list)

    def strike(self, method: str, path: str, *, webhooks: bool) -> Rule | None:
        """The rule that hits this request, if any."""
        for rule in self.rules:
            if rule.kind.endswith("_webhook") is webhooks and rule.strikes(method, path):
                return rule
        return None

    def shown(self) -> list[dict[str, object]]:
        """The rules with their hits."""
        return [
            {"kind": r.kind, "method": r.method.pattern, "path": r.path.pattern, "count": r.count, "hits": r.hits}
            for r in self.rules
        ]


def read_rules(body: object) -> list[Rule]:
    """Rules from a request body: a list of objects; raises ``Refusal`` (422) naming what is wrong."""
    if not isinstance(body, list):
        raise Refusal(422, "a list of rules is wanted")
    return [_read_rule(place, item) for place, item in enumerate(body)]


def _read_rule(place: int, item: object) -> Rule:
    known = {"kind", "method", "path", "count", "probability", "seed", "seconds", "retry_after"}
    if not isinstance(item, dict) or item.get("kind") not in KINDS or not set(item) <= known:
        raise Refusal(422, f"{place}: wants kind (one of {', '.join(KINDS)}), and may have {', '.join(sorted(known))}")
    try:
        return Rule(
            kind=item["kind"],
            method=re.compile(item.get("method", ".*")),
            path=re.compile(item.get("path", "")),
            count=None if item.get("count", 1) is None else int(item.get("count", 1)),
            probability=float(item.get("probability", 1)),
            seconds=float(item.get("seconds", 30)),
            retry_after=str(item.get("retry_after", 1)),
            dice=random.Random(item.get("seed", 0)),  # noqa: S311  - reproducible faults, no secrets
        )
    except (TypeError, ValueError, re.error) as error:
        raise Refusal(422, f"{place}: {error}") from None
