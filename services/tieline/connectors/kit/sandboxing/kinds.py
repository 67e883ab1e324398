"""Every kind of fault, and every key of a rule: what docs/sandboxes.md shows as a table."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal

Stage = Literal["session", "request", "webhook"]


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of fault. ``needs`` is what a sandbox must have to play it; ``keys`` are those it takes from its rule.

    A ``session`` fault strikes before the caller is authenticated, a ``webhook`` fault after the change was made.
    """

    stage: Stage
    meaning: str
    keys: tuple[str, ...] = ()
    needs: str | None = None


KINDS: Mapping[str, Kind] = MappingProxyType(
    {
        "timeout_before": Kind("request", "Nothing happens; the connection breaks after `seconds`.", ("seconds",)),
        "timeout_after_commit": Kind("request", "It happens; the connection breaks after `seconds`.", ("seconds",)),
        "error_500_before": Kind("request", "Nothing happens; the answer is a 500."),
        "error_500_after_commit": Kind("request", "It happens; the answer is a 500."),
        "error_503": Kind("request", "Nothing happens; the system is out.", ("retry_after", "retry_after_form")),
        "error_429": Kind("request", "Nothing happens; too many requests.", ("retry_after", "retry_after_form")),
        "answer": Kind("request", "Nothing happens; the answer is the rule's.", ("status", "headers", "text")),
        "cut_body": Kind("request", "It happens; the answer breaks off half-way."),
        "slow": Kind("request", "It happens; the answer takes `seconds`.", ("seconds",)),
        "apply_twice": Kind("request", "It happens twice; the answer is the first one's."),
        "drop_write": Kind("request", "The answer says that it happened; it did not.", needs="state"),
        "stale_read": Kind("request", "Reads an older state.", ("changes_old", "seconds_old"), needs="history"),
        "refuse_connection": Kind(
            "request",
            "Nothing happens, every connection breaks, and for `seconds` a new one is refused.",
            ("seconds",),
            needs="door",
        ),
        "end_session": Kind("session", "Every session and token given out ends before this request.", needs="sessions"),
        "duplicate_webhook": Kind("webhook", "The webhooks of the change are sent twice.", needs="webhooks"),
        "lose_webhook": Kind("webhook", "They are not sent.", needs="webhooks"),
        "late_webhook": Kind("webhook", "They are sent after `seconds`.", ("seconds",), needs="webhooks"),
        "reorder_webhook": Kind(
            "webhook",
            "They are sent after the next change's, or after `seconds` if there is none.",
            ("seconds",),
            needs="webhooks",
        ),
    }
)

# Which requests a rule strikes and how often, then what it makes of them.
KEYS: Mapping[str, str] = MappingProxyType(
    {
        "kind": "The fault; required.",
        "method": "A regular expression that the whole HTTP method matches; any unless given.",
        "path": "A regular expression that the path contains; any unless given.",
        "body": "A regular expression that the request's body contains (its first 64 KiB); any unless given.",
        "nth": "The first matching call that may be struck, counted from 1; 1 unless given.",
        "count": "How many calls are struck at most; 1 unless given, `null` for no end.",
        "for_secs": "The rule is over so many seconds after its first strike; no end unless given.",
        "probability": "Of striking a call that matches, from 0 to 1; 1 unless given.",
        "seed": "Of this rule's dice; unless given it follows from the script's seed and the rule's place.",
        "seconds": "How long; 30 unless given.",
        "retry_after": "Seconds of the Retry-After header, or the header's text, or `null` for none;"
        " 1 with `error_429`, none with `error_503` unless given.",
        "retry_after_form": "`seconds` (unless given) or `date`: how the header says `retry_after`.",
        "status": "Of the answer, from 200 to 599; 200 unless given.",
        "headers": "Of the answer, names to texts.",
        "text": "The answer's body as it is; empty unless given.",
        "changes_old": "How many changes the state lies behind; 1 unless `seconds_old` is given.",
        "seconds_old": "How many seconds the state lies behind.",
    }
)


def playable(*have: str) -> frozenset[str]:
    """The kinds that a sandbox with these parts (``Kind.needs``) can play."""
    return frozenset(name for name, kind in KINDS.items() if kind.needs is None or kind.needs in have)


def reference() -> str:
    """Both tables, as Markdown."""
    kinds = [
        f"| `{name}` | {kind.meaning} | {', '.join(f'`{key}`' for key in kind.keys)} | {kind.needs or ''} |"
        for name, kind in KINDS.items()
    ]
    keys = [f"| `{name}` | {meaning} |" for name, meaning in KEYS.items()]
    return "\n".join(
        [
            "| kind | what happens | takes | needs |",
            "|---|---|---|---|",
            *kinds,
            "",
            "| key | meaning |",
            "|---|---|",
            *keys,
            "",
        ]
    )
