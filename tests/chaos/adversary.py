"""What is done to a run, by the dice: when which process dies at which point, and what else happens. Pure.

The same seed gives the same plan. What it does to a run still depends on the machine: which record is under way when a
process reaches its point is in nobody's hand.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import cycle
from typing import Literal, NamedTuple

from tests.chaos.hub import PROCESSES, PROCESSORS, SINKS, SOURCE
from tests.chaos.points import PROCESSOR_LABELS, SOURCE_LABELS, Arm
from tests.chaos.proxy import ADD_OFFSETS, COMMIT_OFFSETS, END_TRANSACTION, Spoil

Kind = Literal["kill", "usurp", "broker-kill", "broker-stop", "spoil", "storm", "target-restart", "target-lies"]
Protocol = Literal["classic", "consumer"]
CALLS = ("call:before", "call:during", "call:after", "record:after")
"""Where a sink leaves an intent without an outcome; what starts after it reads back."""
READ_BACKS = ("read-back:before", "read-back:after")
MOST = {"produced": 12, "call:before": 5, "call:during": 5, "call:after": 5, "commit:during": 3, "record:during": 3}
"""Up to which passing of a point a kill waits; of the others up to the second."""
SINKS_FREEZE_AT = ("call:before", "call:during", "record:after")
"""Between intent and call, when the call is about to look at its clock, and amid its requests."""
PROCESSORS_FREEZE_AT = ("produced", "position:after", "commit:before")
STORM_JOINS = 3


class Strike(NamedTuple):
    """Something done from outside. ``part`` is a process or, of brokers, a place from 0."""

    kind: Kind
    part: str | int = ""
    spoil: Spoil | None = None
    protocol: Protocol = "classic"

    @property
    def name(self) -> str:
        """For the report."""
        if self.spoil is not None:
            return self.spoil.name
        if self.kind == "storm":
            return f"storm ({self.protocol})"
        return self.kind


class Aim(NamedTuple):
    """Kills of these processes at these points only, all in turn; and who is frozen."""

    victims: Sequence[str]
    labels: Sequence[str]
    sleepers: Sequence[str] = SINKS


@dataclass(frozen=True, slots=True)
class Plan:
    """``arms`` by process: at what each of its runs ends. ``strikes`` by chunk of the load."""

    arms: Mapping[str, Sequence[Arm]]
    strikes: Sequence[Sequence[Strike]]


def make_plan(
    *, seed: int, kills: int, freezes: int, chunks: int, strikes: Sequence[Strike], aim: Aim | None = None
) -> Plan:
    """So many kills and freezes at points, and the strikes, spread over the chunks of the load."""
    dice = random.Random(f"chaos/{seed}")  # noqa: S311  - reproducible accidents, no secrets
    labels: dict[str, Iterator[str]] = {name: _labels(name, dice) for name in PROCESSES}
    arms: dict[str, list[Arm]] = {name: [] for name in PROCESSES}
    # Sinks twice as often: at them an accident has effects that no transaction undoes.
    victims = cycle(dice.sample([*PROCESSES, *SINKS], k=len(PROCESSES) + len(SINKS)))
    if aim is not None:
        victims, labels = cycle(aim.victims), {name: cycle(aim.labels) for name in aim.victims}
    for _ in range(kills):
        victim = next(victims)
        label = next(labels[victim])
        arms[victim].append(Arm("kill", label, _count(label, dice)))
    asleep = cycle(dice.sample(SINKS_FREEZE_AT, k=len(SINKS_FREEZE_AT)))
    for number in range(freezes):
        victim = SINKS[number // 2 % len(SINKS)] if number % 2 == 0 else dice.choice(PROCESSORS)
        if aim is not None:
            victim = aim.sleepers[number % len(aim.sleepers)]
        label = next(asleep) if victim in SINKS else dice.choice(PROCESSORS_FREEZE_AT)
        # In its first run: nobody is goaded to freeze, so that its point must come while there is much to do.
        arms[victim].insert(0, Arm("freeze", label, _count(label, dice)))
    spread: list[list[Strike]] = [[] for _ in range(chunks)]
    for number, strike in enumerate(dice.sample(strikes, k=len(strikes))):
        # Not with the last chunk: what is done to an idle hub proves little.
        spread[number * max(chunks - 1, 1) // max(len(strikes), 1)].append(strike)
    return Plan(arms, spread)


def make_strikes(
    *, seed: int, outside_kills: int, bounces: int, spoils: int, storms: int, usurpers: int
) -> list[Strike]:
    """So many of each, parts and ways chosen by the dice; the target is restarted and lies once per broker bounce."""
    dice = random.Random(f"strikes/{seed}")  # noqa: S311  - as above
    found = [Strike("kill", dice.choice(PROCESSES)) for _ in range(outside_kills)]
    for number in range(bounces):
        found.append(Strike("broker-kill" if number % 2 == 0 else "broker-stop", dice.randrange(3)))
        found += [Strike("target-restart"), Strike("target-lies")]
    ways = cycle(dice.sample(_ways(), k=len(_ways())))
    for _ in range(spoils):
        found.append(Strike("spoil", spoil=next(ways)._replace(client=dice.choice((*PROCESSORS, *SINKS)))))
    for number in range(storms):
        protocol: Protocol = "classic" if number % 2 == 0 else "consumer"
        found.append(Strike("storm", dice.choice((*PROCESSORS, *SINKS)), protocol=protocol))
    victims = cycle(dice.sample(PROCESSES, k=len(PROCESSES)))
    return found + [Strike("usurp", next(victims)) for _ in range(usurpers)]


def _ways() -> list[Spoil]:
    return [
        Spoil("cut", END_TRANSACTION, ""),
        Spoil("hold", END_TRANSACTION, "", 2.0),
        Spoil("delay", END_TRANSACTION, "", 3.0),
        Spoil("cut", COMMIT_OFFSETS, ""),
        Spoil("hold", COMMIT_OFFSETS, "", 2.0),
        Spoil("cut", ADD_OFFSETS, ""),
    ]


def _labels(process: str, dice: random.Random) -> Iterator[str]:
    """Points of a process without end: all of them before any comes again."""
    own = [*(SOURCE_LABELS if process == SOURCE else PROCESSOR_LABELS)]
    if process in SINKS:
        own += [*CALLS, "record:before", "record:during"]
    while True:
        for label in dice.sample(own, k=len(own)):
            yield label
            if label in CALLS and process in SINKS:
                yield dice.choice(READ_BACKS)


def _count(label: str, dice: random.Random) -> int:
    if label in READ_BACKS or label == "initialised":
        return 1
    return dice.randint(1, MOST.get(label, 2))
