"""What a run has proved: from what was sent, what the event topics hold, and what the target itself noted. Pure.

One rule per word:

lost       sent and confirmed to the sender, but no event came of it
doubled    more than one event, or more than one effect at the target, of one version
reordered  an effect or an event of a key after one of a newer version of that key
aborted    an effect or an event that no committed record accounts for: somebody read a transaction that was undone
unseen     an event whose effect the target does not hold when all has come to rest
buried     a dead letter: nothing in these runs is at fault, so nothing may be
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import NamedTuple

RULES = ("lost", "doubled", "reordered", "aborted", "unseen", "buried")


class Version(NamedTuple):
    """One version of one thing, as its source counts them (from 1). ``key`` is what order must hold for."""

    key: str
    number: int


class Noted(NamedTuple):
    """A version where it was found, and the canonical id under which it was."""

    version: Version
    canonical_id: str


class Fault(NamedTuple):
    """What is wrong, by which rule, and of what."""

    rule: str
    text: str


@dataclass(frozen=True, slots=True)
class History:
    """One flow's run. Sequences are in the order in which things happened, at least within each key."""

    flow: str
    sent: Sequence[Version]
    events: Sequence[Noted]
    effects: Sequence[Noted]
    buried: Sequence[str] = ()
    is_whole_state: bool = False
    """Each effect shows all there is: a version that waited while a newer one came is passed over for it."""


def check(history: History) -> list[Fault]:
    """Everything that is wrong with the history; empty if it is what exactly-once and in order means."""
    return [Fault(rule, f"{history.flow}: {text}") for rule, find in _CHECKS.items() for text in find(history)]


def _lost(history: History) -> Iterator[str]:
    there = {event.version for event in history.events}
    yield from (f"{_name(version)} was sent and is on no event topic" for version in _missing(history.sent, there))


def _doubled(history: History) -> Iterator[str]:
    for what, noted in (("event", history.events), ("effect", history.effects)):
        counts = Counter(one.version for one in noted)
        yield from (f"{_name(version)} has {count} {what}s" for version, count in counts.items() if count > 1)


def _reordered(history: History) -> Iterator[str]:
    for what, noted in (("event", history.events), ("effect", history.effects)):
        for key, numbers in _by_key(noted).items():
            yield from (
                f"the {what} of {key} version {after} came after that of version {before}"
                for before, after in pairwise(numbers)
                if after < before
            )


def _aborted(history: History) -> Iterator[str]:
    sent, committed = set(history.sent), set(history.events)
    for event in history.events:
        if event.version not in sent:
            yield f"{_name(event.version)} has an event and was never sent"
    for effect in history.effects:
        if effect not in committed:
            yield f"{_name(effect.version)} as {effect.canonical_id} has an effect and no committed event"


def _unseen(history: History) -> Iterator[str]:
    seen = {effect.version for effect in history.effects}
    owed = [event.version for event in history.events]
    if history.is_whole_state:
        newest = {key: max(numbers) for key, numbers in _by_key(history.effects).items()}
        owed = [version for version in owed if version.number > newest.get(version.key, -1)]
    yield from (f"{_name(version)} has an event and no effect" for version in _missing(owed, seen))


def _buried(history: History) -> Iterator[str]:
    yield from history.buried


_CHECKS: Mapping[str, Callable[[History], Iterable[str]]] = dict(
    zip(RULES, (_lost, _doubled, _reordered, _aborted, _unseen, _buried), strict=True)
)


def _missing(owed: Iterable[Version], there: set[Version]) -> Iterator[Version]:
    return (version for version in dict.fromkeys(owed) if version not in there)


def _by_key(noted: Iterable[Noted]) -> dict[str, list[int]]:
    numbers: dict[str, list[int]] = {}
    for one in noted:
        numbers.setdefault(one.version.key, []).append(one.version.number)
    return numbers


def _name(version: Version) -> str:
    return f"{version.key} version {version.number}"
