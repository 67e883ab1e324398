"""Sinks and processors paused (SIGSTOP) in the middle of their work, replaced, and woken when they are long replaced.

A woken copy either learns that it was replaced and ends, or, if a call that it slept in had a limit of its own, takes
that for a failure of the broker, begins anew, and so replaces its successor, which then ends. Either is told.

Eight sinks of eight systems and two processors at a time. While a process sleeps, its successor works on newer
versions; what the sleeper had in hand is a stale write by then. The target takes whatever comes, and notes who wrote.
"""

from __future__ import annotations

import random
import signal
import threading
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from tests.chaos.load import Item, outbound
from tests.chaos.processes import FENCED, Copy
from tests.scenes.figures import Result
from tests.scenes.histories import asset_faults
from tests.scenes.stage import Stage, command, open_stage, until

SYSTEMS = tuple(f"works{letter}" for letter in "abcdefgh")
SINKS = tuple(f"sink-{system}" for system in SYSTEMS)
PROCESSORS = ("identify", "accept")
VICTIMS = (*SINKS, *PROCESSORS)
KEYS = 40
"""Of each sink: few, so that a sleeper's key has newer versions by the time it wakes."""
ASSETS = 200
ROUND_SECS = 1.0
PAUSED_SECS = 11.0
"""Longer than a sink trusts its last transaction (``calling.FRESH_SECS``)."""
LONG_PAUSED_SECS = 36.0
"""Longer than the broker keeps a transaction open (``broker.TRANSACTION_TIMEOUT_MS``): the last round's."""
WORDS_SECS = 60.0
SETTLE_SECS = 2.0
PATIENCE_SECS = 180.0


@dataclass(slots=True)
class Load:
    """Versions for every sink and reports for the processors, again and again, until it is told to end."""

    stage: Stage
    ended: threading.Event = field(default_factory=threading.Event)
    versions: Counter[tuple[str, int]] = field(default_factory=Counter)
    sent: list[Item] = field(default_factory=list)
    rounds: int = 0

    def run(self) -> None:
        """Send, a batch each second."""
        while not self.ended.wait(ROUND_SECS):
            keys = [(self.rounds * 8 + number) % KEYS for number in range(8)]
            records = []
            for system in SYSTEMS:
                for key in keys:
                    self.versions[system, key] += 1
                    records.append(command(system, f"{system}-{key}", self.versions[system, key]))
            items = []
            for number in range(8):
                thing = (self.rounds * 8 + number) % ASSETS
                items.append(Item("assets", thing, 1 + (self.rounds * 8 + number) // ASSETS))
            self.stage.write([*records, *(outbound(item) for item in items)], account="load")
            self.sent += items
            self.rounds += 1


def play(folder: Path, size: int) -> Result:
    """``size`` pauses, ten at a time."""
    dice = random.Random(3)  # noqa: S311  - moments, no secrets
    rounds = -(-size // len(VICTIMS))
    result = Result("evictions", f"{rounds * len(VICTIMS)} pauses: {rounds} each of 8 sinks and 2 processors")
    with open_stage(folder, works=SYSTEMS, latency_secs=0.05) as stage:
        crew = stage.crew
        crew.start([*VICTIMS])
        load = Load(stage)
        thread = threading.Thread(target=load.run)
        thread.start()
        ends: list[tuple[Copy, bool]] = []
        try:
            for number in range(rounds):
                paused_secs = LONG_PAUSED_SECS if number == rounds - 1 else PAUSED_SECS
                ends += one_round(stage, dice, paused_secs)
        finally:
            load.ended.set()
            thread.join()
        owed = {(f"{system}-{key}", version) for (system, key), version in load.versions.items()}
        until(
            lambda: owed <= {(one.ref, one.version) for one in list(stage.target.journal)},
            "every last version is at its target",
            secs=PATIENCE_SECS,
        )
        time.sleep(3.0)  # what a zombie would write late
        tell_ends(result, ends)
        check_journal(result, stage, load)
        crew.start(["route"])
        stage.rest(secs=PATIENCE_SECS)
        faults = asset_faults(stage, load.sent)
        result.note("reports lost, doubled or out of order on the event topic", len(faults), "0", holds=not faults)
        result.faults += faults
        result.note("commands delivered", f"{len(stage.target.journal):,}")
        result.note("reports handled", f"{len(load.sent):,}")
    return result


def one_round(stage: Stage, dice: random.Random, paused_secs: float) -> list[tuple[Copy, bool]]:
    """Pause every victim at a moment of its own, let successors take over, wake the sleepers, wait for an end of each.

    Gives the copy of each that has ended, and whether it is the one that slept.
    """
    crew = stage.crew
    sleepers = []
    for name in dice.sample(VICTIMS, k=len(VICTIMS)):
        time.sleep(dice.uniform(0.0, 0.3))
        copy = crew.running[name]
        copy.process.send_signal(signal.SIGSTOP)
        sleepers.append(copy)
    paused_at = time.monotonic()
    successors = [crew.launch(copy.name) for copy in sleepers]
    for copy in successors:
        crew.wait(copy)
    # Each successor has written something newer before the sleepers wake.
    before = len(stage.target.journal)
    until(lambda: _writers(stage, before) >= set(_pids(stage)), "successors at work", secs=PATIENCE_SECS)
    time.sleep(max(paused_at + paused_secs - time.monotonic(), 0.0))
    for copy in sleepers:
        copy.process.send_signal(signal.SIGCONT)
    pairs = list(zip(sleepers, successors, strict=True))
    until(lambda: all(_ended(pair) for pair in pairs), "one of two ends", secs=WORDS_SECS)
    time.sleep(SETTLE_SECS)
    found = []
    for sleeper, successor in pairs:
        crew.replaced.remove(sleeper)
        slept = sleeper.process.poll() is not None
        found.append((sleeper, True) if slept else (successor, False))
        if not slept:
            crew.running[sleeper.name] = sleeper
        if slept and successor.process.poll() is not None:
            found.append((successor, False))
            crew.wait(crew.launch(sleeper.name))
    return found


def _ended(pair: tuple[Copy, Copy]) -> bool:
    return any(copy.process.poll() is not None for copy in pair)


def tell_ends(result: Result, ends: Sequence[tuple[Copy, bool]]) -> None:
    """Who ended, and in which words."""
    slept = sum(slept for _, slept in ends)
    told = sum(FENCED in copy.last_words for copy, _ in ends)
    result.note("woken copies that ended", f"{slept} of {len(ends)}", "all", holds=slept == len(ends))
    result.note("woken copies that took over again, and their successor ended", len(ends) - slept)
    result.note("ends that said why", f"{told} of {len(ends)}", "all", holds=told == len(ends))
    result.faults += [
        f"{copy.name} said: {copy.last_words[-300:]}" for copy, _ in ends if FENCED not in copy.last_words
    ]


def _pids(stage: Stage) -> list[int]:
    return [stage.crew.running[name].process.pid for name in SINKS]


def _writers(stage: Stage, before: int) -> set[int]:
    return {effect.pid for effect in stage.target.journal[before:]}


def check_journal(result: Result, stage: Stage, load: Load) -> None:
    """No version after a newer one of its key, none twice, none missing."""
    last: dict[str, int] = {}
    seen: Counter[tuple[str, int]] = Counter()
    stale = 0
    for effect in list(stage.target.journal):
        stale += effect.version < last.get(effect.ref, 0)
        last[effect.ref] = max(effect.version, last.get(effect.ref, 0))
        seen[effect.ref, effect.version] += 1
    wanted = {
        (f"{system}-{key}", version)
        for (system, key), newest in load.versions.items()
        for version in range(1, newest + 1)
    }
    doubled = sum(count > 1 for count in seen.values())
    result.note("stale writes, by the target's journal", stale, "0", holds=stale == 0)
    result.note("second effects", doubled, "0", holds=doubled == 0)
    result.note("commands without an effect", len(wanted - seen.keys()), "0", holds=not wanted - seen.keys())
